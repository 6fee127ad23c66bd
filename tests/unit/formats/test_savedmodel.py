"""SavedModels as data: signatures, versions, missing files, and what a graph could do beside computing."""

import random
import shutil
from pathlib import Path

import pytest

from mlpack.artifacts.model import ModelInfo
from mlpack.errors import UnreadableModelError
from mlpack.formats.savedmodel import SavedModelFormat
from mlpack.pipeline.inspect import inspect
from tests.unit.formats.saved_models import ADDS, function, graph, held, node, number, saved, signature, tensor

SAVER = [
    function(
        "__inference__traced_save_12",
        node("a", "ShardedFilename"),
        node("b", "SaveV2"),
        node("c", "MergeV2Checkpoints"),
    ),
    function("__inference__traced_restore_13", node("a", "RestoreV2")),
]
SAVES = [
    node(
        "StatefulPartitionedCall_1", "StatefulPartitionedCall", "saver_filename", calls=["__inference__traced_save_12"]
    ),
    node(
        "StatefulPartitionedCall_2",
        "StatefulPartitionedCall",
        "saver_filename",
        calls=["__inference__traced_restore_13"],
    ),
]
COMPUTES = node("y", "MatMul", "x", "w")


def looked_at(path: Path) -> ModelInfo:
    return inspect(path, formats=[SavedModelFormat()])


def verdict(
    folder: Path, *nodes: bytes, functions: list[bytes] | None = None, assets: tuple[str, ...] = ()
) -> list[str]:
    """The verdict on a graph with these nodes, and the operations that it names."""
    files = {f"assets/{name}": b"" for name in assets} | {
        "variables/variables.index": b"",
        "variables/variables.data-00000-of-00001": b"",
    }
    made = graph(ADDS, nodes=[COMPUTES, *nodes], functions=functions or [], assets=assets)
    found = looked_at(saved(folder, made, files=files)).safety
    return [found.verdict, *(finding.callable.removeprefix("tensorflow.") for finding in found.findings)]


def test_signatures(tmp_path: Path) -> None:
    """`serving_default` comes first, TensorFlow's own are left out, each with its tensors; what cannot be asked is told."""
    nothing = signature("__saved_model_init_op", [], [tensor("init", "float", ())])
    other = signature(
        "a_score", [tensor("b", "string", (-1,)), tensor("a", "int64", (-1, 3))], [tensor("s", "float", None)]
    )
    odd = signature("odd", [tensor("x", "float", (-1,))], [tensor("h", "resource", ())])
    labelled = signature(
        "serving_default", [tensor("x", "float", (-1, 4))],
        [tensor("embedding", "float", (-1, 8)), tensor("labels", "string", (-1,))],
    )  # fmt: skip
    found = looked_at(saved(tmp_path / "m", graph(other, nothing, odd, labelled)))
    assert [one.name for one in found.signatures] == ["serving_default", "a_score"]
    assert [one.name for one in found.signatures[0].outputs] == ["labels", "embedding"]
    assert [(one.name, one.dtype, one.shape) for one in found.signatures[1].inputs] == [
        ("a", "INT64", (-1, 3)), ("b", "BYTES", (-1,)),
    ]  # fmt: skip
    assert found.signatures[1].outputs[0].shape == (-1, "...")
    assert any("odd" in warning for warning in found.warnings)
    assert (found.safety.verdict, found.framework_version) == ("safe", "2.15.1")


@pytest.mark.parametrize(
    ("given", "gives", "batch", "row"),
    [
        ((-1, 4), (-1, 2), "any", (-1, 4)),
        ((1, 4), (1, 2), "one", (-1, 4)),
        ((8, 4), (8, 2), "none", (-1, 8, 4)),
        ((), (), "none", (-1,)),
        ((-1, 4), (), "none", (-1, -1, 4)),
    ],
)
def test_how_many_rows_a_call_takes(
    tmp_path: Path, given: tuple[int, ...], gives: tuple[int, ...], batch: str, row: tuple[int, ...]
) -> None:
    """An open first axis is rows; one of 1 is a row at a time; else all that a call takes is one row."""
    asked = signature("serving_default", [tensor("x", "float", given)], [tensor("y", "float", gives)])
    (found,) = looked_at(saved(tmp_path / "m", graph(asked))).signatures
    assert (found.batch, found.inputs[0].shape) == (batch, row)


@pytest.mark.parametrize(
    ("recorded", "pinned", "excludes", "keras_2"),
    [
        ("2.21.0", "2.21.0", ("tensorflow",), True),
        ("2.15.1", "2.15.1", (), False),
        ("2.12.0", "2.12.0", ("jax", "jaxlib"), False),
        ("2.3.0", "2.7.4", (), False),
        ("1.15.0", "2.7.4", (), False),
        ("2.16.0-rc1", "2.16.0", ("tensorflow",), True),
        ("", None, ("tensorflow",), True),
    ],
)
def test_the_version_that_serves_it(
    tmp_path: Path, recorded: str, pinned: str | None, excludes: tuple[str, ...], keras_2: bool
) -> None:
    """The recorded release; the oldest that there is a Python for in place of older ones; Keras 2's objects need tf-keras."""
    found = looked_at(saved(tmp_path / "m", graph(ADDS, version=recorded, kinds=["_tf_keras_network", "optimizer"])))
    needed = {one.distribution: one for one in found.requirements}
    assert needed["tensorflow"].version == pinned
    assert ("tf-keras" in needed, found.options["legacy"], found.excludes) == (keras_2, keras_2, excludes)
    assert any("oldest" in told for told in found.warnings) is (pinned == "2.7.4")


def test_what_every_exporter_writes_is_no_alarm(tmp_path: Path) -> None:
    """The saver of the model's own variables, and a table that is read from an asset, are safe."""
    table = node("t", "InitializeTableFromTextFileV2", "h", "asset_0")
    assert verdict(tmp_path / "two", *SAVES, table, functions=SAVER, assets=("words.txt",)) == ["safe"]
    old = [
        node("save/SaveV2", "SaveV2", "save/Const"),
        node("save/restore_all", "NoOp", "^save/RestoreV2"),
        node("save/RestoreV2", "RestoreV2"),
    ]
    assert verdict(tmp_path / "one", *old) == ["safe"]


def test_operations_that_touch_files_or_run_python(tmp_path: Path) -> None:
    """Dangerous, in the graph as in a function that nothing seems to call, and by the operation's name."""
    for op in (
        "ReadFile",
        "WriteFile",
        "PyFunc",
        "EagerPyFunc",
        "MatchingFiles",
        "TextLineDataset",
        "ImmutableConst",
        "RpcClient",
    ):
        assert verdict(tmp_path / f"{op}-graph", node("n", op)) == ["dangerous", op]
        assert verdict(tmp_path / f"{op}-function", functions=[function("f", node("n", op))]) == ["dangerous", op]
    assert verdict(tmp_path / "print", node("p", "PrintV2", output_stream="file:///tmp/x"))[0] == "dangerous"
    assert verdict(tmp_path / "stderr", node("p", "PrintV2", output_stream="stderr")) == ["safe"]


def test_a_saver_that_is_asked(tmp_path: Path) -> None:
    """SaveV2 outside of the saver, the saver's function called by another, and a signature that gives what it saves."""
    stray = function("__inference_serve_1", node("s", "SaveV2"))
    assert verdict(tmp_path / "stray", functions=[*SAVER, stray]) == ["dangerous", "SaveV2"]
    calling = function("__inference_serve_1", node("s", "PartitionedCall", calls=["__inference__traced_save_12"]))
    assert verdict(tmp_path / "called", *SAVES, functions=[*SAVER, calling])[0] == "dangerous"
    as_op = function("__inference_serve_1", node("s", "__inference__traced_save_12"))
    assert verdict(tmp_path / "as op", *SAVES, functions=[*SAVER, as_op])[0] == "dangerous"
    assert (
        verdict(tmp_path / "read", *SAVES, node("z", "Identity", "StatefulPartitionedCall_1:0"), functions=SAVER)[0]
        == "dangerous"
    )
    assert (
        verdict(
            tmp_path / "control", *SAVES, node("z", "Identity", "x", "^StatefulPartitionedCall_1"), functions=SAVER
        )[0]
        == "dangerous"
    )
    given = signature(
        "serving_default", [tensor("x", "float", (-1,))], [tensor("y", "float", (-1,), "StatefulPartitionedCall_1:0")]
    )
    found = looked_at(saved(tmp_path / "given", graph(given, nodes=SAVES, functions=SAVER)))
    assert found.safety.verdict == "dangerous"
    assert verdict(tmp_path / "named", node("mine", "SaveV2")) == ["dangerous", "SaveV2"]


def test_operations_of_others(tmp_path: Path) -> None:
    """An operation that TensorFlow does not have is code that nobody knows, and is named; so is one that is not known to be harmless."""
    assert verdict(tmp_path / "own", node("n", "SentencepieceOp")) == ["unknown", "SentencepieceOp"]
    assert verdict(tmp_path / "odd", node("n", "TPUReplicatedInput")) == ["unknown", "TPUReplicatedInput"]


def test_what_cannot_be_served(tmp_path: Path) -> None:
    """No signature, a graph for evaluation alone, files that are missing: no signature is offered, and each says what to do."""
    mute = looked_at(saved(tmp_path / "mute", graph()))
    assert (mute.signatures, "signatures" in mute.advice) == ((), True)
    evaluating = looked_at(
        saved(
            tmp_path / "eval",
            graph(signature("eval", [tensor("x", "float", (-1,))], [tensor("y", "float", (-1,))]), tags=["eval"]),
        )
    )
    assert (evaluating.signatures, "serve" in evaluating.advice) == ((), True)
    missing = looked_at(saved(tmp_path / "missing", graph(ADDS), files={"variables/variables.index": b""}))
    assert missing.details["missing"] == ["variables/variables.data-00000-of-00001"]
    assert "missing" in missing.advice
    shards = {"variables/variables.index": b"", "variables/variables.data-00001-of-00003": b""}
    two = looked_at(saved(tmp_path / "shards", graph(ADDS), files=shards)).details["missing"]
    assert [name[-14:-9] for name in two] == ["00000", "00002"]
    words = looked_at(saved(tmp_path / "asset", graph(ADDS, assets=["words.txt"])))
    assert words.details["missing"] == ["assets/words.txt"]
    variables = looked_at(saved(tmp_path / "none", graph(ADDS, nodes=[node("v", "VarHandleOp")]), files={}))
    assert len(variables.details["missing"]) == 2
    assert looked_at(saved(tmp_path / "frozen", graph(ADDS), files={})).signatures


def test_several_graphs(tmp_path: Path) -> None:
    """The one for serving is taken, also where others come first; its tags go to the loader."""
    found = looked_at(saved(tmp_path / "m", graph(tags=["train"]), graph(ADDS, tags=["serve", "gpu"]), graph(ADDS)))
    assert found.options["tags"] == ["serve"]
    assert found.details["graphs"] == [["train"], ["serve", "gpu"], ["serve"]]


@pytest.mark.parametrize("kind", ["zip", "gztar", "tar"])
def test_archives(tmp_path: Path, kind: str) -> None:
    """In an archive, below a folder or at its root, it is the same model."""
    plain = looked_at(saved(tmp_path / "in" / "m", graph(ADDS)))
    below = looked_at(Path(shutil.make_archive(str(tmp_path / "below"), kind, tmp_path / "in")))
    bare = looked_at(Path(shutil.make_archive(str(tmp_path / "bare"), kind, tmp_path / "in" / "m")))
    assert (below.packed, bare.packed) == ("m", "")
    assert plain.signatures == below.signatures == bare.signatures


def test_its_own_file_stands_for_the_folder(tmp_path: Path) -> None:
    """`saved_model.pb` named by itself is the folder's model."""
    folder = saved(tmp_path / "m", graph(ADDS))
    assert looked_at(folder / "saved_model.pb") == looked_at(folder)


def test_files_that_are_broken(tmp_path: Path) -> None:
    """Empty, garbage, cut or changed: unreadable or an answer, and no other failure."""
    whole = saved(tmp_path / "m", graph(ADDS, nodes=SAVES, functions=SAVER)) / "saved_model.pb"
    data = whole.read_bytes()
    for content in (b"", b"\xff" * 64, data[:40], data[:-3], held(2, held(2, held(1, b"\x0a\xff\xff\xff\xff\x0f")))):
        whole.write_bytes(content)
        with pytest.raises(UnreadableModelError):
            looked_at(tmp_path / "m")
    rng = random.Random(5)
    for _ in range(120):
        changed = bytearray(data)
        changed[rng.randrange(len(changed))] = rng.randrange(256)
        whole.write_bytes(changed)
        try:
            looked_at(tmp_path / "m")
        except UnreadableModelError:
            continue


@pytest.mark.parametrize("names", [("x", "x_1"), ("x", "other")])
@pytest.mark.parametrize("nested", ["tuple", "dict"])
def test_the_parts_of_a_ragged_tensor_are_no_inputs(tmp_path: Path, names: tuple[str, ...], nested: str) -> None:
    """A signature that lists just what a function with a ragged argument is asked by; another one is offered."""
    spec = held(34, number(1, 3))
    given = (
        held(52, held(1, held(52, held(1, spec))))
        if nested == "tuple"
        else held(53, held(1, held(1, "k"), held(2, spec)))
    )
    objects = (
        held(1, held(8, held(1, "call"), held(2, "x"), held(2, "x_1"))),
        held(2, held(1, "call"), held(2, held(3, given))),
    )
    told = [tensor(name, "float", (-1,)) for name in names]
    call = signature("serving_default", told, [tensor("y", "float", (-1,))])
    info = looked_at(saved(tmp_path / "m", graph(call, objects=objects)))
    assert bool(info.signatures) == (names == ("x", "other"))
    assert bool(info.advice) == (names == ("x", "x_1"))


def test_variables_that_were_not_fetched_are_missing(tmp_path: Path) -> None:
    """A git-LFS pointer in their place is no file of variables."""
    files = {
        "variables/variables.index": b"i",
        "variables/variables.data-00000-of-00001": b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n",
    }
    info = looked_at(saved(tmp_path / "m", graph(ADDS, nodes=[node("v", "VarHandleOp")]), files=files))
    assert not info.signatures
    assert "variables.data-00000-of-00001" in info.advice
