"""What is known of a member before it is called: from its model file, the card of its image, or the service itself."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from mlpack.artifacts.model import ModelInfo, Signature, TensorSpec
from mlpack.ensembles.facts import LABELS, MemberFacts
from mlpack.ensembles.file import MemberEntry
from mlpack.errors import MemberUnreachableError, ModelError, UsageError
from mlpack.http import CertificateError, Connection, UnansweredError, send

PORT = 8080  # of a member's container
_MOST_BYTES = 8 * 1024**2
_TIMEOUT_S = 10.0
_PATH = re.compile(
    r"(?P<root>.*?)/(?P<contract>v[12])/models/(?P<model>[^/:]+)(/versions/(?P<version>[^/:]+))?(/infer|:predict)?/?"
)
_V1_TYPES = {
    "DT_FLOAT": "FP32",
    "DT_DOUBLE": "FP64",
    "DT_INT32": "INT32",
    "DT_INT64": "INT64",
    "DT_STRING": "BYTES",
    "DT_BOOL": "BOOL",
}


def of_model(entry: MemberEntry, info: ModelInfo, name: str) -> MemberFacts:
    """The facts of a model file; `name` is that of its service. Raises ModelError for one without a signature."""
    if not info.signatures:
        raise ModelError(
            f"the member {entry.name} cannot be served as it is: mlpack does not know its inputs",
            hint=f"`mlpack inspect {info.path}` says what it needs; put that into an mlpack.yaml beside the model.",
        )
    return MemberFacts(entry=entry, signatures=info.signatures, url=_inside(entry), model=name)


def of_card(entry: MemberEntry, card: Mapping[str, Any]) -> MemberFacts:
    """The facts in the card of an image. Raises ModelError for a card that is none of mlpack's."""
    if card.get("format") == "ensemble":
        raise UsageError(
            f"the image of the member {entry.name} is the coordinator of an ensemble, and needs members of its own",
            hint="Deploy that ensemble first, and name its URL here.",
        )
    return MemberFacts(entry=entry, signatures=_signatures(entry, card), url=_inside(entry), model=str(card["name"]))


def of_url(entry: MemberEntry, connection: Connection | None = None) -> MemberFacts:
    """The facts that a running service tells: in its card if it is mlpack's, else in the metadata of V2 or V1.

    Raises MemberUnreachableError when it does not answer, UsageError when it tells too little.
    """
    assert entry.url is not None  # noqa: S101 - checked by the caller
    service = _Service(entry, connection or Connection(timeout_s=_TIMEOUT_S))
    root, named = _root(entry.url)
    card = service.get(f"{root}/")
    if isinstance(card, dict) and card.get("signatures") and (named is None or card.get("name") == named["model"]):
        return MemberFacts(
            entry=entry, signatures=_signatures(entry, card), url=root, model=str(card["name"]),
            ensemble=card.get("format") == "ensemble",
        )  # fmt: skip
    contract = named["contract"] if named else "v2"
    model = named["model"] if named else _only_model(service.get(f"{root}/v2/models"), entry)
    version = (named["version"] or "") if named else ""
    place = f"{root}/{contract}/models/{model}" + (f"/versions/{version}" if version else "")
    metadata = service.get(place if contract == "v2" else f"{place}/metadata")
    signature = _of_v2(metadata) if contract == "v2" else _of_v1(metadata)
    if signature is None:
        raise UsageError(
            f"the member {entry.name}: {place} does not tell the model's inputs and outputs",
            hint="Name the model in the URL (https://host/v2/models/NAME), or serve it with mlpack.",
        )
    told = service.get(f"{root}/v2") if contract == "v2" else None
    extensions = told.get("extensions") if isinstance(told, dict) else None
    return MemberFacts(
        entry=entry,
        signatures=(signature,),
        url=root,
        model=model,
        version=version,
        contract=contract,
        methods=False,
        binary=isinstance(extensions, list) and "binary_tensor_data" in extensions,
    )


def of_silent_url(entry: MemberEntry, signatures: tuple[Signature, ...]) -> MemberFacts:
    """A service that does not answer now, taken for one of mlpack's with these signatures. Raises UsageError."""
    assert entry.url is not None  # noqa: S101 - checked by the caller
    root, named = _root(entry.url)
    if named is None:
        raise UsageError(
            f"the member {entry.name} does not answer, and its URL does not tell which model is meant",
            hint="Add it to the URL: https://host/v2/models/NAME.",
        )
    return MemberFacts(
        entry=entry,
        signatures=signatures,
        url=root,
        model=named["model"],
        version=named["version"] or "",
        contract=named["contract"],
    )


def _root(url: str) -> tuple[str, re.Match[str] | None]:
    """The root of the service in a URL, and the parts of the model's path, if it names one."""
    parts = urlsplit(url)
    named = _PATH.fullmatch(parts.path)
    return f"{parts.scheme}://{parts.netloc}{named['root'] if named else parts.path.rstrip('/')}", named


def _inside(entry: MemberEntry) -> str:
    """The URL of a member's container on the network of the ensemble."""
    return f"http://{entry.name}:{PORT}"


def _signatures(entry: MemberEntry, card: Mapping[str, Any]) -> tuple[Signature, ...]:
    try:
        found = tuple(Signature.from_json(one) for one in card["signatures"])
    except (KeyError, TypeError, AttributeError) as error:
        raise ModelError(
            f"the card of the member {entry.name} has no valid signatures: {error}",
            hint="Build its image with this version of mlpack.",
        ) from error
    if not found:
        raise ModelError(f"the card of the member {entry.name} has no signatures", hint="Build its image again.")
    return found


class _Service:
    """A running service that is asked for its metadata."""

    def __init__(self, entry: MemberEntry, connection: Connection) -> None:
        self._entry = entry
        self._connection = connection

    def get(self, url: str) -> Any:
        """The JSON at the URL, None for anything else; raises UsageError when nothing answers."""
        try:
            with send(url, self._connection, headers={"Accept": "application/json"}) as answer:
                body = answer.read(_MOST_BYTES)
                status = answer.status
        except (UnansweredError, CertificateError, OSError) as error:
            raise MemberUnreachableError(
                f"the member {self._entry.name} does not answer at {url}: {error}",
                hint="Start the service, or correct the URL; --offline skips this check.",
            ) from error
        if status in (401, 403):
            raise MemberUnreachableError(
                f"the member {self._entry.name} answers {status} at {url}: this machine may not send requests to it",
                hint="Allow this machine's requests, or use --offline, which skips this check. For a private Cloud Run service "
                "add `audience:` with its URL to the member.",
            )
        try:
            return json.loads(body) if status == 200 else None
        except ValueError:
            return None


def _only_model(listed: Any, entry: MemberEntry) -> str:
    models = listed.get("models") if isinstance(listed, dict) else None
    if isinstance(models, list) and len(models) == 1:
        return str(models[0])
    offered = f" It has {', '.join(map(str, models))}." if isinstance(models, list) and models else ""
    raise UsageError(
        f"the member {entry.name}: {entry.url} does not tell which model is meant.{offered}",
        hint="Add it to the URL: https://host/v2/models/NAME.",
    )


def _of_v2(metadata: Any) -> Signature | None:
    """The signature in V2's model metadata."""
    try:
        inputs, outputs = (
            tuple(
                TensorSpec(name=str(one["name"]), dtype=str(one["datatype"]), shape=(-1, *one["shape"][1:]))
                for one in metadata[key]
            )
            for key in ("inputs", "outputs")
        )
    except (KeyError, TypeError, IndexError):
        return None
    return _signature(inputs, outputs)


def _of_v1(metadata: Any) -> Signature | None:
    """The default signature in TensorFlow Serving's model metadata."""
    try:
        found = metadata["metadata"]["signature_def"]["signature_def"]["serving_default"]
        inputs, outputs = (
            tuple(
                TensorSpec(
                    name=str(name),
                    dtype=_V1_TYPES[one["dtype"]],
                    shape=(-1, *(int(size["size"]) for size in one["tensor_shape"]["dim"][1:])),
                )
                for name, one in found[key].items()
            )
            for key in ("inputs", "outputs")
        )
    except (KeyError, TypeError, ValueError):
        return None
    return _signature(inputs, outputs)


def _signature(inputs: tuple[TensorSpec, ...], outputs: tuple[TensorSpec, ...]) -> Signature | None:
    if not inputs or not outputs:
        return None
    layout = "columns" if len(inputs) > 1 and all(len(one.shape) == 1 for one in inputs) else "tensors"
    if len(inputs) == 1 and len(inputs[0].shape) == 2 and inputs[0].dtype != "BYTES":
        layout = "matrix"
    return Signature(name=LABELS, method=LABELS, inputs=inputs, outputs=outputs, layout=layout)  # type: ignore[arg-type]
