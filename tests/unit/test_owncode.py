"""Own code beside a model: what of a pickle's needs it covers, what goes along, and how what is missing is told."""

from __future__ import annotations

import ast
import json
import os
from dataclasses import replace
from pathlib import Path

import pytest

from mlpack.artifacts.model import Finding, ModelInfo, Requirement, Safety
from mlpack.artifacts.prepared import UserCode
from mlpack.errors import ConfigError, MissingCodeError, MissingPackageError, UnsafeModelError
from mlpack.pipeline.prepare import PrepareOptions, prepare
from mlpack.usercode.coverage import Coverage, find_coverage
from tests.unit.locks import make_lock

CLEANER = "class Cleaner:\n    def transform(self, X):\n        return X\n"
SCRIPT = '''"""How churn was trained."""
import re
import matplotlib.pyplot as plt
import pandas as pd
from sklearn.base import BaseEstimator
from sklearn.pipeline import Pipeline

WORD = re.compile(r"\\w+")
STOP = {"the"}
STOP.add("a")
UNUSED = pd.read_csv("train.csv")


def normal(text):
    return [word for word in WORD.findall(text) if word not in STOP]


class Cleaner(BaseEstimator):
    def transform(self, X: "pd.DataFrame"):
        return X.map(normal)


df = pd.read_csv("train.csv")
print(df)
pipe = Pipeline([("clean", Cleaner())]).fit(df)
'''


def info_needing(model: Path, *callables: str, requirements: tuple[str, ...] = ("scikit-learn",)) -> ModelInfo:
    """What inspect says of a pickle that looks up these names."""
    return ModelInfo(
        path=model,
        format="sklearn",
        framework="scikit-learn",
        framework_version="1.9.1",
        root_class="sklearn.pipeline.Pipeline",
        task=None,
        signatures=(),
        safety=Safety(
            verdict="unknown", findings=tuple(Finding(callable=one, why="", verdict="unknown") for one in callables)
        ),
        size=1,
        requirements=tuple(Requirement(module=one, distribution=one) for one in requirements),
        missing_modules=tuple({one.partition(".")[0] for one in callables}),
    )


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder, with a model in it."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "churn.pkl").write_bytes(b"\x80\x04N.")
    return tmp_path


def written(folder: Path, **files: str) -> None:
    for name, text in files.items():
        path = folder / (name.replace("__", "/") + ".py").replace("/init.py", "/__init__.py")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def coverage_of(folder: Path, *callables: str, include: tuple[str, ...] = (), **more: object) -> Coverage:
    info = info_needing(folder / "churn.pkl", *callables)
    paths = tuple(folder / one for one in include)
    outcome = find_coverage(info, include=paths, cwd=folder, **more)  # type: ignore[arg-type]  # the test names real parameters
    if outcome.needs:
        raise outcome.needs[0].error
    return outcome


def code_of(outcome: Coverage) -> UserCode:
    assert outcome.code is not None
    return outcome.code


def text_of(code: UserCode, name: str) -> str:
    file = next(one for one in code.files if one.name == name)
    content = file.content if file.content is not None else file.source and file.source.read_bytes()
    assert content
    assert len(content) == file.size
    return content.decode()


# what is covered -------------------------------------------------------------------------------------


def test_a_class_of_main_is_found_in_an_included_file(folder: Path) -> None:
    """`__main__.Cleaner` is bound from clean.py, which goes along as it is; nothing is left that asks for --trust."""
    written(folder, clean=CLEANER)
    outcome = coverage_of(folder, "__main__.Cleaner", include=("clean.py",))
    code = code_of(outcome)
    assert (dict(code.main), outcome.open, outcome.info.missing_modules) == ({"Cleaner": "clean"}, (), ())
    assert text_of(code, "code/clean.py") == CLEANER
    assert "your own code" in outcome.info.safety.findings[0].why
    assert code.notes == ()


@pytest.mark.parametrize("name", ["clean.Cleaner", "src.clean.Cleaner"])
def test_a_folder_is_found_by_its_files_and_by_its_own_name(folder: Path, name: str) -> None:
    """What `src/` holds is importable as `clean` (src on the path) and as `src.clean` (run from the project's root)."""
    written(folder, src__clean=CLEANER)
    code = code_of(coverage_of(folder, name, include=("src",)))
    assert code.paths == ("code", "code/src")
    assert [file.name for file in code.files] == ["code/src/clean.py"]


def test_a_package_keeps_its_name_and_its_reexports_are_followed(folder: Path) -> None:
    """`pkg.Cleaner`, which pkg/__init__.py takes from pkg/inner/clean.py, is covered; so is a star import."""
    written(
        folder,
        pkg__init="from .inner import *\n",
        pkg__inner__init="from .clean import Cleaner\n",
        pkg__inner__clean=CLEANER,
    )
    outcome = coverage_of(folder, "pkg.Cleaner", "pkg.inner.clean.Cleaner.Nested", include=("pkg",))
    assert (code_of(outcome).paths, outcome.open) == (("code",), ())


def test_what_cannot_be_read_is_not_called_missing(folder: Path) -> None:
    """A module that makes its names at run time may have any."""
    written(folder, made="def __getattr__(name):\n    return object\n")
    assert coverage_of(folder, "made.Cleaner", include=("made.py",)).open == ()


def test_requirements_are_the_users_word_for_packages(folder: Path) -> None:
    """A package that `requirements:` names may be loaded; a name of scikit-learn that is on no list still asks for --trust."""
    requirements = ("tslearn", "scikit-learn==1.9.1", "acme-tools")
    names = ("tslearn.svm.TimeSeriesSVC", "sklearn.base.Surprise", "acme_tools.Thing", "functools.wraps")
    outcome = coverage_of(folder, *names, requirements=requirements)
    assert outcome.open == ("sklearn.base.Surprise", "functools.wraps")
    assert coverage_of(folder, "tslearn.svm.TimeSeriesSVC").open == ("tslearn.svm.TimeSeriesSVC",)


def test_code_by_value_is_never_covered(folder: Path) -> None:
    """Neither an include nor a requirement vouches for code that the file itself carries."""
    written(folder, clean=CLEANER)
    name = "cloudpickle.cloudpickle._make_function"
    outcome = coverage_of(folder, "__main__.Cleaner", name, include=("clean.py",), requirements=("cloudpickle",))
    assert outcome.open == (name,)


def test_a_bound_method_is_as_harmless_as_its_class(folder: Path) -> None:
    """A method held of an own object asks for --trust only while the class is not included."""
    written(folder, clean=CLEANER)
    names = ("__main__.Cleaner", "builtins.getattr")
    assert coverage_of(folder, *names, include=("clean.py",)).open == ()
    assert coverage_of(folder, "builtins.getattr").open == ("builtins.getattr",)


# scripts and notebooks -------------------------------------------------------------------------------


def test_of_a_script_only_what_is_needed_goes_along(folder: Path) -> None:
    """Training code, plots and data at the top level stay behind; constants and functions that the class uses come along."""
    written(folder, train=SCRIPT)
    outcome = coverage_of(folder, "__main__.Cleaner", include=("train.py",))
    text = text_of(code_of(outcome), "code/train.py")
    assert "train.csv" not in text
    assert "matplotlib" not in text
    assert "Pipeline" not in text
    bound: dict[str, object] = {"__name__": "train"}
    exec(
        compile(text.replace("from sklearn.base import BaseEstimator", "BaseEstimator = object"), "train", "exec"),
        bound,
    )
    assert bound["normal"]("the Cat a dog") == ["Cat", "dog"]  # type: ignore[operator]  # it is the script's function
    assert any("train.py: only the definitions of Cleaner are included" in note for note in code_of(outcome).notes)
    assert "matplotlib" not in [one.distribution for one in outcome.info.requirements]


def test_computed_constants_that_a_class_needs_are_told(folder: Path) -> None:
    """What the class uses and the script computes runs in the container at every start: said with its line."""
    written(
        folder,
        train="import pandas as pd\nMEAN = pd.read_csv('t.csv').mean()\nclass C:\n    def f(self):\n        return MEAN\n",
    )
    code = code_of(coverage_of(folder, "__main__.C", include=("train.py",)))
    assert any("train.py:2 is needed for them and runs at every start" in note for note in code.notes)
    assert "read_csv" in text_of(code, "code/train.py")


def test_what_stands_under_the_main_guard_counts(folder: Path) -> None:
    """A constant that the script set under `if __name__ == "__main__"` was there when the model was made."""
    text = 'class C:\n    def f(self):\n        return LIMIT\n\nif __name__ == "__main__":\n    LIMIT = 3\n    print(LIMIT)\nprint(1)\n'
    written(folder, train=text)
    text = text_of(code_of(coverage_of(folder, "__main__.C", include=("train.py",))), "code/train.py")
    assert "LIMIT = 3" in text
    assert "print" not in text


def notebook(path: Path, *cells: str) -> None:
    made = [
        {"cell_type": "code", "source": cell.splitlines(keepends=True), "outputs": [], "metadata": {}} for cell in cells
    ]
    text = {"cell_type": "markdown", "source": "class NotCode: pass", "metadata": {}}
    path.write_text(json.dumps({"cells": [text, *made], "nbformat": 4, "nbformat_minor": 5, "metadata": {}}))


def test_a_notebooks_definitions_are_taken(folder: Path) -> None:
    """Of an .ipynb the cells that define the class go along as a module; magics, shell lines and other languages do not."""
    path = folder / "01 Churn (final).ipynb"
    notebook(
        path,
        "%matplotlib inline\n!pip install unidecode\nimport numpy as np\nimport seaborn as sns",
        "%%bash\nrm -rf /",
        "%%time\nclass Cleaner:\n    def transform(self, X):\n        return np.log1p(X)",
        "files = !ls\nCleaner?\nmodel = Cleaner().fit(X)\nawait something()",
    )
    outcome = coverage_of(folder, "__main__.Cleaner", include=(path.name,))
    code = code_of(outcome)
    assert dict(code.main) == {"Cleaner": "m01_churn_final"}
    text = text_of(code, "code/m01_churn_final.py")
    tree = ast.parse(text)
    assert [type(node).__name__ for node in tree.body] == ["Import", "ClassDef"]
    assert "seaborn" not in text
    assert "numpy" in [one.distribution for one in outcome.info.requirements]


def test_the_last_definition_wins_as_in_the_notebook(folder: Path) -> None:
    """A class that was defined in two cells is the one of the later cell."""
    notebook(folder / "n.ipynb", "class C:\n    version = 1", "print(C)\nclass C:\n    version = 2")
    text = text_of(code_of(coverage_of(folder, "__main__.C", include=("n.ipynb",))), "code/n.py")
    bound: dict[str, object] = {"__name__": "n"}
    exec(text, bound)
    assert bound["C"].version == 2  # type: ignore[attr-defined]  # it is the notebook's class


# what is missing -------------------------------------------------------------------------------------


def test_a_missing_class_is_named_with_the_file_that_has_it(folder: Path) -> None:
    """Without an include the message names the class; the hint names the script around the model, and its line."""
    with pytest.raises(MissingCodeError) as told:
        coverage_of(folder, "__main__.Cleaner")
    assert told.value.message == "churn.pkl needs `Cleaner` from `__main__`"
    assert "--include FILE" in told.value.hint
    written(folder, work__train=SCRIPT, other="from work.train import Cleaner\n")
    with pytest.raises(MissingCodeError) as told:
        coverage_of(folder, "__main__.Cleaner")
    assert told.value.hint == "Pass --include work/train.py, which defines `Cleaner` in line 18."
    notebook(folder / "a.ipynb", CLEANER + "\njoblib.dump(pipe, 'churn.pkl')")
    with pytest.raises(MissingCodeError, match="needs `Cleaner`") as told:
        coverage_of(folder, "__main__.Cleaner")
    assert "--include a.ipynb" in told.value.hint, "the one that mentions the model file comes first"


def test_a_wrong_include_is_told_with_what_it_has(folder: Path) -> None:
    """A file that does not define the class is named, with its names and the nearest; so is one that cannot be parsed."""
    written(folder, wrong="class Cleanr:\n    pass\n\n\ndef helper():\n    pass\n")
    with pytest.raises(MissingCodeError, match=r"wrong\.py does not define it") as told:
        coverage_of(folder, "__main__.Cleaner", include=("wrong.py",))
    assert "The included code defines Cleanr, helper; the closest name is `Cleanr`" in told.value.hint
    written(folder, wrong="class Cleaner(:\n")
    with pytest.raises(MissingCodeError) as told:
        coverage_of(folder, "__main__.Cleaner", include=("wrong.py",))
    assert "wrong.py cannot be parsed as Python" in told.value.hint


def test_a_missing_module_is_named_with_what_to_include(folder: Path) -> None:
    """`features.ratio.Ratio` asks for the folder that holds it; a module that has no such name says what it has."""
    with pytest.raises(MissingCodeError, match=r"`Ratio` from `features\.ratio`") as told:
        coverage_of(folder, "features.ratio.Ratio")
    assert "`requirements:`" in told.value.hint
    written(folder, features__init="", features__ratio="class Rato: pass\n")
    with pytest.raises(MissingCodeError) as told:
        coverage_of(folder, "features.ratio.Ratio")
    assert told.value.hint.startswith("Pass --include features, which contains features")
    with pytest.raises(MissingCodeError, match="does not define it") as told:
        coverage_of(folder, "features.ratio.Ratio", include=("features",))
    assert "`Rato`" in told.value.hint


def test_what_the_code_imports_must_come_from_somewhere(folder: Path) -> None:
    """A known package is added to the image's; an unknown one is named with its line; a file beside it is offered."""
    written(folder, clean="import pandas\nimport unidecode\n" + CLEANER)
    with pytest.raises(MissingPackageError, match=r"clean.py:2 imports `unidecode`") as told:
        coverage_of(folder, "__main__.Cleaner", include=("clean.py",))
    assert "requirements: [unidecode]" in told.value.hint
    outcome = coverage_of(folder, "__main__.Cleaner", include=("clean.py",), requirements=("Unidecode==1.3.8",))
    assert [one.distribution for one in outcome.info.requirements] == ["scikit-learn", "pandas"]
    written(folder, unidecode="")
    with pytest.raises(MissingCodeError, match="imports `unidecode`, which is not included") as near:
        coverage_of(folder, "__main__.Cleaner", include=("clean.py",))
    assert near.value.hint == "Pass --include unidecode.py as well."


def test_only_what_the_model_reaches_must_be_importable(folder: Path) -> None:
    """A training script in the folder, optional imports, type checkers' ones and those inside functions stop nothing."""
    text = "try:\n    import rare\nexcept ImportError:\n    rare = None\nfrom typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import odd\n"
    text += CLEANER + "    def plot(self):\n        import bokeh\n"
    written(folder, src__clean=text, src__train="import mlflow\n")
    code = code_of(coverage_of(folder, "clean.Cleaner", include=("src",)))
    assert len(code.files) == 2
    assert any("imports `bokeh`" in note for note in code.notes)


# what goes along -------------------------------------------------------------------------------------


def test_a_folder_brings_code_and_small_data_only(folder: Path) -> None:
    """Caches, hidden files, environments, keys, large data, the model itself and links out of the folder stay behind."""
    written(folder, src__clean=CLEANER, src__node_modules__x="", src__venv__x="", src__myenv__x="")
    source = folder / "src"
    (source / "myenv" / "pyvenv.cfg").write_text("")
    (source / "__pycache__").mkdir()
    (source / "__pycache__" / "clean.cpython-311.pyc").write_bytes(b"x")
    (source / "stop.txt").write_text("the")
    (source / ".env").write_text("TOKEN=1")
    (source / "private.pem").write_text("-")
    (source / "train.parquet").write_bytes(b"x" * (10 * 1024 * 1024 + 1))
    (source / "out.py").symlink_to("/etc/passwd")
    (source / "loop").symlink_to(source)
    (source / "again.py").symlink_to(source / "clean.py")
    os.mkfifo(source / "pipe")
    code = code_of(coverage_of(folder, "clean.Cleaner", include=("src",)))
    assert [file.name for file in code.files] == ["code/src/again.py", "code/src/clean.py", "code/src/stop.txt"]
    for word in ("private.pem looks like a key", "train.parquet is larger", "out.py is a link", "loop is a link"):
        assert any(word in note for note in code.notes), word
    model = folder / "src" / "churn.pkl"
    model.write_bytes(b"\x80\x04N.")
    outcome = find_coverage(info_needing(model, "clean.Cleaner"), include=(source,), cwd=folder)
    assert "code/src/churn.pkl" not in [file.name for file in code_of(outcome).files]


def test_large_data_goes_along_when_it_is_named(folder: Path) -> None:
    """A file that is named by itself may have any size and kind."""
    written(folder, clean=CLEANER)
    (folder / "vectors.bin").write_bytes(b"x" * (10 * 1024 * 1024 + 1))
    code = code_of(coverage_of(folder, "__main__.Cleaner", include=("clean.py", "vectors.bin")))
    assert [file.name for file in code.files] == ["code/clean.py", "code/vectors.bin"]


def test_includes_that_cannot_be_are_told(folder: Path) -> None:
    """No such file, two files of one name, and the server's own name end with what to do."""
    written(folder, clean=CLEANER, other__clean=CLEANER, mlpack=CLEANER)
    with pytest.raises(ConfigError, match="no file or folder") as told:
        coverage_of(folder, "__main__.Cleaner", include=("claen.py",))
    assert "clean.py" in told.value.hint
    with pytest.raises(ConfigError, match=r"both be code/clean\.py"):
        coverage_of(folder, "__main__.Cleaner", include=("clean.py", "other/clean.py"))
    with pytest.raises(ConfigError, match="serving runtime"):
        coverage_of(folder, "__main__.Cleaner", include=("mlpack.py",))


def test_the_same_code_is_the_same_bytes_anywhere(folder: Path) -> None:
    """Neither the order of the includes, nor where they lie, nor their times change what goes along."""
    outcomes = []
    for place in ("a", "b"):
        written(folder / place, train=SCRIPT, src__help="X = 1\n")
        (folder / place / "churn.pkl").write_bytes(b"\x80\x04N.")
        os.utime(folder / place / "train.py", (place == "b", 1))
        order = ("train.py", "src") if place == "a" else ("src", "train.py")
        code = code_of(coverage_of(folder / place, "__main__.Cleaner", include=order))
        outcomes.append(([(file.name, file.sha256, file.mode) for file in code.files], code.to_json()))
    assert outcomes[0] == outcomes[1]


def test_a_link_that_is_named_keeps_its_name(folder: Path) -> None:
    """`--include src`, where src is a link to another folder, is imported as `src`, as it was at home."""
    written(folder / "elsewhere", common__clean=CLEANER)
    (folder / "src").symlink_to(folder / "elsewhere" / "common")
    (folder / "tidy.py").symlink_to(folder / "elsewhere" / "common" / "clean.py")
    outcome = coverage_of(folder, "src.clean.Cleaner", "tidy.Cleaner", include=("src", "tidy.py"))
    assert [file.name for file in code_of(outcome).files] == ["code/src/clean.py", "code/tidy.py"]


def test_modules_that_do_work_are_told(folder: Path) -> None:
    """A module that the file names runs whole at every start: what it does beside defining is told with its line."""
    written(folder, clean="import sys\n" + CLEANER + "print(sys.argv)\n", quiet=CLEANER + "X = len('abc')\n")
    notes = code_of(coverage_of(folder, "clean.Cleaner", "quiet.Cleaner", include=("clean.py", "quiet.py"))).notes
    assert notes == ("clean.py:5 runs at every start, when it is imported: print(sys.argv)",)


def test_what_a_class_is_made_of_comes_along(folder: Path) -> None:
    """Base classes, decorators, defaults, helpers of helpers and changes in place are part of a class; namesakes are not."""
    text = """
from dataclasses import dataclass
from functools import wraps
import os; LEVEL = int("3"); print(LEVEL)
def told(f):
    @wraps(f)
    def inner(*a): return f(*a)
    return inner
class Base:
    level = LEVEL
@dataclass
class Cleaner(Base):
    factor: int = LEVEL * 2
    @told
    def transform(self, x): return helper(x) * self.factor
    def helper(self): return unrelated
def helper(x): return TABLE[x]
TABLE = {1: 2}
TABLE["k"] = 4
TABLE.update(z=5)
if LEVEL > 2:
    def extra(): return 1
else:
    def extra(): return 2
Cleaner.extra = lambda self: extra()
class Other(Cleaner): pass
"""
    written(folder, train=text)
    part = text_of(code_of(coverage_of(folder, "__main__.Cleaner", include=("train.py",))), "code/train.py")
    bound: dict[str, object] = {"__name__": "train"}
    exec(compile(part, "train", "exec", dont_inherit=True), bound)
    cleaner = bound["Cleaner"]()  # type: ignore[operator]  # it is the script's class
    assert (cleaner.transform("k"), cleaner.transform("z"), cleaner.level, cleaner.extra()) == (24, 30, 3, 1)
    assert {"Other", "os", "print"}.isdisjoint(bound)


def test_the_card_records_what_trust_covered(tmp_path: Path) -> None:
    """Names that only --trust let through are listed in the model's guard; what included code covers is not."""
    (tmp_path / "mine.py").write_text(CLEANER)
    (tmp_path / "m.pkl").write_bytes(b"N.")
    served = make_lock(tmp_path / "m.pkl").info.signatures
    info = replace(info_needing(tmp_path / "m.pkl", "mine.Cleaner", "functools.reduce"), signatures=served)
    prepared = prepare(info, PrepareOptions(include=(tmp_path / "mine.py",), trust=True, folder=tmp_path))
    assert prepared.info.to_json()["guard"]["trusted"] == ["functools.reduce"]


@pytest.mark.parametrize("name", ["os.system", "helper.run", "Cleaner.transform"])
def test_a_name_leads_only_through_classes_of_the_own_code(name: str, tmp_path: Path) -> None:
    """What the included file imports is not its own: a name that leads through it is refused, one of its class is covered."""
    code = tmp_path / "mine.py"
    code.write_text("import os\nimport subprocess as helper\n\n\n" + CLEANER)
    model = tmp_path / "model.pkl"
    model.touch()
    info = info_needing(model, f"mine.{name}")
    if name.startswith("Cleaner"):
        assert find_coverage(info, include=(code,), cwd=tmp_path).open == ()
    else:
        with pytest.raises(UnsafeModelError, match="not a class in mine"):
            find_coverage(info, include=(code,), cwd=tmp_path)
