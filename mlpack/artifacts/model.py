"""ModelInfo, the description of a model that is read from its file without running it, and its parts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Literal

from mlpack.artifacts.notice import Notice

Verdict = Literal["safe", "unknown", "dangerous"]
Layout = Literal["columns", "matrix", "tensors"]
Task = Literal["classifier", "regressor", "clusterer", "transformer", "outlier_detector"]
# The rows of one call of a model: any number, exactly one (axis 0 is a batch of 1), or one row without a row axis.
Batch = Literal["any", "one", "none"]
UnknownCategories = Literal["", "missing", "refused"]
Scalar = str | int | float | bool | None
# The part that an object of a bundle plays beside a model; `undecided` for what may take part, "" for what does not.
Role = Literal[
    "model", "vectorizer", "preprocessor", "column_encoders", "label_encoder", "threshold", "target_scaler", "columns",
    "undecided", "",
]  # fmt: skip

# Open Inference Protocol V2, "Tensor Data Types"
DTYPES = (
    "BOOL", "INT8", "INT16", "INT32", "INT64", "UINT8", "UINT16", "UINT32", "UINT64", "FP16", "FP32", "FP64", "BYTES",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class TensorSpec:
    """A named tensor: `dtype` is an Open Inference V2 name; `shape` holds ints, -1 or a symbol; axis 0 is rows.

    The symbol `...` at the end of an output's shape means that there may be further axes, which the file does not record.
    """

    name: str
    dtype: str
    shape: tuple[int | str, ...]

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> TensorSpec:
        """The spec in a card; raises KeyError, TypeError for anything else."""
        return cls(name=str(document["name"]), dtype=str(document["dtype"]), shape=tuple(document["shape"]))

    def to_json(self) -> dict[str, Any]:
        """The spec as plain JSON values."""
        return {"name": self.name, "dtype": self.dtype, "shape": list(self.shape)}


def texts_of(specs: tuple[TensorSpec, ...]) -> tuple[str, ...]:
    """The names of the tensors of texts or bytes."""
    return tuple(spec.name for spec in specs if spec.dtype == "BYTES")


@dataclass(frozen=True, kw_only=True)
class Signature:
    """One way to call a model.

    `layout: columns` is one 1-D tensor per column, in the model's column order; `matrix` is one 2-D tensor, whose columns
    are named by `columns` if the file records them; `tensors` is any named tensors. `classes` are a classifier's labels in
    the order of its probabilities. `categories` holds, by column name, the values that the model's encoder knows;
    `unknown_categories` says what the model makes of any other value of these columns: it counts as `missing`, or is
    `refused`; "" if that depends on the model. `assumed` are columns whose data type the file does not record: numbers are
    assumed. `trained_columns` are all columns of training in their order, if the model drops some of them: requests may
    hold the dropped ones too. `not_null` are BYTES inputs in which the model takes no missing value, and `whole_as_text`
    those in which a whole number stands for its text.
    `raw` are the inputs and outputs whose rows are any JSON values, passed on unchanged (declared as BYTES: their text).
    With `objects`, they are flat JSON objects with any keys. `dates` are the BYTES columns whose texts are ISO 8601 dates,
    each with its time zone ("" if its dates have none). `example` holds, by column, a value that the model can take, and
    `sizes`, by tensor, the sizes of one row, for rows that are made without a sample.
    The first output is the prediction. `batchable`: rows do not depend on each other, so requests can be batched.
    `batch` is the form of one call of the loader: `any` number of rows; `one` row as a batch of 1; or, with `none`, the
    tensors of one row without a row axis. In all three, axis 0 of the specs is rows, as in the service.
    """

    name: str
    method: str
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    layout: Layout
    classes: tuple[Scalar, ...] | None = None
    columns: tuple[str, ...] = ()
    categories: Mapping[str, tuple[Scalar, ...]] = field(default_factory=dict)
    assumed: tuple[str, ...] = ()
    unknown_categories: UnknownCategories = ""
    trained_columns: tuple[str, ...] = ()
    not_null: tuple[str, ...] = ()
    whole_as_text: tuple[str, ...] = ()
    raw: tuple[str, ...] = ()
    objects: bool = False
    dates: Mapping[str, str] = field(default_factory=dict)
    example: Mapping[str, Any] = field(default_factory=dict)
    sizes: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    batchable: bool = False
    batch: Batch = "any"

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Signature:
        """The signature in a card; raises KeyError, TypeError for anything else."""
        values: dict[str, Any] = {one.name: document[one.name] for one in fields(cls) if one.name in document}
        for name in ("inputs", "outputs"):
            values[name] = tuple(TensorSpec.from_json(one) for one in document[name])
        values["categories"] = {name: tuple(known) for name, known in (document.get("categories") or {}).items()}
        values["sizes"] = {name: tuple(sizes) for name, sizes in (document.get("sizes") or {}).items()}
        plain: dict[str, Any] = {name: tuple(one) if isinstance(one, list) else one for name, one in values.items()}
        return cls(**plain)

    def to_json(self) -> dict[str, Any]:
        """The signature as plain JSON values (keys sorted by meaning, not by name)."""
        return {
            "name": self.name,
            "method": self.method,
            "layout": self.layout,
            "inputs": [spec.to_json() for spec in self.inputs],
            "outputs": [spec.to_json() for spec in self.outputs],
            "classes": None if self.classes is None else list(self.classes),
            "columns": list(self.columns),
            "categories": {name: list(values) for name, values in self.categories.items()},
            "assumed": list(self.assumed),
            **({"unknown_categories": self.unknown_categories} if self.unknown_categories else {}),
            **({"trained_columns": list(self.trained_columns)} if self.trained_columns else {}),
            **({"not_null": list(self.not_null)} if self.not_null else {}),
            **({"whole_as_text": list(self.whole_as_text)} if self.whole_as_text else {}),
            **({"raw": list(self.raw)} if self.raw else {}),
            **({"objects": True} if self.objects else {}),
            **({"dates": dict(self.dates)} if self.dates else {}),
            **({"example": dict(self.example)} if self.example else {}),
            **({"sizes": {name: list(sizes) for name, sizes in self.sizes.items()}} if self.sizes else {}),
            "batchable": self.batchable,
            **({"batch": self.batch} if self.batch != "any" else {}),
        }


@dataclass(frozen=True, kw_only=True)
class Finding:
    """A callable that loading the file would call and that is not on the allowlist, with the reason.

    `unread`: in place of a callable, a file that was not read to its end.
    """

    callable: str
    why: str
    verdict: Verdict
    unread: bool = False

    def to_json(self) -> dict[str, Any]:
        """The finding as plain JSON values."""
        return {"callable": self.callable, "why": self.why, "verdict": self.verdict}


@dataclass(frozen=True, kw_only=True)
class Safety:
    """The verdict on a file. A file that was not read to its end is never `safe`."""

    verdict: Verdict
    findings: tuple[Finding, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """The verdict as plain JSON values."""
        return {"verdict": self.verdict, "findings": [finding.to_json() for finding in self.findings]}


@dataclass(frozen=True, kw_only=True)
class Requirement:
    """A distribution that the model needs: `module` is the file's name for it, `version` the version that it records.

    With `newest`, if no version is recorded, the newest one that `constraint` allows can read the file. A constraint `<=X` then
    means that the file is of the time of X, so that its dependencies should be too. `reads` is what it reads in place of, with
    its version, if the file records that: tf-keras reads the files of Keras 2.
    """

    module: str
    distribution: str
    version: str | None = None
    constraint: str = ""  # a specifier beside the version, such as "<2"
    newest: bool = False
    reads: str = ""

    def to_json(self) -> dict[str, Any]:
        """The requirement as plain JSON values."""
        return {
            "module": self.module,
            "distribution": self.distribution,
            "version": self.version,
            "constraint": self.constraint,
        }


@dataclass(frozen=True, kw_only=True)
class Content:
    """An object in a file, or a file in a folder: `key` is its place, `kind` its class (dotted name) or type."""

    key: str
    kind: str
    servable: bool = False
    detail: str = ""
    role: Role = ""

    def to_json(self) -> dict[str, Any]:
        """The content as plain JSON values."""
        found = {"key": self.key, "kind": self.kind, "servable": self.servable, "detail": self.detail}
        return {**found, "role": self.role} if self.role else found


@dataclass(frozen=True, kw_only=True)
class OwnClass:
    """The class of a model that no known package defines: its source, if the user includes it, decides how it is called.

    `name` is the dotted name in the file. `signatures` has one for each method that such a class may have; the source tells
    which it has. `arguments` are the input tensors if the method takes the values of a sample row one by one; their names
    are the keys of the sample rows, or "" if the rows are lists.
    """

    name: str
    signatures: tuple[Signature, ...] = ()
    arguments: tuple[TensorSpec, ...] = ()


@dataclass(frozen=True, kw_only=True)
class ModelInfo:
    """The description of a model file: kind, inputs and outputs, requirements, verdict. `inspect` returns it.

    `path` is not part of the card; `size` is in bytes; `details` are facts that only one format has, as JSON values;
    `missing_modules` are modules of no known distribution (`__main__`, the user's own code). `packed` is the file or folder
    in the archive at `path` that is the model ("" for the whole archive), None if `path` itself is the model. `options` are
    for the loader; `excludes` are distributions that others require and that are never installed; `apt` are Debian packages;
    `locales` are glibc names (`en_US.UTF-8`) of languages whose rules the model uses; `companions` are further files of the
    model, relative to its folder; `sample` holds rows that are stored with the model; `advice` is the remedy for a model
    that cannot be served as it is. `names` are all names in the file that loading it resolves, by kind: `globals` of pickles
    (`module:qualified.name`), `types`, `operators`. The card lists them under `guard`, which allows no others in the image.
    Names of `framework_modules` (top-level modules) are not trusted, even if `requirements:` names their package.
    `own_class` is set if the class that answers is of no known package. `role` is the part that the object would play
    in a folder of several files; `parts` are the files of such a folder, by name, and no part of the card.
    `submodules` are the attributes that a class must set to take the weights in the file.
    `runtime_part` is the optional part of the serving runtime that answers in place of a model, "" for a model.
    """

    path: Path
    format: str
    framework: str | None
    framework_version: str | None
    root_class: str
    task: Task | None
    signatures: tuple[Signature, ...]
    safety: Safety
    size: int
    requirements: tuple[Requirement, ...] = ()
    missing_modules: tuple[str, ...] = ()
    contents: tuple[Content, ...] = ()
    entry: str | None = None
    steps: tuple[tuple[str, str], ...] = ()
    methods: tuple[str, ...] = ()
    n_features_in: int | None = None
    feature_names: tuple[str, ...] = ()
    classes: tuple[Scalar, ...] | None = None
    numpy_major: int | None = None
    protocol: int | None = None
    compression: str | None = None
    notices: tuple[Notice, ...] = ()
    details: Mapping[str, Any] = field(default_factory=dict)
    packed: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    excludes: tuple[str, ...] = ()
    apt: tuple[str, ...] = ()
    locales: tuple[str, ...] = ()
    companions: tuple[str, ...] = ()
    sample: tuple[Any, ...] = ()
    advice: str = ""
    names: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    framework_modules: tuple[str, ...] = ()
    own_class: OwnClass | None = None
    runtime_part: str = ""
    role: Role = ""
    parts: Mapping[str, ModelInfo] = field(default_factory=dict)
    submodules: tuple[str, ...] = ()

    @property
    def warnings(self) -> tuple[str, ...]:
        """The texts of the notices."""
        return tuple(notice.text for notice in self.notices)

    @property
    def servable(self) -> tuple[Content, ...]:
        """The objects in the file that can be served alone, models first."""
        found = [content for content in self.contents if content.servable]
        return tuple(sorted(found, key=lambda content: content.role not in ("model", "")))

    def to_json(self) -> dict[str, Any]:
        """The part of the card that depends only on the file: the same on every host, so without the path."""
        return {
            "format": self.format,
            "framework": self.framework,
            "framework_version": self.framework_version,
            "root_class": self.root_class,
            "task": self.task,
            "entry": self.entry,
            "steps": [{"name": name, "class": class_} for name, class_ in self.steps],
            "methods": list(self.methods),
            "n_features_in": self.n_features_in,
            "feature_names": list(self.feature_names),
            "classes": None if self.classes is None else list(self.classes),
            "signatures": [signature.to_json() for signature in self.signatures],
            "requirements": [requirement.to_json() for requirement in self.requirements],
            "missing_modules": list(self.missing_modules),
            "contents": [content.to_json() for content in self.contents],
            "numpy_major": self.numpy_major,
            "protocol": self.protocol,
            "compression": self.compression,
            "size": self.size,
            "safety": self.safety.to_json(),
            "warnings": list(self.warnings),
            "details": dict(self.details),
            "guard": {kind: sorted(names) for kind, names in sorted(self.names.items())},
        }
