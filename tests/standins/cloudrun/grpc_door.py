"""The gRPC door: every call by its path, requests and answers as protobuf."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc

from .errors import ApiError
from .surface import Call

# Whether the caller may: given the Authorization header and the name of the call, raises ApiError.
Guard = Callable[[str, str], None]
LOCAL = "local"  # stands for the credentials that a plain channel of this machine does not carry


def open_grpc(calls: list[Call], guard: Guard) -> tuple[Any, int]:
    """A running server on a free loopback port; gives both."""
    server = grpc.server(ThreadPoolExecutor(max_workers=16, thread_name_prefix="grpc"))
    server.add_generic_rpc_handlers((_Handlers(calls, guard),))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    return server, port


class _Handlers(grpc.GenericRpcHandler):
    def __init__(self, calls: list[Call], guard: Guard) -> None:
        self._calls = {call.path: call for call in calls}
        self._guard = guard

    def service(self, handler_call_details: Any) -> Any:
        """Find the call; an unknown one is answered UNIMPLEMENTED by gRPC itself."""
        call = self._calls.get(handler_call_details.method)
        if call is None:
            return None
        return grpc.unary_unary_rpc_method_handler(
            lambda request, context: self._answer(call, request, context),
            request_deserializer=call.request.FromString,
            response_serializer=lambda answer: answer.SerializeToString(),
        )

    def _answer(self, call: Call, request: Any, context: Any) -> Any:
        token = dict(context.invocation_metadata()).get("authorization", LOCAL)
        try:
            # The clients send no credentials over a plain channel, so none is let through; a wrong one is not.
            self._guard(token, call.path)
            return call.answer(request)
        except ApiError as error:
            context.abort(grpc.StatusCode[error.code], error.message)
