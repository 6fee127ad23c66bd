"""The Docker engine: builds, looks, runs and pushes with a real one."""

from __future__ import annotations

import base64
import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from mlpack.artifacts.bundle_file import BundleFile
from mlpack.artifacts.image import Image
from mlpack.artifacts.progress import Progress
from mlpack.engines.base import JobResult, Limits, Running
from mlpack.engines.docker import DockerEngine
from mlpack.errors import (
    BaseImageError,
    BuildError,
    DiskFullError,
    EngineError,
    ImageNotFoundError,
    RegistryAuthError,
    RegistryUnreachableError,
    UnreadableModelError,
)
from mlpack.registries.referrers import attach, attachments, manifest_digest
from tests.extra import extra
from tests.integration.conftest import BASE, ROOT, MakeBundle, bundle_for, containers_of
from tests.ports import free_port

pytestmark = pytest.mark.docker

PROBE = Path(__file__).with_name("engine_probe.py").read_bytes()
PROBE_DOCKERFILE = f'FROM {BASE}\nCOPY app/ /app/\nCMD ["python3", "/app/probe.py"]'
PATIENCE_S = 120  # how long anything may take on a busy machine
CARD = {"name": "probe", "signatures": []}


def unheard(_: Progress) -> None:
    """Nobody listens."""


@pytest.fixture
def named(engine: DockerEngine) -> Iterator[Callable[[str], str]]:
    """Gives names that no other test has, and takes what bears them away again."""
    given: list[str] = []

    def name(prefix: str) -> str:
        given.append(f"{prefix}/mlpack-engine-test-{uuid.uuid4().hex[:12]}:1".removeprefix("/"))
        return given[-1]

    yield name
    for reference in given:
        engine.remove_tag(reference)


@pytest.fixture
def classic(engine_environment: None) -> Iterator[DockerEngine]:  # noqa: ARG001  # asked for what it sets
    """The same engine, asked to build by the classic builder."""
    with DockerEngine.connect(classic=True) as connected:
        yield connected


@pytest.fixture(scope="module")
def probe(engine: DockerEngine) -> Iterator[Image]:
    """An image whose service tells what it may do."""
    files = (
        BundleFile.of_bytes("app/probe.py", PROBE),
        BundleFile.of_bytes("app/model.json", json.dumps(CARD).encode()),
    )
    reference = f"mlpack-engine-test:{uuid.uuid4().hex[:12]}"
    yield engine.build(bundle_for(engine, PROBE_DOCKERFILE, files=files), tags=(reference,), on_progress=unheard)
    engine.remove_tag(reference)


# building -------------------------------------------------------------------------------------------


def test_build_with_cache_and_bind_mounts(
    engine: DockerEngine, bundle_of: MakeBundle, named: Callable[[str], str]
) -> None:
    """BuildKit's mounts work; private files reach a step and no layer; labels, tags, card and progress are there."""
    dockerfile = f"""FROM {BASE}
RUN --mount=type=cache,target=/cache --mount=type=bind,source=private,target=/private \\
    cat /private/secret.txt && touch /cache/x && echo from-the-step"""
    bundle = bundle_of(dockerfile, private=(BundleFile.of_bytes("private/secret.txt", b"only here\n"),), unique=True)
    told: list[Progress] = []
    first, second = named(""), named("")
    image = engine.build(bundle, tags=(first, second), on_progress=told.append)
    assert image.tags == (first, second)
    assert image.id.startswith("sha256:")
    assert image.size > 10_000_000
    assert image.platform == engine.facts().platform
    assert image.card == bundle.card
    assert image.labels["dev.mlpack.bundle"] == bundle.digest
    assert image.seconds > 0
    assert not image.cached
    assert "only here" in {news.log for news in told}
    assert [news.total for news in told if news.step == "context" and news.seconds is not None] == [
        sum(file.size for file in (*bundle.files, *bundle.private))
    ]
    step = next(news for news in told if news.log == "from-the-step")
    assert step.title.startswith("[2/2] RUN cat /private/secret.txt")
    assert [news for news in told if news.step == step.step and news.seconds is not None]

    again: list[Progress] = []
    engine.build(bundle, tags=(first,), on_progress=again.append)
    assert any(news.cached and "RUN" in news.title for news in again)
    fresh: list[Progress] = []
    engine.build(bundle, tags=(first,), on_progress=fresh.append, use_cache=False)
    assert "from-the-step" in {news.log for news in fresh}


def test_classic_builder(classic: DockerEngine, bundle_of: MakeBundle, named: Callable[[str], str]) -> None:
    """Without BuildKit the bundle's Dockerfile.classic is built, with the same news."""
    other = BundleFile.of_bytes(
        "Dockerfile.classic", f"FROM {BASE}\nRUN echo the-classic-way\n# {uuid.uuid4()}\n".encode()
    )
    bundle = bundle_of("FROM scratch\nRUN --mount=type=cache,target=/x true", files=(other,))
    told: list[Progress] = []
    image = classic.build(bundle, tags=(named(""),), on_progress=told.append)
    assert image.labels["dev.mlpack.bundle"] == bundle.digest
    assert [news.title for news in told if news.log == "the-classic-way"] == ["[2/3] RUN echo the-classic-way"]
    again: list[Progress] = []
    assert classic.build(bundle, tags=(), on_progress=again.append).id == image.id
    assert any(news.cached for news in again)


@pytest.mark.parametrize("builder", ["engine", "classic"])
def test_failing_step(builder: str, request: pytest.FixtureRequest, bundle_of: MakeBundle) -> None:
    """A failing step is named with its exit code, and its last 30 lines are kept, not more."""
    docker: DockerEngine = request.getfixturevalue(builder)
    bundle = bundle_of(f"FROM {BASE}\nRUN seq 1 50 >&2; echo last words >&2; exit 3", unique=True)
    with pytest.raises(BuildError, match=r"RUN seq 1 50.*: exit code 3$") as failure:
        docker.build(bundle, tags=(), on_progress=unheard)
    lines = failure.value.detail.splitlines()
    assert len(lines) == 30
    assert "last words" in lines
    assert "50" in lines
    assert "1" not in lines


def test_failing_copy_and_parse(engine: DockerEngine, bundle_of: MakeBundle) -> None:
    """What fails outside of a command is told with the instruction, or with the Dockerfile's line."""
    with pytest.raises(BuildError, match=r"COPY absent /`.*not found"):
        engine.build(bundle_of(f"FROM {BASE}\nCOPY absent /"), tags=(), on_progress=unheard)
    with pytest.raises(BuildError, match="unknown instruction: FORM"):
        engine.build(bundle_of(f"FROM {BASE}\nFORM x"), tags=(), on_progress=unheard)


def test_full_disk(engine: DockerEngine, bundle_of: MakeBundle) -> None:
    """A step that finds no space left is a full disk, with the step's own words, and not just a failed step."""
    bundle = bundle_of(f"FROM {BASE}\nRUN dd if=/dev/zero of=/dev/full count=1", unique=True)
    with pytest.raises(DiskFullError, match="RUN dd") as failure:
        engine.build(bundle, tags=(), on_progress=unheard)
    assert "No space left on device" in failure.value.detail


@pytest.mark.parametrize("builder", ["engine", "classic"])
def test_missing_base_image(builder: str, request: pytest.FixtureRequest, bundle_of: MakeBundle, registry: str) -> None:
    """A base that a registry does not know and a registry that nobody reaches are told apart."""
    docker: DockerEngine = request.getfixturevalue(builder)
    with pytest.raises(BaseImageError, match=f"the base image {registry}/absent:1 does not exist"):
        docker.build(bundle_of(f"FROM {registry}/absent:1"), tags=(), on_progress=unheard)
    nowhere = f"127.0.0.1:{free_port()}/absent:1"
    with pytest.raises(BaseImageError, match="cannot be reached"):
        docker.build(bundle_of(f"FROM {nowhere}"), tags=(), on_progress=unheard)


def test_private_base_image(
    engine: DockerEngine, probe: Image, registry: str, bundle_of: MakeBundle, named: Callable[[str], str]
) -> None:
    """A base behind a password is fetched with the user's login, which BuildKit is not told."""
    base = named(registry)
    engine.push(probe, base, on_progress=unheard)
    engine.remove_tag(base)
    assert engine.find(base) is None
    told: list[Progress] = []
    engine.build(bundle_of(f"FROM {base}\nRUN echo on top", unique=True), tags=(named(""),), on_progress=told.append)
    assert "on top" in {news.log for news in told}


def test_silent_step_outlives_the_clients_patience(bundle_of: MakeBundle, named: Callable[[str], str]) -> None:
    """A step that says nothing for longer than an ordinary answer may take does not end the build."""
    with DockerEngine.connect() as docker:
        docker._client.timeout = 1
        docker.build(bundle_of(f"FROM {BASE}\nRUN sleep 3", unique=True), tags=(named(""),), on_progress=unheard)


def test_changed_file(engine: DockerEngine, bundle_of: MakeBundle, tmp_path: Path) -> None:
    """A file that is not what it was when the bundle was rendered ends the build, and says which."""
    model = tmp_path / "model.pkl"
    model.write_bytes(b"x" * 3_000_000)
    bundle = bundle_of(
        f"FROM {BASE}\nCOPY model.pkl /", files=(BundleFile(name="model.pkl", size=2_999_999, sha256="", source=model),)
    )
    with pytest.raises(UnreadableModelError, match=r"model\.pkl changed .* longer"):
        engine.build(bundle, tags=(), on_progress=unheard)


@pytest.mark.parametrize("classic_builder", [False, True])
def test_interrupted_build(engine: DockerEngine, classic_builder: bool) -> None:
    """Ctrl-C ends the build at the engine too: its process is gone, no container is left."""
    marker = str(100_000 + uuid.uuid4().int % 899_999)
    program = f"""
import sys
from mlpack.engines.docker import DockerEngine
from tests.integration.conftest import bundle_for
engine = DockerEngine.connect(classic={classic_builder})
bundle = bundle_for(engine, "FROM {BASE}\\nRUN echo begun; sleep {marker}", unique=True)
def tell(news):
    if news.log == "begun":
        print("begun", flush=True)
engine.build(bundle, tags=(), on_progress=tell)
"""
    with interruptible(program) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "begun\n"
        within(lambda: sleeps(marker))
        process.send_signal(signal.SIGINT)
        assert "KeyboardInterrupt" in process.communicate(timeout=PATIENCE_S)[1]
    within(lambda: not sleeps(marker))
    within(lambda: not [c for c in engine._client.containers(all=True) if marker in c["Command"]])


# looking --------------------------------------------------------------------------------------------


def test_find_tag_and_card(engine: DockerEngine, probe: Image, named: Callable[[str], str]) -> None:
    """An image is found by id, name and bundle, gets and loses names, and its card is read without running it."""
    assert engine.find("no-such-image:anywhere") is None
    assert engine.find("Not A Name") is None
    found = engine.find(probe.tags[0])
    assert found is not None
    assert (found.id, found.size, found.platform, found.labels) == (probe.id, probe.size, probe.platform, probe.labels)
    other = named("")
    assert other in engine.tag(probe, (other,)).tags
    again = engine.find(probe.id)
    assert again is not None
    assert other in again.tags
    engine.remove_tag(other)
    assert engine.find(other) is None
    digest = probe.labels["dev.mlpack.bundle"]
    by_label = engine.find_by_label(digest, probe.platform)
    assert by_label is not None
    assert by_label.id == probe.id
    assert engine.find_by_label(digest, "linux/s390x") is None
    assert probe.id in {image.id for image in engine.images()}
    assert engine.card(probe.id) == CARD
    with pytest.raises(ImageNotFoundError, match="was not built by mlpack"):
        engine.card(BASE)


def test_facts_and_base_digest(engine: DockerEngine) -> None:
    """The engine names its platform and folder; the base's digest is for this platform, and None for what nobody has."""
    facts = engine.facts()
    assert facts.platform.startswith("linux/")
    assert facts.details["buildkit"]
    assert not facts.caches_secrets
    assert facts.details["root_dir"]
    digest = engine.base_digest(BASE, facts.platform)
    assert digest is not None
    assert digest.startswith("sha256:")
    assert engine.base_digest(f"{BASE}@{digest}", facts.platform) == digest
    assert engine.base_digest(BASE, "linux/nosuch") is None
    assert engine.base_digest(f"127.0.0.1:{free_port()}/absent:1", facts.platform) is None


# running --------------------------------------------------------------------------------------------


def test_limits_hold_inside(engine: DockerEngine, probe: Image) -> None:
    """Inside: a user without rights, no capability, no way to new ones, a read-only root and a bounded /tmp."""
    limits = Limits(tmp_bytes=8 * 1024 * 1024)
    with engine.run(probe, limits=limits, env={"GREETING": "hello", "PORT": "1"}, port=9123) as running:
        told = ask(running)
    assert told == {
        "uid": 65532,
        "gid": 65532,
        "effective": "0" * 16,
        "bounding": "0" * 16,
        "no_new_privileges": "1",
        "root": False,
        "tmp": True,
        "tmp_bytes": 8 * 1024 * 1024,
        "greeting": "hello",
        "port": "9123",
    }


def test_a_run_ends_with_its_with(engine: DockerEngine, probe: Image) -> None:
    """SIGTERM's exit code and log are told; after the `with` the container is gone."""
    with engine.run(probe, limits=Limits(), env={}, port=8080) as running:
        ask(running)
        assert running.alive()
        ended = running.stop(grace_s=PATIENCE_S)
        assert (ended.code, ended.oom_killed) == (7, False)
        assert ended.seconds < PATIENCE_S
        assert not running.alive()
        assert "probe is up" in running.logs()
        assert "and says so on stderr" in running.logs()
        container = running.id
    with pytest.raises(EngineError):
        running.alive()
    assert container not in {entry["Id"] for entry in engine._client.containers(all=True)}


def test_out_of_memory_is_told(engine: DockerEngine, probe: Image) -> None:
    """A service that takes more memory than it may is killed, and that is what is told."""
    with engine.run(probe, limits=Limits(memory=64 * 1024 * 1024), env={}, port=8080) as running:
        ask(running)
        with pytest.raises((urllib.error.URLError, ConnectionError, OSError)):
            ask(running, "/eat/200")
        within(lambda: not running.alive())
        ended = running.stop(grace_s=1)
    assert (ended.code, ended.oom_killed) == (137, True)


def test_peak_memory(engine: DockerEngine, probe: Image) -> None:
    """The peak holds what was given back since, and the end of the service does not lose it."""
    with engine.run(probe, limits=Limits(), env={}, port=8080) as running:
        ask(running)
        before = running.stats().peak_memory
        assert before is not None
        ask(running, "/eat/100")
        running.stop(grace_s=5)
        peak = running.stats().peak_memory
    assert peak is not None
    assert 100 * 1024**2 < peak < 200 * 1024**2
    assert before < 80 * 1024**2


def test_chosen_and_taken_port(engine: DockerEngine, probe: Image) -> None:
    """A port of the user's choice is used; one that is taken is refused, named, and leaves no container."""
    port = free_port()
    with engine.run(probe, limits=Limits(), env={}, port=8080, host_port=port) as running:
        assert running.url == f"http://127.0.0.1:{port}"
        ask(running)
        with (
            pytest.raises(EngineError, match=f"port {port} on the engine's machine is"),
            engine.run(probe, limits=Limits(), env={}, port=8080, host_port=port),
        ):
            pytest.fail("two services on one port")
        label = f"dev.mlpack.run={engine._client.inspect_container(running.id)['Name'][1:]}"
        assert len(engine._client.containers(all=True, filters={"label": label})) == 1


def test_host_network(engine: DockerEngine, probe: Image) -> None:
    """On the host's network the service is reached at its own port."""
    port = free_port()
    with engine.run(probe, limits=Limits(), env={}, port=port, host_network=True) as running:
        assert ask(running)["port"] == str(port)


def test_service_that_ends_at_once(engine: DockerEngine, bundle_of: MakeBundle, named: Callable[[str], str]) -> None:
    """A service that fails at its start is a run that is not alive, with a log and an exit code."""
    bundle = bundle_of(f'FROM {BASE}\nCMD ["sh", "-c", "echo cannot; exit 5"]')
    image = engine.build(bundle, tags=(named(""),), on_progress=unheard)
    with engine.run(image, limits=Limits(), env={}, port=8080) as running:
        within(lambda: not running.alive())
        assert running.logs() == "cannot\n"
        assert running.stop(grace_s=1).code == 5


def test_image_that_cannot_start(engine: DockerEngine, bundle_of: MakeBundle, named: Callable[[str], str]) -> None:
    """A command that is not there, and an image that is not there, are told."""
    image = engine.build(bundle_of(f'FROM {BASE}\nCMD ["/no/such/program"]'), tags=(named(""),), on_progress=unheard)
    with (
        pytest.raises(EngineError, match=r"did not start: .*/no/such/program"),
        engine.run(image, limits=Limits(), env={}, port=8080),
    ):
        pytest.fail("it started")
    gone = Image(id=f"sha256:{'0' * 64}", tags=(), size=0, platform="", card={}, labels={})
    with pytest.raises(ImageNotFoundError), engine.run(gone, limits=Limits(), env={}, port=8080):
        pytest.fail("it started")


def test_interrupted_run(engine: DockerEngine, probe: Image) -> None:
    """Ctrl-C while a service runs removes its container."""
    program = f"""
import time
from mlpack.engines.base import Limits
from mlpack.engines.docker import DockerEngine
engine = DockerEngine.connect()
with engine.run(engine.find("{probe.id}"), limits=Limits(), env={{}}, port=8080) as running:
    print(running.id, flush=True)
    time.sleep(600)
"""
    with interruptible(program) as process:
        assert process.stdout is not None
        container = process.stdout.readline().strip()
        assert engine._client.inspect_container(container)["State"]["Running"]
        process.send_signal(signal.SIGINT)
        process.wait(timeout=PATIENCE_S)
    assert container not in {entry["Id"] for entry in engine._client.containers(all=True)}


# jobs -----------------------------------------------------------------------------------------------

WRITES = """
import os, pathlib, socket, sys
out = pathlib.Path("/tmp/out"); (out / "deep").mkdir(parents=True)
(out / "deep" / "numbers.txt").write_text("1 2 3"); (out / "empty").write_bytes(b"")
(out / "passwd").symlink_to("/etc/passwd"); (out / "again").hardlink_to(out / "deep" / "numbers.txt")
(out / "who.txt").write_text(f"{os.getuid()}:{os.getgid()} {sorted(name for _, name in socket.if_nameindex())}")
print("to stdout"); print("to stderr", file=sys.stderr)
sys.exit(3)
"""


def job(engine: DockerEngine, image: Image, program: str, **more: Any) -> JobResult:
    """A job that runs a Python program."""
    return engine.job(image, limits=Limits(), command=("python3", "-c", program), outputs="/tmp/out", **more)


def test_a_job_gives_its_exit_code_log_and_files(engine: DockerEngine, probe: Image) -> None:
    """It runs as the user without rights and without a network; regular files come back, links do not."""
    done = job(engine, probe, WRITES)
    assert (done.exit.code, done.exit.oom_killed) == (3, False)
    assert 0 < done.exit.seconds < PATIENCE_S
    assert sorted(done.log.splitlines()) == ["to stderr", "to stdout"]
    # which of two names of one file is the link depends on the order of the folder
    twins = {name: done.files[name] for name in done.files if name in {"again", "deep/numbers.txt"}}
    assert list(twins.values()) == [b"1 2 3"]
    assert {name: content for name, content in done.files.items() if name not in twins} == {
        "empty": b"", "who.txt": b"65532:65532 ['lo']",
    }  # fmt: skip
    assert containers_of(engine, probe.id) == set()


def test_a_job_without_files(engine: DockerEngine, probe: Image) -> None:
    """A folder that is not there is no files; so is a file in its place."""
    assert job(engine, probe, "pass").files == {}
    assert job(engine, probe, "open('/tmp/out', 'w').write('x')").files == {}


def test_a_job_that_does_not_end(engine: DockerEngine, probe: Image) -> None:
    """After its time it is removed, and the error holds its output."""
    with pytest.raises(EngineError, match=r"did not end within 0\.5 s") as failure:
        job(engine, probe, "import time; print('begun', flush=True); time.sleep(600)", timeout_s=0.5)
    assert failure.value.detail == "begun\n"
    assert containers_of(engine, probe.id) == set()


@pytest.mark.parametrize(
    "program",
    [
        "import os; os.mkdir('/tmp/out')\nfor n in range(3): open(f'/tmp/out/{n}', 'wb').write(bytes(6_000_000))",
        *extra("import os; os.mkdir('/tmp/out')\nfor n in range(40_000): os.symlink('x', f'/tmp/out/{n}')"),
    ],
)
def test_a_job_that_writes_too_much(engine: DockerEngine, probe: Image, program: str) -> None:
    """All files together have a limit, and so has their number."""
    with pytest.raises(EngineError, match="wrote more than 16 MiB to /tmp/out"):
        job(engine, probe, program)
    assert containers_of(engine, probe.id) == set()


def test_a_job_cannot_write_one_large_file(engine: DockerEngine, probe: Image) -> None:
    """The kernel refuses a file over the limit while it is written, so that no job fills the disk with one."""
    done = job(engine, probe, "import os; os.mkdir('/tmp/x'); open('/tmp/x/x', 'wb').write(bytes(17 * 1024**2))")
    assert done.exit.code != 0
    assert "File too large" in done.log


def test_a_job_that_cannot_start(engine: DockerEngine, probe: Image) -> None:
    """A program or an image that is not there is an error with a remedy."""
    with pytest.raises(EngineError, match=r"did not start: .*/no/such/program"):
        engine.job(probe, limits=Limits(), command=("/no/such/program",), outputs="/tmp/out")
    gone = Image(id=f"sha256:{'0' * 64}", tags=(), size=0, platform="", card={}, labels={})
    with pytest.raises(ImageNotFoundError):
        job(engine, gone, "pass")
    assert containers_of(engine, probe.id) == set()


def test_interrupted_job(engine: DockerEngine, probe: Image) -> None:
    """Ctrl-C while a job runs removes its container."""
    marker = str(100_000 + uuid.uuid4().int % 899_999)
    program = f"""
from mlpack.engines.base import Limits
from mlpack.engines.docker import DockerEngine
engine = DockerEngine.connect()
engine.job(engine.find("{probe.id}"), limits=Limits(), command=("sleep", "{marker}"), outputs="/tmp/out")
"""
    with interruptible(program) as process:
        within(lambda: sleeps(marker))
        process.send_signal(signal.SIGINT)
        assert "KeyboardInterrupt" in process.communicate(timeout=PATIENCE_S)[1]
    assert containers_of(engine, probe.id) == set()
    within(lambda: not sleeps(marker))


# pushing --------------------------------------------------------------------------------------------


def test_push_and_attach(engine: DockerEngine, probe: Image, registry: str, named: Callable[[str], str]) -> None:
    """The digest of a push is the registry's; documents attached to it come back by type, each once, in order."""
    reference = named(registry)
    told: list[Progress] = []
    digest = engine.push(probe, reference, on_progress=told.append)
    assert manifest_digest(reference) == digest
    layers = {news.step for news in told}
    assert layers
    assert {news.step for news in told if news.seconds is not None} == layers
    again: list[Progress] = []
    assert engine.push(probe, reference, on_progress=again.append) == digest
    assert all(news.cached for news in again)

    released = f"{reference.rpartition(':')[0]}@{digest}"
    kind = "application/vnd.mlpack.test+json"
    assert attachments(released, kind) == []
    attach(released, kind, b'{"number": 1}')
    attach(released, kind, b'{"number": 2}', annotations={"a": "b"})
    attach(released, kind, b'{"number": 1}')
    attach(released, "application/vnd.mlpack.other+json", b"{}")
    assert attachments(released, kind) == [b'{"number": 1}', b'{"number": 2}']
    assert attachments(f"{reference.rpartition(':')[0]}@sha256:{'0' * 64}", kind) == []
    assert manifest_digest(f"{reference.rpartition(':')[0]}:absent") is None


def test_push_refused(
    engine: DockerEngine,
    probe: Image,
    registry: str,
    named: Callable[[str], str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    """A wrong password and a missing login are each told, by the push and by our own requests."""
    reference = named(registry)
    wrong = base64.b64encode(b"somebody:not-this").decode()
    (tmp_path / "config.json").write_text(json.dumps({"auths": {registry: {"auth": wrong}}}))
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    with pytest.raises(RegistryAuthError, match="refused the login") as refused:
        engine.push(probe, reference, on_progress=unheard)
    assert "not-this" not in f"{refused.value} {refused.value.hint} {refused.value.detail}"
    with pytest.raises(RegistryAuthError, match="refused the login"):
        manifest_digest(reference)
    (tmp_path / "config.json").unlink()
    with pytest.raises(RegistryAuthError, match="requires a login"):
        engine.push(probe, reference, on_progress=unheard)
    with pytest.raises(RegistryAuthError, match="requires a login"):
        manifest_digest(reference)


def test_push_with_a_credential_helper(
    engine: DockerEngine,
    probe: Image,
    registry: str,
    named: Callable[[str], str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    """The login comes from the helper that Docker's config names; a helper that fails is told by its name."""
    config = json.loads((Path(os.environ["DOCKER_CONFIG"]) / "config.json").read_text())
    user, _, password = base64.b64decode(config["auths"][registry]["auth"]).decode().partition(":")
    helper = tmp_path / "docker-credential-mlpacktest"
    answer = json.dumps({"ServerURL": registry, "Username": user, "Secret": password})
    helper.write_text(f"#!/bin/sh\ncat <<'END'\n{answer}\nEND\n")
    helper.chmod(0o755)
    (tmp_path / "config.json").write_text(json.dumps({"credHelpers": {registry: "mlpacktest"}}))
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    reference = named(registry)
    assert engine.push(probe, reference, on_progress=unheard) == manifest_digest(reference)
    (tmp_path / "config.json").write_text(json.dumps({"credsStore": "no-such-helper"}))
    with pytest.raises(RegistryAuthError, match="no-such-helper"):
        engine.push(probe, reference, on_progress=unheard)


def test_push_to_nowhere(engine: DockerEngine, probe: Image, named: Callable[[str], str]) -> None:
    """A port without a registry is no refusal: it cannot be reached."""
    reference = named(f"127.0.0.1:{free_port()}")
    with pytest.raises(RegistryUnreachableError, match="cannot be reached"):
        engine.push(probe, reference, on_progress=unheard)
    with pytest.raises(RegistryUnreachableError, match="cannot be reached"):
        manifest_digest(reference)


# helpers --------------------------------------------------------------------------------------------


def ask(running: Running, path: str = "/") -> dict[str, Any]:
    """Ask the probe, waiting for its first answer."""
    end = time.monotonic() + PATIENCE_S
    while True:
        try:
            with urllib.request.urlopen(running.url + path, timeout=PATIENCE_S) as answer:
                told: dict[str, Any] = json.load(answer)
                return told
        except (ConnectionError, urllib.error.URLError):  # noqa: PERF203  # waiting for it is the point
            if path != "/" or time.monotonic() > end:
                raise
            time.sleep(0.05)


def within(holds: Callable[[], bool]) -> None:
    """Wait until it holds."""
    end = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < end, "it never was so"
        time.sleep(0.05)


def sleeps(marker: str) -> bool:
    """Whether this machine has a `sleep` with that argument."""
    for file in (process / "cmdline" for process in Path("/proc").glob("[0-9]*")):
        try:
            words = file.read_bytes().split(b"\0")
        except OSError:
            continue
        if words[:2] == [b"sleep", marker.encode()]:
            return True
    return False


class interruptible(subprocess.Popen[str]):  # noqa: N801  # reads as the `with` that it is
    """A Python program of its own, killed when the `with` is left."""

    def __init__(self, program: str) -> None:
        super().__init__(
            [sys.executable, "-c", program], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    def __exit__(self, *reason: object) -> None:
        self.kill()
        super().__exit__(*reason)  # type: ignore[arg-type]
