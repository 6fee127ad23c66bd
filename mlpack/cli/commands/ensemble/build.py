"""`mlpack ensemble build`: build the images of all members and of the coordinator."""

from __future__ import annotations

from mlpack.cli.ensembles import DEFAULT_FILE, Choices, File, Offline, make_assembly
from mlpack.cli.options import AsJson, Engine, Platform, Quiet, Refresh, Trust
from mlpack.cli.output.console import Console


def build(
    file: File = DEFAULT_FILE,
    offline: Offline = False,
    platform: Platform = None,
    trust: Trust = False,
    refresh: Refresh = False,
    engine: Engine = None,
    quiet: Quiet = False,
    json: AsJson = False,
) -> int:
    """Check that the members fit, then build an image of each model and of the coordinator.

    The options of a member's model (entry, include, sample, ...) come from the mlpack.yaml beside it.

    \b
    mlpack ensemble build
    mlpack ensemble build churn/ensemble.yaml --platform linux/amd64
    """
    from mlpack.cli.output.ensembles import built_document
    from mlpack.pipeline.tools import Options

    console = Console(json=json, quiet=quiet)
    choices = Choices(engine=engine, platform=platform, offline=offline)
    built = make_assembly(file, console, choices, options=Options(trust=trust, refresh=refresh)).build()
    console.document(built_document(built))
    console.text(f"Next: mlpack ensemble test {file}")
    console.brief(built.coordinator.tags[0])
    return 0
