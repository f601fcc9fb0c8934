from tests.publishing.conftest import toy, toy_publication

__all__ = ["toy", "toy_publication"]
