"""HDF5: the attributes, datasets and ways out of the file that h5py sees must be those that inspection sees."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from mlpack.readers.hdf5 import Hdf5, Node
from tests.fuzz.cases import Failure, Input, Outcome
from tests.fuzz.generators import hdf5
from tests.fuzz.inspection import Seen, Watch
from tests.fuzz.loaders.client import Loaders


class Hdf5Files:
    """HDF5 files, as old Keras wrote its models."""

    groups: tuple[str, ...] = ("hdf5",)

    def __init__(self, watch: Watch) -> None:
        self._watch = watch

    def make(self, rng: random.Random) -> Input:
        """An HDF5 file."""
        return hdf5.make(rng)

    def check(self, path: Path, loaders: Mapping[str, Loaders], rng: random.Random) -> Outcome:  # noqa: ARG002 - all loaders run
        """Read it with both."""
        seen = self._watch.run(lambda: _seen(path))
        reached = loaders["hdf5"].run(path, ["h5py"])
        failures = list(seen.failures)
        if seen.accepted and reached and reached[0].status == "loaded":
            failures += differences(seen.facts, reached[0].found)
        loaded = any(one.status == "loaded" for one in reached)
        return Outcome(verdict=seen.verdict, loaded=loaded, failures=tuple(failures))


def _seen(path: Path) -> Seen:
    found: dict[str, Any] = {"attributes": {}, "datasets": {}}
    with path.open("rb") as file:
        opened = Hdf5(file, path.stat().st_size)
        for name, dataset in opened.walk():
            found["datasets"][name] = list(dataset.shape)
        found["outside"] = list(opened.outside)
        waiting, seen = [("", opened.root)], set()
        while waiting:
            name, node = waiting.pop()
            if node.address in seen or node.dataset() is not None:
                continue
            seen.add(node.address)
            found["attributes"][name] = node.attributes()
            waiting += [(f"{name}/{inner}".lstrip("/"), one) for inner, one in _members(node)]
    return Seen(verdict="safe", facts=found)


def _members(node: Node) -> list[tuple[str, Node]]:
    return sorted(node.members().items(), reverse=True)


def differences(own: Mapping[str, Any], other: Mapping[str, Any]) -> Iterator[Failure]:
    for path, attributes in other["attributes"].items():
        if path not in own["attributes"]:
            continue  # a second way to an object that was met before
        mine = own["attributes"][path]
        if more := attributes.keys() - mine.keys():
            yield _different("an attribute that inspection did not see", f"{path!r}: {sorted(more)!r}")
        for name in attributes.keys() & mine.keys():
            if (
                mine[name] is not None
                and attributes[name] is not None
                and _plain(mine[name]) != _plain(attributes[name])
            ):
                detail = f"{path!r}, {name!r}: {mine[name]!r} here, {attributes[name]!r} there"
                cut = isinstance(attributes[name], str) and attributes[name].partition("\0")[0] == mine[name]
                yield _different(f"an attribute {'cut at a NUL' if cut else 'with another value'}", detail)
    yield from _datasets(own, other)
    if other["outside"] and not own["outside"]:
        yield _different("a way out of the file that inspection did not see", repr(other["outside"]))


def _datasets(own: Mapping[str, Any], other: Mapping[str, Any]) -> Iterator[Failure]:
    for path, shape in other["datasets"].items():
        if path in own["datasets"] and own["datasets"][path] != shape:
            yield _different("a dataset of another shape", f"{path!r}: {own['datasets'][path]} here, {shape} there")
    more = other["datasets"].keys() - own["datasets"].keys()
    if more and len(other["datasets"]) > len(own["datasets"]) and not _doubled(other["datasets"]):
        yield _different("a dataset that inspection did not see", repr(sorted(more)))


def _doubled(datasets: Mapping[str, Any]) -> bool:
    """Whether two paths may lead to one dataset, of which inspection names the first."""
    shapes = [tuple(one) for one in datasets.values()]
    return len(set(shapes)) < len(shapes)


def _plain(value: Any) -> Any:
    if isinstance(value, list | tuple):
        found = [_plain(one) for one in value]
        return found[0] if len(found) == 1 else found
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace").rstrip("\0")
    return value.rstrip("\0") if isinstance(value, str) else str(float(value))


def _different(about: str, detail: str) -> Failure:
    return Failure(promise="different", loader="h5py", about=about, detail=detail)
