"""Makes hostile files of torch's kinds with torch itself, and loads them by this project's loader.

usage: make_torch_hostile.py FOLDER made | make_torch_hostile.py FOLDER loaded GUARDS.json LOADER GUARD.py

The first writes the files, each of which would make a file FOLDER/canary-NAME if torch ran it, and harmless twins; the second
loads each with a guard of the names in GUARDS.json (by file), and prints what came of it.
"""

from __future__ import annotations

import functools
import json
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from tests.loading import module_at

FOLDER = Path(sys.argv[1])


class Plain(nn.Module):
    """A module whose forward is a method of its own as well."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(4, 2)

    def forward(self, x: Tensor) -> Tensor:
        """The answer."""
        return self.layer(x)


class Keeping(nn.Module):
    """A module with code that runs when it is loaded."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = 2.0

    @torch.jit.export
    def __getstate__(self) -> tuple[float, bool]:
        return self.scale, self.training

    @torch.jit.export
    def __setstate__(self, state: tuple[float, bool]) -> None:
        self.scale = state[0]
        self.training = state[1]

    def forward(self, x: Tensor) -> Tensor:
        """The answer."""
        return x * self.scale


class Called:
    """Calls something when it is unpickled."""

    def __init__(self, call: Any, *args: Any) -> None:
        self._call, self._args = call, args

    def __reduce__(self) -> Any:
        return self._call, self._args


def rewritten(
    source: Path, target: Path, change: Callable[[str, bytes], bytes], more: dict[str, bytes] | None = None
) -> None:
    """The archive with its members changed, and with more of them in its folder."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
        top = old.namelist()[0].partition("/")[0]
        for name in old.namelist():
            new.writestr(name, change(name, old.read(name)))
        for name, data in (more or {}).items():
            new.writestr(f"{top}/{name}", data)


SCRIPTS = {  # what forward does before it answers; {0} is the canary's path
    "path": 'torch.save(x, "{0}")',
    "ops": 'ops.aten.save(x, "{0}")',
    "spaces": 'torch . save(x, "{0}")',
    "lines": '_9 = (torch.save(x,\n      "{0}"))',
    "comment": '_9 = [torch. # save\n    save(x, "{0}")]',
    "method": '(x).save("{0}")',
    "getattr": 'getattr(x, "s\\141ve")("{0}")',
    "alias": 'o = ops.aten\n    o.save(x, "{0}")',
    "autograd": 'torch.autograd.save(x, "{0}")',
    "file": '_9 = torch.from_file("{0}", True, 8)',
    "quoted": '_8 = "\\""\n    ops.aten.save(x, "{0}")\n    _7 = "#\\""',
}


def scripts() -> None:
    """TorchScript whose forward, or what loading calls, writes a file."""
    plain, keeping = FOLDER / "plain.pt", FOLDER / "keeping.pt"
    torch.jit.save(torch.jit.script(Plain()), plain)
    torch.jit.save(torch.jit.script(Keeping()), keeping)
    for name, line in SCRIPTS.items():
        told = line.format(FOLDER / f"canary-script_{name}")

        def change(member: str, data: bytes, told: str = told) -> bytes:
            where = b"x: Tensor) -> Tensor:\n"
            return data.replace(where, where + b"    " + told.encode() + b"\n", 1) if member.endswith(".py") else data

        rewritten(plain, FOLDER / f"script_{name}.pt", change)

    def on_load(member: str, data: bytes) -> bytes:
        line = f'\n    torch.save(1, "{FOLDER / "canary-script_setstate"}")\n    self.scale = '
        return data.replace(b"\n    self.scale = ", line.encode(), 1) if member.endswith(".py") else data

    def far(member: str, data: bytes) -> bytes:
        line = f'    torch.save(x, "{FOLDER / "canary-script_far"}")\n'
        blank = b"    _1 = 1\n" * 500_000
        where = b"x: Tensor) -> Tensor:\n"
        return data.replace(where, where + blank + line.encode(), 1) if member.endswith(".py") else data

    rewritten(keeping, FOLDER / "script_setstate.pt", on_load)
    rewritten(plain, FOLDER / "script_far.pt", far)


def edited(name: str, edit: Callable[[dict[str, Any]], None]) -> None:
    """The exported program with its JSON changed."""

    def change(member: str, data: bytes) -> bytes:
        if "models/" not in member:
            return data
        document = json.loads(data)
        edit(document)
        return json.dumps(document).encode()

    rewritten(FOLDER / "plain.pt2", FOLDER / f"{name}.pt2", change)


def programs() -> None:  # noqa: C901 - one small function for each text
    """Exported programs with code in each text that torch.export evaluates."""
    batch = torch.export.Dim("batch", min=2, max=64)
    program = torch.export.export(Plain().eval(), (torch.randn(4, 4),), dynamic_shapes={"x": {0: batch}})
    torch.export.save(program, FOLDER / "plain.pt2")

    def call(name: str) -> str:
        return f"__import__('pathlib').Path('{FOLDER / f'canary-{name}'}').touch()"

    def shape(document: dict[str, Any]) -> None:
        size = document["graph_module"]["graph"]["tensor_values"]["x"]["sizes"][0]["as_expr"]
        size["expr_str"] = f"[{call('program_shape')}, {size['expr_str']}][1]"

    def guard(document: dict[str, Any]) -> None:
        document["guards_code"] = [f"{call('program_guard')} is None"]

    def quoted(document: dict[str, Any]) -> None:
        document["guards_code"] = [f"""L['x'].size()[0] != '"+str({call("program_quoted")})+"'"""]

    def name(document: dict[str, Any]) -> None:
        text = json.dumps(document)
        bad = f'layer.a"+str({call("program_name")})+"'
        document.update(json.loads(text.replace('"layer.weight"', json.dumps(bad))))

    def operator(document: dict[str, Any]) -> None:
        document["graph_module"]["graph"]["nodes"][0]["target"] = "torch.os.system"

    def saving(document: dict[str, Any]) -> None:
        document["graph_module"]["graph"]["nodes"][0]["target"] = "torch.ops.aten.from_file.default"

    def enum(document: dict[str, Any]) -> None:
        tree = [
            1,
            {
                "type": "builtins.tuple",
                "context": '{"__enum__": 1, "fqn": "antigravity:x", "name": "a"}',
                "children_spec": [],
            },
        ]
        document["graph_module"]["module_call_graph"][0]["signature"]["in_spec"] = json.dumps(tree)

    for edit in (shape, guard, quoted, name, operator, saving, enum):
        edited(f"program_{edit.__name__}", edit)

    def weights(member: str, data: bytes) -> bytes:
        if not member.endswith("weights_config.json"):
            return data
        document = json.loads(data)
        for one in document["config"].values():
            one["use_pickle"] = True
        return json.dumps(document).encode()

    torch.save(Called(exec, call("program_weights")), FOLDER / "inner.bin")

    def inner(member: str, data: bytes) -> bytes:
        return (FOLDER / "inner.bin").read_bytes() if "/data/weights/weight_" in member else weights(member, data)

    rewritten(FOLDER / "plain.pt2", FOLDER / "program_weights.pt2", inner)
    rewritten(
        FOLDER / "plain.pt2", FOLDER / "program_binary.pt2", lambda _, data: data, {"data/aotinductor/model/a.so": b"x"}
    )
    second = {"models/other.json": json.dumps({"guards_code": [call("x")]}).encode()}
    rewritten(FOLDER / "plain.pt2", FOLDER / "program_second.pt2", lambda _, data: data, second)


def pickles() -> None:
    """Whole modules and weights whose pickle calls something, in both of torch's containers; and TorchScript as a module."""
    layers = nn.Sequential(nn.Linear(4, 2))
    torch.save(layers, FOLDER / "plain_module.pt")
    torch.save(layers.state_dict(), FOLDER / "plain_weights.pt")
    for name, zipped in (("zip", True), ("legacy", False)):
        code = f"open('{FOLDER / f'canary-module_{name}'}', 'w')"
        torch.save([layers, Called(exec, code)], FOLDER / f"module_{name}.pt", _use_new_zipfile_serialization=zipped)
        code = f"open('{FOLDER / f'canary-weights_{name}'}', 'w')"
        held = {**layers.state_dict(), "more": Called(exec, code)}
        torch.save(held, FOLDER / f"weights_{name}.pt", _use_new_zipfile_serialization=zipped)
    torch.save(torch.fx.symbolic_trace(nn.Sequential(nn.Linear(4, 2), nn.ReLU())), FOLDER / "graph.pt")
    hooked()
    (FOLDER / "module_script.pt").write_bytes((FOLDER / "script_setstate.pt").read_bytes())
    torch.save({"state_dict": layers.state_dict(), "best": np.float64(0.5)}, FOLDER / "numbers.pt")


def hooked() -> None:
    """Modules whose state holds what runs when they are called: hooks, and functions in the place of methods."""
    for name, key in (("forward", "forward"), ("eval", "eval"), ("apply", "_call_impl")):
        layers = nn.Sequential(nn.Linear(4, 2))
        vars(layers)[key] = functools.partial(nn.functional.relu, torch.ones(1))
        torch.save(layers, FOLDER / f"hook_{name}.pt")
    normed = nn.Sequential(nn.utils.weight_norm(nn.Linear(4, 2)))
    torch.save(normed, FOLDER / "normed.pt")
    hook = next(iter(normed[0]._forward_pre_hooks.values()))
    hook.compute_weight = nn.functional.relu
    torch.save(normed, FOLDER / "hook_state.pt")
    layers = nn.Sequential(nn.Linear(4, 2))
    layers.register_forward_pre_hook(functools.partial(nn.functional.relu, inplace=True))
    torch.save(layers, FOLDER / "asked_hook.pt")


def loaded(guards: dict[str, Any], loader_file: str, guard_file: str) -> None:
    """Prints of each file whether it was loaded, or the error."""
    loader, guard = module_at(loader_file, "loader"), module_at(guard_file, "guard")
    sys.modules["made"] = SimpleNamespace(make=lambda: nn.Sequential(nn.Linear(4, 2)))  # type: ignore[assignment]
    found: dict[str, str] = {}
    for file, given in guards.items():
        found[file] = outcome(
            lambda file=file, given=given: loader.load(
                str(FOLDER / file), given["options"], guard.Guard(given["names"])
            )
        )
    sys.stdout.write(json.dumps(found))


def outcome(load: Callable[[], Any]) -> str:
    """What came of it."""
    try:
        load()
    except Exception as error:  # noqa: BLE001 - whatever it is, the test reads it
        return f"{type(error).__name__}: {error}"
    return "loaded"


if __name__ == "__main__":
    if sys.argv[2] == "loaded":
        loaded(json.loads(Path(sys.argv[3]).read_text()), sys.argv[4], sys.argv[5])
    else:
        scripts()
        programs()
        pickles()
