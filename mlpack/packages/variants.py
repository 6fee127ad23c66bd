"""CPU or GPU: which distribution of a framework is taken, from where, and what of CUDA is kept out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from mlpack.errors import IndexUnreachableError, ResolveError
from mlpack.packages.compiler import LockedPackage
from mlpack.packages.index import ask, ask_all
from mlpack.packages.index.pages import IndexFile
from mlpack.packages.names import is_final, normalise, parse_requirement, same_version, version_key
from mlpack.packages.pythons import SUPPORTED
from mlpack.packages.settings import PackageSettings
from mlpack.packages.wanted import Wanted
from mlpack.packages.wheels import parse_wheel

# Where PyTorch's authors keep the builds without CUDA (pytorch.org, "Get started": Linux, Pip, CPU): a page of torch's alone.
TORCH_CPU_PAGE = "https://download.pytorch.org/whl/cpu/torch/"
# The plain distribution -> the one of the same version without CUDA, where the index has it for the platform.
_CPU = {"tensorflow": "tensorflow-cpu", "xgboost": "xgboost-cpu"}
# The plain distribution -> the one that brings CUDA along.
_GPU = {"tensorflow": "tensorflow[and-cuda]", "onnxruntime": "onnxruntime-gpu"}
# What the plain distribution pulls in for several GPUs at once, and never loads on a CPU.
_NEEDLESS = {"xgboost": ("nvidia-nccl-cu12", "nvidia-nccl-cu13")}
# What a framework's own metadata allow and it cannot import: before this release -> the bound.
_BOUNDS = {"tensorflow": ((2, 10), "protobuf<3.20")}
_CUDA = ("nvidia-", "cuda-", "triton", "pytorch-triton")


@dataclass(frozen=True, kw_only=True)
class Variant:
    """What to ask for, and of whom: the wants with their distributions chosen, and the settings with what they need."""

    wants: Wanted
    settings: PackageSettings
    reasons: tuple[str, ...] = ()


def with_variant(wants: Wanted, *, gpu: bool, platform: str, settings: PackageSettings) -> Variant:
    """The wants for a CPU, or with `gpu` for CUDA. Raises ResolveError where torch has no CPU build for the platform."""
    wants = _bounded(wants)
    if gpu:
        return Variant(wants=_without_cpu_builds(_renamed(wants, _GPU), settings), settings=settings)
    asked = {name for name in _CPU if name in _names(wants)}
    offered = ask_all([_CPU[name] for name in asked], settings)
    chosen = {name: _CPU[name] for name in asked if _has(offered[_CPU[name]], wants.pins.get(name), platform)}
    excludes = {*wants.excludes, *(name for name in chosen)}
    excludes |= {one for name in asked - set(chosen) for one in _NEEDLESS.get(name, ())}
    wants = replace(_renamed(wants, chosen), excludes=tuple(sorted(excludes)))
    if "torch" in _names(wants) and platform == "linux/amd64":  # elsewhere PyPI's own builds are without CUDA
        return _torch(wants, platform, settings)
    return Variant(wants=wants, settings=settings)


def refuse_cuda(packages: Iterable[LockedPackage]) -> None:
    """Raises ResolveError when the set for a CPU holds CUDA's libraries after all."""
    found = sorted(package.name for package in packages if package.name.startswith(_CUDA))
    if found:
        more = f" and {len(found) - 3} more" if len(found) > 3 else ""
        raise ResolveError(
            f"the packages would install gigabytes of CUDA libraries: {', '.join(found[:3])}{more}",
            hint="Use --gpu if you want them; else provide a CPU build, such as a folder of wheels in PIP_FIND_LINKS.",
        )


def _bounded(wants: Wanted) -> Wanted:
    """The wants with the bounds that a framework forgot to write down."""
    bounds = [
        bound
        for name, (before, bound) in _BOUNDS.items()
        if name in wants.pins and version_key(wants.pins[name])[:2] < before
    ]
    return replace(wants, constraints=tuple(sorted({*wants.constraints, *bounds})))


def _torch(wants: Wanted, platform: str, settings: PackageSettings) -> Variant:
    """Torch pinned to a build without CUDA: of the user's own sources, else of the page that PyTorch's authors keep."""
    pin = wants.pins.get("torch") or _pinned_extra(wants)
    version = _cpu_build(ask("torch", settings), pin, platform)
    reasons: tuple[str, ...] = ()
    if version is None and not settings.no_index:
        settings = replace(settings, find_links=(*settings.find_links, TORCH_CPU_PAGE))
        version = _cpu_build(_on_page(pin, settings), pin, platform)
    if version is None:
        raise ResolveError(
            f"there is no build of torch {pin or ''} without CUDA for {platform} in your package sources".replace(
                "  ", " "
            ),
            hint="Put its wheel (pip download --no-deps --index-url https://download.pytorch.org/whl/cpu torch) into a folder "
            "named by PIP_FIND_LINKS; or use --gpu.",
        )
    if pin is None:
        reasons = (f"The file does not record the version of torch: the newest without CUDA is used, {version}.",)
    line = f"torch=={version}"
    extras = tuple(one for one in wants.extras if parse_requirement(one)[0] != "torch")
    lines = tuple(sorted({*(one for one in wants.lines if parse_requirement(one)[0] != "torch"), line}))
    newest = tuple(name for name in wants.newest if name != "torch")
    wants = replace(wants, lines=lines, extras=extras, pins={**wants.pins, "torch": version}, newest=newest)
    return Variant(wants=wants, settings=settings, reasons=reasons)


def _without_cpu_builds(wants: Wanted, settings: PackageSettings) -> Wanted:
    """The wants with torch's builds for the CPU, which the user's own sources may hold, out of the question."""
    if "torch" not in _names(wants):
        return wants
    wheels = (parse_wheel(file.filename) for file in ask("torch", settings))
    versions = sorted({wheel.version for wheel in wheels if wheel is not None and wheel.version.endswith("+cpu")})
    return replace(wants, constraints=(*wants.constraints, *(f"torch!={version}" for version in versions)))


def _on_page(pin: str | None, settings: PackageSettings) -> tuple[IndexFile, ...]:
    try:
        return ask("torch", settings)
    except IndexUnreachableError as error:
        raise ResolveError(
            f"no build of torch {pin or ''} without CUDA is in your package sources, and {TORCH_CPU_PAGE} cannot be reached",
            hint="Put its wheel into a folder named by PIP_FIND_LINKS (pip download --no-deps --index-url "
            "https://download.pytorch.org/whl/cpu torch); or --gpu.",
            detail=error.message,
        ) from error


def _cpu_build(files: Iterable[IndexFile], pin: str | None, platform: str) -> str | None:
    """The version with its `+cpu`, of the pinned release or the newest, that some Python here can install."""
    found: set[str] = set()
    for file in files:
        wheel = parse_wheel(file.filename)
        if wheel is None or not wheel.version.endswith("+cpu") or file.yanked:
            continue
        if pin is not None and not same_version(pin, wheel.version):
            continue
        if (pin or is_final(wheel.version)) and any(wheel.fits(python, platform) for python in SUPPORTED):
            found.add(wheel.version)
    return max(found, key=version_key, default=None)


def _has(files: Iterable[IndexFile], pin: str | None, platform: str) -> bool:
    """Whether the distribution has the pinned version, or any, for the platform and a Python here."""
    wheels = (parse_wheel(file.filename) for file in files if not file.yanked)
    return any(
        wheel is not None
        and (pin is None or same_version(pin, wheel.version))
        and any(wheel.fits(python, platform) for python in SUPPORTED)
        for wheel in wheels
    )


def _names(wants: Wanted) -> frozenset[str]:
    return frozenset(parse_requirement(line)[0] for line in (*wants.lines, *wants.extras))


def _pinned_extra(wants: Wanted) -> str | None:
    """The version of torch that the user's own requirements name exactly."""
    for line in wants.extras:
        name, specifiers = parse_requirement(line)
        if name == "torch" and specifiers.startswith("==") and "*" not in specifiers and "," not in specifiers:
            return specifiers.lstrip("=")
    return None


def _renamed(wants: Wanted, names: Mapping[str, str]) -> Wanted:
    """The wants with distributions under other names, wherever they stand."""

    def line(text: str) -> str:
        name = parse_requirement(text)[0]
        if name not in names:
            return text
        return names[name] + text.strip()[len(name) :] if normalise(text.strip()[: len(name)]) == name else text

    return replace(
        wants,
        pins={normalise(names.get(name, name).partition("[")[0]): version for name, version in wants.pins.items()},
        lines=tuple(sorted(map(line, wants.lines))),
        extras=tuple(map(line, wants.extras)),
        newest=tuple(normalise(names.get(name, name).partition("[")[0]) for name in wants.newest),
        constraints=tuple(sorted(line(one).replace("[and-cuda]", "") for one in wants.constraints)),
    )
