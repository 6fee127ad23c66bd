"""The main job from start to end: trains a model, inspects, packs and tests it, and asks its container a question."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent / "iris"
MLPACK = [sys.executable, "-m", "mlpack"]


def step(*words: str) -> None:
    """Shows a command and runs it, as a person would type it."""
    print(f"\n$ {' '.join(words)}", flush=True)
    command = [*MLPACK, *words[1:]] if words[0] == "mlpack" else [sys.executable, *words[1:]]
    code = subprocess.run(command, cwd=HERE, check=False).returncode
    if code:
        sys.exit(code)


def ask() -> None:
    """Serves the image, pastes the curl line that `mlpack run` prints, and ends it as Ctrl-C would."""
    print("\n$ mlpack run", flush=True)
    served = subprocess.Popen([*MLPACK, "run", "--json"], cwd=HERE, stdout=subprocess.PIPE, text=True)
    try:
        document = ""
        for line in served.stdout or ():
            document += line
            if line == "}\n":
                break
        curl = json.loads(document)["curl"]
        print(f"$ {curl}", flush=True)
        answer = subprocess.run(["sh", "-c", curl], capture_output=True, text=True, check=True).stdout
        print(answer)
        if "predictions" not in json.loads(answer):
            sys.exit("the container gave no prediction")
    finally:
        served.send_signal(signal.SIGINT)
        served.wait(timeout=30)


if __name__ == "__main__":
    os.environ.setdefault("COLUMNS", "120")
    step("python", "make_model.py")
    step("mlpack", "inspect", "model.pkl")
    step("mlpack", "build", "model.pkl")
    step("mlpack", "test")
    ask()
