"""docs/ is whole and true: everything that the code has is there, and nothing that it has not."""

from __future__ import annotations

import ast
import re
import textwrap
from pathlib import Path
from typing import Any

import pytest
import yaml

from mlpack import config, errors
from mlpack.artifacts.lock import Lock
from mlpack.checks.contracts import CONTRACTS
from mlpack.config import Config, Settings, load_config
from mlpack.ensembles.file import FILE_NAME as ENSEMBLE
from mlpack.ensembles.file import read_ensemble
from mlpack.plugins import BUILT_IN, load
from mlpack.runtime import errors as serve_errors
from mlpack.runtime.protocols import PROTOCOLS
from mlpack.runtime.telemetry.logs import SEVERITIES
from mlpack.usercode.predictors import FUNCTIONS, read_contract
from mlpack.usercode.python_source import parse_source
from tests import docs_tables
from tests.unit.locks import make_lock, render_lock

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = {path.name: path.read_text(encoding="utf-8") for path in sorted(DOCS.glob("*.md"))}
ALL = "\n".join(PAGES.values())
README = (ROOT / "README.md").read_text(encoding="utf-8")
SOURCES = [*sorted((ROOT / "mlpack").rglob("*.py"))]
LOADER = ROOT / "mlpack" / "formats" / "lightgbm" / "loader.py"
# Variables that the tests and benchmarks of this project read, and no user.
NOT_FOR_USERS = {"MLPACK_TEST_REGISTRY", "MLPACK_TEST_CACHE", "MLPACK_UPDATE_GOLDEN"}
FENCE = "`" * 3


def below(kind: Any) -> set[Any]:
    """A class and all that are made of it."""
    found = {kind}
    for one in kind.__subclasses__():
        found |= below(one)
    return found


def rows(page: str, *columns: str) -> list[dict[str, str]]:
    """The rows of every table of a page that has these columns."""
    found = []
    header: list[str] = []
    for line in PAGES[page].splitlines():
        if not line.startswith("|"):
            header = []
            continue
        cells = [cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        if not header:
            header = cells
        elif set(columns) <= set(header) and not set("".join(cells)) <= set("- "):
            found.append(dict(zip(header, cells, strict=True)))
    return found


def ticked(text: str) -> set[str]:
    """What stands between backticks on one line."""
    return set(re.findall(r"`([^`\n]+)`", text))


def anchors(text: str) -> set[str]:
    """The names of a page's headings, as a web page of it would have them."""
    prose = re.sub(rf"^{FENCE}.*?^{FENCE}", "", text, flags=re.MULTILINE | re.DOTALL)
    titles = re.findall(r"^#+ (.+)$", prose, flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", [*PAGES, "../README.md"])
def test_what_the_code_decides_is_as_the_code_has_it(page: str) -> None:
    """Commands, keys, settings and formats; `python -m tests.docs_tables` writes them anew."""
    text = PAGES.get(page, README)
    assert docs_tables.filled(text) == text, "run: python -m tests.docs_tables"


def test_every_page_with_a_table_from_the_code_has_it() -> None:
    """None of the generated tables has been left out."""
    assert set(re.findall(r"<!-- from the code: (\S+) -->", ALL + README)) == set(docs_tables._TABLES)


@pytest.mark.parametrize("name", BUILT_IN["formats"])
def test_every_format_says_what_it_reads_and_where_that_was_seen(name: str) -> None:
    """Each built-in format has its rows in the table; `proof` names an existing test that runs containers."""
    kinds = load("formats", name).kinds
    assert kinds
    for kind in kinds:
        assert kind.serves or not kind.proof, kind
        if kind.proof:
            assert re.search(r"mark\.(docker|slow)|pytestmark", (ROOT / kind.proof).read_text(encoding="utf-8")), kind


def test_every_error_code_of_the_commands_is_there() -> None:
    """Code and exit as in mlpack/errors.py; no other ones."""
    real = {(one.code, str(one.exit)) for one in below(errors.MlpackError)}
    own = re.findall(
        r'(?:\.code = |\bcode=)"(\w+)"',
        "\n".join(path.read_text() for path in SOURCES if "runtime" not in path.relative_to(ROOT).parts),
    )
    told = {(row["code"].strip("`"), row["exit"]) for row in rows("errors.md", "code", "exit")}
    assert {row for row in told if row[0] not in own} == real
    assert set(own) <= {code for code, _ in told}


def test_every_error_code_of_the_service_is_there() -> None:
    """Code and status as in the runtime; no other ones."""
    real = {(one.code, str(one.status)) for one in below(serve_errors.ServeError)}
    assert {(row["code"].strip("`"), row["status"]) for row in rows("errors.md", "code", "status")} == real


def test_every_failure_of_a_command_has_a_remedy() -> None:
    """A cause and a remedy beside each code that a command can end with."""
    for row in rows("errors.md", "code", "exit"):
        assert row["cause"], row
        assert row["remedy"] or "deploy" in row["code"], row


def test_every_exit_code_is_there() -> None:
    """The table of exit codes has those of the errors, and 0."""
    real = {str(one.exit) for one in below(errors.MlpackError)} | {"0"}
    assert {row["exit"] for row in rows("commands.md", "exit", "meaning")} == real


def test_every_label_is_there(tmp_path: Path) -> None:
    """The labels that rendering sets, and the one of a running container; no other ones."""
    (tmp_path / "model.pkl").write_bytes(b"\x80\x04N.")
    bundle = render_lock(lock := make_lock(tmp_path / "model.pkl"), loader=LOADER)
    assert isinstance(lock, Lock)
    dockerfile = next(file.content or b"" for file in bundle.files if file.name == "Dockerfile").decode()
    label = dockerfile[dockerfile.index("LABEL ") :].split("\n# ")[0]
    real = set(re.findall(r"([a-z][a-z0-9.-]+)=\"", label)) | set(bundle.labels)
    assert {row["label"].strip("`") for row in rows("image.md", "label", "value")} == real
    named = {word for page in PAGES.values() for word in re.findall(r"dev\.mlpack\.[a-z.]*[a-z]", page)}
    written = set(re.findall(r'"(dev\.mlpack\.[a-z.]+)"', "\n".join(path.read_text() for path in SOURCES)))
    assert named == written


def test_every_check_is_there() -> None:
    """What `mlpack test` checks, by name; no other ones."""
    texts = "\n".join((ROOT / "mlpack" / "checks" / name).read_text() for name in ("smoke.py", "requests.py"))
    real = set(re.findall(r'(?:\.check\(\s*|\(|^\s+)"([a-z_]+)",\s*(?:lambda|partial)', texts, flags=re.MULTILINE))
    told = {row["check"].strip("`") for row in rows("testing.md", "check", "promise")}
    assert len(real) > 15
    assert told - {"method_..."} == real


def test_every_check_of_a_contract_is_there() -> None:
    """What `mlpack test --contract` checks, by contract and name; no other ones."""
    texts = {path.stem: path.read_text() for path in (ROOT / "mlpack" / "checks" / "contracts").glob("*.py")}
    real = {name for text in texts.values() for name in re.findall(r'yield \(?\s*"(\w+)"', text)}
    real |= {f"mlflow_{form}" for form in re.findall(r'forms\["(\w+)"\]', texts["mlflow"])}
    real |= {f"{name}_sigterm" for name, text in texts.items() if "grace_s=" in text}
    table = rows("testing.md", "contract", "its checks")
    told = {name for row in table for name in ticked(row["its checks"])}
    assert told - {"..._starts", "..._model", "answers", "contracts_agree"} == real
    assert {row["contract"].strip("`") for row in table} == {"all", *CONTRACTS}


def test_every_route_is_there() -> None:
    """The routes of every serving contract; no other ones."""
    folder = ROOT / "mlpack" / "runtime" / "protocols"
    texts = "\n".join((folder / f"{name}.py").read_text() for name in PROTOCOLS)
    real = set(re.findall(r'Route\(\s*"(\w+)",\s*"([^"]+)"', texts))
    told = {tuple(one.split()) for row in rows("serving.md", "route", "answer") for one in ticked(row["route"])}
    assert told == real


WRITTEN_BY_INIT = {
    "mlpack.yaml.j2", "predict_weights.py.j2", "predict_keras_weights.py.j2", "predict_bundle.py.j2", "predict_object.py.j2", "predict_archive.py.j2", "predict_pyfunc.py.j2",
    "ci-github.yml.j2", "ci-gitlab.yml.j2", "ci-cloudbuild.yaml.j2",
}  # fmt: skip


def test_every_block_of_a_template_is_there() -> None:
    """Each template that rendering fills, with its blocks; no other ones."""
    real = {
        path.name: set(re.findall(r"{% block (\w+) %}", path.read_text()))
        for path in (ROOT / "templates").iterdir()
        if path.name not in WRITTEN_BY_INIT
    }
    told = {row["template"].strip("`"): ticked(row["blocks"]) for row in rows("templates.md", "template", "blocks")}
    assert told == real
    assert all(f"`{name}`" in PAGES["templates.md"] for name in WRITTEN_BY_INIT)


def test_the_template_shown_works(tmp_path: Path) -> None:
    """The template of the page renders, and its block is in the Dockerfile."""
    text = re.findall(rf"^{FENCE}jinja\n(.*?)^{FENCE}", PAGES["templates.md"], flags=re.MULTILINE | re.DOTALL)[0]
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "Dockerfile.j2").write_text(text)
    (tmp_path / "model.pkl").write_bytes(b"\x80\x04N.")
    bundle = render_lock(make_lock(tmp_path / "model.pkl"), loader=LOADER, templates=tmp_path / "mine")
    dockerfile = next(file.content or b"" for file in bundle.files if file.name == "Dockerfile").decode()
    assert "ENV OMP_NUM_THREADS=1\n" in dockerfile
    assert "ENTRYPOINT" in dockerfile


def test_the_python_shown_is_python() -> None:
    """Each block of Python in the docs parses, and the predictor shown is taken as one, whole."""
    for page, text in PAGES.items():
        for block in re.findall(rf"^{FENCE}python\n(.*?)^{FENCE}", text, flags=re.MULTILINE | re.DOTALL):
            ast.parse(textwrap.dedent(block), page)  # a part of a method is indented
            if page == "own-code.md":
                shown = read_contract(parse_source(block, "predict.py"))
                assert set(shown.functions) == set(FUNCTIONS)


@pytest.mark.parametrize(
    ("page", "example", "kind"),
    [
        ("new-engine.md", "toy_engine.py", "engines"),
        ("new-target.md", "toy_package/toy_target.py", "targets"),
    ],
)
def test_the_parts_shown_are_those_of_the_tested_example(page: str, example: str, kind: str) -> None:
    """Each line of Python stands in the example, in the same order; the entry point leads to a class of it."""
    text = (ROOT / "tests" / "standins" / example).read_text(encoding="utf-8")
    lines = iter(text.splitlines())
    for block in re.findall(rf"^{FENCE}python\n(.*?)^{FENCE}", PAGES[page], flags=re.MULTILINE | re.DOTALL):
        for line in filter(str.strip, block.splitlines()):
            assert line in lines, line  # an iterator: the search goes on after the last line that was found
    group, module, name = re.findall(r'"mlpack\.(\w+)"\]\n\w+ = "(\w+):(\w+)"', PAGES[page])[0]
    assert (group, module) == (kind, Path(example).stem)
    assert f"\nclass {name}" in text


@pytest.mark.parametrize(
    ("protocols", "example"),
    [
        ("engines/base.py", "toy_engine.py"),
        ("targets/base.py", "toy_package/toy_target.py"),
    ],
)
def test_the_example_has_every_method(protocols: str, example: str) -> None:
    """The example of new-engine.md or new-target.md defines each method of the interface with the same parameters."""

    def methods(path: Path, *classes: str) -> dict[str, list[str]]:
        return {
            method.name: [one.arg for one in (*method.args.args, *method.args.kwonlyargs)]
            for node in ast.parse(path.read_text(encoding="utf-8")).body
            if isinstance(node, ast.ClassDef) and node.name in classes
            for method in node.body
            if isinstance(method, ast.FunctionDef) and not method.name.startswith("_")
        }

    interface = methods(
        ROOT / "mlpack" / protocols, "Builder", "Housekeeper", "Runner", "Publisher", "Engine", "Running", "Target"
    )
    made = methods(ROOT / "tests" / "standins" / example, "ToyEngine", "ToyRunning", "Toy")
    assert interface
    assert {name: made.get(name) for name in interface} == interface


def test_every_field_of_the_log_is_there() -> None:
    """What the log's own code writes into a line is in the table."""
    told = {field for row in rows("image.md", "field", "in") for field in ticked(row["field"])}
    real = set(re.findall(r'[{,]"(\w+)":', (ROOT / "mlpack" / "runtime" / "telemetry" / "logs.py").read_text())) - set(
        SEVERITIES
    )
    for path in sorted((ROOT / "mlpack" / "runtime").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and ast.unparse(node.func).endswith(("log.write", "log.failure")):
                real |= {word.arg for word in node.keywords if word.arg}
    assert real <= told


def test_every_variable_is_there() -> None:
    """Each MLPACK_* variable that the code reads; no other ones."""
    literal = set(re.findall(r"MLPACK_[A-Z][A-Z_]*[A-Z]\b", "\n".join(path.read_text() for path in SOURCES)))
    real = {
        name for name in literal | docs_tables.variables() if not name.endswith("MAX_ROW")
    }  # a misspelling, for show
    assert set(re.findall(r"MLPACK_[A-Z][A-Z_]*[A-Z]\b", ALL)) - NOT_FOR_USERS == real - NOT_FOR_USERS


def test_every_key_is_there() -> None:
    """Each key of mlpack.yaml and each setting of the service stands in the tables of its page."""
    keys = {name for name, _, _ in docs_tables.config_keys()} | {f"serve.{name}" for name, _, _ in Settings.describe()}
    assert {row["key"].strip("`") for row in rows("configuration.md", "key", "variable")} == keys
    assert {name.partition(".")[0] for name in keys} == set(Config.model_fields) - {"file"}
    assert set(config._plain_keys()) <= keys


def test_nothing_is_named_that_does_not_exist() -> None:
    """Each `mlpack COMMAND --option` in the docs and README is a command with that option."""
    taken = {name: {one for word in docs_tables.words(function) for one in word.names}
             for name, function in docs_tables.commands().items()}  # fmt: skip
    every = set().union(*taken.values()) | {"--install-completion", "--show-completion", "--help"}
    for page, text in {**PAGES, "README.md": README}.items():
        for command, rest in re.findall(
            r"(?:^|[`$ ])mlpack ((?:ensemble )?[a-z]+)\b([^`|\n#]*)", text, flags=re.MULTILINE
        ):
            if command not in taken:
                assert not re.search(rf"[`$] ?mlpack {command}\b", text), (page, command)
                continue
            options = set(re.findall(r"(?<![\w-])(--[a-z][a-z-]*|-[a-zA-Z])\b", rest))
            assert options <= taken[command] | {"--help"}, (page, command, rest)
        for option in {one.split()[0].split("=")[0] for one in ticked(text) if one.startswith("--")}:
            assert option in every | {"--port", "--host"}, (page, option)  # the server's own


def test_the_configurations_shown_are_taken(tmp_path: Path) -> None:
    """Each block of yaml in the docs is a mlpack.yaml that loads, or an ensemble.yaml beside its models."""
    for page, text in PAGES.items():
        for number, block in enumerate(
            re.findall(rf"^{FENCE}yaml\n(.*?)^{FENCE}", text, flags=re.MULTILINE | re.DOTALL)
        ):
            file = tmp_path / f"{page}-{number}.yaml"
            file.write_text(block)
            assert yaml.safe_load(block), (page, number)
            if block.startswith(f"# {ENSEMBLE}"):
                for member in yaml.safe_load(block)["members"]:
                    (tmp_path / member.get("model", "other")).touch()
                read_ensemble(file)
            else:
                load_config(file)


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page: str) -> None:
    """Each link of a page to a file or a heading of this project leads to one."""
    for target in re.findall(r"\]\(([^)\s]+)\)", PAGES[page]):
        if "://" in target:
            continue
        file, _, anchor = target.partition("#")
        path = DOCS / file if file else DOCS / page
        assert path.exists(), target
        if anchor:
            assert anchor in anchors(path.read_text(encoding="utf-8")), target


def test_every_page_is_reached() -> None:
    """README leads to the docs, and their first page to every other one."""
    assert "](docs/" in README
    assert {f"{name}" for name in re.findall(r"\]\((\w[\w-]*\.md)\)", PAGES["README.md"])} == set(PAGES) - {"README.md"}


@pytest.mark.parametrize("page", PAGES)
def test_pages_say_nothing_of_this_machine(page: str) -> None:
    """No path of the machine where the output was made, no address of its own index."""
    assert not re.search(r"/root/|/work/|/opt/pypi|\.cache/mlpack-test", PAGES[page])
