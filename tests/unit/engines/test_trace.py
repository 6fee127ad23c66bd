"""BuildKit's news, decoded and told."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from mlpack.artifacts.progress import Progress
from mlpack.engines.docker.steps import Steps, plain, short
from mlpack.engines.docker.trace import Log, Status, Vertex, read_trace

# As BuildKit's control.proto numbers them: a message is (number, value) pairs; a value an int, bytes, or a message.
Message = list[tuple[int, Any]]


def encode(message: Message) -> bytes:
    """Protobuf, written out: the other half of what is tested."""
    out = b""
    for number, value in message:
        if isinstance(value, int):
            out += varint(number << 3) + varint(value & (1 << 64) - 1)
        else:
            data = encode(value) if isinstance(value, list) else value
            out += varint(number << 3 | 2) + varint(len(data)) + data
    return out


def varint(value: int) -> bytes:
    """A number in groups of 7 bits."""
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def item(*parts: tuple[int, Message]) -> dict[str, Any]:
    """An object of the answer that holds a StatusResponse."""
    return {"id": "moby.buildkit.trace", "aux": base64.b64encode(encode(list(parts))).decode()}


def vertex(
    digest: str, name: str, *, started: int = 0, completed: int = 0, cached: bool = False, error: str = ""
) -> tuple[int, Message]:
    """A Vertex of a StatusResponse."""
    fields: Message = [(1, digest.encode()), (2, b"input"), (3, name.encode())]
    fields += [(4, 1)] if cached else []
    fields += [(5, [(1, started), (2, 500_000_000)])] if started else []
    fields += [(6, [(1, completed), (2, 750_000_000)])] if completed else []
    fields += [(7, error.encode())] if error else []
    return 1, fields


def log(digest: str, text: str, stream: int = 1) -> tuple[int, Message]:
    """A VertexLog of a StatusResponse."""
    return 3, [(1, digest.encode()), (2, [(1, 5)]), (3, stream), (4, text.encode())]


def heard(*items: dict[str, Any]) -> tuple[Steps, list[Progress]]:
    """What is told of the objects."""
    told: list[Progress] = []
    steps = Steps(told.append)
    for one in items:
        steps.take(one)
    return steps, told


def test_messages_are_read() -> None:
    """Vertices, statuses, logs and warnings come out with times, negatives and unknown fields passed over."""
    trace = read_trace(
        encode(
            [
                vertex("sha256:a", "RUN x", started=10, completed=12),
                (2, [(1, b"layer"), (2, b"sha256:a"), (4, 7), (5, -1), (99, b"new")]),
                log("sha256:a", "hé\n", 2),
                (4, [(1, b"sha256:a"), (3, b"be careful")]),
                (77, 5),
            ]
        )
        + bytes([9 << 3 | 1, *range(8), 9 << 3 | 5, *range(4)])
    )
    assert trace.vertices == (
        Vertex(digest="sha256:a", name="RUN x", cached=False, started=10.5, completed=12.75, error=""),
    )
    assert trace.statuses == (Status(id="layer", vertex="sha256:a", current=7, total=-1),)
    assert trace.logs == (Log(vertex="sha256:a", stream=2, text="hé\n"),)
    assert trace.warnings == ("be careful",)


@pytest.mark.parametrize("data", [b"\x0a\x05ab", b"\x80", b"\x0b", b"\xff" * 11])
def test_broken_messages(data: bytes) -> None:
    """What is no protobuf is a ValueError, never something else."""
    with pytest.raises(ValueError, match=r"field|cut off|wire type|longer"):
        read_trace(data)


def test_warnings_of_the_bundles_programs_are_kept() -> None:
    """A line with their mark is for the user; the same of pip is not."""
    steps, _ = heard({"stream": "Step 1/1 : RUN x"}, {"stream": "WARNING: pip is old\nmlpack: warning: no libx\n"})
    steps.finish()
    assert steps.notes == ["no libx"]


def test_a_step_is_told_from_start_to_end() -> None:
    """A step begins, counts the bytes of its parts, joins its lines, ends once."""
    _, told = heard(
        item(vertex("a", "[deps 1/2] FROM docker.io/library/python:3.11-slim")),
        item(vertex("a", "[deps 1/2] FROM docker.io/library/python:3.11-slim", started=1)),
        item((2, [(1, b"l1"), (2, b"a"), (4, 5), (5, 10)]), (2, [(1, b"l2"), (2, b"a"), (4, 1), (5, 30)])),
        item(log("a", "one\nhalf"), log("a", " a line\nno end")),
        item(vertex("a", "[deps 1/2] FROM docker.io/library/python:3.11-slim", started=1, completed=4)),
        item(vertex("a", "[deps 1/2] FROM docker.io/library/python:3.11-slim", started=5, completed=9)),
    )
    assert {(news.step, news.title) for news in told} == {("a", "[deps 1/2] FROM python:3.11-slim")}
    assert [(news.current, news.total) for news in told if news.total] == [(5, 10), (6, 40)]
    assert [news.log for news in told if news.log] == ["one", "half a line", "no end"]
    assert [news.seconds for news in told if news.seconds is not None] == [3.25]


def test_the_first_cause_is_the_failed_step() -> None:
    """Steps that are cancelled because another failed are not what failed."""
    steps, told = heard(
        item(vertex("a", "RUN a", started=1), vertex("b", "RUN b", started=1)),
        item(vertex("a", "RUN a", started=1, completed=2, error="context canceled: context canceled")),
        item(vertex("b", "RUN b", started=1, completed=2, error="exit code: 1")),
        {"errorDetail": {"message": "it failed"}, "error": "it failed"},
    )
    assert steps.error == "it failed"
    assert steps.failed is not None
    assert (steps.failed.title, list(steps.failed.lines)) == ("RUN b", [])
    steps.take(item(log("b", "why\n", 2)))
    assert list(steps.failed.lines) == ["why"]
    assert told[-2].error == "exit code: 1"


def test_classic_news() -> None:
    """The classic builder's text becomes the same steps: names, lines without colours, cached ones, the end."""
    steps, told = heard(
        {"stream": "Step 1/2 : FROM python:3.11-slim"},
        {"stream": "\n"},
        {"stream": " ---> e51549d76961\n"},
        {"stream": "Step 2/2 : RUN echo x"},
        {"stream": " ---> Running in f0ba00689bb1\n"},
        {"stream": "\u001b[91mbad\n\u001b[0m"},
        {"aux": {"ID": "sha256:c69d"}},
        {"stream": "Successfully built c69d552c6d6a\n"},
    )
    steps.finish()
    assert steps.image_id == "sha256:c69d"
    assert [news.log for news in told if news.log] == ["bad"]
    assert [news.title for news in told if news.seconds is not None] == [
        "[1/2] FROM python:3.11-slim",
        "[2/2] RUN echo x",
    ]
    _, cached = heard({"stream": "Step 1/1 : RUN x"}, {"stream": " ---> Using cache\n"})
    assert cached[-1].cached


def test_names_are_made_plain() -> None:
    """Mounts, the default registry, long digests and unnamed stages are left out; a row has its length."""
    name = "[stage-1 2/9] RUN --mount=type=cache,target=/x   uv pip   install"
    assert plain(name) == "[2/9] RUN uv pip install"
    assert plain("FROM docker.io/library/python:3.11-slim@sha256:" + "ab" * 32) == "FROM python:3.11-slim@abababababab"
    assert plain("copy /context /") == "unpack the bundle"
    assert len(short("x" * 200)) == 80
    assert short("RUN x") == "RUN x"
