"""The TensorFlow SavedModel format, host half: reads saved_model.pb and the files next to it, without TensorFlow."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from mlpack.artifacts.model import ModelInfo
from mlpack.artifacts.notice import Notice, assumed, notices
from mlpack.errors import UnreadableModelError
from mlpack.formats.base import Artifact, Format, Kind, OtherServer
from mlpack.formats.savedmodel.graph import MetaGraph, read_graphs
from mlpack.formats.savedmodel.judging import foreign, judge, listed_names
from mlpack.formats.savedmodel.packages import excludes_of, nearest, needs_keras_2, requirements_of
from mlpack.formats.savedmodel.signatures import calls_of, composite, signatures_of
from mlpack.packages.distributions import Distribution
from mlpack.readers.archives.trees import Tree
from mlpack.readers.limits import CutOffError
from mlpack.readers.sniff import is_pointer
from mlpack.templating import render

_FILE = "saved_model.pb"
_OTHERS = ("saved_model.cpb", "saved_model.pbtxt")  # the same graph in chunks, and as text
_SHARD = re.compile(r"variables/variables\.data-(\d{5})-of-(\d{5})")
_INDEX = "variables/variables.index"
_VARIABLES = frozenset({"VarHandleOp", "VariableV2", "Variable"})
_EXPORT = (
    "Save it with signatures, such as `tf.saved_model.save(model, path, signatures={'serving_default': model.serve})` or "
    "`model.export(path)`; or write a predictor of your own: `predictor: predict.py` in mlpack.yaml."
)
_DENSE = (
    "Save it with a signature of dense tensors, whose function converts them to the model's inputs "
    "(`tf.RaggedTensor.from_tensor(x, padding=0)`, `tf.sparse.from_dense(x)`) and its results to dense ones (`.to_tensor()`, "
    "`tf.sparse.to_dense`); or write a predictor of your own: `predictor: predict.py` in mlpack.yaml."
)


def _dockerfile(values: dict[str, Any], templates: Path | None) -> str:
    return render("Dockerfile.tf-serving.j2", values, folder=templates)


TENSORFLOW_SERVING = OtherServer(
    name="tf-serving",
    title="TensorFlow Serving",
    takes="SavedModel",
    hint="Omit --serve-with, or save the model as a SavedModel (`model.export(path)`, `tf.saved_model.save`).",
    base="tensorflow/serving",
    port=8501,
    dockerfile=_dockerfile,
)


class SavedModelFormat(Format):
    """Folders of TensorFlow's `saved_model.save`, Keras's `export` or TensorFlow 1's builder, and archives of them."""

    name = "savedmodel"
    stands_for_its_folder = _FILE
    other_servers = (TENSORFLOW_SERVING,)
    distributions = (
        Distribution(
            name="tensorflow",
            cpu="tensorflow-cpu",
            gpu="tensorflow[and-cuda]",
            same_series=("tensorflow-text", "tf-keras"),
            bounds=(("2.10", "protobuf<3.20"),),  # its metadata allow newer ones, but it cannot be imported with them
            unused_files=("tensorflow/include",),  # C++ headers, 287 MB in 2.21
            unused_requirements=("libclang",),  # a compiler's library for tools that write bindings
            strip=("tensorflow",),  # 253 MB in 2.21
        ),
        Distribution(name="h5py", strip=("h5py", "h5py.libs")),
        Distribution(name="ml-dtypes", strip=("ml_dtypes",)),  # 24 MB in 0.6
    )
    loader = Path(__file__).with_name("loader.py")
    kinds = (
        Kind(
            name="TensorFlow SavedModel folder, also in a zip or tar",
            reads="tags, version, signatures with dtypes and shapes, assets, missing variables, operations that touch files",
            serves="tensorflow-cpu of the recorded version, from 2.7; its signatures by name",
            proof="tests/integration/test_tensorflow_images.py",
        ),
    )

    def inspect(self, artifact: Artifact) -> ModelInfo | None:
        """The model's description; None for a tree without a saved_model.pb. Raises UnreadableModelError for a broken one."""
        tree = artifact.tree
        if tree is None or _FILE not in tree or (artifact.packed and artifact.head):
            return None
        if tree.container != "folder" and artifact.packed is None:
            return None  # inspected again as the archive's content, which is what the image holds
        if others := [name for name in _OTHERS if name in tree]:
            raise UnreadableModelError(
                f"{artifact.name} holds {_FILE} and {' and '.join(others)}: TensorFlow releases differ in which one they load.",
                hint="Delete the file that should not be loaded.",
                info={"format": "savedmodel", "framework": "tensorflow", "size": sum(tree.sizes.values())},
            )
        try:
            with tree.open(_FILE) as source:
                graphs = read_graphs(source)
        except CutOffError as error:
            pointer = is_pointer(tree.read(_FILE, 64))
            raise UnreadableModelError(
                f"{artifact.name}: its {_FILE} {'is a git-LFS pointer' if pointer else f'cannot be read: {error}'}.",
                hint=f"{'Run `git lfs pull`' if pointer else 'Export the model again'}, or download the folder again.",
                info={"format": "savedmodel", "framework": "tensorflow", "size": sum(tree.sizes.values())},
            ) from error
        serving = next((one for one in graphs if "serve" in one.tags and not {"gpu", "tpu"} & set(one.tags)), None)
        return _info(artifact, tree, serving or graphs[0], graphs)


def _info(artifact: Artifact, tree: Tree, graph: MetaGraph, graphs: list[MetaGraph]) -> ModelInfo:
    missing = _missing(tree, graph)
    calls = calls_of(graph)
    signatures, problems = signatures_of(calls, graph)
    advice = ""
    if "serve" not in graph.tags:
        listed = ", ".join("+".join(one.tags) or "none" for one in graphs)
        advice = f"Its graphs are not tagged for serving (tags: {listed}): export it with the tag `serve`."
    elif missing:
        advice = f"Files of it are missing ({', '.join(missing[:5])}): download or export the whole folder again."
    elif not signatures:
        advice = _DENSE if composite(calls, graph) else _EXPORT
    name, _, given = (artifact.framework or "").replace(" ", "").partition("==")
    version = given if name == "tensorflow" and given else graph.version or None
    return ModelInfo(
        path=artifact.path,
        format="savedmodel",
        framework="tensorflow",
        framework_version=version,
        root_class="tensorflow.SavedModel",
        task=None,
        signatures=() if advice else signatures,
        safety=judge(graph),
        size=sum(tree.sizes.values()),
        requirements=requirements_of(version, graph),
        methods=tuple(call.name for call in calls),
        notices=notices((*problems, *_warnings(version, graph, missing))),
        details=_details(graph, graphs, missing),
        options={"tags": graph.tags, "legacy": needs_keras_2(version, graph)},
        excludes=excludes_of(version, graph),
        advice=advice,
        names={"operators": listed_names(graph)},
        framework_modules=("tensorflow",),
    )


def _missing(tree: Tree, graph: MetaGraph) -> tuple[str, ...]:
    """Files that loading needs and that are missing."""
    shards = [found for name in tree.names if (found := _SHARD.fullmatch(name))]
    missing: list[str] = []
    if _INDEX in tree or shards or graph.ops & _VARIABLES:
        if _INDEX not in tree:
            missing.append(_INDEX)
        count = int(shards[0][2]) if shards else 1
        there = {int(found[1]) for found in shards if not is_pointer(tree.read(found[0], 64))}
        missing += [
            f"variables/variables.data-{place:05d}-of-{count:05d}"
            for place in range(min(count, 1000))
            if place not in there
        ]
    return (*missing, *(f"assets/{name}" for name in graph.assets if f"assets/{name}" not in tree))


def _warnings(version: str | None, graph: MetaGraph, missing: tuple[str, ...]) -> list[Notice | str]:
    warnings: list[Notice | str] = []
    if missing:
        warnings.append(f"Files are missing: {', '.join(missing[:5])}.")
    taken = nearest(version)
    if version is not None and taken is not None and taken != version.partition("-")[0]:
        warnings.append(
            f"TensorFlow {version} supports no available Python: {taken}, the oldest that does, is used; it reads the "
            "SavedModels of older releases."
        )
    if version is None:
        warnings.append(assumed("The file does not record the TensorFlow version; the newest is used."))
    if others := foreign(graph):
        warnings.append(f"It needs operations that TensorFlow does not have: {', '.join(others[:10])}.")
    return warnings


def _details(graph: MetaGraph, graphs: list[MetaGraph], missing: tuple[str, ...]) -> dict[str, Any]:
    keras = sorted(kind.removeprefix("_tf_keras_") for kind in graph.objects.kinds if kind.startswith("_tf_keras_"))
    return {
        "tags": graph.tags,
        **({"graphs": [one.tags for one in graphs]} if len(graphs) > 1 else {}),
        "methods": {call.name: call.method for call in graph.calls if not call.name.startswith("__saved_model_")},
        "assets": graph.assets,
        **({"missing": list(missing)} if missing else {}),
        **({"keras": keras} if keras else {}),
        "operations": sum(1 for _ in graph.nodes) + len(graph.functions),
    }
