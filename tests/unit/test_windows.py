"""mlpack as a client on Windows: the commands start, and neither Windows paths nor its line ends reach rendered files."""

from __future__ import annotations

import ast
import ntpath
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path, PureWindowsPath
from types import SimpleNamespace
from typing import IO, Any

import pytest

from mlpack.engines.process.account import serving_account
from mlpack.errors import EngineUnavailableError
from mlpack.usercode import included
from mlpack.workspace import write_atomically
from tests.unit.locks import make_lock, render_lock

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "mlpack"
HOST = [path for path in sorted(PACKAGE.rglob("*.py")) if "runtime" not in path.parts]
UNIX_ONLY = ("fcntl", "grp", "pty", "pwd", "resource", "termios", "tty")
# Starts a command as on Windows: without the modules of Python that only Unix has.
START = f"""
import sys
for name in {UNIX_ONLY}:
    sys.modules[name] = None
from mlpack.__main__ import main
import mlpack.engines.docker, mlpack.engines.process.runner, mlpack.packages.venvs, mlpack.targets.compose
sys.argv = ["mlpack", *sys.argv[1:]]
sys.exit(main())
"""


class OnWindows(PureWindowsPath):
    r"""A path of Windows whose file lies on this machine: what `C:\project` contains is in the folder `real`."""

    real = Path()

    @property
    def _here(self) -> Path:
        return self.real.joinpath(*self.absolute().parts[2:])

    def absolute(self) -> OnWindows:
        """The path below the project."""
        return type(self)(r"C:\project", self)

    def resolve(self, *, strict: bool = False) -> OnWindows:
        """The same as `absolute`: there are no links."""
        del strict
        return self.absolute()

    def iterdir(self) -> Iterator[OnWindows]:
        """What the folder contains."""
        return (self / path.name for path in self._here.iterdir())

    def is_file(self) -> bool:
        """Whether it is a file."""
        return self._here.is_file()

    def is_dir(self) -> bool:
        """Whether it is a folder."""
        return self._here.is_dir()

    def is_symlink(self) -> bool:
        """Whether it is a link."""
        return self._here.is_symlink()

    def stat(self) -> Any:
        """Its size and mode."""
        return self._here.stat()

    def open(self, mode: str = "r") -> IO[Any]:
        """Open the file."""
        return self._here.open(mode)


def test_included_files_have_posix_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The names in the image, and the paths that the card shows, have `/` where the user's own have a backslash."""
    (tmp_path / "src" / "features").mkdir(parents=True)
    (tmp_path / "src" / "features" / "clean.py").write_text("class Cleaner: ...\n")
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "scale.py").write_text("def scale(): ...\n")
    monkeypatch.setattr(OnWindows, "real", tmp_path)
    monkeypatch.setattr(included, "Path", OnWindows)
    monkeypatch.setattr(included, "os", SimpleNamespace(path=ntpath))
    found = included.gather((OnWindows("src"), OnWindows(r"lib\scale.py")))  # type: ignore[arg-type]  # in place of Path
    assert {file.target: file.shown for file in found.files} == {
        "scale.py": "lib/scale.py",
        "src/features/clean.py": "src/features/clean.py",
    }


def test_names_come_from_as_posix() -> None:
    """Where the name of a file is made relative to a folder, it is made a POSIX path at once."""
    makes_names = ("discovery", "formats", "packages", "pipeline", "readers", "usercode")
    for path in HOST:
        if path.relative_to(PACKAGE).parts[0] not in makes_names or path.name == "index.py":  # this one has POSIX paths
            continue
        text = path.read_text(encoding="utf-8")
        if "relative_to(" not in text:
            continue
        tree = ast.parse(text)
        posix = {
            id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Attribute) and node.attr == "as_posix"
        }
        relative = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and _calls(node, "relative_to")]
        assert [f"{path}:{node.lineno}" for node in relative if id(node) not in posix] == []


def test_text_is_written_with_lf() -> None:
    """Every text file that a command writes has LF line ends on every system."""
    for path in HOST:
        text = path.read_text(encoding="utf-8")
        if "write_text(" not in text and "open(" not in text:
            continue
        for call in (node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Call)):
            modes = {one.value for one in call.args if isinstance(one, ast.Constant)}
            opens = _calls(call, "open") or _calls(call, "fdopen")
            if _calls(call, "write_text") or (opens and modes & {"w", "a", "x"}):
                assert "newline='\\n'" in ast.unparse(call), f"{path}:{call.lineno}"


def _calls(call: ast.Call, name: str) -> bool:
    return isinstance(call.func, ast.Attribute) and call.func.attr == name


def test_rendered_files_have_lf(tmp_path: Path) -> None:
    """Templates that were saved on Windows give the same files as those with LF."""
    mine = tmp_path / "templates"
    mine.mkdir()
    for template in (ROOT / "templates").glob("*.j2"):
        (mine / template.name).write_bytes(template.read_bytes().replace(b"\n", b"\r\n"))
    (tmp_path / "model.pkl").write_bytes(b"\x80\x04N.")
    loader = PACKAGE / "formats" / "lightgbm" / "loader.py"
    lock = make_lock(tmp_path / "model.pkl")
    files = render_lock(lock, loader=loader, templates=mine).files
    assert [file.name for file in files if file.content and b"\r" in file.content] == []
    assert files == render_lock(lock, loader=loader).files


def test_written_files_have_lf(tmp_path: Path) -> None:
    """Receipts, mlpack.yaml and CI workflows are written with LF."""
    write_atomically(tmp_path / "mlpack.yaml", "name: iris\nmodel: model.pkl\n")
    assert (tmp_path / "mlpack.yaml").read_bytes() == b"name: iris\nmodel: model.pkl\n"


def test_commands_start_without_the_modules_of_unix(tmp_path: Path) -> None:
    """`inspect` works, and what only --engine process needs is not imported by anything else."""
    source = shutil.copy(ROOT / "tests" / "unit" / "test_windows.py", tmp_path / "no-model.txt")
    done = subprocess.run(
        [sys.executable, "-c", START, "inspect", str(source)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 3, done.stderr
    assert "error: " in done.stderr


def test_the_process_engine_says_that_it_needs_linux(monkeypatch: pytest.MonkeyPatch) -> None:
    """`--engine process` on Windows is a clear error with a remedy, before anything is installed."""
    monkeypatch.setattr(sys, "platform", "win32")
    with pytest.raises(EngineUnavailableError, match="only on Linux, not on win32") as error:
        serving_account("65532:65532")
    assert "Docker" in error.value.hint
