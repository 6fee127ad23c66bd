"""A stateful LSTM saved with batch size 1: every request must start anew."""

import keras
import numpy as np

from tests.wild.case import ask, serve

keras.utils.set_random_seed(0)
i = keras.Input(batch_shape=(1, 5, 1))
m = keras.Model(i, keras.layers.Dense(1)(keras.layers.LSTM(4, stateful=True)(i)))
m.save("stateful.keras")
x = np.linspace(0, 1, 5).reshape(1, 5, 1)
fresh = m.predict(x, verbose=0)
ask("first", {"instances": x}, fresh)
ask("again the same", {"instances": x}, fresh)
serve("stateful.keras")
