"""Looks after the workers: starts each again when it ends, kills one that hangs, and knows when to give up."""

import logging
from collections.abc import Callable

from pipeline.clock import Clock
from watcher.fleet.heartbeat import Vitals
from watcher.fleet.post import Bounds, Post, Process, is_graceful, shown

FAILED, MISUSED = 1, 2
_MOST_INSTANT_FAILURES = 5
_log = logging.getLogger("imagegen.supervisor")


class Supervisor:
    """Keeps `count` workers alive until asked to stop; `tick` is called a few times a second."""

    def __init__(self, start: Callable[[int], Process], clock: Clock, bounds: Bounds, count: int) -> None:
        """`start` starts worker number 0 … count - 1; raises OSError if the system does not allow it."""
        self._start = start
        self._clock = clock
        self._bounds = bounds
        self._posts = [Post(number) for number in range(count)]
        self._stopping = False
        self._exit_code = 0

    def tick(self) -> int | None:
        """See to every worker once; the exit code once all have ended after a stop, else None."""
        for post in self._posts:
            if post.process is not None:
                self._watch(post, post.process)
            elif not self._stopping and self._clock.monotonic() >= post.due:
                self._fill(post)
        over = self._stopping and not self._processes()
        return self._exit_code if over else None

    def stop(self) -> None:
        """Ask every worker once to finish what it draws and end, however long that takes."""
        if self._stopping:
            return
        self._stopping = True
        _say("stopping", f"asked to stop; {len(self._processes())} worker(s) finish what they draw")
        for process in self._processes():
            process.stop()

    def kill(self) -> None:
        """End every worker at once; its requests are taken up by the next one."""
        self._stopping = True
        _say("stopping", "asked to stop at once; what is drawn is taken up again later", logging.WARNING)
        for process in self._processes():
            process.kill()

    def workers(self) -> tuple[Vitals, ...]:
        """How each worker is."""
        now = self._clock.monotonic()
        return tuple(post.vitals(now) for post in self._posts)

    def problem(self) -> str | None:
        """What the first worker that has a problem says of it."""
        return next((post.beat.problem for post in self._posts if post.beat and post.beat.problem), None)

    def _processes(self) -> list[Process]:
        return [post.process for post in self._posts if post.process is not None]

    def _fill(self, post: Post) -> None:
        post.begin(self._clock.monotonic())
        try:
            post.process = self._start(post.number)
        except OSError as error:
            self._lost(post, f"worker {post.number} cannot be started: {error.strerror}", FAILED)
        else:
            _say("worker_started", f"worker {post.number} is process {post.process.pid}")

    def _watch(self, post: Post, process: Process) -> None:
        # heard first: a supervisor that stood still itself must not take its workers for dead
        post.hear(self._clock.monotonic())
        code = process.ended()
        if code is not None:
            self._lost(post, f"worker {post.number}, process {process.pid}, ended with {shown(code)}", code)
        elif not post.killed and (fault := post.fault(self._bounds, self._clock.monotonic())) is not None:
            post.killed = True
            _say("worker_killed", f"worker {post.number}, process {process.pid}, is killed: {fault}", logging.ERROR)
            process.kill()

    def _lost(self, post: Post, sentence: str, code: int) -> None:
        pause = post.end(self._clock.monotonic())
        if self._stopping:
            self._exit_code = max(self._exit_code, 0 if is_graceful(code) else FAILED)
            _say("worker_ended", sentence)
        elif code == MISUSED:
            self._give_up(f"{sentence}, which a restart does not mend; the log above says what to correct", MISUSED)
        elif post.instant_failures >= _MOST_INSTANT_FAILURES:
            again = f"{sentence}, for the {post.instant_failures}th time in a row within seconds of its start"
            self._give_up(f"{again}; look into the log above for why", FAILED)
        else:
            _say("worker_ended", f"{sentence}; it is started again in {pause:.0f} s", logging.WARNING)

    def _give_up(self, sentence: str, code: int) -> None:
        self._exit_code = code
        _say("gave_up", sentence, logging.ERROR)
        self.stop()


def _say(action: str, sentence: str, level: int = logging.INFO) -> None:
    _log.log(level, sentence, extra={"action": action})
