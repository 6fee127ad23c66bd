"""The one interface that every serving contract calls: Predictor."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Dict, Protocol

from ..card import Signature

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, np.dtype[Any]]
else:
    Array = Any  # numpy before 1.22 has no ndarray[...]

Arrays = Dict[str, Array]


class Predictor(Protocol):
    """Answers rows. A quality of serving (batch, retry, cache, shadow) is a wrapper that has this one method too."""

    async def predict(self, signature: Signature, inputs: Arrays) -> Arrays:
        """The signature's outputs for its inputs, row by row in the same order.

        `inputs` are already cast and checked against the signature; BYTES are object arrays of str, None is a missing one.
        Cancelling the call takes it out of the queue. Raises the ServeError family.
        """
