"""The real gcloud, where it is installed, with a configuration of its own: it asks nobody but the stand-in."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from urllib.parse import urlsplit


def run_gcloud(
    *words: str | Path, endpoint: str, token: str, folder: Path, regional: bool = True
) -> subprocess.CompletedProcess[str]:
    """What it says with this access token; `regional` commands put the region in front of the host, which only a proxy finds."""
    (folder / "token").write_text(token)
    env = {name: value for name, value in os.environ.items() if not name.startswith("CLOUDSDK_")}
    env |= {
        "CLOUDSDK_CONFIG": str(folder / "config"),
        "CLOUDSDK_AUTH_ACCESS_TOKEN_FILE": str(folder / "token"),
        "CLOUDSDK_CORE_PROJECT": "demo",
        "CLOUDSDK_CORE_DISABLE_PROMPTS": "1",
        "CLOUDSDK_CORE_DISABLE_USAGE_REPORTING": "true",
        "CLOUDSDK_COMPONENT_MANAGER_DISABLE_UPDATE_CHECK": "true",
        "NO_PROXY": "",
    }
    for api in ("RUN", "ARTIFACTREGISTRY", "SERVICEUSAGE"):
        env[f"CLOUDSDK_API_ENDPOINT_OVERRIDES_{api}"] = f"{endpoint}/"
    if regional:
        env |= {
            "CLOUDSDK_PROXY_TYPE": "http_no_tunnel",
            "CLOUDSDK_PROXY_ADDRESS": "127.0.0.1",
            "CLOUDSDK_PROXY_PORT": str(urlsplit(endpoint).port),
        }
    return subprocess.run(["gcloud", *words], env=env, capture_output=True, text=True, check=False, timeout=120)
