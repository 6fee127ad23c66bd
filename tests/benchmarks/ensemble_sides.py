"""The services of an ensemble as processes: members, our coordinator, and the one that people write by hand."""

from __future__ import annotations

import json
import pickle
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.datasets import load_iris
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.tree import DecisionTreeClassifier

from mlpack.ensembles.file import EnsembleFile, MemberEntry
from mlpack.ensembles.fitting import fit
from mlpack.ensembles.members import of_url
from tests.benchmarks import sides
from tests.benchmarks.sides import Running
from tests.contract.served import assemble

LOADER = "from mlpack.runtime.ensembles.coordinator import Coordinator\n"
# As tutorials show it: the view runs an event loop in which aiohttp asks all members at the same time.
BY_HAND = """\
import asyncio

import aiohttp
from flask import Flask, jsonify, request

MEMBERS = {members}
app = Flask(__name__)


async def ask(session, url, body):
    async with session.post(url + "/predict?method=predict_proba", json=body) as response:
        response.raise_for_status()
        return await response.json()


async def ask_all(body):
    async with aiohttp.ClientSession() as session:
        return await asyncio.gather(*[ask(session, url, body) for url in MEMBERS])


@app.route("/ready")
def ready():
    return jsonify(ready=True)


@app.route("/predict", methods=["POST"])
def predict():
    answers = asyncio.run(ask_all(request.get_json()))
    rows = zip(*[answer["predictions"] for answer in answers])
    return jsonify(predictions=[[sum(column) / len(column) for column in zip(*row)] for row in rows])
"""
Rows = list[tuple[str, float]]  # bodies of one row, each with the first number of its answer


@dataclass(frozen=True, kw_only=True)
class Member:
    """A model and its service."""

    name: str
    model: Any
    service: Running


class Services:
    """Starts the services of one comparison; the stack ends them."""

    def __init__(self, stack: ExitStack, folder: Path) -> None:
        self._stack = stack
        self._folder = folder

    def member(self, name: str, kind: str, seed: int) -> Member:
        """A service of ours for a model of this kind: `linear`, `bayes`, `tree` or `forest`."""
        features, labels = load_iris(return_X_y=True)
        chosen = np.random.default_rng(seed).choice(len(features), 100, replace=False)
        model: Any = {
            "linear": LogisticRegression(max_iter=500),
            "bayes": GaussianNB(),
            "tree": DecisionTreeClassifier(random_state=seed),
            "forest": RandomForestClassifier(100, random_state=seed),
        }[kind]
        file = self._folder / f"{name}.pkl"
        file.write_bytes(pickle.dumps(model.fit(features[chosen], labels[chosen])))
        return Member(name=name, model=model, service=self._run(name, sides.ours(self._folder / name, file)))

    def coordinator(self, name: str, reduce: str, members: Sequence[Member]) -> Running:
        """Our coordinator, whose plan is what `mlpack ensemble` makes of the running members."""
        output = "predict_proba" if reduce == "mean" else None
        entries = tuple(MemberEntry(name=one.name, url=one.service.url, output=output) for one in members)
        ensemble = EnsembleFile(name=name, reduce=reduce, members=entries, file=self._folder / "ensemble.yaml")
        fitted = fit(ensemble, [of_url(one) for one in entries])
        folder = self._folder / name
        plan = json.dumps(fitted.plan).encode()
        assemble(folder, model=plan, signatures=fitted.signatures, loader=LOADER)
        return self._run(name, [sys.executable, str(folder / "serve.py"), "--host", "127.0.0.1", "--port"])

    def by_hand(self, members: Sequence[Member]) -> Running:
        """The mean of the members, written with Flask and aiohttp: gunicorn with one worker of four threads."""
        folder = self._folder / "by-hand"
        folder.mkdir()
        text = BY_HAND.format(members=[one.service.url for one in members])
        return self._run("by-hand", sides.gunicorn(folder, text))

    def _run(self, name: str, command: list[str]) -> Running:
        return self._stack.enter_context(sides.running(command, self._folder / f"{name}.log"))


def probability_rows(members: Sequence[Member]) -> Rows:
    """Each row of iris, and the mean of the models' probabilities of the first class."""
    return _rows(np.mean([one.model.predict_proba(load_iris().data)[:, 0] for one in members], axis=0))


def _rows(wanted: Any) -> Rows:
    return [
        (json.dumps({"instances": [row]}), float(number))
        for row, number in zip(load_iris().data.tolist(), wanted, strict=True)
    ]
