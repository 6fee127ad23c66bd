"""Long-running operations: answered undone, finished by a thread, kept until the end."""

from __future__ import annotations

import threading
import traceback
import uuid
from collections.abc import Callable
from typing import Any

from google.longrunning import operations_pb2
from google.rpc import code_pb2

from .errors import ApiError


class Operations:
    """All operations by name. `lock` guards every resource of the stand-in, since work changes them later."""

    def __init__(self, lock: threading.RLock) -> None:
        self._lock = lock
        self._all: dict[str, Any] = {}

    def start(self, parent: str, metadata: Any, work: Callable[[], Any]) -> Any:
        """Let the work go on; give the operation, undone. The work's answer is the response, its ApiError the error."""
        operation = operations_pb2.Operation(name=f"{parent}/operations/{uuid.uuid4()}")
        operation.metadata.Pack(metadata)
        undone = operations_pb2.Operation()
        undone.CopyFrom(operation)
        with self._lock:
            self._all[operation.name] = operation
        threading.Thread(target=self._run, args=(operation, work), daemon=True, name="operation").start()
        return undone

    def done(self, parent: str, answer: Any) -> Any:
        """An operation that was nothing but looked at: finished at once, and not kept."""
        operation = operations_pb2.Operation(name=f"{parent}/operations/{uuid.uuid4()}", done=True)
        operation.metadata.Pack(answer)
        operation.response.Pack(answer)
        return operation

    def get(self, request: Any) -> Any:
        """The operation as it is now."""
        with self._lock:
            if request.name not in self._all:
                raise ApiError("NOT_FOUND", f"Resource '{request.name}' was not found")
            copy = operations_pb2.Operation()
            copy.CopyFrom(self._all[request.name])
            return copy

    def list(self, request: Any) -> Any:
        """Those of a location."""
        with self._lock:
            found = [one for name, one in self._all.items() if name.startswith(request.name)]
            return operations_pb2.ListOperationsResponse(operations=found)

    def handlers(self) -> dict[str, Callable[[Any], Any]]:
        """The calls by name."""
        return {"Operations.GetOperation": self.get, "Operations.ListOperations": self.list}

    def _run(self, operation: Any, work: Callable[[], Any]) -> None:
        code, message, answer = 0, "", None
        try:
            answer = work()
        except ApiError as error:
            code, message = code_pb2.Code.Value(error.code), error.message
        except Exception as error:  # noqa: BLE001  # a caller waits: it hears of our own fault too
            traceback.print_exc()
            code, message = code_pb2.INTERNAL, f"stand-in: {error!r}"
        with self._lock:
            if answer is not None:
                operation.response.Pack(answer)
                operation.metadata.Pack(answer)
            else:
                operation.error.code, operation.error.message = code, message
            operation.done = True
