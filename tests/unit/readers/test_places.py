"""Values that are harmless in one place of a pickle and nowhere else: a cache of an estimator, getattr for methods of texts."""

from __future__ import annotations

import pickle
from collections import OrderedDict
from functools import partial
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest
from sklearn.decomposition import PCA
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer

from mlpack.readers.pickles.files import read_pickles

CACHE = joblib.Memory("cache", verbose=0)


def pipeline(memory: Any) -> Pipeline:
    return Pipeline([("pca", PCA(2))], memory=memory)


def with_attribute(name: str, value: Any) -> Any:
    model = PCA(2)
    setattr(model, name, value)
    return model


class Kept:
    """Pickled as a call of an allowed class whose arguments hold getattr."""

    def __reduce__(self) -> Any:
        """The call."""
        return OrderedDict, ([["a", getattr], ["b", str.lower]],)


def verdict(value: Any, folder: Path, protocol: int) -> str:
    path = folder / "model.pkl"
    path.write_bytes(pickle.dumps(value, protocol))
    found = read_pickles(path)
    assert found is not None
    assert not found.problem
    return found.safety.verdict


@pytest.mark.parametrize("protocol", [0, 2, 4])
@pytest.mark.parametrize(
    "model",
    [
        pipeline(CACHE),
        pipeline(joblib.Memory(None)),
        pipeline(joblib.Memory(Path("cache"), verbose=0)),
        CountVectorizer(preprocessor=str.lower, tokenizer=str.split),
        FunctionTransformer(partial(str.replace)),
        FunctionTransformer(np.radians),
        FunctionTransformer(np.divmod),
    ],
    ids=str,
)
def test_ordinary_models_are_safe(model: Any, tmp_path: Path, protocol: int) -> None:
    """`Pipeline(memory=...)`, methods of texts, numpy's ufuncs."""
    assert verdict(model, tmp_path, protocol) == "safe"


@pytest.mark.parametrize("protocol", [0, 2, 4])
@pytest.mark.parametrize(
    "value",
    [
        CACHE,
        [CACHE],
        {"memory": CACHE},
        with_attribute("_item_cache", CACHE),
        with_attribute("memory", [CACHE]),
        with_attribute("memory", CACHE.store_backend),
        CACHE.cache(len),
        [str.lower, getattr],
        {getattr: str.lower},
        FunctionTransformer(getattr, inverse_func=str.lower),
        Kept(),
        ["x".join, str.lower],
    ],
    ids=lambda value: type(value).__name__,
)
def test_the_same_values_elsewhere_are_not(value: Any, tmp_path: Path, protocol: int) -> None:
    """A cache in another place could delete or read files, and getattr as a function reads any attribute."""
    assert verdict(value, tmp_path, protocol) == "dangerous"


@pytest.mark.parametrize("method", ["format", "format_map", "encode", "__init__", "no_such"])
def test_other_attributes_of_str_are_not_known(method: str, tmp_path: Path) -> None:
    """`format` reads attributes of its arguments, `encode` imports codecs."""
    path = tmp_path / "model.pkl"
    path.write_bytes(b"\x80\x04cbuiltins\ngetattr\ncbuiltins\nstr\n" + pickle.dumps(method, 0)[:-1] + b"\x86R.")
    found = read_pickles(path)
    assert found is not None
    assert found.safety.verdict != "safe"


def test_a_cache_in_attributes_that_are_set_twice(tmp_path: Path) -> None:
    """The first attributes stay on the object, also if the second form is another."""
    whole = pickle.dumps(with_attribute("_item_cache", CACHE), 2)
    path = tmp_path / "model.pkl"
    path.write_bytes(whole[:-1] + b"(N}tb.")  # BUILD with (None, {}): the state is no dict any more
    found = read_pickles(path)
    assert found is not None
    assert found.safety.verdict == "dangerous"
