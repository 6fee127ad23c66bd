"""Distribution: facts about a distribution that its metadata lack; the model formats declare most of them."""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True, kw_only=True)
class Distribution:
    """Facts about the distribution `name` (normalised) that are not in its metadata.

    `cpu` is the distribution of the same versions without CUDA, `gpu` the requirement that installs CUDA ("" for none).
    `cpu_index` is an index of CPU builds whose versions end in `+cpu`; it is used when the user's sources have none.
    `companions` are distributions that are compiled against it: they are loadable only from the same build (`+cpu` with
    `+cpu`), which their metadata do not say. `same_series` are distributions that work only with the release series of their
    own number (2.15 with 2.15); their metadata name `name`, which is excluded when `cpu` replaces it.
    `needless` are its requirements that a CPU build never loads. `bounds` are (release, constraint): releases before that
    one cannot be imported without the constraint. `system_libraries` are Debian packages with libraries that it loads by
    their names at run time; those that its files are linked to are found in the files.

    Serving never loads the following, so the image leaves them out (`build.slim`): the test folders of its top-level packages
    `test_folders`, `unused_files` (files and folders as patterns of the shell, relative to the folder of the packages),
    `unused_since`, which are (release, such a pattern) for that release and later ones, and
    `unused_requirements`, which are not installed unless the model or the user names them. `gpu_code` are shared objects that
    hold code for GPUs too, in releases without a build for CPUs. `strip` are shared objects, and folders of them, that have
    large symbol tables or debug information.
    """

    name: str
    cpu: str = ""
    gpu: str = ""
    cpu_index: str = ""
    companions: tuple[str, ...] = ()
    same_series: tuple[str, ...] = ()
    needless: tuple[str, ...] = ()
    bounds: tuple[tuple[str, str], ...] = ()
    system_libraries: tuple[str, ...] = ()
    test_folders: tuple[str, ...] = ()
    unused_files: tuple[str, ...] = ()
    unused_since: tuple[tuple[str, str], ...] = ()
    unused_requirements: tuple[str, ...] = ()
    gpu_code: tuple[str, ...] = ()
    strip: tuple[str, ...] = ()

    @property
    def complete(self) -> Distribution:
        """The same, with nothing left out of the image."""
        return replace(
            self, test_folders=(), unused_files=(), unused_since=(), unused_requirements=(), gpu_code=(), strip=()
        )

    @property
    def cpu_pages(self) -> dict[str, str]:
        """The pages of `cpu_index` that list this distribution and its companions, by name; empty without an index."""
        return {name: f"{self.cpu_index}/{name}/" for name in (self.name, *self.companions)} if self.cpu_index else {}


# What the serving runtime needs itself, in every image or in a coordinator's, with the packages that these need.
COMMON = (
    Distribution(name="aiohappyeyeballs"),
    Distribution(
        name="aiohttp", unused_files=("aiohttp/*.p[xy][dix]", "aiohttp/_websocket/*.p[xy][dix]"), strip=("aiohttp",)
    ),
    Distribution(name="aiosignal"),
    Distribution(name="async-timeout"),
    Distribution(name="attrs"),
    Distribution(name="frozenlist", strip=("frozenlist",)),
    Distribution(name="httptools", strip=("httptools",)),
    Distribution(name="idna"),
    Distribution(name="multidict", unused_files=("multidict/_testcapi.*.so",), strip=("multidict",)),
    Distribution(
        name="numpy",
        unused_files=(
            # tests, but not their folders: numpy.testing of 2.2.6 imports numpy._core.tests._natype
            "numpy/tests", "numpy/*/tests/test_*", "numpy/*/tests/data", "numpy/*/tests/examples", "numpy/*/tests/src",
            # for compilers and type checkers
            "numpy/*.pyi", "numpy/*/*.pyi", "numpy/*/*/*.pyi", "numpy/*.pxd", "numpy/random/*.pxd",
            "numpy/*core/include", "numpy/*core/lib", "numpy/random/lib", "numpy/f2py/src",
        ),
        # numpy.ctypeslib imported the first one before, and numpy itself the others, which are for its tests. Always needed is
        # numpy.f2py: `from numpy import *` imports it.
        unused_since=(
            ("2.0", "numpy/distutils"), ("2.1", "numpy/_core/_simd.*.so"), ("2.1", "numpy/_core/_*_tests.*.so"),
        ),
        strip=("numpy", "numpy.libs"),
    ),
    Distribution(name="propcache", strip=("propcache",)),
    Distribution(name="typing-extensions"),
    Distribution(
        name="uvloop",
        unused_files=("uvloop/*.p[xy][dix]", "uvloop/*/*.p[xy][dix]"),
        strip=("uvloop",),  # 12.0 of 14.1 MB in 0.23
    ),
    Distribution(name="yarl", strip=("yarl",)),
)  # fmt: skip
