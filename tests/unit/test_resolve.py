"""Resolving against a small real index, with the real uv: the right Python, time, wheels; and each failure by its name."""

from __future__ import annotations

import shutil
import ssl
import subprocess
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mlpack.artifacts.lock import Lock
from mlpack.artifacts.model import ModelInfo, Requirement
from mlpack.errors import (
    ConfigError,
    IndexUnreachableError,
    MissingVersionError,
    MlpackError,
    PythonTooOldError,
    ResolveError,
    UsageError,
)
from mlpack.packages.settings import PackageSettings
from mlpack.pipeline.resolve import ResolveOptions, resolve
from tests.unit.packages.models import sklearn_model
from tests.unit.packages.standin_index import RELEASES, RUNTIME, Release, serve, wheels, write_folder, write_simple

Resolve = Callable[..., Lock]
NUMPY = Requirement(module="numpy", distribution="numpy")


@pytest.fixture
def lock_of(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Resolve:
    """Resolves a model with a cache of the test's own; options are ResolveOptions' fields."""
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path_factory.getbasetemp() / "uv-cache"))
    monkeypatch.setenv("UV_HTTP_RETRIES", "0")

    def lock_of(
        info: ModelInfo, settings: PackageSettings, *, refresh: bool = False, digest: str | None = None, **options: Any
    ) -> Lock:
        return resolve(
            info,
            options=ResolveOptions(**options),
            settings=settings,
            runtime_requirements=RUNTIME,
            base_digest=lambda _base, _platform: digest,
            cache_dir=tmp_path / "locks",
            refresh=refresh,
        )

    return lock_of


def versions(lock: Lock) -> dict[str, str]:
    """The locked versions by name."""
    lines = (line.split(" ")[0] for line in lock.requirements.splitlines() if not line.startswith(" "))
    return dict(line.split("==") for line in lines)


@pytest.mark.parametrize("shape", ["json", "html"])
def test_companions_are_of_the_frameworks_time_and_the_server_of_today(lock_of: Resolve, shape: str) -> None:
    """scikit-learn 1.2.2 gets numpy 1.24 and scipy 1.10 beside the newest web server, in one lock."""
    with serve(shape=shape) as index:
        lock = lock_of(sklearn_model("1.2.2", NUMPY), PackageSettings(index_url=index.url))
    assert versions(lock) == {
        "h11": "0.16.0", "numpy": "1.24.2", "scikit-learn": "1.2.2", "scipy": "1.10.1", "uvicorn": "0.54.0",
    }  # fmt: skip
    assert (lock.python, lock.base, lock.cutoff) == ("3.11", "python:3.11-slim", "2023-03-23T09:57:10Z")
    assert lock.installer.startswith("uv==0.13.8 \\\n    --hash=sha256:")
    assert lock.local_wheels != ()  # the index is on this machine only, so its wheels must travel


def test_the_text_is_the_same_from_any_index_and_names_no_place(lock_of: Resolve, tmp_path: Path) -> None:
    """Two indexes of different addresses and shapes give the same bytes, with hashes of the target's wheels alone."""
    texts = set()
    for shape in ("json", "html"):
        with serve(shape=shape) as index:
            lock = lock_of(sklearn_model("1.2.2"), PackageSettings(index_url=index.url))
            texts.add((lock.requirements, lock.installer, lock.reasons))
    ((requirements, installer, _),) = texts
    assert not any(word in requirements + installer for word in ("://", "#", str(tmp_path), "127.0.0.1"))
    assert requirements.count("--hash=") == 5  # one wheel each: those of other Pythons and machines are not in it


@pytest.mark.parametrize(
    ("version", "python", "says"),
    [
        ("1.2.2", "3.11", "the usual one"),
        ("1.0.2", "3.10", "nearest older"),
        ("0.24.2", "3.9", "nearest older"),
        ("1.9.1", "3.11", "the usual one"),
    ],
)
def test_the_python_is_the_one_with_wheels(lock_of: Resolve, version: str, python: str, says: str) -> None:
    """3.11 where the recorded version has wheels for it, else the nearest that has; with its reason."""
    with serve() as index:
        lock = lock_of(sklearn_model(version), PackageSettings(index_url=index.url))
    assert lock.python == python
    assert says in lock.reasons[0]
    assert versions(lock)["scikit-learn"] == version


def test_a_newer_python_is_taken_before_an_older(lock_of: Resolve) -> None:
    """A framework with wheels for 3.12 and 3.13 alone runs on 3.12."""
    info = sklearn_model(None, framework="new-kind", framework_version="1.0", requirements=())
    with serve() as index:
        lock = lock_of(info, PackageSettings(index_url=index.url))
    assert lock.python == "3.12"
    assert "nearest newer" in lock.reasons[0]


def test_the_users_python_holds_or_fails(lock_of: Resolve) -> None:
    """`python:` is kept where there are wheels, and refused by name where there are none."""
    with serve() as index:
        settings = PackageSettings(index_url=index.url)
        lock = lock_of(sklearn_model("1.2.2"), settings, python="3.10")
        assert (lock.python, lock.base) == ("3.10", "python:3.10-slim")
        with pytest.raises(
            ResolveError, match=r"Python 3\.13: scikit-learn 1\.2\.2 has wheels for 3\.8, 3\.9, 3\.10, 3\.11"
        ):
            lock_of(sklearn_model("1.2.2"), settings, python="3.13")
        with pytest.raises(PythonTooOldError):
            lock_of(sklearn_model("1.2.2"), settings, python="3.8")


def test_a_python_that_is_gone_is_refused_with_a_remedy(lock_of: Resolve) -> None:
    """Only Pythons before 3.9: exit 4, the versions, and the next release that has an image."""
    with serve() as index, pytest.raises(PythonTooOldError) as caught:
        lock_of(sklearn_model("0.23.1"), PackageSettings(index_url=index.url))
    assert "scikit-learn 0.23.1 has wheels for Python 3.6, 3.7, 3.8 only" in caught.value.message
    assert "--framework scikit-learn==0.24.2" in caught.value.hint
    assert caught.value.exit == 4


def test_the_other_platform_gets_its_own_wheels(lock_of: Resolve) -> None:
    """The same versions for arm64, with other hashes; an unknown platform is a usage error."""
    with serve() as index:
        settings = PackageSettings(index_url=index.url)
        amd, arm = (lock_of(sklearn_model("1.2.2"), settings, platform=name) for name in ("linux/amd64", "linux/arm64"))
        with pytest.raises(UsageError):
            lock_of(sklearn_model("1.2.2"), settings, platform="windows/amd64")
    assert versions(amd) == versions(arm)
    assert amd.requirements != arm.requirements
    assert all("x86_64" in wheel.filename or "-any" in wheel.filename for wheel in amd.local_wheels)


def test_the_users_words_are_kept(lock_of: Resolve) -> None:
    """A pinned requirement has its version whatever its date, an unpinned one the time's; --framework and base win."""
    with serve() as index:
        settings = PackageSettings(index_url=index.url)
        assert versions(lock_of(sklearn_model("1.2.2"), settings, requirements=("pandas==2.2.*",)))["pandas"] == "2.2.3"
        assert versions(lock_of(sklearn_model("1.2.2"), settings, requirements=("pandas",)))["pandas"] == "1.5.3"
        lock = lock_of(
            sklearn_model("0.23.1"), settings, framework="scikit-learn==0.24.2", base="mine:1", apt=("curl",)
        )
        assert (versions(lock)["scikit-learn"], lock.base, lock.apt) == ("0.24.2", "mine:1", ("curl",))
        with pytest.raises(ConfigError):
            lock_of(sklearn_model("1.2.2"), settings, requirements=("--index-url https://evil.example",))


def test_a_requirement_of_later_is_taken_and_told(lock_of: Resolve) -> None:
    """What did not exist at the framework's time is today's, and the reasons say which."""
    with serve() as index:
        lock = lock_of(sklearn_model("1.2.2"), PackageSettings(index_url=index.url), requirements=("late-comer",))
    assert (versions(lock)["late-comer"], versions(lock)["numpy"]) == ("1.0", "1.24.2")
    assert any("late-comer" in reason for reason in lock.reasons)


def test_numpy_follows_the_file(lock_of: Resolve) -> None:
    """A file that numpy 1 wrote gets numpy 1 from a framework that takes either."""
    with serve() as index:
        settings = PackageSettings(index_url=index.url)
        assert versions(lock_of(sklearn_model("1.9.1", NUMPY, numpy_major=1), settings))["numpy"] == "1.26.4"
        assert versions(lock_of(sklearn_model("1.9.1", NUMPY, numpy_major=2), settings))["numpy"] == "2.4.6"


@pytest.mark.parametrize("kind", ["plain", "file", "folder"])
def test_an_index_without_times_is_held_by_caps_and_says_so(lock_of: Resolve, tmp_path: Path, kind: str) -> None:
    """Plain HTML, a `file:` index, a folder: the known caps keep numpy and scipy at the framework's time."""
    with serve(shape="plain") as index:
        settings = {
            "plain": PackageSettings(index_url=index.url),
            "file": PackageSettings(index_url=write_simple(tmp_path / "index")),
            "folder": PackageSettings(find_links=(str(write_folder(tmp_path / "wheels")),), no_index=True),
        }[kind]
        lock = lock_of(sklearn_model("1.2.2", Requirement(module="pandas", distribution="pandas")), settings)
    assert lock.cutoff is None
    assert {name: versions(lock)[name] for name in ("numpy", "scipy", "pandas")} == {
        "numpy": "1.24.4", "scipy": "1.10.1", "pandas": "1.5.3",
    }  # fmt: skip
    assert any("does not tell when scikit-learn came out" in reason for reason in lock.reasons)


def test_folders_beside_a_dated_index_do_not_break_its_time(lock_of: Resolve, tmp_path: Path) -> None:
    """find-links and `file:` indexes full of new versions, beside an index with times: the time's companions still."""
    extra = write_simple(tmp_path / "index", tuple(one for one in RELEASES if one.name in ("numpy", "scipy")))
    links = write_folder(tmp_path / "links", tuple(one for one in RELEASES if one.version == "2.4.6"))
    with serve() as index:
        settings = PackageSettings(index_url=index.url, extra_index_urls=(extra,), find_links=(str(links),))
        lock = lock_of(sklearn_model("1.2.2", NUMPY), settings)
    assert (versions(lock)["numpy"], versions(lock)["scipy"]) == ("1.24.2", "1.10.1")


def test_a_private_package_of_an_undated_index_is_found(lock_of: Resolve, tmp_path: Path) -> None:
    """A package that only a `file:` index has is locked beside the time's companions, said, and handed to the build."""
    private = Release("ours", "3.1", "2024-01-01T00:00:00Z", ("numpy",))
    info = sklearn_model("1.2.2", Requirement(module="ours", distribution="ours"))
    stray = Release("scikit-learn", "1.2.2", "2023-03-09T00:00:00Z", (), ("cp39-cp39-win_amd64",))
    with serve() as index:
        settings = PackageSettings(index_url=index.url, extra_index_urls=(write_simple(tmp_path, (private, stray)),))
        lock = lock_of(info, settings)
    assert (versions(lock)["ours"], versions(lock)["numpy"]) == ("3.1", "1.24.2")
    assert any("does not tell when ours came" in reason for reason in lock.reasons)
    assert tmp_path / "files" / "ours-3.1-py3-none-any.whl" in [wheel.path for wheel in lock.local_wheels]


def test_wheels_of_a_loopback_index_are_fetched_for_the_build(lock_of: Resolve) -> None:
    """A build's container cannot reach this machine's own index: its wheels are fetched, whole and by their hash."""
    with serve() as index:
        lock = lock_of(sklearn_model("1.2.2"), PackageSettings(index_url=index.url))
    contents = wheels()
    assert {wheel.filename.split("-")[0] for wheel in lock.local_wheels} == {
        "scikit_learn",
        "numpy",
        "scipy",
        "uvicorn",
        "h11",
        "uv",
    }
    assert all(wheel.path.read_bytes() == contents[wheel.filename] for wheel in lock.local_wheels)
    assert all(f"sha256:{wheel.sha256}" in lock.requirements + lock.installer for wheel in lock.local_wheels)


def test_a_wheelhouse_is_enough(lock_of: Resolve, tmp_path: Path) -> None:
    """With --wheelhouse nothing is asked of an index; without uv's wheel in it the remedy is named."""
    house = write_folder(tmp_path / "house")
    with serve() as index:
        lock = lock_of(sklearn_model("1.2.2"), PackageSettings(index_url=index.url), wheelhouse=house)
        assert index.requests == []
    assert versions(lock)["numpy"] == "1.24.4"
    assert {wheel.path.parent for wheel in lock.local_wheels} == {house}
    for path in house.glob("uv-*.whl"):
        path.unlink()
    with pytest.raises(ResolveError, match="no wheel of uv") as caught:
        lock_of(sklearn_model("1.2.2"), PackageSettings(), wheelhouse=house)
    assert "pip download" in caught.value.hint


def test_with_a_lock_in_place_nothing_is_asked(lock_of: Resolve) -> None:
    """The same question again asks neither index nor registry; another question and --refresh do."""
    with serve() as index:
        settings = PackageSettings(index_url=index.url)
        first = lock_of(sklearn_model("1.2.2"), settings, digest="sha256:" + "1" * 64)
        asked = len(index.requests)
        again = lock_of(sklearn_model("1.2.2"), settings, digest="sha256:" + "2" * 64)
        assert (again, len(index.requests)) == (first, asked)
        lock_of(sklearn_model("1.2.2"), settings, requirements=("pandas",))
        assert len(index.requests) > asked
        assert lock_of(sklearn_model("1.2.2"), settings, digest=None, refresh=True).base_digest is None


def test_locks_made_at_once_are_the_same(lock_of: Resolve) -> None:
    """Several at the same cache do not trip over each other."""
    with serve() as index, ThreadPoolExecutor() as pool:
        settings = PackageSettings(index_url=index.url)
        locks = list(pool.map(lambda _: lock_of(sklearn_model("1.2.2"), settings), range(4)))
    assert all(lock == locks[0] for lock in locks)


def test_a_login_works_and_is_never_seen(lock_of: Resolve, tmp_path: Path) -> None:
    """A password reaches the index and uv, but no command line, lock, cache or message."""
    with serve(login="me:hush-hush") as index:
        settings = PackageSettings(index_url=index.url)
        lock = lock_of(sklearn_model("1.2.2"), settings)
        assert any(" pip compile " in line for line in index.watched)
        assert not any("hush" in line for line in index.watched)
        kept = "".join(path.read_text() for path in (tmp_path / "locks").glob("*.json"))
        assert "hush" not in kept + repr(lock)
        wrong = replace(settings, index_url=index.url.replace("hush-hush", "hush-not"))
        with pytest.raises(IndexUnreachableError, match="refused the login") as caught:
            lock_of(sklearn_model("1.2.2"), wrong)
        assert "hush" not in caught.value.message + caught.value.hint + caught.value.detail


def test_a_netrc_login_works(lock_of: Resolve, tmp_path: Path) -> None:
    """A login in the netrc file is used where the address has none."""
    with serve(login="me:secret") as index:
        netrc = tmp_path / "netrc"
        netrc.write_text("machine 127.0.0.1 login me password secret\n")
        netrc.chmod(0o600)
        bare = index.url.replace("me:secret@", "")
        assert lock_of(sklearn_model("1.2.2"), PackageSettings(index_url=bare, netrc=netrc)).python == "3.11"


def test_a_private_authority_needs_its_bundle(lock_of: Resolve, tmp_path: Path) -> None:
    """HTTPS signed by a company's own authority: refused with the setting that helps, and fine with the bundle."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl makes the certificate")
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
         "-keyout", tmp_path / "key.pem", "-out", tmp_path / "ca.pem", "-subj", "/CN=127.0.0.1",
         "-addext", "subjectAltName=IP:127.0.0.1", "-addext", "basicConstraints=critical,CA:FALSE"],
        check=True, capture_output=True,
    )  # fmt: skip
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "ca.pem", tmp_path / "key.pem")
    with serve(tls=context) as index:
        with pytest.raises(IndexUnreachableError, match="not trusted") as caught:
            lock_of(sklearn_model("1.2.2"), PackageSettings(index_url=index.url))
        assert "PIP_CERT" in caught.value.hint
        for settings in (
            PackageSettings(index_url=index.url, ca_bundle=tmp_path / "ca.pem"),
            PackageSettings(index_url=index.url, trusted_hosts=("127.0.0.1",)),
        ):
            assert versions(lock_of(sklearn_model("1.2.2"), settings, refresh=True))["numpy"] == "1.24.2"


def test_a_dead_and_a_failing_index_are_told_apart(lock_of: Resolve) -> None:
    """Nobody listens, a server error, no such package: three sentences, each with its remedy."""
    with serve() as index:
        gone = PackageSettings(index_url=index.url)
    with pytest.raises(IndexUnreachableError, match="did not answer") as caught:
        lock_of(sklearn_model("1.2.2"), gone)
    assert "--wheelhouse" in caught.value.hint
    with serve(status=503) as index, pytest.raises(IndexUnreachableError, match="answered 503"):
        lock_of(sklearn_model("1.2.2"), PackageSettings(index_url=index.url))
    with serve(()) as index, pytest.raises(ResolveError, match="knows scikit-learn") as missing:
        lock_of(sklearn_model("1.2.2"), PackageSettings(index_url=index.url))
    assert not isinstance(missing.value, IndexUnreachableError)


@pytest.mark.parametrize(
    ("info", "options", "message"),
    [
        (sklearn_model("1.2.99"), {}, "scikit-learn 1.2.99 is not on the package index"),
        (sklearn_model("1.2.2\n--index-url http://evil"), {}, "as the version of scikit-learn"),
        (sklearn_model("1.2.2"), {"requirements": ("scipy==1.17.1",)}, "scipy==1.17.1"),
        (sklearn_model("1.2.2"), {"requirements": ("no-such-package",)}, "no-such-package was not found"),
    ],
)
def test_a_set_that_is_not_there_names_what_does_not_fit(
    lock_of: Resolve, info: ModelInfo, options: dict[str, Any], message: str
) -> None:
    """Exit 4, the package that stands in the way, and something to do."""
    with serve() as index, pytest.raises(ResolveError) as caught:
        lock_of(info, PackageSettings(index_url=index.url), **options)
    assert message in caught.value.message
    assert caught.value.hint
    assert len(caught.value.message) < 600


def test_a_file_without_a_version_is_not_guessed(lock_of: Resolve) -> None:
    """Nobody tells the version: it is asked for; with --framework it works."""
    with serve() as index:
        settings = PackageSettings(index_url=index.url)
        with pytest.raises(MissingVersionError) as caught:
            lock_of(sklearn_model(None), settings)
        assert "--framework scikit-learn==VERSION" in caught.value.hint
        assert (
            versions(lock_of(sklearn_model(None), settings, framework="scikit-learn==1.2.2"))["scikit-learn"] == "1.2.2"
        )
        with pytest.raises(MlpackError, match="names no version"):
            lock_of(sklearn_model(None), settings, framework="scikit-learn")
