"""The scikit-learn format, host half: recognises fitted estimators in a pickle's values without importing their classes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from shlex import quote
from types import MappingProxyType
from typing import Any

from mlpack.artifacts.model import Content, ModelInfo
from mlpack.artifacts.notice import Notice, assumed, code_missing, no_signature, notices
from mlpack.errors import UnreadableModelError, UsageError
from mlpack.formats.base import Artifact, Format, Kind
from mlpack.formats.sklearn.answerless import no_inputs
from mlpack.formats.sklearn.boosters import EXCLUDES, boosted
from mlpack.formats.sklearn.bundles import OWN_LOADER, bundle_notices, facts_of, predictor_of, role_of, with_roles
from mlpack.formats.sklearn.estimators import Estimator, any_instance, estimator, estimators_in, version_of
from mlpack.formats.sklearn.features import classes, feature_count, feature_names, heads
from mlpack.formats.sklearn.independence import SINGLE_ROW_ONLY, rows_are_independent
from mlpack.formats.sklearn.kinds import FRAMEWORKS
from mlpack.formats.sklearn.methods import Methods, core, steps, task
from mlpack.formats.sklearn.own_classes import own_class_of
from mlpack.formats.sklearn.packages import REDUCED, parse_word, requirements_of, skops_requirement, tables_of
from mlpack.formats.sklearn.releases import releases_of
from mlpack.formats.sklearn.sampled import with_rows
from mlpack.formats.sklearn.signatures import UNFITTED, Inputs, inputs_of, signatures_of
from mlpack.packages.names import version_key
from mlpack.readers.limits import reading_errors
from mlpack.readers.pickles.contents import contents, entries, kind, pairs
from mlpack.readers.pickles.values import PickleFile
from mlpack.readers.samples import names_of_rows
from mlpack.readers.skops import Skops, read_skops, with_verdict


class SklearnFormat(Format):
    """Pickles (plain or joblib, compressed or not) of scikit-learn estimators and others that follow its conventions.

    Also containers and custom classes that hold estimators, and the estimators of lightgbm, xgboost and catboost.
    """

    name = "sklearn"
    loader = Path(__file__).with_name("loader")
    suffixes = (".skops", ".model", ".mdl")
    pickle_suffixes = MappingProxyType(
        {
            "stream": (".model", ".mdl", ".clf", ".est", ".skl"),
            "zip": (".skops",),
            "npz": (".skops",),  # skops stores arrays as .npy members of a zip
        }
    )
    frameworks = MappingProxyType({"sklearn": "scikit-learn", "statsmodels": "statsmodels"})
    distributions = REDUCED
    kinds = (
        Kind(
            name="scikit-learn `.pkl`, `.joblib`, compressed or not",
            reads="estimator, steps, version, columns, classes, numpy 1 or 2, custom classes",
            serves="scikit-learn of the recorded version, from 0.24",
            proof="tests/integration/test_line.py",
        ),
        Kind(
            name="pickled LightGBM, XGBoost, CatBoost: estimators and boosters",
            reads="the same, and columns, categories and version from the framework's own data in the pickle",
            serves="their own distribution, of the recorded version",
            proof="tests/integration/test_boosters.py",
        ),
        Kind(
            name="pickled statsmodels, imbalanced-learn",
            reads="columns, outputs; formulas are judged as code",
            serves="their own distribution",
            proof="tests/integration/test_boosters.py",
        ),
        Kind(
            name="pickled PyOD, and other classes with `predict`",
            reads="columns, or derived from a few rows; outputs",
            serves="their own distribution",
        ),
        Kind(
            name="skops `.skops`",
            reads="the same as for a pickle, and every type that loading needs",
            serves="scikit-learn and skops of the recorded versions; only the types shown are trusted",
            proof="tests/integration/test_boosters.py",
        ),
    )

    def inspect(self, artifact: Artifact) -> ModelInfo | None:
        """The model's description; None when the pickle holds no estimator.

        Raises UsageError when `artifact.entry` does not exist or cannot be served, and UnreadableModelError for estimators
        that contain each other.
        """
        try:
            return self._inspect(artifact)
        except RecursionError as error:
            raise UnreadableModelError(
                f"{artifact.name} cannot be read as a model: its estimators contain each other, or are nested too deeply.",
                hint="Save the model again, or fetch the file again.",
            ) from error

    def predictor_stub(self, info: ModelInfo) -> str | None:
        """The predict.py that chains the parts of a bundle, or forecasts a time series, for the user to check."""
        return predictor_of(info)

    def _inspect(self, artifact: Artifact) -> ModelInfo | None:
        skops = _skops(artifact)
        pickle = with_verdict(skops.file, artifact.pickle) if skops else artifact.pickle
        if pickle is None or not pickle.members or pickle.container not in ("pickle", "joblib", "skops"):
            return None
        if not (held := estimators_in(pickle.root)):
            return None
        facts = _Facts(artifact, pickle, held, skops)
        if pairs(pickle.root, 0) is not None:
            return facts.bundle(pickle.root)
        if artifact.entry is None:
            return facts.model(pickle.root, ())
        inside = any_instance(pickle.root)
        if inside is None or inside.kind is not None:
            raise UsageError(
                f"{artifact.path.name} is a single {kind(pickle.root)}: it has no entry {artifact.entry!r}.",
                hint="Omit --entry (or `entry:`).",
            )
        return facts.bundle(inside.attributes)


def _skops(artifact: Artifact) -> Skops | None:
    """The content of a skops file; None for other files. Raises UnreadableModelError."""
    if artifact.tree is None or artifact.packed is not None:
        return None
    with reading_errors(artifact.name, "a skops file"):
        return read_skops(artifact.tree)


class _Facts:
    """The facts about one file, from which its ModelInfo is built."""

    def __init__(
        self, artifact: Artifact, pickle: PickleFile, held: list[Estimator], skops: Skops | None = None
    ) -> None:
        self.artifact = artifact
        self.skops = skops
        self.pickle = pickle
        self.held = held
        self.methods = Methods()
        found = [one.requirement for one in map(boosted, held) if one is not None]
        # an estimator tells more than the booster in it
        self.boosters = {one.module: one for one in sorted(found, key=lambda one: bool(one.version or one.constraint))}
        if skops:
            self.boosters["skops"] = skops_requirement(skops)
        self.word = parse_word(artifact.framework)
        self.versions = sorted(
            {version for one in held if (version := version_of(one.get("_sklearn_version")))}, key=version_key
        )

    def bundle(self, root: Any) -> ModelInfo:
        """A container of estimators: the chosen entry, or the list of entries."""
        listed = with_roles(contents(root, self._servable), root, self.methods)
        if (entry := self.artifact.entry) is None:
            info = self._info(None, root, Inputs(), (), listed)
            return replace(info, details={**info.details, **facts_of(root, listed)})
        servable = ", ".join(content.key for content in listed if content.servable) or "none"
        inside = entries(root)
        if entry not in inside:
            raise UsageError(
                f"{self.artifact.path.name} has no entry {entry!r}.", hint=f"Entries that can be served: {servable}."
            )
        if not self._servable(inside[entry]):
            raise UsageError(
                f"Entry {entry!r} of {self.artifact.path.name} is {kind(inside[entry])}, which cannot be served.",
                hint=f"Entries that can be served: {servable}.",
            )
        return self.model(inside[entry], listed)

    def _servable(self, value: Any) -> bool:
        found = estimator(value)
        return found is not None and bool(self.methods(value))

    def model(self, value: Any, listed: tuple[Content, ...]) -> ModelInfo:
        """One object: an estimator, or an object of another class that holds estimators."""
        model = any_instance(value)
        if model is None:  # e.g. a class with an estimator among its arguments: no method to call
            return self._info(None, value, Inputs(), (), listed)
        offered = self.methods(value)
        names = names_of_rows(self.artifact.sample)
        inputs = inputs_of(model, names, self.artifact.sample) if offered else no_inputs(model)
        return self._info(model, value, with_rows(inputs, model, self.artifact.sample), offered, listed)

    def _info(
        self, model: Estimator | None, value: Any, inputs: Inputs, offered: tuple[str, ...], listed: tuple[Content, ...]
    ) -> ModelInfo:
        framework = self._framework(model)
        recorded = self._recorded(model)
        version = self._version(framework, recorded)
        batchable = rows_are_independent(value)
        requirements, missing = requirements_of(
            self.pickle,
            framework=framework,
            sklearn_version=recorded,
            boosters=self.boosters,
            releases=releases_of(self.pickle.root, {name.module.partition(".")[0] for name in self.pickle.globals}),
            tables=tables_of(self.held, pandas=inputs.layout == "columns" or (inputs.named and not batchable)),
            word=self.word,
        )
        return ModelInfo(
            path=self.artifact.path,
            format="sklearn",
            framework=framework,
            framework_version=version,
            root_class=kind(value),
            task=task(model) if model else None,
            signatures=signatures_of(model, offered, inputs, batchable=batchable) if model else (),
            safety=self.pickle.safety,
            size=self.artifact.size,
            requirements=requirements,
            missing_modules=missing,
            contents=listed,
            entry=self.artifact.entry,
            steps=tuple((name, step if isinstance(step, str) else kind(step)) for name, step in _steps(model)),
            methods=offered,
            n_features_in=feature_count(model) if model else None,
            feature_names=feature_names(model) if model else (),
            classes=classes(model) if model and task(model) != "regressor" else None,
            numpy_major=self.pickle.numpy_major,
            protocol=self.pickle.protocol,
            compression=self.pickle.compression,
            notices=notices(self._warnings(model, inputs, listed, missing)),
            details=self._details(inputs),
            options=self._options(inputs),
            names={"types": self.skops.names} if self.skops else {},
            excludes=tuple(sorted({name for one in self.held for name in EXCLUDES.get(one.package, ())})),
            own_class=own_class_of(model, inputs, batchable=batchable),
            role=role_of(value, self.methods),
            advice=inputs.advice.replace("{file}", quote(self.artifact.name)),
        )

    def _framework(self, model: Estimator | None) -> str:
        """The root's framework, if known, else that of the estimators inside; scikit-learn comes first."""
        if model is not None and (own := FRAMEWORKS.get(model.package)):
            return own
        inside = {FRAMEWORKS[one.package] for one in self.held if one.package in FRAMEWORKS}
        return "scikit-learn" if "scikit-learn" in inside or not inside else min(inside)

    def _recorded(self, model: Estimator | None) -> str | None:
        """The recorded version of scikit-learn: the model's own, else the newest of its parts."""
        own = version_of(model.get("_sklearn_version")) if model is not None else None
        return own or next(reversed(self.versions), None)

    def _version(self, framework: str, recorded: str | None) -> str | None:
        """The framework's version: recorded, read from a booster's own data, or set by the user."""
        if framework == "scikit-learn" and recorded:
            return recorded
        version = next((one.version for one in self.boosters.values() if one.distribution == framework), None)
        return version or (self.word[1] if self.word[0] == framework else None)

    def _options(self, inputs: Inputs) -> dict[str, Any]:
        options: dict[str, Any] = {"nameless": True} if inputs.sampled_names else {}
        options |= inputs.categories_options()
        if inputs.missing:
            options["missing"] = dict(inputs.missing)
        if inputs.objects_in:
            options["objects"] = list(inputs.objects_in)
        return {**options, "trusted": list(self.skops.types)} if self.skops else options

    def _details(self, inputs: Inputs) -> dict[str, Any]:
        details: dict[str, Any] = {"container": self.pickle.container}
        if self.skops:
            details["skops"] = {"version": self.skops.version, "types": list(self.skops.types)}
        if inputs.unused:
            details["unused_columns"] = list(inputs.unused)
        if len(self.versions) > 1:
            details["recorded_versions"] = self.versions
        return details

    def _warnings(
        self, model: Estimator | None, inputs: Inputs, listed: tuple[Content, ...], missing: tuple[str, ...]
    ) -> list[Notice | str]:
        warnings: list[Notice | str] = list(self.pickle.notes)
        if len(self.versions) > 1:
            warnings.append(f"Parts were made with different versions of scikit-learn: {', '.join(self.versions)}.")
        if len(self.pickle.members) > 1:
            warnings.append(f"The file contains {len(self.pickle.members)} pickles; only the first is loaded.")
        if listed or model is None:
            warnings += bundle_notices(listed, self.artifact.entry, self.pickle.root, self.artifact.name)
        first = [boosted(Estimator(head)) for head in heads(model)] if model else []
        warnings += dict.fromkeys(one.coded for one in first if one is not None and one.coded)
        if inputs.problem:
            rows = "give a few rows with --sample, or " if inputs.sample_helps else ""
            what = "fit it before you save it" if inputs.problem == UNFITTED else f"{rows}{OWN_LOADER}"
            advice = "" if inputs.advice else what
            warnings.append(no_signature(inputs.problem, advice, by_sample=inputs.sample_helps))
        elif model is not None and core(model).kind is None:
            warnings.append(
                f"{core(model).path} is not a known class: its methods are called by scikit-learn's conventions."
            )
        if model is not None and core(model).path in SINGLE_ROW_ONLY:
            warnings.append(
                f"{core(model).name} compares the rows of a call with each other, so each row is predicted in its own call."
            )
        if inputs.sampled_names:
            warnings.append(assumed("The file records no column names; those of the sample are used, in its order."))
        if inputs.assumed and not self.artifact.sample:
            names = ", ".join(inputs.assumed[:10]) + (", ..." if len(inputs.assumed) > 10 else "")
            warnings.append(
                assumed(
                    f"The file does not record the types of these columns; numbers are assumed: {names}. "
                    "If some contain text, pass a few rows with --sample.",
                    by_sample=True,
                )
            )
        if missing:
            warnings.append(code_missing("no known package has", missing))
        return warnings


def _steps(model: Estimator | None) -> list[tuple[str, Any]]:
    if model is None:
        return []
    return [(name, "passthrough" if step is None else step) for name, step in steps(model)]
