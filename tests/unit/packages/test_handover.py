"""What a build gets of the user's package settings."""

import hashlib
import subprocess
from pathlib import Path
from typing import Any

import pytest

from mlpack.artifacts.bundle_file import BundleFile
from mlpack.artifacts.lock import LocalWheel, Lock
from mlpack.artifacts.prepared import Prepared
from mlpack.errors import ResolveError
from mlpack.packages.handover import handover, holds_secrets
from mlpack.packages.settings import PackageSettings
from tests.unit.packages.models import sklearn_model


def lock(*wheels: LocalWheel, requirements: str = "six==1 \\\n    --hash=sha256:ab\nother==2\n") -> Lock:
    """A lock with wheels of this machine's."""
    return Lock(
        prepared=Prepared(info=sklearn_model("1.2.2")), python="3.11", platform="linux/amd64", base="python:3.11-slim", base_digest=None,
        requirements=requirements, local_wheels=wheels,
    )  # fmt: skip


def files(settings: PackageSettings, **options: Any) -> dict[str, BundleFile]:
    """The handover by file name."""
    return {file.name: file for file in handover(settings, lock(), **options)}


def environment(settings: PackageSettings, tmp_path: Path, **options: Any) -> dict[str, str]:
    """What a POSIX shell exports after reading `build/env`."""
    content = files(settings, **options)["build/env"].content
    assert content is not None
    (tmp_path / "env").write_bytes(content)
    done = subprocess.run(
        ["/bin/sh", "-euc", f". {tmp_path}/env; env -0"], env={}, capture_output=True, text=True, check=True
    )
    return dict(entry.partition("=")[::2] for entry in done.stdout.split("\0") if entry)


def test_settings_arrive_as_sh_with_paths_of_the_build(tmp_path: Path) -> None:
    """Uv and pip in the build read the same indexes, proxy and bundle, by names and paths that are true there."""
    bundle = tmp_path / "corp ca.pem"
    bundle.write_text("-----CA-----")
    settings = PackageSettings(
        index_url="https://me:it's $HOME@host/simple",
        extra_index_urls=("file:///opt/simple", "http://127.0.0.1:3141/simple", "https://b/simple"),
        find_links=("/srv/wheels", "https://c/links"),
        ca_bundle=bundle,
        proxies={"https": "http://proxy:3128", "http": "http://localhost:3128", "no": "a,b"},
    )
    exported = environment(settings, tmp_path)
    assert exported["UV_DEFAULT_INDEX"] == exported["PIP_INDEX_URL"] == "https://me:it's $HOME@host/simple"
    assert exported["UV_INDEX"] == exported["PIP_EXTRA_INDEX_URL"] == "https://b/simple"
    assert exported["UV_FIND_LINKS"] == exported["PIP_FIND_LINKS"] == "https://c/links"
    assert exported["SSL_CERT_FILE"] == exported["PIP_CERT"] == "/run/mlpack/ca.pem"
    assert exported["https_proxy"] == exported["HTTPS_PROXY"] == "http://proxy:3128"
    assert exported["NO_PROXY"] == "a,b"
    assert "http_proxy" not in exported
    text = " ".join(exported.values())
    assert "/opt/" not in text
    assert "127.0.0.1" not in text
    assert str(tmp_path) not in text.replace(exported.get("PWD", "-"), "")
    assert files(settings)["build/ca.pem"].content == b"-----CA-----"


def test_a_folder_for_others_holds_no_secret(tmp_path: Path) -> None:
    """Without secrets the addresses stay and every login goes, the netrc's and the client certificate too."""
    netrc, client = tmp_path / "netrc", tmp_path / "client.pem"
    netrc.write_text("machine b login me password hush2")
    client.write_text("hush3")
    settings = PackageSettings(
        index_url="https://me:hush1@host/simple",
        extra_index_urls=("https://b/simple",),
        proxies={"https": "http://me:hush4@proxy:3128"},
        client_cert=client,
        netrc=netrc,
    )
    assert holds_secrets(settings)
    told = b"".join(file.content or b"" for file in handover(settings, lock()))
    assert all(secret in told for secret in (b"hush1", b"hush2", b"hush3", b"hush4"))
    assert files(settings)["build/env"].mode == 0o600
    kept = handover(settings, lock(), secrets=False)
    assert not any(b"hush" in (file.content or b"") for file in kept)
    exported = environment(settings, tmp_path, secrets=False)
    assert (exported["UV_DEFAULT_INDEX"], exported["UV_INDEX"]) == ("https://host/simple", "https://b/simple")
    assert exported["https_proxy"] == "http://proxy:3128"
    assert "SSL_CLIENT_CERT" not in exported


def test_without_an_index_elsewhere_the_build_asks_none(tmp_path: Path) -> None:
    """Only folders: neither uv nor pip goes to an index in the build."""
    exported = environment(PackageSettings(no_index=True, find_links=("/srv/wheels",)), tmp_path)
    assert (exported["PIP_NO_INDEX"], exported["UV_OFFLINE"]) == ("1", "1")
    assert "UV_DEFAULT_INDEX" not in exported
    exported = environment(PackageSettings(index_url="file:///opt/simple"), tmp_path)
    assert exported["PIP_NO_INDEX"] == "1"


def test_local_wheels_travel_with_the_build(tmp_path: Path) -> None:
    """Each locked wheel of this machine is streamed from where it lies, and both installers look where it will be."""
    path = tmp_path / "six-1-py3-none-any.whl"
    path.write_bytes(b"wheel")
    wheel = LocalWheel(filename=path.name, path=path, sha256=hashlib.sha256(b"wheel").hexdigest())
    given = {file.name: file for file in handover(PackageSettings(), lock(wheel))}
    file = given[f"build/wheels/{path.name}"]
    assert (file.source, file.size, file.sha256, file.content) == (path, 5, wheel.sha256, None)
    assert b"UV_FIND_LINKS=/run/mlpack/wheels\n" in (given["build/env"].content or b"")
    assert b"PIP_NO_INDEX" not in (given["build/env"].content or b"")
    alone = {file.name: file for file in handover(PackageSettings(), lock(wheel, requirements="six==1\n"))}
    assert b"PIP_NO_INDEX=1\n" in (alone["build/env"].content or b"")  # all of it travels: no index is asked
    path.unlink()
    with pytest.raises(ResolveError, match="is gone"):
        handover(PackageSettings(), lock(wheel))
