import pytest

from tests.platforms.contract import each_case
from tests.publishing.conftest import real_time

__all__ = ["real_time"]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    each_case(metafunc)
