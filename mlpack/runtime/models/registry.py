"""The models that this process serves, one of them now, and whether they may be asked."""

from __future__ import annotations

from typing import Any, List

from ..card import Card, Signature
from ..errors import NotReadyError
from ..telemetry.metrics import Metrics
from .loaded import LoadedModel
from .predictor import Predictor


class Models:
    """Hands out the predictor that answers requests. `draining` is set once the process was told to stop."""

    def __init__(self, model: LoadedModel, predictor: Predictor, metrics: Metrics) -> None:
        self.draining = False
        self.metrics = metrics
        self._model = model
        self._predictor = predictor

    @property
    def card(self) -> Card:
        """What the model is."""
        return self._model.card

    def predictor(self) -> Predictor:
        """The model's predictor, also while draining; raises NotReadyError until it has answered its warm-up."""
        if not self._model.ready:
            raise NotReadyError(self._model.reason)
        return self._predictor

    def why_not_ready(self) -> str:
        """The reason why no traffic should come, "" when it may."""
        if self.draining:
            return "the server is shutting down"
        return "" if self._model.ready else self._model.reason

    def sample_for(self, signature: Signature) -> List[Any]:
        """The card's sample rows, where they fit the signature."""
        sample = self.card.sample
        return sample if sample and signature.inputs == self.card.signatures[0].inputs else []
