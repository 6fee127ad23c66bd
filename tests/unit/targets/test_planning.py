"""A plan says what will change and leaves the rest: made from the real messages, without a service."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
import yaml
from google.cloud import run_v2

from mlpack.artifacts.image import Image
from mlpack.artifacts.release import Component
from mlpack.artifacts.report import Report
from mlpack.artifacts.service import Plan
from mlpack.errors import ConfigError, DeployError, UsageError
from mlpack.targets.cloudrun.access import Access
from mlpack.targets.cloudrun.planning import Before, plan_of, refuse_others
from mlpack.targets.cloudrun.settings import Settings, where_of
from mlpack.targets.cloudrun.traffic import calls_of, served_of, shares_of, tags_of, targets, with_served
from mlpack.targets.settings import read_settings

IMAGE = Image(id="sha256:one", tags=("iris:1",), size=1, platform="linux/amd64", card={}, labels={})
REPORT = Report(checks=(), cold_start_ms=2000.0, latency_ms={"p50": 2.0}, peak_memory_mb=130.0)
WHERE = {"project": "demo", "region": "europe-west1"}
OPEN = Access(by_policy=True, check_off=False)


def plan(
    before: Before,
    image: Image = IMAGE,
    report: Report | None = REPORT,
    more: Mapping[str, Any] | None = None,
    **settings: Any,
) -> Plan:
    """The plan of a component; `more` are further fields of it."""
    reference = "host/demo/mlpack/iris@sha256:1"
    component = Component(name="iris", image=image, report=report, reference=reference, **(more or {}))
    return plan_of(before, Settings(**settings), component, service="iris", where=WHERE, run="run")


def there(**settings: Any) -> Before:
    """A service that an earlier plan made, and that somebody has touched since."""
    first = plan(Before(service=None), **settings)
    service = first.wanted.service_of("projects/demo/locations/europe-west1/services/iris", "host/iris@sha256:1", "old")
    service.traffic_statuses = [
        run_v2.TrafficTargetStatus(revision="iris-00001-abc", percent=100),
        run_v2.TrafficTargetStatus(revision="iris-00001-abc", tag="theirs"),
        run_v2.TrafficTargetStatus(revision="iris-00001-abc", tag="mlpack"),
    ]
    return Before(service=service, base=service.template, shares=shares_of(service), tags=tags_of(service), access=OPEN)


def test_the_same_again_changes_nothing() -> None:
    """No change, and the image's reference is the one that serves."""
    again = plan(there(memory="1Gi"))
    assert again.changes == ()
    assert again.wanted.template.containers[0].image == "host/iris@sha256:1"


def test_what_is_given_changes_and_the_rest_stays() -> None:
    """Theirs: a variable, a sidecar's place, the scaling; ours: what was named."""
    before = there(env={"KEPT": "yes"}, max_instances=7, memory="2Gi")
    assert before.base is not None
    before.base.service_account = "theirs@demo.iam.gserviceaccount.com"
    found = plan(before, Image(**{**vars(IMAGE), "id": "sha256:two"}), concurrency=10, env={"NEW": "secret-value"})
    changes = {change.field: (change.before, change.after) for change in found.changes}
    assert set(changes) == {"image", "concurrency", "env.NEW", "traffic"}
    assert changes["env.NEW"] == ("", "(set)")
    assert "secret-value" not in str([change.to_json() for change in found.changes])
    template = found.wanted.template
    assert template.service_account.startswith("theirs@")
    assert template.scaling.max_instance_count == 7
    assert {one.name for one in template.containers[0].env} == {"KEPT", "NEW"}
    assert template.containers[0].resources.limits["memory"] == "2Gi"
    assert found.wanted.around == []


def test_a_variable_is_taken_away_by_null() -> None:
    """What nobody names stays, so going needs a word of its own."""
    found = plan(there(env={"OLD": "1", "KEPT": "yes"}, memory="1Gi"), env={"OLD": None, "NEVER": None})
    assert [change.to_json() for change in found.changes if change.field != "traffic"] == [
        {"field": "env.OLD", "before": "(set)", "after": ""}
    ]
    assert {one.name for one in found.wanted.template.containers[0].env} == {"KEPT"}


def test_no_value_of_a_variable_is_in_a_refusal() -> None:
    """It may be a secret, and the message ends up in a CI's log."""
    for env in ({"PORT": "hunter2"}, {"KEY": 31337}, {"KEY": ["hunter2"]}):
        with pytest.raises(ConfigError) as told:
            read_settings(Settings, "cloudrun", {"env": {"API_KEY": "hunter2", **env}})
        assert "hunter2" not in f"{told.value.message} {told.value.hint}"
        assert "31337" not in f"{told.value.message} {told.value.hint}"
    with pytest.raises(ConfigError) as told:
        read_settings(Settings, "cloudrun", {"secrets": {"KEY": "hunter2!"}})
    assert "hunter2" not in f"{told.value.message} {told.value.hint}"


def test_a_reference_to_a_secret_is_taken_as_it_is_written() -> None:
    """By its name, with a version or an alias, of another project; a variable may become one."""
    references = {"A": "key", "B": "key:3", "C": "key:latest", "D": "projects/42/secrets/key:3"}
    found = plan(there(env={"A": "1"}, memory="1Gi"), secrets=references, env={"B": None})
    told = {one.name: one.value_source.secret_key_ref for one in found.wanted.template.containers[0].env}
    assert {name: (one.secret, one.version) for name, one in told.items()} == {
        "A": ("key", "latest"), "B": ("key", "3"), "C": ("key", "latest"), "D": ("projects/42/secrets/key", "3"),
    }  # fmt: skip


def test_more_instances_than_the_service_may_have_are_told_before_any_call() -> None:
    """The one is given now, the other was given long ago."""
    with pytest.raises(UsageError, match="the minimum of 5 instances is more than the maximum of 3"):
        plan(there(max_instances=3), min_instances=5)


def test_a_larger_model_gets_more_and_a_smaller_one_keeps() -> None:
    """The size follows the measure upwards only; a size that was asked for and is too small is told of."""
    big = plan(there(), report=Report(checks=(), peak_memory_mb=3000.0))
    limits = big.wanted.template.containers[0].resources.limits
    assert (limits["memory"], limits["cpu"]) == ("8Gi", "2")
    small = plan(there(memory="4Gi"))
    assert small.wanted.template.containers[0].resources.limits["memory"] == "4Gi"
    tight = plan(Before(service=None), report=Report(checks=(), peak_memory_mb=900.0), memory="512Mi")
    assert any("900 MiB" in note for note in tight.notes)


def test_cpu_is_billed_only_when_it_works() -> None:
    """`cpu_idle` is always said, because left out it would mean the opposite."""
    resources = plan(Before(service=None)).wanted.template.containers[0].resources
    assert (resources.cpu_idle, resources.startup_cpu_boost) == (True, True)
    assert plan(there(), cpu_always=True).wanted.template.containers[0].resources.cpu_idle is False
    assert plan(there(cpu_always=True)).wanted.template.containers[0].resources.cpu_idle is False


def test_the_file_is_what_gcloud_takes() -> None:
    """Knative's shape: the secret by reference, the probe (trap 3: /ready), VPC and ingress as annotations."""
    found = plan(
        Before(service=None),
        secrets={"KEY": "key:3"},
        ingress="internal",
        vpc={"network": "n", "egress": "all-traffic"},
        min_instances=1,
    )
    document = yaml.safe_load(found.document)
    container = document["spec"]["template"]["spec"]["containers"][0]
    assert container["env"] == [{"name": "KEY", "valueFrom": {"secretKeyRef": {"name": "key", "key": "3"}}}]
    assert container["startupProbe"]["httpGet"] == {"path": "/ready", "port": 8080}
    notes = document["spec"]["template"]["metadata"]["annotations"]
    assert notes["autoscaling.knative.dev/minScale"] == "1"
    assert json.loads(notes["run.googleapis.com/network-interfaces"]) == [{"network": "n"}]
    assert notes["run.googleapis.com/vpc-access-egress"] == "all-traffic"
    assert "mlpack.dev/run" not in notes
    assert document["metadata"]["annotations"]["run.googleapis.com/ingress"] == "internal"
    assert found.cost is not None
    assert found.cost.idle_month > 0


def test_the_file_says_what_it_leaves_out() -> None:
    """Command, ports and probes of the service that is there are written; what the file cannot carry is named in its head."""
    before = there()
    assert before.service is not None
    assert before.base is not None
    container = before.base.containers[0]
    container.command, container.args = ["serve"], ["--fast"]
    container.ports[0].name = "h2c"
    container.liveness_probe = run_v2.Probe(tcp_socket=run_v2.TCPSocketAction(port=8080), period_seconds=7)
    container.volume_mounts = [run_v2.VolumeMount(name="v", mount_path="/v")]
    before.base.volumes = [run_v2.Volume(name="v", empty_dir=run_v2.EmptyDirVolumeSource())]
    before.service.invoker_iam_disabled = True
    before.service.annotations["mlpack.dev/served"] = "iris-00001-abc"
    text = plan(before).document
    left = next(line for line in text.splitlines() if "omits settings" in line)
    assert left.endswith("remove: volumes, volume_mounts, invoker_iam_disabled, tags.")
    document = yaml.safe_load(text)
    written = document["spec"]["template"]["spec"]["containers"][0]
    assert (written["command"], written["args"]) == (["serve"], ["--fast"])
    assert written["ports"] == [{"name": "h2c", "containerPort": 8080}]
    assert written["livenessProbe"] == {"tcpSocket": {"port": 8080}, "periodSeconds": 7}
    assert document["metadata"]["annotations"]["mlpack.dev/served"] == "iris-00001-abc"
    assert "omits settings" not in plan(Before(service=None)).document


def test_what_is_the_services_own_waits_for_the_traffic() -> None:
    """Without traffic its labels, ingress and access are no change, and told of; said again later, they are one."""
    words: dict[str, Any] = {"labels": {"team": "ml"}, "ingress": "internal", "allow_unauthenticated": False}
    whole = plan(there(), env={"NEW": "1"}, **words)
    assert {change.field for change in whole.changes} == {"label.team", "ingress", "access", "env.NEW", "traffic"}
    aside = whole.without_traffic()
    assert {change.field for change in aside.changes} == {"label.team", "env.NEW"}
    assert "access, ingress, the service's label team;" in aside.notes[-1]
    assert whole.notes == aside.notes[:-1]

    moved = there()  # by `mlpack traffic`: the revision that was staged serves, and has the label
    assert moved.base is not None
    moved.base.labels["team"] = "ml"
    again = plan(moved, **words)
    assert {change.field for change in again.changes} == {"label.team", "ingress", "access", "traffic"}
    assert again.without_traffic().changes == ()
    assert plan(there(labels={"team": "ml"}), labels={"team": "ml"}).changes == ()
    assert plan(there(), env={"NEW": "1"}).without_traffic().notes == ()

    first = plan(Before(service=None), allow_unauthenticated=True, labels={"team": "ml"})
    assert {change.field for change in first.changes} - {
        change.field for change in first.without_traffic().changes
    } == {"access"}
    assert "access;" in first.without_traffic().notes[-1]
    private = plan(Before(service=None))
    assert private.without_traffic() == private


def test_the_revision_of_another_deploy_is_not_taken_for_ours() -> None:
    """Two at once: who comes second finds the other's, ready or not, and is told of a conflict."""
    ours = plan(Before(service=None)).wanted.service_of("projects/demo/locations/x/services/iris", "host/iris", "ours")
    refuse_others(ours, "ours")
    with pytest.raises(DeployError, match="someone else has deployed iris in the meantime") as told:
        refuse_others(ours, "theirs")
    assert told.value.code == "deploy_conflict"


def test_traffic_is_pinned_while_a_release_is_staged() -> None:
    """What serves is named, others' tags stay, ours is on the newest; only revisions that served are gone back to."""
    before = there()
    staged = targets(before.shares, before.tags, staged=True)
    told = [(one.type_.name.rpartition("_")[2], one.revision, one.percent, one.tag) for one in staged]
    assert told == [
        ("REVISION", "iris-00001-abc", 100, ""), ("REVISION", "iris-00001-abc", 0, "theirs"), ("LATEST", "", 0, "mlpack"),
    ]  # fmt: skip
    service = run_v2.Service(annotations=with_served(run_v2.Service(), ["a"]))
    service.annotations = with_served(service, ["b"])
    assert served_of(service) == ["b", "a"]


@pytest.mark.parametrize(
    ("section", "words"),
    [
        ({"memroy": "1Gi"}, "memory"),
        ({"concurrency": 0}, "concurrency"),
        ({"memory": "lots"}, "512Mi"),
        ({"vpc": {"connector": "a", "network": "b"}}, "either"),
        ({"ingress": "nowhere"}, "ingress"),
        ({"labels": {"Team": "ml"}}, "lower-case letters"),
        ({"env": {"PORT": "9000"}}, "set by Cloud Run"),
        ({"env": {"WORKERS": 2}}, "in quotes"),
        ({"env": {"A B": "1"}}, "'A B' is not a valid name"),
        ({"secrets": {"K_REVISION": "key"}}, "set by Cloud Run"),
        ({"secrets": {"KEY": ""}}, "KEY is not the name of a secret"),
        ({"secrets": {"KEY": "key:"}}, "KEY is not the name of a secret"),
        ({"secrets": {"KEY": "key:1:2"}}, "KEY is not the name of a secret"),
        ({"secrets": {"KEY": "key"}, "env": {"KEY": "1"}}, "both in `env` and in `secrets`"),
        ({"service_account": "runner"}, "gserviceaccount"),
        ({"gpu": 1}, "CPU builds"),
    ],
)
def test_an_invalid_section_is_an_error_that_names_the_key(section: dict[str, Any], words: str) -> None:
    """The key, and what is taken there."""
    with pytest.raises(ConfigError) as told:
        read_settings(Settings, "cloudrun", section)
    assert words in f"{told.value.message} {told.value.hint}"


@pytest.mark.parametrize(
    ("settings", "service"),
    [({}, "iris"), ({"project": "demo"}, "iris"), ({"project": "Demo Project", "region": "europe-west1"}, "iris"),
     ({**WHERE, "min_instances": 3, "max_instances": 2}, "iris"), ({**WHERE, "memory": "256Mi", "execution_environment": "gen2"}, "iris"),
     ({**WHERE, "region": "Europe"}, "iris"), (WHERE, "Iris_1"), (WHERE, "i" * 60), ({**WHERE, "cpu": "1", "memory": "8Gi"}, "iris")],
)  # fmt: skip
def test_names_and_pairs_are_checked_before_any_call(settings: dict[str, Any], service: str) -> None:
    """Exit 2 for what Cloud Run would refuse minutes later."""
    with pytest.raises(UsageError):
        where_of(Settings(**settings), service, {})


def test_project_and_region_come_from_the_usual_variables_too() -> None:
    """What a pipeline has in its environment need not be said again."""
    environ = {"GOOGLE_CLOUD_PROJECT": "demo", "GOOGLE_CLOUD_REGION": "europe-west1"}
    assert where_of(Settings(), "iris", environ) == ("demo", "europe-west1")
    assert where_of(Settings(project="other-one"), "iris", environ)[0] == "other-one"


def test_a_service_that_calls_others_has_their_addresses_and_their_revisions() -> None:
    """They are shown, as they are no secrets; the start may take as long as a new permission needs."""
    more = {"env": {"MEMBER_URL": "https://a", "GONE": None}, "calls": {"e-a": "e-a-1", "e-b": "e-b-1"}}
    first = plan(there(env={"SECRET": "x", "GONE": "y"}, memory="1Gi"), more=more)
    changes = {change.field: (change.before, change.after) for change in first.changes}
    assert changes["env.MEMBER_URL"] == ("", "https://a")
    assert changes["env.GONE"] == ("y", "")
    assert (changes["calls.e-a"], changes["calls.e-b"]) == (("", "e-a-1"), ("", "e-b-1"))
    template = first.wanted.template
    assert calls_of(template) == more["calls"]
    probe = template.containers[0].startup_probe
    assert probe.period_seconds * probe.failure_threshold == 240
    before = there(memory="1Gi")
    before = replace(before, base=template)
    again = plan(before, more={"env": more["env"], "calls": {"e-a": "e-a-1", "e-b": "e-b-2"}})
    assert {change.field for change in again.changes} == {"calls.e-b", "traffic"}
    assert calls_of(plan(before).wanted.template) == {}


def test_accounts_that_may_send_requests_are_a_change_that_comes_with_the_traffic() -> None:
    """Those of the settings and the callers that the component names; who may already is no change."""
    settings: dict[str, Any] = {"invokers": ("user:me@example.com",), "memory": "1Gi"}
    before = replace(
        there(memory="1Gi"), access=Access(by_policy=False, check_off=False, invokers=frozenset({"user:x@y.z"}))
    )
    found = plan(before, more={"callers": ("e@demo.iam.gserviceaccount.com",)}, **settings)
    change = next(change for change in found.changes if change.field == "invokers")
    assert change.before == "user:x@y.z"
    assert change.after == "serviceAccount:e@demo.iam.gserviceaccount.com, user:me@example.com, user:x@y.z"
    assert "invokers" in found.with_traffic
    assert found.wanted.invited == {"serviceAccount:e@demo.iam.gserviceaccount.com", "user:me@example.com"}
    allowed = replace(before, access=replace(before.access, invokers=found.wanted.invited))
    assert plan(allowed, more={"callers": ("e@demo.iam.gserviceaccount.com",)}, **settings).changes == ()
    unknown = replace(before, access=Access(by_policy=False, check_off=False, known=False))
    unseen = plan(unknown, more={"callers": ("e@demo.iam.gserviceaccount.com",)}, memory="1Gi")
    assert unseen.changes == ()
    assert any("not checked whether serviceAccount:e@demo" in note for note in unseen.notes)


@pytest.mark.parametrize("account", ["allUsers", "allAuthenticatedUsers", "nobody", "user:", "a b@c"])
def test_everybody_is_no_account(account: str) -> None:
    """`allow_unauthenticated` is for that."""
    with pytest.raises(ConfigError, match="is not an account"):
        read_settings(Settings, "cloudrun", {"invokers": [account]})
