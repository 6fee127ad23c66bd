"""Checks of serving contracts, for any service: one file per contract, and the table of their names."""

from __future__ import annotations

from importlib import import_module

from mlpack.checks.contracts.base import Contract

# name on the command line: module in this folder, which has CONTRACT
CONTRACTS = {
    "v2": "openinference",
    "tfs": "tfserving",
    "kserve": "kserve",
    "vertex": "vertex",
    "sagemaker": "sagemaker",
    "mlflow": "mlflow",
    "cloudrun": "cloudrun",
    "azure": "azure",
    "torchserve": "torchserve",
}


def contract(name: str) -> Contract:
    """The contract of that name; raises KeyError."""
    found: Contract = import_module(f"{__name__}.{CONTRACTS[name]}").CONTRACT
    return found
