"""The PyTorch format, host half: TorchScript, pickled modules, state dicts, safetensors, exported programs, torch.package."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from mlpack.artifacts.model import Finding, ModelInfo, Safety, Verdict
from mlpack.artifacts.notice import no_signature
from mlpack.formats.base import Artifact, Format, Kind, stub_for_weights
from mlpack.formats.pytorch.archive import TorchArchive, open_archive
from mlpack.formats.pytorch.exported import inspect_exported
from mlpack.formats.pytorch.modules import inspect_module, is_module, module_of
from mlpack.formats.pytorch.needs import requirements_of, version_of
from mlpack.formats.pytorch.tensors import held_in, tensor_of
from mlpack.formats.pytorch.torchscript import inspect_script
from mlpack.formats.pytorch.weights import KEYS, inspect_safetensors, inspect_weights
from mlpack.packages.distributions import Distribution
from mlpack.readers.pickles.contents import kind
from mlpack.readers.pickles.values import PickleFile
from mlpack.readers.verdicts.carried import fault_of, shown

_MAGIC = 0x1950A86A20F9469CFC6C  # the first pickle of torch's files from before 1.6
_SUFFIXES = (".pt", ".pth", ".pt2", ".jit", ".ts", ".ckpt", ".tar", ".t7")
_MOST_SOURCE = 8 << 20  # of all source in a package
_OBJECT = 3  # the index of the pickle that is the object


class TorchFormat(Format):
    """Files of torch (`.pt`, `.pth`, `.pt2`, `.safetensors`), recognised by content."""

    name = "pytorch"
    loader = Path(__file__).with_name("loader")
    suffixes = (".pt", ".pth", ".pt2", ".ckpt", ".safetensors", ".bin", ".mar")
    pickle_suffixes = MappingProxyType({"stream": _SUFFIXES, "zip": (*_SUFFIXES, ".bin", ".mar")})
    frameworks = MappingProxyType({"torch": "torch"})
    # Builds without CUDA are on a separate index (pytorch.org, "Get started": Linux, Pip, CPU).
    distributions = (
        Distribution(
            name="torch",
            cpu_index="https://download.pytorch.org/whl/cpu",
            companions=("torchvision", "torchaudio"),
            unused_files=("torch/bin/*Test", "torch/bin/protoc*", "torch/bin/test_*", "torch/include", "torch/test"),
            strip=("torch/lib",),  # 98 MB in 2.13
        ),
        Distribution(name="networkx", test_folders=("networkx",)),
        Distribution(name="sympy", test_folders=("sympy",)),
    )
    kinds = (
        Kind(
            name="TorchScript `.pt` (traced, scripted, frozen)",
            reads="forward's arguments and results, shapes as far as the code or the trace records them, weights",
            serves="torch, CPU build",
            proof="tests/integration/test_torch_images.py",
        ),
        Kind(
            name="`torch.save` of a whole module, zip or from before 1.6",
            reads="class, layers, weights, custom classes",
            serves="torch, with your code by `--include`",
            proof="tests/integration/test_torch_images.py",
        ),
        Kind(
            name="state dict, checkpoint, safetensors",
            reads="tensor names, shapes, dtypes, number of parameters",
            serves="torch, with `--entry pkg.mod:make_model`, or your `predictor:`",
            proof="tests/integration/test_torch_images.py",
        ),
        Kind(
            name="torch.export `.pt2`",
            reads="inputs, outputs, dynamic dimensions and their ranges, torch's version",
            serves="torch of the recorded version",
            proof="tests/integration/test_torch_images.py",
        ),
        Kind(name="torch.package", reads="its pickles, the external modules it imports"),
    )

    def inspect(self, artifact: Artifact) -> ModelInfo | None:
        """The model's description; None for other files.

        Raises UnreadableModelError for a broken safetensors file or exported program, UsageError for an unknown entry.
        """
        pickle = artifact.pickle
        if pickle is None or not pickle.members:
            archive = open_archive(artifact)
            if archive is not None and archive.kind == "exported":
                return inspect_exported(artifact, archive)
            return inspect_safetensors(artifact) if artifact.tree is None or artifact.packed else None
        if pickle.container == "zip":
            return _archived(artifact)
        if _is_legacy(pickle):
            return _saved(artifact, pickle.members[_OBJECT].root)
        return None

    def predictor_stub(self, info: ModelInfo) -> str | None:
        """A predictor template for a weights file; the user adds the code that builds the module."""
        kind = info.details.get("kind")
        if kind not in ("state_dict", "checkpoint", "safetensors"):
            return None
        key = info.details.get("state_dict_key") or ""
        return stub_for_weights("predict_weights.py.j2", info, width_axis=1, safetensors=kind == "safetensors", key=key)


def _archived(artifact: Artifact) -> ModelInfo | None:
    archive = open_archive(artifact)
    if archive is None:
        return None
    if archive.kind == "torchscript":
        return inspect_script(artifact, archive)
    if archive.kind == "exported":
        return inspect_exported(artifact, archive)
    if archive.kind == "package":
        return _package(artifact, archive)
    return _saved(artifact, archive.pickles.get("data.pkl"))


def _saved(artifact: Artifact, root: Any) -> ModelInfo | None:
    """A file of `torch.save`: a module, a state dict or checkpoint, or another object that holds one."""
    module = module_of(root)
    if module is not None:
        return inspect_module(artifact, module)
    held = {key: one for key, value in held_in(root).items() if (one := module_of(value)) is not None}
    if isinstance(root, list | tuple) and len(held) > 1:
        return _other(artifact, root)  # ambiguous: several of them
    if held and artifact.entry is None:  # `entry` names the function that builds the module for the weights
        key = next((one for one in KEYS if one in held), next(iter(held)))
        return inspect_module(artifact, held[key], key=key)
    return inspect_weights(artifact, root) or _other(artifact, root)


def _other(artifact: Artifact, root: Any) -> ModelInfo:
    """An object of `torch.save` that is neither a module nor weights."""
    advice = (
        "Save the module's state dict, TorchScript or torch.export; or write a `predictor: predict.py` that loads it."
    )
    return _recognised(artifact, f"{_named(root)} saved by torch", advice, {"kind": "object"}, root_class=kind(root))


def _named(root: Any) -> str:
    """The object's kind in words, for a message."""
    if tensor_of(root) is not None:
        return "a tensor"
    inside = held_in(root)
    if {"state", "param_groups"} <= inside.keys():
        return "an optimizer's state"
    modules = sum(map(is_module, inside.values()))
    return f"a {kind(root)} of {modules} modules" if modules > 1 else kind(root)


def _package(artifact: Artifact, archive: TorchArchive) -> ModelInfo:
    """A torch.package archive: Python code and pickles, which torch.load and torch.jit.load cannot open."""
    pickles = [name for name in archive.tree.names if name.endswith(".pkl")]
    advice = (
        "If you trust it, open it with torch.package.PackageImporter and export it with torch.jit or torch.export; or load "
        "it in a `predictor: predict.py`."
    )
    details = {
        "kind": "package",
        "pickles": pickles[:20],
        "extern": archive.text(".data/extern_modules", 4096).split()[:50],
    }
    info = _recognised(artifact, "a torch.package archive", advice, details, root_class="torch.package")
    findings = list(_carried(archive))
    if not findings or info.safety.verdict == "dangerous":
        return info
    verdict: Verdict = "dangerous" if any(one.verdict == "dangerous" for one in findings) else "unknown"
    return replace(info, safety=Safety(verdict=verdict, findings=(*info.safety.findings, *findings)))


def _carried(archive: TorchArchive) -> Iterator[Finding]:
    """A finding for each dangerous source file in a package; else one finding for all, with the first lines of one."""
    safe, left = [], _MOST_SOURCE
    for name in archive.tree.names:
        if not name.lower().endswith(".py"):
            continue
        text = archive.text(name, left + 1)
        left -= len(text)
        fault = "is longer than mlpack reads" if left < 0 else fault_of(text)
        if fault:
            why = f"dangerous: opening the archive runs this source code, which {fault}: {shown(text)}"
            yield Finding(callable=f"torch.package {name}", why=why, verdict="dangerous")
        else:
            safe.append((name, text))
        if left < 0:
            return
    for name, text in safe[:1]:
        why = f"the archive contains Python code, which runs when the archive is opened: {shown(text)}"
        yield Finding(callable=f"torch.package {name}", why=why, verdict="unknown")


def _recognised(artifact: Artifact, what: str, advice: str, details: dict[str, Any], *, root_class: str) -> ModelInfo:
    """The description of a file that is recognised but not served."""
    pickle = artifact.pickle
    assert pickle is not None  # noqa: S101 - the file was recognised by its pickle
    version = version_of(artifact)
    requirements, missing = requirements_of(version, pickle)
    return ModelInfo(
        path=artifact.path,
        format="pytorch",
        framework="torch",
        framework_version=version,
        root_class=root_class,
        task=None,
        signatures=(),
        safety=pickle.safety,
        size=artifact.size,
        requirements=requirements,
        missing_modules=missing,
        protocol=pickle.protocol,
        notices=(no_signature(f"it is {what}"),),
        details=details,
        advice=advice,
    )


def _is_legacy(pickle: PickleFile) -> bool:
    root = pickle.root
    return len(pickle.members) > _OBJECT and isinstance(root, int) and root == _MAGIC
