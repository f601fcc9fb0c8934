import pytest

from tests.platforms.contract import each_case


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    each_case(metafunc)
