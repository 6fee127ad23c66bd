"""The ONNX format, host half: reads a graph's inputs, outputs, operators and data files without running it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlpack.artifacts.model import Content, ModelInfo, Requirement
from mlpack.artifacts.notice import Notice, no_signature, notices
from mlpack.errors import UnreadableModelError
from mlpack.formats.base import SCALED_TOGETHER, Artifact, Format, Kind
from mlpack.formats.onnx.external import companions
from mlpack.formats.onnx.independence import rows_are_scaled_together
from mlpack.formats.onnx.operators import judge, listed_names
from mlpack.formats.onnx.proto import Model, looks_like_onnx, read_model
from mlpack.formats.onnx.signatures import Interface, interface_of
from mlpack.formats.onnx.versions import EXTENSIONS, OWN_DOMAINS, oldest_reader, too_old
from mlpack.packages.distributions import Distribution
from mlpack.readers.limits import CutOffError

_LOCALE = re.compile(r"[a-z]{2,3}_[A-Z]{2}(\.[A-Za-z0-9-]{1,20})?(@[a-z]{1,20})?")
_BUILT_IN_LOCALES = frozenset({"", "C", "POSIX", "C.UTF-8", "C.utf8"})
_OWN_LOADER = "a predictor of your own (`predictor: predict.py`)"


class OnnxFormat(Format):
    """ONNX files, with their tensors inside or in external data files."""

    name = "onnx"
    loader = Path(__file__).with_name("loader.py")
    suffixes = (".onnx",)
    distributions = (Distribution(name="onnxruntime", gpu="onnxruntime-gpu"),)
    kinds = (
        Kind(
            name="ONNX `.onnx`, also with external data, also gzipped or zipped",
            reads="producer, IR and operator sets, inputs and outputs, symbolic axes, labels, custom operators, data files",
            serves="onnxruntime, the newest that reads the file's operator sets",
            proof="tests/integration/test_onnx.py",
        ),
    )

    def inspect(self, artifact: Artifact) -> ModelInfo | None:
        """The model's description; None for other files.

        Raises UnreadableModelError for a graph that is cut off or broken, or whose data files are missing; UnsafeModelError
        when it reads data from outside its folder.
        """
        if not looks_like_onnx(artifact.head):
            return None
        try:
            with artifact.open() as source:
                model = read_model(source)
        except CutOffError as stopped:
            raise UnreadableModelError(
                f"{artifact.name} begins like an ONNX model, but cannot be read to the end: {stopped}.",
                hint="Export the model again, or fetch the file again.",
            ) from stopped
        if model is None:
            return None
        return _Facts(
            artifact=artifact, model=model, interface=interface_of(model), beside=companions(artifact, model.external)
        ).info()


@dataclass(frozen=True, kw_only=True)
class _Facts:
    """The facts about one file, from which its ModelInfo is built."""

    artifact: Artifact
    model: Model
    interface: Interface
    beside: Mapping[str, int]

    def info(self) -> ModelInfo:
        signature = self.interface.signature if not self._foreign() else None
        first, _ = oldest_reader(self.model)
        extensions = EXTENSIONS in self._domains()
        onnxruntime = Requirement(
            module="onnxruntime", distribution="onnxruntime", constraint=f">={first}" if first else "", newest=True
        )
        inputs = signature.inputs if signature else ()
        matrix = signature is not None and signature.layout == "matrix"
        width = inputs[0].shape[1] if matrix else len(inputs)
        return ModelInfo(
            path=self.artifact.path,
            format="onnx",
            framework="onnxruntime",
            framework_version=None,
            root_class="onnx.ModelProto",
            task=self.interface.task,
            signatures=(signature,) if signature else (),
            safety=judge(self.model),
            size=self.artifact.size + sum(self.beside.values()),
            requirements=(onnxruntime, *([_EXTENSIONS] if extensions else [])),
            contents=tuple(
                Content(key=name, kind="external data", detail=f"{size} bytes") for name, size in self.beside.items()
            ),
            n_features_in=width if isinstance(width, int) and width > 0 else None,
            feature_names=tuple(one.name for one in inputs) if signature and signature.layout == "columns" else (),
            classes=self.interface.classes,
            notices=notices(self._warnings()),
            details=self._details(),
            options={"extensions": True} if extensions else {},
            locales=tuple(sorted(name for name in self.model.locales if _LOCALE.fullmatch(name))),
            companions=tuple(self.beside),
            advice="" if signature else self._advice(),
            names={"operators": listed_names(self.model)},
        )

    def _domains(self) -> set[str]:
        return {domain for domain, _ in self.model.operators} - {domain for domain, _ in self.model.functions}

    def _foreign(self) -> list[tuple[str, str]]:
        """Operators that neither onnxruntime nor the file defines."""
        known = OWN_DOMAINS | {EXTENSIONS}
        return [one for one in self.model.operators if one[0] not in known and one not in self.model.functions]

    def _warnings(self) -> Iterator[Notice | str]:
        if foreign := self._foreign():
            yield no_signature(f"onnxruntime does not have its operators {_some(foreign)}")
        elif self.interface.problem:
            yield no_signature(self.interface.problem)
        if self.interface.signature is not None and rows_are_scaled_together(self.model):
            yield SCALED_TOGETHER
        if self.interface.unserved:
            yield f"Not part of the predictions: {', '.join(self.interface.unserved[:5])}."
        if reason := too_old(self.model):
            yield reason
        _, too_new = oldest_reader(self.model)
        if too_new:
            yield f"It may be too new: {too_new}."
        strange = sorted(
            name for name in self.model.locales if not _LOCALE.fullmatch(name) and name not in _BUILT_IN_LOCALES
        )
        if strange:
            yield f"It needs a locale whose name Linux does not know: {', '.join(strange[:3])!r}."
        if EXTENSIONS in self._domains():
            yield "Some operators need onnxruntime-extensions, which is installed for them."

    def _advice(self) -> str:
        foreign = self._foreign()
        if foreign:
            return f"Load the library with the operators {_some(foreign)} in {_OWN_LOADER}, and name it in `requirements:`."
        return f"Write {_OWN_LOADER}."

    def _details(self) -> dict[str, Any]:
        model = self.model
        counted = sorted(model.operators.items(), key=lambda one: (-one[1], one[0]))[:20]
        details: dict[str, Any] = {
            "ir_version": model.ir_version,
            "producer": model.producer,
            "opsets": {domain or "ai.onnx": version for domain, version in model.opsets.items()},
            "graph": model.graph,
            "parameters": model.parameters,
            "operators": {f"{domain}.{op}" if domain else op: count for (domain, op), count in counted},
        }
        if model.domain:
            details["domain"] = model.domain
        if model.model_version:
            details["model_version"] = model.model_version
        if model.metadata:
            details["metadata"] = dict(model.metadata)
        return details


def _some(operators: list[tuple[str, str]]) -> str:
    more = f" and {len(operators) - 3} more" if len(operators) > 3 else ""
    return ", ".join(f"{domain or 'ai.onnx'}.{op}" for domain, op in operators[:3]) + more


_EXTENSIONS = Requirement(module="onnxruntime_extensions", distribution="onnxruntime-extensions", newest=True)
