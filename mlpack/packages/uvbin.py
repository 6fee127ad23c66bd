"""The uv that works for us, and what of this process's environment it must not hear."""

from __future__ import annotations

import os


def uv_binary() -> str:
    """The uv that came with mlpack, else the one on PATH."""
    from uv import find_uv_bin

    try:
        return str(find_uv_bin())
    except FileNotFoundError:
        return "uv"


def without_uv() -> dict[str, str]:
    """What this process's environment says to uv, taken back: the settings were read already, the rest would change the lock.

    uv's cache, its patience and its parallelism stay as the user has them.
    """
    kept = ("UV_CACHE_DIR", "UV_HTTP_", "UV_CONCURRENT_", "UV_REQUEST_TIMEOUT")
    named = [name for name in os.environ if name.startswith("UV_") and not name.startswith(kept)]
    return dict.fromkeys([*named, "VIRTUAL_ENV", "CONDA_PREFIX"], "")
