"""Keep CUDA out of the images for CPUs."""

from __future__ import annotations

import re
from collections.abc import Iterable

from mlpack.errors import ResolveError
from mlpack.packages.compiler import LockedPackage

# What is named so may hold CUDA's libraries, or only call the driver (nvidia-ml-py): the size of the wheel tells.
_NAMED = re.compile(r"nvidia-|cuda-|triton\b|pytorch-triton|cupy-cuda|tensorrt")
_LARGE = 16 * 1024**2  # bytes; the libraries have 20 MB to 900 MB, programs that call the driver less than 1 MB
# For an index without sizes: the libraries of NVIDIA's toolkit.
_LIBRARIES = re.compile(
    r"(nvidia-(cublas|cuda-(cccl|crt|cupti|nvcc|nvrtc|runtime)|cudnn|cufft|cufile|curand|cusolver|cusparse(lt)?|dali|nccl|npp"
    r"|nvjitlink|nvjpeg|nvshmem|nvtx|nvvm)(-cu\d+)?|(pytorch-)?triton|cupy-cuda.*|tensorrt.*)"
)


def refuse_cuda(packages: Iterable[LockedPackage]) -> None:
    """Raise ResolveError when the set for a CPU contains CUDA libraries, judged by their size and name."""
    sizes = {package.name: size for package in packages if (size := _cuda_size(package)) is not None}
    if not sizes:
        return
    more = f" and {len(sizes) - 3} more" if len(sizes) > 3 else ""
    total = sum(sizes.values())
    shown = f" ({total / 1e6:,.0f} MB)" if total else ""
    raise ResolveError(
        f"the packages would install CUDA libraries{shown}: {', '.join(sorted(sizes)[:3])}{more}",
        hint="Use --gpu if you want them; else provide a CPU build, such as a folder of wheels in PIP_FIND_LINKS.",
    )


def _cuda_size(package: LockedPackage) -> int | None:
    """The size of its largest wheel if it is a CUDA library, 0 if the index has no sizes; None for any other package."""
    if not _NAMED.match(package.name):
        return None
    known = [wheel.size for wheel in package.wheels if wheel.size is not None]
    if known:
        return max(known) if max(known) >= _LARGE else None
    return 0 if _LIBRARIES.fullmatch(package.name) else None
