"""How many transfers a user may have at once, and which one is cut when all threads are taken."""

import socket

import pytest

from app.serving.refusals import Busy
from app.serving.transfers import MOST, MOST_PER_USER, Transfers


def test_when_all_are_taken_the_user_with_the_most_gives_one_up():
    transfers, pairs = Transfers(), [socket.socketpair() for _ in range(MOST + 1)]
    owners = [f"user{number // MOST_PER_USER}" for number in range(MOST)]
    ends = [transfers.begin(owner, pair[0]) for owner, pair in zip(owners, pairs, strict=False)]
    end = transfers.begin("another", pairs[MOST][0])
    assert pairs[0][0].recv(1) == b""  # the oldest of the first user is cut
    ends[0]()  # which ends by itself too, and counts once
    with pytest.raises(Busy) as refused:
        transfers.begin("user1", None)
    assert refused.value.status == 429
    end()
    transfers.begin("another", None)
    for pair in pairs:
        for one in pair:
            one.close()


def test_when_no_user_has_more_than_others_the_next_waits():
    transfers = Transfers()
    for number in range(MOST):
        transfers.begin(f"user{number}", None)
    with pytest.raises(Busy) as refused:
        transfers.begin("another", None)
    assert refused.value.status == 503
