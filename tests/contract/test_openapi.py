"""/openapi.json is valid OpenAPI 3.1, names every route, and is true to what the service answers."""

from __future__ import annotations

import json
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator

from tests.contract import models
from tests.contract.served import Server
from tests.contract.speakers import name_of

SERVERS = ["iris", "houses", "spam", "pair"]


def document_of(server: Server) -> dict[str, Any]:
    found: dict[str, Any] = server.request("GET", "/openapi.json").json()
    return found


def holds(document: dict[str, Any], schema: dict[str, Any], value: Any) -> None:
    """The value fits a schema of the document."""
    Draft202012Validator({**schema, "components": document["components"]}).validate(value)


@pytest.mark.parametrize("name", SERVERS)
def test_it_is_valid(name: str, request: pytest.FixtureRequest) -> None:
    """A validator of the specification has nothing to say, whatever the model's layout."""
    document = document_of(request.getfixturevalue(name))
    assert document["openapi"] == "3.1.0"
    assert list(OpenAPIV31SpecValidator(document).iter_errors()) == []


@pytest.mark.parametrize("name", SERVERS)
def test_every_get_answers_as_it_says(name: str, request: pytest.FixtureRequest) -> None:
    """Each GET, asked, gives the media type and the shape that the document tells."""
    server = request.getfixturevalue(name)
    document = document_of(server)
    names = {"model": name_of(server), "version": "1.4.0" if name == "pair" else "1", "label": "latest"}
    asked = 0
    for path, verbs in document["paths"].items():
        if "get" not in verbs:
            continue
        answer = server.request("GET", path.format(**names))
        content = verbs["get"]["responses"]["200"].get("content")
        assert answer.status == 200, path
        asked += 1
        if content is None:
            assert answer.body == b"", path
            continue
        media = answer.headers["content-type"].partition(";")[0]
        assert media in content, path
        if media == "application/json" and answer.body.strip():
            holds(document, content[media]["schema"], answer.json())
    assert asked > 20


@pytest.mark.parametrize("name", SERVERS)
def test_every_example_is_answered_as_it_says(name: str, request: pytest.FixtureRequest) -> None:
    """Each POST's example fits its own schema, is answered, and the answer fits the schema of answers."""
    server = request.getfixturevalue(name)
    document = document_of(server)
    names = {"model": name_of(server), "version": "1.4.0" if name == "pair" else "1", "label": "latest"}
    asked = set()
    for path, verbs in document["paths"].items():
        body = verbs.get("post", {}).get("requestBody", {}).get("content", {}).get("application/json", {})
        if "example" not in body:
            continue
        holds(document, body["schema"], body["example"])
        answer = server.request("POST", path.format(**names), body["example"])
        assert answer.status == 200, (path, answer.body)
        holds(document, verbs["post"]["responses"]["200"]["content"]["application/json"]["schema"], answer.json())
        refused = server.request("POST", path.format(**names), {"nothing": 1})
        assert refused.status == 400, path
        holds(document, verbs["post"]["responses"]["default"]["content"]["application/json"]["schema"], refused.json())
        asked.add(path)
    assert {"/predict", "/invocations", "/score", "/v1/models/{model}:predict", "/predictions/{model}"} <= asked


def test_what_the_schema_refuses_the_service_refuses(iris: Server) -> None:
    """Rows of a wrong width, name or type fit neither the schema nor the service; good ones fit both."""
    document = document_of(iris)
    schema = document["paths"]["/predict"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    judge = Draft202012Validator(schema)
    good = dict(zip(models.IRIS_COLUMNS, [5.1, 3.5, 1.4, 0.2], strict=True))
    for row in ([1, 2, 3], [1, 2, 3, "4"], {**good, "more": 1}, {"x": 1}, 1, [1, 2, 3, [True]]):
        assert not judge.is_valid({"instances": [row]}), row
        assert iris.predict({"instances": [row]}).status == 400, row
    for body in (
        {"instances": [good]},
        {"instances": [[1, 2, 3, True]]},
        {"features": [1, 2, 3, 4]},
        {"columns": {name: [1.5] for name in good}},
    ):
        assert judge.is_valid(body), body
        assert iris.predict(body).status == 200, body


def test_every_contract_is_there(iris: Server) -> None:
    """The tags are the contracts; an operation's id names one operation only."""
    document = document_of(iris)
    operations = [one for verbs in document["paths"].values() for one in verbs.values()]
    tags = {tag for one in operations for tag in one["tags"]}
    assert tags >= {"own", "openinference", "tfserving", "sagemaker", "mlflow", "azure", "torchserve", "openapi"}
    assert len({one["operationId"] for one in operations}) == len(operations)
    assert all(one["summary"] for one in operations)
    assert len(json.dumps(document)) < 200_000


def test_a_signature_may_be_named(iris: Server) -> None:
    """TensorFlow Serving's `signature_name` is any signature that takes these rows, or its word for the default."""
    document = document_of(iris)
    schema = document["paths"]["/v1/models/{model}:predict"]["post"]["requestBody"]["content"]["application/json"][
        "schema"
    ]
    for name in ("predict", "predict_proba", "serving_default", "", None):
        body = {"instances": [[5.1, 3.5, 1.4, 0.2]], "signature_name": name}
        holds(document, schema, body)
        assert iris.request("POST", "/v1/models/test:predict", body).status == 200
