"""How the log looks: a line for a person at a terminal, JSON for a machine elsewhere."""

import codecs
import logging
import sys
from datetime import UTC, datetime
from typing import TextIO

from pythonjsonlogger.json import JsonFormatter

from watcher.names import one_line

_FIELDS = ("action", "request_id")


class _ForPeople(logging.Formatter):
    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's name
        """The sentence in one line, whatever a request wrote into it."""
        return one_line(super().formatMessage(record))

    def format(self, record: logging.LogRecord) -> str:
        """The sentence, with the fields behind it."""
        fields = [f"{name}={value}" for name in _FIELDS if (value := getattr(record, name, None)) is not None]
        return "  ".join([super().format(record), *fields])


class _Handler(logging.StreamHandler[TextIO]):
    def format(self, record: logging.LogRecord) -> str:
        """The line as the stream can write it."""
        encoding = self.stream.encoding or "utf-8"
        return super().format(record).encode(encoding, "backslashreplace").decode(encoding)


class _ForMachines(JsonFormatter):
    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:  # noqa: N802 - logging's name
        """The time as manifests write it, in UTC."""
        return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")


def set_up_logging(level: str, stream: TextIO = sys.stderr) -> None:
    """Send the log of the house, at this level and above, to a stream."""
    handler = _Handler(stream)
    if stream.isatty():
        handler.setFormatter(_ForPeople("%(asctime)s %(levelname)s %(message)s", "%H:%M:%S"))
    else:
        handler.setFormatter(
            _ForMachines(
                "%(asctime)s %(levelname)s %(name)s %(message)s",
                rename_fields={"asctime": "time", "levelname": "level", "name": "logger"},
                # beyond ASCII only where no character has to be replaced by what JSON does not know
                json_ensure_ascii=not _is_utf8(stream),
            )
        )
    log = logging.getLogger("imagegen")
    log.handlers[:] = [handler]
    log.setLevel(level)
    log.propagate = False
    # it calls an event that comes while it stops an error; what it loses, the scan finds
    logging.getLogger("watchdog").setLevel(logging.CRITICAL)


def _is_utf8(stream: TextIO) -> bool:
    return codecs.lookup(stream.encoding or "utf-8").name == "utf-8"
