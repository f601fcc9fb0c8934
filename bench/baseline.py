"""Baselines: jobs with the same request without the engine, and a plain rq-scheduler."""

import signal
import time
from pathlib import Path
from urllib.parse import urlsplit

import redis
from rq import Queue, SimpleWorker, Worker, get_current_job
from rq.serializers import JSONSerializer

from app.platforms.http.body import Multipart
from app.platforms.http.client import Http

SENT, LATE = "bench:sent", "bench:late"
QUEUE = "bench"


def send(path: str, url: str, chat_id: int) -> None:
    """Sends the request of Telegram's adapter once, in a job without a publication."""
    fields = {"chat_id": str(chat_id), "caption": "Закат над Волгой", "supports_streaming": "true"}
    with Path(path).open("rb") as file:
        body = Multipart(fields, "video", "clip.mp4", "video/mp4", file, Path(path).stat().st_size)
        http = Http()
        http.allow(["{0.scheme}://{0.netloc}".format(urlsplit(url))])
        response = http.request("POST", url, data=body, headers=body.headers)
    if response.status != 200:
        raise RuntimeError(f"HTTP {response.status}")
    get_current_job().connection.incr(SENT)


def run_worker(url: str) -> None:
    """RQ's own forking worker: ours refuse jobs that the application does not declare."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    connection = redis.Redis.from_url(url)
    queue = Queue(QUEUE, connection=connection, serializer=JSONSerializer)
    Worker([queue], connection=connection, serializer=JSONSerializer).work(logging_level="WARNING")


def enqueue(connection: redis.Redis, calls: list[tuple[str, str, int]]) -> None:
    queue = Queue(QUEUE, connection=connection, serializer=JSONSerializer)
    queue.enqueue_many(
        [Queue.prepare_data("bench.baseline.send", args=call, timeout=-1, result_ttl=0) for call in calls]
    )


# Plain rq-scheduler


def record_delay(due: float) -> None:
    get_current_job().connection.rpush(LATE, time.time() - due)


def schedule(url: str) -> None:
    """Runs it with a poll interval of one second; the default is one minute."""
    from rq_scheduler import Scheduler

    Scheduler(QUEUE, connection=redis.Redis.from_url(url), interval=1).run()


def work(url: str) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    connection = redis.Redis.from_url(url)
    SimpleWorker([Queue(QUEUE, connection=connection)], connection=connection).work(logging_level="WARNING")
