"""Makes the tests' TensorFlow and Keras models, and beside each what the framework itself answers to some 60 rows.

Run by the Python of `make models`: `make_tf_models.py FOLDER [tensorflow | keras | legacy]`. For a model NAME it writes
NAME.answers.json: {"signature": {"inputs": {name: rows}, "outputs": {name: rows}}}, where a missing value is null.
"""

from __future__ import annotations

import json
import math
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

ROWS = 60
FOLDER = Path(sys.argv[1])
KIND = sys.argv[2] if len(sys.argv) > 2 else "tensorflow"
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
if KIND == "legacy":
    os.environ["TF_USE_LEGACY_KERAS"] = "1"

import tensorflow as tf  # noqa: E402  # after what it reads of the environment

RNG = np.random.default_rng(7)


def main() -> None:
    """Make one kind of models."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    tf.keras.utils.set_random_seed(7)
    {"tensorflow": saved_models, "keras": keras_models, "legacy": legacy_models}[KIND]()


def numbers(*shape: int) -> Any:
    """Rows of ordinary values, then extreme ones, zeros and missing ones."""
    values = RNG.normal(size=(ROWS, *shape)).astype("float32")
    values[1], values[2], values[3] = 0, 1e30, -1e30
    values[4].flat[0] = np.nan
    return values


def answers(name: str, called: Mapping[str, Callable[..., Any]], given: Mapping[str, Mapping[str, Any]]) -> None:
    """Writes what the framework answers, by signature."""
    told = {}
    for signature, inputs in given.items():
        outputs = called[signature](**{key: tf.constant(value) for key, value in inputs.items()})
        told[signature] = {
            "inputs": {key: plain(value) for key, value in inputs.items()},
            "outputs": {key: plain(value.numpy()) for key, value in outputs.items()},
        }
    (FOLDER / f"{name}.answers.json").write_text(json.dumps(told))


def plain(values: Any) -> Any:
    """An array as JSON values: missing and infinite numbers are null, bytes are text."""
    if isinstance(values, np.ndarray | list):
        return [plain(value) for value in values]
    if isinstance(values, bytes):
        return values.decode()
    value = values.item() if isinstance(values, np.generic) else values
    return None if isinstance(value, float) and not math.isfinite(value) else value


def saved(name: str, module: Any, signatures: Any, given: Mapping[str, Mapping[str, Any]]) -> None:
    """One SavedModel with its answers, asked of the model as TensorFlow loads it again."""
    tf.saved_model.save(module, str(FOLDER / name), signatures=signatures)
    answers(name, tf.saved_model.load(str(FOLDER / name)).signatures, given)


class Softmax(tf.Module):
    """Probabilities and the label of the largest one."""

    def __init__(self) -> None:
        super().__init__()
        self.weights = tf.Variable(RNG.normal(size=(4, 3)).astype("float32"))

    @tf.function(input_signature=[tf.TensorSpec([None, 4], tf.float32, name="features")])
    def serve(self, features: Any) -> Any:
        """Both outputs."""
        logits = features @ self.weights
        return {"probabilities": tf.nn.softmax(logits), "label": tf.argmax(logits, axis=1)}

    @tf.function(input_signature=[tf.TensorSpec([None, 4], tf.float32, name="features")])
    def score(self, features: Any) -> Any:
        """The sum of the logits."""
        return {"score": tf.reduce_sum(features @ self.weights, axis=1)}


class Named(tf.Module):
    """Several named inputs of several types, a text among them that a table from an asset file looks up."""

    def __init__(self, vocabulary: Path) -> None:
        super().__init__()
        self.asset = tf.saved_model.Asset(str(vocabulary))
        initial = tf.lookup.TextFileInitializer(
            self.asset, tf.string, tf.lookup.TextFileIndex.WHOLE_LINE, tf.int64, tf.lookup.TextFileIndex.LINE_NUMBER
        )
        self.table = tf.lookup.StaticVocabularyTable(initial, 2)

    @tf.function(
        input_signature=[
            tf.TensorSpec([None], tf.int64, name="age"),
            tf.TensorSpec([None], tf.float64, name="fare"),
            tf.TensorSpec([None], tf.bool, name="member"),
            tf.TensorSpec([None], tf.string, name="port"),
        ]
    )
    def serve(self, age: Any, fare: Any, member: Any, port: Any) -> Any:
        """A number of all inputs, and a text."""
        place = self.table.lookup(port)
        score = tf.cast(age, tf.float64) * 0.5 + fare + tf.cast(member, tf.float64) + tf.cast(place, tf.float64)
        return {"score": score, "greeting": tf.strings.join(["from ", port])}


class Examples(tf.Module):
    """Takes serialized tf.Example messages."""

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="examples")])
    def serve(self, examples: Any) -> Any:
        """A sum and a word of each message."""
        wanted = {
            "x": tf.io.FixedLenFeature([2], tf.int64),
            "word": tf.io.FixedLenFeature([], tf.string, default_value="none"),
        }
        found = tf.io.parse_example(examples, wanted)
        return {"total": tf.reduce_sum(found["x"], axis=1), "word": tf.strings.upper(found["word"])}


class One(tf.Module):
    """Takes a batch of exactly one."""

    @tf.function(input_signature=[tf.TensorSpec([1, 2, 3], tf.float32, name="window")])
    def serve(self, window: Any) -> Any:
        """The mean over the window."""
        return {"mean": tf.reduce_mean(window, axis=1)}


class Mute(tf.Module):
    """Can be called, but says no signature."""

    @tf.function
    def __call__(self, x: Any) -> Any:
        """Twice the input."""
        return x * 2


def saved_models() -> None:
    """SavedModels of plain TensorFlow."""
    softmax = Softmax()
    features = {"features": numbers(4)}
    saved("softmax", softmax, {"serving_default": softmax.serve}, {"serving_default": features})
    saved(
        "two", softmax, {"score": softmax.score, "serving_default": softmax.serve},
        {"serving_default": features, "score": features},
    )  # fmt: skip
    vocabulary = FOLDER / "ports.txt"
    vocabulary.write_text("Cherbourg\nQueenstown\nSouthampton\n")
    named = Named(vocabulary)
    ports = ["Cherbourg", "Queenstown", "Southampton", "", "Ölüdeniz", "x" * 200]
    rows = {
        "age": np.array([(-(2**53), 0, 2**53, 41)[place % 4] for place in range(ROWS)]),
        "fare": np.where(np.arange(ROWS) % 11 == 5, np.nan, np.linspace(-1e300, 1e300, ROWS)),
        "member": np.arange(ROWS) % 3 == 0,
        "port": np.array([ports[place % len(ports)] for place in range(ROWS)], dtype=object),
    }
    saved("named", named, {"serving_default": named.serve}, {"serving_default": rows})
    examples = Examples()
    saved("examples", examples, {"serving_default": examples.serve}, {"serving_default": {"examples": serialized()}})
    one = One()
    tf.saved_model.save(one, str(FOLDER / "one"), signatures={"serving_default": one.serve})
    loaded = tf.saved_model.load(str(FOLDER / "one")).signatures["serving_default"]
    windows = numbers(2, 3)
    means = np.concatenate([loaded(window=tf.constant(windows[row : row + 1]))["mean"].numpy() for row in range(ROWS)])
    told = {"serving_default": {"inputs": {"window": plain(windows)}, "outputs": {"mean": plain(means)}}}
    (FOLDER / "one.answers.json").write_text(json.dumps(told))
    mute = Mute()
    mute(tf.ones([1, 4]))
    tf.saved_model.save(mute, str(FOLDER / "mute"))
    reading = tf.Module()
    reading.serve = tf.function(
        lambda name: {"content": tf.io.read_file(name)}, input_signature=[tf.TensorSpec([], tf.string, name="name")]
    )
    tf.saved_model.save(reading, str(FOLDER / "reading"), signatures={"serving_default": reading.serve})
    python = tf.Module()
    python.serve = tf.function(
        lambda x: {"y": tf.py_function(lambda value: value, [x], tf.float32)},
        input_signature=[tf.TensorSpec([None], tf.float32, name="x")],
    )
    tf.saved_model.save(python, str(FOLDER / "python"), signatures={"serving_default": python.serve})
    in_parts()


def in_parts() -> None:
    """Ragged and sparse tensors, which no row of a request is."""
    shape = tf.TensorShape([None, 5])
    for name, spec, ask in (
        ("ragged", tf.RaggedTensorSpec([None, None], tf.float32, 1), lambda x: {"y": tf.reduce_sum(x, axis=1)}),
        ("sparse", tf.SparseTensorSpec(shape, tf.float32), lambda x: {"y": tf.sparse.reduce_sum(x, axis=1)}),
        ("words", tf.TensorSpec([None], tf.string, name="x"), lambda x: {"y": tf.strings.split(x)}),
    ):
        module = tf.Module()
        module.serve = tf.function(ask, input_signature=[spec])
        tf.saved_model.save(module, str(FOLDER / name), signatures={"serving_default": module.serve})


def serialized() -> Any:
    """tf.Example messages whose bytes are ASCII (small whole numbers are), so that JSON can carry them as texts."""
    found = []
    for place in range(ROWS):
        example = tf.train.Example()
        example.features.feature["x"].int64_list.value.extend([place, 2])
        if place % 3:
            example.features.feature["word"].bytes_list.value.append(f"word {place}".encode())
        found.append(example.SerializeToString())
    return np.array(found, dtype=object)


def keras_saved(name: str, model: Any, inputs: Mapping[str, Any]) -> None:
    """A model's answers beside the files that it was saved to, by `predict`, whose graph is what a user sees (NaN too)."""
    given = list(inputs.values()) if len(inputs) > 1 else next(iter(inputs.values()))
    found = model.predict(given, batch_size=ROWS, verbose=0)
    names = getattr(model, "output_names", None) or [model.layers[-1].name]  # Keras 3's Sequential has none
    outputs = found if isinstance(found, dict) else dict(zip(names, tf.nest.flatten(found), strict=True))
    told = {
        "inputs": {key: plain(value) for key, value in inputs.items()},
        "outputs": {key: plain(value) for key, value in outputs.items()},
    }
    (FOLDER / f"{name}.answers.json").write_text(json.dumps({"predict": told}))


def sequential(keras: Any) -> Any:
    """A classifier of four numbers that was trained for one round."""
    layers = [keras.layers.Dense(8, activation="relu"), keras.layers.Dense(3, activation="softmax", name="species")]
    model = keras.Sequential([keras.Input((4,), name="features"), *layers])
    model.compile("adam", "sparse_categorical_crossentropy")
    model.fit(RNG.normal(size=(64, 4)), RNG.integers(0, 3, 64), verbose=0)
    return model


def functional(keras: Any) -> Any:
    """Two inputs, one of them whole numbers, and two outputs."""
    one, other = keras.Input((8,), name="readings"), keras.Input((1,), dtype="int32", name="kind")
    embedded = keras.layers.Flatten()(keras.layers.Embedding(10, 4)(other))
    joined = keras.layers.Concatenate()([one, embedded])
    score = keras.layers.Dense(1, name="score")(joined)
    return keras.Model([one, other], [score, keras.layers.Dense(2, activation="sigmoid", name="flags")(joined)])


def keras_models() -> None:
    """Keras 3: .keras, .h5, weights alone, an exported SavedModel, a layer of one's own, a Lambda."""
    import keras

    model, features = sequential(keras), {"features": numbers(4)}
    model.save(FOLDER / "sequential.keras")
    model.save(FOLDER / "sequential.h5")
    model.save_weights(FOLDER / "sequential.weights.h5")
    keras_saved("sequential", model, features)
    model.export(str(FOLDER / "exported"), verbose=False)
    exported = tf.saved_model.load(str(FOLDER / "exported")).signatures
    answers("exported", exported, {"serving_default": features})
    two = functional(keras)
    two.save(FOLDER / "functional.keras")
    keras_saved("functional", two, {"readings": numbers(8), "kind": RNG.integers(0, 10, (ROWS, 1)).astype("int32")})

    @keras.saving.register_keras_serializable("mine")
    class Doubled(keras.layers.Layer):  # type: ignore[misc]  # the host's tests do not have Keras
        def call(self, x: Any) -> Any:
            return x * 2.0

    own = keras.Sequential([keras.Input((4,), name="features"), Doubled(), keras.layers.Dense(1, name="out")])
    own.save(FOLDER / "own.keras")
    keras_saved("own", own, features)
    added = keras.layers.Lambda(lambda x: x + 1)
    shifted = keras.Sequential([keras.Input((4,), name="features"), added, keras.layers.Dense(1, name="out")])
    shifted.save(FOLDER / "lambda.keras")
    shifted.save(FOLDER / "lambda.h5")
    keras_saved("lambda", shifted, features)


def legacy_models() -> None:
    """Keras 2, through tf-keras: .h5 with an LSTM as only Keras 2 writes it, and a SavedModel that holds an optimizer."""
    keras = tf.keras
    model = keras.Sequential(
        [keras.Input((5, 4), name="series"), keras.layers.LSTM(6), keras.layers.Dense(2, name="next")]
    )
    model.compile("adam", "mse")
    series = numbers(5, 4)
    model.fit(series[10:], RNG.normal(size=(ROWS - 10, 2)), verbose=0)
    model.save(FOLDER / "lstm.h5")
    keras_saved("lstm", model, {"series": series})
    model.save(FOLDER / "lstm_saved", save_format="tf")
    loaded = tf.saved_model.load(str(FOLDER / "lstm_saved")).signatures
    answers("lstm_saved", loaded, {"serving_default": {"series": series}})
    added = keras.Sequential([keras.Input((4,), name="features"), keras.layers.Lambda(lambda x: x + 1, name="added")])
    added.save(FOLDER / "lambda2.h5")
    keras_saved("lambda2", added, {"features": numbers(4)})
    keras.Sequential([keras.Input((4,), sparse=True), keras.layers.Dense(2)]).save(FOLDER / "sparse", save_format="tf")


if __name__ == "__main__":
    main()
