"""The main job from start to end: trains a model, inspects, packs and tests it, and asks its container a question.

Without a container engine the model is tested and asked in a local process, which is said: it is not the image.
"""

import json
import os
import shlex
import shutil
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mlpack.engines.docker import DockerEngine
from mlpack.errors import MlpackError

HERE = Path(__file__).parent / "iris"
MLPACK = [sys.executable, "-m", "mlpack"]
PATIENCE_S = 60


def step(*words: str) -> None:
    """Shows a command and runs it, as a person would type it."""
    print(f"\n$ {' '.join(words)}", flush=True)
    command = [*MLPACK, *words[1:]] if words[0] == "mlpack" else [sys.executable, *words[1:]]
    with started(command) as process:
        code = process.wait()
    if code:
        sys.exit(code)


def ask(*words: str) -> None:
    """Serves the model, pastes the curl line that `mlpack run` prints, and ends the service."""
    print(f"\n$ mlpack run {' '.join(words)}".rstrip(), flush=True)
    with started([*MLPACK, "run", "--json", *words], stdout=subprocess.PIPE) as served:
        document = ""
        for line in served.stdout or ():
            document += line
            if line == "}\n":
                break
        try:
            curl = json.loads(document)["curl"]
        except (ValueError, KeyError):  # it ended, and what it wrote says why
            print(document, file=sys.stderr)
            sys.exit(served.wait() or 1)
        print(f"$ {curl}", flush=True)
        answer = pasted(curl)
        print(answer)
        if '"predictions"' not in answer:
            sys.exit("the service gave no prediction")


@contextmanager
def started(command: list[str], stdout: int | None = None) -> Iterator[subprocess.Popen[str]]:
    """A process that ends with the `with`: by SIGTERM, because in a CI step or after `nohup` SIGINT may be ignored."""
    process = subprocess.Popen(command, cwd=HERE, stdout=stdout, text=True)
    try:
        yield process
    finally:
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(PATIENCE_S)
            except subprocess.TimeoutExpired:
                process.kill()
                print(f"{shlex.join(command)} did not end within {PATIENCE_S} s and was killed", file=sys.stderr)


def pasted(curl: str) -> str:
    """What the line answers in a shell; asked by Python where there is no curl."""
    if shutil.which("curl"):
        done = subprocess.run(["sh", "-c", curl], stdout=subprocess.PIPE, text=True, check=False)
        if done.returncode:
            sys.exit(f"the service did not answer: curl ended with exit code {done.returncode}")
        return done.stdout
    url, header, body = (word for word in shlex.split(curl)[1:] if word not in {"-s", "-H", "-d"})
    request = urllib.request.Request(url, body.encode(), dict([header.split(": ", 1)]))  # noqa: S310  # our own service
    try:
        with urllib.request.urlopen(request) as answer:  # noqa: S310  # as above
            return str(answer.read().decode())
    except OSError as error:
        sys.exit(f"the service did not answer: {error}")


def engine_answers(words: list[str]) -> bool:
    """Whether there is a container engine to use; says why when there is none."""
    why = "--engine=process was asked for"
    if "--engine=process" not in words:
        try:
            DockerEngine.connect().close()
        except MlpackError as error:
            why = error.message
        else:
            return True
    print(f"\nNo container engine: {why}.")
    print("The demo goes on with --engine process: the model in a local process, which is NOT the image.", flush=True)
    return False


def main() -> None:
    """All steps in order; the first that fails ends the demo with its exit code."""
    os.environ.setdefault("COLUMNS", "120")
    step("python", "make_model.py")
    step("mlpack", "inspect", "model.pkl")
    if engine_answers(sys.argv):
        step("mlpack", "build", "model.pkl")
        step("mlpack", "test")
        ask()
    else:
        step("mlpack", "test", "--engine", "process", "model.pkl")
        ask("--engine", "process", "model.pkl")


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
