"""get_uv.py, which runs inside the build: the hash decides, and what it cannot do it leaves to pip."""

import hashlib
import io
import os
import subprocess
import sys
import threading
import zipfile
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from mlpack.templating import templates_dir

PROGRAM = b"#!/bin/sh\necho uv 0.0\n"


class Quiet(SimpleHTTPRequestHandler):
    """A static index that says nothing."""

    def log_message(self, *_words: object) -> None:
        """Nothing."""


@pytest.fixture
def index(tmp_path: Path) -> Iterator[tuple[Path, str]]:
    """A folder served as a package index, and its address."""
    folder = tmp_path / "simple"
    (folder / "uv").mkdir(parents=True)
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(tmp_path))) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield folder, f"http://127.0.0.1:{server.server_port}/simple"
        finally:
            server.shutdown()
            thread.join()


def wheel() -> tuple[bytes, str]:
    """A wheel of uv as the index has it, and its hash."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as files:
        files.writestr("uv/__init__.py", "")
        files.writestr("uv-0.0.data/scripts/uv", PROGRAM)
        files.writestr("uv-0.0.data/scripts/uvx", b"another")
    content = buffer.getvalue()
    return content, hashlib.sha256(content).hexdigest()


def publish(folder: Path, content: bytes, fragment: str) -> None:
    """The wheel on its project's page, among others."""
    (folder / "uv" / "uv-0.0&1.whl").write_bytes(content)
    other = "0" * 64
    (folder / "uv" / "index.html").write_text(
        f'<a href="x.whl#sha256={other}">x</a><a href="uv-0.0&amp;1.whl{fragment}">uv</a>'
    )


def get(tmp_path: Path, index_url: str, digest: str, **environment: str) -> int:
    """How the program ends, run as the build runs it."""
    (tmp_path / "installer.lock").write_text(f"uv==0.0 \\\n    --hash=sha256:{digest}\n")
    script = templates_dir() / "get_uv.py.j2"
    words: list[str | Path] = [
        sys.executable,
        script,
        tmp_path / "installer.lock",
        tmp_path / "bin",
        tmp_path / "cache",
    ]
    env = {**os.environ, "PIP_INDEX_URL": index_url, "no_proxy": "*", **environment}
    return subprocess.run(words, env=env, capture_output=True, check=False, timeout=60).returncode


def test_the_locked_wheel_gives_its_program(tmp_path: Path, index: tuple[Path, str]) -> None:
    """The program is unpacked and can be run; a second time it comes from the cache, without the index."""
    content, digest = wheel()
    publish(index[0], content, f"#sha256={digest}")
    assert get(tmp_path, index[1], digest) == 0
    done = subprocess.run([tmp_path / "bin" / "uv"], capture_output=True, text=True, check=True)
    assert done.stdout == "uv 0.0\n"
    (tmp_path / "bin" / "uv").unlink()
    (index[0] / "uv" / "index.html").unlink()
    assert get(tmp_path, index[1], digest) == 0
    assert (tmp_path / "bin" / "uv").read_bytes() == PROGRAM


def test_other_content_is_refused(tmp_path: Path, index: tuple[Path, str]) -> None:
    """A wheel that is not what the lock says is never unpacked, whatever the index claims."""
    content, digest = wheel()
    publish(index[0], content + b"more", f"#sha256={digest}")
    assert get(tmp_path, index[1], digest) != 0
    assert not (tmp_path / "bin" / "uv").exists()


def test_an_index_without_hashes_is_left_to_pip(tmp_path: Path, index: tuple[Path, str]) -> None:
    """Where the page tells no hash, the program ends with an error and pip is asked."""
    content, digest = wheel()
    publish(index[0], content, "")
    assert get(tmp_path, index[1], digest) != 0


def test_the_extra_index_is_asked_too(tmp_path: Path, index: tuple[Path, str]) -> None:
    """What the first index does not have may be in the next."""
    content, digest = wheel()
    publish(index[0], content, f"#sha256={digest}")
    (tmp_path / "empty" / "uv").mkdir(parents=True)
    empty = index[1].replace("/simple", "/empty")
    assert get(tmp_path, empty, digest, PIP_EXTRA_INDEX_URL=index[1]) == 0
