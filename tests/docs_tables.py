"""The tables of docs/ that the code decides: `python -m tests.docs_tables` writes them anew, a test compares them."""

from __future__ import annotations

import inspect
import re
import sys
import types
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any, Union, get_args, get_origin, get_type_hints

import typer
from pydantic import BaseModel
from typer.models import OptionInfo

from mlpack import config
from mlpack.cli.app import TARGET_COMMANDS, app
from mlpack.cli.commands import ensemble as ensembles
from mlpack.cli.target_command import help_of, offered_options
from mlpack.config import Config, Settings
from mlpack.ensembles.file import EnsembleFile, MemberEntry
from mlpack.plugins import BUILT_IN, load
from mlpack.targets.cloudrun import settings as cloudrun
from mlpack.targets.compose import settings as compose
from mlpack.targets.settings import TargetSettings

DOCS = Path(__file__).parents[1] / "docs"
_MARKED = re.compile(r"(<!-- from the code: (\S+) -->\n).*?(<!-- end -->)", re.DOTALL)


@dataclass(frozen=True, kw_only=True)
class Word:
    """An option or argument of a command: `names` is empty for an argument; `value` is what it takes, "" for a flag.

    `repeats`: several values may be given.
    """

    names: tuple[str, ...]
    value: str
    default: Any
    help: str
    repeats: bool = False


def main() -> int:
    """Writes every page whose tables are not as the code says."""
    for page in (DOCS.parent / "README.md", *sorted(DOCS.glob("*.md"))):
        text = page.read_text(encoding="utf-8")
        new = filled(text)
        if new != text:
            page.write_text(new, encoding="utf-8")
            sys.stdout.write(f"wrote {page.relative_to(DOCS.parent)}\n")
    return 0


def filled(text: str) -> str:
    """A page with each marked part as the code has it now."""
    return _MARKED.sub(lambda found: f"{found[1]}\n{_TABLES[found[2]]().strip()}\n\n{found[3]}", text)


def commands() -> dict[str, Callable[..., Any]]:
    """The function of every command by its name, such as `ensemble up`, and of the program itself by ""."""
    found: dict[str, Callable[..., Any]] = {}
    if app.registered_callback is not None and app.registered_callback.callback is not None:
        found[""] = app.registered_callback.callback
    for command in app.registered_commands:
        if command.callback is not None:
            found[command.name or command.callback.__name__] = command.callback
    for group in app.registered_groups:
        assert group.typer_instance is not None
        for command in group.typer_instance.registered_commands:
            if command.callback is not None:
                name = command.name or command.callback.__name__
                found[f"{group.typer_instance.info.name} {name}"] = command.callback
    return found


def words(function: Callable[..., Any]) -> Iterator[Word]:
    """The arguments and options of a command, as its signature and the built-in targets declare them."""
    hints = get_type_hints(function, include_extras=True)
    for name, parameter in inspect.signature(function).parameters.items():
        if hints[name] is typer.Context:
            continue
        kind, told = get_args(hints[name])[:2]
        default = "required" if parameter.default is inspect.Parameter.empty else parameter.default
        flag = kind is bool or bool in get_args(kind)
        value = "" if flag else told.metavar or _kind(kind)
        # in Annotated the first name stands where a default would
        decls = [
            name
            for decl in (told.default, *(told.param_decls or ()))
            if isinstance(decl, str)
            for name in decl.split("/")  # --yes/--no
        ]
        names = tuple(decls) if isinstance(told, OptionInfo) else ()
        repeats = list in {get_origin(one) for one in (kind, *get_args(kind))}
        yield Word(names=names, value=value, default=default, help=told.help or "", repeats=repeats)
    taking = TARGET_COMMANDS.get(function) or ensembles.TARGET_COMMANDS.get(function)
    if taking is not None:
        yield from target_words(locating=taking.locating)


def target_words(*, locating: bool) -> Iterator[Word]:
    """The options that the built-in targets declare; only those that locate a service, if `locating`."""
    for offered in offered_options(None, among=tuple(BUILT_IN["targets"])):
        option = offered.option
        if option.locates or not locating:
            flags = (option.flag, f"--no-{option.flag.removeprefix('--')}") if option.kind == "flag" else (option.flag,)
            value = option.metavar or {"flag": "", "integer": "N"}.get(option.kind, "TEXT")
            yield Word(names=flags, value=value, default=None, help=help_of(offered))


def config_keys() -> Iterator[tuple[str, Any, str]]:
    """Every key of mlpack.yaml but those of `serve:`, as (dotted name, default, meaning)."""
    for name, field in Config.model_fields.items():
        inner = getattr(field.annotation, "model_fields", None)
        if inner:
            yield from ((f"{name}.{key}", one.default, one.description or "") for key, one in inner.items())
        elif name not in {"file", "serve"}:
            yield name, field.get_default(call_default_factory=True), field.description or ""


def variables() -> set[str]:
    """Every variable that stands for a key of mlpack.yaml, and every one that the container reads."""
    return {_variable(key) for key in (*config._plain_keys(), *(f"serve.{name}" for name, _, _ in Settings.describe()))}


def _commands() -> str:
    parts = []
    for name, function in commands().items():
        prose, _, examples = inspect.cleandoc(function.__doc__ or "").partition("\b\n")
        sentences = "\n\n".join(" ".join(paragraph.split()) for paragraph in prose.strip().split("\n\n"))
        taken = list(words(function))
        if not name:
            parts.append("## `mlpack`\n\nWithout a command, it shows its help.\n\n" + _options(taken))
            continue
        arguments = [
            (word.value if word.default == "required" else f"[{word.value}]") + ("..." if word.repeats else "")
            for word in taken
            if not word.names
        ]
        needed = [f"{word.names[0]} {word.value}" for word in taken if word.names and word.default == "required"]
        usage = " ".join(["mlpack", name, *arguments, *needed, "[OPTIONS]"])
        parts.append(f"## `mlpack {name}`\n\n{sentences}\n\n`{usage}`\n\n{_options(taken)}")
        shown = "\n".join(line for line in examples.splitlines() if line.startswith(("mlpack", "docker")))
        if shown:
            parts.append(f"```sh\n{shown}\n```")
    return "\n\n".join(parts)


def _options(taken: list[Word]) -> str:
    rows = []
    for word in sorted(taken, key=lambda word: bool(word.names)):
        value = f" {word.value}" if word.value else ""
        names = ", ".join(f"`{name}`" for name in word.names[1:])
        first = f"`{word.names[0]}{value}`" if word.names else f"`{word.value}`"
        default = "required" if word.default == "required" else _default(word.default)
        rows.append((", ".join(filter(None, (first, names))), default, word.help))
    return _table(("option", "default", "meaning"), rows)


def _kind(kind: Any) -> str:
    """What stands for a value: its choices, or a word for its type."""
    if get_origin(kind) in (Union, types.UnionType, list):
        kind = next(one for one in get_args(kind) if one is not type(None))
        return _kind(kind)
    if issubclass(kind, Enum):
        return "|".join(str(one.value) for one in kind)
    return {int: "N", float: "NUMBER", Path: "PATH"}.get(kind, "TEXT")


def _config() -> str:
    plain = set(config._plain_keys())
    return _table(
        ("key", "default", "variable", "meaning"),
        (
            (f"`{name}`", _default(default), f"`{_variable(name)}`" if name in plain else "", meaning)
            for name, default, meaning in config_keys()
        ),
    )


def _ensemble(kind: type[BaseModel]) -> str:
    fields = ((name, one) for name, one in kind.model_fields.items() if name != "file")
    return _table(
        ("key", "default", "meaning"),
        (
            (
                f"`{name}`",
                "required" if one.is_required() else _default(one.get_default(call_default_factory=True)),
                one.description or "",
            )
            for name, one in fields
            if name not in ("test", "serve", "members")
        ),
    )


def _serve() -> str:
    return _table(
        ("key", "default", "variable", "meaning"),
        (
            (f"`serve.{name}`", _default(default), f"`{_variable('serve.' + name)}`", meaning)
            for name, default, meaning in Settings.describe()
        ),
    )


def _formats() -> str:
    """Every kind of file, with how far it is supported: a test builds and checks an image, rendered only, recognised only."""
    found = [kind for name in BUILT_IN["formats"] for kind in load("formats", name).kinds]
    rows = []
    for kind in found:
        support = (
            "tested"
            if kind.proof
            else "rendered"
            if kind.serves and not kind.serves.startswith("nothing")
            else "recognised"
        )
        rows.append((kind.name, kind.reads, kind.serves or "your `predictor:`", support))
    return _table(("file", "read without running it", "served by", "support"), rows)


def _target_settings(kind: type[TargetSettings]) -> str:
    """The keys of a target's section in mlpack.yaml."""
    fields = kind.model_fields.items()
    return _table(
        ("setting", "default", "meaning"),
        (
            (f"`{name}`", _default(field.get_default(call_default_factory=True)), field.description or "")
            for name, field in fields
        ),
    )


def _variable(dotted: str) -> str:
    return "MLPACK_" + dotted.upper().replace(".", "_")


def _default(value: Any) -> str:
    if isinstance(value, Enum):
        value = value.value
    empty = value is None or value is False or value in ((), {}, [])
    return "" if empty else f"`{value}`"


def _table(header: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [header, tuple("---" for _ in header), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


_TABLES: dict[str, Callable[[], str]] = {
    "commands": _commands, "config": _config, "serve": _serve, "formats": _formats,
    "ensemble": lambda: _ensemble(EnsembleFile), "member": lambda: _ensemble(MemberEntry),
    "cloudrun": lambda: _target_settings(cloudrun.Settings), "compose": lambda: _target_settings(compose.Settings),
}  # fmt: skip

if __name__ == "__main__":
    sys.exit(main())
