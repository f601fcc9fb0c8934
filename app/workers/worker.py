"""RQ's workers, made to end well and to depend on nothing that lies in Redis."""

import signal
import threading
import time
from datetime import UTC, datetime, timedelta

import redis
import structlog
from flask import Flask
from rq import Worker

from app import clock
from app.db import db
from app.process.identity import is_stopped
from app.process.lifetime import die_with_parent
from app.publishing import dispatch, lease_expiry
from app.queue.wake_ups import WakeUpWorker
from app.services.heartbeats import Pulse

log = structlog.get_logger(__name__)

# One stop may reach a worker twice: from the PaaS and from its supervisor.
SAME_SIGNAL = timedelta(seconds=1)


class HeartbeatToDatabase:
    """For RQ's workers: each heartbeat to Redis is one to the database too."""

    pulse: Pulse

    def heartbeat(self, *arguments, **more) -> None:
        super().heartbeat(*arguments, **more)
        self.pulse.beat()


class ClipWorker(HeartbeatToDatabase, WakeUpWorker, Worker):
    """RQ's worker, made to end well: its work horse dies with it, and no row waits for a lease longer than it must.

    Nothing here depends on Redis: RQ's own clean-up needs it, the rows do not.
    """

    _has_worked = False
    app: Flask
    upload_grace: float  # seconds
    commit_grace: float
    renew_after_idle: int

    # In the work horse

    def main_work_horse(self, job, queue) -> None:
        die_with_parent(self.pid)
        db.engine.dispose(close=False)
        super().main_work_horse(job, queue)

    def setup_work_horse_signals(self) -> None:
        """A PaaS sends SIGTERM to every process; when the work horse ends is the worker's decision."""
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)

    # In the worker

    def monitor_work_horse(self, job, queue, execution) -> None:
        self._publishes = job.func_name == "app.jobs.publish"
        self._was_stopped, self._has_worked = False, True
        taken_at = clock.now()
        try:
            super().monitor_work_horse(job, queue, execution)
        finally:
            if self._publishes and not self.horse_pid:
                lease_expiry.expire_leases_of_dead_workers()
                dispatch.requeue_unstarted(job.args[0], taken_at)

    def dequeue_job_and_maintain_ttl(self, timeout, max_idle_time=None):
        """A worker that has worked shares less memory with its parent: idle, it ends, and the supervisor forks anew."""
        if self._has_worked and timeout is not None:
            max_idle_time = self.renew_after_idle
        return super().dequeue_job_and_maintain_ttl(timeout, max_idle_time)

    def maintain_heartbeats(self, job, execution) -> None:
        self.kill_stopped_work_horse()
        try:
            super().maintain_heartbeats(job, execution)
        except redis.RedisError as error:
            log.warning("heartbeat without redis", error=type(error).__name__)

    def kill_stopped_work_horse(self) -> None:
        """Stopped at two heartbeats in a row: it may hold SQLite's one write lock, and its lease runs out anyway."""
        stopped = is_stopped(self.horse_pid)
        if stopped and self._was_stopped:
            self.kill_horse()
        self._was_stopped = stopped

    # The end

    def handle_warm_shutdown_request(self) -> None:
        super().handle_warm_shutdown_request()
        self._stop_work_horse_within(self.upload_grace)

    def request_force_stop(self, signum, frame) -> None:
        """The second signal: no more grace, but the row is given back all the same."""
        if datetime.now(UTC) - self._shutdown_requested_date > SAME_SIGNAL:
            self._stop_work_horse_within(0)

    def _stop_work_horse_within(self, seconds: float) -> None:
        """Beside the main thread, which waits for the work horse. After a signal to stop no other is forked."""
        threading.Thread(target=self._stop_work_horse, args=(seconds,), daemon=True).start()

    def _stop_work_horse(self, seconds: float) -> None:
        """An upload is taken from the work horse when its grace is over; a commit gets a little longer to be answered,
        since some platforms cannot be asked afterwards.
        """
        time.sleep(seconds)
        if not self.horse_pid:
            return
        with self.app.app_context():
            given_back = not self._publishes or lease_expiry.revoke_lease(self.horse_pid)
        if not given_back:
            time.sleep(self.commit_grace)
        if self.horse_pid:
            self.kill_horse()
