"""The registry: a real one, that asks for tokens which end."""

from __future__ import annotations

import base64
import http.client
import json

import docker
import pytest

from .conftest import Cloud, push

pytestmark = [pytest.mark.docker, pytest.mark.slow]


@pytest.mark.parametrize(
    "login",
    [{"username": "oauth2accesstoken", "password": "wrong"}, {"username": "somebody", "password": "ya29.x"}],
)
def test_a_wrong_login_is_refused(cloud: Cloud, image: str, engine: docker.DockerClient, login: dict[str, str]) -> None:
    """A push says it."""
    with pytest.raises(RuntimeError, match=r"unauthorized|authentication|denied"):
        push(cloud, engine, image, image.partition("@")[0], tag="wrong", login=login)


def test_a_repository_that_is_not_there_is_told(
    cloud: Cloud, image: str, repository: str, engine: docker.DockerClient
) -> None:
    """As Artifact Registry says it."""
    with pytest.raises(RuntimeError, match=r"not found|name unknown"):
        push(cloud, engine, image, f"{repository.rpartition('/')[0]}/nowhere/server")


def test_the_key_file_is_a_password_too(cloud: Cloud, image: str, engine: docker.DockerClient) -> None:
    """`_json_key`, as Docker logs in without gcloud."""
    login = {"username": "_json_key", "password": cloud.key_file.read_text()}
    assert push(cloud, engine, image, image.partition("@")[0], tag="key", login=login) == image.partition("@")[2]


def test_anonymous_is_asked_for_a_bearer_token(cloud: Cloud, image: str) -> None:
    """The realm is the stand-in's token service; its token opens what it was asked for, and nothing else."""
    host, _, path = image.partition("@")[0].partition("/")
    manifest = f"/v2/{path}/manifests/one"
    status, headers = _asked(host, manifest)
    assert (status, headers["WWW-Authenticate"].partition(",")[0]) == (
        401,
        f'Bearer realm="{cloud.endpoint}/registry/token"',
    )
    pull = _token(cloud, f"repository:{path}:pull")
    assert _asked(host, manifest, pull)[0] == 200
    assert _asked(host, f"/v2/{path}/blobs/uploads/", pull, "POST")[0] == 401
    assert _asked(host, manifest, _token(cloud, "repository:demo/other/x:pull"))[0] == 401


def _token(cloud: Cloud, scope: str) -> str:
    access = cloud.post("/standin/access-token", None, "GET")["access_token"]
    login = base64.b64encode(f"oauth2accesstoken:{access}".encode()).decode()
    words = cloud.ask(cloud.endpoint, f"/registry/token?service=x&scope={scope}", Authorization=f"Basic {login}").text
    return str(json.loads(words)["token"])


def _asked(host: str, path: str, token: str = "", method: str = "GET") -> tuple[int, http.client.HTTPMessage]:
    connection = http.client.HTTPConnection(host, timeout=20)
    try:
        accept = "application/vnd.docker.distribution.manifest.v2+json"
        headers = {"Accept": accept} | ({"Authorization": f"Bearer {token}"} if token else {})
        connection.request(method, path, headers=headers)
        answer = connection.getresponse()
        return answer.status, answer.headers
    finally:
        connection.close()
