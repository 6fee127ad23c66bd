"""Real fitted models of the frameworks that are installed, one after the other: (name, model)."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np

ROWS = 60


def every_model() -> Iterator[tuple[str, Any]]:
    """Every estimator that fits plain numbers, and the variants whose parts are classes of their own."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # old and new releases warn of each other's defaults
        for make in (_estimators, _variants, _columns, _boosters, _plain):
            yield from make()


def numbers() -> tuple[Any, Any, Any]:
    """Features (positive), two classes, a continuous target."""
    rng = np.random.default_rng(0)
    features = rng.uniform(0.1, 3.0, size=(ROWS, 4))
    return features, (features[:, 0] > 1.5).astype(int), features @ np.array([1.0, 2.0, 0.5, 0.0]) + 0.1


def _fitted(name: str, estimator: Any) -> tuple[str, Any] | None:
    features, classes, target = numbers()
    for x, y in (
        (features, classes),
        (features, target),
        (features, None),
        (features[:, 0], target),
        (_texts(), classes),
    ):
        try:
            estimator.fit(x, y) if y is not None else estimator.fit(x)
        except Exception:  # noqa: BLE001  # the next kind of data may fit it
            continue
        return name, estimator
    return None


def _texts() -> list[str]:
    return [f"word{number % 7} and word{number % 5}" for number in range(ROWS)]


def _estimators() -> Iterator[tuple[str, Any]]:
    from sklearn.experimental import enable_halving_search_cv, enable_iterative_imputer  # noqa: F401
    from sklearn.utils import all_estimators

    for name, cls in all_estimators():
        made = _made(cls)
        fitted = _fitted(name, made) if made is not None else None
        if fitted:
            yield fitted
        elif made is not None:
            yield name, made


def _made(cls: Any) -> Any:
    from sklearn.linear_model import LinearRegression, LogisticRegression
    from sklearn.preprocessing import StandardScaler

    parts = {
        "estimator": LogisticRegression(),
        "base_estimator": LogisticRegression(),
        "estimators": [("a", LogisticRegression()), ("b", LogisticRegression())],
        "steps": [("scale", StandardScaler()), ("model", LinearRegression())],
        "transformers": [("scale", StandardScaler(), [0, 1])],
        "transformer_list": [("scale", StandardScaler())],
        "param_grid": {"C": [1.0]},
        "param_distributions": {"C": [1.0, 2.0]},
        "dictionary": np.eye(4),
    }
    wanted = {
        name: parts[name]
        for name, parameter in inspect.signature(cls).parameters.items()
        if parameter.default is inspect.Parameter.empty and name in parts
    }
    try:
        return cls(**wanted)
    except Exception:  # noqa: BLE001  # an estimator that wants something else is no witness
        return None


def _variants() -> Iterator[tuple[str, Any]]:
    from sklearn import ensemble, linear_model, neighbors, neural_network, svm, tree
    from sklearn.cluster import DBSCAN
    from sklearn.gaussian_process import GaussianProcessRegressor, kernels
    from sklearn.preprocessing import FunctionTransformer

    made: list[tuple[str, Any]] = []
    for cls, losses in (
        (ensemble.GradientBoostingClassifier, ("log_loss", "deviance", "exponential")),
        (ensemble.GradientBoostingRegressor, ("squared_error", "ls", "absolute_error", "huber", "quantile")),
        (ensemble.HistGradientBoostingRegressor, ("squared_error", "absolute_error", "poisson", "gamma")),
        (linear_model.SGDClassifier, ("hinge", "log_loss", "modified_huber", "squared_hinge", "perceptron")),
        (linear_model.SGDRegressor, ("squared_error", "huber", "epsilon_insensitive", "squared_epsilon_insensitive")),
    ):
        made += [(f"{cls.__name__}(loss={loss!r})", cls(loss=loss)) for loss in losses]
    made.append(("HistGradientBoostingRegressor(quantile)", _quantile(ensemble.HistGradientBoostingRegressor)))
    for cls in (tree.DecisionTreeClassifier, ensemble.RandomForestClassifier, ensemble.ExtraTreesClassifier):
        made.append((f"{cls.__name__}(random_state=RandomState)", cls(random_state=np.random.RandomState(0))))
    for metric in (
        "euclidean",
        "manhattan",
        "minkowski",
        "chebyshev",
        "canberra",
        "braycurtis",
        "hamming",
        "haversine",
    ):
        for algorithm in ("kd_tree", "ball_tree", "brute"):
            made.append(
                (
                    f"KNeighbors({metric}, {algorithm})",
                    neighbors.KNeighborsRegressor(metric=metric, algorithm=algorithm),
                )
            )
    made.append(
        (
            "KNeighbors(seuclidean)",
            neighbors.KNeighborsRegressor(algorithm="ball_tree", metric="seuclidean", metric_params={"V": np.ones(4)}),
        )
    )
    made.append(
        (
            "KNeighbors(mahalanobis)",
            neighbors.KNeighborsRegressor(algorithm="ball_tree", metric="mahalanobis", metric_params={"VI": np.eye(4)}),
        )
    )
    made += [
        (f"LocalOutlierFactor({kind})", neighbors.LocalOutlierFactor(algorithm=kind, novelty=True))
        for kind in ("kd_tree", "ball_tree")
    ]
    made += [(f"DBSCAN({kind})", DBSCAN(algorithm=kind)) for kind in ("kd_tree", "ball_tree")]
    made += [(f"SVC({kind})", svm.SVC(kernel=kind, probability=kind == "rbf")) for kind in ("linear", "rbf", "poly")]
    made += [
        (f"MLP({solver})", neural_network.MLPClassifier((3,), solver=solver, max_iter=5))
        for solver in ("adam", "sgd", "lbfgs")
    ]
    made += [
        (f"FunctionTransformer({f.__name__})", FunctionTransformer(f))
        for f in (np.log1p, np.log, np.sqrt, np.exp, np.expm1, np.square, np.abs, np.sin, np.cos, np.log10, np.log2)
    ]
    for kernel in (
        kernels.RBF(),
        kernels.Matern(),
        kernels.RationalQuadratic(),
        kernels.DotProduct(),
        kernels.ExpSineSquared() + kernels.WhiteKernel(),
        kernels.ConstantKernel() * kernels.RBF(),
        kernels.RBF() ** 2,
        kernels.PairwiseKernel(),
        kernels.CompoundKernel([kernels.RBF()]),
    ):
        made.append(
            (f"GaussianProcess({type(kernel).__name__})", GaussianProcessRegressor(kernel=kernel, optimizer=None))
        )
    for name, estimator in made:
        fitted = _fitted(name, estimator)
        if fitted:
            yield fitted
    yield from _searches()


def _quantile(cls: Any) -> Any:
    try:
        return cls(loss="quantile", quantile=0.5)
    except TypeError:
        return cls()


def _searches() -> Iterator[tuple[str, Any]]:
    from scipy import stats
    from sklearn import metrics
    from sklearn import model_selection as ms
    from sklearn.feature_selection import SelectKBest, chi2, f_classif, f_regression, mutual_info_classif
    from sklearn.linear_model import LogisticRegression

    for score in (chi2, f_classif, f_regression, mutual_info_classif):
        fitted = _fitted(f"SelectKBest({score.__name__})", SelectKBest(score, k=2))
        if fitted:
            yield fitted
    for cv in (
        ms.KFold(3),
        ms.StratifiedKFold(3),
        ms.ShuffleSplit(2),
        ms.StratifiedShuffleSplit(2),
        ms.TimeSeriesSplit(2),
        ms.RepeatedKFold(n_splits=2, n_repeats=1),
        ms.RepeatedStratifiedKFold(n_splits=2, n_repeats=1),
        ms.GroupKFold(2),
        ms.PredefinedSplit([0, 1] * (ROWS // 2)),
    ):
        search = ms.GridSearchCV(
            LogisticRegression(), {"C": [1.0]}, cv=cv, scoring=metrics.make_scorer(metrics.f1_score)
        )
        yield _fitted(f"GridSearchCV({type(cv).__name__})", search) or ("GridSearchCV", search)
    for scorer in (
        "roc_auc",
        "neg_log_loss",
        "neg_mean_squared_error",
        "r2",
        "accuracy",
        "balanced_accuracy",
        "average_precision",
        "precision",
        "recall",
        "f1",
        "neg_mean_absolute_error",
        "explained_variance",
    ):
        yield (
            f"GridSearchCV(scoring={scorer!r})",
            ms.GridSearchCV(LogisticRegression(), {"C": [1.0]}, scoring=metrics.get_scorer(scorer)),
        )
    for name in ("uniform", "randint", "loguniform", "norm", "expon"):
        distribution = getattr(stats, name)
        frozen = distribution(1, 5) if name in ("randint", "loguniform") else distribution()
        search = ms.RandomizedSearchCV(LogisticRegression(), {"C": frozen}, n_iter=2, random_state=0)
        yield _fitted(f"RandomizedSearchCV({name})", search) or (name, search)


def _columns() -> Iterator[tuple[str, Any]]:
    import pandas as pd
    from sklearn import preprocessing
    from sklearn.compose import ColumnTransformer, make_column_selector
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    features, classes, _ = numbers()
    frame = pd.DataFrame(features, columns=["a", "b", "c", "d"]).assign(
        city=["x", "y", "z"] * (ROWS // 3), day=pd.date_range("2024-01-01", periods=ROWS)
    )
    frame["kind"] = pd.Categorical(["p", "q"] * (ROWS // 2))
    columns = ColumnTransformer(
        [
            (
                "n",
                make_pipeline(SimpleImputer(), preprocessing.StandardScaler()),
                make_column_selector(dtype_include=np.number),
            ),
            ("c", preprocessing.OneHotEncoder(), ["city", "kind"]),
        ],
        verbose_feature_names_out=False,
    )
    yield "Pipeline(ColumnTransformer on a DataFrame)", make_pipeline(columns, LogisticRegression()).fit(frame, classes)
    yield (
        "ColumnTransformer(pandas output)",
        _pandas_output(ColumnTransformer([("n", preprocessing.StandardScaler(), ["a", "b"])])).fit(frame),
    )
    yield "OrdinalEncoder", preprocessing.OrdinalEncoder().fit(frame[["city"]])
    yield "pandas.DataFrame", frame
    yield "pandas.Series", frame["a"]
    yield "pandas.Series(object)", frame["city"].astype(object)
    yield "pandas.Index", frame.columns
    yield "pandas.MultiIndex", frame.set_index(["city", "a"])
    yield (
        "pandas.Timestamp",
        {
            "t": pd.Timestamp("2024-01-01"),
            "d": pd.Timedelta(days=1),
            "na": pd.NA,
            "nat": pd.NaT,
            "p": pd.Period("2024-01"),
        },
    )
    yield "pandas.Interval", [pd.Interval(0, 1), pd.cut(frame["a"], 3)]
    yield (
        "pandas.extension",
        pd.DataFrame(
            {
                "i": pd.array([1, None], dtype="Int64"),
                "s": pd.array(["a", "b"], dtype="string"),
                "b": pd.array([True, None], dtype="boolean"),
                "f": pd.array([1.0, None], dtype="Float64"),
            }
        ),
    )
    yield "pandas.zone", pd.DataFrame({"t": pd.date_range("2024-01-01", periods=3, tz="UTC")})


def _pandas_output(transformer: Any) -> Any:
    return transformer.set_output(transform="pandas") if hasattr(transformer, "set_output") else transformer


def _boosters() -> Iterator[tuple[str, Any]]:
    features, classes, target = numbers()
    try:
        import catboost
        import lightgbm
        import xgboost
    except ImportError:
        return
    for cls in (xgboost.XGBClassifier, xgboost.XGBRegressor, xgboost.XGBRFClassifier, xgboost.XGBRFRegressor):
        yield cls.__name__, cls(n_estimators=3).fit(features, classes)
    yield "XGBRanker", xgboost.XGBRanker(n_estimators=3).fit(features, classes, qid=np.zeros(ROWS, dtype=int))
    yield "xgboost.Booster", xgboost.XGBClassifier(n_estimators=3).fit(features, classes).get_booster()
    for cls in (lightgbm.LGBMClassifier, lightgbm.LGBMRegressor):
        yield cls.__name__, cls(n_estimators=3, verbose=-1).fit(features, classes)
    yield "LGBMRanker", lightgbm.LGBMRanker(n_estimators=3, verbose=-1).fit(features, classes, group=[ROWS])
    yield "lightgbm.Booster", lightgbm.LGBMClassifier(n_estimators=3, verbose=-1).fit(features, classes).booster_
    settings = {"iterations": 3, "verbose": 0, "allow_writing_files": False}
    yield "CatBoostClassifier", catboost.CatBoostClassifier(**settings).fit(features, classes)
    yield "CatBoostRegressor", catboost.CatBoostRegressor(**settings).fit(features, target)
    yield "CatBoost", catboost.CatBoost(settings).fit(features, classes)


def _plain() -> Iterator[tuple[str, Any]]:
    import collections
    import datetime as dt
    import decimal
    import fractions
    import functools
    import operator
    import uuid

    from scipy import interpolate, sparse

    yield (
        "collections",
        [
            collections.OrderedDict(a=1),
            collections.defaultdict(int, a=1),
            collections.Counter("ab"),
            collections.deque([1]),
        ],
    )
    yield (
        "collections.defaultdict",
        [collections.defaultdict(kind) for kind in (list, dict, set, float, str, tuple, bool)],
    )
    yield (
        "datetime",
        [
            dt.datetime(2024, 1, 1, tzinfo=dt.timezone.utc),
            dt.date(2024, 1, 1),
            dt.time(1),
            dt.timedelta(1),
        ],
    )
    yield (
        "numbers",
        [
            decimal.Decimal("1.5"),
            fractions.Fraction(1, 3),
            complex(1, 2),
            slice(1, 2),
            range(3),
            bytearray(b"x"),
            {1},
            frozenset({2}),
        ],
    )
    yield "uuid", uuid.UUID(int=1)
    yield "functools", [functools.partial(np.log1p), operator.itemgetter("a")]
    yield (
        "numpy arrays",
        [
            np.arange(3),
            np.array(["a"], dtype=object),
            np.array([1.5])[0],
            np.matrix([[1.0]]),
            np.ma.masked_array([1], [True]),
            np.array([("a", 1)], dtype=[("n", "U1"), ("v", "i4")]),
            np.datetime64("2024-01-01"),
        ],
    )
    yield "numpy types", [np.float64, np.float32, np.int64, np.int32, np.bool_, np.nan, np.uint8, np.object_, np.str_]
    yield (
        "numpy random",
        [
            np.random.RandomState(0),
            np.random.default_rng(0),
            np.random.Generator(np.random.MT19937(0)),
            np.random.SeedSequence(1),
        ],
    )
    yield (
        "numpy functions",
        [
            np.mean,
            np.median,
            np.sum,
            np.max,
            np.min,
            np.std,
            np.clip,
            np.round,
            np.log,
            np.argmax,
            np.concatenate,
            np.reshape,
            np.ravel,
            np.nan_to_num,
            np.isnan,
        ],
    )
    yield (
        "scipy.sparse",
        [getattr(sparse.eye(3), f"to{kind}")() for kind in ("csr", "csc", "coo", "bsr", "dia", "lil", "dok")],
    )
    yield (
        "scipy.interpolate",
        [
            interpolate.BSpline(np.arange(8.0), np.arange(4.0), 3),
            interpolate.interp1d([0, 1], [0, 1]),
            interpolate.PchipInterpolator([0, 1, 2], [0, 1, 2]),
            interpolate.CubicSpline([0, 1, 2], [0, 1, 2]),
        ],
    )
