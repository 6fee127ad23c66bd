"""The built-in formats and what they know of distributions, as a command's context has them."""

from mlpack.formats.base import Format, distributions_for
from mlpack.packages.distributions import Distribution
from mlpack.plugins import BUILT_IN, load


def formats() -> dict[str, Format]:
    """Every built-in format by its name."""
    return {name: load("formats", name)() for name in BUILT_IN["formats"]}


def distributions() -> tuple[Distribution, ...]:
    """All that they know of distributions."""
    return distributions_for("", formats())
