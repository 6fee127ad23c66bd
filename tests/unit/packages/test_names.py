"""Names, versions and addresses: one spelling, no way in for options, no secret in a message."""

import pytest

from mlpack.errors import ConfigError
from mlpack.packages.names import is_pinned, parse_requirement, redact, same_version, strip_login


@pytest.mark.parametrize(
    ("text", "name", "specifiers"),
    [
        ("Pandas == 2.2.*", "pandas", "==2.2.*"),
        ("scikit_learn>=1.2,<2", "scikit-learn", ">=1.2,<2"),
        ("uvicorn[standard]>=0.3 ; python_version < '3.12'", "uvicorn", ">=0.3"),
        ("six", "six", ""),
    ],
)
def test_requirements_are_read(text: str, name: str, specifiers: str) -> None:
    """A requirement of PEP 508 gives its normalised name and its versions."""
    assert parse_requirement(text) == (name, specifiers)


@pytest.mark.parametrize(
    "text",
    [
        "--index-url https://evil.example/simple",
        "-r other.txt",
        "six\n--index-url https://evil.example/simple",
        "six @ https://evil.example/six.whl",
        "../six",
        "six ==",
        "",
    ],
)
def test_what_is_no_requirement_is_refused(text: str) -> None:
    """Nothing that could point the installer elsewhere passes as a requirement."""
    with pytest.raises(ConfigError):
        parse_requirement(text)


def test_a_refused_requirement_keeps_its_login_secret() -> None:
    """The message of a refusal shows no login."""
    with pytest.raises(ConfigError) as caught:
        parse_requirement("six @ https://me:hush@host/six.whl")
    assert "hush" not in caught.value.message


def test_logins_are_hidden_or_taken_out() -> None:
    """A login in an address is masked for messages, and can be dropped with the address still in use."""
    text = "see https://me:hush@host/simple and http://token@other"
    assert redact(text) == "see https://***@host/simple and http://***@other"
    assert strip_login(text) == "see https://host/simple and http://other"


def test_versions_are_compared_as_versions() -> None:
    """Two spellings of one version are the same, two versions are not."""
    assert same_version("1.0", "1.0.0")
    assert same_version("1.4.1.post1", "1.4.1-post1")
    assert same_version("2.13.0", "2.13.0+cpu")
    assert not same_version("2.13.0+cpu", "2.13.0+cu121")
    assert not same_version("1.2.2", "1.2.20")
    assert not same_version("1.2", "1.2rc1")
    assert is_pinned("==2.2.*")
    assert not is_pinned(">=2,<3")
