"""Report, the result of a test, and its Checks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Check:
    """The result of one check: `seconds` is its duration; `detail` is what was observed; `hint` is a remedy."""

    name: str
    ok: bool
    seconds: float
    detail: str = ""
    hint: str = ""

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Check:
        """Parse a check of a receipt; only `true` means passed."""
        return cls(
            name=str(document.get("name")),
            ok=document.get("ok") is True,
            seconds=float(document.get("seconds") or 0),
            detail=str(document.get("detail", "")),
            hint=str(document.get("hint", "")),
        )

    def to_json(self) -> dict[str, Any]:
        """The check as plain JSON values."""
        return {
            "name": self.name,
            "ok": self.ok,
            "seconds": round(self.seconds, 4),
            "detail": self.detail,
            "hint": self.hint,
        }


@dataclass(frozen=True, kw_only=True)
class Report:
    """All checks of one image and its measurements: milliseconds, MiB (peak memory), bytes (image size).

    `golden` is the golden request, with the container's answer, which the deployed service must give too.
    """

    checks: tuple[Check, ...]
    cold_start_ms: float | None = None
    latency_ms: Mapping[str, float] = field(default_factory=dict)
    peak_memory_mb: float | None = None
    image_size: int = 0
    golden: Mapping[str, Any] | None = None

    @property
    def ok(self) -> bool:
        """True if there are checks and all passed."""
        return bool(self.checks) and all(check.ok for check in self.checks)

    @classmethod
    def from_json(cls, document: Any) -> Report:
        """Parse the report of a receipt; malformed checks are ignored. Raises ValueError for malformed measurements."""
        data = document if isinstance(document, dict) else {}
        checks = data.get("checks") if isinstance(data.get("checks"), list) else []
        try:
            return cls(
                checks=tuple(Check.from_json(check) for check in checks or () if isinstance(check, dict)),
                cold_start_ms=data.get("cold_start_ms"),
                latency_ms=data.get("latency_ms") or {},
                peak_memory_mb=data.get("peak_memory_mb"),
                image_size=int(data.get("image_size") or 0),
                golden=data.get("golden") if isinstance(data.get("golden"), dict) else None,
            )
        except TypeError as error:
            raise ValueError(f"its report is malformed: {error}") from error

    def to_json(self) -> dict[str, Any]:
        """The report as plain JSON values."""
        return {
            "ok": self.ok,
            "checks": [check.to_json() for check in self.checks],
            "cold_start_ms": self.cold_start_ms,
            "latency_ms": dict(self.latency_ms),
            "peak_memory_mb": self.peak_memory_mb,
            "image_size": self.image_size,
            "golden": None if self.golden is None else dict(self.golden),
        }
