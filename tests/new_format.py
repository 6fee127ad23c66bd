"""The package of docs/new-format.md, written down as pip installs it."""

from __future__ import annotations

import re
from pathlib import Path

from mlpack.packages.settings.toml import load_toml

PAGE = Path(__file__).parents[1] / "docs" / "new-format.md"
CARD = "SCORECARD\nlink logistic\nage 0.5\nincome -0.25\n"


def install(folder: Path) -> None:
    """Write the files that the page shows, and the package's metadata, into a folder that is then put on `sys.path`."""
    shown = re.findall(r"^`([\w/]+\.\w+)`:\n\n```\w+\n(.*?)^```", PAGE.read_text(), flags=re.MULTILINE | re.DOTALL)
    files = dict(shown)
    assert len(files) == 4
    project = load_toml(files.pop("pyproject.toml"))["project"]
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    info = folder / f"{project['name']}-{project['version']}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n")
    points = "".join(
        f"[{group}]\n" + "".join(f"{name} = {value}\n" for name, value in entries.items())
        for group, entries in project["entry-points"].items()
    )
    (info / "entry_points.txt").write_text(points)
