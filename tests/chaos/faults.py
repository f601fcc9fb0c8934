"""Random faults: killed and frozen processes, restarts of Redis and PostgreSQL, failing platforms."""

import random
import signal
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable

import redis

from tests.chaos.simulated_users import SimulatedUsers
from tests.chaos.system import System, send

PAUSE = (0.5, 2.5)
FROZEN_SECONDS = (3.0, 12.0)
SECOND_SCHEDULER_SECONDS = 15.0

COMMITS = r"(sendVideo|shortVideo\.publish|wall\.post|PATCH /rutube|/publish)$"
UPLOADS = r"(sendVideo|/upload)"
CALLS = r"^(GET|POST|PUT|PATCH) /(vk-api|rutube|dzen|telegram/)"


def rules(seed: int) -> list[dict]:
    """Returns fault rules for the sandbox, which uses the first that applies."""
    faults = [
        (COMMITS, "lose_answer", 0.06, {}),
        (COMMITS, "status:502", 0.03, {"effect": True}),
        (COMMITS, "status:500", 0.03, {}),
        (UPLOADS, "cut_request:60", 0.05, {}),
        (r"/vk-api/method", "error:6", 0.02, {}),
        (r"/(rutube|dzen|telegram)/", "status:429", 0.02, {"retry_after": 2}),
        (CALLS, "lose_answer", 0.02, {}),
        (CALLS, "status:503", 0.02, {}),
        (CALLS, "garbage", 0.01, {}),
        (CALLS, "delay:3", 0.02, {}),
    ]
    return [
        {"match": match, "do": do, "probability": probability, "seed": seed + number, **more}
        for number, (match, do, probability, more) in enumerate(faults)
    ]


class FaultInjector:
    """Injects faults in a thread from `start()` to `stop()`, which also ends faults that last."""

    def __init__(self, system: System, users: SimulatedUsers, user_count: int, rng: random.Random) -> None:
        self._system, self._users, self._user_count, self._rng = system, users, user_count, rng
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._frozen: dict[int, float] = {}
        self._second_scheduler: tuple[subprocess.Popen, float] | None = None
        self.counts: Counter[str] = Counter()
        faults: dict[Callable[[], None], int] = {
            self.kill_a_work_horse: 24,
            self.kill_a_worker: 8,
            self.kill_the_pool: 1,  # rare: its restart takes a while, during which there is nothing else to kill
            self.stop_the_pool: 1,
            self.freeze_a_work_horse: 8,
            self.freeze_a_worker: 3,
            self.restart_redis: 3,
            self.wipe_redis: 4,
            self.kill_the_scheduler: 2,
            self.start_a_second_scheduler: 1,
            self.expire_a_token: 6,
        }
        if system.has_postgres:
            faults[self.restart_postgres] = 3
        self._faults, self._weights = list(faults), list(faults.values())

    def start(self, seed: int) -> None:
        self._users.control("trouble", rules=rules(seed))
        self._thread.start()

    def _run(self) -> None:
        while not self._stopped.wait(self._rng.uniform(*PAUSE)):
            self._resume(time.monotonic())
            [fault] = self._rng.choices(self._faults, self._weights)
            fault()
            self.counts[fault.__name__] += 1

    def stop(self) -> None:
        self._stopped.set()
        self._thread.join()
        self._users.control("trouble", rules=[])
        self._resume(float("inf"))

    def kill_a_work_horse(self) -> None:
        send(self._pick("work_horses"), signal.SIGKILL)

    def kill_a_worker(self) -> None:
        send(self._pick("workers"), signal.SIGKILL)

    def kill_the_pool(self) -> None:
        send(self._pick("pool"), signal.SIGKILL)

    def stop_the_pool(self) -> None:
        send(self._pick("pool"), signal.SIGTERM)

    def freeze_a_work_horse(self) -> None:
        self._freeze(self._pick("work_horses"))

    def freeze_a_worker(self) -> None:
        self._freeze(self._pick("workers"))

    def restart_redis(self) -> None:
        send(self._pick("redis"), self._rng.choice([signal.SIGTERM, signal.SIGKILL]))

    def wipe_redis(self) -> None:
        try:
            self._system.redis().flushall()
        except redis.RedisError:
            self.restart_redis()  # it is down already

    def restart_postgres(self) -> None:
        send(self._pick("postgres"), signal.SIGINT)  # its "fast" shutdown: all connections are closed

    def kill_the_scheduler(self) -> None:
        send(self._pick("scheduler"), signal.SIGKILL)

    def start_a_second_scheduler(self) -> None:
        if self._second_scheduler is None:
            self._second_scheduler = self._system.second_scheduler(), time.monotonic() + SECOND_SCHEDULER_SECONDS

    def expire_a_token(self) -> None:
        platform, first = self._rng.choice([("vk", 5000), ("dzen", 7000)])
        self._users.control("expire", platform=platform, account=str(first + self._rng.randrange(self._user_count)))

    def _pick(self, part: str) -> list[int]:
        pids = self._system.pids(part)
        return [self._rng.choice(pids)] if pids else []

    def _freeze(self, pids: list[int]) -> None:
        send(pids, signal.SIGSTOP)
        for pid in pids:
            self._frozen[pid] = time.monotonic() + self._rng.uniform(*FROZEN_SECONDS)

    def _resume(self, now: float) -> None:
        for pid in [pid for pid, until in self._frozen.items() if until <= now]:
            del self._frozen[pid]
            send([pid], signal.SIGCONT)
        if self._second_scheduler and self._second_scheduler[1] <= now:
            self._second_scheduler[0].terminate()
            self._second_scheduler[0].wait()
            self._second_scheduler = None
