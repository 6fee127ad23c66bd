"""What a run found, counted and saved: Summary."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from tests.fuzz.cases import Failure, Input, Outcome

_KEPT = 3  # inputs of one failure: the smallest


@dataclass(kw_only=True)
class Found:
    """One failure: how often it came, and the smallest inputs that show it."""

    count: int = 0
    loaders: Counter[str] = field(default_factory=Counter)
    kept: list[tuple[int, str, int, str, str, Path]] = field(
        default_factory=list
    )  # size, kind, number, recipe, detail, path


@dataclass(kw_only=True)
class Summary:
    """Counts by kind, and each failure with inputs that are saved in `folder`."""

    folder: Path
    seconds: float = 0.0
    interrupted: bool = False
    inputs: Counter[str] = field(default_factory=Counter)
    spent: Counter[str] = field(default_factory=Counter)  # seconds, in milliseconds
    loaded: Counter[str] = field(default_factory=Counter)
    verdicts: Counter[tuple[str, str]] = field(default_factory=Counter)
    failures: dict[str, Found] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)

    def add(self, kind: str, number: int, made: Input | None, outcome: Outcome, seconds: float) -> None:
        """Count one input, and keep it where it failed."""
        self.inputs[kind] += 1
        self.spent[kind] += round(seconds * 1000)
        self.loaded[kind] += outcome.loaded
        self.verdicts[kind, outcome.verdict] += 1
        for failure in outcome.failures:
            if made is not None:
                self.fail(kind, number, made, failure)

    def fail(self, kind: str, number: int, made: Input, failure: Failure) -> None:
        """Count a failure, and save its input if it is one of the smallest."""
        key = f"{kind}: {failure.key}"
        found = self.failures.setdefault(key, Found())
        found.count += 1
        found.loaders[failure.loader] += 1
        if any(number == one[2] for one in found.kept):
            return
        if len(found.kept) >= _KEPT and len(made.data) >= found.kept[-1][0]:
            return
        if found.count == 1:
            print(f"FAILURE {key}, input {number}: {failure.detail}"[:400], flush=True)
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / f"{kind}-{number}{made.suffix}"
        path.write_bytes(made.data)
        found.kept.append((len(made.data), kind, number, made.recipe, failure.detail, path))
        found.kept.sort()
        del found.kept[_KEPT:]

    def line(self) -> str:
        """Progress in one line."""
        counts = ", ".join(f"{kind} {count}" for kind, count in sorted(self.inputs.items()))
        return f"{counts or 'starting'}; {len(self.failures)} failures"

    def report(self) -> str:
        """All of it, for people."""
        lines = [
            f"{sum(self.inputs.values())} inputs in {self.seconds:.0f} s{' (interrupted)' if self.interrupted else ''}"
        ]
        for kind, count in sorted(self.inputs.items()):
            rate = 1000 * count / max(1, self.spent[kind])
            verdicts = ", ".join(
                f"{verdict} {100 * number / count:.0f} %"
                for (one, verdict), number in sorted(self.verdicts.items())
                if one == kind
            )
            share = 100 * self.loaded[kind] / count
            lines.append(f"  {kind}: {count} inputs, {rate:.0f} a second and process; {share:.0f} % loaded; {verdicts}")
        lines += [f"  not run: the loaders {group!r}: {why}" for group, why in sorted(self.missing.items())]
        for key, found in sorted(self.failures.items(), key=lambda item: -item[1].count):
            by = ", ".join(f"{loader} {count}" for loader, count in found.loaders.most_common())
            lines.append(f"FAILURE {key} ({found.count} times: {by})")
            for size, kind, number, recipe, detail, path in found.kept:
                lines.append(f"  {size} bytes, {recipe}: {path}")
                lines.append(f"    {detail.strip()[:2000]}")
                lines.append(f"    again: python -m tests.fuzz --again {kind}:{number}")
        lines.append("no failures" if not self.failures else f"{len(self.failures)} kinds of failures")
        return "\n".join(lines)
