"""Paths and verbs into routes: plain ones first, patterns with names, ranks where several claim a path."""

from __future__ import annotations

import pytest

from mlpack.runtime.errors import NoRouteError, ServeError, WrongVerbError
from mlpack.runtime.http.messages import Request, Response, Route
from mlpack.runtime.http.routing import Router


async def handler(_request: Request) -> Response:
    return Response(200, b"")


def tell(error: ServeError) -> Response:
    return Response(error.status, b"own")


def other(error: ServeError) -> Response:
    return Response(error.status, b"other")


ROUTES = [
    Route("GET", "/", handler, tell),
    Route("POST", "/predict", handler, tell),
    Route("POST", "/v1/models/{model}:predict", handler, other),
    Route("GET", "/v1/models/{model}", handler, other),
    Route("GET", "/v1/models/{model}/versions/{version}", handler, other),
]


def test_names_stand_for_one_segment_or_what_comes_before_a_colon() -> None:
    """A name takes no slash and no colon, so that a verb behind a colon is a route of its own."""
    router = Router(ROUTES)
    for _ in range(2):  # the second time from memory
        route, names = router.find("POST", "/v1/models/iris:predict")
        assert (route.path, names) == ("/v1/models/{model}:predict", {"model": "iris"})
    assert router.find("GET", "/v1/models/a/versions/1.4.0")[1] == {"model": "a", "version": "1.4.0"}
    for path in ("/v1/models/", "/v1/models/a/b", "/v1/models/a:b:predict", "/v1/models/a/versions/", "", "x"):
        with pytest.raises(NoRouteError):
            router.find("GET", path)


def test_head_is_get_and_other_verbs_are_told() -> None:
    """405 names every verb of the path, a plain one or a pattern."""
    router = Router([*ROUTES, Route("GET", "/v1/models/iris:predict", handler, tell, rank=-1)])
    assert router.find("HEAD", "/")[0].method == "GET"
    with pytest.raises(WrongVerbError) as error:
        router.find("DELETE", "/v1/models/iris:predict")
    assert error.value.headers == {"Allow": "GET, HEAD, POST"}
    assert router.find("POST", "/v1/models/iris:predict")[0].path == "/v1/models/{model}:predict"


@pytest.mark.parametrize("path", ["/own", "/own/{name}"])
@pytest.mark.parametrize("order", [("GET", "HEAD"), ("HEAD", "GET")])
def test_a_head_of_its_own_is_kept(path: str, order: tuple[str, str]) -> None:
    """Whichever of the two routes comes first."""
    router = Router([*ROUTES, *(Route(verb, path, handler, tell) for verb in order)])
    for verb in ("GET", "HEAD"):
        assert router.find(verb, path.replace("{name}", "a"))[0].method == verb


def test_ranks() -> None:
    """A lower rank has the path, a higher one only what no other answers, also not by pattern."""
    first = Route("GET", "/", handler, other, rank=-1)
    taken = Route("POST", "/v1/models/iris:predict", handler, tell, rank=1)
    free = Route("POST", "/mine", handler, tell, rank=1)
    router = Router([*ROUTES, first, taken, free])
    assert router.find("GET", "/")[0] is first
    assert router.find("POST", "/v1/models/iris:predict")[0].write_error is other
    assert router.find("POST", "/mine")[0] is free


def test_an_unknown_path_is_told_in_the_form_of_its_neighbours() -> None:
    """What begins like a contract's paths is refused as that contract does; anything else in our own form."""
    router = Router(ROUTES)
    assert router.error_writer("/v1/nothing") is other
    assert router.error_writer("/nothing") is tell
    assert router.error_writer("nothing") is tell


def test_memory_of_paths_is_bounded() -> None:
    """A client that invents names does not fill the server."""
    router = Router(ROUTES)
    for number in range(2000):
        router.find("GET", f"/v1/models/m{number}")
    assert len(router._remembered) <= 256
    assert router.find("GET", "/v1/models/m1999")[1] == {"model": "m1999"}
