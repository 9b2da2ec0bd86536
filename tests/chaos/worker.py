"""A real worker whose studio sleeps instead of drawing: `python -m tests.chaos.worker --inbox … --outbox …`."""

import argparse
import logging
import signal
import threading
from pathlib import Path
from types import FrameType

from store.bucket import Bucket
from store.location import DEFAULTS, open_bucket
from store.s3options import S3Options
from tests.chaos.crashes import Doom, DoomedBucket, Fate
from tests.chaos.diary import Diary
from tests.chaos.studio import STEP_SECONDS, SleepingStudio
from watcher import hall as rooms
from watcher import place
from watcher.hall import Hall, configured_styles
from watcher.logs import set_up_logging
from watcher.settings import LaneSettings, load_settings

_log = logging.getLogger("imagegen.chaos")


def main() -> None:
    """Serve until SIGTERM, or with --once until nothing more can be decided without waiting."""
    arguments = _arguments()
    lane = LaneSettings(inbox=arguments.inbox, queue=arguments.queue)
    settings = load_settings(None, [lane], outbox=arguments.outbox)
    set_up_logging(settings.log_level)
    diary = Diary(arguments.diary)
    if arguments.fate is not None:
        _doom(arguments.fate, diary)
    hall = Hall(
        settings, lambda one: SleepingStudio(one.drawing, configured_styles(one), diary, arguments.step_seconds)
    )
    _stop_on_sigterm(hall)
    _log.info("ready to be stopped", extra={"action": "started"})
    with hall.lanes.open():
        hall.lanes.drain() if arguments.once else hall.lanes.serve()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--inbox", required=True)
    parser.add_argument("--queue")
    parser.add_argument("--outbox", required=True)
    parser.add_argument("--diary", type=Path, required=True, help="file that a dying process writes to")
    parser.add_argument("--fate", type=Fate.parse, help="POINT:N, where this worker dies")
    parser.add_argument("--step-seconds", type=float, default=STEP_SECONDS)
    parser.add_argument("--once", action="store_true")
    return parser.parse_args()


def _doom(fate: Fate, diary: Diary) -> None:
    doom = Doom(fate, diary)

    def open_doomed(location: str, *, make: bool = False, s3: S3Options = DEFAULTS) -> Bucket:
        open_bucket(location, make=make)
        return DoomedBucket(Path(location).expanduser().resolve(), doom)

    rooms.open_bucket = place.open_bucket = open_doomed


def _stop_on_sigterm(hall: Hall) -> None:
    def stop(number: int, frame: FrameType | None) -> None:
        # in a thread, because a handler must not wait for a lock its own thread may hold
        threading.Thread(target=hall.stop, name="stop").start()

    signal.signal(signal.SIGTERM, stop)


if __name__ == "__main__":
    main()
