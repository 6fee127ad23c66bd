"""A SavedModel whose serving_default takes encoded image bytes (base64 on the wire) and answers a number and a text."""

import base64

import numpy as np
import tensorflow as tf

from tests.wild.case import ask, serve


class M(tf.Module):
    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="image_bytes")])
    def look(self, image_bytes):
        """Mean brightness and a label of each image."""

        def one(b):
            im = tf.io.decode_png(b, channels=3)
            return tf.reduce_mean(tf.cast(im, tf.float32))

        return {
            "brightness": tf.map_fn(one, image_bytes, fn_output_signature=tf.float32),
            "label": tf.where(tf.strings.length(image_bytes) > 0, "ok", "empty"),
        }


m = M()
tf.saved_model.save(m, "png_model", signatures={"serving_default": m.look})
imgs = [tf.io.encode_png(np.full((4, 4, 3), v, np.uint8)).numpy() for v in (10, 200)]
records = [{"image_bytes": {"b64": base64.b64encode(b).decode()}} for b in imgs]
ask(
    "our route with b64",
    {"instances": records},
    [{"brightness": 10.0, "label": "ok"}, {"brightness": 200.0, "label": "ok"}],
)
ask(
    "tfs route with b64",
    {"instances": records},
    [{"brightness": 10.0, "label": "ok"}, {"brightness": 200.0, "label": "ok"}],
    path="/v1/models/png-model:predict",
)
ask("bare b64", {"instances": [{"b64": base64.b64encode(imgs[0]).decode()}]}, [{"brightness": 10.0, "label": "ok"}])
serve("png_model")
