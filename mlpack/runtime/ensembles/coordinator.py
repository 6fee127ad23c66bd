"""The coordinator of an ensemble: Coordinator takes the place of a model, its members are services."""

from __future__ import annotations

import asyncio
import gc
import importlib.util
import os
import random
import threading
import time
from typing import Callable, Dict, List, Optional, Set

import aiohttp

from ..card import Card
from ..errors import CardError, NotReadyError, RequestError, ServeError
from ..models.loaded import Warmups
from ..models.predictor import Arrays, Call
from ..settings import Settings
from ..telemetry.logs import Log
from ..telemetry.metrics import Metrics
from .addresses import ReadyAddresses
from .fan_out import FanOut
from .identity import IdentityTokens, Token
from .member_client import MemberClient
from .member_metrics import MemberMetrics
from .plan import Member, Plan
from .predictor import EnsemblePredictor
from .reduction import CustomReduce, Reduction
from .resilience import RetryBudget

_CHECK_S = 1.0  # between two checks of a member
_CHECK_TIMEOUT_S = 2.0
_FAILURES = 2  # checks in a row that a member may fail before the ensemble is not ready
_IDLE_S = 50.0  # less than services keep idle connections
_ADDRESS_S = 1  # in which a member's addresses are kept: a container that replaces another one has a new address


class Coordinator:
    """The ensemble as a predictor and its state. `start` is called before the event loop runs, `begin` in it.

    It is ready when its required members are and the first fan-out was answered; later its readiness follows the members'
    own, which a background task checks every second. Requests are tried all the time after it was ready once.
    """

    needs_task = False

    def __init__(self, card: Card, settings: Settings, log: Log, metrics: Metrics) -> None:
        self.card = card
        self.ready = False
        self.accepts = False
        self.failed = False
        self.reason = "the members are being checked"
        self.unverified = ""
        self.decided = threading.Event()
        self._plan = Plan.read(card.model, os.environ)
        self._settings = settings
        self._log = log
        self._metrics = metrics
        self._custom = _own_reduce(card)
        self._warmups: Warmups = []
        self._checked: Set[str] = set()
        self._problems: Dict[str, str] = {}
        self._failures = {member.name: 0 for member in self._plan.members}
        self._clients: Dict[str, MemberClient] = {}
        self._predictor: Optional[EnsemblePredictor] = None
        self._session: Optional[aiohttp.ClientSession] = None
        self._tasks: List[asyncio.Task[None]] = []

    async def predict(self, call: Call) -> Arrays:
        """The ensemble's outputs: see EnsemblePredictor."""
        if self._predictor is None:
            raise NotReadyError(self.reason)
        return await self._predictor.predict(call)

    def start(self, warmups: Warmups, _on_failure: Callable[[], None]) -> None:
        """Keep the rows of the first fan-out."""
        self._warmups = warmups

    def begin(self) -> None:
        """Open the session, and begin to check the members."""
        addresses = ReadyAddresses(self._plan.members, aiohttp.DefaultResolver())
        connector = aiohttp.TCPConnector(
            limit=0, limit_per_host=256, keepalive_timeout=_IDLE_S, resolver=addresses, ttl_dns_cache=_ADDRESS_S
        )  # fmt: skip
        cookies = aiohttp.DummyCookieJar()  # keeps none: no call of a member depends on an earlier one
        session = aiohttp.ClientSession(connector=connector, auto_decompress=False, cookie_jar=cookies)
        self._session = addresses.session = session
        member_metrics = MemberMetrics([one.name for one in self._plan.members], self._circuit)
        self._metrics.more = member_metrics.lines
        budget, tokens = RetryBudget(), IdentityTokens(session)
        for member in self._plan.members:
            token: Optional[Token] = tokens.for_audience(member.audience) if member.audience else None
            self._clients[member.name] = MemberClient(member, session, budget, member_metrics, token)
        reduction = Reduction(self._plan, self._custom, self.card.signatures[0])
        fan_out = FanOut(self._plan, self._clients, reduction)
        self._predictor = EnsemblePredictor(self.card, fan_out, self._settings, self._metrics, member_metrics)
        gc.freeze()
        self._tasks = [asyncio.ensure_future(self._watch(member)) for member in self._plan.members]

    def stop(self, _timeout_s: float) -> bool:
        """Nothing of it runs outside the event loop, which has ended."""
        return True

    async def end(self) -> None:
        """End the checks and close all connections to members."""
        for task in self._tasks:
            task.cancel()
        if self._predictor is not None:
            self._predictor.stop()
        if self._session is not None:
            await self._session.close()

    def _circuit(self, member: str) -> str:
        return self._clients[member].breaker.state

    async def _watch(self, member: Member) -> None:
        """Check the member for as long as the server runs."""
        while True:
            problem = await self._clients[member.name].ready(_CHECK_TIMEOUT_S)
            self._checked.add(member.name)
            self._failures[member.name] = self._failures[member.name] + 1 if problem else 0
            if not problem:
                self._problems.pop(member.name, None)
                self._clients[member.name].problem = ""
            elif not self.accepts or self._failures[member.name] >= _FAILURES:
                if member.name not in self._problems:
                    self._log.write("warning", f"member {member.name} is not ready: {problem}", member=member.name)
                self._problems[member.name] = self._clients[member.name].problem = problem
            await self._decide()
            await asyncio.sleep(_CHECK_S * random.uniform(0.8, 1.2))  # noqa: S311 - jitter, no secret

    async def _decide(self) -> None:
        """Set the readiness by what is known of the members."""
        needed = [one.name for one in self._plan.members if one.required] or [one.name for one in self._plan.members]
        away = [name for name in needed if name in self._problems]
        if not any(one.required for one in self._plan.members) and len(away) < len(needed):
            away = []  # any optional member is enough
        if away:
            self.reason = f"member {away[0]} is not ready: {self._problems[away[0]]}"
            self.ready = False
        elif self.accepts:
            self.reason = ""
            self.ready = True
        elif self._checked.issuperset(needed):
            await self._first_fan_out()

    async def _first_fan_out(self) -> None:
        """Answer the sample rows, or rows made from the signature, before the first request is taken."""
        started = time.perf_counter()
        warmup = self._warmups[0]
        for inputs in warmup.candidates:
            call = Call(warmup.signature, inputs, time.perf_counter() + self._settings.deadline_s)
            try:
                await self.predict(call)
            except RequestError as error:
                self.unverified = f"the members failed on rows made from the signature: {error.message}"
                if warmup.given:
                    self.reason = f"the members failed on the sample rows: {error.message}"
                    return
            except ServeError as error:
                self.reason = error.message
                return
            else:
                self.unverified = ""
                break
        self.ready = self.accepts = True
        self.reason = ""
        self.decided.set()
        self._metrics.ready()
        seconds = round(time.perf_counter() - started, 3)
        self._log.write("info", "ready", model=self.card.name, verified=not self.unverified, seconds=seconds)


def _own_reduce(card: Card) -> Optional[CustomReduce]:
    """The function `reduce` in the user's own file, which the card names; None where it names none. Raises CardError."""
    name = card.options.get("reduce")
    if not name:
        return None
    spec = importlib.util.spec_from_file_location("reduce", card.folder / str(name))
    try:
        if spec is None or spec.loader is None:
            raise ImportError(f"{name} is no Python file")  # noqa: TRY301 - reported like the others
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        found: CustomReduce = module.reduce
    except Exception as error:
        raise CardError(f"{name} cannot be used: {type(error).__name__}: {error}") from error
    return found
