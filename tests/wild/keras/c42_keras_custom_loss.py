"""keras#5916, keras#19031: compiled with a loss and a metric of one's own; inference needs neither. .keras and .h5."""

import keras
import numpy as np

from tests.wild.case import ask, serve


def weighted_bce(y, p):
    return keras.ops.mean(keras.losses.binary_crossentropy(y, p) * 2)


def share_found(y, p):
    return keras.ops.mean(p * y)


keras.utils.set_random_seed(0)
m = keras.Sequential(
    [
        keras.Input((3,)),
        keras.layers.Dense(4, activation="relu"),
        keras.layers.Dropout(0.5),
        keras.layers.Dense(1, activation="sigmoid"),
    ]
)
m.compile("adam", loss=weighted_bce, metrics=[share_found])
m.fit(np.random.default_rng(0).normal(size=(32, 3)), np.ones(32), verbose=0)
m.save("loss.keras")
m.save("loss.h5")
x = np.array([[1.0, 2, 3], [0, -1, 4]])
ask("rows", {"instances": x}, m.predict(x, verbose=0))
serve("loss.keras", "loss.h5")
