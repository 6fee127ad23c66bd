"""An image put into a registry by the registry's own HTTP, without any engine."""

from __future__ import annotations

import hashlib
import http.client
import json
from collections.abc import Mapping
from typing import Any, BinaryIO
from urllib.parse import urlsplit

from .errors import EngineError
from .layer import Layer
from .web import loopback

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"


def is_published(port: int, repository: str, tag: str) -> bool:
    """Tell whether the registry has the tag."""
    answer = _ask(port, "HEAD", f"/v2/{repository}/manifests/{tag}", headers={"Accept": INDEX})
    return answer.status == http.client.OK


def publish(port: int, repository: str, tag: str, *, config: Mapping[str, Any], layer: Layer) -> str:
    """Put the image there, its tag last, so that no half of it is ever seen; give the digest."""
    with layer.path.open("rb") as file:
        _put_blob(port, repository, layer.digest, layer.size, file)
    config_bytes = _json(config)
    _put_blob(port, repository, _digest(config_bytes), len(config_bytes), config_bytes)
    manifest = _json(
        {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": _descriptor(CONFIG, config_bytes),
            "layers": [{"mediaType": LAYER, "digest": layer.digest, "size": layer.size}],
        }
    )
    _put_manifest(port, repository, _digest(manifest), MANIFEST, manifest)
    # The real tag names an index of platforms, so ours does: a digest means the same thing.
    platform = {key: config[key] for key in ("architecture", "os", "variant") if key in config}
    index = _json(
        {
            "schemaVersion": 2,
            "mediaType": INDEX,
            "manifests": [{**_descriptor(MANIFEST, manifest), "platform": platform}],
        }
    )
    _put_manifest(port, repository, tag, INDEX, index)
    return _digest(index)


def _put_blob(port: int, repository: str, digest: str, size: int, body: bytes | BinaryIO) -> None:
    opened = _ask(port, "POST", f"/v2/{repository}/blobs/uploads/")
    _expect(opened, http.client.ACCEPTED)
    place = urlsplit(opened.headers["Location"])
    query = f"{place.query}&digest={digest}" if place.query else f"digest={digest}"
    headers = {"Content-Type": "application/octet-stream", "Content-Length": str(size)}
    done = _ask(port, "PUT", f"{place.path}?{query}", body=body, headers=headers)
    _expect(done, http.client.CREATED)


def _put_manifest(port: int, repository: str, name: str, kind: str, body: bytes) -> None:
    path = f"/v2/{repository}/manifests/{name}"
    _expect(_ask(port, "PUT", path, body=body, headers={"Content-Type": kind}), http.client.CREATED)


def _ask(
    port: int,
    method: str,
    path: str,
    *,
    body: bytes | BinaryIO | None = None,
    headers: Mapping[str, str] | None = None,
) -> http.client.HTTPResponse:
    connection = loopback(port, timeout=120)
    try:
        connection.request(method, path, body=body, headers=dict(headers or {}))
        answer = connection.getresponse()
        answer.read()
    except (OSError, http.client.HTTPException) as error:
        raise EngineError(f"The mirror on 127.0.0.1:{port} does not answer: {error}.", "Run: make engine") from error
    finally:
        connection.close()
    return answer


def _expect(answer: http.client.HTTPResponse, status: int) -> None:
    if answer.status != status:
        raise EngineError(
            f"The mirror answered {answer.status} where {status} was due.",
            "Its log is in the cache folder's logs/.",
        )


def _descriptor(kind: str, content: bytes) -> dict[str, str | int]:
    return {"mediaType": kind, "digest": _digest(content), "size": len(content)}


def _json(value: Mapping[str, Any]) -> bytes:
    return json.dumps(value).encode()


def _digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"
