"""Receipts: only a passing one for exactly this image and platform opens the gate."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from mlpack.artifacts.image import Image
from mlpack.artifacts.references import parse_reference, short_digest
from mlpack.artifacts.release import Verified
from mlpack.artifacts.report import Check, Report
from mlpack.errors import NotVerifiedError, UsageError
from mlpack.pipeline.build import tag_text
from mlpack.workspace import Built, Workspace

IMAGE = Image(
    id="sha256:" + "ab" * 32,
    tags=("iris:latest",),
    size=10,
    platform="linux/amd64",
    card={},
    labels={"dev.mlpack.bundle": "sha256:cd"},
)
GOOD = Report(checks=(Check(name="ready", ok=True, seconds=0.5, detail="500 ms"),), cold_start_ms=500.0, image_size=10)


def receipt_of(report: Report, image: Image = IMAGE) -> Verified:
    return Verified(image=image, report=report, mlpack_version="0.1.0", time="2026-01-01T00:00:00+00:00")


def test_a_passing_receipt_opens_the_gate(tmp_path: Path) -> None:
    """What was written is found again by the image's digest, and says what the report said."""
    copy = tmp_path / "elsewhere" / "receipt.json"
    place = Workspace(tmp_path).keep_receipt(receipt_of(GOOD), copy=copy)
    assert place == Workspace(tmp_path).receipt_path(IMAGE.id)
    assert Workspace(tmp_path).receipt(IMAGE).report == GOOD
    assert json.loads(copy.read_text()) == json.loads(place.read_text())
    assert Workspace(tmp_path / "other").receipt(IMAGE, file=copy)


@pytest.mark.parametrize(
    ("report", "image"),
    [
        (Report(checks=(Check(name="ready", ok=False, seconds=1),)), IMAGE),
        (Report(checks=()), IMAGE),
        (GOOD, replace(IMAGE, platform="linux/arm64")),
    ],
)
def test_a_failing_empty_or_foreign_receipt_does_not(tmp_path: Path, report: Report, image: Image) -> None:
    """A failed check, no check at all, or another platform keeps the gate shut."""
    Workspace(tmp_path).keep_receipt(receipt_of(report, image))
    with pytest.raises(NotVerifiedError):
        Workspace(tmp_path).receipt(IMAGE)


def test_another_images_receipt_does_not(tmp_path: Path) -> None:
    """A receipt handed over as a file counts only for its own digest."""
    copy = tmp_path / "r.json"
    Workspace(tmp_path).keep_receipt(receipt_of(GOOD), copy=copy)
    with pytest.raises(NotVerifiedError, match="another image"):
        Workspace(tmp_path).receipt(replace(IMAGE, id="sha256:" + "00" * 32), file=copy)


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"image": 1}', '{"report": "x"}'])
def test_a_broken_receipt_does_not(tmp_path: Path, text: str) -> None:
    """Half a file or another shape is told, never believed, never a traceback."""
    path = Workspace(tmp_path).receipt_path(IMAGE.id)
    path.parent.mkdir(parents=True)
    path.write_text(text)
    with pytest.raises(NotVerifiedError):
        Workspace(tmp_path).receipt(IMAGE)


def test_no_receipt_names_the_command_that_makes_one(tmp_path: Path) -> None:
    """The refusal says what to run."""
    with pytest.raises(NotVerifiedError) as told:
        Workspace(tmp_path).receipt(IMAGE)
    assert "mlpack test iris:latest" in told.value.hint


def test_the_last_image_is_remembered(tmp_path: Path) -> None:
    """`mlpack test` without a name finds what was built last; a broken note is as none."""
    assert Workspace(tmp_path).last_built() is None
    Workspace(tmp_path).note_built(IMAGE, config=None, model=tmp_path / "model.pkl")
    assert Workspace(tmp_path).last_built() == Built(image=IMAGE.id, tags=IMAGE.tags, config=None)
    (tmp_path / ".mlpack" / "last.json").write_text("{")
    assert Workspace(tmp_path).last_built() is None


@pytest.mark.parametrize(
    ("reference", "parts"),
    [
        ("iris", ("iris", None)),
        ("127.0.0.1:5000/iris", ("127.0.0.1:5000/iris", None)),
        ("localhost:5000/a/b:1.0", ("localhost:5000/a/b", "1.0")),
        ("europe-docker.pkg.dev/acme/ml/churn:1.4.0", ("europe-docker.pkg.dev/acme/ml/churn", "1.4.0")),
        ("[::1]:5000/iris:x", ("[::1]:5000/iris", "x")),
    ],
)
def test_references(reference: str, parts: tuple[str, str | None]) -> None:
    """A registry's port is no tag."""
    found = parse_reference(reference)
    assert (found.name, found.tag) == parts


@pytest.mark.parametrize(
    "reference", ["", "https://x/y", "a b", "UPPER", "x:", "x:-a", "x@sha256:00", "-x", "x//y", "x/"]
)
def test_what_is_no_reference(reference: str) -> None:
    """A mistake is a usage error with an example, before anything is pushed."""
    with pytest.raises(UsageError):
        parse_reference(reference)


def test_tags() -> None:
    """A content tag is 12 digits; a version becomes a tag or an error."""
    assert short_digest("sha256:" + "ab" * 32) == "ab" * 6
    assert tag_text("1.4.0+cpu") == "1.4.0_cpu"
    for wrong in ("", ".1", "a b", "x" * 129, "ä"):
        with pytest.raises(UsageError):
            tag_text(wrong)


def test_an_ensembles_receipt_names_the_images_of_its_members(tmp_path: Path) -> None:
    """With another member, the coordinator answers otherwise, so its receipt is of these images alone."""
    members = {"a": "sha256:1", "b": "sha256:2"}
    place = Workspace(tmp_path).keep_receipt(replace(receipt_of(GOOD), members=members))
    assert Workspace(tmp_path).receipt(IMAGE).members == members
    place.write_text(json.dumps(json.loads(place.read_text()) | {"members": 3}))
    with pytest.raises(NotVerifiedError, match="members"):
        Workspace(tmp_path).receipt(IMAGE)
