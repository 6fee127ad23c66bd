"""Private files that the build needs to install the locked packages: settings, CA bundle and local wheels."""

from __future__ import annotations

import shlex
import ssl
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from mlpack.artifacts.bundle_file import BundleFile
from mlpack.artifacts.lock import LocalWheel, Lock
from mlpack.errors import ResolveError
from mlpack.packages.index import is_loopback, local_path
from mlpack.packages.index.http import with_login
from mlpack.packages.local import carried, locked_hashes
from mlpack.packages.names import strip_login
from mlpack.packages.settings import DEFAULT_INDEX, PackageSettings
from mlpack.packages.settings.variables import pip_variables, uv_variables
from mlpack.packages.wheels import parse_wheel

FOLDER = "build"  # in the build context
MOUNT = Path("/run/mlpack")  # its path in the step that installs


def private_files(
    lock: Lock,
    settings: PackageSettings,
    *,
    secrets: bool,
    caches_secrets: Callable[[], bool],
    cache: Path,
) -> tuple[BundleFile, ...]:
    """The private files of a build; with `secrets` they include the logins that it needs.

    A builder that `caches_secrets` (the classic builder stores copied files in an image) gets the wheels instead of logins;
    they are downloaded to `cache`.
    """
    if secrets and holds_secrets(settings) and caches_secrets():
        return handover(settings, carried(lock, settings, cache), secrets=False)
    return handover(settings, lock, secrets=secrets)


def handover(settings: PackageSettings, lock: Lock, *, secrets: bool = True) -> tuple[BundleFile, ...]:
    """The private files under `build/`, sorted by name; at least an `env`, possibly empty.

    `build/env` is POSIX sh to be read with `.`; it exports the variables of uv and pip, with paths in the build's mount.
    Without `secrets` it has no logins, so that the folder can be shared. Raises ResolveError when a local wheel no longer
    exists.
    """
    wheels = tuple(_wheel(wheel) for wheel in lock.local_wheels)
    bundle = settings.ca_bundle or _system_bundle()
    if wheels and _all_here(lock):
        settings = replace(settings, no_index=True, find_links=())
    settings = replace(settings, find_links=(*settings.find_links, *lock.pages))
    inside = _inside(settings, has_wheels=bool(wheels), has_bundle=bundle is not None)
    files = [*wheels, *_source_files(lock)]
    if bundle:
        files.append(_file("ca.pem", bundle.read_bytes()))
    if settings.client_cert and secrets:
        files.append(_file("client.pem", settings.client_cert.read_bytes(), mode=0o600))
    # The mode also marks the file as secret for the build cache: see engines/docker/build_cache.py.
    mode = 0o600 if secrets and holds_secrets(settings) else 0o644
    files.append(_file("env", _env(inside, secrets=secrets).encode(), mode=mode))
    return tuple(sorted(files, key=lambda file: file.name))


def holds_secrets(settings: PackageSettings) -> bool:
    """Whether the settings hold logins or a client certificate."""
    return _env(settings, secrets=True) != _env(settings, secrets=False) or settings.client_cert is not None


def _all_here(lock: Lock) -> bool:
    """Whether every locked package has a local wheel, so that the build needs no index."""
    return locked_hashes(lock).keys() <= {
        wheel.name for file in lock.local_wheels if (wheel := parse_wheel(file.filename))
    }


def _inside(settings: PackageSettings, *, has_wheels: bool, has_bundle: bool) -> PackageSettings:
    """The settings for the build's container: without addresses that only this machine reaches."""
    indexes = [
        with_login(index, settings)
        for index in settings.indexes
        if not index.startswith("file:") and not is_loopback(index)
    ]
    pages = [place for place in settings.find_links if local_path(place) is None and not is_loopback(place)]
    proxies = {
        scheme: address for scheme, address in settings.proxies.items() if scheme == "no" or not is_loopback(address)
    }
    return replace(
        settings,
        index_url=indexes[-1] if indexes else DEFAULT_INDEX,
        extra_index_urls=tuple(indexes[:-1]),
        no_index=not indexes,
        find_links=(*([str(MOUNT / "wheels")] if has_wheels else []), *pages),
        ca_bundle=MOUNT / "ca.pem" if has_bundle else None,
        client_cert=MOUNT / "client.pem" if settings.client_cert else None,
        proxies=proxies,
        netrc=None,
    )


def _env(settings: PackageSettings, *, secrets: bool) -> str:
    """The settings as sh; empty variables are left out."""
    variables = uv_variables(settings) | pip_variables(settings)
    if settings.no_index:
        variables["UV_OFFLINE"] = "1"  # uv has no variable for --no-index; offline mode uses no index either
    if not secrets:
        variables = {
            name: strip_login(value)
            for name, value in variables.items()
            if name not in ("SSL_CLIENT_CERT", "PIP_CLIENT_CERT")
        }
    return "".join(f"export {name}={shlex.quote(value)}\n" for name, value in sorted(variables.items()) if value)


def _system_bundle() -> Path | None:
    """This machine's CA bundle: it may hold a company's authority that the base image lacks."""
    found = ssl.get_default_verify_paths().cafile
    return Path(found) if found and Path(found).is_file() else None


def _source_files(lock: Lock) -> Iterator[BundleFile]:
    """The files of the source builds, in a folder of their own: the step that runs foreign code gets nothing else."""
    files = {file.filename: file for build in lock.sdists for file in (build.source, *build.tools)}
    return (_wheel(file, "sdists") for file in files.values())


def _wheel(wheel: LocalWheel, folder: str = "wheels") -> BundleFile:
    """A local file, streamed from its path."""
    try:
        size = wheel.path.stat().st_size
    except OSError:
        raise ResolveError(
            f"the locked file {wheel.path} no longer exists", hint="Resolve again with --refresh."
        ) from None
    return BundleFile(name=f"{FOLDER}/{folder}/{wheel.filename}", size=size, sha256=wheel.sha256, source=wheel.path)


def _file(name: str, content: bytes, mode: int = 0o644) -> BundleFile:
    return BundleFile.of_bytes(f"{FOLDER}/{name}", content, mode=mode)
