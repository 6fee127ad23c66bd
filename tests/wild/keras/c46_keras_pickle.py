"""keras-contrib#555: a Keras model pickled (pickle.dump(model)) because sklearn models beside it are."""

import pickle
from pathlib import Path

import keras

from tests.wild.case import refuse

keras.utils.set_random_seed(0)
m = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
Path("keras_model.pkl").write_bytes(pickle.dumps(m))
refuse("keras_model.pkl", "unknown_format", "Keras model", "model.save('model.keras')")
