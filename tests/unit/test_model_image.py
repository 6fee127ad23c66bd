"""A large model apart from its bundle: its image, the Dockerfile that copies it, and how much room a build needs."""

from dataclasses import replace
from pathlib import Path

import pytest

from mlpack.artifacts.bundle import Bundle
from mlpack.artifacts.bundle_file import BundleFile
from mlpack.engines.docker.buildkit import free_space, require_space, space_needed
from mlpack.engines.docker.model_image import THRESHOLD, model_reference, parted
from mlpack.errors import DiskFullError
from tests.unit.locks import make_lock, render_lock


def bundle_with(folder: Path, size: int) -> Bundle:
    """A rendered bundle whose model says that it has so many bytes; nobody reads them."""
    path = folder / "model.pkl"
    path.write_bytes(b"\x80\x04N.")
    bundle = render_lock(make_lock(path))
    files = (replace(file, size=size) if file.name.startswith("model/") else file for file in bundle.files)
    return replace(bundle, files=tuple(files))


@pytest.mark.parametrize("name", ["Dockerfile", "Dockerfile.classic"])
def test_a_large_model_is_copied_from_an_image_of_its_own(tmp_path: Path, name: str) -> None:
    """The one line that copies the model names the model's image; all else stays, and the model is not sent with it."""
    bundle = bundle_with(tmp_path, THRESHOLD)
    rest, model = parted(bundle.plan, bundle.files, name)
    assert [file.name for file in model] == ["model/model.pkl"]
    assert {file.name for file in bundle.files} == {file.name for file in rest} | {"model/model.pkl"}
    before, after = (
        (next(file for file in files if file.name == name).content or b"").decode() for files in (bundle.files, rest)
    )
    assert after == before.replace("COPY model/ ", f"COPY --from={model_reference(model)} /model/ ") != before
    changed = next(file for file in rest if file.name == name)
    assert changed.size == len(after)


def test_a_small_model_stays_in_the_bundle(tmp_path: Path) -> None:
    """Below the threshold nothing changes."""
    bundle = bundle_with(tmp_path, THRESHOLD - 1)
    assert parted(bundle.plan, bundle.files, "Dockerfile") == (bundle.files, ())


def test_a_dockerfile_of_the_users_own_gets_the_whole_bundle(tmp_path: Path) -> None:
    """It may use the model's folder in any way, which nothing reads out of it."""
    bundle = bundle_with(tmp_path, THRESHOLD)
    assert parted(None, bundle.files, "Dockerfile") == (bundle.files, ())


def test_the_image_is_named_by_the_content() -> None:
    """Other bytes or another file name are another image; the same are the same, wherever the file lies."""
    one = BundleFile(name="model/m.pkl", size=THRESHOLD, sha256="m", source=Path("m.pkl"))
    moved = replace(one, source=Path("elsewhere.pkl"))
    assert model_reference([one]) == model_reference([moved])
    others = [replace(one, size=1, sha256="n"), replace(one, name="model/n.pkl")]
    assert len({model_reference([one]), *(model_reference([other]) for other in others)}) == 3


def test_room_is_asked_for_before_anything_is_sent() -> None:
    """Two and a half times the model and an environment; once the engine has the model, one time less."""
    gigabyte = 10**9
    need = space_needed(2 * gigabyte)
    assert need >= 5 * gigabyte
    assert space_needed(2 * gigabyte, known=True) == need - 2 * gigabyte
    require_space(need, need, "/somewhere")
    require_space(need, None, "/somewhere")
    with pytest.raises(DiskFullError, match=r"4\.9 GB free at /somewhere.* needs about 5\.5 GB") as told:
        require_space(need, 4_900_000_000, "/somewhere")
    assert "mlpack clean" in told.value.hint
    assert told.value.exit == 5


def test_free_room_is_known_of_folders_here(tmp_path: Path) -> None:
    """An engine elsewhere has its disk elsewhere: nothing is known of it."""
    assert (free_space(tmp_path) or 0) > 0
    assert free_space(tmp_path / "not here") is None
    assert free_space(None) is None
