"""The releases of a package that could have written its objects in a file, by the attributes that these have and lack."""

from __future__ import annotations

import csv
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from packaging.specifiers import SpecifierSet
from packaging.version import Version

from mlpack.formats.sklearn.estimators import Estimator, walk
from mlpack.readers.pickles.values import Instance

_TABLE = Path(__file__).with_name("releases.tsv")


@dataclass(frozen=True, kw_only=True)
class _Rule:
    """Objects of these classes (of all classes if there are none) that have one attribute and lack the other."""

    classes: frozenset[str]
    has: str
    lacks: str
    releases: str

    def fits(self, name: str, attributes: Collection[str]) -> bool:
        known = not self.classes or name in self.classes
        return known and self.has in attributes and self.lacks not in attributes


@cache
def _rules() -> Mapping[str, tuple[_Rule, ...]]:
    """The rules by top-level module."""
    rules: dict[str, tuple[_Rule, ...]] = {}
    with _TABLE.open(encoding="utf-8", newline="") as file:
        for module, classes, has, lacks, releases, _ in csv.reader(file, delimiter="\t"):
            if module.startswith("#"):
                continue
            names = frozenset() if classes == "*" else frozenset(classes.split(","))
            rules[module] = (*rules.get(module, ()), _Rule(classes=names, has=has, lacks=lacks, releases=releases))
    return rules


def releases_of(root: Any, modules: Collection[str]) -> dict[str, str]:
    """The releases that could have written the objects below `root`, as a specifier such as `>=1.1,<1.3` by module.

    `modules` are the top-level modules that the file names.
    """
    rules = {module: found for module, found in _rules().items() if module in modules}
    found: dict[str, set[str]] = {}
    for value in walk(root) if rules else ():
        if not isinstance(value, Instance):
            continue
        one = Estimator(value)
        fitting = {rule.releases for rule in rules.get(one.package, ()) if rule.fits(one.name, one.attributes)}
        found.setdefault(one.package, set()).update(fitting)
    return {module: bounds for module, releases in found.items() if (bounds := _common(releases))}


def _common(releases: Collection[str]) -> str:
    """The bounds that all have in common; "" if they exclude each other, as in a file that was saved again later."""
    clauses = [clause for one in releases for clause in SpecifierSet(one)]
    lower = max((Version(one.version) for one in clauses if one.operator == ">="), default=None)
    upper = min((Version(one.version) for one in clauses if one.operator == "<"), default=None)
    if lower is not None and upper is not None and lower >= upper:
        return ""
    return ",".join(f"{sign}{bound}" for sign, bound in ((">=", lower), ("<", upper)) if bound is not None)
