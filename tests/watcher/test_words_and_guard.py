"""What the doctor and the start of a worker say about reading words and about the text guard."""

import logging
from pathlib import Path

import pytest

from pipeline import lettering
from watcher.doctor import Finding, examine
from watcher.hall import configured_extractor, ready_generator
from watcher.settings import Settings

ABSENT = "rapidocr not installed; pip install 'imagegen[guard]'"


@pytest.fixture
def settings(tmp_path: Path, builtin_cache: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    return Settings(inbox=str(tmp_path / "inbox"), outbox=str(tmp_path / "outbox"), cache=builtin_cache)


def guarding(settings: Settings, policy: str) -> Settings:
    drawing = settings.drawing.model_copy(update={"text_guard": policy, "threads": 1})
    return settings.model_copy(update={"drawing": drawing})


def found(settings: Settings, subject: str) -> Finding:
    (finding,) = (finding for finding in examine(settings) if finding.subject == subject)
    return finding


def test_without_a_server_the_rules_read(settings: Settings) -> None:
    assert configured_extractor(settings)("딸기 라떼", "").extractor == "rules"
    assert found(settings, "keywords") == Finding(subject="keywords", well=True, found="rules")


@pytest.mark.parametrize("policy", ["off", "report", "retry"])
def test_the_doctor_names_the_policy(policy: str, settings: Settings) -> None:
    assert found(guarding(settings, policy), "text guard") == Finding(subject="text guard", well=True, found=policy)


@pytest.mark.parametrize(("policy", "well"), [("off", True), ("report", True), ("retry", False)])
def test_a_missing_guard_is_a_fault_only_where_pictures_should_be_drawn_again(
    policy: str, well: bool, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lettering, "missing", lambda: ABSENT)
    finding = found(guarding(settings, policy), "text guard")
    assert finding.well == well
    assert (ABSENT in finding.found) == (policy != "off")


def test_a_worker_that_cannot_see_lettering_says_so_once_at_its_start(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def warned(policy: str) -> list[str]:
        caplog.clear()
        with caplog.at_level(logging.WARNING, logger="imagegen.hall"):
            ready_generator(guarding(settings, policy))
        return [record.getMessage() for record in caplog.records]

    assert warned("retry") == []
    monkeypatch.setattr(lettering, "missing", lambda: ABSENT)
    assert warned("report") == []
    assert warned("retry") == [f"drawing.text_guard is retry, but {ABSENT}"]
