"""SavedModels that reach files, code or other readings by what is in their graph: dangerous, unknown or unreadable, with the reason."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from mlpack.artifacts.model import ModelInfo
from mlpack.errors import UnreadableModelError
from mlpack.formats.savedmodel import SavedModelFormat
from mlpack.formats.savedmodel.operators import kind_of, registered
from mlpack.pipeline.inspect import inspect
from tests.unit.formats.saved_models import ADDS, function, graph, held, node, number, saved

TABLE = "InitializeTableFromTextFileV2"


def looked_at(path: Path) -> ModelInfo:
    return inspect(path, formats=[SavedModelFormat()])


def verdict(folder: Path, made: bytes, assets: tuple[str, ...] = ()) -> list[str]:
    found = looked_at(saved(folder, made, files={f"assets/{name}": b"" for name in assets})).safety
    return [found.verdict, *(finding.callable.removeprefix("tensorflow.") for finding in found.findings)]


def test_operators_are_allowed_by_their_exact_names_alone(tmp_path: Path) -> None:
    """Only what computes in memory is safe; what touches files, code or the network is dangerous; all else is unknown."""
    allowed = sorted(op for op in registered() if kind_of(op) in ("compute", "dataset"))
    assert verdict(tmp_path / "all", graph(ADDS, functions=[function("f", *(node(op, op) for op in allowed))])) == [
        "safe"
    ]
    for op in sorted(registered() - set(allowed)):
        if kind_of(op) in ("attribute", "table", "saver"):
            continue
        wanted = "unknown" if kind_of(op) == "other" else "dangerous"
        folder = tmp_path / op.replace(">", "_")
        assert verdict(folder, graph(ADDS, functions=[function("f", node("n", op))])) == [wanted, op]
    for op in ("KafkaDataset", "readfile", "Read\0File", "Identity "):
        assert verdict(tmp_path / repr(op), graph(ADDS, nodes=[node("n", op)]))[0] == "unknown"


def test_what_hides_functions(tmp_path: Path) -> None:
    """A graph in a text, and a function's own name that is an operator's, are dangerous; one that is not there is told."""
    assert verdict(tmp_path / "text", graph(ADDS, nodes=[node("n", "DatasetFromGraph")])) == [
        "dangerous",
        "DatasetFromGraph",
    ]
    own = graph(ADDS, nodes=[node("n", "ReadFile")], functions=[function("ReadFile", node("i", "Identity"))])
    assert verdict(tmp_path / "name", own) == ["dangerous", "ReadFile"]
    gone = graph(ADDS, nodes=[node("n", "PartitionedCall", calls=["gone"])])
    assert verdict(tmp_path / "gone", gone) == ["unknown", "gone"]
    inner = held(10, held(1, "map"), held(2, held(1, "f"), held(2, held(10, held(1, "gone")))))
    nested = held(1, "n") + held(2, "MapDataset") + held(5, held(1, "f"), held(2, inner))
    assert verdict(tmp_path / "nested", graph(ADDS, nodes=[nested], functions=[function("map")])) == ["unknown", "gone"]


@pytest.mark.parametrize(
    ("made", "wanted"),
    [
        (node("n", "PrintV2", output_stream="file:///tmp/x"), "dangerous"),
        (node("n", "PrintV2", output_stream="stdout"), "safe"),
        (node("n", "DecodeProtoV2", descriptor_source="/etc/x"), "dangerous"),
        (node("n", "DecodeProtoV2", descriptor_source="bytes://x"), "safe"),
        (node("n", "EncodeProto", descriptor_source="gs://b/x"), "dangerous"),
        (node("n", "FixedUnigramCandidateSampler", vocab_file="/etc/passwd"), "dangerous"),
        (node("n", "FixedUnigramCandidateSampler", vocab_file=""), "safe"),
        (node("n", "XlaCallModule", module=b"ML\xefR\0stablehlo\0add_v1\0"), "safe"),
        (node("n", "XlaCallModule", module=b"ML\xefR\0stablehlo\0custom_call_v1\0"), "unknown"),
        (node("n", "XlaCallModule", module=b"module {}"), "unknown"),
        (
            held(1, "n") + held(2, "Const") + held(5, held(1, "value"), held(2, held(8, held(15, held(1, "T"))))),
            "unknown",
        ),
    ],
)
def test_attributes_that_decide_what_an_operator_does(made: bytes, wanted: str, tmp_path: Path) -> None:
    """Operators that an attribute makes open a file, or run a module, are judged by it, in the graph and in functions."""
    assert verdict(tmp_path / "graph", graph(ADDS, nodes=[made]))[0] == wanted
    assert verdict(tmp_path / "function", graph(ADDS, functions=[function("f", made)]))[0] == wanted


def test_text_tables_read_assets_alone(tmp_path: Path) -> None:
    """Of the graph's own nodes: the asset's node itself, or that through Identity."""
    for name, nodes, wanted in (
        ("asset", [node("t", TABLE, "h", "asset_0:0")], "safe"),
        ("passed", [node("i", "Identity", "asset_0"), node("t", TABLE, "h", "i:0", "^c")], "safe"),
        ("constant", [node("c", "Const"), node("t", TABLE, "h", "c")], "dangerous"),
        ("joined", [node("j", "StringJoin", "asset_0", "c"), node("t", TABLE, "h", "j")], "dangerous"),
        ("nothing", [node("t", TABLE)], "dangerous"),
        ("control", [node("t", TABLE, "h", "^asset_0")], "dangerous"),
        ("older", [node("t", "InitializeTableFromTextFile", "h", "c")], "dangerous"),
    ):
        made = graph(ADDS, nodes=[node("asset_0", "Const"), *nodes], assets=["w.txt"])
        assert verdict(tmp_path / name, made, ("w.txt",))[0] == wanted, name


def test_text_tables_in_functions(tmp_path: Path) -> None:
    """A function's argument is an asset where loading binds one to it, or where every node that calls it gives one."""
    fills = function("init", node("t", TABLE, "h", "path"), arguments=["h", "path"])
    calls = node("c", "PartitionedCall", "h", "asset_0", calls=["init"])
    other = node("d", "PartitionedCall", "h", "x", calls=["init"])
    odd = node("d", "If", "x", "h", "asset_0", calls=["init"])
    objects = [held(1, held(4, held(1, "root"))), held(1, held(5, number(1, 0)))]

    def bound(*numbers: int) -> bytes:
        return held(2, held(1, "init"), held(2, held(2, bytes(numbers))))

    for name, nodes, more, wanted in (
        ("bound", [], [bound(0, 1)], "safe"),
        ("bound to another", [], [bound(1, 0)], "dangerous"),
        ("not bound", [], [bound()], "dangerous"),
        ("called", [calls], [], "safe"),
        ("called both ways", [calls], [bound(0, 1)], "safe"),
        ("called with another", [calls, other], [], "dangerous"),
        ("called otherwise", [calls, odd], [], "dangerous"),
        ("by a user", [calls], [bound()], "dangerous"),
        ("by nobody", [], [], "dangerous"),
    ):
        made = graph(
            ADDS,
            nodes=[node("asset_0", "Const"), *nodes],
            functions=[fills],
            assets=["w.txt"],
            objects=[*objects, *more],
        )
        assert verdict(tmp_path / name, made, ("w.txt",))[0] == wanted, name


RESTORES = held(3, held(1, "save/Const:0"), held(3, "save/all"))
SAVER = [
    node("save/Const", "Const"),
    node("save/RestoreV2", "RestoreV2", "save/Const", "names"),
    node("save/all", "NoOp", "^save/RestoreV2"),
    node("save/SaveV2", "SaveV2", "save/Const"),
]


@pytest.mark.parametrize(
    ("more", "nodes", "wanted"),
    [
        (RESTORES, SAVER, "safe"),
        (held(3, held(1, "save/Const:0"), held(3, "save/SaveV2")), SAVER, "dangerous"),
        (RESTORES, [*SAVER[:2], node("save/all", "NoOp", "^save/SaveV2"), SAVER[3]], "dangerous"),
        (RESTORES, [SAVER[0], node("save/RestoreV2", "RestoreV2", "save/path"), *SAVER[2:]], "dangerous"),
        (
            RESTORES + held(4, held(1, "saved_model_main_op"), held(2, held(1, held(1, "save/SaveV2")))),
            SAVER,
            "dangerous",
        ),
        (
            RESTORES + held(4, held(1, "variables"), held(2, held(2, held(1, b"\x0a\x0bsave/SaveV2")))),
            SAVER,
            "dangerous",
        ),
        (RESTORES + held(4, held(1, "savers"), held(2, held(2, held(1, b"\x0a\x0bsave/SaveV2")))), SAVER, "safe"),
    ],
)
def test_what_loading_runs_saves_nothing(more: bytes, nodes: list[bytes], wanted: str, tmp_path: Path) -> None:
    """The operation that restores, those that collections name: none of them writes, and none reads another's checkpoint."""
    assert verdict(tmp_path / "m", graph(ADDS, nodes=nodes) + more)[0] == wanted


def test_assets_as_version_1_lists_them(tmp_path: Path) -> None:
    """In a collection, which counts where no list of assets is there."""
    asset = held(1, held(1, "Const:0")) + held(2, "w.txt")
    collection = held(4, held(1, "saved_model_assets"), held(2, held(5, held(1, held(1, "type"), held(2, asset)))))
    fills = [node("Const", "Const"), node("t", TABLE, "h", "Const")]
    assert verdict(tmp_path / "old", graph(ADDS, nodes=fills) + collection, ("w.txt",)) == ["safe"]
    both = graph(ADDS, nodes=[node("asset_0", "Const"), *fills], assets=["w.txt"]) + collection
    assert verdict(tmp_path / "both", both, ("w.txt",))[0] == "dangerous"


def test_composite_outputs_reach_no_saver(tmp_path: Path) -> None:
    """The parts of a sparse or ragged output are outputs too."""
    sparse = held(4, held(1, "save/x:0"))
    for place, told in enumerate((sparse, held(5, held(2, held(1, "save/x:0"))), held(5, held(2, sparse)))):
        output = held(2, held(1, "y"), held(2, told))
        call = held(1, "serving_default") + held(2, output)
        made = graph(call, nodes=[node("save/x", "Identity", "^save/SaveV2"), node("save/SaveV2", "SaveV2")])
        assert verdict(tmp_path / str(place), made)[0] == "dangerous"


def test_a_saver_among_the_objects(tmp_path: Path) -> None:
    """The function that saves is called by nobody: not as a method of an object either, which loading may run."""
    saves = function("__inference__traced_save_1", node("s", "SaveV2"))
    method = held(1, held(6, held(1, "__inference__traced_save_1")))
    assert verdict(tmp_path / "none", graph(ADDS, functions=[saves])) == ["safe"]
    assert verdict(tmp_path / "method", graph(ADDS, functions=[saves], objects=[method])) == ["dangerous", "SaveV2"]


IDENTITY = node("i", "Identity")


@pytest.mark.parametrize(
    "made",
    [
        graph(ADDS, functions=[held(1, held(1, "f"), held(1, "g")) + held(3, IDENTITY)]),
        graph(ADDS, functions=[function("f", IDENTITY) + held(1, held(1, "g"))]),
        graph(ADDS, functions=[function("f", IDENTITY), function("f", IDENTITY)]),
        graph(ADDS, nodes=[IDENTITY + held(2, "ReadFile")]),
        graph(ADDS, nodes=[IDENTITY, IDENTITY]),
        graph(ADDS, nodes=[IDENTITY + number(2, 1)]),
        graph(ADDS, nodes=[held(1, "i") + held(2, "Identity") + b"\x13\x14"]),
        graph(ADDS, nodes=[IDENTITY + held(5, held(1, "f"), held(2, held(2, "a"))) + held(5, held(1, "f"), held(2, held(2, "b")))]),
        graph(ADDS, nodes=[IDENTITY + held(5, held(1, "f"), held(2, held(2, "a"), held(10, held(1, "g"))))]),
        graph(ADDS, nodes=[IDENTITY]) + held(2, held(1, node("r", "ReadFile"))),
        graph(ADDS, ADDS),
        graph(ADDS) + held(3, held(3, "a"), held(3, "b")),
    ],
)  # fmt: skip
def test_what_protobuf_reads_otherwise_is_unreadable(made: bytes, tmp_path: Path) -> None:
    """Values that are there twice, of which protobuf takes the last or merges them, and values of the wrong type."""
    with pytest.raises(UnreadableModelError):
        looked_at(saved(tmp_path / "m", made, files={}))


def test_a_value_before_its_key_is_unreadable(tmp_path: Path) -> None:
    """TensorFlow takes it; a reader that goes forward would not know which attribute the text belongs to."""
    text, key = held(2, held(2, "file:///tmp/x")), held(1, "output_stream")
    for name, entry in (("first", (key, text)), ("last", (text, key))):
        prints = held(1, "p") + held(2, "PrintV2") + held(5, *entry)
        path = saved(tmp_path / name, graph(ADDS, nodes=[prints]), files={})
        if name == "first":
            assert looked_at(path).safety.verdict == "dangerous"
        else:
            with pytest.raises(UnreadableModelError, match="order"):
                looked_at(path)


def test_two_graphs_and_two_files(tmp_path: Path) -> None:
    """Two graphs with the same tags, and the model in a second form beside it: TensorFlow's releases take different ones."""
    with pytest.raises(UnreadableModelError, match="same tags"):
        looked_at(saved(tmp_path / "graphs", graph(ADDS), graph(ADDS)))
    for name in ("saved_model.pbtxt", "saved_model.cpb"):
        with pytest.raises(UnreadableModelError, match="release"):
            looked_at(saved(tmp_path / name, graph(ADDS), files={name: b""}))


def test_names_are_listed(tmp_path: Path) -> None:
    """What the image compares with: operators of the graph and of functions, and the attributes that decide, as digests."""
    prints = function("f", node("p", "PrintV2", output_stream="stderr"), node("c", "f"))
    names = looked_at(saved(tmp_path / "m", graph(ADDS, nodes=[node("m", "MatMul")], functions=[prints]))).names[
        "operators"
    ]
    assert [name for name in names if " " not in name] == ["MatMul", "PrintV2", "f"]
    assert [name for name in names if name.startswith("PrintV2 output_stream sha256:")]


def test_nesting_is_bounded(tmp_path: Path) -> None:
    """Functions named by attributes of functions named by attributes, without end, are not followed."""
    deep = held(1, "f")
    for _ in range(60):
        deep = held(1, "f") + held(2, held(1, "a"), held(2, held(10, deep)))
    made = node("n", "MapDataset") + held(5, held(1, "f"), held(2, held(10, deep)))
    with pytest.raises(UnreadableModelError, match="nested"):
        looked_at(saved(tmp_path / "m", graph(ADDS, nodes=[made]), files={}))


def test_damaged_graphs_end_with_an_answer(tmp_path: Path) -> None:
    """Bytes changed anywhere, in every part that is read: an answer or unreadable, and no other failure."""
    chance = random.Random(10)
    objects = [held(1, held(5, number(1, 0))), held(2, held(1, "f"), held(2, held(2, b"\0\1")))]
    calls = node("c", "PartitionedCall", "h", "asset_0", calls=["f"], output_stream="stderr")
    fills = function("f", node("t", TABLE, "h", "path"), arguments=["h", "path"])
    made = graph(ADDS, nodes=[*SAVER, calls], functions=[fills], assets=["w"], objects=objects, kinds=["k"]) + RESTORES
    folder = saved(tmp_path / "m", made, files={"assets/w": b""})
    data = (folder / "saved_model.pb").read_bytes()
    for _ in range(700):
        changed = bytearray(data)
        for _ in range(chance.choice((1, 1, 2, 4))):
            changed[chance.randrange(len(changed))] = chance.choice((0, 1, 0x7F, 0x80, 255, chance.randrange(256)))
        (folder / "saved_model.pb").write_bytes(changed)
        try:
            looked_at(folder)
        except UnreadableModelError:
            continue
