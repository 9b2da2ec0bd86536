import io
import json
import logging

import pytest

from watcher.logs import set_up_logging


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def put_back() -> object:
    log = logging.getLogger("imagegen")
    before = (log.handlers[:], log.level, log.propagate)
    yield
    log.handlers[:], log.level, log.propagate = before


def say(stream: io.StringIO) -> str:
    set_up_logging("INFO", stream)
    logging.getLogger("imagegen.test").info(
        "request %s: 그렸습니다", "a", extra={"action": "published", "request_id": "a"}
    )
    return stream.getvalue()


def test_a_machine_reads_one_json_object_a_line() -> None:
    line = json.loads(say(io.StringIO()))
    assert line["message"] == "request a: 그렸습니다"
    assert (line["action"], line["request_id"], line["level"]) == ("published", "a", "INFO")


def test_a_person_reads_a_sentence_with_the_fields_behind_it() -> None:
    line = say(Terminal())
    assert line.endswith("request a: 그렸습니다  action=published  request_id=a\n")


def test_setting_up_twice_says_everything_once() -> None:
    stream = io.StringIO()
    set_up_logging("INFO", stream)
    assert len(say(stream).splitlines()) == 1
