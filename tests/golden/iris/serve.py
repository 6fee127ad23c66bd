"""Serves iris: Pipeline of scikit-learn 1.9.1, from model.pkl.

Written by mlpack 0.1.0; you may change it. `python serve.py` starts the service, with or without Docker;
PORT or --port sets the port. POST /predict predicts, GET / describes the model, GET /ready answers 200 when it is ready.
"""

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

from mlpack.runtime.cpus import limit_threads  # noqa: E402

# Math libraries start a thread for each CPU of the host, not of the container: set a limit before they are imported.
limit_threads()

import loader  # noqa: E402 - how the model is loaded and called: sklearn
from mlpack.runtime.server import serve  # noqa: E402
from mlpack.runtime.settings import Batch, Settings  # noqa: E402

# All settings. Those with a `#` have their default value; the others are set in mlpack.yaml.
SETTINGS = Settings(
    # port=8080,  # TCP port. Stronger: --port, SAGEMAKER_BIND_TO_PORT, AIP_HTTP_PORT, PORT, in this order.
    # workers=1,  # Server processes. One serves many clients; more share the model where its loader allows, else each has a copy.
    # batch.mode='auto',  # auto joins where rows do not depend on each other; on insists, off never does (`batch: off` for short).
    # batch.max_rows=1024,  # Rows that one call of the model takes at most when waiting requests are joined.
    # batch.max_bytes='64MB',  # Bytes of input that one call of the model takes at most.
    # max_rows=10000,  # Rows in one request at most; more is answered with 413.
    # queue_rows=20000,  # Rows that may wait for the model at most; more is answered with 503, Retry-After.
    # deadline_s=60.0,  # Seconds from a request's arrival to its answer at most; later is 504.
    # max_body='32MiB',  # Size of a request's body at most; more is answered with 413.
    # max_bodies='auto',  # Size of all requests' bodies together at most; more is answered with 503, Retry-After. auto: a quarter of the memory.
    # log='info',  # Least severity that is logged: debug, info, warning or error.
    # log_payloads=False,  # Whether log lines tell the first rows of each request and answer.
)

if __name__ == "__main__":
    raise SystemExit(
        serve(
            loader,
            card=HERE / "model.json",  # the description of the model: its signatures, classes and columns
            signature='predict',  # for requests that name none; available: predict, predict_proba
            settings=SETTINGS,
            argv=sys.argv[1:],
        )
    )
