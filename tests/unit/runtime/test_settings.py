"""The settings: one class for the server, for mlpack.yaml, for the comments in serve.py."""

from __future__ import annotations

import dataclasses
from typing import Any

import pydantic
import pytest

from mlpack.runtime.settings import Batch, Settings, choose_port, parse_size


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("64MB", 64_000_000),
        ("32MiB", 2**25),
        ("1.5 kb", 1500),
        ("7", 7),
        (7, 7),
        ("1GiB", 2**30),
        ("12 B", 12),
        ("1gb", 10**9),
    ],
)
def test_sizes(text: Any, size: int) -> None:
    """Decimal and binary units, any case, and plain bytes."""
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "MB", "1.2.3MB", "-1MB", "1 TB", "32 MiBs", "1e3", None, True, 1.5, "9" * 400])
def test_what_is_no_size(text: Any) -> None:
    """Everything else is refused and quoted."""
    with pytest.raises(ValueError, match="is not a size"):
        parse_size(text)


def test_the_defaults_are_the_documented_ones() -> None:
    """One vocabulary: the defaults of `serve:` in mlpack.yaml."""
    assert dataclasses.asdict(Settings()) == {
        "port": 8080, "workers": 1, "batch": {"mode": "auto", "max_rows": 1024, "max_bytes": "64MB"}, "max_rows": 10_000,
        "queue_rows": 20_000, "deadline_s": 60.0, "max_body": "32MiB", "max_bodies": "auto", "log": "info",
        "log_payloads": False,
    }  # fmt: skip


def test_every_setting_is_described() -> None:
    """describe() names each with its default and a sentence, nested ones by a dot."""
    described = {name: (default, explanation) for name, default, explanation in Settings.describe()}
    assert described["batch.max_bytes"][0] == "64MB"
    assert set(described) == {
        *{field.name for field in dataclasses.fields(Settings)} - {"batch"},
        "batch.mode",
        "batch.max_rows",
        "batch.max_bytes",
    }
    assert all(explanation.endswith(".") and len(explanation) > 20 for _, explanation in described.values())


class Config(pydantic.BaseModel):
    """As the host has it."""

    serve: Settings = Settings()


def test_pydantic_takes_the_same_class() -> None:
    """The host validates mlpack.yaml through these dataclasses: nested, typed, with our own checks."""
    config = Config.model_validate({"serve": {"max_rows": 5, "batch": {"max_bytes": "1MB"}, "deadline_s": 2}})
    assert config.serve == Settings(max_rows=5, batch=Batch(max_bytes="1MB"), deadline_s=2.0)


@pytest.mark.parametrize(
    "serve",
    [
        {"max_row": 5}, {"batch": {"max_row": 5}}, {"max_rows": 0}, {"max_rows": "many"}, {"port": 70_000}, {"log": "loud"},
        {"max_body": "32 bananas"}, {"max_bodies": "some"}, {"max_bodies": 0}, {"batch": {"max_bytes": "x"}}, {"deadline_s": -1},
        {"deadline_s": float("nan")},        {"workers": 1.5}, {"queue_rows": None}, {"batch": 5}, {"deadline_s": float("inf")},
    ],
)  # fmt: skip
def test_pydantic_refuses_what_does_not_fit(serve: Any) -> None:
    """Misspelt keys at any depth, wrong types and values out of range."""
    with pytest.raises(pydantic.ValidationError):
        Config.model_validate({"serve": serve})


def test_the_environment_is_laid_over() -> None:
    """MLPACK_SERVE_*, nested by an underscore, typed by the field."""
    given = {
        "MLPACK_SERVE_MAX_ROWS": "7",
        "MLPACK_SERVE_BATCH_MAX_ROWS": "8",
        "MLPACK_SERVE_DEADLINE_S": "1.5",
        "OTHER": "x",
    }
    settings = Settings(queue_rows=9).with_environment(given)
    assert (settings.max_rows, settings.batch.max_rows, settings.deadline_s, settings.queue_rows) == (7, 8, 1.5, 9)
    with pytest.raises(ValueError, match="MLPACK_SERVE_MAX_ROWS"):
        Settings().with_environment({"MLPACK_SERVE_MAX_ROWS": "-7"})
    assert Settings.unknown_variables({"MLPACK_SERVE_MAX_ROW": "", "MLPACK_SERVE_LOG": "", "PATH": ""}) == [
        "MLPACK_SERVE_MAX_ROW"
    ]


def test_the_order_of_ports() -> None:
    """An empty variable is none."""
    assert choose_port(Settings(port=1), {}) == 1
    assert choose_port(Settings(port=1), {"PORT": "2", "AIP_HTTP_PORT": "", "SAGEMAKER_BIND_TO_PORT": " "}) == 2
    assert choose_port(Settings(), {"PORT": "2", "AIP_HTTP_PORT": "3"}) == 3
    assert choose_port(Settings(), {"PORT": "2", "AIP_HTTP_PORT": "3", "SAGEMAKER_BIND_TO_PORT": "4"}) == 4
    for bad in ("x", "-1", "65536", "8080.0", "٣"):
        with pytest.raises(ValueError, match="PORT"):
            choose_port(Settings(), {"PORT": bad})
