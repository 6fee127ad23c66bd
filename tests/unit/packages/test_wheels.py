"""Which wheels fit which target."""

import pytest

from mlpack.packages.wheels import parse_wheel


@pytest.mark.parametrize(
    ("filename", "python", "platform", "fits"),
    [
        ("a-1-cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64.whl", "3.11", "linux/amd64", True),
        ("a-1-cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64.whl", "3.12", "linux/amd64", False),
        ("a-1-cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64.whl", "3.11", "linux/arm64", False),
        ("a-1-cp311-cp311-manylinux_2_28_aarch64.whl", "3.11", "linux/arm64", True),
        ("a-1-cp311-cp311-manylinux_2_36_x86_64.whl", "3.11", "linux/amd64", True),
        ("a-1-cp311-cp311-manylinux_2_39_x86_64.whl", "3.11", "linux/amd64", False),
        (
            "a-1-cp39-cp39-manylinux_2_34_x86_64.whl",
            "3.9",
            "linux/amd64",
            False,
        ),  # 3.9's image is older than the others
        ("a-1-cp39-cp39-manylinux1_x86_64.whl", "3.9", "linux/amd64", True),
        ("a-1-cp38-abi3-manylinux1_x86_64.whl", "3.11", "linux/amd64", True),
        ("a-1-cp312-abi3-manylinux1_x86_64.whl", "3.11", "linux/amd64", False),
        ("a-1-cp311-cp311t-manylinux1_x86_64.whl", "3.11", "linux/amd64", False),
        ("a-1-cp36-cp36m-manylinux1_x86_64.whl", "3.6", "linux/amd64", True),
        ("a-1-py3-none-any.whl", "3.9", "linux/arm64", True),
        ("a-1-py2.py3-none-any.whl", "3.13", "linux/amd64", True),
        ("a-1-py2-none-any.whl", "3.11", "linux/amd64", False),
        ("a-1-7-py3-none-manylinux2014_x86_64.whl", "3.11", "linux/amd64", True),  # with a build number
        ("a-1-cp311-cp311-musllinux_1_2_x86_64.whl", "3.11", "linux/amd64", False),
        ("a-1-cp311-cp311-win_amd64.whl", "3.11", "linux/amd64", False),
        ("a-1-cp311-cp311-macosx_11_0_arm64.whl", "3.11", "linux/arm64", False),
        ("a-1-pp39-pypy39_pp73-manylinux2014_x86_64.whl", "3.9", "linux/amd64", False),
    ],
)
def test_a_wheel_fits_its_own_targets_only(filename: str, python: str, platform: str, fits: bool) -> None:
    """A file is taken for a target exactly when pip in that image would install it."""
    wheel = parse_wheel(filename)
    assert wheel is not None
    assert wheel.fits(python, platform) is fits


@pytest.mark.parametrize("filename", ["a-1.tar.gz", "a-1.whl", "a-1-py3-none-any.whl.metadata", "index.html"])
def test_other_files_are_no_wheels(filename: str) -> None:
    """Only a wheel's name is read as one."""
    assert parse_wheel(filename) is None
