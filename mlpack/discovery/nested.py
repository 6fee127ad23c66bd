"""Find models inside a folder or an archive: inspect its folders and files with every format."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory

from mlpack.artifacts.model import ModelInfo
from mlpack.artifacts.notice import beside_model
from mlpack.errors import MlpackError
from mlpack.formats.base import Format
from mlpack.readers.archives.trees import Tree
from mlpack.readers.archives.zips import MAGICS as ZIP
from mlpack.readers.limits import Budget, CutOffError
from mlpack.readers.paths import HEAD, shown
from mlpack.readers.pickles.files import SUFFIXES as PICKLES
from mlpack.readers.streams import COMPRESSED_SUFFIXES, compression_of

_DEPTH = 3
_MOST_FOLDERS = 200
_MOST_FILES = 40
_LONGEST_NAME = 200
_MOST_SHOWN = 5
_NOTHING = ("__MACOSX/", ".ipynb_checkpoints/")  # what systems and tools add to archives


@dataclass(frozen=True, kw_only=True)
class Inside:
    """A model in a tree: the name of its folder or file below the root, and its info, or the error of its inspection."""

    name: str
    info: ModelInfo | None = None
    error: MlpackError | None = None


def folders_inside(tree: Tree, inspect: Callable[[Tree, str], ModelInfo | None]) -> list[Inside]:
    """The folders that are models, outermost first; folders inside a model are not inspected.

    `inspect` gets the folder's tree and its name.
    """
    found: list[Inside] = []
    for folder in _folders(tree):
        if any(folder.startswith(f"{one.name}/") for one in found):
            continue
        try:
            info = inspect(tree.below(folder), folder)
        except MlpackError as error:
            found.append(Inside(name=folder, error=error))
        else:
            if info is not None:
                found.append(Inside(name=folder, info=info))
    return found


def files_inside(
    tree: Tree,
    inspect: Callable[[Tree, str, int, bytes], ModelInfo | None],
    *,
    formats: Sequence[Format],
    folders: Sequence[Inside] = (),
) -> list[Inside]:
    """The files that are models, without those inside `folders`. `inspect` gets tree, name, size and first bytes.

    The content of one compressed file is inspected whatever its name, and files without a suffix too (SageMaker's
    containers write such names).
    """
    loose = [name for name in tree.names if not any(name.startswith(f"{one.name}/") for one in folders)]
    suffixes = {name: PurePosixPath(name).suffix.lower() for name in loose}
    known = {*PICKLES, *COMPRESSED_SUFFIXES}
    known.update(suffix for one in formats for suffix in (*one.suffixes, *one.suffixes_in_archives))
    likely = [name for name in loose if tree.container == "packed" or suffixes[name] in known]
    likely += [name for name in loose if not suffixes[name] and name not in likely]
    inspected = (_inspected(tree, name, inspect) for name in likely[:_MOST_FILES])
    return [one for one in inspected if one is not None]


def may_hold_pickles(name: str, head: bytes) -> bool:
    """Whether a file may hold pickles, by its name or first bytes: a pickle, a compressed file or an archive."""
    if PurePosixPath(name).suffix.lower() in PICKLES:
        return True
    return head[:1] == b"\x80" or head[:4] in ZIP or compression_of(head) is not None


def without_the_rest(archive: Path, tree: Tree, inside: Sequence[Inside], chosen: ModelInfo) -> ModelInfo:
    """The chosen model of an archive, with a notice if there is code or another object beside it, such as a handler."""
    packed = chosen.packed or ""
    # the model itself, or the folder that is the model, of which the file is a part
    own = {packed, *(one.name for one in inside if packed.startswith(f"{one.name}/"))}
    apart = (*(f"{name}/" for name in own), *_NOTHING)
    loose = [name for name in tree.names if name not in own and not name.startswith(apart)]
    code = [name for name in loose if name.endswith((".py", ".ipynb"))]
    others = [one.name for one in inside if one.info is not None and one.name not in own]
    if not packed or not (code or others):
        return chosen
    code, others = _some(code), _some(others)
    notice = beside_model(shown(archive), ascii(packed)[1:-1], code, others)
    return replace(chosen, notices=(*chosen.notices, notice), details={**chosen.details, "beside": [*code, *others]})


def _some(names: Sequence[str]) -> list[str]:
    """The first names, escaped for output."""
    more = [f"and {len(names) - _MOST_SHOWN} more"] if len(names) > _MOST_SHOWN else []
    return [*(ascii(name)[1:-1] for name in names[:_MOST_SHOWN]), *more]


@contextmanager
def copied(tree: Tree, name: str, budget: Budget) -> Iterator[Path]:
    """Extract a member to a temporary file for random access; raises CutOffError for a decompression bomb."""
    last = PurePosixPath(name).name
    with TemporaryDirectory(prefix="mlpack-") as folder:
        path = Path(folder) / (last if last.isprintable() and len(last.encode()) < _LONGEST_NAME else "model")
        with path.open("wb") as file:
            for chunk in tree.stream(name):
                budget.spend_output(len(chunk))
                file.write(chunk)
        yield path


def _inspected(tree: Tree, name: str, inspect: Callable[[Tree, str, int, bytes], ModelInfo | None]) -> Inside | None:
    try:
        info = inspect(tree, name, tree.sizes[name], tree.read(name, HEAD))
    except CutOffError:
        return None  # reported with the archive, if no format recognises it
    except MlpackError as error:
        return Inside(name=name, error=error)
    return None if info is None else Inside(name=name, info=info)


def _folders(tree: Tree) -> Iterator[str]:
    """The folders of the tree down to depth three, outermost first, sorted."""
    seen: set[str] = set()
    for name in tree.names:
        parts = name.split("/")[:-1][:_DEPTH]
        seen.update("/".join(parts[:count]) for count in range(1, len(parts) + 1))
    yield from sorted(seen, key=lambda folder: (folder.count("/"), folder))[:_MOST_FOLDERS]
