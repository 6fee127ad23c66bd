"""A service as the world sees it: which revision a request goes to, and the ports it is asked on."""

from __future__ import annotations

import random
import threading
from dataclasses import dataclass, field
from typing import Any

from . import policies
from .pools import Pool


@dataclass(frozen=True, kw_only=True)
class Routes:
    """Pools by percent, and by tag."""

    shares: tuple[tuple[Pool, int], ...] = ()
    tags: dict[str, Pool] = field(default_factory=dict)

    def pools(self) -> set[Pool]:
        """All that may be asked."""
        return {pool for pool, percent in self.shares if percent} | set(self.tags.values())


class Site:
    """A service's routes, policy and doors. `audiences` is what an ID token for it must be made for."""

    def __init__(self, name: str, seed: int | None) -> None:
        self.name = name
        self.policy: Any = policies.empty()
        self.open_to_all = False  # the service's invoker_iam_disabled
        self.audiences: set[str] = set()
        self.deleted = False
        self._lock = threading.Lock()
        self._routes = Routes()
        self._random = random.Random(seed)

    def enter(self, tag: str) -> Pool | None:
        """The pool that this request goes to, already counted in; None where nothing serves."""
        with self._lock:
            if tag:
                pool = self._routes.tags.get(tag)
            else:
                pools = [pool for pool, _ in self._routes.shares]
                weights = [percent for _, percent in self._routes.shares]
                pool = self._random.choices(pools, weights)[0] if pools else None
            if pool is not None:
                pool.enter()
            return pool

    def route(self, routes: Routes) -> set[Pool]:
        """Route from now on so; gives the pools that are no longer asked."""
        with self._lock:
            before, self._routes = self._routes, routes
        return before.pools() - routes.pools()

    @property
    def routes(self) -> Routes:
        """Where requests go now."""
        return self._routes
