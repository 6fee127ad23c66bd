"""What a coordinator knows of its ensemble, as /app/ensemble.json says it: Plan, Member."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, Mapping, Optional, Tuple

from ..card import TensorSpec
from ..errors import CardError

MEAN, WEIGHTED_MEAN, MEDIAN = "mean", "weighted_mean", "median"
HARD_VOTE, SOFT_VOTE, STACK, CASCADE, CUSTOM = "hard_vote", "soft_vote", "stack", "cascade", "custom"
REDUCERS = (MEAN, WEIGHTED_MEAN, MEDIAN, HARD_VOTE, SOFT_VOTE, STACK, CASCADE, CUSTOM)
WEIGHTED = (WEIGHTED_MEAN, HARD_VOTE, SOFT_VOTE)

V2, V1 = "v2", "v1"  # the contracts in which members are called


@dataclass(frozen=True)
class Query:
    """One way in which a member is called.

    `method` is the signature that the request names ("" for services that have only one), `inputs` are the member's tensors; a
    member of one matrix takes all columns of the ensemble side by side. `order` has, for each value of the member's row, its
    place in the ensemble's row; it is empty where the places are the same. `output` is the name of
    the output that is wanted, "" for all. `classes` are the labels of the columns of its probabilities, in the member's order.
    With `second`, the output is one number a row: the probability of the second of two classes.
    """

    method: str
    inputs: Tuple[TensorSpec, ...]
    order: Tuple[int, ...]
    output: str
    classes: Tuple[Any, ...]
    second: bool = False

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Query:
        """The query that the plan says; raises KeyError, ValueError."""
        return cls(
            method=str(document.get("method") or ""),
            inputs=tuple(TensorSpec.from_json(one) for one in document["inputs"]),
            order=tuple(int(place) for place in document.get("order") or ()),
            output=str(document.get("output") or ""),
            classes=tuple(document.get("classes") or ()),
            second=bool(document.get("second")),
        )


@dataclass(frozen=True)
class Member:
    """A service that answers for one model of the ensemble.

    `url` is its root, `model` its name there; `contract` is v2 or v1. `timeout_s` bounds one call of it, 0 for no bound beside
    the request's deadline. `audience` is that of the identity token for a private service of Cloud Run, "" for none. The
    `queries` are what the reducer needs, by the ensemble's name of the output.
    """

    name: str
    url: str
    model: str
    version: str
    contract: str
    weight: float
    timeout_s: float
    required: bool
    audience: str
    queries: Mapping[str, Query]
    binary: bool = True  # whether it takes V2's binary tensors

    @property
    def ready_path(self) -> str:
        """The path that answers 200 while the member is ready."""
        return f"/v1/models/{self.model}" if self.contract == V1 else "/v2/health/ready"

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Member:
        """The member that the plan says; raises KeyError, ValueError."""
        if document["contract"] not in (V2, V1):
            raise ValueError(f"member {document['name']!r} has the unknown contract {document['contract']!r}")
        return cls(
            name=str(document["name"]),
            url=str(document["url"]).rstrip("/"),
            model=str(document["model"]),
            version=str(document.get("version") or ""),
            contract=document["contract"],
            weight=float(document.get("weight", 1)),
            timeout_s=float(document.get("timeout_s") or 0),
            required=bool(document.get("required", True)),
            audience=str(document.get("audience") or ""),
            queries={name: Query.from_json(one) for name, one in document["queries"].items()},
            binary=bool(document.get("binary", True)),
        )


@dataclass(frozen=True)
class Plan:
    """The members in their order and how their outputs are reduced.

    `meta` is the name of the member that a stack gives the others' outputs, `threshold` that of a cascade. `classes` are the
    labels in the ensemble's order, empty for numbers.
    """

    reducer: str
    members: Tuple[Member, ...]
    classes: Tuple[Any, ...]
    meta: str
    threshold: float

    @classmethod
    def read(cls, path: Path, environ: Mapping[str, str]) -> Plan:
        """The plan in the file. Raises CardError.

        In `environ`, `MLPACK_MEMBER_<NAME>_URL` and `MLPACK_MEMBER_<NAME>_AUDIENCE` replace those of a member.
        """
        try:
            document: Dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
            for member in document["members"]:
                member["url"] = environ.get(url_variable(member["name"])) or member["url"]
                member["audience"] = environ.get(audience_variable(member["name"])) or member.get("audience")
            return cls.from_json(document)
        except OSError as error:
            raise CardError(f"the plan {path.name} cannot be read: {error.strerror}") from error
        except KeyError as error:
            raise CardError(f"the plan {path.name} lacks {error}") from error
        except (ValueError, TypeError, AttributeError) as error:
            raise CardError(f"the plan {path.name} does not fit: {error}") from error

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Plan:
        """The plan that the JSON says; raises KeyError, ValueError."""
        if document["reducer"] not in REDUCERS:
            raise ValueError(f"the reducer {document['reducer']!r} is not one of {', '.join(REDUCERS)}")
        members = tuple(Member.from_json(one) for one in document["members"])
        if not members:
            raise ValueError("it has no members")
        return cls(
            reducer=document["reducer"],
            members=members,
            classes=tuple(document.get("classes") or ()),
            meta=str(document.get("meta") or ""),
            threshold=float(document.get("threshold") or 0),
        )

    def member(self, name: str) -> Optional[Member]:
        """The member of that name, None when there is none."""
        return next((one for one in self.members if one.name == name), None)


def url_variable(member: str) -> str:
    """The environment variable that replaces the URL of this member."""
    return _variable(member, "URL")


def audience_variable(member: str) -> str:
    """The environment variable that replaces the audience of this member's identity tokens."""
    return _variable(member, "AUDIENCE")


def _variable(member: str, what: str) -> str:
    return f"MLPACK_MEMBER_{''.join(sign if sign.isalnum() else '_' for sign in member.upper())}_{what}"
