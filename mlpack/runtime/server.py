"""The server process: serve() listens, loads the model, serves until SIGTERM, drains, and returns the exit code."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, List, Optional, Sequence, Tuple, Union

if TYPE_CHECKING:  # everything else is imported after the signal handlers are set
    import socket

    from .card import Card
    from .models.registry import ModelRegistry
    from .settings import Settings
    from .telemetry.logs import Log
    from .telemetry.metrics import Metrics

_BACKLOG = 2048
_ALL = "0.0.0.0"  # noqa: S104 - a container is reached from outside; the platform decides by whom
_HELP = (
    "usage: serve.py [serve|check] [--port N] [--host ADDRESS]   "
    "settings: see the comments in serve.py, or MLPACK_SERVE_* variables"
)


class _Stop:
    """Whether to stop, by a signal or because the model cannot be loaded; `code` is the exit code of the process."""

    def __init__(self) -> None:
        self.wanted = False
        self.code = 0
        self.registry: Optional[ModelRegistry] = None
        self.server: Any = None

    def on_signal(self, _number: int, _frame: object) -> None:
        self.request(0)

    def request(self, code: int) -> None:
        self.wanted = True
        self.code = self.code or code
        if self.registry is not None:
            self.registry.draining = True
        if self.server is not None:
            self.server.should_exit = True


def serve(
    loader: Any,
    card: Union[str, Path] = "model.json",
    settings: Optional[Settings] = None,
    argv: Sequence[str] = (),
    signature: Optional[str] = None,
) -> int:
    """Serve the card's model until SIGTERM or SIGINT; the exit code: 0 drained, 1 the model or its card is broken, 2 usage.

    `loader` is a module (or object) with `load` and `predict`. `card` is relative to the folder of the program that was
    started. `argv` may hold `--port N`, `--host ADDRESS` (IPv4; by default all), and the word `serve`, which some platforms
    add. With the word `check` the model is loaded and warmed up, and nothing is served. `signature` is the one for requests
    that name none, by default the card's first.
    """
    stop = _Stop()
    for number in (signal.SIGTERM, signal.SIGINT):  # as PID 1 there is no default action, so ours comes first
        signal.signal(number, stop.on_signal)

    from .errors import CardError, StartError
    from .telemetry.logs import SEVERITIES, start_log

    log = start_log("info")
    try:
        if "--help" in argv or "-h" in argv:
            log.write("info", _HELP)
            return 0
        folder = Path(getattr(sys.modules["__main__"], "__file__", None) or "serve.py").resolve().parent
        from .card import Card

        chosen, host, port = _settings(settings, list(argv), log)
        log.level = SEVERITIES[chosen.log]
        if "check" in argv:
            return _check(loader, Card.read(folder / card).led_by(signature), chosen, log)
        return _serve(loader, Card.read(folder / card).led_by(signature), chosen, (host, port), log, stop)
    except StartError as error:
        log.write("critical", str(error), **({"start_failure": "card"} if isinstance(error, CardError) else {}))
        return error.exit_code
    except Exception as error:  # noqa: BLE001 - the last resort: only the log can show it
        log.failure(f"the server failed: {error}", error)
        return 1
    finally:
        log.close()


def _check(loader: Any, card: Card, settings: Settings, log: Log) -> int:
    from .models.loaded import LoadedModel
    from .telemetry.metrics import Metrics

    coordinator = getattr(loader, "Coordinator", None)
    if coordinator is not None:  # its members are checked when they run
        coordinator(card, settings, log, Metrics())
        return 0
    return 0 if LoadedModel(card, loader, log, Metrics()).load(_warmups(card, settings), lambda: None) else 1


def _serve(loader: Any, card: Card, settings: Settings, address: Tuple[str, int], log: Log, stop: _Stop) -> int:
    started = time.perf_counter()
    listener = _listen(address)

    # imported after the port is bound, so that no connection is refused meanwhile
    from .telemetry.metrics import Metrics

    if settings.workers > 1 and hasattr(loader, "Coordinator"):
        log.write("warning", "the coordinator of an ensemble has one worker; the setting `workers` has no effect")
    elif settings.workers > 1 and hasattr(os, "fork"):
        return _serve_with_workers(loader, card, settings, listener, log, stop)
    service = _Service(loader, card, settings, log, stop, Metrics())
    service.predictor.start(_warmups(card, settings), lambda: stop.request(1))
    log.write("info", "listening", port=address[1], model=card.name, seconds=round(time.perf_counter() - started, 3))
    _run(service.server, listener)
    return _end(service.predictor, log, stop)


class _Service:
    """One process's model, contracts and server. All modules are imported before any thread starts.

    Two threads that import at the same time can see modules that are not complete.
    """

    def __init__(self, loader: Any, card: Card, settings: Settings, log: Log, stop: _Stop, metrics: Metrics) -> None:
        from .app import App
        from .http.body_budget import make_budget
        from .http.server import Server
        from .models.batching import BatchingPredictor
        from .models.loaded import LoadedModel
        from .models.registry import Entry, ModelRegistry
        from .protocols import all_routes

        coordinator = getattr(loader, "Coordinator", None)  # of an ensemble, whose members are services
        if coordinator is None:
            self.model: Any = LoadedModel(card, loader, log, metrics)
            self.predictor: Any = BatchingPredictor(self.model, settings, log, metrics)
        else:
            self.model = self.predictor = coordinator(card, settings, log, metrics)
        stop.registry = ModelRegistry(metrics, Entry(card, self.predictor, self.model))
        routes = all_routes(stop.registry, settings)
        metrics.know(route.path for route in routes)
        budget = make_budget(settings.max_bodies_bytes, settings.max_body_bytes, settings.workers)
        self.server = stop.server = Server(App(routes, settings, log, metrics), budget)
        if coordinator is not None:
            self.server.when_started, self.server.at_end = self.model.begin, self.model.end
        self.server.should_exit = stop.wanted


def _serve_with_workers(
    loader: Any, card: Card, settings: Settings, listener: socket.socket, log: Log, stop: _Stop
) -> int:
    from .telemetry.logs import start_log
    from .telemetry.metrics import Metrics
    from .workers import Preloaded, Workers, watch_parent

    _Service(loader, card, settings, log, _Stop(), Metrics())  # imports all that the workers share
    metrics = Metrics(settings.workers + 1)
    shared = Preloaded(loader) if getattr(loader, "SHARED_BY_FORKS", False) else None
    parent = os.getpid()

    def run(slot: int, has_model: bool) -> int:  # in the child, which has none of the parent's threads
        own = _Stop()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, own.on_signal)
        own_log = start_log(settings.log)
        metrics.use(slot)
        watch_parent(parent, lambda: own.request(0))
        service = _Service(shared or loader, card, settings, own_log, own, metrics)
        if has_model:
            service.predictor.start(_warmups(card, settings), lambda: own.request(1))
            while not service.model.decided.wait(0.05) and not own.wanted:
                pass
            if not own.wanted:
                metrics.mark()
            # until then the standby process accepts connections
            while not metrics.marked(settings.workers) and not own.wanted:
                time.sleep(0.005)
        else:
            service.server.when_closed = metrics.mark
        service.server.should_exit = own.wanted
        _run(service.server, listener)
        code = _end(service.predictor, own_log, own)
        own_log.close()
        return code

    workers = Workers(card, settings.workers, run, metrics, log, lambda: stop.wanted)
    log.write("info", "listening", port=listener.getsockname()[1], model=card.name, workers=settings.workers)
    code = workers.serve(None if shared is None else lambda: shared.load_for_all(card, log))
    log.write("info" if code == 0 else "critical", "stopped", exit=code)
    return code


def _settings(settings: Optional[Settings], argv: List[str], log: Log) -> Tuple[Settings, str, int]:
    from .errors import StartError
    from .settings import Settings, choose_port, parse_port

    try:
        chosen = (settings or Settings()).with_environment(os.environ)
        host, port = _ALL, choose_port(chosen, os.environ)
        words = [word for word in argv if word not in ("serve", "check")]
        while words:
            name, _, value = words.pop(0).partition("=")
            if name not in ("--port", "--host") or not (value or words):
                raise ValueError(f"the argument {name!r} is not known; {_HELP}")  # noqa: TRY301 - reported like the others
            value = value or words.pop(0)
            if name == "--port":
                port = parse_port(value, name)
            else:
                host = value
    except ValueError as error:
        raise StartError(str(error), exit_code=2) from error
    for name in Settings.unknown_variables(os.environ):
        log.write("warning", f"{name} is not a setting", known=[setting for setting, _, _ in Settings.describe()])
    if chosen.workers != 1 and not hasattr(os, "fork"):
        log.write("warning", "one worker is started: this system cannot fork", workers=chosen.workers)
    return chosen, host, port


def _listen(address: Tuple[str, int]) -> socket.socket:
    import socket

    from .errors import StartError

    # with the protocol given asyncio sets TCP_NODELAY, so that small responses are sent at once
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    if os.name == "posix":
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(address)
        listener.listen(_BACKLOG)
    except OSError as error:
        where = f"port {address[1]}" + ("" if address[0] == _ALL else f" of {address[0]}")
        raise StartError(f"{where} cannot be listened on: {error.strerror}; choose another with PORT") from error
    listener.setblocking(False)
    return listener


def _warmups(card: Card, settings: Settings) -> Any:
    """For every signature the inputs of its warm-up: the card's sample, else values made from the signature."""
    from functools import partial

    from .errors import CardError, ServeError
    from .models.loaded import Warmup
    from .protocols.encoding.rows import Rows
    from .protocols.examples import example, other_sizes, volume

    found = []
    for signature in card.signatures:
        rows = Rows(signature, settings.max_rows)
        sample = card.sample_for(signature)[: settings.max_rows]
        if volume(signature) > settings.max_body_bytes:
            raise CardError(
                f"one row of the signature {signature.name} has {volume(signature)} values, more than a request's body may "
                f"hold ({settings.max_body}); if that is right, raise MLPACK_SERVE_MAX_BODY and the memory"
            )
        candidates = [sample] if sample else [[example(signature, number)] for number in (1, 0.5, 0)]
        try:
            more = tuple if sample else partial(other_sizes, signature)
            found.append(Warmup(signature, [rows.decode(one)[0] for one in candidates], bool(sample), more))
        except ServeError as error:
            raise CardError(
                f"the card's sample does not fit the signature {signature.name}: {error.message}"
            ) from error
    return found


def _run(server: Any, listener: socket.socket) -> None:
    import asyncio

    try:
        import uvloop

        loop: asyncio.AbstractEventLoop = uvloop.new_event_loop()
    except ImportError:  # Windows has none
        loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    loop.run_until_complete(server.serve([listener]))


def _end(predictor: Any, log: Log, stop: _Stop) -> int:
    idle = predictor.stop(0.2)
    log.write("info" if stop.code == 0 else "critical", "stopped", exit=stop.code)
    if not idle:  # a thread that loads or predicts cannot be stopped, and the interpreter would wait for it
        log.close()
        os._exit(stop.code)
    return stop.code
