"""Static files and content negotiation: types, ETags, and a page beside the card at /."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlpack.pipeline.render import runtime_files
from mlpack.runtime.http.assets import Assets
from mlpack.runtime.http.messages import Request, Response, Route
from mlpack.runtime.http.negotiation import preferred
from mlpack.runtime.models.registry import ModelRegistry
from mlpack.runtime.protocols import all_routes
from mlpack.runtime.protocols.own import OWN_ERRORS
from mlpack.runtime.telemetry.metrics import Metrics
from tests.unit.runtime.services import SETTINGS, loaded, serving

BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8"


def test_files_have_types_and_etags(tmp_path: Path) -> None:
    """A client that has the file gets 304 and no body; HEAD has the length; what is no file is 404."""
    (tmp_path / "icons").mkdir()
    (tmp_path / "icons" / "logo.svg").write_bytes(b"<svg/>")
    (tmp_path / "page.js").write_bytes(b"let x = 1")
    with serving(Assets(tmp_path).routes("/assets/", OWN_ERRORS)) as client:
        answer = client.get("/assets/page.js")
        assert (answer.status, answer.body) == (200, b"let x = 1")
        assert answer.headers["content-type"] == "text/javascript; charset=utf-8"
        assert answer.headers["cache-control"] == "no-cache"
        etag = answer.headers["etag"]
        for known in (etag, f'"other", {etag}', f"W/{etag}", "*"):
            again = client.get("/assets/page.js", If_None_Match=known)
            assert (again.status, again.body, again.headers["etag"]) == (304, b"", etag), known
        assert client.get("/assets/page.js", If_None_Match='"other"').status == 200
        head = client.send("HEAD", "/assets/page.js", None, {})
        assert (head.body, head.headers["content-length"]) == (b"", "9")
        assert client.get("/assets/icons/logo.svg").headers["content-type"] == "image/svg+xml"
        for path in ("/assets/none.js", "/assets/icons", "/assets/../assets/page.js"):
            assert client.get(path).status == 404, path


def test_a_file_of_no_known_type_is_refused_at_the_start(tmp_path: Path) -> None:
    """A file that a browser would have to guess at is not served."""
    (tmp_path / "notes.docx").write_bytes(b"")
    with pytest.raises(ValueError, match=r"notes\.docx"):
        Assets(tmp_path)


def test_a_bundle_has_the_assets_of_the_runtime(tmp_path: Path) -> None:
    """Modules and the files in folders named `assets`, and nothing else."""
    (tmp_path / "page" / "assets" / "icons").mkdir(parents=True)
    for name in ("app.py", "requirements.txt", "page/__init__.py", "page/assets/page.js", "page/assets/icons/logo.svg"):
        (tmp_path / name).write_bytes(b"x")
    assert [file.name.removeprefix("mlpack/") for file in runtime_files(tmp_path)] == [
        "__init__.py", "runtime/app.py", "runtime/page/__init__.py",
        "runtime/page/assets/icons/logo.svg", "runtime/page/assets/page.js",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("header", "media"),
    [
        ("", "application/json"),
        ("*/*", "application/json"),
        (BROWSER, "text/html"),
        ("text/*", "text/html"),
        ("text/html;q=0.1, application/json", "application/json"),
        ("text/html;q=0, */*", "application/json"),
        ("application/json;q=0, */*", "text/html"),
        ("application/*;q=0.5, text/html;q=0.6", "text/html"),
        ("image/png", "application/json"),
        ("TEXT/HTML", "text/html"),
        ("text/html;q=nonsense", "application/json"),
    ],
)
def test_what_accept_prefers(header: str, media: str) -> None:
    """By weight, then by order; JSON where nothing is preferred or nothing fits."""
    assert preferred(header, ["application/json", "text/html"]) == media


def test_a_page_shares_its_path_with_the_card() -> None:
    """A route with a media type of its own answers those who prefer that type; without it everybody gets the card."""

    async def page(_request: Request) -> Response:
        return Response(200, b"<html>", b"text/html; charset=utf-8")

    routes = all_routes(ModelRegistry(Metrics(), loaded()), SETTINGS)
    with serving(routes) as client:
        for accept in ("*/*", BROWSER):
            answer = client.get("/", Accept=accept)
            assert (answer.json()["name"], answer.headers["content-type"]) == ("sums", "application/json")
    with serving([*routes, Route("GET", "/", page, OWN_ERRORS, media="text/html")]) as client:
        assert client.get("/", Accept="*/*").json()["name"] == "sums"
        assert client.get("/").json()["name"] == "sums"
        answer = client.get("/", Accept=BROWSER)
        assert (answer.body, answer.headers["vary"]) == (b"<html>", "Accept")
        assert client.send("HEAD", "/", None, {"Accept": BROWSER}).headers["content-type"].startswith("text/html")
