"""What networks have, for tests: addresses that a build's container reaches, a private index on one, the user's settings."""

from __future__ import annotations

import contextlib
import ipaddress
import json
import os
import shutil
import socket
import ssl
import subprocess
import sys
from pathlib import Path

import pytest

from mlpack.engines.docker import DockerEngine
from mlpack.packages.settings import read_settings
from tests.integration.conftest import ROOT
from tests.unit.packages.standin_index import Release

PRIVATE = Release("acme-features", "3.1", "2024-01-01T00:00:00Z")


def bridge_address(engine: DockerEngine) -> str:
    """An address of this machine that the engine's containers reach; skips where the engine is on another machine."""
    config = engine._client.inspect_network("bridge")["IPAM"]["Config"]
    gateway = next((str(entry["Gateway"]) for entry in config if "Gateway" in entry), "")
    with contextlib.suppress(OSError), socket.socket() as probe:
        probe.bind((gateway, 0))
        return gateway
    pytest.skip(f"the engine's bridge ({gateway or 'none'}) is not on this machine")


def in_container(engine: DockerEngine, address: str) -> bool:
    """Whether an address is a container's on the engine's bridge."""
    config = engine._client.inspect_network("bridge")["IPAM"]["Config"]
    return any(
        ipaddress.ip_address(address) in ipaddress.ip_network(entry["Subnet"]) and address != entry.get("Gateway")
        for entry in config
    )


def certificate(folder: Path, host: str) -> tuple[ssl.SSLContext, Path]:
    """A server's side of TLS for an address, and a bundle with its own authority and those that this machine trusts."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl makes the certificate")
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
         "-keyout", folder / "key.pem", "-out", folder / "ca.pem", "-subj", f"/CN={host}",
         "-addext", f"subjectAltName=IP:{host}", "-addext", "basicConstraints=critical,CA:FALSE"],
        check=True, capture_output=True,
    )  # fmt: skip
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "ca.pem", folder / "key.pem")
    known = os.environ.get("PIP_CERT") or os.environ.get("SSL_CERT_FILE") or ssl.get_default_verify_paths().cafile
    bundle = folder / "bundle.pem"
    bundle.write_bytes((folder / "ca.pem").read_bytes() + (Path(known).read_bytes() if known else b""))
    return context, bundle


def working_folder(folder: Path, *, requirements: tuple[str, ...] = ()) -> Path:
    """A folder with examples/iris, trained, and its mlpack.yaml with more requirements."""
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(ROOT / "examples" / "iris" / "make_model.py", folder)
    text = (ROOT / "examples" / "iris" / "mlpack.yaml").read_text()
    (folder / "mlpack.yaml").write_text(text + (f"requirements: {json.dumps(requirements)}\n" if requirements else ""))
    subprocess.run([sys.executable, "make_model.py"], cwd=folder, check=True, capture_output=True)
    return folder


def pip_conf(path: Path, index: str) -> Path:
    """A pip.conf that adds an index to those that this machine has already."""
    known = [url for url in read_settings(os.environ, path.parent).extra_index_urls if "@" not in url]
    urls = "\n  ".join([index, *known])
    path.write_text(f"[global]\nextra-index-url =\n  {urls}\n")
    return path
