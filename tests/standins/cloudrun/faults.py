"""Faults on demand: armed over HTTP or by MLPACK_CLOUDRUN_FAULTS, each for so many times, told where they strike."""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .errors import ApiError

if TYPE_CHECKING:
    from .json_door import Asked

# What each does, and where; README.md shows the same table.
KINDS = {
    "slow-operation": "an operation takes `seconds` longer",
    "operation-failed-9": "the operation of a new revision fails with code 9 and the text of a container that does not start",
    "operation-failed-13": "the same with code 13",
    "never-starts": "a new revision's container runs but is never asked, so that its probe fails after `seconds`",
    "out-of-memory": "a new revision gets `bytes` of memory whatever it asks for",
    "image-gone": "the image of a new revision is not found",
    "quota": "a create or update of a service is refused for quota",
    "gpu-quota": "the operation of a new revision fails for quota",
    "forbidden": "the call named by `call` (a part of its path; none: every call) is PERMISSION_DENIED",
    "conflict": "the same with ABORTED, as an outdated etag gives",
    "exists": "the same with ALREADY_EXISTS",
    "unavailable": "the same with UNAVAILABLE",
    "unauthenticated": "the same with UNAUTHENTICATED",
    "policy-forbids-public": "a policy that names allUsers is refused, as an organisation's policy does",
    "push-401": "a push is refused with 401 after its layers were uploaded",
    "token-fails": "the token endpoint answers invalid_grant",
    "token-over": "the token endpoint gives a token that is over already, as one is in the middle of a long push",
    "instance-errors": "requests of the revision named by `revision` (none: any) are answered 500",
}
CALLS = {
    "forbidden": (
        "PERMISSION_DENIED",
        "Permission '{permission}' denied on resource '{call}' (or resource may not exist).",
    ),
    "conflict": ("ABORTED", "Conflict for resource. Version '0' was specified but current version is '1'."),
    "exists": ("ALREADY_EXISTS", "Resource already exists in the project."),
    "unavailable": ("UNAVAILABLE", "The service is currently unavailable."),
    "unauthenticated": ("UNAUTHENTICATED", "Request had invalid authentication credentials."),
}


@dataclass(kw_only=True)
class Fault:
    """An armed fault: how many times it still strikes, and its details."""

    kind: str
    times: int
    details: dict[str, Any]


class Faults:
    """The armed faults, in the order they were armed."""

    def __init__(self, words: str = "") -> None:
        self._lock = threading.Lock()
        self._armed: list[Fault] = []
        for each in json.loads(words or "[]"):
            self.arm(each)

    def arm(self, wish: dict[str, Any]) -> None:
        """Arm `{"kind": ..., "times": 1, ...details}`."""
        details = dict(wish)
        kind = details.pop("kind", "")
        if kind not in KINDS:
            raise ApiError("INVALID_ARGUMENT", f"Unknown fault {kind!r}. Known: {', '.join(KINDS)}.")
        with self._lock:
            self._armed.append(Fault(kind=kind, times=int(details.pop("times", 1)), details=details))

    def strike(self, kind: str, **facts: str) -> Fault | None:
        """The first of that kind that fits (a detail that is also a fact must be in it), used up once; None: all is well."""
        with self._lock:
            for fault in self._armed:
                fits = all(str(fault.details.get(name, "")) in value for name, value in facts.items())
                if fault.kind == kind and fits:
                    fault.times -= 1
                    if fault.times <= 0:
                        self._armed.remove(fault)
                    return fault
        return None

    def before(self, call: str) -> None:
        """Refuse a call if so wished."""
        for kind, (code, text) in CALLS.items():
            if self.strike(kind, call=call):
                permission = f"run.{call.rpartition('/')[2]}"
                raise ApiError(code, text.format(call=call, permission=permission))

    def answer(self, asked: Asked) -> tuple[int, Any] | None:
        """POST arms, GET lists, DELETE disarms."""
        if asked.path != "/standin/faults":
            return None
        if asked.method == "POST":
            self.arm(asked.json())
        with self._lock:
            if asked.method == "DELETE":
                self._armed.clear()
            return 200, [{"kind": one.kind, "times": one.times, **one.details} for one in self._armed]
