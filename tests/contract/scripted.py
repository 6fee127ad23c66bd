"""A loader that does what its input says, for what a real model does too seldom: sleep, fail, answer nonsense."""

from __future__ import annotations

from mlpack.artifacts.model import Signature, TensorSpec

LOADER = """
import os
import sys
import time
import warnings

import numpy as np


class InputError(ValueError):
    pass


def load(path, options, guard):
    print("a model that prints while it loads")
    print("and complains", file=sys.stderr)
    warnings.warn("it warns as well", stacklevel=1)
    while not os.path.exists(options.get("load_until", ".")):
        time.sleep(0.005)
    if "load_error" in options:
        raise RuntimeError(options["load_error"])
    return {"calls": 0, "options": options}


def predict(model, signature, inputs):
    code, value = inputs["input"][0]
    model["calls"] += 1
    if code == 1:
        time.sleep(value)
    if code == 10:
        open("busy", "w").close()
    while code == 10 and os.path.exists("held"):
        time.sleep(0.005)
    if code == 2 or value < model["options"].get("fails_below", value):
        raise RuntimeError("the secret reason")
    if code == 3:
        raise InputError("it takes no threes")
    if code == 4:
        sys.exit(3)
    if code == 5:
        return {"predict": np.zeros(17)}
    if code == 6:
        return {"predict": np.array([value, np.nan, np.inf])[: len(inputs["input"])]}
    if code == 7:
        return {"label": np.array([b"yes"] * len(inputs["input"]), dtype=object), "score": inputs["input"][:, 1]}
    if code == 8:
        return {"predict": np.full(len(inputs["input"]), model["calls"])}
    return {"predict": inputs["input"][:, 1]}
"""
SIGNATURE = Signature(
    name="predict",
    method="predict",
    inputs=(TensorSpec(name="input", dtype="FP64", shape=(-1, 2)),),
    outputs=(TensorSpec(name="predict", dtype="FP64", shape=(-1,)),),
    layout="matrix",
)
APP = {"model": b"x", "signatures": (SIGNATURE,), "loader": LOADER, "sample": [[0, 0]]}
