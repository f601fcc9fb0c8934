import pytest

from tests.platforms.contract import each_case
from tests.publishing.conftest import real_time, toy

__all__ = ["real_time", "toy"]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    each_case(metafunc)
