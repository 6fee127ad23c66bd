"""What `mlpack test --contract` does: serving contracts checked on an image, of ours or of others, or on a URL."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlpack.cli.output.console import Console
from mlpack.errors import CheckFailedError, UsageError

if TYPE_CHECKING:
    from mlpack.artifacts.image import Image
    from mlpack.artifacts.report import Report
    from mlpack.checks.contracts.base import Contract
    from mlpack.cli.wiring import Context

_BUNDLE_LABEL = "dev.mlpack.bundle"


def check_contracts(
    console: Console,
    image: str | None,
    words: str,
    *,
    engine: str,
    config: Path | None,
    request: Any,
    name: str | None,
    port: int | None,
    memory: str,
    junit: Path | None,
) -> int:
    """Checks the contracts named in `words`, separated by commas; 0, or raises CheckFailedError. There is no receipt."""
    from mlpack.checks.conformance import Question, check_image, check_url
    from mlpack.cli.testing import limits_of, show_check, write_junit
    from mlpack.cli.wiring import make_context, remembered_config

    contracts = _named(words)
    if engine == "process":
        raise UsageError(
            "--contract asks an image or a URL",
            hint="`mlpack run --engine process MODEL` serves it; give its URL here.",
        )
    question = Question(request=request, name=name)
    if image is not None and image.startswith(("http://", "https://")):
        console.text(f"Asking {image}: {', '.join(one.name for one in contracts)}")
        report, log = check_url(image, contracts, question, lambda check: show_check(console, check)), ""
    else:
        context = make_context(
            None, console=console, config=config or (remembered_config() if image is None else None), engine=engine
        )
        found, card = _image(context, image)
        console.text(
            f"Starting {found.tags[0] if found.tags else found.id}: {', '.join(one.name for one in contracts)}"
        )
        limits = limits_of(memory)
        if card is None:  # nobody knows what an image of others needs: its own user, files and rights
            limits = replace(limits, user="", read_only=False, tmp_bytes=0, capabilities=True, pids=None)
        report, log = check_image(
            found,
            contracts,
            replace(question, card=card),
            runner=context.engine,
            limits=limits,
            port=port,
            on_check=lambda check: show_check(console, check),
        )
    if junit is not None:
        write_junit(report, junit)
    return _conclude(console, report, log, contracts)


def _named(words: str) -> list[Contract]:
    from mlpack.checks.contracts import CONTRACTS, contract

    names = list(dict.fromkeys(word.strip().lower() for word in words.split(",") if word.strip()))
    unknown = [name for name in names if name not in CONTRACTS]
    if unknown or not names:
        told = f"no contract {', '.join(unknown)}" if unknown else "--contract names none"
        raise UsageError(told, hint=f"There are {', '.join(CONTRACTS)}; several are separated by commas.")
    return [contract(name) for name in names]


def _image(context: Context, reference: str | None) -> tuple[Image, dict[str, Any] | None]:
    """The image and its card; no card where mlpack did not build it."""
    from mlpack.cli.wiring import no_image

    if reference is None:
        found = context.image(None)
        return found, found.card
    other = context.engine.find(reference)
    if other is None:
        raise no_image(reference)
    return other, context.engine.card(other.id) if _BUNDLE_LABEL in other.labels else None


def _conclude(console: Console, report: Report, log: str, contracts: list[Contract]) -> int:
    names = [one.name for one in contracts]
    document = {"ok": report.ok, "contracts": names, "checks": [check.to_json() for check in report.checks]}
    failed = [check for check in report.checks if not check.ok]
    if not failed:
        console.document(document)
        rows = [("contracts", ", ".join(names)), ("checks", f"{len(report.checks)} passed")]
        console.table(rows, styles=("bold", ""))
        return 0
    error = CheckFailedError(
        f"{len(failed)} of {len(report.checks)} checks failed: {', '.join(check.name for check in failed)}",
        hint=next((check.hint for check in failed if check.hint), "docs/serving.md says what each contract answers."),
        detail=f"the container's log:\n{log[-6000:]}" if log else "",
    )
    error.document = document
    raise error
