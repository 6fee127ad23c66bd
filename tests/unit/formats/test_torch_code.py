"""What torch's files carry as text, TorchScript, expressions and Python source, is read by strict rules; nothing else is safe."""

from __future__ import annotations

import pickle
import time
from pathlib import Path
from typing import Any

import pytest

from mlpack.artifacts.model import Safety
from mlpack.errors import UnreadableModelError
from mlpack.formats.pytorch import TorchFormat
from mlpack.formats.pytorch.exported.expressions import is_expression, tree_faults
from mlpack.formats.pytorch.torchscript.tokens import Named
from mlpack.pipeline.inspect import inspect
from mlpack.readers.verdicts.carried import fault_of
from tests.formats.torch_hostile import archive, script

_IMPORTS = "import torch\nfrom torch import device\nimport torch.fx._pytree as fx_pytree\nfrom math import inf\n"
_FORWARD = 'def forward(self, x):\n    one = getattr(self.layers, "0")(x);  x = None\n    return torch.relu(one)\n'


def judged(path: Path, members: dict[str, bytes]) -> Safety:
    path.write_bytes(archive(members))
    return inspect(path, formats=[TorchFormat()]).safety


@pytest.mark.parametrize(
    ("expression", "verdict", "named"),
    [
        ("torch.add(x, x)", "safe", ""),
        ("torch.softmax(x, -1, dtype=None)", "safe", ""),
        ("ops.quantized.linear(x, x, 1., 0)", "safe", ""),
        ("torch.save(x, 'f')", "dangerous", "aten::save"),
        ("ops.aten.save(x, 'f')", "dangerous", "aten::save"),
        ("torch . save (x, 'f')", "dangerous", "aten::save"),
        ("(torch.\n\n  save)(x, 'f')", "dangerous", "aten::save"),
        ("(torch. # a comment\n  save)(x, 'f')", "dangerous", "aten::save"),
        ("torch.autograd.save(x, 'f')", "dangerous", "aten::save"),
        ("ops.aten.autograd.save(x, 'f')", "dangerous", "aten::save"),
        ("(x).save('f')", "dangerous", "aten::save"),
        ("getattr(x, 's\\141ve')('f')", "dangerous", "aten::save"),
        ("torch.from_file('f', True, 8)", "dangerous", "aten::from_file"),
        ("rpc_sync(x, x)", "dangerous", "prim::rpc_sync"),
        ("ops.c10d.send([x], x, 1, 1)", "dangerous", "c10d::send"),
        ("ops.prim.PythonOp(x)", "dangerous", "prim::PythonOp"),
        ("ops.mine.compute(x)", "unknown", "mine::compute"),
        ("torch.of_tomorrow(x)", "unknown", "aten::of_tomorrow"),
        ("__torch__.torch.classes.mine.Thing(x)", "unknown", "__torch__.torch.classes.mine.Thing"),
        ("(ops).aten.save(x, 'f')", "dangerous", "TorchScript code/__torch__.py"),
        ("[ops][0]", "dangerous", "TorchScript code/__torch__.py"),
        ("'''\n'''", "dangerous", "TorchScript code/__torch__.py"),
        ("x.\\\n  save('f')", "dangerous", "TorchScript code/__torch__.py"),
        ("getattr(x, 'sa' 've')('f')", "dangerous", "TorchScript code/__torch__.py"),
        ("x.\u017fave('f')", "dangerous", "TorchScript code/__torch__.py"),
    ],
)
def test_each_operator_of_the_text_is_judged(expression: str, verdict: str, named: str, tmp_path: Path) -> None:
    """However a text names an operator, it counts by its exact name; a form that torch does not write is dangerous."""
    safety = judged(tmp_path / "m.pt", script(expression))
    assert safety.verdict == verdict
    assert [one.callable for one in safety.findings][:1] == ([named] if named else [])


def test_an_attribute_of_the_model_may_have_an_operators_name(tmp_path: Path) -> None:
    """A method `save` of the model's own is not known to be one: unknown, with the operator's name, and not dangerous."""
    members = script("(self).save(x, )")
    members["a/code/__torch__.py"] += b"  def save(self: __torch__.Net,\n    x: Tensor) -> Tensor:\n    return x\n"
    safety = judged(tmp_path / "m.pt", members)
    assert (safety.verdict, [one.callable for one in safety.findings]) == ("unknown", ["aten::save"])


def test_code_is_read_to_its_end(tmp_path: Path) -> None:
    """What lies behind megabytes of harmless lines is found; more code than is read is never safe; both in a bounded time."""
    far = script("x")
    far["a/code/__torch__.py"] += (
        b"  # nothing\n" * (6 << 20 >> 3) + b"  def f(self, x: Tensor):\n    torch.save(x, 'f')\n"
    )
    began = time.process_time()
    assert [one.callable for one in judged(tmp_path / "far.pt", far).findings] == ["aten::save"]
    assert time.process_time() - began < 10
    more = script("x")
    more["a/code/__torch__.py"] += b"  # nothing\n" * (17 << 20 >> 3)
    safety = judged(tmp_path / "more.pt", more)
    assert (safety.verdict, safety.findings[0].callable) == ("unknown", "TorchScript code")


def test_archives_that_torch_may_read_otherwise(tmp_path: Path) -> None:
    """Names that differ by capitals, a second format's first bytes, TorchScript without code: none is safe."""
    code = b"class Net(Module):\n  def forward(self, x: Tensor) -> Tensor:\n    return torch.save(x, 'f')\n"
    with pytest.raises(UnreadableModelError, match="twice"):
        judged(tmp_path / "both.pt", {**script("x"), "a/CODE/__torch__.PY": code})
    capitals = script("x")
    capitals["a/Code/__TORCH__.Py"] = code
    del capitals["a/code/__torch__.py"]
    assert "aten::save" in [one.callable for one in judged(tmp_path / "capitals.pt", capitals).findings]
    data = bytearray(archive(script("x")))
    data[4:8] = b"PTMF"
    (tmp_path / "two.pt").write_bytes(data)
    with pytest.raises(UnreadableModelError, match="contradict"):
        inspect(tmp_path / "two.pt", formats=[TorchFormat()])
    bare = {name: data for name, data in script("x").items() if "/code/" not in name}
    assert judged(tmp_path / "bare.pt", bare).verdict == "unknown"


@pytest.mark.parametrize("text", ["a" + " " * 2_000_000, "# #" * 300_000, "1." * 200_000, "." * 400_000, '"' * 999_999])
def test_odd_text_takes_no_time(text: str) -> None:
    """No text makes its reader go over it again and again."""
    began = time.process_time()
    Named().read(text)
    assert time.process_time() - began < 5


@pytest.mark.parametrize(
    "text",
    [
        "s0", "2*s0 + 1", "(s0 + 1)//2", "Mod(s0, 8)", "-s0", "oo", "int_oo", "Max(1, FloorDiv(s77, 2))",
        "Mul(Integer(2), FloorDiv(Symbol('s77', positive=True, integer=True), Integer(2)))", "Float('1.5', precision=53)",
        "Piecewise((s0, Eq(s1, 2)), (1, True))",
    ],
)  # fmt: skip
def test_expressions_that_torch_writes(text: str) -> None:
    """Numbers, symbols, signs and the functions of shapes."""
    assert is_expression(text)
    assert is_expression(text, guard=True)


@pytest.mark.parametrize(
    "text",
    [
        "__import__('os')", "[x][0]", "s0.a", "(s0)(1)", "'os'", "Max('os.system')", "lambda: 1", "s0 if 1 else 2", "eval(1)",
        "a b", "Symbol('x')('y')", "s0(1)", "1(2)", "", "s0,", "(", "()", "Max()", "s0[0]", "x:=1", "_x", "9" * 30, "L.x",
        "Symbol('a' + open('x'))", "s0;s1", "s0\n\n__import__('os')", "`s0`", "s\u00e90", "f'{s0}'", "{s0}", "*s0", "s0 s1",
    ],
)  # fmt: skip
def test_expressions_that_do_more(text: str) -> None:
    """Calls of other names, attributes, items, texts, and what is no expression at all."""
    assert not is_expression(text)
    assert not is_expression(text, guard=True) or text == "'os'"


@pytest.mark.parametrize(
    ("text", "fits"),
    [
        ("L['x'].size()[0] >= 2", True),
        ("Eq(Mod(L['x'].size()[0], 8), 0)", True),
        ("L['mode'] == 'mean'", True),
        ("math.isnan(L['k'][0])", True),
        ("not (L['a'] == 3) and L['b'] != -math.inf", True),
        ("L['x'].__class__", False),
        ("L['x'].size().a", False),
        ("L['x']()", False),
        ('L["a"] == 1', False),
        ("L['a'] == 'x\"+open(1)+\"'", False),
        ("args[0]", False),
        ("torch.save(L['x'], 'f')", False),
    ],
)  # fmt: skip
def test_guards(text: str, fits: bool) -> None:
    """A guard compares inputs and their sizes, and no more."""
    assert is_expression(text, guard=True) is fits


@pytest.mark.parametrize(
    ("tree", "named"),
    [
        ('[1, {"type": "builtins.dict", "context": "[\\"a\\"]", "children_spec": []}]', []),
        ('[1, {"type": null, "context": null, "children_spec": []}]', []),
        ('[1, {"type": "mine.Pair", "context": "null", "children_spec": []}]', ["mine.Pair"]),
        (
            '[1, {"type": "builtins.tuple", "context": "{\\"__enum__\\": true, \\"fqn\\": \\"os:a\\"}", "children_spec": []}]',
            ["torch.utils._pytree"],
        ),
        (
            (
                '[1, {"type": "collections.defaultdict", "context": {"default_factory_module": "os", "default_factory_name": '
                '"getpid", "dict_context": []}, "children_spec": []}]'
            ),
            ["os.getpid"],
        ),
        ("{", ["torch.utils._pytree"]),
    ],
)
def test_the_form_of_arguments(tree: str, named: list[str]) -> None:
    """Python's own containers are known; what imports a module is named."""
    assert [name for name, _ in tree_faults(tree)] == named


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (_IMPORTS + _FORWARD, ""),
        (_FORWARD.replace("return", "torch.ops.aten.add.Tensor(x, x)\n    return"), ""),
        ("import os\n" + _FORWARD, "imports os"),
        ("from subprocess import run\n" + _FORWARD, "imports subprocess"),
        ("import torch.hub\n" + _FORWARD, "imports torch.hub"),
        (_IMPORTS + _FORWARD.replace("relu", "save"), "accesses save"),
        (_IMPORTS + _FORWARD.replace("torch.relu", "eval"), "uses eval"),
        (_IMPORTS + _FORWARD.replace("torch.relu(one)", "one.__class__.__subclasses__()"), "__subclasses__"),
        (_IMPORTS + _FORWARD.replace('"0"', "x"), "accesses attributes"),
        (_IMPORTS + _FORWARD.replace("torch.relu", "torch.jit.load"), "load"),
        ("def forward(self", "cannot be parsed"),
    ],
)
def test_carried_source(text: str, fault: str) -> None:
    """Source of a graph module computes with tensors; names of modules, files, processes and eval are found."""
    assert (fault in fault_of(text)) if fault else not fault_of(text)


def _graph(body: dict[str, Any], imports: str) -> bytes:
    """A pickle as torch.fx writes one."""
    call = b"\x80\x02ctorch.fx.graph_module\nreduce_graph_module\n"
    return call + pickle.dumps((body, imports), 2)[2:-1] + b"R."


def test_a_graph_module_shows_its_source(tmp_path: Path) -> None:
    """It is unknown, with its first lines; dangerous when these reach out, or when its state is called while it is traced."""
    body: dict[str, Any] = {"_parameters": {}, "_buffers": {}, "_modules": {}, "_code": _FORWARD}
    name = "torch.fx.graph_module.reduce_graph_module"
    shown = judged(tmp_path / "a.pt", {"a/data.pkl": _graph(body, _IMPORTS), "a/version": b"3"})
    assert (shown.verdict, [one.callable for one in shown.findings]) == ("unknown", [name])
    assert 'getattr(self.layers, "0")(x)' in shown.findings[0].why
    for other in ({**body, "_code": "import os\n" + _FORWARD}, {**body, "_code": 7}, {**body, "named_modules": len}):
        safety = judged(tmp_path / "b.pt", {"a/data.pkl": _graph(other, _IMPORTS), "a/version": b"3"})
        assert (safety.verdict, safety.findings[0].callable) == ("dangerous", name)


def test_a_package_shows_its_source(tmp_path: Path) -> None:
    """torch.package's modules are source: shown, and dangerous when they reach out."""
    members = {"a/.data/extern_modules": b"", "a/model/model.pkl": b"\x80\x02}.", "a/mine.py": _FORWARD.encode()}
    shown = judged(tmp_path / "a.pt", members)
    assert (shown.verdict, shown.findings[0].callable) == ("unknown", "torch.package mine.py")
    safety = judged(tmp_path / "b.pt", {**members, "a/other.py": b"import os\nos.system('id')\n"})
    assert (safety.verdict, safety.findings[0].callable) == ("dangerous", "torch.package other.py")
