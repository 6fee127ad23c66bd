"""Pages of an index in each shape that indexes give them."""

import json

import pytest

from mlpack.packages.index.pages import parse_page

ADDRESS = "https://host/simple/six/"


def test_json_pages_are_read() -> None:
    """PEP 691 with PEP 700's times: name, absolute address, hash, time, Python, yank."""
    file = {
        "filename": "six-1-py3-none-any.whl",
        "url": "../../files/six-1-py3-none-any.whl",
        "hashes": {"sha256": "ab"},
        "upload-time": "2024-01-01T00:00:00.5Z",
        "requires-python": ">=3.7",
        "yanked": "broken",
    }
    (read,) = parse_page(json.dumps({"files": [file]}), "application/vnd.pypi.simple.v1+json", ADDRESS)
    assert (read.filename, read.url, read.sha256) == (
        "six-1-py3-none-any.whl",
        "https://host/files/six-1-py3-none-any.whl",
        "ab",
    )
    assert (read.upload_time, read.requires_python, read.yanked) == ("2024-01-01T00:00:00.5Z", ">=3.7", True)


def test_html_pages_are_read() -> None:
    """PEP 503, with a base address, escaped attributes and the times that some mirrors add."""
    text = (
        '<html><head><base href="https://cdn/x/"></head><body><a href="six-1%2Bcpu-py3-none-any.whl#sha256=ab" '
        'data-requires-python="&gt;=3.7" data-upload-time="2024-01-01T00:00:00Z">six</a><a name="top"></a></body></html>'
    )
    (read,) = parse_page(text, "text/html; charset=utf-8", ADDRESS)
    assert (read.filename, read.url, read.sha256) == (
        "six-1+cpu-py3-none-any.whl",
        "https://cdn/x/six-1%2Bcpu-py3-none-any.whl",
        "ab",
    )
    assert (read.upload_time, read.requires_python, read.yanked) == ("2024-01-01T00:00:00Z", ">=3.7", False)


@pytest.mark.parametrize("text", ["not json", "[]", '{"files": 3}'])
def test_broken_json_pages_are_refused(text: str) -> None:
    """What claims to be a page and is none is an error, never an empty index."""
    with pytest.raises(ValueError, match=r"list of files|Expecting"):
        parse_page(text, "application/vnd.pypi.simple.v1+json", ADDRESS)
