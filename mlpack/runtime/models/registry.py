"""The models that this process serves: ModelRegistry, and Entry, which is one of them."""

from __future__ import annotations

import json
from typing import Dict, List, NamedTuple, Optional, Protocol, Tuple

from ..card import Card
from ..errors import UnknownModelError, UnknownVersionError
from ..telemetry.metrics import Metrics
from .predictor import Predictor


class ModelState(Protocol):
    """Whether a model can answer.

    `reason` says why it cannot; it is "" for a model that is ready. `accepts` says whether requests are tried: an ensemble
    that was ready takes them also while a member is away. `unverified` says why a ready model has answered no row
    yet (it failed on every made-up row, and the card has no sample), and is "" when it has.
    """

    ready: bool
    reason: str
    unverified: str

    @property
    def accepts(self) -> bool:
        """Whether requests are tried."""


class Entry(NamedTuple):
    """A served model: what it is, what answers for it, and whether it is ready."""

    card: Card
    predictor: Predictor
    state: ModelState

    @property
    def version(self) -> str:
        """The version by which clients name it: the card's, "1" where the card has none."""
        return self.card.version or "1"


class ModelRegistry:
    """Finds a model by name and version. Models may be added and removed while requests are served.

    Contracts call it at every request and keep no entry between requests. `draining` is set once the server
    stops. All methods are for the event loop's thread.
    """

    def __init__(self, metrics: Metrics, *entries: Entry) -> None:
        self.draining = False
        self.metrics = metrics
        self._listed: Tuple[Entry, ...] = ()
        self._found: Dict[Tuple[Optional[str], Optional[str]], Entry] = {}
        for entry in entries:
            self.add(entry)

    def get(self, name: Optional[str] = None, version: Optional[str] = None) -> Entry:
        """The model of that name and version: its newest version for None, the default model where there is no name.

        The default model is the one that was added first, the newest version the one that was added last.

        Raises:
            UnknownModelError: no model has this name, or there is no model at all.
            UnknownVersionError: the model has no such version.
        """
        entry = self._found.get((name, version))
        return entry if entry is not None else self._missing(name, version)

    def list(self) -> List[Entry]:
        """All models in the order in which they were added."""
        return list(self._listed)

    def names(self) -> List[str]:
        """The names of all models, each once."""
        return list(dict.fromkeys(one.card.name for one in self._listed))

    def add(self, entry: Entry) -> None:
        """Serve a model from now on; it takes the place of one with the same name and version."""
        key = (entry.card.name, entry.version)
        places = [place for place, one in enumerate(self._listed) if (one.card.name, one.version) == key]
        place = places[0] if places else len(self._listed)
        self._index((*self._listed[:place], entry, *self._listed[place + 1 :]))

    def remove(self, entry: Entry) -> None:
        """Serve this entry no longer, if it has not been replaced before. Requests that it already has are still answered."""
        self._index(tuple(one for one in self._listed if one is not entry))

    def why_not_ready(self, entry: Optional[Entry] = None) -> str:
        """The reason why clients should send nothing to this model (to any model for None); "" when they may."""
        if self.draining:
            return "the server is shutting down"
        if entry is not None:
            return "" if entry.state.ready else entry.state.reason
        for one in self._listed:
            if not one.state.ready:
                return one.state.reason
        return "" if self._listed else "no model is loaded"

    def _index(self, entries: Tuple[Entry, ...]) -> None:
        found: Dict[Tuple[Optional[str], Optional[str]], Entry] = {}
        for entry in entries:
            found[entry.card.name, entry.version] = entry
            found[entry.card.name, None] = entry  # the last one is the newest
        if entries:
            found[None, None] = found[entries[0].card.name, None]
        self._listed, self._found = entries, found

    def _missing(self, name: Optional[str], version: Optional[str]) -> Entry:
        if name is None:
            raise UnknownModelError("this server has no model")
        if (name, None) not in self._found:
            raise UnknownModelError(
                f"there is no model {_quoted(name)}; this server has {', '.join(self.names()) or 'none'}"
            )
        versions = ", ".join(one.version for one in self._listed if one.card.name == name)
        raise UnknownVersionError(f"{name} has no version {_quoted(version)}; it has {versions}")


def _quoted(name: Optional[str]) -> str:
    text = json.dumps(name, ensure_ascii=False)
    return text if len(text) <= 60 else text[:57] + "..."
