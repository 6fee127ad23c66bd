"""Templates of the user's own: what they override, and how their mistakes are told."""

import re
from pathlib import Path

import pytest

from mlpack.errors import TemplateError
from mlpack.templating import render, templates_dir

VALUES = {"name": "churn", "card": {"model": {"file": "model/m.pkl"}}, "settings": [], "signature": "predict"}
EXTENDS = '{% extends "mlpack/Dockerfile.j2" %}\n'


@pytest.mark.parametrize(
    ("file", "text", "said", "hint"),
    [
        ("Dockerfile.j2", EXTENDS + "{% block extr %}{% endblock %}", r"j2:2: mlpack/Dockerfile.j2 has no block `extr`$", "`extra`"),
        ("Dockerfile.j2", EXTENDS + "\n{% block mine %}{% endblock %}", r"j2:3: .* no block `mine`$", "header, deps, final"),
        ("Dockerfile.j2", EXTENDS + "{% block header %}\n{{ nonsense }}{% endblock %}", r"j2:3: 'nonsense' is undefined$", "variables"),
        ("Dockerfile.j2", "FROM x\n{{ nonsense }}\n", r"/Dockerfile\.j2:2: 'nonsense' is undefined$", "variables"),
        ("Dockerfile.j2", "x\ny\n{% if %}\n", r"/Dockerfile\.j2:3: Expected an expression", "jinja"),
        ("Dockerfile.j2", "{{ name|shout }}\n", r"/Dockerfile\.j2:1: No filter named 'shout'$", "jinja"),
        ("Dockerfile.j2", "\n{{ 1 / 0 }}\n", r"/Dockerfile\.j2:2: ZeroDivisionError", "jinja"),
        ("Dockerfile.j2", "\n{{ name + 1 }}\n", r"/Dockerfile\.j2:2: TypeError", "jinja"),
        ("Dockerfile.j2", '{% include "mlpack/server.j2" %}', "there is no template mlpack/server.j2$", "mlpack/NAME"),
        ("Dockerfile", "FROM x\n", "overrides no template: it contains Dockerfile$", "`Dockerfile.j2`"),
        ("notes.txt", "x", "overrides no template: it contains notes.txt$", "Dockerfile.j2, Dockerfile.tf-serving.j2, compose.container.j2, compose.ensemble.yaml.j2, compose.yaml.j2"),
    ],
)  # fmt: skip
def test_mistakes_are_told(tmp_path: Path, file: str, text: str, said: str, hint: str) -> None:
    """File, line, what is wrong there, and what would be right: also where Jinja alone would say nothing."""
    (tmp_path / file).write_text(text)
    with pytest.raises(TemplateError, match=said) as told:
        render("Dockerfile.j2", VALUES, folder=tmp_path)
    assert hint in told.value.hint


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    """A misspelt `templates:` does not quietly mean mlpack's own."""
    with pytest.raises(TemplateError, match="no folder"):
        render("Dockerfile.j2", VALUES, folder=tmp_path / "nowhere")


def test_what_is_not_text_is_told(tmp_path: Path) -> None:
    """A template that is no UTF-8 is the user's to mend, not a bug of ours."""
    (tmp_path / "Dockerfile.j2").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(TemplateError, match="UnicodeDecodeError"):
        render("Dockerfile.j2", VALUES, folder=tmp_path)


def test_a_block_inside_an_overridden_one_is_new_and_fine(tmp_path: Path) -> None:
    """Whoever overrides a block may divide it into blocks of their own."""
    (tmp_path / "Dockerfile.j2").write_text(
        EXTENDS
        + "{% block header %}{% block inner %}# {{ name }}{% endblock %}\n{% endblock %}"
        + "{% block deps %}{% endblock %}{% block final %}{% endblock %}"
    )
    assert render("Dockerfile.j2", VALUES, folder=tmp_path).startswith("# churn\n")


def test_a_file_overrides_a_file(tmp_path: Path) -> None:
    """A template of the same name is taken instead of ours; ours are still there for the other names."""
    (tmp_path / "Dockerfile.j2").write_text("FROM {{ name }}\n")
    assert render("Dockerfile.j2", VALUES, folder=tmp_path) == "FROM churn\n"
    assert (templates_dir() / "serve.py.j2").is_file()
    with pytest.raises(TemplateError, match=r"templates/mlpack\.yaml\.j2:\d+: '\w+' is undefined"):
        render("mlpack.yaml.j2", {}, folder=tmp_path)


FETCHES = r"\bcurl\b|\bwget\b|^ADD\b|\|\s*(ba)?sh\b|get-pip|urlretrieve|raw\.githubusercontent|git\+"


@pytest.mark.parametrize("path", sorted(templates_dir().iterdir()), ids=lambda path: path.name)
def test_no_template_fetches_what_nobody_pinned(path: Path) -> None:
    """Trap 14: no script or program from an address; in an image each package that is installed has its hash.

    A wheel that a stage built comes from files that were verified there, and is installed without an index.
    """
    lines = [
        line for line in path.read_text().replace("\\\n", " ").splitlines() if not line.lstrip().startswith(("#", "{#"))
    ]
    assert lines
    assert not [line for line in lines if re.search(FETCHES, line)]
    installs = [command for line in lines for command in re.findall(r"pip install[^;|&]*", line)]
    if path.name.startswith("Dockerfile"):
        built = [command for command in installs if command.endswith("/*.whl")]
        assert (len(installs), len(built)) == ((3, 1) if path.name == "Dockerfile.j2" else (0, 0))
        assert all("--require-hashes" in command for command in installs if command not in built)
        assert all("--no-index" in command for command in built)
