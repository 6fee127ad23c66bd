"""Source packages: refused with the key that allows them, read as data, and built from pinned files where they are allowed."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import tarfile
import zipfile
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from mlpack.artifacts.lock import Lock
from mlpack.config import Config
from mlpack.engines.process.account import serving_account
from mlpack.errors import ConfigError, ResolveError
from mlpack.packages.handover import handover
from mlpack.packages.interpreters import platform_here, running_interpreter
from mlpack.packages.sdists.archive import read_source
from mlpack.packages.sdists.needed import SourceOnlyError
from mlpack.packages.settings import PackageSettings
from mlpack.packages.venvs import make_venv
from mlpack.pipeline.resolve import resolve_options
from mlpack.pipeline.source_packages import answers_for, report_sources
from mlpack.pipeline.tools import Options
from tests.unit.locks import make_lock, render_lock
from tests.unit.packages.models import sklearn_model
from tests.unit.packages.resolving import Resolve, lock_of, versions
from tests.unit.packages.standin_index import RELEASES, Release, binary, serve

__all__ = ["lock_of"]  # a fixture is found by its name in the module

DATE = "2023-01-01T10:00:00Z"
INDEX = (
    *RELEASES,
    Release("old-style", "1.0", DATE, ("colours>=1",), ("sdist",)),
    Release("old-style", "2.0", "2026-01-01T10:00:00Z", ("no-such-name",), ("sdist",)),
    Release("colours", "1.5", DATE, (), ("sdist",)),
    Release("asks", "1.0", DATE, ("fixed==4.9.3",)),
    Release("fixed", "4.9.3", DATE, (), ("sdist",)),
    Release("fixed", "4.13", DATE),
    Release("other-python", "1.0", DATE, (), (*binary(8), "sdist")),
)


@pytest.mark.parametrize(
    ("requirements", "names"),
    [(("old-style",), ("colours", "old-style")), (("asks", "colours"), ("colours", "fixed"))],
)
def test_all_source_packages_are_named_with_the_key_that_allows_them(
    lock_of: Resolve, requirements: tuple[str, ...], names: tuple[str, ...]
) -> None:
    """One error names them all, also those that they require; it has the exact line, and the command line."""
    with serve(INDEX) as index, pytest.raises(SourceOnlyError) as caught, answers_for("mlpack build model.pkl"):
        lock_of(sklearn_model("1.2.2"), PackageSettings(index_url=index.url), requirements=requirements)
    error = caught.value
    assert (error.names, error.exit, error.code) == (names, 4, "resolve")
    assert f"`build: {{sdists: [{', '.join(names)}]}}`" in error.hint
    assert "PIP_FIND_LINKS" in error.hint
    assert error.command == f"mlpack build model.pkl --sdist {names[0]} --sdist {names[1]}"


def test_a_wheel_of_another_python_is_no_source_package(lock_of: Resolve) -> None:
    """Where wheels exist, building an old version from source is not the remedy."""
    with serve(INDEX) as index, pytest.raises(ResolveError, match="no set of packages fits") as caught:
        lock_of(sklearn_model("1.2.2"), PackageSettings(index_url=index.url), requirements=("other-python",))
    assert not isinstance(caught.value, SourceOnlyError)


@pytest.fixture
def built(lock_of: Resolve) -> Lock:
    """A lock for this machine, with two source packages."""
    python = running_interpreter().python
    version = {"3.10": "1.2.2", "3.11": "1.2.2", "3.12": "1.9.1", "3.13": "1.9.1"}.get(python)
    if sys.platform != "linux" or version is None:
        pytest.skip("the small index has nothing for this machine")
    with serve(INDEX) as index:
        return lock_of(
            sklearn_model(version), PackageSettings(index_url=index.url), platform=platform_here(), pythons=(python,),
            requirements=("old-style<2",), sdists=("Old_Style", "colours", "numpy"),
        )  # fmt: skip


def test_their_files_are_pinned_beside_the_wheels(built: Lock) -> None:
    """Allowed source packages and what they require are locked by the hash of their files; others stay wheels."""
    assert [(one.name, one.version) for one in built.sdists] == [("colours", "1.5"), ("old-style", "1.0")]
    assert not {"colours", "old-style"} & versions(built).keys()
    assert "numpy" in versions(built)
    lines = built.sdists_text.splitlines()
    assert [line.split("  ")[1] for line in lines] == ["colours-1.5.tar.gz", "old_style-1.0.tar.gz"]
    assert all(len(line.split("  ")[0]) == 64 for line in lines)


def test_the_stage_that_builds_them_gets_nothing_else(built: Lock, tmp_path: Path) -> None:
    """Its own folder of the context, as a user without permissions; the compiler only where there is C."""
    (tmp_path / "model.pkl").write_bytes(b"\x80\x04N.")
    bundle = render_lock(make_lock(tmp_path / "model.pkl", sdists=built.sdists))
    files = {file.name: (file.content or b"").decode() for file in bundle.files}
    assert files["sdists.lock"] == built.sdists_text
    assert "!sdists.lock\n" in files[".dockerignore"]
    for name in ("Dockerfile", "Dockerfile.classic"):
        stage = files[name].split("AS sdists")[1].split("FROM ")[0]
        assert "USER 65532:65532\n" in stage
        assert "--no-index" in stage
        assert "sha256sum --check --strict" in stage
        assert "./old_style-1.0.tar.gz" in stage
        assert "gcc" not in stage
        assert "/run/mlpack" not in stage
        assert "COPY --from=sdists /wheels/ /build/wheels/\n" in files[name]
        assert "FROM python:3.11-slim@" in files[name].split("COPY --from=deps")[0]
    assert "source=build/sdists,target=/sdists/files" in files["Dockerfile"]
    assert "COPY build/sdists/ /sdists/files/\n" in files["Dockerfile.classic"]
    private = {
        file.name for file in handover(PackageSettings(), make_lock(tmp_path / "model.pkl", sdists=built.sdists))
    }
    assert {"build/sdists/old_style-1.0.tar.gz", "build/sdists/colours-1.5.tar.gz"} <= private
    assert bundle.card["lock"] != render_lock(make_lock(tmp_path / "model.pkl")).card["lock"]


def test_a_compiler_is_installed_only_for_c(built: Lock, tmp_path: Path) -> None:
    """It stays in the stage that builds: no later stage has one."""
    (tmp_path / "model.pkl").write_bytes(b"\x80\x04N.")
    sdists = tuple(replace(one, compiles=one.name == "colours") for one in built.sdists)
    bundle = render_lock(make_lock(tmp_path / "model.pkl", sdists=sdists))
    text = next((file.content or b"").decode() for file in bundle.files if file.name == "Dockerfile")
    first, *others = text.split("FROM ")[1:]
    assert "apt-get install -y --no-install-recommends gcc g++" in first
    assert first.index("gcc") < first.index("USER 65532:65532")
    assert not [stage for stage in others if "gcc" in stage]


def test_names_are_checked_and_needless_ones_are_told(built: Lock) -> None:
    """A version does not belong here; a name that has a wheel is a warning, and so is the code that runs."""
    config = Config.model_validate({"build": {"sdists": ["docopt==0.6"]}})
    with pytest.raises(ConfigError, match="has a version"):
        resolve_options(config, Options(), platform="linux/amd64", pythons=(), known=())
    warnings: list[str] = []
    reporter = SimpleNamespace(warn=warnings.append)
    report_sources(built, ("Old_Style", "colours", "numpy"), reporter)
    assert "runs the setup code of colours 1.5, old-style 1.0" in warnings[0]
    assert "is not needed for numpy" in warnings[1]


def test_without_an_image_they_are_built_here_as_the_account(
    built: Lock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The process engine's environment has them; their code saw no variable of ours, and ran as the account that serves."""
    monkeypatch.setenv("PIP_INDEX_URL", "https://user:secret@127.0.0.1/simple")
    monkeypatch.setenv("SECRET", "1")
    here, account = running_interpreter(), serving_account("65532:65532")
    for place in ("/usr/bin", "/usr/local/bin"):  # a Python in a home folder of root's is closed to other accounts
        path = Path(place) / f"python{here.python}"
        if path.exists() and not account.reaches(here.path):
            here = replace(here, path=path)
    as_other = account.dropped and account.reaches(here.path)
    settings = PackageSettings(no_index=True, find_links=tuple({str(one.path.parent) for one in built.local_wheels}))
    python = make_venv(
        built,
        here,
        settings=settings,
        folder=tmp_path / "venvs",
        account=(account.uid, account.gid) if as_other else None,
    )
    shown = subprocess.run(
        [python, "-c", "import old_style, colours; print(old_style.BUILD)"], capture_output=True, text=True, check=True
    )
    seen = json.loads(shown.stdout)
    assert seen["uid"] == (account.uid if as_other else os.geteuid())
    assert not {name for name in seen["variables"] if name in ("SECRET", "PIP_INDEX_URL") or "INDEX" in name}


def sdist(folder: Path, **files: str) -> Path:
    """A source package with these files; `__` stands for a dot."""
    path = folder / "thing-1.0.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        for name, text in files.items():
            info = tarfile.TarInfo(f"thing-1.0/{name.replace('__', '.').replace('EGG', 'thing.egg-info/requires')}")
            info.size = len(text)
            archive.addfile(info, io.BytesIO(text.encode()))
    return path


def test_requirements_are_read_from_the_first_place_that_has_them(tmp_path: Path) -> None:
    """PKG-INFO, setuptools' requires.txt with its sections, pyproject.toml; addresses and what is no requirement are left out."""
    pyproject = '[project]\ndependencies = ["numpy>=1", "evil @ https://evil.example/x.whl"]\n'
    assert read_source(sdist(tmp_path, pyproject__toml=pyproject)).requires == ("numpy>=1",)
    egg = 'python-dateutil>=2.6.0\n\n[:python_version < "3"]\nsix\n\n[all]\npandas\n'
    facts = read_source(sdist(tmp_path, EGG__txt=egg, pyproject__toml=pyproject, code__c=""))
    assert facts.requires == (
        "python-dateutil>=2.6.0", 'six; python_version < "3"', 'pandas; extra == "all"',
    )  # fmt: skip
    assert facts.compiles
    assert facts.tools == ("setuptools>=40.8.0", "wheel")
    info = "Metadata-Version: 2.1\nName: thing\nRequires-Dist: scipy\nRequires-Dist: a b c\n\nRequires-Dist: body\n"
    facts = read_source(sdist(tmp_path, **{"PKG-INFO": info}, EGG__txt=egg, setup__py="raise SystemExit('it ran')"))
    assert (facts.requires, facts.compiles) == (("scipy",), False)
    flit = '[build-system]\nrequires = ["flit_core>=3"]\nbuild-backend = "flit_core.buildapi"\n'
    assert read_source(sdist(tmp_path, pyproject__toml=flit)).tools == ("flit_core>=3",)


@pytest.mark.parametrize("content", [b"", b"\x1f\x8b\x08 broken", b"PK\x03\x04 broken"])
def test_a_damaged_source_package_is_refused(tmp_path: Path, content: bytes) -> None:
    """Exit 4, with the way around it."""
    for name in ("thing-1.0.tar.gz", "thing-1.0.zip"):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(ResolveError, match="cannot be read as a source package") as caught:
            read_source(tmp_path / name)
        assert "PIP_FIND_LINKS" in caught.value.hint


def test_an_encrypted_zip_is_refused(tmp_path: Path) -> None:
    """The flag of an encrypted file is set in both of its headers."""
    with zipfile.ZipFile(tmp_path / "thing-1.0.zip", "w") as archive:
        archive.writestr("thing-1.0/PKG-INFO", "Name: thing\n")
    content = bytearray((tmp_path / "thing-1.0.zip").read_bytes())
    content[6] |= 1
    content[content.index(b"PK\x01\x02") + 8] |= 1
    (tmp_path / "thing-1.0.zip").write_bytes(content)
    with pytest.raises(ResolveError, match="cannot be read as a source package"):
        read_source(tmp_path / "thing-1.0.zip")


def test_a_zip_is_read_too(tmp_path: Path) -> None:
    """Old packages are zip files."""
    with zipfile.ZipFile(tmp_path / "thing-1.0.zip", "w") as archive:
        archive.writestr("thing-1.0/PKG-INFO", "Name: thing\nRequires-Dist: scipy\n")
    assert read_source(tmp_path / "thing-1.0.zip").requires == ("scipy",)
