"""MemberFacts: what is known of a member before it is called."""

from __future__ import annotations

from dataclasses import dataclass

from mlpack.artifacts.model import Signature
from mlpack.ensembles.file import MemberEntry

LABELS, PROBABILITIES = "predict", "predict_proba"


@dataclass(frozen=True, kw_only=True)
class MemberFacts:
    """What is known of a member before it is called: its signatures, as in a card, and how it is reached.

    `model` is its name in the service at `url`; `contract` is v2 or v1. `methods`: whether requests can name a signature.
    `ensemble`: the service is the coordinator of an ensemble.
    """

    entry: MemberEntry
    signatures: tuple[Signature, ...]
    url: str
    model: str
    version: str = ""
    contract: str = "v2"
    methods: bool = True
    audience: str = ""
    ensemble: bool = False
    binary: bool = True  # whether it takes V2's binary tensors

    def signature(self, *names: str) -> Signature | None:
        """The first signature of one of these names."""
        return next((one for name in names for one in self.signatures if one.name == name), None)
