"""Protocol buffers: operators, functions and other files that onnx and TensorFlow see must be those that inspection sees."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from mlpack.formats.onnx.proto import read_model
from mlpack.formats.savedmodel.graph import read_graphs
from mlpack.readers.streams import MemorySource
from tests.fuzz.cases import Failure, Input, Outcome
from tests.fuzz.generators import protobufs
from tests.fuzz.inspection import Seen, Watch
from tests.fuzz.loaders.client import Loaders


class Protobufs:
    """ONNX files and saved_model.pb files."""

    groups: tuple[str, ...] = ("onnx", "tensorflow")

    def __init__(self, watch: Watch) -> None:
        self._watch = watch

    def make(self, rng: random.Random) -> Input:
        """A model."""
        return protobufs.make(rng)

    def check(self, path: Path, loaders: Mapping[str, Loaders], rng: random.Random) -> Outcome:  # noqa: ARG002 - all loaders run
        """Read it with both."""
        onnx = path.suffix == ".onnx"
        seen = self._watch.run(lambda: _onnx(path) if onnx else _saved(path))
        group, loader = ("onnx", "onnx") if onnx else ("tensorflow", "tensorflow")
        reached = loaders[group].run(path, [loader]) if group in loaders else []
        failures = list(seen.failures)
        if seen.accepted and reached and reached[0].status == "loaded":
            found = onnx_differences if onnx else _saved_differences
            failures += found(seen.facts, reached[0].found)
        loaded = any(one.status == "loaded" for one in reached)
        return Outcome(verdict=seen.verdict, loaded=loaded, failures=tuple(failures))


def _onnx(path: Path) -> Seen:
    model = read_model(MemorySource(path.read_bytes()))
    if model is None:
        return Seen(verdict="none")
    facts = {
        "operators": sorted(map(list, model.operators)),
        "functions": sorted(map(list, model.functions)),
        "external": sorted(model.external),
    }
    return Seen(verdict="safe", facts=facts)


def onnx_differences(own: Mapping[str, Any], other: Mapping[str, Any]) -> Iterator[Failure]:
    for what in ("operators", "functions", "external"):
        if own[what] != other[what]:
            hidden = [one for one in other[what] if one not in own[what]]
            # A file that is read although none needs it is no way around inspection; a function that is not there is.
            if hidden or what == "functions":
                yield _different("onnx", what, f"{own[what]} here, {other[what]} there")


def _saved(path: Path) -> Seen:
    graphs = [
        {
            "operations": sorted({node.op for node in graph.nodes}),
            "functions": sorted([name, op] for name, one in graph.functions.items() for op in {"", *one.ops}),
            "assets": sorted(graph.assets),
            "texts": sorted(
                [node.op, key, text.hex()]
                for nodes in (graph.nodes, *(one.nodes.values() for one in graph.functions.values()))
                for node in nodes
                for key, text in node.texts.items()
            ),
        }
        for graph in read_graphs(MemorySource(path.read_bytes()))
    ]
    return Seen(verdict="safe", facts=graphs)


def _saved_differences(own: list[Any], other: list[Any]) -> Iterator[Failure]:
    if len(own) != len(other):
        yield _different("tensorflow", "graphs", f"{len(own)} here, {len(other)} there")
        return
    for mine, theirs in zip(own, other, strict=True):
        for what in ("operations", "functions", "assets", "texts"):
            hidden = [one for one in theirs[what] if one not in mine[what]]
            if hidden:
                yield _different("tensorflow", what, f"{mine[what]} here, {theirs[what]} there")


def _different(loader: str, what: str, detail: str) -> Failure:
    return Failure(promise="different", loader=loader, about=what, detail=detail)
