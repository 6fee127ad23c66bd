"""The route of a path: Router finds a plain path by one look-up, one with `{names}` in it by pattern."""

from __future__ import annotations

import re
from typing import Dict, List, Pattern, Tuple

from ..errors import NoRouteError, WrongVerbError
from .messages import Route, WriteError
from .negotiation import negotiated

Verbs = Dict[str, Route]
_MOST_REMEMBERED = 256  # paths whose pattern is known; beyond, each is matched anew


class Router:
    """The routes of all contracts. Of several with the same path the one of the lowest `rank` has it, then the first.

    Routes that also have a `media` type share a path: the client's Accept header selects one.
    """

    def __init__(self, routes: List[Route]) -> None:
        self._plain: Dict[str, Verbs] = {}
        self._patterns: Dict[str, Tuple[Pattern[str], Verbs]] = {}
        self._remembered: Dict[str, Tuple[Verbs, Dict[str, str]]] = {}
        self._writers: Dict[str, WriteError] = {}
        for route in sorted(routes, key=lambda one: one.rank):
            if route.rank <= 0 or not self._answered(route):
                self._add(route)
        self._remembered.clear()
        self._first = routes[0].write_error

    def find(self, method: str, path: str) -> Tuple[Route, Dict[str, str]]:
        """The route, and the values of its names; raises NoRouteError, WrongVerbError."""
        verbs = self._plain.get(path)
        route = verbs.get(method) if verbs is not None else None
        if route is not None:
            return route, _NO_NAMES
        matched, names = self._match(path)
        route = matched.get(method)
        if route is not None:
            return route, names
        allowed = sorted({**matched, **(verbs or {})})
        if allowed:
            raise WrongVerbError(
                f"{path[:200]} answers {', '.join(allowed)}, not {method[:20]}",
                detail={"allow": allowed},
                headers={"Allow": ", ".join(allowed)},
            )
        known = sorted([*self._plain, *self._patterns])
        raise NoRouteError(f"there is no {path[:200]}", detail={"routes": known})

    def error_writer(self, path: str) -> WriteError:
        """How to write a failure on a path without a route: as the contract whose paths begin with the same segment."""
        return self._writers.get(path.split("/", 2)[1] if path.startswith("/") else "", self._first)

    def _add(self, route: Route) -> None:
        if "{" in route.path:
            _, verbs = self._patterns.setdefault(route.path, (_pattern(route.path), {}))
        else:
            verbs = self._plain.setdefault(route.path, {})
        own_head = "HEAD" in verbs and verbs["HEAD"].method == "HEAD"
        if route.method == "HEAD" and not own_head:
            verbs.pop("HEAD", None)  # that of GET
        first = verbs.setdefault(route.method, route)
        if first is not route and route.media:
            verbs[route.method] = first = negotiated(first, route)
        if route.method == "GET" and not own_head:
            verbs["HEAD"] = first
        segment = route.path.split("/", 2)[1]
        if segment and "{" not in segment:
            self._writers.setdefault(segment, route.write_error)

    def _answered(self, route: Route) -> bool:
        return route.method in {**self._match(route.path)[0], **self._plain.get(route.path, {})}

    def _match(self, path: str) -> Tuple[Verbs, Dict[str, str]]:
        known = self._remembered.get(path)
        if known is not None:
            return known
        for pattern, verbs in self._patterns.values():
            match = pattern.fullmatch(path)
            if match is not None:
                found = (verbs, match.groupdict())
                if len(self._remembered) < _MOST_REMEMBERED:
                    self._remembered[path] = found
                return found
        return {}, _NO_NAMES


_NO_NAMES: Dict[str, str] = {}


def _pattern(path: str) -> Pattern[str]:
    """`{name}` stands for one segment, or the part of one before a colon."""
    literals = re.split(r"(\{\w+\})", path)
    return re.compile("".join(f"(?P<{part[1:-1]}>[^/:]+)" if part[:1] == "{" else re.escape(part) for part in literals))
