"""`deploy: {compose: ...}`: the settings of a compose project."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from mlpack.targets.settings import TargetOption, TargetSettings


class Settings(TargetSettings):
    """`deploy: {compose: ...}`."""

    folder: Path | None = Field(default=None, description="folder of compose.yaml; default: .mlpack/compose/SERVICE")
    port: int | None = Field(
        default=None, ge=1, le=65535, description="port on 127.0.0.1; default: its current one, or 8080"
    )
    memory: str | None = Field(default=None, description="memory limit, such as 512m; default: from the test")
    cpu: float = Field(default=1.0, gt=0, description="maximum number of CPUs")
    env: dict[str, str] = Field(default_factory=dict, description="environment variables of the container")


OPTIONS: tuple[TargetOption, ...] = (
    TargetOption(flag="--memory", key="memory", help="Memory limit, such as 512m. Default: from the test."),
    TargetOption(flag="--cpu", key="cpu", help="Maximum number of CPUs."),
    TargetOption(flag="--env", key="env", kind="pairs", metavar="NAME=VALUE", help="Environment variable. Repeatable."),
)
