"""Checks of serving contracts, for any service: one file per contract, and the table of their names."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from mlpack.errors import UsageError

if TYPE_CHECKING:  # `--help` needs only the table of names
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


def contracts_named(names: str) -> list[Contract]:
    """The contracts of a list of names, separated by commas. Raises UsageError for an unknown name, or for none."""
    wanted = list(dict.fromkeys(name.strip().lower() for name in names.split(",") if name.strip()))
    unknown = [name for name in wanted if name not in CONTRACTS]
    if unknown or not wanted:
        message = f"unknown contract: {', '.join(unknown)}" if unknown else "--contract needs at least one name"
        raise UsageError(message, hint=f"Available: {', '.join(CONTRACTS)}; separate several by commas.")
    return [contract(name) for name in wanted]
