"""Which source packages a build needs, and what the user can do about them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.version import InvalidVersion

from mlpack.errors import ResolveError
from mlpack.packages.index import query_all
from mlpack.packages.index.pages import IndexFile
from mlpack.packages.pythons import PREFERRED
from mlpack.packages.sdists.stubs import source_of
from mlpack.packages.settings import PackageSettings
from mlpack.packages.wheels import parse_wheel


class SourceOnlyError(ResolveError):
    """Packages exist only as source packages; `names` are those that the user must allow to be built."""

    def __init__(self, names: Collection[str], *, detail: str = "") -> None:
        self.names = tuple(sorted(names))
        listed = ", ".join(self.names)
        super().__init__(
            f"no wheel exists of {listed}, only a source package; mlpack installs only wheels",
            hint=f"`build: {{sdists: [{listed}]}}` in mlpack.yaml builds the wheel in a stage of the image's build. That runs "
            "the package's setup code there, as a user without permissions and without logins of an index. Or build it "
            f"yourself (`pip wheel --no-deps -w wheels {' '.join(self.names)}`), and name the folder in PIP_FIND_LINKS.",
            detail=detail,
        )


def source_only(wheelless: Mapping[str, str], platform: str, settings: PackageSettings) -> frozenset[str]:
    """Those of the distributions whose versions ("==4.9.3", "" for all) have a source package and no wheel for the platform."""
    offered = query_all(wheelless, settings)
    return frozenset(name for name, versions in wheelless.items() if _is_source(offered[name], versions, platform))


def pinned_sources(
    pins: Mapping[str, str], files: Mapping[str, tuple[IndexFile, ...]], platform: str
) -> frozenset[str]:
    """The pinned distributions whose version has a source package and no wheel for the platform."""
    return frozenset(name for name, version in pins.items() if _is_source(files[name], f"=={version}", platform))


def _is_source(files: Iterable[IndexFile], versions: str, platform: str) -> bool:
    found = False
    for file in files:
        wheel, source = parse_wheel(file.filename), source_of(file)
        if wheel is not None and wheel.fits_platform(PREFERRED, platform) and _admits(versions, wheel.version):
            return False
        found = found or (source is not None and not file.yanked and _admits(versions, source[1]))
    return found


def _admits(versions: str, version: str) -> bool:
    try:
        return SpecifierSet(versions, prereleases=True).contains(version)
    except (InvalidSpecifier, InvalidVersion):
        return False
