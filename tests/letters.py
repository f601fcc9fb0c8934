"""Letters with a link, as workers send them."""

import re

from flask import Flask

from app import jobs
from app.queue import queue
from app.queue.table import CHORES
from sandbox.testing import Sandbox


def deliver(app: Flask) -> None:
    """The worker's part for each letter that was asked for."""
    for job in queue(CHORES).get_jobs():
        with app.app_context():
            jobs.mail_recovery(*job.args)
        job.delete()


def link_in(sandbox: Sandbox) -> str:
    """The path of the link in the newest letter."""
    return re.search(r"http://[^/]+(/\S+/\S+)", sandbox.mails[-1]["text"])[1]
