"""Package settings as environment variables of uv and pip, so that no address is in a command line."""

from __future__ import annotations

from mlpack.packages.index.http import with_login
from mlpack.packages.settings import PackageSettings


def uv_variables(settings: PackageSettings) -> dict[str, str]:
    """The variables that uv reads. `--no-index` has no variable and must be passed too."""
    variables = {"UV_INDEX_STRATEGY": "unsafe-best-match", "UV_HTTP_TIMEOUT": f"{max(30, settings.timeout_s):.0f}"}
    if not settings.no_index:
        variables["UV_DEFAULT_INDEX"] = with_login(settings.index_url, settings)
        extra = [with_login(url, settings) for url in settings.extra_index_urls if url != settings.index_url]
        variables["UV_INDEX"] = " ".join(extra)
    variables["UV_FIND_LINKS"] = ",".join(settings.find_links)
    variables["UV_INSECURE_HOST"] = " ".join(settings.trusted_hosts)
    # without a CA bundle of the user: the system's certificates, where a company's authority usually is
    variables["UV_SYSTEM_CERTS"] = "" if settings.ca_bundle else "1"
    return variables | _transport(settings)


def pip_variables(settings: PackageSettings) -> dict[str, str]:
    """The variables that pip reads."""
    variables = {"PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_TIMEOUT": f"{settings.timeout_s:.0f}"}
    if settings.no_index:
        variables["PIP_NO_INDEX"] = "1"
    else:
        variables["PIP_INDEX_URL"] = with_login(settings.index_url, settings)
        extra = [with_login(url, settings) for url in settings.extra_index_urls if url != settings.index_url]
        variables["PIP_EXTRA_INDEX_URL"] = " ".join(extra)
    variables["PIP_FIND_LINKS"] = " ".join(settings.find_links)
    variables["PIP_TRUSTED_HOST"] = " ".join(settings.trusted_hosts)
    variables["PIP_CERT"] = str(settings.ca_bundle or "")
    variables["PIP_CLIENT_CERT"] = str(settings.client_cert or "")
    return variables


def _transport(settings: PackageSettings) -> dict[str, str]:
    """Common variables for proxies and certificates; an empty value unsets a variable."""
    variables = {"SSL_CERT_FILE": str(settings.ca_bundle or ""), "SSL_CLIENT_CERT": str(settings.client_cert or "")}
    if settings.ca_bundle:
        variables["SSL_CERT_DIR"] = ""
    for scheme in ("http", "https", "all", "no"):
        variables[f"{scheme}_proxy"] = variables[f"{scheme.upper()}_PROXY"] = settings.proxies.get(scheme, "")
    return variables
