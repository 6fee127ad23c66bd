"""Read skops files as data: the schema becomes the same inert values as a pickle's, with the same verdict rules."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from mlpack.artifacts.model import Verdict
from mlpack.readers.archives.trees import Tree
from mlpack.readers.limits import CutOffError
from mlpack.readers.pickles.values import Global, Member, PickleFile
from mlpack.readers.skops.kinds import KINDS, other
from mlpack.readers.skops.parts import SCHEMA, Building, is_plain
from mlpack.readers.verdicts.verdict import judge

VERSION = re.compile(r"[0-9]{1,6}(\.[0-9]{1,6})*[A-Za-z0-9.+_-]{0,40}")
_LONGEST_SCHEMA = 64 << 20  # a forest of several thousand trees
_MOST_NODES, _MOST_ITEMS = 600_000, 4_000_000  # of a schema, for which Python needs several hundred megabytes


@dataclass(frozen=True, kw_only=True)
class Skops:
    """The content, the skops release that wrote it, and the names of all types and functions that loading needs.

    `types` are those that skops does not trust by default (`module.Class`), `names` all of them (`module:Class`).
    """

    file: PickleFile
    version: str | None
    types: tuple[str, ...]
    names: tuple[str, ...]


def read_skops(tree: Tree) -> Skops | None:
    """The content of a skops file; None for any other zip. Raises CutOffError for a broken one."""
    if tree.container != "zip" or tree.sizes.get(SCHEMA, _LONGEST_SCHEMA) >= _LONGEST_SCHEMA:
        return None
    schema = _schema(tree.read(SCHEMA, _LONGEST_SCHEMA))
    if not isinstance(schema, dict) or "__loader__" not in schema:
        return None
    protocol = schema.get("protocol")
    building = Building(tree, protocol if isinstance(protocol, int) else 0, KINDS, other)
    try:
        root = building.value(schema)
    except (KeyError, TypeError, ValueError, AttributeError, IndexError, OverflowError, RecursionError) as error:
        raise CutOffError(f"its schema is invalid ({type(error).__name__}: {error})") from error
    for found in _anywhere(schema):  # names in unknown kinds of parts count for the verdict too
        building.names.add(found.reference)
        if not is_plain(found) and found not in building.own:
            building.record.names.setdefault(found, None)
    version = schema.get("_skops_version")
    return Skops(
        file=PickleFile(
            container="skops",
            compression=None,
            members=(Member(name="", root=root, protocol=building.protocol),),
            globals=tuple(building.record.names),
            safety=judge(building.record),
        ),
        version=version if isinstance(version, str) and VERSION.fullmatch(version) else None,
        types=tuple(
            sorted(
                {
                    *map(str, {*building.record.names, *(one for one in building.own if not is_plain(one))}),
                    *building.methods,
                }
            )
        ),
        names=tuple(sorted(building.names)),
    )


def _schema(content: bytes) -> Any:
    if content.count(b"{") + content.count(b"[") > _MOST_NODES or content.count(b",") > _MOST_ITEMS:
        raise CutOffError("its schema has more parts than any model's")
    try:
        return json.loads(content)
    except (ValueError, RecursionError) as error:
        raise CutOffError("its schema is not valid JSON") from error


def _anywhere(schema: Any) -> Iterator[Global]:
    """Every class or function in a schema, also where skops would ignore it."""
    left = [schema]
    while left:
        part = left.pop()
        if isinstance(part, list):
            left += part
        elif isinstance(part, dict):
            left += part.values()
            for keys in (("__module__", "__class__"), ("module_path", "function")):
                if any(key in part for key in keys):
                    yield Global(*(str(part.get(key)) for key in keys))


def with_verdict(file: PickleFile, other: PickleFile | None) -> PickleFile:
    """The file with the worse of two verdicts: its own, and that on pickles in the same zip."""
    if other is None or other.safety.verdict == "safe":
        return file
    findings = (*other.safety.findings, *file.safety.findings)
    worst: Verdict = "dangerous" if "dangerous" in (other.safety.verdict, file.safety.verdict) else "unknown"
    return replace(file, safety=replace(file.safety, verdict=worst, findings=findings))
