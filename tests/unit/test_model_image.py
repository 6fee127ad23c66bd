"""A large model apart from its bundle: which Dockerfiles allow it, and how much room a build asks for."""

from pathlib import Path

import pytest

from mlpack.artifacts.bundle_file import BundleFile
from mlpack.engines.docker.disk_space import free_at, needed, require_room
from mlpack.engines.docker.model_image import THRESHOLD, model_reference, parted, taken_from
from mlpack.errors import DiskFullError

DOCKERFILE = "FROM base\n# COPY . is not meant\nCOPY mlpack/ model.json /app/\nCOPY model/ /app/model/\nCOPY --from=deps /model/ /x\n"


def files(size: int, dockerfile: str = DOCKERFILE) -> tuple[BundleFile, ...]:
    """A bundle's files with a model of so many bytes, which nobody reads."""
    return (
        BundleFile(name="Dockerfile", size=len(dockerfile), sha256="d", content=dockerfile.encode()),
        BundleFile(name="model.json", size=2, sha256="c", content=b"{}"),
        BundleFile(name="model/m.pkl", size=size, sha256="m", source=Path("m.pkl")),
    )


def test_a_large_model_is_taken_from_an_image_of_its_own() -> None:
    """The one line that copies the model names the model's image; all else stays, and the model is not sent with it."""
    rest, model = parted("Dockerfile", files(THRESHOLD))
    assert [file.name for file in model] == ["model/m.pkl"]
    assert [file.name for file in rest] == ["Dockerfile", "model.json"]
    text = (rest[0].content or b"").decode()
    assert text == DOCKERFILE.replace("COPY model/", f"COPY --from={model_reference(model)} /model/")
    assert rest[0].size == len(text)


def test_a_small_model_stays_in_the_bundle() -> None:
    """Below the threshold nothing changes."""
    assert parted("Dockerfile", files(THRESHOLD - 1)) == (files(THRESHOLD - 1), ())


def test_the_image_is_named_by_the_content() -> None:
    """Other bytes or another file name are another image; the same are the same, wherever the file lies."""
    (one,) = files(THRESHOLD)[2:]
    moved = BundleFile(name=one.name, size=one.size, sha256=one.sha256, source=Path("elsewhere.pkl"))
    assert model_reference([one]) == model_reference([moved])
    others = [BundleFile(name=one.name, size=1, sha256="n"), BundleFile(name="model/n.pkl", size=1, sha256="m")]
    assert len({model_reference([one]), *(model_reference([other]) for other in others)}) == 3


@pytest.mark.parametrize(
    "line",
    [
        "COPY . /app", "COPY ./ /app", "ADD model /app/", "COPY model/m.pkl /app/", "COPY ./model/m.pkl /app/",
        "COPY mod* /app/", "COPY a model /app/", 'COPY ["model", "/app"]', "COPY a \\\n  model/ /app/", "copy $WHAT /app",
        "RUN --mount=type=bind,target=/x true", "RUN --mount=type=bind,source=model,target=/x true",
    ],
)  # fmt: skip
def test_a_dockerfile_that_wants_the_model_otherwise_gets_it_all(line: str) -> None:
    """A user's own Dockerfile may use the model's folder as it likes: then the whole bundle is sent."""
    assert taken_from(f"{DOCKERFILE}{line}\n", "mlpack-model:1") is None
    assert taken_from(f"FROM base\n{line}\n", "mlpack-model:1") is None


@pytest.mark.parametrize(
    "line",
    [
        "RUN --mount=type=cache,target=/x true", "RUN --mount=type=bind,source=build,target=/x true",
        "RUN --mount=type=bind,from=deps,target=/x true", "COPY --chown=1:1 loader.py /app/", 'LABEL a="COPY model/ here"',
    ],
)  # fmt: skip
def test_other_lines_do_not_matter(line: str) -> None:
    """What does not touch the model's folder does not hinder."""
    assert "--from=mlpack-model:1 /model/ /app/model/" in (taken_from(f"{DOCKERFILE}{line}\n", "mlpack-model:1") or "")


def test_flags_of_the_copy_stay() -> None:
    """An owner that the user's Dockerfile gives the model is kept."""
    found = taken_from("FROM base\nCOPY --chown=7:7 model /m/\n", "mlpack-model:1")
    assert found == "FROM base\nCOPY --chown=7:7 --from=mlpack-model:1 /model/ /m/\n"


def test_room_is_asked_for_before_anything_is_sent() -> None:
    """Two and a half times the model and an environment; once the engine has the model, one time less."""
    gigabyte = 10**9
    need = needed(2 * gigabyte)
    assert need >= 5 * gigabyte
    assert needed(2 * gigabyte, there=True) == need - 2 * gigabyte
    require_room(need, need, "/somewhere")
    require_room(need, None, "/somewhere")
    with pytest.raises(DiskFullError, match=r"4\.9 GB free at /somewhere.* needs about 5\.5 GB") as told:
        require_room(need, 4_900_000_000, "/somewhere")
    assert "mlpack clean" in told.value.hint
    assert told.value.exit == 5


def test_free_room_is_known_of_folders_here(tmp_path: Path) -> None:
    """An engine elsewhere has its disk elsewhere: nothing is known of it."""
    assert (free_at(tmp_path) or 0) > 0
    assert free_at(tmp_path / "not here") is None
    assert free_at(None) is None
