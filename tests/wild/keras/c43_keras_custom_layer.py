"""A registered layer and an activation function of one's own in a functional model."""

import keras
import numpy as np

from tests.wild.case import ask, own_code, serve

CODE = """
import keras


@keras.saving.register_keras_serializable(package="shop")
class Gate(keras.layers.Layer):
    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.dense = keras.layers.Dense(units)

    def build(self, shape):
        self.dense.build(shape)
        super().build(shape)

    def call(self, x):
        return x * keras.ops.sigmoid(self.dense(x))

    def get_config(self):
        return {**super().get_config(), "units": self.units}


@keras.saving.register_keras_serializable(package="shop")
def squareplus(x):
    return (x + keras.ops.sqrt(x * x + 4)) / 2
"""
own = own_code("layers.py", CODE)
keras.utils.set_random_seed(0)
i = keras.Input((3,), name="x")
m = keras.Model(i, keras.layers.Dense(1, activation=own.squareplus)(own.Gate(3)(i)))
m.save("gate.keras")
x = np.array([[1.0, 2, 3], [0, -1, 4]])
ask("rows", {"instances": x}, m.predict(x, verbose=0))
serve("gate.keras", after="command")
