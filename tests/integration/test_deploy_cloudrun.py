"""A model file becomes a service on (a local) Cloud Run, is replaced under load, and put back when a release is broken."""

from __future__ import annotations

import base64
import json
import os
import shutil
import signal
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from mlpack.engines.docker import DockerEngine
from tests.integration.cli import MLPACK, ask
from tests.integration.clouds import PROJECT, REGION, WHERE, Cloud, asking
from tests.integration.conftest import Packed

pytestmark = [pytest.mark.docker, pytest.mark.slow]

# A setting of the server with which it starts and refuses what it is asked (413), and one with which it ends at once.
REFUSES, ENDS = "MLPACK_SERVE_MAX_BODY=10", "MLPACK_SERVE_MAX_ROWS=nonsense"


@pytest.fixture(autouse=True)
def _no_faults(cloud: Cloud) -> Iterator[None]:
    yield
    cloud.disarm()


@pytest.fixture(scope="module")
def standing(iris: Packed, cloud: Cloud, pushed: str, tmp_path_factory: pytest.TempPathFactory) -> Packed:
    """A private service `standing` that the tests below try to break; its folder has what a deploy job has."""
    folder = tmp_path_factory.mktemp("standing")
    for name in ("mlpack.yaml", "request.json", "expected.json"):
        shutil.copy(iris.folder / name, folder)
    cloud.told("deploy", pushed, *WHERE, "--service", "standing", "--yes", cwd=folder)
    return Packed(folder=folder, name="standing", built={"id": pushed})


def serving(cloud: Cloud, standing: Packed) -> str:
    """The revision that has the traffic."""
    revisions = cloud.told("status", cwd=standing.folder)["revisions"]
    return next(str(one["name"]) for one in revisions if one["percent"] == 100)


# The whole way --------------------------------------------------------------------------------------


def test_a_model_file_becomes_a_service_and_is_replaced_without_a_failed_request(
    iris: Packed, cloud: Cloud, engine: DockerEngine
) -> None:
    """One command from file to URL; replaced, broken, put back and rolled back under 50 requests a second, none of which fails.

    The third release answers wrongly, the fourth does not start: both are put back by themselves. Trap 12: a service is
    given a digest, never a name.
    """
    name = iris.name
    words = ("deploy", "model.pkl", *WHERE, "--service", name, "--yes")
    body, expected = (json.loads((iris.folder / file).read_text()) for file in ("request.json", "expected.json"))
    first = cloud.told(*words, "--allow-unauthenticated", cwd=iris.folder)
    assert (first["verified"], first["previous"], first["service"]) == ("golden", None, name)
    assert first["asked"]["live"]["errors"] == 0
    assert ask(first["url"], body) == expected
    assert "@sha256:" in first["image"]
    [container] = cloud.containers(name)
    assert (
        engine._client.inspect_container(container)["Image"] == cloud.told("build", "model.pkl", cwd=iris.folder)["id"]
    )

    with asking(first["url"], body, expected) as asked:
        second = cloud.told(*words, "--env", "SECOND=yes", "--memory", "1Gi", cwd=iris.folder)
        assert (second["previous"], second["verified"], second["url"]) == (first["revision"], "golden", first["url"])
        assert {place["errors"] for place in second["asked"].values()} == {0}
        assert set(second["asked"]) == {"before", "staged", "live"}
        changed = {change["field"] for change in second["plan"]["changes"]}
        assert changed == {"memory", "env.SECOND", "traffic"}

        third = cloud.refused(8, "deploy_check", *words, "--env", REFUSES, cwd=iris.folder)
        assert "413" in third["error"]["message"]
        assert third["restored"] == f"{second['revision']} serves again"
        fourth = cloud.refused(8, "deploy_slow_start", *words, "--env", ENDS, cwd=iris.folder)
        assert fourth["restored"] == third["restored"]
        assert fourth["log"] in fourth["error"]["hint"]
        status = cloud.told("status", cwd=iris.folder)
        assert {one["name"]: one["percent"] for one in status["revisions"] if one["percent"]} == {
            second["revision"]: 100
        }

        back = cloud.told("rollback", cwd=iris.folder)
        assert (back["revision"], back["previous"]) == (first["revision"], second["revision"])
        shared = cloud.told("traffic", f"{first['revision']}=50", f"{second['revision']}=50", cwd=iris.folder)
        assert sorted(one["percent"] for one in shared["revisions"] if one["percent"]) == [50, 50]
    assert asked.failures == []
    assert asked.answers > 500

    for container in cloud.containers(name):
        engine._client.stop(container)
    with pytest.raises(AssertionError, match="503"):
        ask(first["url"], body)
    cloud.told("delete", "--yes", cwd=iris.folder)
    cloud.refused(8, "deploy_missing", "status", cwd=iris.folder)
    assert cloud.containers(name) == []


# Faults ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "code", "words"),
    [
        ({"kind": "operation-failed-9"}, "deploy_port", "PORT"),
        ({"kind": "operation-failed-13"}, "deploy_port", "PORT"),
        ({"kind": "never-starts", "seconds": 1}, "deploy_slow_start", "startup probe"),
        ({"kind": "out-of-memory", "bytes": 30_000_000}, "deploy_memory", "ran out of memory"),
        ({"kind": "image-gone"}, "deploy_image", "does not find the image"),
        ({"kind": "quota"}, "deploy_quota", "quota"),
        ({"kind": "gpu-quota"}, "deploy_quota", "quota"),
        ({"kind": "forbidden", "call": "UpdateService"}, "deploy_permission", "not allowed"),
        ({"kind": "forbidden", "call": "GetOperation"}, "deploy_permission", "not allowed"),
        ({"kind": "conflict", "call": "UpdateService"}, "deploy_conflict", "someone else"),
        ({"kind": "unavailable", "call": "UpdateService"}, "deploy_unreachable", "does not answer"),
        ({"kind": "unauthenticated", "call": "UpdateService", "times": 3}, "deploy_auth", "does not accept the login"),
        ({"kind": "instance-errors", "times": 200}, "deploy_check", "golden requests"),
    ],
    ids=lambda value: value["kind"] if isinstance(value, dict) else None,
)
def test_each_fault_has_its_code_and_leaves_what_served(
    cloud: Cloud, standing: Packed, pushed: str, fault: dict[str, Any], code: str, words: str
) -> None:
    """Exit 8, a message that names the cause, a remedy; the revision that served has all the traffic again."""
    before = serving(cloud, standing)
    cloud.arm(**fault)
    found = cloud.refused(
        8,
        code,
        "deploy",
        pushed,
        "--env",
        f"FAULT={fault['kind']}",
        *WHERE,
        "--service",
        "standing",
        "--yes",
        cwd=standing.folder,
    )
    assert words in found["error"]["message"]
    assert found["service"] == "standing"
    cloud.disarm()
    assert serving(cloud, standing) == before
    assert not [one for one in cloud.service("standing").get("trafficStatuses", []) if one.get("tag") == "mlpack"]


def test_settings_of_the_service_itself_come_with_the_traffic_and_go_back_with_it(
    cloud: Cloud, standing: Packed, pushed: str
) -> None:
    """Ingress and labels hold for what serves, too: untouched until the release has answered, and put back after a failure."""
    before = cloud.service("standing")
    cloud.arm("forbidden", call="SetIamPolicy")
    words = ("deploy", pushed, *WHERE, "--service", "standing", "--set", "ingress=internal", "--set", "labels.team=ml")
    found = cloud.refused(8, "deploy_permission", *words, "--allow-unauthenticated", "--yes", cwd=standing.folder)
    assert found["restored"] == f"{serving(cloud, standing)} serves again"
    after = cloud.service("standing")
    assert (after["ingress"], after.get("labels")) == (before["ingress"], before.get("labels"))
    assert int(after["generation"]) > int(before["generation"]) + 3  # staged, the traffic, the settings; and back
    labelled = ("deploy", pushed, *WHERE, "--service", "standing", "--set", "labels.team=ml", "--yes")
    cloud.told(*labelled, cwd=standing.folder)
    assert cloud.service("standing")["labels"] == {"team": "ml"}


def test_what_cannot_be_put_back_is_exit_9(cloud: Cloud, standing: Packed, pushed: str) -> None:
    """A release that fails, and then may not be taken back: both are told, with what to look at."""
    with deploying(cloud, standing, pushed) as process:
        cloud.arm("forbidden", call="UpdateService", times=5)
        stdout, stderr = process.communicate(timeout=120)
    assert process.returncode == 9, stderr
    error = json.loads(stdout)["error"]
    assert error["code"] == "deploy_state"
    assert "413" in error["message"]
    assert "the rollback failed" in error["message"]
    assert "mlpack rollback --to" in error["hint"]
    cloud.disarm()
    cloud.told("rollback", "--to", serving(cloud, standing), cwd=standing.folder)


def test_ctrl_c_puts_back(cloud: Cloud, standing: Packed, pushed: str) -> None:
    """Exit 130, and the traffic where it was, with no address left for what was tried."""
    before = serving(cloud, standing)
    with deploying(cloud, standing, pushed) as process:
        process.send_signal(signal.SIGINT)
        stdout, stderr = process.communicate(timeout=120)
    assert process.returncode == 130, stderr
    assert json.loads(stdout)["error"]["code"] == "interrupted"
    assert serving(cloud, standing) == before
    assert not [one for one in cloud.service("standing").get("trafficStatuses", []) if one.get("tag")]


def test_a_first_release_that_fails_is_deleted(cloud: Cloud, standing: Packed, pushed: str) -> None:
    """Whether it does not answer as it should, or may not be opened as it was asked for."""
    words = ("deploy", pushed, *WHERE, "--service", "first", "--yes")
    found = cloud.refused(8, "deploy_check", *words, "--env", REFUSES, cwd=standing.folder)
    assert found["restored"] == "first was deleted again"
    cloud.arm("forbidden", call="SetIamPolicy")
    found = cloud.refused(8, "deploy_permission", *words, "--allow-unauthenticated", cwd=standing.folder)
    assert "setIamPolicy" in found["error"]["hint"]
    assert found["restored"] == "first was deleted again"
    cloud.refused(8, "deploy_missing", "status", *WHERE, "--service", "first", cwd=standing.folder)


# What is asked, and by whom -------------------------------------------------------------------------


def test_an_organisation_that_forbids_allusers_gets_the_other_way(cloud: Cloud, standing: Packed, pushed: str) -> None:
    """`--allow-unauthenticated` switches the check off where no policy may name everybody; gRPC does all that REST does."""
    cloud.arm("policy-forbids-public", times=9)
    words = ("deploy", pushed, *WHERE, "--service", "opened", "--set", "transport=grpc", "--yes")
    found = cloud.told(*words, "--allow-unauthenticated", cwd=standing.folder)
    assert found["verified"] == "golden"
    assert cloud.service("opened")["invokerIamDisabled"] is True
    body = json.loads((standing.folder / "request.json").read_text())
    assert ask(found["url"], body) == json.loads((standing.folder / "expected.json").read_text())
    assert "Authorization" not in found["curl"]
    cloud.told("delete", *WHERE, "--service", "opened", "--yes", cwd=standing.folder)


def test_nobody_to_ask_it_is_readiness_only(cloud: Cloud, standing: Packed, pushed: str) -> None:
    """Without an identity a private service is not asked: `verified: readiness`, said loudly, and never `golden`."""
    asked = cloud.told("deploy", pushed, *WHERE, "--service", "standing", "--yes", cwd=standing.folder)
    assert (asked["verified"], asked["plan"]["changes"]) == ("golden", [])
    assert "$(gcloud auth print-identity-token)" in asked["curl"]
    with pytest.raises(urllib.error.HTTPError, match=r"40[13]"):
        urllib.request.urlopen(f"{asked['url']}/ready", timeout=30)
    identity = Path(cloud.env["GOOGLE_APPLICATION_CREDENTIALS"])
    strange = json.loads(identity.read_text()) | {"token_uri": f"{cloud.endpoint}/nowhere"}
    (standing.folder / "strange.json").write_text(json.dumps(strange))
    done = cloud.run(
        "deploy", pushed, *WHERE, "--service", "standing", "--yes", "--json", cwd=standing.folder,
        GOOGLE_APPLICATION_CREDENTIALS=str(standing.folder / "strange.json"), DOCKER_CONFIG=login_of(cloud, standing.folder, pushed),
    )  # fmt: skip
    assert done.code == 0, done
    assert done.document()["verified"] == "readiness"
    assert any("no identity" in note for note in done.document()["notes"])
    assert "verified by readiness only, no request was sent" in done.stderr


def test_a_plan_changes_nothing(cloud: Cloud, standing: Packed, pushed: str) -> None:
    """`--dry-run` tells each change, the price, and writes the file that gcloud takes; no value of a variable is shown."""
    before = cloud.service("standing")
    secret = "hunter2-and-more"
    words = ("deploy", pushed, *WHERE, "--service", "standing", "--dry-run", "--write", "service.yaml")
    found = cloud.told(
        *words, "--env", f"KEY={secret}", "--min-instances", "2", "--concurrency", "20", cwd=standing.folder
    )
    changes = {change["field"]: (change["before"], change["after"]) for change in found["plan"]["changes"]}
    assert changes["concurrency"] == ("80", "20")
    assert changes["env.KEY"] == ("", "(set)")
    assert changes["scaling"][1].startswith("2 to")
    assert found["plan"]["cost"]["idle_month"] > 0
    assert secret not in json.dumps(found)
    assert cloud.service("standing") == before
    document = yaml.safe_load((standing.folder / "service.yaml").read_text())
    assert document["apiVersion"] == "serving.knative.dev/v1"
    assert document["spec"]["template"]["spec"]["containers"][0]["image"] == pushed


def test_what_nobody_said_stays(cloud: Cloud, standing: Packed, pushed: str) -> None:
    """Settings given once, or made by somebody else, are there after a release that does not name them.

    Nor does a login that is refused once, in the middle of it all, say anything: it is made anew.
    """
    words = ("deploy", pushed, *WHERE, "--service", "standing", "--yes")
    cloud.told(
        *words, "--memory", "1Gi", "--max-instances", "3", "--timeout", "77", "--env", "A=1", cwd=standing.folder
    )
    cloud.arm("unauthenticated", call="UpdateService")
    now = str(time.time_ns())  # another one in each run, as a stand-in may outlive several
    cloud.told(*words, "--env", f"B={now}", cwd=standing.folder)
    assert cloud.ask("/standin/faults") == []
    template = cloud.service("standing")["template"]
    container = template["containers"][0]
    assert container["resources"]["limits"]["memory"] == "1Gi"
    assert container["resources"]["cpuIdle"] is True
    assert (template["scaling"]["maxInstanceCount"], template["timeout"]) == (3, "77s")
    assert {"A": "1", "B": now}.items() <= {one["name"]: one["value"] for one in container["env"]}.items()
    assert container["startupProbe"]["httpGet"]["path"] == "/ready"


def test_a_stage_without_traffic_waits_for_its_share(cloud: Cloud, standing: Packed, pushed: str) -> None:
    """`--no-traffic` leaves what serves alone; the release has an address of its own, and gets its share by `traffic`."""
    before = serving(cloud, standing)
    words = ("deploy", pushed, *WHERE, "--service", "standing", "--yes", "--no-traffic")
    aside = cloud.told(*words, "--env", "ASIDE=1", "--set", "labels.stage=aside", cwd=standing.folder)
    assert (aside["verified"], aside["previous"]) == ("golden", before)
    assert "traffic" not in {change["field"] for change in aside["plan"]["changes"]}
    assert "the service's label stage" in aside["plan"]["notes"][-1]
    assert aside["url"] != cloud.told("status", cwd=standing.folder)["url"]
    assert "$(gcloud auth print-identity-token)" in aside["curl"]
    assert serving(cloud, standing) == before
    shared = cloud.told(*aside["share"].split()[1:], cwd=standing.folder)
    assert next(one["name"] for one in shared["revisions"] if one["percent"]) == aside["revision"]
    cloud.refused(8, "deploy_missing", "traffic", "no-such-revision=100", cwd=standing.folder)
    found = cloud.service("standing")
    assert "stage" not in found.get("labels", {})
    assert found["template"]["labels"]["stage"] == "aside"
    later = cloud.told(*words[:-1], "--set", "labels.stage=aside", cwd=standing.folder)
    assert {change["field"] for change in later["plan"]["changes"]} == {"label.stage", "traffic"}
    assert cloud.service("standing")["labels"]["stage"] == "aside"


# The push -------------------------------------------------------------------------------------------


def test_a_push_makes_the_repository_and_survives_a_refused_token(cloud: Cloud, iris: Packed, pushed: str) -> None:
    """A repository that is missing is made, with its clean-up policy; a 401 in the middle is one more try with a new token."""
    assert pushed.partition("@")[0].endswith(f"/{PROJECT}/mlpack/{iris.name}")
    cloud.arm("push-401")
    found = cloud.told("push", iris.image, "--project", PROJECT, "--region", "europe-north1", cwd=iris.folder)
    assert (found["verified"], cloud.ask("/standin/faults")) == (True, [])
    path = f"/v1/projects/{PROJECT}/locations/europe-north1/repositories/mlpack"
    theirs = {"id": "theirs", "action": "DELETE", "condition": {"tagState": "UNTAGGED"}}
    cloud.ask(
        f"{path}?updateMask=cleanupPolicies", {"cleanupPolicies": {"theirs": theirs}}, method="PATCH", token=cloud.access_token()
    )  # fmt: skip
    cloud.arm("token-over")
    cloud.told("push", iris.image, "--project", PROJECT, "--region", "europe-north1", "--keep", "3", cwd=iris.folder)
    assert cloud.ask("/standin/faults") == []  # it was given, refused, and fetched anew
    policies = cloud.ask(path, token=cloud.access_token())["cleanupPolicies"]
    assert policies["mlpack-keep"]["mostRecentVersions"]["keepCount"] == 6  # three images and their receipts
    assert policies["mlpack-delete"]["condition"] == {"tagState": "ANY", "olderThan": "86400s"}
    assert policies["theirs"]["condition"] == {"tagState": "UNTAGGED"}
    cloud.arm("forbidden", call="GetRepository")
    cloud.refused(7, "registry_auth", "push", iris.image, "--project", PROJECT, "--region", REGION, cwd=iris.folder)
    cloud.arm("push-401", times=9)
    words = ("push", iris.image, "--project", PROJECT, "--region", "europe-north1")
    found = cloud.refused(7, "registry_auth", *words, cwd=iris.folder)
    assert "gcloud auth application-default login" in found["error"]["hint"]
    cloud.disarm()
    cloud.arm("token-fails", times=9)
    cloud.refused(7, "registry_auth", "push", iris.image, "--project", PROJECT, "--region", REGION, cwd=iris.folder)


def test_an_image_in_the_registry_brings_its_receipt(cloud: Cloud, standing: Packed, pushed: str) -> None:
    """`name@sha256:...` deploys from a folder that has never seen the image; an image without a receipt does not."""
    assert not (standing.folder / ".mlpack" / "receipts").exists()
    (standing.folder / "other.json").write_text("{}")
    cloud.refused(6, "not_verified", "deploy", pushed, "--receipt", "other.json", "--dry-run", cwd=standing.folder)


@contextmanager
def deploying(cloud: Cloud, standing: Packed, pushed: str) -> Iterator[subprocess.Popen[str]]:
    """A deploy of a release that will refuse what it is asked; given while its revision is being started."""
    words = ("deploy", pushed, *WHERE, "--service", "standing", "--env", REFUSES, "--yes", "--json")
    cloud.arm("slow-operation", seconds=5)  # time enough for what the test does meanwhile
    with subprocess.Popen(
        [*MLPACK, *words], cwd=standing.folder, env={**os.environ, **cloud.env}, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        while not cloud.service("standing").get("reconciling"):
            assert process.poll() is None, process.communicate()
            time.sleep(0.05)
        yield process


def login_of(cloud: Cloud, folder: Path, pushed: str) -> str:
    """A docker config whose login for the registry is an access token, as `docker login` would leave it."""
    auth = base64.b64encode(f"oauth2accesstoken:{cloud.access_token()}".encode()).decode()
    place = folder / "docker-config"
    place.mkdir(exist_ok=True)
    (place / "config.json").write_text(json.dumps({"auths": {pushed.partition("/")[0]: {"auth": auth}}}))
    return str(place)
