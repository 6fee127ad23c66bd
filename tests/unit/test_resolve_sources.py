"""Resolving from each kind of source: folders, local indexes, logins, private authorities; and each failure by its name."""

from __future__ import annotations

import shutil
import ssl
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from mlpack.artifacts.model import Requirement
from mlpack.errors import IndexUnreachableError, ResolveError
from mlpack.packages.settings import PackageSettings
from tests.unit.packages.models import sklearn_model
from tests.unit.packages.resolving import Resolve, lock_of, versions
from tests.unit.packages.standin_index import RELEASES, Release, serve, wheels, write_folder, write_simple

__all__ = ["lock_of"]  # a fixture is found by its name in the module

NUMPY = Requirement(module="numpy", distribution="numpy")


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
    assert any("has no date for scikit-learn" in reason for reason in lock.reasons)


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
    assert any("has no date for ours" in reason for reason in lock.reasons)
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
            lock_of(sklearn_model("1.2.2"), wrong, refresh=True)
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
    with (
        serve(()) as index,
        pytest.raises(ResolveError, match="no configured package index has scikit-learn") as missing,
    ):
        lock_of(sklearn_model("1.2.2"), PackageSettings(index_url=index.url))
    assert not isinstance(missing.value, IndexUnreachableError)
