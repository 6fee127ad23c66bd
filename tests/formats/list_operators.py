"""Checks or writes mlpack/formats/pytorch/torchscript/operators.tsv: torch's registered operators, each with what a file may do with it.

usage: python tests/formats/list_operators.py [--write]

Runs with the frameworks' Python. Without `--write` it prints what differs from the list, and ends with 1 if anything does.
A new release of torch brings operators of new namespaces or names: these come as `ask` until somebody has looked at them.
"""

from __future__ import annotations

import importlib
import re
import sys
from pathlib import Path

import torch

LIST = Path(__file__).parents[2] / "mlpack" / "formats" / "pytorch" / "torchscript" / "operators.tsv"
HEAD = (
    "# torch's operators by exact name: `call` (computes only), `ask` (not known as harmless), `never` (files, machines, code)\n"
    "# made from torch's registered schemas, and checked, by tests/formats/list_operators.py\n"
)
# Namespaces whose operators compute with tensors or plain values, as far as nothing below says otherwise.
COMPUTE = (
    "aten", "prim", "prims", "quantized", "_quantized", "mkldnn", "mkldnn_prepacked", "mkl", "onednn", "sparse", "prepacked",
    "quantization", "rngprims", "_native", "quantized_decomposed",
)  # fmt: skip
# Operators that run a graph of the same file, whose operators count like all others.
HIGHER_ORDER = (
    "_export_tracepoint", "associative_scan", "auto_functionalized", "auto_functionalized_v2", "cond", "flex_attention",
    "hints_wrapper", "invoke_subgraph", "map_impl", "out_dtype", "scan", "strict_mode", "tag_activation_checkpoint",
    "while_loop", "with_effects", "wrap", "wrap_with_autocast", "wrap_with_set_grad_enabled",
)  # fmt: skip
NEVER = {
    r"aten::save": "writes a file",
    r"image::(read|write)_file": "reads or writes a file",
    r"aten::from_file": "maps a file into memory, or makes one",
    r"aten::(to_here|owner|owner_name|is_owner|confirmed_by_owner|local_value|get_gradients)": "reaches other machines",
    r"prim::rpc_(sync|async|remote)": "runs code on other machines",
    r"prim::(PythonOp|IgnoredPythonOp|CudaFusionGroup)": "runs Python code, or compiles some",
    r"(c10d|_c10d_functional|_c10d_functional_autograd|symm_mem|_dtensor)::.*": "reaches other machines",
    r"inductor::_(alloc_from_pool|reinterpret_tensor)": "makes a tensor of any memory",
    r"mkldnn::data_ptr": "gives an address in memory",
    r"higher_order::(triton_kernel_wrapper_.*|inductor_compiled_code.*)": "compiles and runs code",
    r"higher_order::(call_torchbind|aoti_call_delegate|invoke_leaf_function|flat_apply|inline_asm.*)": "calls other code",
}
ASK = {
    r"aten::_test_.*|aten::_foobar|_test::.*": "a test of torch's own",
    r"aten::_sparse_.*_unsafe|static_runtime::.*|aten::_copy_from.*": "does not check what it is given",
    r"aten::(_triton|_philox|_lazy).*": "not for saved models",
    r"prim::(BailOut|BailoutTemplate|DifferentiableGraph|FallbackGraph|FusionGroup|Guard|StaticSubgraph|TensorExpr.*|"
    r"oneDNN.*|profile.*|AddStatValue|TimePoint|StaticRuntimeCopyOuts|TypeCheck|RequiresGradCheck)": "of torch's own optimizer",
}
# Of older releases; torch's interpreter translates them.
OLDER = """
aten::_addmv_impl_ aten::_baddbmm_mkldnn_ aten::_bmm aten::_cat aten::_cumprod aten::_cumsum aten::_max aten::_min aten::_mode
aten::_multinomial_alias_draw aten::_multinomial_alias_setup aten::_std aten::_var aten::_dequantize_linear
aten::_fft_with_size aten::_inverse_helper aten::_lu_solve_helper aten::_qr_helper aten::_solve_helper aten::_symeig_helper
aten::_triangular_solve_helper aten::_sparse_add aten::_convolution_nogroup aten::dequantize_linear aten::eig aten::fft
aten::gels aten::gesv aten::ifft aten::irfft aten::is_mkldnn aten::is_quantized aten::lstsq aten::matrix_rank aten::pstrf
aten::quantize_linear aten::rfft aten::solve aten::symeig aten::thnn_conv3d aten::thnn_conv_depthwise2d aten::potrf
aten::__isnot_ aten::is_cuda aten::layout aten::dtype aten::shape aten::warnings aten::log_softmax_ aten::softmax_
aten::_linalg_inv_out_helper_ aten::_linalg_qr_helper aten::_linalg_solve_out_helper_ aten::_upsample_nearest aten::tolist
aten::unsqueeze_multiple aten::cross_entropy aten::mkldnn_reorder aten::_index_copy_ aten::_gather_sparse aten::bitwise_xnor
prim::shape prim::AutogradAnyNonZero prim::ListConstruct prim::ListUnpack prim::TupleConstruct prim::DictConstruct
prim::TupleSlice prim::unchecked_unwrap_optional prim::ImplicitTensorToNum prim::Constant prim::GetAttr prim::SetAttr
prim::CallMethod prim::CallFunction prim::If prim::Loop prim::CreateObject prim::isinstance prim::is_mkldnn prim::fork
prim::Drop prim::Load prim::Store prim::Return prim::Param prim::LoopContinuation prim::BroadcastingList prim::range
prim::HasAttr prim::list prim::dict prim::zip prim::enumerate prim::Closure prim::ModuleDictIndex prim::awaitable
prepacked::linear_clamp_prepack prepacked::linear_clamp_run prepacked::conv2d_clamp_prepack prepacked::conv2d_clamp_run
prepacked::conv2d_transpose_clamp_prepack prepacked::conv2d_transpose_clamp_run prepacked::unpack_prepacked_sizes_conv2d
prepacked::unpack_prepacked_sizes_linear
quantized::fbgemm_conv2d quantized::fbgemm_linear quantized::fbgemm_linear_dynamic quantized::fbgemm_linear_prepack
quantized::fbgemm_linear_relu quantized::fbgemm_linear_unpack quantized::sum_relu quantized::max_pool3d
torchvision::nms torchvision::roi_align torchvision::_roi_align_backward torchvision::roi_pool torchvision::ps_roi_align
torchvision::ps_roi_pool torchvision::deform_conv2d torchvision::_deform_conv2d_backward torchvision::_roi_pool_backward
higher_order::triton_kernel_wrapper_functional higher_order::triton_kernel_wrapper_mutation
image::read_file image::write_file torchvision::qnms torchvision::box_iou_rotated
torchvision::_ps_roi_align_backward torchvision::_ps_roi_pool_backward
"""


def registered() -> set[str]:
    """Every operator that this torch knows: those of its libraries, and those that its Python modules register."""
    for name in ("torch.ao.quantization.fx._decomposed", "torch._higher_order_ops"):
        importlib.import_module(name)
    found = {schema.name for schema in torch._C._jit_get_all_schemas()}
    return found | {f"higher_order::{name}" for name in torch._ops._higher_order_ops}


def rules(known: set[str]) -> dict[str, tuple[str, str]]:
    """Each operator with its use and the reason."""
    found = {}
    for name in sorted(known | set(OLDER.split())):
        use = next((("never", why) for rule, why in NEVER.items() if re.fullmatch(rule, name)), None)
        use = use or next((("ask", why) for rule, why in ASK.items() if re.fullmatch(rule, name)), None)
        space, _, inner = name.partition("::")
        computes = space in COMPUTE or name in OLDER.split() or (space == "higher_order" and inner in HIGHER_ORDER)
        found[name] = use or (("call", "") if computes else ("ask", "not known as harmless"))
    return found


def written(found: dict[str, tuple[str, str]]) -> str:
    """The list as text."""
    return HEAD + "".join(
        f"{name}\t{use}\t{why}\n" if why else f"{name}\t{use}\n" for name, (use, why) in found.items()
    )


def main() -> int:
    """The exit code."""
    text = written(rules(registered()))
    if "--write" in sys.argv[1:]:
        LIST.write_text(text, encoding="utf-8")
        return 0
    now = set(LIST.read_text(encoding="utf-8").splitlines())
    missing = sorted(set(text.splitlines()) - now)
    more = sorted(now - set(text.splitlines()))
    for sign, lines in (("+", missing), ("-", more)):
        sys.stdout.writelines(f"{sign} {line}\n" for line in lines)
    return 1 if missing or more else 0


if __name__ == "__main__":
    sys.exit(main())
