"""A subclassed Keras model saved as .keras; its call takes a dictionary."""

from pathlib import Path

import keras
import numpy as np

from tests.wild.case import ask, own_code, serve

CODE = """
import keras


@keras.saving.register_keras_serializable()
class TwoTower(keras.Model):
    def __init__(self, dim=4, **kwargs):
        super().__init__(**kwargs)
        self.dim = dim
        self.u = keras.layers.Embedding(10, dim)
        self.i = keras.layers.Embedding(20, dim)

    def call(self, inputs):
        return keras.ops.sum(self.u(inputs["user"]) * self.i(inputs["item"]), axis=-1)

    def get_config(self):
        return {**super().get_config(), "dim": self.dim}
"""
own = own_code("model.py", CODE)
keras.utils.set_random_seed(0)
m = own.TwoTower()
d = {"user": np.array([1, 2]), "item": np.array([7, 8])}
m(d)
m.save("tower.keras")
p = m.predict(d, verbose=0)
Path("rows.json").write_text('[{"user": 1, "item": 7}, {"user": 2, "item": 8}]')
ask("records", {"instances": [{"user": 1, "item": 7}, {"user": 2, "item": 8}]}, p)
serve("tower.keras", after="command")
