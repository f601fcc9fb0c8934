"""What goes wrong, by lot: processes die and freeze, Redis and the database go away, platforms fail."""

import random
import signal
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable

import redis

from tests.chaos.simulated_users import People
from tests.chaos.system import System, send

PAUSE = (0.5, 2.5)
FROZEN_SECONDS = (3.0, 12.0)
SECOND_SCHEDULER_SECONDS = 15.0

COMMITS = r"(sendVideo|shortVideo\.publish|wall\.post|PATCH /rutube|/publish)$"
UPLOADS = r"(sendVideo|/upload)"
CALLS = r"^(GET|POST|PUT|PATCH) /(vk-api|rutube|dzen|telegram/)"


def rules(seed: int) -> list[dict]:
    """For the sandbox: the first that strikes wins."""
    wrong = [
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
        for number, (match, do, probability, more) in enumerate(wrong)
    ]


class Mischief:
    """From `begin()` to `end()`, in a thread of its own; what would last is undone at the end."""

    def __init__(self, system: System, people: People, users: int, lots: random.Random) -> None:
        self._system, self._people, self._users, self._lots = system, people, users, lots
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._go_on, daemon=True)
        self._frozen: dict[int, float] = {}
        self._second: tuple[subprocess.Popen, float] | None = None
        self.done: Counter[str] = Counter()
        deeds: dict[Callable[[], None], int] = {
            self.kill_a_horse: 24,
            self.kill_a_worker: 8,
            self.kill_the_pool: 1,  # few: it takes a while to come back, and then nothing else can be broken
            self.stop_the_pool: 1,
            self.freeze_a_horse: 8,
            self.freeze_a_worker: 3,
            self.restart_redis: 3,
            self.wipe_redis: 4,
            self.kill_the_scheduler: 2,
            self.start_a_second_scheduler: 1,
            self.expire_a_token: 6,
        }
        if system.has_postgres:
            deeds[self.restart_postgres] = 3
        self._deeds, self._weights = list(deeds), list(deeds.values())

    def begin(self, seed: int) -> None:
        self._people.control("trouble", rules=rules(seed))
        self._thread.start()

    def _go_on(self) -> None:
        while not self._over.wait(self._lots.uniform(*PAUSE)):
            self._thaw(time.monotonic())
            [deed] = self._lots.choices(self._deeds, self._weights)
            deed()
            self.done[deed.__name__] += 1

    def end(self) -> None:
        self._over.set()
        self._thread.join()
        self._people.control("trouble", rules=[])
        self._thaw(float("inf"))

    def kill_a_horse(self) -> None:
        send(self._any("horses"), signal.SIGKILL)

    def kill_a_worker(self) -> None:
        send(self._any("workers"), signal.SIGKILL)

    def kill_the_pool(self) -> None:
        send(self._any("pool"), signal.SIGKILL)

    def stop_the_pool(self) -> None:
        send(self._any("pool"), signal.SIGTERM)

    def freeze_a_horse(self) -> None:
        self._freeze(self._any("horses"))

    def freeze_a_worker(self) -> None:
        self._freeze(self._any("workers"))

    def restart_redis(self) -> None:
        send(self._any("redis"), self._lots.choice([signal.SIGTERM, signal.SIGKILL]))

    def wipe_redis(self) -> None:
        try:
            self._system.redis().flushall()
        except redis.RedisError:
            self.restart_redis()  # it is away already

    def restart_postgres(self) -> None:
        send(self._any("postgres"), signal.SIGINT)  # its "fast" shutdown: everybody is cut off

    def kill_the_scheduler(self) -> None:
        send(self._any("scheduler"), signal.SIGKILL)

    def start_a_second_scheduler(self) -> None:
        if self._second is None:
            self._second = self._system.second_scheduler(), time.monotonic() + SECOND_SCHEDULER_SECONDS

    def expire_a_token(self) -> None:
        platform, first = self._lots.choice([("vk", 5000), ("dzen", 7000)])
        self._people.control("expire", platform=platform, account=str(first + self._lots.randrange(self._users)))

    def _any(self, part: str) -> list[int]:
        pids = self._system.pids(part)
        return [self._lots.choice(pids)] if pids else []

    def _freeze(self, pids: list[int]) -> None:
        send(pids, signal.SIGSTOP)
        for pid in pids:
            self._frozen[pid] = time.monotonic() + self._lots.uniform(*FROZEN_SECONDS)

    def _thaw(self, now: float) -> None:
        for pid in [pid for pid, until in self._frozen.items() if until <= now]:
            del self._frozen[pid]
            send([pid], signal.SIGCONT)
        if self._second and self._second[1] <= now:
            self._second[0].terminate()
            self._second[0].wait()
            self._second = None
