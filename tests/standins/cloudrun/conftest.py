"""A stand-in of the tests' own, the real clients of it, and a small image that was pushed to it."""

from __future__ import annotations

import functools
import io
import json
import os
import shlex
import subprocess
import sys
import tarfile
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import docker
import grpc
import pytest
from google.api_core.client_options import ClientOptions
from google.api_core.future.polling import DEFAULT_POLLING
from google.cloud import artifactregistry_v1, run_v2
from google.cloud.run_v2.services.revisions.transports import RevisionsGrpcTransport
from google.cloud.run_v2.services.services.transports import ServicesGrpcTransport
from google.oauth2 import service_account
from google.protobuf import field_mask_pb2

from tests.ports import free_port

ROOT = Path(__file__).parents[3]
PARENT = "projects/demo/locations/europe-west1"


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What a URL answered."""

    status: int
    text: str

    @property
    def seen(self) -> Any:
        """What the small server tells of itself."""
        return json.loads(self.text)

    @property
    def mark(self) -> str:
        """Which of the deployed revisions answered."""
        return str(self.seen["env"].get("MARK"))


@dataclass(frozen=True, kw_only=True)
class Cloud:
    """The stand-in's address, and its key file's credentials."""

    endpoint: str
    key_file: Path

    @property
    def options(self) -> ClientOptions:
        """What the clients over REST take."""
        return ClientOptions(api_endpoint=self.endpoint)

    @property
    def credentials(self) -> Any:
        """The service account."""
        scopes = ["https://www.googleapis.com/auth/cloud-platform"]
        make: Any = service_account.Credentials.from_service_account_file
        return make(self.key_file, scopes=scopes)

    def services(self, transport: str = "rest") -> Any:
        """The real client of services."""
        if transport == "grpc":
            return run_v2.ServicesClient(transport=ServicesGrpcTransport(channel=self._channel()))
        return run_v2.ServicesClient(transport="rest", client_options=self.options, credentials=self.credentials)

    def revisions(self, transport: str = "rest") -> Any:
        """The real client of revisions."""
        if transport == "grpc":
            return run_v2.RevisionsClient(transport=RevisionsGrpcTransport(channel=self._channel()))
        return run_v2.RevisionsClient(transport="rest", client_options=self.options, credentials=self.credentials)

    def repositories(self) -> Any:
        """The real client of Artifact Registry."""
        return artifactregistry_v1.ArtifactRegistryClient(
            transport="rest", client_options=self.options, credentials=self.credentials
        )

    def fault(self, kind: str, **details: object) -> None:
        """Arm a fault."""
        self.post("/standin/faults", {"kind": kind, **details})

    def post(self, path: str, body: object, method: str = "POST") -> Any:
        """Ask what only a test asks."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.endpoint + path, data=data, method=method)
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.loads(answer.read())

    def id_token(self, audience: str, email: str = "") -> str:
        """An ID token of the service account, or of somebody without rights."""
        return _id_token(self, audience, email)

    def ask(
        self, url: str, path: str = "/", *, audience: str = "", data: bytes | None = None, **headers: Any
    ) -> Answer:
        """Ask a URL, with the account's ID token for the audience."""
        if audience:
            headers["Authorization"] = f"Bearer {self.id_token(audience)}"
        request = urllib.request.Request(
            url + path, data=data, headers={k.replace("_", "-"): v for k, v in headers.items()}
        )
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return Answer(status=answer.status, text=answer.read().decode())
        except urllib.error.HTTPError as error:
            with error:
                return Answer(status=error.code, text=error.read().decode())

    def containers(self, revision: str) -> list[str]:
        """The containers of a revision that run."""
        return [each["id"] for each in self.post("/standin/containers", None, "GET").get(revision, [])]

    def _channel(self) -> grpc.Channel:
        return grpc.insecure_channel(self.endpoint.removeprefix("http://"))


@functools.cache
def _id_token(cloud: Cloud, audience: str, email: str) -> str:
    return str(cloud.post(f"/standin/id-token?audience={audience}&email={email}", None, "GET")["id_token"])


@pytest.fixture(scope="session")
def engine() -> Iterator[docker.DockerClient]:
    """The test machine's engine, started where there is none."""
    before = dict(os.environ)
    if "MLPACK_TEST_REGISTRY" not in os.environ:
        command = [sys.executable, "-m", "tests.engine", "start"]
        started = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
        for word in shlex.split(started.stdout):
            name, equals, value = word.partition("=")
            if equals:
                os.environ[name] = value
    client = docker.from_env()
    yield client
    client.close()
    os.environ.clear()
    os.environ.update(before)


@pytest.fixture(scope="session")
def tiny(engine: docker.DockerClient) -> Iterator[str]:
    """The small image's id. It goes after the stand-in's containers, which stand on it."""
    own = f"LABEL run={uuid.uuid4().hex}\n"  # else the engine knows it, and what is taken away is another run's too
    built = build(engine, f'FROM python:3.11-slim\n{own}COPY tiny_server.py /\nCMD ["python3", "/tiny_server.py"]\n')
    yield built
    engine.images.remove(built, force=True)


@pytest.fixture(scope="session")
def cloud(tiny: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:  # noqa: ARG001
    """A stand-in in a process of its own, whose revisions soon fall asleep and whose dice are known."""
    folder = tmp_path_factory.mktemp("cloudrun")
    port = free_port()
    endpoint = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "tests.standins.cloudrun", "serve", "--folder", str(folder)]
    command += ["--port", str(port), "--registry-port", str(free_port())]
    env = {**os.environ, "MLPACK_CLOUDRUN_IDLE": "3", "MLPACK_CLOUDRUN_SEED": "7"}
    process = subprocess.Popen(command, cwd=ROOT, env=env)
    made = Cloud(endpoint=endpoint, key_file=folder / "service-account.json")
    try:
        _wait(made, process)
        yield made
    finally:
        process.terminate()
        process.wait(60)


@pytest.fixture(scope="session")
def repository(cloud: Cloud) -> str:
    """A repository's registry address."""
    wish = artifactregistry_v1.Repository(format_=artifactregistry_v1.Repository.Format.DOCKER)
    client = cloud.repositories()
    return str(client.create_repository(parent=PARENT, repository_id="tiny", repository=wish).result().registry_uri)


@pytest.fixture(scope="session")
def image(cloud: Cloud, repository: str, engine: docker.DockerClient, tiny: str) -> str:
    """The small image as it was pushed, by its digest."""
    name = f"{repository}/server"
    return f"{name}@{push(cloud, engine, tiny, name)}"


@pytest.fixture
def service(cloud: Cloud) -> Iterator[Callable[..., Any]]:
    """Creates services under names of their own, with the fields of the first container's template; deletes them after."""
    made: list[str] = []

    def create(template: Any, **fields: Any) -> Any:
        name = f"s{uuid.uuid4().hex[:8]}"
        made.append(f"{PARENT}/services/{name}")
        wanted = run_v2.Service(template=template, **fields)
        return done(cloud.services().create_service(parent=PARENT, service=wanted, service_id=name))

    yield create
    cloud.post("/standin/faults", None, "DELETE")
    for name in made:
        cloud.services().delete_service(name=name)


def template(image: str, mark: str = "one", *, limits: Any = None, **fields: Any) -> Any:
    """A template of one container whose server tells `mark`; `env_EXIT="1"` and the like are more variables."""
    variables = {"MARK": mark} | {name[4:]: value for name, value in fields.items() if name.startswith("env_")}
    probe = fields.pop("startup_probe", None)
    container = run_v2.Container(
        image=image,
        env=[run_v2.EnvVar(name=name, value=value) for name, value in variables.items()],
        resources=run_v2.ResourceRequirements(limits=limits or {}, cpu_idle=True),
        startup_probe=probe,
    )
    fields = {name: value for name, value in fields.items() if not name.startswith("env_")}
    return run_v2.RevisionTemplate(containers=[container], **fields)


def update(cloud: Cloud, name: str, *paths: str, **fields: Any) -> Any:
    """The service after an update of these fields."""
    request = run_v2.UpdateServiceRequest(
        service=run_v2.Service(name=name, **fields), update_mask=field_mask_pb2.FieldMask(paths=list(paths))
    )
    return done(cloud.services().update_service(request=request))


def done(operation: Any) -> Any:
    """The operation's answer, asked for more often than the client would by itself."""
    return operation.result(polling=DEFAULT_POLLING.with_delay(initial=0.1, maximum=0.3).with_timeout(120))


def target(revision: str, percent: int = 0, tag: str = "") -> Any:
    """A share of the traffic for a revision."""
    kind = run_v2.TrafficTargetAllocationType.TRAFFIC_TARGET_ALLOCATION_TYPE_REVISION
    return run_v2.TrafficTarget(type_=kind, revision=revision.rpartition("/")[2], percent=percent, tag=tag)


def build(engine: docker.DockerClient, dockerfile: str) -> str:
    """Build an image beside tiny_server.py; gives its id."""
    context = io.BytesIO()
    with tarfile.open(fileobj=context, mode="w") as tar:
        tar.add(Path(__file__).parent / "tiny_server.py", "tiny_server.py")
        words = dockerfile.encode()
        member = tarfile.TarInfo("Dockerfile")
        member.size = len(words)
        tar.addfile(member, io.BytesIO(words))
    context.seek(0)
    made, _ = engine.images.build(fileobj=context, custom_context=True, rm=True)
    return str(made.id)


def push(
    cloud: Cloud, engine: docker.DockerClient, image: str, name: str, *, tag: str = "one", login: Any = None
) -> str:
    """Push as a user does; gives the digest. RuntimeError with the engine's words when it is refused."""
    engine.images.get(image).tag(name, tag)
    token = cloud.post("/standin/access-token", None, "GET")["access_token"]
    login = login or {"username": "oauth2accesstoken", "password": token}
    digest = ""
    for line in engine.api.push(name, tag=tag, stream=True, decode=True, auth_config=login):
        if "error" in line:
            raise RuntimeError(line["error"])
        digest = line.get("aux", {}).get("Digest", digest)
    return digest


def _wait(cloud: Cloud, process: subprocess.Popen[bytes]) -> None:
    for _ in range(900):
        assert process.poll() is None, "the stand-in ended"
        try:
            cloud.post("/standin/health", None, "GET")
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise AssertionError("the stand-in gives no answer")
