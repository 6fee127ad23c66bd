"""Asking the package indexes themselves: which files of a distribution they have, for what, and since when."""

from __future__ import annotations

import gzip
import netrc
import ssl
import time
import urllib.error
import urllib.request
from base64 import b64encode
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPException
from pathlib import Path
from typing import IO, Any
from urllib.parse import quote, unquote, urlsplit, urlunsplit
from urllib.request import url2pathname

from mlpack.errors import IndexUnreachableError, ResolveError
from mlpack.packages.names import normalise, redact
from mlpack.packages.pages import IndexFile, parse_page
from mlpack.packages.settings import PackageSettings
from mlpack.packages.wheels import parse_wheel

ACCEPT = "application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.1"
MAX_PAGE = 200 * 1024**2  # bytes; the largest pages of PyPI are some 20 MB
TRIES = 3

OFFLINE_HINT = "Check the network and the proxy (HTTPS_PROXY), or resolve offline with --wheelhouse DIR."
CA_HINT = "If this network has a certificate authority of its own, set PIP_CERT (or SSL_CERT_FILE) to its bundle."


def ask(name: str, settings: PackageSettings) -> tuple[IndexFile, ...]:
    """All files of a distribution, from every index and folder of the settings; empty when none of them knows it.

    Raises IndexUnreachableError (no answer, no trust, no login, told apart) and ResolveError for a page that cannot be read.
    """
    files: list[IndexFile] = []
    for place in settings.find_links:
        files += _listed(place, name, settings)
    for index in settings.indexes:
        files += page(index, name, settings)
    return tuple(files)


def ask_all(names: Iterable[str], settings: PackageSettings) -> dict[str, tuple[IndexFile, ...]]:
    """The answer for each name, asked at once."""
    wanted = sorted(set(names))
    with ThreadPoolExecutor(max_workers=8) as pool:
        return dict(zip(wanted, pool.map(lambda name: ask(name, settings), wanted), strict=True))


def page(index: str, name: str, settings: PackageSettings) -> tuple[IndexFile, ...]:
    """The files that one index has of a distribution."""
    address = f"{index}/{normalise(name)}/"
    if index.startswith("file:"):
        path = _local(address) / "index.html"
        if not path.is_file():
            return ()
        return parse_page(path.read_text(encoding="utf-8"), "text/html", path.as_uri())
    return _fetched_page(address, settings)


def local_path(url: str) -> Path | None:
    """The path that a `file:` address or a plain path names, None for an address elsewhere."""
    if url.startswith("file:"):
        return _local(url)
    return None if "://" in url else Path(url)


def is_loopback(url: str) -> bool:
    """Whether an address reaches this machine only, so that a build's container cannot use it."""
    host = (urlsplit(url).hostname or "").lower()
    return host in ("localhost", "::1") or host.startswith("127.")


def download(url: str, settings: PackageSettings, write: Callable[[bytes], Any]) -> None:
    """Give a file's bytes to `write` as they arrive."""
    with _open(url, settings) as answer:
        while block := answer.read(1024 * 1024):
            write(block)


def with_netrc(url: str, settings: PackageSettings) -> str:
    """The address with its host's login from the netrc file, unless it holds one."""
    parts = urlsplit(url)
    if "@" in parts.netloc or settings.netrc is None or not parts.hostname:
        return url
    try:
        found = netrc.netrc(str(settings.netrc)).authenticators(parts.hostname)
    except (OSError, netrc.NetrcParseError):
        return url
    if not found:
        return url
    login = ":".join(quote(part or "", safe="") for part in (found[0], found[2]))
    return urlunsplit(parts._replace(netloc=f"{login}@{parts.netloc}"))


def _listed(place: str, name: str, settings: PackageSettings) -> list[IndexFile]:
    """The files of a distribution in a find-links folder or page."""
    folder = local_path(place)
    if folder is None or folder.is_file():
        everything: Iterable[IndexFile] = (
            parse_page(folder.read_text(encoding="utf-8"), "text/html", folder.as_uri())
            if folder
            else _fetched_page(place, settings)
        )
    elif folder.is_dir():
        everything = [IndexFile(filename=path.name, url=path.as_uri()) for path in sorted(folder.glob("*.whl"))]
    else:
        raise ResolveError(f"the find-links folder {folder} does not exist", hint="Correct PIP_FIND_LINKS or pip.conf.")
    wheels = ((file, parse_wheel(file.filename)) for file in everything)
    return [file for file, wheel in wheels if wheel and wheel.name == normalise(name)]


def _fetched_page(address: str, settings: PackageSettings) -> tuple[IndexFile, ...]:
    try:
        with _open(address, settings, accept=ACCEPT) as answer:
            body = answer.read(MAX_PAGE)
            if answer.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            return parse_page(body.decode("utf-8", "replace"), answer.headers.get("Content-Type", ""), answer.url)
    except urllib.error.HTTPError as error:
        if error.code in (404, 410):  # PEP 503: this index has no such distribution
            return ()
        raise _refused(error, address) from None
    except (ValueError, OSError, HTTPException) as error:
        raise ResolveError(f"{redact(address)} gave no index page: {error}", hint="Check the index address.") from None


def _open(address: str, settings: PackageSettings, accept: str = "*/*") -> Any:
    """An answer of the address; brief failures are tried again. Raises HTTPError, IndexUnreachableError."""
    address = with_netrc(address, settings)
    parts = urlsplit(address)
    bare = urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
    request = urllib.request.Request(bare, headers={"Accept": accept, "User-Agent": "mlpack"})  # noqa: S310  file: was told apart
    if parts.username is not None:
        login = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        # not sent on to another host when the index redirects
        request.add_unredirected_header("Authorization", "Basic " + b64encode(login.encode()).decode())
    opener = _opener(settings, parts.hostname or "", parts.port)
    for attempt in range(TRIES):
        try:
            return opener.open(request, timeout=settings.timeout_s)
        except urllib.error.HTTPError as error:
            if error.code < 500 or attempt == TRIES - 1:
                raise
        except (urllib.error.URLError, OSError, HTTPException) as error:
            if attempt == TRIES - 1 or _is_final(error):
                raise _unreachable(error, parts.hostname or address) from None
        time.sleep(0.3 * 2**attempt)
    raise AssertionError  # the last attempt returned or raised


def _opener(settings: PackageSettings, host: str, port: int | None) -> urllib.request.OpenerDirector:
    """An opener with the user's proxies and certificates."""
    proxies = {scheme: address for scheme, address in settings.proxies.items() if scheme in ("http", "https")}
    for scheme in ("http", "https"):
        if "all" in settings.proxies:
            proxies.setdefault(scheme, settings.proxies["all"])
    if urllib.request.proxy_bypass_environment(host, {"no": settings.proxies.get("no", "")}):  # type: ignore[attr-defined]  # in urllib since 3.0, not in its stubs
        proxies = {}
    context = ssl.create_default_context(cafile=str(settings.ca_bundle) if settings.ca_bundle else None)
    if settings.client_cert:
        context.load_cert_chain(settings.client_cert)
    if host in settings.trusted_hosts or f"{host}:{port}" in settings.trusted_hosts:
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return urllib.request.build_opener(
        urllib.request.ProxyHandler(proxies), urllib.request.HTTPSHandler(context=context), _SameHost()
    )


class _SameHost(urllib.request.HTTPRedirectHandler):
    """Redirects that keep the login as long as they stay on the host that it is for."""

    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: Any, newurl: str
    ) -> urllib.request.Request | None:
        following = super().redirect_request(req, fp, code, msg, headers, newurl)
        login = req.unredirected_hdrs.get("Authorization")
        if following and login and urlsplit(newurl)[:2] == urlsplit(req.full_url)[:2]:
            following.add_unredirected_header("Authorization", login)
        return following


def _is_final(error: Exception) -> bool:
    """Whether trying again cannot help: no trust, or a port that nobody listens on."""
    reason = getattr(error, "reason", error)
    return isinstance(reason, (ssl.SSLError, ConnectionRefusedError))


def _unreachable(error: Exception, host: str) -> IndexUnreachableError:
    reason = getattr(error, "reason", error)
    if isinstance(reason, ssl.SSLError):
        return IndexUnreachableError(f"the package index at {host} is not trusted: {reason}", hint=CA_HINT)
    return IndexUnreachableError(f"the package index at {host} did not answer: {reason}", hint=OFFLINE_HINT)


def _refused(error: urllib.error.HTTPError, address: str) -> IndexUnreachableError:
    if error.code in (401, 403, 407):
        who = "proxy" if error.code == 407 else "package index"
        return IndexUnreachableError(
            f"the {who} refused the login for {redact(address)} ({error.code})",
            hint="Put it in the index address (PIP_INDEX_URL=https://USER:PASSWORD@HOST/simple), pip.conf or ~/.netrc.",
        )
    return IndexUnreachableError(f"{redact(address)} answered {error.code} {error.reason}", hint="Try again later.")


def _local(url: str) -> Path:
    return Path(url2pathname(urlsplit(url).path))
