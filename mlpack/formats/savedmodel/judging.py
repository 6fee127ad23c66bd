"""The verdict on a SavedModel's operations: files that are touched, Python that is run, operations that TensorFlow has not."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

from mlpack.artifacts.model import Finding, Safety, Verdict
from mlpack.formats.savedmodel.graph import MetaGraph

_FILES = "reads or writes files of the machine that runs it"
_PYTHON = "runs Python code of the process that serves it"
_NETWORK = "opens network connections"
_DANGEROUS = {
    **dict.fromkeys(
        [
            "ReadFile",
            "WriteFile",
            "MatchingFiles",
            "MatchingFilesDataset",
            "ExperimentalMatchingFilesDataset",
            "WholeFileReader",
            "WholeFileReaderV2",
            "ReaderRead",
            "ReaderReadV2",
            "ReaderReadUpTo",
            "ReaderReadUpToV2",
            "TFRecordReader",
            "TFRecordReaderV2",
            "TextLineReader",
            "TextLineReaderV2",
            "FixedLengthRecordReader",
            "FixedLengthRecordReaderV2",
            "LMDBReader",
            "RecordInput",
            "TFRecordDataset",
            "TFRecordDatasetV2",
            "TextLineDataset",
            "FixedLengthRecordDataset",
            "FixedLengthRecordDatasetV2",
            "CSVDataset",
            "CSVDatasetV2",
            "ExperimentalCSVDataset",
            "LMDBDataset",
            "ExperimentalLMDBDataset",
            "SqlDataset",
            "ExperimentalSqlDataset",
            "DatasetToTFRecord",
            "ExperimentalDatasetToTFRecord",
            "SaveDataset",
            "SaveDatasetV2",
            "LoadDataset",
            "SnapshotDataset",
            "SnapshotDatasetV2",
            "ListSnapshotChunksDataset",
            "SnapshotChunkDataset",
            "SnapshotDatasetReader",
            "SnapshotNestedDatasetReader",
            "CacheDataset",
            "CacheDatasetV2",
            "DistributedSave",
            "ImmutableConst",
            "LoadAndRemapMatrix",
            "DumpTensor",
            "DebugIdentity",
            "DebugIdentityV2",
            "DebugIdentityV3",
            "FileSystemSetConfiguration",
            "GenerateVocabRemapping",
            "CreateSummaryFileWriter",
            "CreateSummaryDbWriter",
            "WriteSummary",
            "WriteRawProtoSummary",
            "WriteGraphSummary",
        ],
        _FILES,
    ),
    **dict.fromkeys(["PyFunc", "PyFuncStateless", "EagerPyFunc"], _PYTHON),
    **dict.fromkeys(
        [
            "RpcCall",
            "RpcClient",
            "RpcServer",
            "RpcServerRegister",
            "RpcServerStart",
            "RemoteCall",
            "DataServiceDataset",
            "DataServiceDatasetV2",
            "DataServiceDatasetV3",
            "DataServiceDatasetV4",
            "BigtableClient",
        ],
        _NETWORK,
    ),
}
# What saves and restores a model's own variables: in every SavedModel, and asked by no signature.
_SAVERS = frozenset({
    "Save", "SaveV2", "SaveSlices", "Restore", "RestoreV2", "RestoreSlice", "MergeV2Checkpoints",
})  # fmt: skip
_SAVER_FUNCTION = re.compile(r"__inference__traced_(save|restore)_\d+")
_SAVER_NODE = re.compile(r"save(_\d+)?/")
_TABLES = frozenset({"InitializeTableFromTextFile", "InitializeTableFromTextFileV2"})


def judge(graph: MetaGraph) -> Safety:
    """What asking the graph's signatures could do beside computing."""
    findings: dict[str, Finding] = {}

    def found(op: str, why: str, verdict: Verdict) -> None:
        told = f"dangerous: {why}" if verdict == "dangerous" else why
        findings.setdefault(op, Finding(callable=f"tensorflow.{op}"[:200], why=told, verdict=verdict))

    ops = graph.ops
    for op in sorted(ops & set(_DANGEROUS)):
        found(op, _DANGEROUS[op], "dangerous")
    for op in sorted(op for op in ops if op.startswith("PrintV2 to ")):
        found(op, _FILES, "dangerous")
    for node in graph.nodes:
        if any(text.startswith("file:") for text in node.texts):
            found("PrintV2", _FILES, "dangerous")
    for op in sorted(_stray_savers(graph)):
        found(op, _FILES, "dangerous")
    if ops & _TABLES and not graph.assets:
        told = "it reads a file that is not among the model's assets: build with --trust if you know where the file comes from"
        found("InitializeTableFromTextFileV2", told, "unknown")
    for op in sorted(ops - _known() - set(graph.functions) - {""}):
        if not op.startswith("PrintV2 to "):
            found(op, _foreign(op), "unknown")
    told_first = sorted(findings.values(), key=lambda one: one.verdict != "dangerous")
    return Safety(verdict=told_first[0].verdict if told_first else "safe", findings=tuple(told_first))


def foreign(graph: MetaGraph) -> tuple[str, ...]:
    """The operations that TensorFlow itself does not have."""
    ops = (op for op in graph.ops if not op.startswith("PrintV2 to "))
    return tuple(sorted(set(ops) - _known() - set(graph.functions) - {""}))


def _foreign(op: str) -> str:
    return (
        f"an operation that TensorFlow does not have: name the package that brings it under `requirements:`, import it in a "
        f"predictor's load(), and build with --trust ({op})"
    )


def _stray_savers(graph: MetaGraph) -> set[str]:
    """Operations that save or restore, and are not only those that keep the model's own variables."""
    own = {name for name, one in graph.functions.items() if _SAVER_FUNCTION.fullmatch(name) and one.ops & _SAVERS}
    stray: set[str] = set()
    for name, function in graph.functions.items():
        if name not in own and function.ops & _SAVERS:
            stray |= function.ops & _SAVERS
        if function.calls & own and name not in own:  # the saver's function, called by another
            stray |= set().union(*(graph.functions[one].ops & _SAVERS for one in function.calls & own))
    savers = {
        node.name: node.op for node in graph.nodes
        if node.op in _SAVERS or node.calls & own or node.op in own
    }  # fmt: skip
    asked = {tensor.node for call in graph.calls for tensor in call.outputs}
    for node in graph.nodes:
        if node.op in _SAVERS and not _SAVER_NODE.match(node.name):
            stray.add(node.op)
        if node.name not in savers and not _SAVER_NODE.match(node.name):
            asked.update(node.inputs)
    stray |= {"SaveV2" for name in asked if name in savers or _SAVER_NODE.match(name)}
    return stray


@cache
def _known() -> frozenset[str]:
    text = Path(__file__).with_name("ops.txt").read_text(encoding="utf-8")
    return frozenset(word for line in text.splitlines() if not line.startswith("#") for word in line.split())
