"""The uv executable, and the environment variables that it must not see."""

from __future__ import annotations

import os


def uv_binary() -> str:
    """The uv that is installed with mlpack, else the one on PATH."""
    from uv import find_uv_bin

    try:
        return str(find_uv_bin())
    except FileNotFoundError:
        return "uv"


def without_uv() -> dict[str, str]:
    """Empty values for the variables that could change uv's result; the settings are passed explicitly.

    The user's settings for uv's cache, timeouts and parallelism are kept.
    """
    kept = ("UV_CACHE_DIR", "UV_HTTP_", "UV_CONCURRENT_", "UV_REQUEST_TIMEOUT")
    named = [name for name in os.environ if name.startswith("UV_") and not name.startswith(kept)]
    return dict.fromkeys([*named, "VIRTUAL_ENV", "CONDA_PREFIX"], "")
