"""The distributions that a pickle needs, from a table of the modules that it names."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from dataclasses import replace

from mlpack.artifacts.model import Requirement
from mlpack.formats.sklearn.estimators import Estimator
from mlpack.packages.distributions import Distribution
from mlpack.readers.distributions import DISTRIBUTIONS, PYTHON2
from mlpack.readers.pickles.values import PickleFile
from mlpack.readers.skops import Skops

# These use scikit-learn's classes, so they need it even if the file does not name it.
_NEED_SKLEARN = ("lightgbm.sklearn", "xgboost.sklearn", "imblearn.", "pyod.")

# Releases of imbalanced-learn that came more than two weeks after the scikit-learn for which they were made: the ones before
# cannot be imported beside it.
_IMBALANCED_LEARN = {"0.24": "0.8.0", "1.7": "0.14.0"}

# Distributions with large folders of tests, symbol tables or debug information, which the image leaves out.
REDUCED = (
    Distribution(name="imbalanced-learn", test_folders=("imblearn",)),
    Distribution(name="joblib", test_folders=("joblib",)),
    Distribution(name="lz4", strip=("lz4",)),
    Distribution(name="pandas", test_folders=("pandas",)),
    Distribution(name="pyarrow", strip=("pyarrow",)),  # 35 MB in 26
    Distribution(name="scikit-learn", test_folders=("sklearn",), strip=("sklearn",)),
    Distribution(name="scipy", test_folders=("scipy",), strip=("scipy", "scipy.libs")),
    Distribution(name="statsmodels", test_folders=("statsmodels",)),
)


def requirements_of(
    pickle: PickleFile,
    *,
    framework: str,
    sklearn_version: str | None,
    boosters: Mapping[str, Requirement],
    releases: Mapping[str, str],
    tables: Iterable[str],
    word: tuple[str, str | None],
) -> tuple[tuple[Requirement, ...], tuple[str, ...]]:
    """The distributions that a pickle needs, and its modules without a known distribution.

    `boosters` are requirements by module, read from boosters in the file; `releases` are the releases that could have written
    the objects of a module; `word` is the user's (distribution, version), for
    versions that the file does not record; `tables` are modules of tables. The framework is first.
    """
    modules = {name.module.partition(".")[0] for name in pickle.globals}
    modules -= PYTHON2 | set(sys.stdlib_module_names)
    if pickle.container == "joblib" or pickle.compression:
        modules.add("joblib")  # the loader reads compressed pickles with it, whoever wrote them
    if pickle.compression == "lz4":
        modules.add("lz4")
    if any(name.module.startswith(_NEED_SKLEARN) for name in pickle.globals):
        modules.add("sklearn")
    modules |= set(boosters) & {"skops"}
    modules.update(tables)
    if "sklearn" in modules:
        modules.add("numpy")
    modules -= {"_loss", "_catboost"} if modules & {"sklearn", "catboost"} else set()
    missing = tuple(sorted(module for module in modules if module not in DISTRIBUTIONS))
    found = [
        boosters.get(module) or _requirement(module, framework, pickle.numpy_major, sklearn_version, releases)
        for module in modules - set(missing)
    ]
    found.sort(key=lambda one: (one.distribution != framework, one.distribution))
    return tuple(_with_word(found, word)), missing


def _requirement(
    module: str, framework: str, numpy_major: int | None, sklearn_version: str | None, releases: Mapping[str, str]
) -> Requirement:
    constraint = {1: "<2", 2: ">=2"}.get(numpy_major or 0, "") if module == "numpy" else releases.get(module, "")
    version = sklearn_version if module == "sklearn" else None
    distribution = DISTRIBUTIONS[module]
    last = _IMBALANCED_LEARN.get(".".join((sklearn_version or "").split(".")[:2])) if module == "imblearn" else None
    if last:
        return Requirement(module=module, distribution=distribution, constraint=f"<={last}", newest=True)
    return Requirement(
        module=module,
        distribution=distribution,
        version=version,
        constraint=constraint,
        newest=distribution == framework and module != "sklearn",  # the newest scikit-learn rarely reads an old file
    )


def skops_requirement(skops: Skops) -> Requirement:
    """The requirement on skops: the release that wrote the file."""
    return Requirement(module="skops", distribution="skops", version=skops.version, newest=skops.version is None)


def _with_word(found: Iterable[Requirement], word: tuple[str, str | None]) -> Iterable[Requirement]:
    name, version = word
    for one in found:
        yield replace(one, version=version) if version and one.distribution == name else one


def parse_word(framework: str | None) -> tuple[str, str | None]:
    """The user's `scikit-learn==1.0.2` as (distribution, version); ("", None) without one."""
    name, _, version = (framework or "").partition("==")
    canonical = {"sklearn": "scikit-learn", "scikit_learn": "scikit-learn"}.get(
        name.strip().lower(), name.strip().lower()
    )
    return canonical, version.strip() or None


def tables_of(held: Iterable[Estimator], *, pandas: bool) -> set[str]:
    """The libraries of tables: `pandas` if the model gets one, and those that its estimators return (`set_output`)."""
    configured = [one.get("_sklearn_output_config") for one in held]
    transforms = [one.get("transform") for one in configured if isinstance(one, dict)]
    returned = {name for name in ("pandas", "polars") if name in transforms}
    return returned | {"pandas"} if pandas or returned else set()
