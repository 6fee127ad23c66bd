"""The `serve:` settings, defined once: for the runtime, for mlpack.yaml, for the comments in serve.py."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, fields, is_dataclass, replace
from typing import Any, ClassVar, Dict, List, Mapping, Optional, Tuple, Union, get_type_hints

MODES = ("auto", "on", "off")
LEVELS = ("debug", "info", "warning", "error")
AUTO = "auto"
PREFIX = "MLPACK_SERVE_"
_UNITS = {"": 1, "b": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9, "kib": 2**10, "mib": 2**20, "gib": 2**30}
_WORDS = {"true": True, "on": True, "yes": True, "1": True, "false": False, "off": False, "no": False, "0": False}
_SIZE = re.compile(r"\s*(\d{1,15}(?:\.\d{1,6})?)\s*([a-zA-Z]{0,3})\s*")


def _setting(default: Any, explanation: str) -> Any:
    return field(default=default, metadata={"help": explanation})


@dataclass(frozen=True)
class Batch:
    """How requests that wait may be joined."""

    __pydantic_config__: ClassVar[Dict[str, str]] = {"extra": "forbid"}

    mode: Union[bool, str] = _setting(
        "auto",
        "auto joins where rows do not depend on each other; on insists, off never does (`batch: off` for short).",
    )
    max_rows: int = _setting(1024, "Rows that one call of the model takes at most when waiting requests are joined.")
    max_bytes: Union[int, str] = _setting("64MB", "Bytes of input that one call of the model takes at most.")

    def __post_init__(self) -> None:
        if isinstance(self.mode, bool):  # YAML reads `off` as false
            object.__setattr__(self, "mode", "on" if self.mode else "off")
        if self.mode not in MODES:
            raise ValueError(f"batch.mode: {self.mode!r} is not one of {', '.join(MODES)}")
        _positive("batch.max_rows", self.max_rows)
        _positive("batch.max_bytes", parse_size(self.max_bytes))

    @property
    def max_size(self) -> int:
        """`max_bytes` as a number."""
        return parse_size(self.max_bytes)


@dataclass(frozen=True)
class Settings:
    """Limits and habits of the server. Plain data, so that the host can check mlpack.yaml against the same class.

    Raises:
        ValueError: a value is out of range, or a size is not like `32MiB`.
    """

    __pydantic_config__: ClassVar[Dict[str, str]] = {"extra": "forbid"}

    port: int = _setting(
        8080, "TCP port. Stronger: --port, SAGEMAKER_BIND_TO_PORT, AIP_HTTP_PORT, PORT, in this order."
    )
    workers: int = _setting(
        1,
        "Server processes. One serves many clients; more share the model where its loader allows, else each has a copy.",
    )
    batch: Batch = field(default_factory=Batch, metadata={"help": "How requests that wait may be joined."})
    max_rows: int = _setting(10_000, "Rows in one request at most; more is answered with 413.")
    queue_rows: int = _setting(
        20_000, "Rows that may wait for the model at most; more is answered with 503, Retry-After."
    )
    deadline_s: float = _setting(60.0, "Seconds from a request's arrival to its answer at most; later is 504.")
    max_body: Union[int, str] = _setting("32MiB", "Size of a request's body at most; more is answered with 413.")
    max_bodies: Union[int, str] = _setting(
        "auto",
        "Size of all requests' bodies together at most; more is answered with 503, Retry-After. auto: a quarter of the memory.",
    )
    log: str = _setting("info", "Least severity that is logged: debug, info, warning or error.")
    log_payloads: bool = _setting(False, "Whether log lines tell the first rows of each request and answer.")

    def __post_init__(self) -> None:
        if isinstance(self.port, bool) or not 0 <= self.port <= 65535:
            raise ValueError(f"port: {self.port} is not between 0 and 65535")
        for name in ("workers", "max_rows", "queue_rows", "deadline_s"):
            _positive(name, getattr(self, name))
        _positive("max_body", parse_size(self.max_body))
        if self.max_bodies_bytes is not None:
            _positive("max_bodies", self.max_bodies_bytes)
        if self.log not in LEVELS:
            raise ValueError(f"log: {self.log!r} is not one of {', '.join(LEVELS)}")

    @property
    def max_body_bytes(self) -> int:
        """`max_body` in bytes."""
        return parse_size(self.max_body)

    @property
    def max_bodies_bytes(self) -> Optional[int]:
        """`max_bodies` in bytes, None where it follows the memory."""
        return None if self.max_bodies == AUTO else parse_size(self.max_bodies)

    @classmethod
    def describe(cls) -> List[Tuple[str, Any, str]]:
        """Every setting as (name, default, help); nested ones as `batch.max_rows`."""
        return [(name, default, explanation) for name, default, explanation, _ in _walk(cls(), "")]

    def with_environment(self, environ: Mapping[str, str]) -> Settings:
        """These settings with `MLPACK_SERVE_*` variables laid over them (`MLPACK_SERVE_BATCH_MAX_ROWS` for nested ones).

        Raises:
            ValueError: a variable's text does not fit its setting.
        """
        given = self
        for name, _, _, type_ in _walk(self, ""):
            variable = PREFIX + name.upper().replace(".", "_")
            if variable in environ:
                try:
                    given = _replaced(given, name.split("."), _from_text(environ[variable], type_))
                except ValueError as error:
                    raise ValueError(f"{variable}: {error}") from error
        return given

    @classmethod
    def unknown_variables(cls, environ: Mapping[str, str]) -> List[str]:
        """Variables that look like settings and are none (a misspelling, most likely)."""
        known = {PREFIX + name.upper().replace(".", "_") for name, _, _ in cls.describe()}
        return sorted(name for name in environ if name.startswith(PREFIX) and name not in known)


def parse_size(size: Union[int, str]) -> int:
    """Bytes from a number or a text: `64MB` is decimal, `32MiB` binary, no unit is bytes.

    Raises:
        ValueError: the text is not a size.
    """
    if isinstance(size, int) and not isinstance(size, bool):
        return size
    match = _SIZE.fullmatch(size) if isinstance(size, str) else None
    if match is None or match.group(2).lower() not in _UNITS:
        raise ValueError(f"{size!r} is not a size; write bytes, or a number with KB, MB, GB, KiB, MiB or GiB")
    return int(float(match.group(1)) * _UNITS[match.group(2).lower()])


def choose_port(settings: Settings, environ: Mapping[str, str]) -> int:
    """The port to listen on: SAGEMAKER_BIND_TO_PORT, AIP_HTTP_PORT, PORT, else the settings' own.

    Raises:
        ValueError: the variable is not a port number.
    """
    for name in ("SAGEMAKER_BIND_TO_PORT", "AIP_HTTP_PORT", "PORT"):
        text = environ.get(name, "").strip()
        if text:
            return parse_port(text, name)
    return settings.port


def parse_port(text: str, name: str) -> int:
    """A port number from text; `name` says where it was written.

    Raises:
        ValueError: not a number, or not between 0 and 65535.
    """
    if not (text.isascii() and text.isdigit() and len(text) <= 5 and int(text) <= 65535):
        raise ValueError(f"{name}: {text!r} is not a port number")
    return int(text)


def _positive(name: str, number: float) -> None:
    if isinstance(number, bool) or not isinstance(number, (int, float)) or not 0 < number < float("inf"):
        raise ValueError(f"{name}: {number} is not a positive number")


def _walk(settings: Any, prefix: str) -> List[Tuple[str, Any, str, Any]]:
    found: List[Tuple[str, Any, str, Any]] = []
    hints = get_type_hints(type(settings))
    for one in fields(settings):
        value = getattr(settings, one.name)
        if is_dataclass(value):
            found.extend(_walk(value, f"{prefix}{one.name}."))
        else:
            found.append((prefix + one.name, value, one.metadata["help"], hints[one.name]))
    return found


def _from_text(text: str, type_: Any) -> Any:
    if type_ is bool:
        if text.lower() not in _WORDS:
            raise ValueError(f"{text!r} is neither true nor false")
        return _WORDS[text.lower()]
    return type_(text) if type_ in (int, float) else text


def _replaced(settings: Any, path: List[str], value: Any) -> Any:
    if len(path) > 1:
        value = _replaced(getattr(settings, path[0]), path[1:], value)
    return replace(settings, **{path[0]: value})
