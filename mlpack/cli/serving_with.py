"""`--serve-with`: the folder for a server that is not ours."""

from __future__ import annotations

from pathlib import Path

from mlpack.cli.wiring import Context
from mlpack.errors import UsageError

TF_SERVING = "tf-serving"


def write_tf_serving(context: Context, server: str, out: Path, *, trust: bool) -> int:
    """Writes a SavedModel with TensorFlow Serving's Dockerfile; raises UsageError for another server's name, or own code."""
    from mlpack.pipeline.render import model_name, put, slug
    from mlpack.pipeline.tensorflow_serving import render_tf_serving

    if server != TF_SERVING:
        raise UsageError(f"no server {server!r} is known", hint=f"--serve-with {TF_SERVING}, or leave it out.")
    if context.config.predictor or context.include or context.config.include:
        raise UsageError(
            "TensorFlow Serving runs no Python", hint="Leave --serve-with out to serve with code of your own."
        )
    info = context.prepare(trust=trust).info
    name = (slug(context.config.name) if context.config.name else model_name(info.path)) or "model"
    files = render_tf_serving(
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
    context.console.text(
        f"Wrote {out}. mlpack does not build it: docker build -t {name} {out}; docker run -p 8501:8501 {name}"
    )
    return 0
