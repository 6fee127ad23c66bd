"""The login to the password registry: made once, and known to a private DOCKER_CONFIG."""

from __future__ import annotations

import base64
import ctypes
import json
import os
import secrets
import shutil
from pathlib import Path

from .errors import EngineError
from .shell import run
from .state import State, write

USER = "mlpack"
BCRYPT_ALPHABET = "./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"


def htpasswd(state: State) -> Path:
    """Give the registry's password file; the password is drawn at the first call."""
    path = state.root / "htpasswd"
    if not path.exists() or not _password_path(state).exists():
        write(_password_path(state), secrets.token_urlsafe(24))
        write(path, f"{USER}:{_bcrypt(_password_path(state).read_text())}\n")
    return path


def write_docker_config(state: State, user: Path, registry: str) -> None:
    """Make the private DOCKER_CONFIG: all that the user's has, and our login."""
    try:
        config = json.loads((user / "config.json").read_text())
    except (OSError, ValueError):
        config = {}
    pair = f"{USER}:{_password_path(state).read_text()}"
    login = {"auth": base64.b64encode(pair.encode()).decode()}
    config["auths"] = {**config.get("auths", {}), registry: login}
    if config.get("credsStore"):
        # Else the CLI would ask the user's store for ours, and find nothing.
        config["credHelpers"] = {**config.get("credHelpers", {}), registry: ""}
    write(state.docker_config / "config.json", json.dumps(config, indent=1))
    _link_the_rest(state.docker_config, user)


def _link_the_rest(config: Path, user: Path) -> None:
    """Show the user's contexts and plugins in the private folder too."""
    wanted = {entry.name: entry.absolute() for entry in user.iterdir()} if user.is_dir() else {}
    wanted.pop("config.json", None)
    for old in config.iterdir():
        if old.is_symlink() and old.readlink() != wanted.get(old.name):
            old.unlink()
    for name, target in wanted.items():
        if not os.path.lexists(config / name):
            (config / name).symlink_to(target)


def _password_path(state: State) -> Path:
    return state.root / "password"


def _bcrypt(password: str) -> str:
    """Hash as the registry wants it: bcrypt and nothing else, which the stdlib has not."""
    try:
        crypt = ctypes.CDLL("libcrypt.so.1").crypt
    except OSError:
        return _bcrypt_in_container(password)
    crypt.restype = ctypes.c_char_p
    # Of the salt's last character only two bits count; these four say just them.
    salt = "".join(secrets.choice(BCRYPT_ALPHABET) for _ in range(21)) + secrets.choice(".Oeu")
    # Cost 5 is the least: the password has 192 random bits, and every request is checked.
    hashed: bytes | None = crypt(password.encode(), f"$2b$05${salt}".encode())
    if not hashed or not hashed.startswith(b"$2"):
        return _bcrypt_in_container(password)
    return hashed.decode()


def _bcrypt_in_container(password: str) -> str:
    """Ask the htpasswd of Apache's image, where the machine's libc has no bcrypt."""
    if not shutil.which("docker"):
        raise EngineError("This machine has neither a libcrypt nor docker.", "Install docker.")
    image = "httpd:2-alpine"
    argv = ["docker", "run", "--rm", "-i", "--entrypoint", "htpasswd", image, "-niB", USER]
    return run(argv, stdin=password).strip().partition(":")[2]
