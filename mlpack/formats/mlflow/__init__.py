"""The MLflow format: a folder with an MLmodel file, served by its flavour's format with MLflow's versions and columns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import PurePosixPath
from typing import Any

from mlpack.artifacts.model import ModelInfo, Requirement, Safety, Signature
from mlpack.artifacts.notice import NoticeCode
from mlpack.errors import UnreadableModelError
from mlpack.formats.base import Artifact, Format, Kind
from mlpack.formats.mlflow.examples import example_of, fits
from mlpack.formats.mlflow.pins import pinned, pins_of
from mlpack.formats.mlflow.signatures import overlaid, signature_of
from mlpack.readers.distributions import DISTRIBUTIONS
from mlpack.readers.encodings.yaml_text import read_yaml
from mlpack.readers.limits import CutOffError
from mlpack.readers.paths import shown
from mlpack.templating import render

MLMODEL = "MLmodel"
_LONGEST = 1 << 20
_LONGEST_WORD = 1000
# A flavour's keys for the model's file or folder; earlier flavours are preferred.
_FLAVOURS = {
    "sklearn": ("pickled_model",), "xgboost": ("data",), "lightgbm": ("data",), "catboost": ("data",),
    "statsmodels": ("data",), "onnx": ("data",), "keras": ("data",), "tensorflow": ("saved_model_dir", "data"),
    "pytorch": ("model_data", "data"),
}  # fmt: skip
# If a flavour names a folder: the model in it (the first name that exists); "" is the folder itself.
_INSIDE = {
    "pytorch": ("model.pt2", "model.pth"),
    "keras": ("model.keras", "model.h5", "model"),
    "tensorflow": ("tfmodel", "model.keras", "model.h5", "model", ""),
}
_PYFUNC = "python_function"
_OWN = "write a predictor of your own that loads it, and name it in mlpack.yaml: `predictor: predict.py`"


class MLflowFormat(Format):
    """Folders of MLflow's `save_model` and model artifacts of its runs."""

    name = "mlflow"
    stands_for_its_folder = MLMODEL
    loader = None  # a flavour's model is served by its own format
    kinds = (
        Kind(
            name="MLflow model folder",
            reads="`MLmodel`: flavours, signature, versions of `requirements.txt`, input example",
            serves="by its flavour's format, without MLflow and conda",
            proof="tests/integration/test_boosters.py",
        ),
    )

    def inspect(self, artifact: Artifact) -> ModelInfo | None:
        """The model's description; None for a folder without an MLmodel. Raises UnreadableModelError for a broken one."""
        tree = artifact.tree
        if tree is None or MLMODEL not in tree or artifact.entry is not None or (artifact.packed and artifact.head):
            return None
        if tree.container != "folder" and artifact.packed is None:
            return None  # inspected again as the archive's content
        document = _document(artifact)
        listed = document.get("flavors")
        if not isinstance(listed, dict) or not listed:
            raise UnreadableModelError(
                f"the {MLMODEL} of {artifact.path.name} has no flavours.", hint="Save the model again with MLflow."
            )
        flavours = {str(name): value for name, value in listed.items() if isinstance(value, dict)}
        name, data = _chosen(artifact, flavours)
        if set(flavours) == {_PYFUNC}:
            return _pyfunc(artifact, document, flavours[_PYFUNC])
        if name is None or data is None:
            return _recognised(
                artifact, flavours, f"its flavours ({', '.join(sorted(flavours))}) need their own code to load: {_OWN}"
            )
        rows = example_of(tree, document)
        if tree.container == "folder":
            inner = artifact.inspect_path(artifact.path / data, rows) if artifact.inspect_path is not None else None
        else:
            inner = artifact.inside(data, rows) if artifact.inside is not None else None
            inner = replace(inner, packed=inner.packed or tree.prefix + data) if inner is not None else None
        if inner is None:
            return _recognised(artifact, flavours, f"{data} in it has an unknown format: {_OWN}")
        joined = _joined(artifact, inner, document, flavours[name], name)
        return replace(joined, sample=rows) if joined.signatures and fits(joined.signatures[0], rows) else joined

    def predictor_stub(self, info: ModelInfo) -> str | None:
        """The predict.py that loads a model with code of its own by MLflow."""
        if info.signatures or "call" not in info.details or "mlflow" not in info.details:
            return None
        return render("predict_pyfunc.py.j2", {"file": info.path.name, "inputs": info.details["call"]["inputs"]})


def _document(artifact: Artifact) -> Mapping[str, Any]:
    assert artifact.tree is not None  # noqa: S101 - checked by the caller
    try:
        document = read_yaml(artifact.tree.read(MLMODEL, _LONGEST).decode("utf-8"))
    except (CutOffError, UnicodeDecodeError) as error:
        raise UnreadableModelError(
            f"the {MLMODEL} of {artifact.path.name} is not valid YAML.",
            hint="Save the model again with MLflow.",
        ) from error
    return document if isinstance(document, dict) else {}


def _chosen(artifact: Artifact, flavours: Mapping[str, Mapping[str, Any]]) -> tuple[str | None, str | None]:
    """The flavour to serve and its model's name in the folder; (None, None) when no format can load a flavour."""
    for name, keys in _FLAVOURS.items():
        flavour = flavours.get(name)
        named = next((str(flavour[key]) for key in keys if flavour.get(key)), "") if flavour is not None else ""
        found = _inside(artifact, name, named) if named else None
        if found is not None:
            return name, found
    return None, None


def _inside(artifact: Artifact, flavour: str, named: str) -> str | None:
    assert artifact.tree is not None  # noqa: S101 - checked by the caller
    path = PurePosixPath(named)
    if path.is_absolute() or ".." in path.parts or "\\" in named:
        raise UnreadableModelError(
            f"the {MLMODEL} of {artifact.path.name} names a model outside its folder: {named[:80]!r}.",
            hint="Do not use this folder unless you trust its author.",
        )
    if str(path) in artifact.tree:
        return str(path)
    names = artifact.tree.names
    for inner in _INSIDE.get(flavour, ("",)):
        whole = str(path / inner) if inner else str(path)
        if whole in artifact.tree or any(name.startswith(f"{whole}/") for name in names):
            return whole
    raise UnreadableModelError(
        f"the {MLMODEL} of {artifact.path.name} names {named[:80]!r}, which is not in the folder.",
        hint="Download the whole folder.",
    )


def _recognised(artifact: Artifact, flavours: Mapping[str, Any], advice: str) -> ModelInfo:
    return ModelInfo(
        path=artifact.path,
        format="mlflow",
        framework=None,
        framework_version=None,
        root_class=f"MLflow model ({', '.join(sorted(flavours))})",
        task=None,
        signatures=(),
        safety=Safety(verdict="unknown"),
        size=artifact.size,
        details={"mlflow": {"flavours": sorted(flavours)}},
        advice=f"This MLflow model cannot be served directly; {advice}.",
    )


def _pyfunc(artifact: Artifact, document: Mapping[str, Any], flavour: Mapping[str, Any]) -> ModelInfo:
    """A model with a class of its own, which MLflow loads: its columns, and the packages that it names and mlpack knows."""
    name = shown(artifact.path)
    advice = f"`mlpack init {name}` writes a predict.py that loads it by MLflow: check it, and build with --predictor"
    pins = pins_of(artifact.tree, _PYFUNC, flavour)
    known = {distribution: module for module, distribution in DISTRIBUTIONS.items()}
    mlflow = Requirement(module="mlflow", distribution="mlflow-skinny", version=pins.get("mlflow"))
    declared = signature_of(document.get("signature"))
    columns = declared is not None and declared.layout == "columns"
    inputs = {spec.name: spec.dtype for spec in declared.inputs} if declared is not None and columns else {}
    info = _recognised(artifact, {_PYFUNC: flavour}, f"it has code of its own. {advice}")
    return replace(
        info,
        details={**info.details, "call": {"inputs": inputs}},
        requirements=(
            mlflow,
            Requirement(module="pandas", distribution="pandas", version=pins.get("pandas")),
            *(
                Requirement(module=known[one], distribution=one, version=version)
                for one, version in sorted(pins.items())
                if one in known and one != "pandas"
            ),
        ),
    )


def _joined(
    artifact: Artifact, inner: ModelInfo, document: Mapping[str, Any], flavour: Mapping[str, Any], name: str
) -> ModelInfo:
    """The flavour's model with what the MLmodel adds: versions, columns and texts that the file does not record."""
    pins = pins_of(artifact.tree, name, flavour)
    declared = signature_of(document.get("signature"))
    signatures: tuple[Signature, ...] = tuple(overlaid(one, declared) for one in inner.signatures)
    if not signatures and declared is not None and inner.root_class and not inner.contents and not inner.advice:
        signatures = (declared,)
    requirements: tuple[Requirement, ...] = tuple(pinned(one, pins) for one in inner.requirements)
    own = next((one.version for one in requirements if one.distribution == inner.framework), None)
    example = document.get("saved_input_example_info")
    recorded = {
        "flavour": name,
        "flavours": sorted(map(str, document.get("flavors", {}))),
        "mlflow_version": str(document.get("mlflow_version", ""))[:_LONGEST_WORD],
        "input_example": str(example.get("artifact_path", ""))[:_LONGEST_WORD] if isinstance(example, dict) else "",
    }
    return replace(
        inner,
        framework_version=inner.framework_version or own,
        requirements=requirements,
        signatures=signatures,
        methods=inner.methods or tuple(one.name for one in signatures),
        details={**inner.details, "mlflow": recorded},
        notices=tuple(
            one for one in inner.notices if signatures == inner.signatures or one.code is not NoticeCode.NO_SIGNATURE
        ),
    )
