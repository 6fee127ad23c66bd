"""The operators that the installed TensorFlow registers and mlpack/formats/savedmodel/operators.txt does not have: run as a module."""

from __future__ import annotations

import json
import subprocess

from mlpack.formats.savedmodel.operators import registered
from tests.formats.frameworks import python

_NAMES = """
import json
from tensorflow.core.framework import op_def_pb2
from tensorflow.python.client import pywrap_tf_session as session
ops = op_def_pb2.OpList.FromString(session.TF_GetBuffer(session.TF_GetAllOpList()))
print(json.dumps([op.name for op in ops.op]))
"""


def missing() -> list[str]:
    """By name, those that no section has."""
    ended = subprocess.run([python(), "-c", _NAMES], capture_output=True, text=True, check=True)
    return sorted(set(json.loads(ended.stdout)) - registered())


if __name__ == "__main__":
    print("\n".join(missing()))
