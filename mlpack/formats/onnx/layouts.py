"""The layouts of ONNX's messages (onnx.proto): a field that breaks them is read differently by onnxruntime and by others."""

from __future__ import annotations

from mlpack.readers.encodings.protobuf import BYTES, FIXED32, FIXED64, VARINT
from mlpack.readers.encodings.protobuf_layouts import Layout

MODEL = Layout(
    what="ModelProto",
    one={**dict.fromkeys((2, 3, 4, 6, 7), BYTES), 1: VARINT, 5: VARINT},
    many=dict.fromkeys((8, 14, 20, 25, 26), BYTES),
)
GRAPH = Layout(what="GraphProto", one={2: BYTES, 10: BYTES}, many=dict.fromkeys((1, 5, 11, 12, 13, 14, 15, 16), BYTES))
NODE = Layout(what="NodeProto", one=dict.fromkeys((3, 4, 6, 7, 8), BYTES), many=dict.fromkeys((1, 2, 5, 9, 10), BYTES))
ATTRIBUTE = Layout(
    what="AttributeProto",
    one={**dict.fromkeys((1, 4, 5, 6, 13, 14, 21, 22), BYTES), 2: FIXED32, 3: VARINT, 20: VARINT},
    many={**dict.fromkeys((9, 10, 11, 15, 23), BYTES), 7: FIXED32, 8: VARINT},
)
TENSOR = Layout(
    what="TensorProto",
    one={2: VARINT, 3: BYTES, 8: BYTES, 9: BYTES, 12: BYTES, 14: VARINT},
    many={1: VARINT, 4: FIXED32, 5: VARINT, 6: BYTES, 7: VARINT, 10: FIXED64, 11: VARINT, 13: BYTES, 16: BYTES},
)
SPARSE = Layout(what="SparseTensorProto", one={1: BYTES, 2: BYTES}, many={3: VARINT})
FUNCTION = Layout(
    what="FunctionProto",
    one={**dict.fromkeys((1, 8, 10, 13), BYTES), 2: VARINT, 3: VARINT},
    many=dict.fromkeys((4, 5, 6, 7, 9, 11, 12, 14), BYTES),
)
TRAINING = Layout(what="TrainingInfoProto", one={1: BYTES, 2: BYTES}, many={3: BYTES, 4: BYTES})
PAIR = Layout(what="StringStringEntryProto", one={1: BYTES, 2: BYTES})
OPSET = Layout(what="OperatorSetIdProto", one={1: BYTES, 2: VARINT})
VALUE = Layout(what="ValueInfoProto", one={1: BYTES, 2: BYTES, 3: BYTES}, many={4: BYTES})
_KINDS = (1, 4, 5, 7, 8, 9)
TYPE = Layout(what="TypeProto", one=dict.fromkeys((*_KINDS, 6), BYTES), choice=frozenset(_KINDS))

# AttributeProto.AttributeType -> the one field that has its value.
VALUES = {1: 2, 2: 3, 3: 4, 4: 5, 5: 6, 6: 7, 7: 8, 8: 9, 9: 10, 10: 11, 11: 22, 12: 23, 13: 14, 14: 15}
