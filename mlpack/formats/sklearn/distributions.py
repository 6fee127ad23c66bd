"""scikit-learn's distribution and those of its companions: which of their folders the image leaves out."""

from __future__ import annotations

from mlpack.packages.distributions import Distribution

DISTRIBUTIONS = tuple(
    Distribution(name=name, test_folders=(module,))
    for name, module in (
        ("imbalanced-learn", "imblearn"),
        ("joblib", "joblib"),
        ("numpy", "numpy"),
        ("pandas", "pandas"),
        ("scikit-learn", "sklearn"),
        ("scipy", "scipy"),
        ("statsmodels", "statsmodels"),
    )
)
