from pathlib import Path

import pytest

from store.errors import SettingsInvalid
from watcher.hall import configured_styles, keep_apart
from watcher.settings import Settings, load_settings


@pytest.fixture(autouse=True)
def empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    return tmp_path


def test_without_anything_the_defaults_hold() -> None:
    settings = load_settings()
    assert (settings.inbox, settings.outbox, settings.models, settings.window) == ("inbox", "outbox", "builtin", 3)


def test_the_file_in_the_working_directory_is_read(empty_folder: Path) -> None:
    (empty_folder / "imagegen.toml").write_text('inbox = "in"\n[drawing]\ndefault_style = "anime"\n')
    settings = load_settings()
    assert (settings.inbox, settings.drawing.default_style) == ("in", "anime")


def test_the_environment_wins_over_the_file_and_the_command_line_over_both(
    empty_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (empty_folder / "imagegen.toml").write_text('inbox = "file"\noutbox = "file"\nmodels = "file"\n')
    monkeypatch.setenv("IMAGEGEN_OUTBOX", "environment")
    monkeypatch.setenv("IMAGEGEN_MODELS", "environment")
    settings = load_settings(models="command")
    assert (settings.inbox, settings.outbox, settings.models) == ("file", "environment", "command")


def test_nested_settings_have_variables_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IMAGEGEN_DRAWING__LIMITS__MAX_SIDE", "512")
    assert load_settings().drawing.limits.max_side == 512


def test_a_named_file_is_read_instead(empty_folder: Path) -> None:
    (empty_folder / "imagegen.toml").write_text("window = 1\n")
    (empty_folder / "other.toml").write_text("window = 2\n")
    assert load_settings(empty_folder / "other.toml").window == 2


def test_a_named_file_that_does_not_exist_is_an_error() -> None:
    with pytest.raises(SettingsInvalid, match=r"nowhere\.toml"):
        load_settings(Path("nowhere.toml"))


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("window = 0", "window"),
        ("windou = 3", "windou"),
        ("[drawing]\ndevice = 'tpu'", r"drawing\.device"),
        ("a = ", "cannot be read"),
    ],
)
def test_a_setting_that_cannot_be_used_is_named(text: str, named: str, empty_folder: Path) -> None:
    (empty_folder / "imagegen.toml").write_text(text)
    with pytest.raises(SettingsInvalid, match=named) as refused:
        load_settings()
    assert "imagegen.toml" in refused.value.message


@pytest.mark.parametrize(("inbox", "outbox"), [("a", "a"), ("a", "a/b"), ("a/b", "a"), ("a", "c/../a/b")])
def test_inbox_and_outbox_within_each_other_are_refused(inbox: str, outbox: str) -> None:
    with pytest.raises(SettingsInvalid, match="within each other"):
        keep_apart(Settings(inbox=inbox, outbox=outbox))


def test_a_style_pointed_at_other_weights_keeps_its_own_size() -> None:
    settings = Settings(styles={"anime": {"checkpoint": "mine.safetensors"}})
    styles = configured_styles(settings).styles
    assert (styles["anime"].native_size, styles["semi_realistic"].native_size) == (1024, 128)


def test_state_that_is_a_link_out_of_the_inbox_is_refused(tmp_path: Path) -> None:
    (tmp_path / "inbox").mkdir()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "inbox" / ".imagegen").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(SettingsInvalid, match="is a link"):
        keep_apart(Settings(inbox=str(tmp_path / "inbox"), outbox=str(tmp_path / "outbox")))


KEY = "sk-very-secret-0123456789"


def key_of(settings: Settings) -> str | None:
    return settings.prompt.llm_api_key and settings.prompt.llm_api_key.get_secret_value()


@pytest.mark.parametrize(
    ("own", "of_openai", "found"),
    [
        (None, None, None),
        ("mine-0001", "theirs-0001", "mine-0001"),
        (None, "theirs-0001", "theirs-0001"),
        (None, "", None),
        (None, "  ", None),
        ("", "theirs-0001", None),
        (" mine-0001\n", None, "mine-0001"),
    ],
)
def test_the_key_is_our_own_variable_or_that_of_openai_and_an_empty_one_is_none(
    own: str | None, of_openai: str | None, found: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (("IMAGEGEN_PROMPT__LLM_API_KEY", own), ("OPENAI_API_KEY", of_openai)):
        if value is not None:
            monkeypatch.setenv(name, value)
    assert key_of(load_settings()) == found


def test_the_key_for_openai_is_not_shown_to_another_server(empty_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    (empty_folder / "imagegen.toml").write_text('[prompt]\nllm_base_url = "http://127.0.0.1:11434/v1"\n')
    assert key_of(load_settings()) is None
    for its_own in ("", "https://api.openai.com/v1/"):
        monkeypatch.setenv("IMAGEGEN_PROMPT__LLM_BASE_URL", its_own)
        assert key_of(load_settings()) == KEY


def test_a_key_is_not_printed_with_the_settings() -> None:
    settings = Settings.model_validate({"prompt": {"llm_api_key": KEY}})
    assert KEY not in f"{settings!r} {settings} {settings.model_dump_json()}"
    assert key_of(settings) == KEY


@pytest.mark.parametrize(
    "text",
    [
        f'[prompt]\napi_key = "{KEY}"',
        f'[prompt]\nllm_api_key = ["{KEY}"]',
        f'[prompt]\nllm_api_key = "{KEY}\uac00"',
        f'[prompt]\nllm_base_url = "http://user:{KEY}@host/v1"',
        f'prompt = "{KEY}"',
        f'llm_api_key = "{KEY}"',
    ],
)
def test_a_key_in_the_wrong_place_is_refused_without_being_shown(text: str, empty_folder: Path) -> None:
    (empty_folder / "imagegen.toml").write_text(text)
    with pytest.raises(SettingsInvalid) as refused:
        load_settings()
    assert KEY not in f"{refused.value} {refused.value.__cause__}"


@pytest.mark.parametrize(
    "text", ["llm_base_url = 'localhost:11434'", "llm_timeout_seconds = 0", "llm_cache_days = -1", "llm_model = ''"]
)
def test_a_setting_of_the_language_model_that_cannot_be_used_is_named(text: str, empty_folder: Path) -> None:
    (empty_folder / "imagegen.toml").write_text(f"[prompt]\n{text}\n")
    with pytest.raises(SettingsInvalid, match=rf"prompt\.{text.partition(' ')[0]}"):
        load_settings()
