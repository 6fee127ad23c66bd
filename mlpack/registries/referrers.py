"""Referrers: small documents that are attached to the digest of an image in a registry."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from mlpack.artifacts.references import Reference, parse_reference
from mlpack.errors import RegistryError, RegistryNotFoundError, RegistryPushError, UsageError
from mlpack.registries.client import Answer, RegistryHttp
from mlpack.registries.credentials import Login

OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"
_DOCKER = "application/vnd.docker.distribution.manifest"
_MANIFESTS = f"{OCI_MANIFEST}, {OCI_INDEX}, {_DOCKER}.v2+json, {_DOCKER}.list.v2+json"
# The OCI image spec's placeholder for an unused config: the two bytes `{}`.
_EMPTY = b"{}"
_EMPTY_TYPE = "application/vnd.oci.empty.v1+json"
_PAYLOAD_LIMIT = 16 * 1024 * 1024

Descriptor = dict[str, Any]


def attach(
    reference: str,
    artifact_type: str,
    payload: bytes,
    *,
    media_type: str = "application/json",
    annotations: Mapping[str, str] | None = None,
    login: Login | None = None,
) -> str:
    """Attach a document to an image (`host/repository@sha256:...`); return the digest of the manifest that contains it.

    It is an OCI referrer: a manifest whose `subject` is the image. For a registry without referrers (it answers without
    OCI-Subject), the tag `sha256-<hex>` is written instead: an index of all referrers of the image, as the distribution spec
    1.1 requires ("Referrers Tag Schema"). Attaching the same document again changes nothing. Raises RegistryError and its
    subclasses.
    """
    name = _with_digest(reference)
    with RegistryHttp(name.registry, login=login) as http:
        subject = _describe(http, name, name.digest or "")
        if subject is None:
            raise RegistryNotFoundError(f"{reference} is not in its registry", hint="Push it first.")
        _put_blob(http, name, _EMPTY)
        layer = {**_put_blob(http, name, payload), "mediaType": media_type}
        manifest = _canonical(
            {
                "schemaVersion": 2,
                "mediaType": OCI_MANIFEST,
                "artifactType": artifact_type,
                "config": {"mediaType": _EMPTY_TYPE, **_measure(_EMPTY)},
                "layers": [layer],
                "subject": subject,
                "annotations": dict(annotations or {}),
            }
        )
        measured = _measure(manifest)
        answer = _put_manifest(http, name, measured["digest"], manifest, OCI_MANIFEST)
        if answer.headers.get("OCI-Subject") is None:
            entry = {
                "mediaType": OCI_MANIFEST,
                **measured,
                "artifactType": artifact_type,
                "annotations": dict(annotations or {}),
            }
            _list_under_tag(http, name, entry)
        return str(measured["digest"])


def attachments(reference: str, artifact_type: str, *, login: Login | None = None) -> list[bytes]:
    """The documents of one type that are attached to an image, in the registry's order; each digest is checked.

    Empty if there are none. Raises RegistryError and its subclasses.
    """
    name = _with_digest(reference)
    with RegistryHttp(name.registry, login=login) as http:
        found = []
        for entry in _referrers(http, name, artifact_type):
            # A registry's list may omit the type; then the manifest itself has it.
            if entry.get("artifactType") not in {None, artifact_type}:
                continue
            manifest = _get_json(http, name, f"manifests/{entry['digest']}", str(entry["digest"]))
            layers = manifest.get("layers") or []
            of_type = manifest.get("artifactType") == artifact_type
            of_image = (manifest.get("subject") or {}).get("digest") == name.digest
            if of_type and of_image and len(layers) == 1 and int(layers[0].get("size", 0)) <= _PAYLOAD_LIMIT:
                found.append(_get(http, name, f"blobs/{layers[0]['digest']}", str(layers[0]["digest"])))
        return found


def manifest_digest(reference: str) -> str | None:
    """The digest that a registry has for `host/repository:tag` (or the digest itself), None if there is none."""
    name = parse_reference(reference)
    with RegistryHttp(name.registry) as http:
        described = _describe(http, name, name.digest or name.tag or "latest")
        return None if described is None else str(described["digest"])


def read_manifest(reference: str, *, login: Login | None = None) -> dict[str, Any]:
    """The manifest under `host/repository@sha256:...`, checked against its digest."""
    name = _with_digest(reference)
    with RegistryHttp(name.registry, login=login) as http:
        return _get_json(http, name, f"manifests/{name.digest}", name.digest or "")


def read_blob(reference: str, digest: str, *, login: Login | None = None) -> bytes:
    """A small blob of the image's repository (a config), checked against its digest."""
    name = parse_reference(reference)
    with RegistryHttp(name.registry, login=login) as http:
        return _get(http, name, f"blobs/{digest}", digest)


def _with_digest(reference: str) -> Reference:
    name = parse_reference(reference)
    if name.digest is None:
        raise UsageError(f"{reference} has no digest", hint="Name the image as HOST/REPOSITORY@sha256:...")
    return name


def _describe(http: RegistryHttp, name: Reference, which: str) -> Descriptor | None:
    """The descriptor of a manifest, computed from its body: the digest that a registry reports is not trusted."""
    answer = http.request("GET", f"/v2/{name.repository}/manifests/{which}", headers={"Accept": _MANIFESTS})
    if answer.status == 404:
        return None
    _expect(answer, 200, f"reading {name.name}")
    return {"mediaType": answer.headers.get("Content-Type") or OCI_MANIFEST, **_measure(answer.body)}


def _put_blob(http: RegistryHttp, name: Reference, content: bytes) -> Descriptor:
    measured = _measure(content)
    blobs = f"/v2/{name.repository}/blobs"
    if http.request("HEAD", f"{blobs}/{measured['digest']}", write=True).status == 200:
        return measured
    begun = http.request("POST", f"{blobs}/uploads/", write=True)
    _expect(begun, 202, f"starting an upload to {name.name}")
    done = http.request(
        "PUT",
        begun.headers.get("Location") or "",
        query={"digest": str(measured["digest"])},
        headers={"Content-Type": "application/octet-stream"},
        body=content,
        write=True,
    )
    _expect(done, 201, f"uploading to {name.name}")
    return measured


def _put_manifest(http: RegistryHttp, name: Reference, which: str, manifest: bytes, media_type: str) -> Answer:
    answer = http.request(
        "PUT",
        f"/v2/{name.repository}/manifests/{which}",
        headers={"Content-Type": media_type},
        body=manifest,
        write=True,
    )
    _expect(answer, 201, f"writing a manifest to {name.name}")
    return answer


def _list_under_tag(http: RegistryHttp, name: Reference, entry: Descriptor) -> None:
    """Add an entry to the index under the tag for the referrers of an image."""
    tag = _referrers_tag(name)
    entries = _tagged(http, name)
    if any(known["digest"] == entry["digest"] for known in entries):
        return
    index = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [*entries, entry]}
    _put_manifest(http, name, tag, _canonical(index), OCI_INDEX)


def _referrers(http: RegistryHttp, name: Reference, artifact_type: str) -> list[Descriptor]:
    answer = http.request(
        "GET",
        f"/v2/{name.repository}/referrers/{name.digest}",
        query={"artifactType": artifact_type},
        headers={"Accept": OCI_INDEX},
    )
    if answer.status == 200 and (answer.headers.get("Content-Type") or "").startswith(OCI_INDEX):
        return _entries(answer.body)
    if answer.status in {400, 404, 405}:
        return _tagged(http, name)
    _expect(answer, 200, f"reading the referrers of {name.name}")
    return []


def _tagged(http: RegistryHttp, name: Reference) -> list[Descriptor]:
    answer = http.request(
        "GET", f"/v2/{name.repository}/manifests/{_referrers_tag(name)}", headers={"Accept": OCI_INDEX}
    )
    if answer.status == 404:
        return []
    _expect(answer, 200, f"reading the referrers of {name.name}")
    return _entries(answer.body)


def _referrers_tag(name: Reference) -> str:
    return (name.digest or "").replace(":", "-", 1)


def _entries(index: bytes) -> list[Descriptor]:
    try:
        return [entry for entry in json.loads(index).get("manifests") or [] if isinstance(entry.get("digest"), str)]
    except (ValueError, AttributeError) as error:
        raise RegistryError("the registry's list of referrers cannot be parsed") from error


def _get_json(http: RegistryHttp, name: Reference, path: str, digest: str) -> dict[str, Any]:
    try:
        found = json.loads(_get(http, name, path, digest))
    except ValueError as error:
        raise RegistryError(f"{name.at(digest)} is not a manifest") from error
    return found if isinstance(found, dict) else {}


def _get(http: RegistryHttp, name: Reference, path: str, digest: str) -> bytes:
    """A manifest or a blob, checked against its digest."""
    answer = http.request("GET", f"/v2/{name.repository}/{path}", headers={"Accept": f"{_MANIFESTS}, */*"})
    _expect(answer, 200, f"reading {name.at(digest)}")
    if _measure(answer.body)["digest"] != digest:
        raise RegistryError(
            f"the content that the registry returned for {name.at(digest)} has another digest",
            hint="A proxy may modify what the registry sends, or the registry's storage is damaged.",
        )
    return answer.body


def _expect(answer: Answer, status: int, doing: str) -> None:
    if answer.status != status:
        text = " ".join(answer.body[:500].decode("utf-8", "replace").split())
        raise RegistryPushError(f"{doing} failed: the registry answered {answer.status}", detail=text)


def _measure(content: bytes) -> Descriptor:
    return {"digest": f"sha256:{hashlib.sha256(content).hexdigest()}", "size": len(content)}


def _canonical(manifest: dict[str, Any]) -> bytes:
    return json.dumps(manifest, sort_keys=True, separators=(",", ":")).encode()
