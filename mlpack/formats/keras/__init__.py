"""The Keras format, host half: .keras archives, .h5 files and weights files, read without Keras and h5py."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice
from pathlib import Path
from types import MappingProxyType
from typing import Any

from mlpack.artifacts.model import ModelInfo
from mlpack.artifacts.notice import Notice, assumed, code_missing, notices
from mlpack.errors import UnreadableModelError
from mlpack.formats.base import Artifact, Format, Kind, stub_for_weights
from mlpack.formats.keras.architecture import Architecture, architecture
from mlpack.formats.keras.files import KerasFile, read_architecture, read_archive, read_hdf5
from mlpack.formats.keras.judging import Judged, judge
from mlpack.formats.keras.packages import Needs, needs_of
from mlpack.formats.keras.sampled import with_sample
from mlpack.formats.keras.signatures import signature_of
from mlpack.readers.hdf5 import MAGIC
from mlpack.readers.limits import CutOffError
from mlpack.readers.pickles.bytecode import KNOWN

_AGAIN = "Save the model again, or fetch the file again."
_WEIGHTS = (
    "The file holds weights without their model: save the whole model (`model.save('model.keras')`), or "
    "write a predictor whose load() builds the model and calls `load_weights`; `mlpack init` writes a template for it."
)
_ALONE = "The file describes a model and holds no weights: save the whole model (`model.save('model.keras')`), and pack that."
_SHAPELESS = (
    "The file does not record the model's inputs: give a few rows with --sample rows.json (a list with a row each, or records "
    "if the model takes a dictionary); or call the model once before saving it, or add an Input layer."
)
_MOST_WEIGHTS = 200
_WEIGHTS_ALONE = "keras_weights"  # `kind` in the details
_MODULES = ("keras", "tf_keras", "tensorflow")


class KerasFormat(Format):
    """Models and weights that Keras 2 or 3 saved, as a .keras archive (also unzipped) or as HDF5."""

    name = "keras"
    loader = Path(__file__).with_name("loader")
    suffixes = (".keras", ".h5", ".hdf5")
    suffixes_in_archives = (".json",)
    pickle_suffixes = MappingProxyType({"zip": (".keras",)})
    frameworks = MappingProxyType({"tensorflow": "tensorflow", "keras": "keras"})
    kinds = (
        Kind(
            name="Keras `.keras`, `.h5`",
            reads="layers, inputs and outputs, version, custom classes, code in Lambda layers",
            serves="the recorded Keras 3 on tensorflow-cpu; tf-keras for files of Keras 2",
            proof="tests/integration/test_tensorflow_images.py",
        ),
        Kind(
            name="Keras weights without a model (`.weights.h5`)",
            reads="names, shapes and types of the weights",
        ),
        Kind(
            name="Keras architecture without weights (`to_json`)", reads="layers, custom classes, code in Lambda layers"
        ),
    )

    def inspect(self, artifact: Artifact) -> ModelInfo | None:
        """The model's description; None for other files. Raises UnreadableModelError for a broken model."""
        try:
            if artifact.head.startswith(MAGIC):
                found = read_hdf5(artifact)
            else:
                found = read_archive(artifact) or read_architecture(artifact)
            if found is None:
                return None
            return _weights(artifact, found) if found.config is None else _model(artifact, found, found.config)
        except (CutOffError, RecursionError, ValueError) as error:
            why = "it is nested too deeply" if isinstance(error, RecursionError) else str(error)
            raise UnreadableModelError(
                f"{artifact.name} cannot be read as a Keras model: {why}.",
                hint=_AGAIN,
                info={"format": "keras", "framework": "keras", "size": artifact.size},
            ) from error

    def predictor_stub(self, info: ModelInfo) -> str | None:
        """A predictor template for a weights file; the user adds the code that builds the model."""
        if info.details.get("kind") != _WEIGHTS_ALONE:
            return None
        keras = "tf_keras" if info.options.get("legacy") else "keras"
        return stub_for_weights("predict_keras_weights.py.j2", info, width_axis=0, keras=keras)


def _model(artifact: Artifact, found: KerasFile, config: Mapping[str, Any]) -> ModelInfo:
    model = with_sample(architecture(config), artifact.sample)
    judged = judge(config, found.escaping, found.outside, found.others)
    alone = found.container == "json"
    signature = None if alone else signature_of(model, own=bool(judged.own))
    needs = needs_of(found.version, artifact.framework)
    return ModelInfo(
        path=artifact.path,
        format="keras",
        framework="keras",
        framework_version=found.version,
        root_class=f"keras.{model.kind}" if not judged.own.get(model.kind) else model.kind,
        task=None,
        signatures=() if signature is None else (signature,),
        safety=judged.safety,
        size=artifact.size,
        requirements=needs.requirements,
        missing_modules=_missing(judged),
        steps=model.layers[:100],
        methods=("predict",),
        notices=notices(_warnings(found, judged, model)),
        details={**_details(found, model), **_by_value(judged)},
        options=_options(found, model, judged, needs),
        excludes=needs.excludes,
        names=judged.names,
        advice="" if signature else _ALONE if alone else _SHAPELESS,
        framework_modules=_MODULES,
    )


def _weights(artifact: Artifact, found: KerasFile) -> ModelInfo:
    needs = needs_of(found.version, artifact.framework)
    return ModelInfo(
        path=artifact.path,
        format="keras",
        framework="keras",
        framework_version=found.version,
        root_class="keras weights",
        task=None,
        signatures=(),
        safety=judge({}, found.escaping, found.outside).safety,
        size=artifact.size,
        requirements=needs.requirements,
        details=_details(found, None),
        options={"legacy": needs.legacy},
        excludes=needs.excludes,
        advice=_WEIGHTS,
        framework_modules=_MODULES,
    )


def _missing(judged: Judged) -> tuple[str, ...]:
    return tuple(sorted({path.rpartition(".")[0] for path in judged.own.values()}))


def _warnings(found: KerasFile, judged: Judged, model: Architecture) -> list[Notice | str]:
    warnings: list[Notice | str] = []
    if model.stateful:
        warnings.append(
            "Its recurrent layers are stateful. The state is reset before each call, so that a prediction does not depend on "
            "earlier requests: send a whole sequence as one row."
        )
    if judged.own:
        warnings.append(code_missing("Keras does not have", judged.own))
    if found.version is None and found.container != "json":
        warnings.append(assumed("The file does not record the Keras version; the newest one that fits is used."))
    if found.backend not in (None, "tensorflow"):
        warnings.append(
            f"It was saved with the {found.backend} backend of Keras and is served with the TensorFlow backend."
        )
    return warnings


def _details(found: KerasFile, model: Architecture | None) -> dict[str, Any]:
    details: dict[str, Any] = {"container": found.container, "parameters": found.parameters}
    if found.backend:
        details["backend"] = found.backend
    if model is not None:
        details["layers"] = len(model.layers)
    else:
        details["kind"] = _WEIGHTS_ALONE
        first = (one for one in found.weights if one[1].shape)
        details["first_tensors"] = {
            name: f"{one.dtype} {'x'.join(map(str, one.shape))}" for name, one in islice(first, 8)
        }
        shown = found.weights[:_MOST_WEIGHTS]
        details["weights"] = [{"name": name, "dtype": one.dtype, "shape": list(one.shape)} for name, one in shown]
        details["tensors"] = len(found.weights)
    if isinstance(loss := (found.training or {}).get("loss"), str):
        details["loss"] = loss
    return details


def _by_value(judged: Judged) -> dict[str, Any]:
    """The card's entry for code in Lambda layers: the Pythons that may have compiled it."""
    if judged.pythons is None:
        return {}
    return {"by_value": {"tool": "keras", "pythons": [one for one in KNOWN if one in judged.pythons]}}


def _options(found: KerasFile, model: Architecture, judged: Judged, needs: Needs) -> dict[str, Any]:
    return {
        "container": found.container,
        "legacy": needs.legacy,
        "named": model.named,
        **({"nested": model.nested} if model.nested is not None else {}),
        "outputs": [tensor.name for tensor in model.outputs],
        **({"own": dict(judged.own)} if judged.own else {}),
        **({"stateful": True} if model.stateful else {}),
    }
