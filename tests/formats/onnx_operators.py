"""The operators that the installed onnxruntime has and that mlpack/formats/onnx/operators.txt does not: run as a module."""

from __future__ import annotations

from onnxruntime.capi import onnxruntime_pybind11_state as runtime

from mlpack.formats.onnx.operators import ANY, LEFT_OUT, is_allowed


def missing() -> list[str]:
    """Those of onnxruntime's domains that are neither allowed nor left out on purpose, as `domain:operator`."""
    known = {(one.domain, one.name) for one in runtime.get_all_operator_schema()}
    return sorted(
        f"{domain}:{op}"
        for domain, op in known
        if domain not in ANY and not is_allowed(domain, op) and op not in LEFT_OUT
    )


if __name__ == "__main__":
    print("\n".join(missing()))
