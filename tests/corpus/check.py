"""Inspects fetched model files and holds the answers against the table."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from mlpack.artifacts.model import ModelInfo
from mlpack.errors import ModelError
from mlpack.pipeline.inspect import inspect
from mlpack.plugins import load, names

TABLE = Path(__file__).with_name("corpus.tsv")


@dataclass(frozen=True, kw_only=True)
class Row:
    """What one file is: `path` is below the package's folder; `inputs` is the first signature's, `verdict` the reader's.

    Of a file that is no model `format` is the error's code.
    """

    package: str
    version: str
    path: str
    format: str
    framework: str = ""
    framework_version: str = ""
    inputs: str = ""
    classes: str = ""
    verdict: str = ""

    @property
    def folder(self) -> str:
        """The package's folder below the corpus."""
        return f"{self.package}-{self.version}"


def rows() -> list[Row]:
    """The table."""
    with TABLE.open(encoding="utf-8", newline="") as file:
        return [Row(**row) for row in csv.DictReader(file, delimiter="\t")]


def write(found: list[Row]) -> None:
    """Writes the table anew."""
    with TABLE.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, [one.name for one in fields(Row)], delimiter="\t", lineterminator="\n")
        writer.writeheader()
        writer.writerows(
            asdict(row) for row in sorted(found, key=lambda row: (row.package.lower(), row.version, row.path))
        )


def told(package: str, version: str, path: str, file: Path) -> Row:
    """What inspecting the file says."""
    formats = [load("formats", name)() for name in names("formats")]
    try:
        info = inspect(file, formats=formats)
    except ModelError as error:
        verdict = str((error.info.get("safety") or {}).get("verdict", "unknown"))
        return Row(package=package, version=version, path=path, format=error.code, verdict=verdict)
    return Row(
        package=package,
        version=version,
        path=path,
        format=info.format,
        framework=info.framework or "",
        framework_version=info.framework_version or "",
        inputs=_inputs(info),
        classes="" if info.classes is None else str(len(info.classes)),
        verdict=info.safety.verdict,
    )


def _inputs(info: ModelInfo) -> str:
    if not info.signatures:
        return "not served" if info.advice else "ask"
    first = info.signatures[0]
    inputs = [f"{one.name} {one.dtype} {list(one.shape)}" for one in first.inputs]
    more = f" and {len(inputs) - 4} more" if len(inputs) > 4 else ""
    return f"{first.layout}: {'; '.join(inputs[:4])}{more}".replace("\t", " ").replace("\n", " ")


def differences(wanted: Row, found: Row) -> Iterator[str]:
    """Each column that is not as the table has it."""
    for column in ("format", "framework", "framework_version", "inputs", "classes", "verdict"):
        left, right = getattr(wanted, column), getattr(found, column)
        if left != right:
            yield f"{wanted.folder}/{wanted.path}: {column} is {right or 'nothing'!r}, not {left or 'nothing'!r}"
