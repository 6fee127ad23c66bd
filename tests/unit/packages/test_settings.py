"""The user's package settings, found where pip and uv find them."""

from pathlib import Path

import pytest

from mlpack.errors import ConfigError
from mlpack.packages.settings import DEFAULT_INDEX, read_settings

NO_FILES = {"PIP_CONFIG_FILE": "/dev/null", "UV_NO_CONFIG": "1"}


def test_without_settings_it_is_pypi(tmp_path: Path) -> None:
    """A machine that says nothing gets PyPI, no proxy, no bundle."""
    settings = read_settings(NO_FILES, tmp_path)
    assert settings.indexes == (DEFAULT_INDEX,)
    assert (settings.find_links, settings.proxies, settings.ca_bundle, settings.no_index) == ((), {}, None, False)


def test_pips_environment_is_honoured(tmp_path: Path) -> None:
    """Every PIP_* name that says where packages come from counts."""
    bundle = tmp_path / "ca.pem"
    bundle.write_text("")
    environ = {
        **NO_FILES,
        "PIP_INDEX_URL": "https://a/simple/",
        "PIP_EXTRA_INDEX_URL": "https://b/simple  file:///srv/simple",
        "PIP_FIND_LINKS": "wheels https://c/links",
        "PIP_TRUSTED_HOST": "a b:8443",
        "PIP_CERT": str(bundle),
        "PIP_PROXY": "proxy:3128",
        "PIP_DEFAULT_TIMEOUT": "180",
        "PIP_NO_INDEX": "false",
    }
    settings = read_settings(environ, tmp_path)
    assert settings.indexes == ("https://b/simple", "file:///srv/simple", "https://a/simple")
    assert settings.find_links == (str(tmp_path / "wheels"), "https://c/links")
    assert settings.trusted_hosts == ("a", "b:8443")
    assert settings.proxies == {"http": "http://proxy:3128", "https": "http://proxy:3128"}
    assert (settings.ca_bundle, settings.timeout_s, settings.no_index) == (bundle, 180, False)


def test_nearer_pip_files_replace_farther_ones(tmp_path: Path) -> None:
    """Shared, user, PIP_CONFIG_FILE, environment: the nearest one that names a setting has it; [install] beats [global]."""
    shared, user, named = tmp_path / "xdg/pip/pip.conf", tmp_path / "home/.config/pip/pip.conf", tmp_path / "named.conf"
    for path in (shared, user):
        path.parent.mkdir(parents=True)
    shared.write_text("[global]\nindex-url = https://shared/simple\ntimeout = 5\n")
    user.write_text(
        "[global]\nindex_url = https://user/simple\n[install]\nextra-index-url =\n  https://one/simple\n  https://two/simple\n"
    )
    named.write_text("[global]\nextra-index-url = https://global/simple\n[install]\nfind-links = /srv/wheels\n")
    environ = {"HOME": str(tmp_path / "home"), "XDG_CONFIG_DIRS": str(tmp_path / "xdg"), "UV_NO_CONFIG": "1"}
    settings = read_settings(environ, tmp_path)
    assert settings.index_url == "https://user/simple"
    assert settings.extra_index_urls == ("https://one/simple", "https://two/simple")
    settings = read_settings(
        {**environ, "PIP_CONFIG_FILE": str(named), "PIP_INDEX_URL": "https://env/simple"}, tmp_path
    )
    assert settings.index_url == "https://env/simple"
    assert settings.extra_index_urls == ("https://global/simple",)
    assert settings.find_links == ("/srv/wheels",)


def test_a_broken_pip_file_is_told_of(tmp_path: Path) -> None:
    """A settings file that pip itself would refuse is a sentence that names it, and holds no login of it."""
    (tmp_path / "pip.conf").write_text("index-url = https://me:hush@host/simple\n")
    with pytest.raises(ConfigError, match=r"pip\.conf cannot be read") as caught:
        read_settings(
            {"PIP_CONFIG_FILE": str(tmp_path / "pip.conf"), "HOME": str(tmp_path), "UV_NO_CONFIG": "1"}, tmp_path
        )
    assert "hush" not in caught.value.message


def test_uvs_environment_is_honoured(tmp_path: Path) -> None:
    """UV_* counts, its default index before pip's, with the login that the environment holds for a named index."""
    environ = {
        **NO_FILES,
        "PIP_INDEX_URL": "https://pip/simple",
        "UV_DEFAULT_INDEX": "own=https://own/simple",
        "UV_INDEX": "extra-one=https://one/simple https://two/simple",
        "UV_FIND_LINKS": "/a, /b",
        "UV_INDEX_EXTRA_ONE_USERNAME": "me",
        "UV_INDEX_EXTRA_ONE_PASSWORD": "p@ss",
        "UV_INSECURE_HOST": "own",
    }
    settings = read_settings(environ, tmp_path)
    assert settings.indexes == ("https://me:p%40ss@one/simple", "https://two/simple", "https://own/simple")
    assert (settings.find_links, settings.trusted_hosts) == (("/a", "/b"), ("own",))


def test_uvs_files_are_honoured(tmp_path: Path) -> None:
    """The project's [tool.uv] comes before the user's uv.toml; an explicit index is for its own packages only."""
    user = tmp_path / "home/.config/uv/uv.toml"
    user.parent.mkdir(parents=True)
    user.write_text('index-url = "https://user/simple"\nfind-links = ["wheels"]\n')
    (tmp_path / "pyproject.toml").write_text(
        '[[tool.uv.index]]\nname = "own"\nurl = "https://own/simple"\ndefault = true\n'
        '[[tool.uv.index]]\nname = "torch"\nurl = "https://torch/whl"\nexplicit = true\n'
    )
    (tmp_path / "deep").mkdir()
    environ = {"PIP_CONFIG_FILE": "/dev/null", "HOME": str(tmp_path / "home"), "XDG_CONFIG_DIRS": str(tmp_path)}
    settings = read_settings(environ, tmp_path / "deep")
    assert settings.indexes == ("https://own/simple",)
    assert settings.find_links == (str(user.parent / "wheels"),)


def test_common_proxy_and_certificate_names_count(tmp_path: Path) -> None:
    """Proxies and bundles by their usual names are used; one that is not there is passed over, pip's own is not."""
    bundle = tmp_path / "ca.pem"
    bundle.write_text("")
    environ = {**NO_FILES, "HTTPS_PROXY": "http://p:1", "https_proxy": "http://q:2", "NO_PROXY": "a,b",
               "SSL_CERT_FILE": "/nowhere.pem", "REQUESTS_CA_BUNDLE": str(bundle)}  # fmt: skip
    settings = read_settings(environ, tmp_path)
    assert settings.proxies == {"https": "http://q:2", "no": "a,b"}
    assert settings.ca_bundle == bundle
    with pytest.raises(ConfigError, match="does not exist"):
        read_settings({**NO_FILES, "PIP_CERT": "/nowhere.pem"}, tmp_path)


def test_a_wheelhouse_is_the_only_source(tmp_path: Path) -> None:
    """With a wheelhouse no index is left to ask."""
    settings = read_settings({**NO_FILES, "PIP_EXTRA_INDEX_URL": "https://b/simple"}, tmp_path).only(tmp_path)
    assert (settings.indexes, settings.find_links, settings.no_index) == ((), (str(tmp_path),), True)
    with pytest.raises(ConfigError, match="not a folder"):
        settings.only(tmp_path / "none")
