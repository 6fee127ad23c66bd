"""What the tests of formats share with those of whole commands."""

from tests.integration.conftest import python_with

__all__ = ["python_with"]
