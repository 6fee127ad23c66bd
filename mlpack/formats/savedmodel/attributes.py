"""Operators that an attribute can make read a file, write one, or run code: allowed in the form that does not."""

from __future__ import annotations

from mlpack.formats.savedmodel.nodes import Node

_FILES = "reads or writes files of the machine that runs it"
# Operations in a module of MLIR that leave it; their names stand in the module as they are.
_LEAVING = (b"custom_call", b"send_v", b"recv_v", b"infeed", b"outfeed")
_MLIR = b"ML\xefR"


def fault_of(node: Node) -> tuple[str, bool]:
    """What a node's attribute makes it do, and whether that is known to be dangerous; "" where it only computes."""
    if node.op == "PrintV2":
        return (_FILES if node.texts.get("output_stream", b"").startswith(b"file:") else ""), True
    if node.op in ("DecodeProtoV2", "EncodeProto"):
        source = node.texts.get("descriptor_source", b"")
        return ("" if source in (b"", b"local://") or source.startswith(b"bytes://") else _FILES), True
    if node.op == "FixedUnigramCandidateSampler":
        return (_FILES if node.texts.get("vocab_file") else ""), True
    if node.op == "XlaCallModule":
        module = node.texts.get("module", b"")
        leaves = not module.startswith(_MLIR) or any(name in module for name in _LEAVING)
        return ("runs a compiled module that may call code outside of itself" if leaves else ""), False
    if node.op == "Const" and node.variant:
        return "holds an object that is not a tensor", False
    return "", False
