"""The locked uv that installs the locked packages in the image."""

from __future__ import annotations

from mlpack.errors import ResolveError
from mlpack.packages.compiler import LockedPackage, compile_lock
from mlpack.packages.failures import NoSetError
from mlpack.packages.settings import PackageSettings
from mlpack.packages.target import Target

# One version for every image, because the same input must give the same image on any machine.
UV_VERSION = "0.13.8"


def server_and_installer(
    runtime: list[str], *, target: Target, settings: PackageSettings
) -> tuple[tuple[LockedPackage, ...], tuple[LockedPackage, ...]]:
    """The newest packages of the serving runtime with their dependencies, and uv; resolved in one run.

    From a source without that version of uv (an old mirror, a wheelhouse) its newest uv is taken. Raises ResolveError.
    """
    try:
        packages = compile_lock([*runtime, f"uv=={UV_VERSION}"], target=target, settings=settings)
    except NoSetError:
        packages = compile_lock(runtime, target=target, settings=settings)
        try:
            return packages, compile_lock(["uv"], target=target, settings=settings)
        except NoSetError as error:
            raise ResolveError(
                "your package sources have no wheel of uv, which installs the packages in the image",
                hint=f"Add it: pip download --no-deps -d DIR uv=={UV_VERSION}.",
                detail=error.detail,
            ) from None
    return tuple(one for one in packages if one.name != "uv"), tuple(one for one in packages if one.name == "uv")
