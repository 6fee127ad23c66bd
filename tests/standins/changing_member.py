"""A V2 service whose answers follow a file in its container: good ones, or one of several kinds of rubbish.

python3 -m tests.standins.changing_member      # it needs nothing but Python, tests/standins/member.py and this file
"""

from __future__ import annotations

from pathlib import Path

from tests.standins.member import Behaviour, Handler, Member, constant

MODEL = "changing"
PORT = 8080
GOOD = (0.2, 0.3, 0.5)  # the probabilities that it gives for each row
MODE = Path("/tmp/mode")  # holds the name of a behaviour

METADATA = {
    "name": MODEL,
    "platform": "test",
    "inputs": [{"name": "input", "datatype": "FP64", "shape": [-1, 4]}],
    "outputs": [{"name": "predict_proba", "datatype": "FP64", "shape": [-1, 3]}],
}


def html(handler: Handler, _rows: int) -> None:
    """Answer with the page of a proxy."""
    handler.reply(200, b"<html><body>Welcome to nginx!</body></html>", {"Content-Type": "text/html"})


BEHAVIOURS: dict[str, Behaviour] = {
    "good": constant(*GOOD),
    "shape": constant(0.5, 0.5),
    "nan": constant(float("nan"), 0.5, 0.5),
    "html": html,
}


def follow_file(handler: Handler, rows: int) -> None:
    """Behave as the file says."""
    mode = MODE.read_text().strip() if MODE.exists() else "good"
    BEHAVIOURS[mode](handler, rows)


if __name__ == "__main__":
    # on all addresses: it runs in a container, whose port is published for this machine alone
    Member(follow_file, ("0.0.0.0", PORT), {f"/v2/models/{MODEL}": METADATA}).serve_forever()
