"""The uv that installs the locked packages in the image, locked like them."""

from __future__ import annotations

from mlpack.errors import ResolveError
from mlpack.packages.compiler import LockedPackage, compile_lock
from mlpack.packages.failures import NoSetError
from mlpack.packages.settings import PackageSettings
from mlpack.packages.target import Target

# One version for every image, whatever uv this machine has: the same input must give the same image.
UV_VERSION = "0.13.8"


def server_and_installer(
    runtime: list[str], *, target: Target, settings: PackageSettings
) -> tuple[tuple[LockedPackage, ...], tuple[LockedPackage, ...]]:
    """The server's own packages of today with all that they pull in, and uv, in one question; uv's set is itself alone.

    A source without that uv (an old mirror, a wheelhouse) gives what uv it has. Raises ResolveError.
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
