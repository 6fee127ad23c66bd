"""h5py: groups, attributes, datasets and what leads to other files."""

from __future__ import annotations

from typing import Any

from tests.fuzz.loaders.groups import Loader

_MOST = 500  # objects
_DEEPEST = 8


def loaders() -> dict[str, Loader]:
    """`h5py` gives attributes by path and name, datasets' shapes by path, and the links out of the file."""
    import h5py
    import numpy as np

    def plain(value: Any) -> Any:
        """A value as JSON knows it."""
        if isinstance(value, bytes):
            return value.decode("utf-8", "replace")
        if isinstance(value, np.ndarray):
            return [plain(one) for one in value.tolist()] if value.ndim else plain(value.item())
        if isinstance(value, np.generic):
            return plain(value.item())
        return value if isinstance(value, (str, int, float, bool)) else None

    def read(path: str, request: dict[str, Any]) -> dict[str, Any]:  # noqa: ARG001 - a loader's interface
        found: dict[str, Any] = {"attributes": {}, "datasets": {}, "outside": []}
        with h5py.File(path, "r", locking=False) as file:
            _visit(file, "", found, 0, set())
        return found

    def _visit(group: Any, path: str, found: dict[str, Any], depth: int, seen: set[int]) -> None:
        address = h5py.h5o.get_info(group.id).addr
        if depth > _DEEPEST or len(seen) > _MOST or address in seen:
            return
        seen.add(address)
        found["attributes"][path] = attributes = {}
        for name in group.attrs:
            try:
                attributes[name] = plain(group.attrs[name])
            except Exception:  # noqa: BLE001, S112 - h5py cannot read it, nor can Keras
                continue
        for name in group:
            inner = f"{path}/{name}".lstrip("/")
            link = group.get(name, getlink=True)
            if isinstance(link, h5py.ExternalLink):
                found["outside"].append(inner)
            if not isinstance(link, h5py.HardLink):
                continue
            one = group[name]
            if isinstance(one, h5py.Dataset):
                found["datasets"][inner] = list(one.shape or ())
                if one.external or one.is_virtual:
                    found["outside"].append(inner)
            elif isinstance(one, h5py.Group):
                _visit(one, inner, found, depth + 1, seen)

    return {"h5py": read}
