"""mlpack.yaml: what is taken, from where, and how a mistake is told."""

from pathlib import Path

import pytest

from mlpack.config import Config, find_config, load_config
from mlpack.errors import ConfigError


def written(folder: Path, text: str) -> Path:
    file = folder / "mlpack.yaml"
    file.write_text(text)
    return file


def test_the_order_of_belief(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A flag wins over the environment, the environment over the file, the file over the default."""
    file = written(tmp_path, "name: file\nversion: 1.0\npython: '3.9'\nserve: {max_rows: 5}\n")
    monkeypatch.setenv("MLPACK_NAME", "environment")
    monkeypatch.setenv("MLPACK_VERSION", "2")
    monkeypatch.setenv("MLPACK_SERVE_QUEUE_ROWS", "77")
    config = load_config(file, overrides={"name": "flag", "version": None})
    assert (config.name, config.version, config.python) == ("flag", "2", "3.9")
    assert (config.serve.max_rows, config.serve.queue_rows, config.serve.max_body) == (5, 77, "32MiB")


def test_a_model_of_the_environment_is_a_path_or_a_reference(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on the command line: what has no scheme is a path."""
    monkeypatch.setenv("MLPACK_MODEL", "models/churn.pkl")
    assert load_config(None).model == Path("models/churn.pkl")
    monkeypatch.setenv("MLPACK_MODEL", "s3://models/churn.pkl")
    assert load_config(None).model == "s3://models/churn.pkl"


def test_paths_belong_to_the_file_that_names_them(tmp_path: Path) -> None:
    """A relative path is taken from mlpack.yaml's folder, not from where the command runs."""
    text = "model: m.pkl\ntest: {request: r.json}\nbuild: {wheelhouse: w}\ninclude: [src]\n"
    config = load_config(written(tmp_path, text))
    assert config.model == tmp_path / "m.pkl"
    assert config.test.request == tmp_path / "r.json"
    assert config.build.wheelhouse == tmp_path / "w"
    assert config.include == (tmp_path / "src",)


def test_the_file_beside_the_model_counts_first(tmp_path: Path) -> None:
    """Beside the model, else the working folder; never both."""
    (tmp_path / "models").mkdir()
    model = tmp_path / "models" / "m.pkl"
    assert find_config(model, tmp_path) is None
    here = written(tmp_path, "name: here\n")
    assert find_config(model, tmp_path) == here
    beside = written(tmp_path / "models", "name: beside\n")
    assert find_config(model, tmp_path) == beside


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("nmae: x\n", r"mlpack\.yaml:1: unknown key `nmae`"),
        ("name: x\nserve:\n  max_row: 4\n", r"mlpack\.yaml:3: unknown key `serve\.max_row`"),
        ("name: x\nbuild:\n  platfrom: linux/amd64\n", r"mlpack\.yaml:3: unknown key `build\.platfrom`"),
        ("serve:\n  max_rows: many\n", r"mlpack\.yaml:2: `serve\.max_rows`"),
        ("build: {platform: windows/amd64}\n", "build.platform"),
        ("python: '2.7'\n", "python"),
        ("- a\n- b\n", "not keys and values"),
        ("name: [unclosed\n", "not valid YAML"),
        ("test: {tolerance: -1}\n", "tolerance"),
        ("name: x\nserve: {}\n  port: 1\n", r"mlpack\.yaml:3 is not valid YAML"),
        ("requirements:\n- pandas\n- 3\n", r"mlpack\.yaml:3: `requirements\.1`"),
        ("name: x\nversion: 1\nname: y\n", r"mlpack\.yaml:3: `name` is a duplicate of line 1"),
        ("a: &a\n  b: *a\n", "unknown key `a`"),
    ],
)
def test_mistakes_are_told_with_their_place(tmp_path: Path, text: str, said: str) -> None:
    """An unknown key or a wrong value names file, line and key."""
    with pytest.raises(ConfigError, match=said):
        load_config(written(tmp_path, text))


def test_the_nearest_key_is_offered(tmp_path: Path) -> None:
    """A misspelt key is answered with the one that was most likely meant."""
    with pytest.raises(ConfigError) as told:
        load_config(written(tmp_path, "requirments: [pandas]\n"))
    assert told.value.hint == "Did you mean `requirements`?"


def test_the_nearest_key_is_offered_at_depth(tmp_path: Path) -> None:
    """The runtime's own settings are known by their keys as well."""
    with pytest.raises(ConfigError) as told:
        load_config(written(tmp_path, "serve:\n  batch: {max_row: 1}\n"))
    assert told.value.hint == "Did you mean `max_rows`?"


def test_who_said_it_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A wrong value of a variable or an option is not laid at the file's door."""
    file = written(tmp_path, "name: x\npython: '3.11'\n")
    monkeypatch.setenv("MLPACK_PYTHON", "four")
    with pytest.raises(ConfigError, match=r"^MLPACK_PYTHON: `python`"):
        load_config(file)
    with pytest.raises(ConfigError, match=r"^the command's options: `python`") as told:
        load_config(file, overrides={"python": "2"})
    assert "such as 3.11" in told.value.hint


def test_numbers_that_are_names_stay_as_written(tmp_path: Path) -> None:
    """`python: 3.10` and `version: 1.10` are what was written, not the numbers 3.1 and 1.1."""
    config = load_config(written(tmp_path, "python: 3.10\nversion: 1.10\nname: 7\n"))
    assert (config.python, config.version, config.name) == ("3.10", "1.10", "7")


def test_an_empty_file_is_all_defaults(tmp_path: Path) -> None:
    """A file with nothing in it changes nothing."""
    assert load_config(written(tmp_path, "# nothing\n")) == Config(file=tmp_path / "mlpack.yaml")


@pytest.mark.parametrize(
    ("said", "mode"), [("off", "off"), ("on", "on"), ("{mode: off}", "off"), ("{mode: auto, max_rows: 5}", "auto")]
)
def test_batch_off_is_short_for_its_mode(tmp_path: Path, said: str, mode: str) -> None:
    """YAML reads `off` as false; `serve: {batch: off}` means what it says, alone and inside."""
    file = tmp_path / "mlpack.yaml"
    file.write_text(f"serve: {{batch: {said}}}\n")
    assert load_config(file).serve.batch.mode == mode


def test_a_word_that_batch_does_not_know_is_told(tmp_path: Path) -> None:
    """`batch: sometimes` names the three modes."""
    file = tmp_path / "mlpack.yaml"
    file.write_text("serve: {batch: sometimes}\n")
    with pytest.raises(ConfigError, match="auto, on, off"):
        load_config(file)
