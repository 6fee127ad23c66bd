"""h5py: groups, attributes, datasets and what leads to other files."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from tests.fuzz.loaders.groups import Loader

_MOST = 500  # objects
_DEEPEST = 8


def loaders() -> dict[str, Loader]:
    """`h5py` gives attributes by path and name, datasets' shapes by path, and the links out of the file."""
    import h5py

    def read(path: str, request: dict[str, Any]) -> dict[str, Any]:  # noqa: ARG001 - a loader's interface
        visit = _Visit()
        with h5py.File(path, "r", locking=False) as file:
            visit.group(file, "", 0)
        return {"attributes": visit.attributes, "datasets": visit.datasets, "outside": visit.outside}

    return {"h5py": read}


@dataclass(kw_only=True)
class _Visit:
    """What was met in one file."""

    attributes: dict[str, dict[str, Any]] = field(default_factory=dict)
    datasets: dict[str, list[int]] = field(default_factory=dict)
    outside: list[str] = field(default_factory=list)
    seen: set[int] = field(default_factory=set)

    def group(self, group: Any, path: str, depth: int) -> None:
        """A group and all that is in it, each object once."""
        import h5py

        address = h5py.h5o.get_info(group.id).addr
        if depth > _DEEPEST or len(self.seen) > _MOST or address in self.seen:
            return
        self.seen.add(address)
        self.attributes[path] = {_plain(name): _value(group, name) for name in group.attrs}
        for name in group:
            inner = f"{path}/{name}".lstrip("/")
            link = group.get(name, getlink=True)
            if isinstance(link, h5py.ExternalLink):
                self.outside.append(inner)
            if not isinstance(link, h5py.HardLink):
                continue
            one = group[name]
            if isinstance(one, h5py.Dataset):
                self.datasets[inner] = list(one.shape or ())
                self.outside += [inner] if one.external or one.is_virtual else []
            elif isinstance(one, h5py.Group):
                self.group(one, inner, depth + 1)


def _value(group: Any, name: str) -> Any:
    """An attribute's value; None where h5py cannot read it, and so nor can Keras."""
    try:
        return _plain(group.attrs[name])
    except Exception:  # noqa: BLE001 - it raises what it likes
        return None


def _plain(value: Any) -> Any:
    """A value as JSON knows it."""
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if hasattr(value, "tolist"):  # numpy's
        value = value.tolist()
        return [_plain(one) for one in value] if isinstance(value, list) else _plain(value)
    return value if isinstance(value, (str, int, float, bool)) else None
