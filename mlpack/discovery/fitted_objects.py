"""Fitted objects of known packages that no format serves, such as those of lifelines: what they are, what serves them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from mlpack.artifacts.model import ModelInfo
from mlpack.artifacts.notice import no_signature
from mlpack.discovery.opaque import USER_FORMAT, packages_in
from mlpack.formats.base import Artifact
from mlpack.readers.distributions import DISTRIBUTIONS
from mlpack.readers.pickles.contents import contents, kind, pairs
from mlpack.readers.pickles.values import Instance, PickleFile

# Packages whose objects hold data, or are read by a format of their own.
_NO_MODELS = frozenset({
    "PIL", "_catboost", "_loss", "cloudpickle", "cv2", "dateutil", "dill", "httpx", "joblib", "networkx", "numpy", "packaging",
    "pandas", "polars", "pyarrow", "pydantic", "pytz", "requests", "scipy", "sklearn", "threadpoolctl", "torch", "tqdm", "yaml",
})  # fmt: skip
_TABLE = "pd.DataFrame(instances)"


@dataclass(frozen=True, kw_only=True)
class Use:
    """How an object is usually called for rows: an expression of Python, what a row is, and its columns if these are known."""

    expression: str
    row: str = "an object with a value for each column"
    inputs: Mapping[str, str] = field(default_factory=dict)


STEPS = '{"steps": 3}'
_STEPS = {"steps": "INT64"}
# By the beginning of the dotted class name; the first that fits.
_USES = (
    ("lifelines.fitters.coxph_fitter.", Use(expression=f"{{}}.predict_partial_hazard({_TABLE}).tolist()")),
    ("lifelines.fitters.kaplan_meier", Use(expression="{}.survival_function_at_times(instances).tolist()", row="a time")),
    ("lifelines.", Use(expression=f"{{}}.predict_median({_TABLE}).tolist()")),
    ("prophet.", Use(expression=f'{{}}.predict({_TABLE})["yhat"].tolist()', row='{"ds": "2030-01-31"}, and the regressors')),
    ("pmdarima.", Use(expression='[{}.predict(int(row["steps"])).tolist() for row in instances]', row=STEPS, inputs=_STEPS)),
    (
        "sktime.forecasting.",
        Use(
            expression='[np.ravel({}.predict(fh=list(range(1, int(row["steps"]) + 1)))).tolist() for row in instances]',
            row=STEPS,
            inputs=_STEPS,
        ),
    ),
    (
        ("sktime.classification.", "sktime.regression."),
        Use(expression="{}.predict(np.asarray(instances, dtype=float)).tolist()", row="a list of series (lists of numbers)"),
    ),
    (
        "surprise.",
        Use(expression='[{}.predict(row["user"], row["item"]).est for row in instances]', row='{"user": 1, "item": 2}'),
    ),
    (
        "implicit.",
        Use(
            expression="[{}.recommend(user, None, filter_already_liked_items=False)[0].tolist() for user in instances]",
            row="the number of a user",
        ),
    ),
    ("gensim.models.word2vec.", Use(expression="[{}.wv[word].tolist() for word in instances]", row="a word")),
    ("gensim.models.fasttext.", Use(expression="[{}.wv[word].tolist() for word in instances]", row="a word")),
    ("nltk.", Use(expression="{}.classify_many(instances)", row="an object of features")),
)  # fmt: skip
_OTHER = Use(expression=f"{{}}.predict({_TABLE}).tolist()")


def fitted_object(artifact: Artifact) -> ModelInfo | None:
    """The description of a pickled object of a known package, or of a container with one; None for any other file."""
    pickle = artifact.pickle
    if pickle is None or not pickle.members or pickle.safety.verdict == "dangerous" or pickle.container == "zip":
        return None
    found = dict(_objects(pickle))
    if not found:
        return None
    key, value = next(iter(found.items()))
    distribution = DISTRIBUTIONS[value.class_name.partition(".")[0]]
    place = "model" if key is None else f"model[{key!a}]"
    use = next((use for begins, use in _USES if value.class_name.startswith(begins)), _OTHER)
    requirements, missing = packages_in((artifact.path,))
    name = artifact.name
    return ModelInfo(
        path=artifact.path,
        format=USER_FORMAT,
        framework=None,
        framework_version=None,
        root_class=kind(pickle.root),
        task=None,
        signatures=(),
        safety=pickle.safety,
        size=artifact.size,
        requirements=requirements,
        missing_modules=missing,
        contents=contents(pickle.root),
        protocol=pickle.protocol,
        compression=pickle.compression,
        notices=(
            no_signature(
                f"it is {value.class_name} of the package {distribution}, which has no common way to predict rows"
            ),
        ),
        details={
            "call": {
                "expression": use.expression.format(place),
                "row": use.row,
                "inputs": dict(use.inputs),
                "class": value.class_name,
                "load": True,
            }
        },
        advice=f"`mlpack init {name}` writes a predict.py that calls it: check it, and build with --predictor predict.py"
        f"{'' if use.inputs else ' and a few rows (--sample)'}; its package {distribution} comes by itself.",
    )


def _objects(pickle: PickleFile) -> Iterator[tuple[Any, Instance]]:
    """The objects of known packages: the root (its key is None), or the values of a container with texts or places as keys."""
    root = pickle.root
    if isinstance(root, Instance) and pairs(root, 1) is None:
        values: list[tuple[Any, Any]] = [(None, root)]
    elif isinstance(root, dict):
        values = [(key, value) for key, value in root.items() if type(key) in (str, int)]
    else:
        values = list(enumerate(root)) if isinstance(root, list | tuple) else []
    for key, value in values[:200]:
        if isinstance(value, Instance):
            module = value.class_name.partition(".")[0]
            if module in DISTRIBUTIONS and module not in _NO_MODELS and "." in value.class_name:
                yield key, value
