"""A functional Keras model with named inputs of different types (text, whole numbers, image-like) and two named outputs; StringLookup and Normalization inside."""

import keras
import numpy as np
import tensorflow as tf

from tests.wild.case import ask, serve

keras.utils.set_random_seed(0)
country = keras.Input((1,), dtype="string", name="country")
age = keras.Input((1,), name="age")
hist = keras.Input((4,), name="history")
look = keras.layers.StringLookup(vocabulary=["de", "fr", "pl"], output_mode="one_hot")
norm = keras.layers.Normalization()
norm.adapt(np.array([[20.0], [40.0], [60.0]]))
h = keras.layers.Concatenate()([look(country), norm(age), hist])
out = keras.Model(
    [country, age, hist],
    {
        "churn": keras.layers.Dense(1, activation="sigmoid", name="churn")(h),
        "segment": keras.layers.Dense(3, activation="softmax", name="segment")(h),
    },
)
out.compile(loss={"churn": "binary_crossentropy", "segment": "categorical_crossentropy"})
out.save("multi.keras")
records = [
    {"country": "fr", "age": 33.0, "history": [1.0, 0, 2, 3]},
    {"country": "xx", "age": 20.0, "history": [0.0, 0, 0, 0]},
]
p = out.predict(
    [
        tf.constant([[r["country"]] for r in records]),
        np.array([[r["age"]] for r in records]),
        np.array([r["history"] for r in records]),
    ],
    verbose=0,
)
ask("records", {"instances": records}, [{"churn": p["churn"][i], "segment": p["segment"][i]} for i in range(2)])
ask(
    "records as the example shows",
    {"instances": [{"country": [r["country"]], "age": [r["age"]], "history": r["history"]} for r in records]},
    [{"churn": p["churn"][i], "segment": p["segment"][i]} for i in range(2)],
)
serve("multi.keras")
