"""Sizes: by what was measured, and only pairs that Cloud Run takes."""

from __future__ import annotations

import pytest

from mlpack.artifacts.report import Report
from mlpack.errors import UsageError
from mlpack.targets.cloudrun.planning import cost_of
from mlpack.targets.cloudrun.sizes import (
    check_pair,
    cpu_for,
    measured_memory,
    memory_text,
    parse_cpu,
    parse_memory,
    probe_times,
)  # fmt: skip


@pytest.mark.parametrize(
    ("text", "mebibytes"),
    [("512Mi", 512), ("1Gi", 1024), ("1GiB", 1024), ("1.5Gi", 1536), ("1G", 954), ("2GB", 1908)],
)
def test_memory_is_read(text: str, mebibytes: int) -> None:
    """As Cloud Run writes it, and as people do."""
    assert parse_memory(text) == mebibytes


@pytest.mark.parametrize("text", ["", "1", "lots", "-1Gi", "1Ti"])
def test_other_texts_are_no_memory(text: str) -> None:
    """A ValueError that shows how it is written."""
    with pytest.raises(ValueError, match="such as 512Mi"):
        parse_memory(text)


@pytest.mark.parametrize(
    ("peak", "memory"), [(None, None), (80, 512), (290, 512), (310, 1024), (3000, 8192), (90_000, 32768)]
)
def test_the_measured_peak_decides(peak: float | None, memory: int | None) -> None:
    """Half as much again, in the steps that people use."""
    assert measured_memory(Report(checks=(), peak_memory_mb=peak)) == memory


@pytest.mark.parametrize(
    ("cpu", "memory", "concurrency"),
    [("1", "4Gi", 80), ("2", "8Gi", 80), ("4", "2Gi", None), ("8", "32Gi", None), ("0.5", "1Gi", 1), ("80m", "512Mi", 1),
     (None, "16Gi", None), ("4", None, None)],
)  # fmt: skip
def test_good_pairs_pass(cpu: str | None, memory: str | None, concurrency: int | None) -> None:
    """The pairs of Cloud Run's documentation, and halves of which the other is chosen."""
    check_pair(cpu, memory, concurrency)


@pytest.mark.parametrize(
    ("cpu", "memory", "concurrency", "words"),
    [
        ("1", "8Gi", None, "--cpu 2"),
        ("4", "1Gi", None, "--memory 2Gi"),
        ("8", "2Gi", None, "--memory 4Gi"),
        ("2", "64Gi", None, "at most 32Gi"),
        ("0.1", "1Gi", None, "--cpu 1"),
        ("0.5", "512Mi", 80, "one request at a time"),
        ("3", "1Gi", None, "does not allow it"),
        ("many", "1Gi", None, "does not allow it"),
    ],
)
def test_bad_pairs_are_told_with_a_good_one(cpu: str, memory: str, concurrency: int | None, words: str) -> None:
    """Before any call: what does not fit, and what would."""
    with pytest.raises(UsageError) as told:
        check_pair(cpu, memory, concurrency)
    assert words in f"{told.value.message} {told.value.hint}"


def test_chosen_pairs_are_good_ones() -> None:
    """Whatever memory is measured, the CPUs chosen for it may have it."""
    for memory in (512, 1024, 2048, 4096, 8192, 16384, 24576, 32768):
        check_pair(cpu_for(memory), memory_text(memory), None)
        assert parse_cpu(cpu_for(memory)) >= 1


@pytest.mark.parametrize("cold_ms", [None, 100, 9_000, 25_000, 500_000])
def test_the_probe_waits_long_enough_and_not_too_long(cold_ms: float | None) -> None:
    """At least a minute, six times the measured start, and never more than the 240 s that Cloud Run allows."""
    period, failures = probe_times(Report(checks=(), cold_start_ms=cold_ms))
    assert 60 <= period * failures <= 240
    assert period * failures >= min(240, 6 * (cold_ms or 0) / 1000)


def test_the_price_follows_what_is_bought() -> None:
    """Nothing for nothing; more instances, another tier and CPU all the time cost more."""
    report = Report(checks=(), latency_ms={"p50": 2.0})

    def cost(region: str = "europe-west1", least: int = 0, *, always: bool = False) -> tuple[float, float]:
        found = cost_of(region=region, cpus=1.0, memory_mib=512, min_instances=least, always=always, report=report)
        assert "prices of 20" in found.basis
        assert "https://" in found.basis
        return found.idle_month, found.million_requests

    assert cost()[0] == 0
    assert 2 < cost()[1] < 4
    assert cost(least=2)[0] == 2 * cost(least=1)[0] > 0
    assert cost("asia-southeast1")[1] > cost()[1]
    assert cost(least=1, always=True)[0] > cost(least=1)[0]
