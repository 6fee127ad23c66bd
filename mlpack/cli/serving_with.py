"""`--serve-with`: the folder for a server of another project."""

from __future__ import annotations

from pathlib import Path

from mlpack.cli.wiring import Context
from mlpack.errors import UsageError


def write_for_server(context: Context, server: str, out: Path, *, trust: bool) -> int:
    """Write the model with another server's Dockerfile; raises UsageError where that server cannot serve it."""
    from mlpack.pipeline.render import model_name, put, render_for, slug

    known = {one.name: (name, one) for name, format_ in context.formats.items() for one in format_.other_servers}
    if server not in known:
        raise UsageError(f"no server {server!r} is known", hint=f"--serve-with {', '.join(known)}, or leave it out.")
    of_format, other = known[server]
    if context.config.predictor or context.include or context.config.include:
        raise UsageError(f"{other.title} runs no Python", hint="Leave --serve-with out to serve with code of your own.")
    info = context.prepare(trust=trust).info
    if info.format != of_format:
        raise UsageError(f"{other.title} takes a {other.takes}; {info.path.name} is {info.format}", hint=other.hint)
    name = (slug(context.config.name) if context.config.name else model_name(info.path)) or "model"
    files = render_for(
        other,
        info,
        name=name,
        version=context.config.version,
        base=context.config.build.base,
        templates=context.config.templates,
    )
    for file in files:
        put(file, out / file.name)
    context.console.document({"folder": str(out), "files": [file.name for file in files]})
    context.console.brief(str(out))
    port = f"{other.port}:{other.port}"
    context.console.text(
        f"Wrote {out}. mlpack does not build it: docker build -t {name} {out}; docker run -p {port} {name}"
    )
    return 0
