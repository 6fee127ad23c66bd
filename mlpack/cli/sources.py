"""What `mlpack deploy` starts from: a model's path, an image of the engine, or one that is in a registry already."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from mlpack.artifacts.image import Image
from mlpack.artifacts.release import Released
from mlpack.artifacts.report import Report
from mlpack.checks.smoke import verify
from mlpack.cli.output.ci_summary import test_summary, write_summary
from mlpack.cli.output.console import Console
from mlpack.cli.output.image import show
from mlpack.cli.testing import expectation, refuse_failed, show_check
from mlpack.cli.wiring import Context, make_context, remembered_config
from mlpack.errors import NotVerifiedError
from mlpack.pipeline.build import build, refuse_large
from mlpack.pipeline.push import RECEIPT_TYPE
from mlpack.pipeline.render import model_name, slug
from mlpack.registries.google_login import GoogleLogin
from mlpack.registries.images import pushed_image
from mlpack.registries.referrers import attachments
from mlpack.workspace import passing, receipt_path, remember_last, report_of, require_receipt, write_receipt

_PLATFORM = "linux/amd64"


@dataclass(frozen=True, kw_only=True)
class Source:
    """Where a deploy begins: `model` for the whole line, `reference` for an image; `pushed` when it has a digest."""

    context: Context
    name: str | None
    model: Path | None = None
    reference: str | None = None
    pushed: bool = False


@dataclass(frozen=True, kw_only=True)
class Ready:
    """An image that may go out: its receipt (None after --no-verify), and where it is when it need not be pushed."""

    image: Image
    receipt: dict[str, Any] | None
    released: Released | None = None

    @property
    def report(self) -> Report | None:
        """The report in the receipt."""
        return None if self.receipt is None else report_of(self.receipt)


def open_source(console: Console, words: str | None, config: Path | None) -> Source:
    """Tells a path from an image, and finds its mlpack.yaml. Builds nothing."""
    if words is not None and Path(words).exists():
        context = make_context(Path(words), console=console, config=config)
        named = context.config.name
        return Source(context=context, name=slug(named) if named else model_name(Path(words)), model=Path(words))
    context = make_context(None, console=console, config=config or (remembered_config() if words is None else None))
    return Source(context=context, name=None, reference=words, pushed=words is not None and "@sha256:" in words)


def make_ready(source: Source, *, trust: bool, no_verify: bool, receipt: Path | None, platform: str | None) -> Ready:
    """The image with its passing receipt: built and tested here, or found with the one that it has.

    Raises NotVerifiedError, CheckFailedError, and what the steps before raise.
    """
    console, context = source.context.console, source.context
    if no_verify:
        console.warn("--no-verify: this image goes out without a passing test")
    if source.pushed:
        return _from_registry(context, source.reference or "", no_verify=no_verify, file=receipt)
    if source.model is None:
        image = context.image(source.reference)
        return Ready(image=image, receipt=None if no_verify else require_receipt(image, context.folder, file=receipt))
    return _whole_line(_for_platform(context, platform), trust=trust, no_verify=no_verify, file=receipt)


def _for_platform(context: Context, platform: str | None) -> Context:
    """The target's platform is built for, unless mlpack.yaml says another one."""
    if platform is None or context.config.build.platform is not None:
        return context
    section = context.config.build.model_copy(update={"platform": platform})
    return replace(context, config=context.config.model_copy(update={"build": section}))


def _whole_line(context: Context, *, trust: bool, no_verify: bool, file: Path | None) -> Ready:
    console = context.console
    prepared = context.prepare(trust=trust)
    engine = context.engine
    bundle = context.bundle(context.lock(prepared), prepared)
    with console.progress("building") as on_progress:
        image = build(bundle, builder=engine, on_progress=on_progress)
    remember_last(image, context.folder, config=context.config.file, model=prepared.info.path.resolve())
    show(console, image, bundle.lock.reasons)
    refuse_large(image, context.config.build.max_bytes, {})
    if no_verify:
        return Ready(image=image, receipt=None)
    if image.cached and file is None and receipt_path(context.folder, image.id).is_file():
        return Ready(image=image, receipt=require_receipt(image, context.folder))
    console.text(f"Testing {image.tags[0]}")
    verified, log = verify(
        image,
        runner=engine,
        expectation=expectation(context.config.test),
        on_check=lambda check: show_check(console, check),
    )
    place = write_receipt(verified, context.folder, file=file)
    write_summary(test_summary(verified.report))
    refuse_failed(verified.report, log, {"receipt": str(place)})
    return Ready(image=image, receipt=verified.to_json())


def _from_registry(context: Context, reference: str, *, no_verify: bool, file: Path | None) -> Ready:
    login = GoogleLogin()
    image = pushed_image(reference, platform=_PLATFORM, login=login)
    receipt = None
    if not no_verify:
        receipt = (
            require_receipt(image, context.folder, file=file)
            if file is not None or receipt_path(context.folder, image.id).is_file()
            else _attached(image, attachments(reference, RECEIPT_TYPE, login=login), reference)
        )
    report = None if receipt is None else report_of(receipt)
    released = Released(
        reference=reference, digest=reference.partition("@")[2], tags=image.tags, image=image, report=report
    )
    return Ready(image=image, receipt=receipt, released=released)


def _attached(image: Image, documents: Sequence[bytes], reference: str) -> dict[str, Any]:
    """The newest receipt for exactly this image that hangs on it."""
    receipts = [json.loads(document) for document in documents]
    mine = [receipt for receipt in receipts if isinstance(receipt, dict) and receipt.get("image") == image.id]
    if not mine:
        raise NotVerifiedError(
            f"no receipt hangs on {reference}, and none is here",
            hint="`mlpack push` attaches it; --receipt FILE names one, --no-verify goes without.",
        )
    return passing(image, max(mine, key=lambda receipt: str(receipt.get("time"))), reference)
