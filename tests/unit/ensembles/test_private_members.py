"""A member that is a private service: its audience is in the plan, and what it refuses is said with the remedy."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml

from mlpack.ensembles.file import EnsembleFile, read_ensemble
from mlpack.ensembles.fitting import fit
from mlpack.ensembles.members import of_silent_url, of_url
from mlpack.errors import ConfigError, MemberUnreachableError
from mlpack.runtime.ensembles.plan import Plan, audience_variable, url_variable
from tests.unit.ensembles.test_fitting import regressor

URL = "https://remote-abc.a.run.app"


class Refuses(BaseHTTPRequestHandler):
    """403 to everything, as the front end of a private service answers without a token."""

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        """403."""
        self.send_error(403)


def ensemble(folder: Path, **member: Any) -> EnsembleFile:
    """An ensemble.yaml with one member."""
    text = yaml.safe_dump({"name": "e", "reduce": "mean", "members": [{"name": "r-1", **member}]})
    (folder / "ensemble.yaml").write_text(text)
    return read_ensemble(folder)[0]


def test_the_audience_of_a_url_is_in_the_plan(tmp_path: Path) -> None:
    """The coordinator asks for tokens for it; a variable of the deployment replaces it."""
    found = ensemble(tmp_path, url=f"{URL}/v2/models/m", audience=URL)
    plan = fit(found, [of_silent_url(found.members[0], regressor("other").signatures)]).plan
    file = tmp_path / "plan.json"
    file.write_text(json.dumps(plan))
    assert Plan.read(file, {}).members[0].audience == URL
    assert (url_variable("r-1"), audience_variable("r-1")) == ("MLPACK_MEMBER_R_1_URL", "MLPACK_MEMBER_R_1_AUDIENCE")
    moved = Plan.read(file, {url_variable("r-1"): "https://b", audience_variable("r-1"): "https://a"}).members[0]
    assert (moved.url, moved.audience) == ("https://b", "https://a")


def test_only_a_url_has_an_audience(tmp_path: Path) -> None:
    """That of a member's own service is found when it is deployed."""
    with pytest.raises(ConfigError, match="an audience belongs to a url"):
        ensemble(tmp_path, image="x", audience=URL)


def test_a_service_that_refuses_this_machine_is_unreachable(tmp_path: Path) -> None:
    """So that --offline accepts it; the hint names the key for a private service."""
    with HTTPServer(("127.0.0.1", 0), Refuses) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        found = ensemble(tmp_path, url=f"http://127.0.0.1:{server.server_address[1]}/v2/models/m")
        with pytest.raises(MemberUnreachableError, match="answers 403") as told:
            of_url(found.members[0])
        server.shutdown()
        thread.join()
    assert "`audience:`" in told.value.hint
