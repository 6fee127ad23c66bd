"""Names, versions and addresses: one spelling, no way in for options, no secret in a message."""

import pytest

from mlpack.errors import ConfigError
from mlpack.packages.names import (
    admits_python,
    is_final,
    is_pinned,
    parse_pin,
    parse_requirement,
    redact,
    same_version,
    strip_login,
    version_key,
)


@pytest.mark.parametrize(
    ("text", "name", "specifiers"),
    [
        ("Pandas == 2.2.*", "pandas", "==2.2.*"),
        ("scikit_learn>=1.2,<2", "scikit-learn", ">=1.2,<2"),
        ("uvicorn[standard]>=0.3 ; python_version < '3.12'", "uvicorn", ">=0.3"),
        ("six", "six", ""),
        ("zope.interface (>=5, <6)", "zope-interface", ">=5,<6"),
        ("six===1.0", "six", "===1.0"),
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
        "six>=1.*",
        "six ; nonsense",
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


def test_what_a_file_records_is_no_version_or_one() -> None:
    """Previews are told from releases; a text that is no version has no order and is no release, however long it is."""
    assert version_key("2.1.0rc1+cpu") == (2, 1, 0)
    assert [is_final(one) for one in ("2.1.0", "2.1.0.post1", "2.1.0rc1", "2.1.dev0", "2004d")] == [
        True,
        True,
        False,
        False,
        False,
    ]
    for text in ("", "x", "9" * 5000, "1." * 5000):
        assert version_key(text) == ()
        assert not is_final(text)
    assert same_version("x", "x ")
    assert not same_version("x", "1.0")


def test_a_pin_names_exactly_one_version() -> None:
    """A line of a requirements file that somebody else wrote; anything but `==` and one version is none."""
    assert parse_pin("Scikit_Learn[all]==1.2.2 ; python_version > '3'  # as trained") == ("scikit-learn", "1.2.2")
    for line in (
        "six",
        "six==1.*",
        "six>=1",
        "six==1,!=2",
        "six===odd",
        "# six==1",
        "-r other.txt",
        "six @ https://h/x.whl",
        "",
    ):
        assert parse_pin(line) is None


@pytest.mark.parametrize(
    ("requires", "python", "admits"),
    [
        ("", "3.11", True), (">=3.9", "3.9", True), (">=3.9.2", "3.9", True), (">=3.10", "3.9", False), ("<3.11", "3.11", False),
        ("<3.11.4", "3.11", True), ("!=3.9.*,>=3.8", "3.9", False), ("~=3.9", "3.12", True), ("==3.10.*", "3.11", False),
        ("nonsense,<3.9", "3.9", False), (">=3.6.*", "3.9", True), ("<=3.9", "3.9", True), (">3.9", "3.9", True),
    ],
)  # fmt: skip
def test_requires_python(requires: str, python: str, admits: bool) -> None:
    """Whether some release of a minor version may install a file; a clause that cannot be read admits it."""
    assert admits_python(requires, python) is admits
