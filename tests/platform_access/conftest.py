"""Connections of the publications' tests."""

from tests.publishing.conftest import real_time, toy, toy_publication, vk

__all__ = ["real_time", "toy", "toy_publication", "vk"]
