"""What each public scikit-learn class is for and which methods it may offer, by its bare name."""

from __future__ import annotations

from dataclasses import dataclass

from mlpack.artifacts.model import Task

METHODS = ("predict", "predict_proba", "decision_function", "transform", "score_samples", "kneighbors")


@dataclass(frozen=True, kw_only=True)
class Kind:
    """A class's task (None when it has none in our words) and the methods that it has when nothing forbids them."""

    task: Task | None
    methods: tuple[str, ...]


# Bare names are unique in scikit-learn and stay when a class moves (`sklearn.tree.tree` became `sklearn.tree._classes`).
# One line a group: task, methods (first letters: p predict, o predict_proba, d decision_function, t transform,
# s score_samples, k kneighbors; - none), the classes. The truth is scikit-learn's own `all_estimators()`; a test compares.
_TABLE = """
classifier        p    OutputCodeClassifier
classifier        pd   LinearSVC OneVsOneClassifier PassiveAggressiveClassifier Perceptron RidgeClassifier RidgeClassifierCV
classifier        po   BernoulliNB CalibratedClassifierCV CategoricalNB ComplementNB DecisionTreeClassifier DummyClassifier
classifier        po   ExtraTreeClassifier ExtraTreesClassifier GaussianNB GaussianProcessClassifier KNeighborsClassifier
classifier        po   LabelPropagation LabelSpreading MLPClassifier MultiOutputClassifier MultinomialNB
classifier        po   RadiusNeighborsClassifier RandomForestClassifier
classifier        pod  AdaBoostClassifier BaggingClassifier ClassifierChain FixedThresholdClassifier
classifier        pod  GradientBoostingClassifier HistGradientBoostingClassifier LogisticRegression LogisticRegressionCV
classifier        pod  NearestCentroid NuSVC OneVsRestClassifier QuadraticDiscriminantAnalysis SGDClassifier SVC
classifier        pod  SelfTrainingClassifier TunedThresholdClassifierCV
classifier        podt LinearDiscriminantAnalysis StackingClassifier
classifier        pot  VotingClassifier
clusterer         -    AgglomerativeClustering DBSCAN HDBSCAN OPTICS SpectralClustering
clusterer         p    AffinityPropagation MeanShift
clusterer         pt   Birch BisectingKMeans KMeans MiniBatchKMeans
clusterer         pos  BayesianGaussianMixture GaussianMixture
clusterer         t    FeatureAgglomeration
outlier_detector  pds  EllipticEnvelope IsolationForest LocalOutlierFactor OneClassSVM SGDOneClassSVM
regressor         p    ARDRegression AdaBoostRegressor BaggingRegressor BayesianRidge DecisionTreeRegressor DummyRegressor
regressor         p    ElasticNet ElasticNetCV ExtraTreeRegressor ExtraTreesRegressor GammaRegressor
regressor         p    GaussianProcessRegressor GradientBoostingRegressor HistGradientBoostingRegressor HuberRegressor
regressor         p    KNeighborsRegressor KernelRidge Lars LarsCV Lasso LassoCV LassoLars LassoLarsCV LassoLarsIC
regressor         p    LinearRegression LinearSVR MLPRegressor MultiOutputRegressor MultiTaskElasticNet
regressor         p    MultiTaskElasticNetCV MultiTaskLasso MultiTaskLassoCV NuSVR OrthogonalMatchingPursuit
regressor         p    OrthogonalMatchingPursuitCV PassiveAggressiveRegressor PoissonRegressor QuantileRegressor
regressor         p    RANSACRegressor RadiusNeighborsRegressor RandomForestRegressor RegressorChain Ridge RidgeCV
regressor         p    SGDRegressor SVR TheilSenRegressor TransformedTargetRegressor TweedieRegressor
regressor         p    GaussianProcess RandomizedLasso
regressor         pt   CCA IsotonicRegression PLSCanonical PLSRegression StackingRegressor VotingRegressor
transformer       podt RFE RFECV
transformer       t    AdditiveChi2Sampler Binarizer ColumnTransformer CountVectorizer DictVectorizer DictionaryLearning
transformer       t    FastICA FeatureHasher FeatureUnion FunctionTransformer GaussianRandomProjection
transformer       t    GenericUnivariateSelect HashingVectorizer Imputer IncrementalPCA Isomap IterativeImputer
transformer       t    KBinsDiscretizer KNNImputer KNeighborsTransformer KernelCenterer KernelPCA LabelBinarizer
transformer       t    LabelEncoder LatentDirichletAllocation LocallyLinearEmbedding MaxAbsScaler MinMaxScaler
transformer       t    MiniBatchDictionaryLearning MiniBatchNMF MiniBatchSparsePCA MissingIndicator
transformer       t    MultiLabelBinarizer NMF NeighborhoodComponentsAnalysis Normalizer Nystroem OneHotEncoder
transformer       t    OrdinalEncoder PLSSVD PatchExtractor PolynomialCountSketch PolynomialFeatures PowerTransformer
transformer       t    QuantileTransformer RBFSampler RadiusNeighborsTransformer RandomTreesEmbedding RandomizedPCA
transformer       t    RobustScaler SelectFdr SelectFpr SelectFromModel SelectFwe SelectKBest SelectPercentile
transformer       t    SequentialFeatureSelector SimpleImputer SkewedChi2Sampler SparseCoder SparsePCA
transformer       t    SparseRandomProjection SplineTransformer StandardScaler TargetEncoder TfidfTransformer
transformer       t    TfidfVectorizer TruncatedSVD VarianceThreshold
transformer       ts   BernoulliRBM FactorAnalysis PCA
transformer       -    TSNE
none              k    NearestNeighbors
none              s    KernelDensity
none              -    ClassicalMDS EmpiricalCovariance GraphicalLasso GraphicalLassoCV LedoitWolf MDS MinCovDet
none              -    OAS ShrunkCovariance SpectralBiclustering SpectralCoclustering SpectralEmbedding
none              podts FrozenEstimator GridSearchCV HalvingGridSearchCV HalvingRandomSearchCV Pipeline RandomizedSearchCV
"""
_LETTERS = dict(zip("podtsk", METHODS, strict=True))
_TASKS: dict[str, Task | None] = {
    "classifier": "classifier",
    "regressor": "regressor",
    "clusterer": "clusterer",
    "transformer": "transformer",
    "outlier_detector": "outlier_detector",
    "none": None,
}


def _parse(table: str) -> dict[str, Kind]:
    kinds = {}
    for line in table.strip().splitlines():
        task, letters, *names = line.split()
        methods = tuple(method for letter, method in _LETTERS.items() if letter in letters)
        kinds.update(dict.fromkeys(names, Kind(task=_TASKS[task], methods=methods)))
    return kinds


SKLEARN = _parse(_TABLE)

_CLASSIFIER = Kind(task="classifier", methods=("predict", "predict_proba"))
_REGRESSOR = Kind(task="regressor", methods=("predict",))

# Estimators of other packages that keep scikit-learn's conventions and are their own framework.
RELATIVES: dict[tuple[str, str], Kind] = {
    ("lightgbm", "LGBMClassifier"): _CLASSIFIER,
    ("lightgbm", "LGBMRegressor"): _REGRESSOR,
    ("lightgbm", "LGBMRanker"): _REGRESSOR,
    ("xgboost", "XGBClassifier"): _CLASSIFIER,
    ("xgboost", "XGBRFClassifier"): _CLASSIFIER,
    ("xgboost", "XGBRegressor"): _REGRESSOR,
    ("xgboost", "XGBRFRegressor"): _REGRESSOR,
    ("xgboost", "XGBRanker"): _REGRESSOR,
    ("catboost", "CatBoostClassifier"): _CLASSIFIER,
    ("catboost", "CatBoostRegressor"): _REGRESSOR,
    ("catboost", "CatBoostRanker"): _REGRESSOR,
    ("lightgbm", "Booster"): Kind(task=None, methods=("predict",)),
    ("xgboost", "Booster"): Kind(task=None, methods=("predict",)),
    ("catboost", "CatBoost"): _REGRESSOR,
    ("imblearn", "Pipeline"): SKLEARN["Pipeline"],
    ("imblearn", "BalancedRandomForestClassifier"): _CLASSIFIER,
    ("imblearn", "BalancedBaggingClassifier"): SKLEARN["BaggingClassifier"],
    ("imblearn", "EasyEnsembleClassifier"): SKLEARN["BaggingClassifier"],
    ("imblearn", "RUSBoostClassifier"): SKLEARN["AdaBoostClassifier"],
}

FRAMEWORKS = {
    "sklearn": "scikit-learn", "lightgbm": "lightgbm", "xgboost": "xgboost", "catboost": "catboost",
    "statsmodels": "statsmodels", "pyod": "pyod",
}  # fmt: skip
# Packages whose objects answer `predict` for rows, whatever their class is called.
LIKES = frozenset({
    "hmmlearn", "interpret", "mapie", "mlxtend", "ngboost", "optbinning", "pygam", "skorch", "sksurv", "tslearn",
})  # fmt: skip


def relative(package: str, path: str) -> Kind | None:
    """What a class of another package is for, by its dotted name; None when that is not known."""
    name = path.rpartition(".")[2]
    found = RELATIVES.get((package, name))
    if found is None and package == "statsmodels" and name.endswith("ResultsWrapper"):
        return _REGRESSOR
    if found is None and path.startswith("pyod.models."):
        return Kind(task="outlier_detector", methods=("predict", "predict_proba", "decision_function"))
    if found is None and package in LIKES:
        return _CLASSIFIER if "Classif" in name else _REGRESSOR
    return found


# What they read is text, or something that one table of numbers cannot say.
TEXT = frozenset({"CountVectorizer", "TfidfVectorizer", "HashingVectorizer"})
UNSUPPORTED = frozenset({"DictVectorizer", "FeatureHasher", "PatchExtractor", "MultiLabelBinarizer"})
LABELS = frozenset({"LabelEncoder", "LabelBinarizer"})
SEARCHES = frozenset({"GridSearchCV", "RandomizedSearchCV", "HalvingGridSearchCV", "HalvingRandomSearchCV"})
ENCODERS = frozenset({"OneHotEncoder", "OrdinalEncoder", "TargetEncoder"})
# Steps that only change how many rows are trained on, and are passed over when predicting.
PASSTHROUGH = frozenset({"passthrough", "drop"})
