"""The card at /app/model.json as the runtime reads it: Card, Signature, TensorSpec."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Dict, List, Mapping, Optional, Tuple, Union

from .errors import CardError

# Open Inference Protocol V2, "Tensor Data Types"
DTYPES = frozenset(
    "BOOL INT8 INT16 INT32 INT64 UINT8 UINT16 UINT32 UINT64 FP16 FP32 FP64 BYTES".split()  # noqa: SIM905 - one line
)
LAYOUTS = ("columns", "matrix", "tensors")


@dataclass(frozen=True)
class TensorSpec:
    """A named tensor: `dtype` is an Open Inference V2 name; `shape` holds ints, -1 or a symbol; axis 0 is rows."""

    name: str
    dtype: str
    shape: Tuple[Union[int, str], ...]

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> TensorSpec:
        """The spec that the card says; raises ValueError for an unknown dtype."""
        if document["dtype"] not in DTYPES:
            raise ValueError(f"tensor {document['name']!r} has the unknown dtype {document['dtype']!r}")
        return cls(str(document["name"]), document["dtype"], tuple(document["shape"]))


@dataclass(frozen=True, eq=False)  # compared by identity: it is a key on the hot path, and holds a dict
class Signature:
    """One way to call the model; attributes as in the card (`layout` is columns, matrix or tensors).

    `batch` is how many rows the loader is given at a call: any, one (a batch of 1), or none (a row without its axis).
    """

    name: str
    method: str
    layout: str
    inputs: Tuple[TensorSpec, ...]
    outputs: Tuple[TensorSpec, ...]
    classes: Optional[Tuple[Any, ...]]
    columns: Tuple[str, ...]
    categories: Mapping[str, Tuple[Any, ...]]
    batchable: bool
    assumed: Tuple[str, ...] = ()  # columns whose dtype is not in the file
    unknown_categories: str = ""  # what a value beside `categories` is: missing, refused, or "" for the model to decide
    trained_columns: Tuple[str, ...] = ()  # all columns of training, where the model drops some of them
    not_null: Tuple[str, ...] = ()  # BYTES inputs without missing values
    whole_as_text: Tuple[str, ...] = ()  # BYTES inputs in which a whole number stands for its text
    raw: Tuple[str, ...] = ()  # inputs and outputs whose rows are any JSON values
    objects: bool = False  # those rows are flat JSON objects with any keys
    dates: Mapping[str, str] = field(default_factory=dict)  # columns of ISO 8601 texts: the time zone, "" for none
    example: Mapping[str, Any] = field(default_factory=dict)  # by column, a value that the model can take
    sizes: Mapping[str, Tuple[int, ...]] = field(default_factory=dict)  # by tensor, the sizes of one made-up row
    batch: str = "any"

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Signature:
        """The signature that the card says; raises ValueError, KeyError for one that cannot be."""
        if document["layout"] not in LAYOUTS:
            raise ValueError(f"signature {document['name']!r} has the unknown layout {document['layout']!r}")
        if not document["inputs"]:
            raise ValueError(f"signature {document['name']!r} has no inputs")
        classes = document.get("classes")
        return cls(
            name=str(document["name"]),
            method=str(document["method"]),
            layout=document["layout"],
            inputs=tuple(TensorSpec.from_json(spec) for spec in document["inputs"]),
            outputs=tuple(TensorSpec.from_json(spec) for spec in document["outputs"]),
            classes=None if classes is None else tuple(classes),
            columns=tuple(document.get("columns") or ()),
            categories={name: tuple(values) for name, values in (document.get("categories") or {}).items()},
            assumed=tuple(document.get("assumed") or ()),
            unknown_categories=str(document.get("unknown_categories") or ""),
            trained_columns=tuple(document.get("trained_columns") or ()),
            not_null=tuple(document.get("not_null") or ()),
            whole_as_text=tuple(document.get("whole_as_text") or ()),
            raw=tuple(document.get("raw") or ()),
            objects=bool(document.get("objects")),
            dates=dict(document.get("dates") or {}),
            example=dict(document.get("example") or {}),
            sizes={name: tuple(sizes) for name, sizes in (document.get("sizes") or {}).items()},
            batch=str(document.get("batch") or "any"),
            batchable=bool(document.get("batchable")),
        )


@dataclass(frozen=True)
class Card:
    """What the image says of its model. `document` is the whole card; `model` the file or folder it lies in.

    `folder` is where the card itself lies.
    """

    name: str
    version: Optional[str]
    model: Path
    options: Mapping[str, Any]
    sample: Optional[List[Any]]
    signatures: Tuple[Signature, ...]
    document: Dict[str, Any]
    folder: Path = Path()

    @classmethod
    def read(cls, path: Path) -> Card:
        """The card at `path`; the model's path is relative to the card's folder.

        Raises:
            CardError: no card, not JSON, or not a card.
        """
        try:
            document = json.loads(path.read_text(encoding="utf-8"))
            signatures = tuple(Signature.from_json(one) for one in document["signatures"])
            if not signatures:
                raise ValueError("it has no signatures")  # noqa: TRY301 - reported like the others below
            model = path.parent / document["model"]["file"]
            if not model.exists():
                raise ValueError(f"its model {document['model']['file']} is not there")  # noqa: TRY301 - the same
            return cls(
                name=str(document["name"]),
                version=document.get("version"),
                model=model,
                options=document.get("options") or {},
                sample=document.get("sample"),
                signatures=signatures,
                document=document,
                folder=path.parent,
            )
        except OSError as error:
            raise CardError(f"the card {path.name} cannot be read: {error.strerror}") from error
        except KeyError as error:
            raise CardError(f"the card {path.name} lacks {error}") from error
        except (ValueError, TypeError, AttributeError) as error:
            raise CardError(f"the card {path.name} does not fit: {error}") from error

    def led_by(self, name: Optional[str]) -> Card:
        """This card with the signature of that name first; raises CardError when there is none."""
        if name is None:
            return self
        chosen = next((one for one in self.signatures if one.name == name), None)
        if chosen is None:
            offered = ", ".join(one.name for one in self.signatures)
            raise CardError(f"the card has no signature {name!r}; it has {offered}")
        return replace(self, signatures=(chosen, *(one for one in self.signatures if one is not chosen)))

    def sample_for(self, signature: Signature) -> List[Any]:
        """The card's sample rows where they fit the signature, else an empty list."""
        return self.sample if self.sample and signature.inputs == self.signatures[0].inputs else []

    def signature(self, method: Optional[str]) -> Optional[Signature]:
        """The signature of that name or method, the first for None; None when there is none."""
        if method is None:
            return self.signatures[0]
        for signature in self.signatures:
            if method in (signature.name, signature.method):
                return signature
        return None
