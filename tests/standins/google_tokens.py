"""Google's token services made small: Security Token Service, OAuth and IAM Credentials."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from google.auth import crypt
from google.auth import jwt as google_jwt

jwt: Any = google_jwt  # its functions have no types
signer_of: Any = crypt.RSASigner.from_string
ACCOUNT = "deployer@demo.iam.gserviceaccount.com"


class GoogleTokens:
    """Answers whatever it is asked; `asked` is what came, `life` the seconds that its access tokens live."""

    def __init__(self) -> None:
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self.key = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
        ).decode()
        self.asked: list[tuple[str, str, Any]] = []
        self.life = 3600
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *_: object) -> None:
                """Say nothing."""

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                outer.asked.append((self.path, self.headers.get("Authorization", ""), body))
                answer = json.dumps(outer._answer(self.path, body)).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def key_file(self) -> dict[str, Any]:
        """A service account's key, whose tokens come from here."""
        return {
            "type": "service_account",
            "client_email": "source@demo.iam.gserviceaccount.com",
            "private_key": self.key,
            "private_key_id": "1",
            "token_uri": f"{self.url}/token",
        }

    def close(self) -> None:
        """No more answers."""
        self._server.shutdown()
        self._server.server_close()

    def _answer(self, path: str, body: str) -> dict[str, Any]:
        if path.endswith(":generateIdToken"):
            claims = {"aud": json.loads(body)["audience"], "email": ACCOUNT, "iat": 1, "exp": 4102444800}
            return {"token": jwt.encode(signer_of(self.key), claims).decode()}
        return {"access_token": f"of {path}", "expires_in": self.life, "token_type": "Bearer"}
