"""Who calls: a service account's key file, access tokens and ID tokens out of it, and who a token belongs to."""

from __future__ import annotations

import datetime as dt
import json
import secrets
import time
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

from .errors import ApiError
from .faults import Faults
from .json_door import Asked
from .messages import CRYPT, JWT

ISSUER = "https://accounts.google.com"
GOOGLE = "https://oauth2.googleapis.com/token"  # what the client writes, wherever the key file's token_uri leads
LIFE = 3600
NOBODY = ApiError(
    "UNAUTHENTICATED",
    "Request had invalid authentication credentials. Expected OAuth 2 access token, login cookie or other valid"
    " authentication credential.",
)


class Identity:
    """The service account of `project`, its key, the stand-in's own key, and the tokens that were given."""

    def __init__(self, folder: Path, project: str, endpoint: str, faults: Faults) -> None:
        self.email = f"deployer@{project}.iam.gserviceaccount.com"
        self.project, self.endpoint, self.faults = project, endpoint, faults
        self.file = folder / "service-account.json"
        self.certificate = folder / "token-signer.pem"
        self._account, account_public = _pair(self.email)
        self._own, self._own_public = _pair("mlpack-standin")
        self._account_public = account_public
        self._tokens: dict[str, float] = {}
        self.certificate.write_text(self._own_public)
        self._write_key()

    def access_token(self, life: float = LIFE) -> str:
        """A new access token of the service account."""
        token = f"ya29.{secrets.token_urlsafe(32)}"
        self._tokens[token] = time.time() + life
        return token

    def signed(self, claims: dict[str, Any], *, x5c: bool = False) -> str:
        """A JWT of the stand-in's own key; a registry wants the certificate beside it."""
        chain = "".join(self._own_public.splitlines()[1:-1])
        header = {"x5c": [chain]} if x5c else {}
        signer = CRYPT.RSASigner.from_string(self._own, key_id=None if x5c else "own")
        return str(JWT.encode(signer, claims, header=header).decode())

    def check_access(self, login: str) -> None:
        """Let a caller of the APIs in: an access token of ours, or a JWT that the account signed for itself."""
        kind, _, token = login.partition(" ")
        if kind.lower() != "bearer" or not self.knows(token):
            raise NOBODY

    def knows(self, token: str) -> bool:
        """Whether it is a living access token."""
        if self._tokens.get(token, 0) > time.time():
            return True
        try:
            claims = JWT.decode(token, certs=self._account_public, verify=True)
        except Exception:  # noqa: BLE001  # whatever cannot be read is no token
            return False
        return bool(claims.get("iss") == self.email)

    def member(self, login: str, audiences: set[str]) -> str | None:
        """Whom an ID token in a request belongs to; None without a token; UNAUTHENTICATED for a wrong one."""
        if not login:
            return None
        try:
            token = login.partition(" ")[2]
            claims = JWT.decode(token, certs={"own": self._own_public}, verify=True)
        except Exception as error:
            raise NOBODY from error
        if str(claims.get("aud")).rstrip("/") not in audiences:
            raise NOBODY
        return f"serviceAccount:{claims['email']}"

    def answer(self, asked: Asked) -> tuple[int, Any] | None:
        """The OAuth token endpoint of the key file."""
        if asked.path != "/token" or asked.method != "POST":
            return None
        if self.faults.strike("token-fails"):
            return 400, {"error": "invalid_grant", "error_description": "Invalid JWT Signature."}
        form = {name: values[0] for name, values in parse_qs(asked.body.decode()).items()}
        try:
            claims = JWT.decode(
                form["assertion"], certs=self._account_public, audience=[GOOGLE, f"{self.endpoint}/token"]
            )
        except Exception as error:  # noqa: BLE001  # the same answer for every kind of wrong
            return 400, {"error": "invalid_grant", "error_description": f"Invalid JWT: {error}"}
        if audience := claims.get("target_audience"):
            return 200, {"id_token": self.id_token(audience)}
        life = 0 if self.faults.strike("token-over") else LIFE
        return 200, {"access_token": self.access_token(life), "expires_in": LIFE, "token_type": "Bearer"}

    def id_token(self, audience: str, email: str = "", life: float = LIFE) -> str:
        """An ID token for an audience, of the account or of somebody else."""
        now = int(time.time())
        email = email or self.email
        claims = {"iss": ISSUER, "aud": audience, "sub": email, "email": email, "email_verified": True}
        return self.signed({**claims, "iat": now - 1, "exp": now + int(life)})

    def _write_key(self) -> None:
        key = {
            "type": "service_account",
            "project_id": self.project,
            "private_key_id": "standin",
            "private_key": self._account,
            "client_email": self.email,
            "client_id": "100000000000000000001",
            "token_uri": f"{self.endpoint}/token",
        }
        self.file.touch(mode=0o600)
        self.file.write_text(json.dumps(key, indent=1))


def _pair(name: str) -> tuple[str, str]:
    """A private key and a self-signed certificate, both as PEM."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name[:64])])
    now = dt.datetime.now(dt.timezone.utc)
    builder = x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
    certificate = (
        builder.not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=365))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    )
    return private.decode(), certificate.public_bytes(serialization.Encoding.PEM).decode()
