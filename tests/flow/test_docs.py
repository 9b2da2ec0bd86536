"""Every command and block in the documents is run, or validated as far as it can be without a GPU or a hub."""

import json
import re
import shlex
import subprocess
import tomllib
from pathlib import Path

import click
import pytest
import typer

from pipeline.admission import admit
from pipeline.config import Limits
from pipeline.styles import load_styles
from store import errors
from store.manifest import ResultManifest
from watcher.cli import app
from watcher.settings import Settings

ROOT = Path(__file__).parents[2]
CARD = ROOT / "pipeline" / "builtin" / "trained" / "CARD.md"
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), CARD]
BLOCK = re.compile(r"^```(\S+)?([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
MAKE_TARGETS = re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)


def blocks(language: str, kind: str = "") -> list[pytest.param]:
    found = []
    for document in DOCUMENTS:
        for index, (name, info, text) in enumerate(BLOCK.findall(document.read_text())):
            if name == language and kind in ("", info.strip()):
                found.append(pytest.param(text, id=f"{document.name}-{index}"))
    return found


@pytest.mark.parametrize("text", blocks("json"))
def test_every_json_block_is_json(text: str) -> None:
    assert isinstance(json.loads(text), dict)


@pytest.mark.parametrize("text", blocks("json", "request"))
def test_every_request_in_the_documents_would_be_drawn(text: str) -> None:
    admit(json.loads(text), Limits(), load_styles().names)


@pytest.mark.parametrize("text", blocks("json", "result"))
def test_every_result_in_the_documents_keeps_the_schema(text: str) -> None:
    ResultManifest.model_validate_json(text)


@pytest.mark.parametrize("text", blocks("toml"))
def test_every_configuration_in_the_documents_can_be_used(text: str) -> None:
    settings = Settings(**tomllib.loads(text))
    assert load_styles(settings.styles)


@pytest.mark.parametrize("text", blocks("sh"))
def test_every_command_in_the_documents_is_understood(text: str) -> None:
    for line in text.splitlines():
        program, *arguments = shlex.split(line, comments=True)
        if program == "make":
            assert set(arguments) <= set(MAKE_TARGETS)
        elif program.endswith("python"):
            is_module = arguments[0] == "-m"
            assert (ROOT / (arguments[1].replace(".", "/") + ".py" if is_module else arguments[0])).is_file()
        else:
            assert program.removeprefix(".venv/bin/") == "imagegen"
            parse(arguments)


@pytest.mark.parametrize("text", blocks("bash"))
def test_every_command_that_needs_more_than_this_machine_can_be_read_by_a_shell(text: str) -> None:
    assert subprocess.run(["bash", "-n", "-c", text], check=False).returncode == 0
    for template in re.findall(r"--template-file (\S+)", text):
        assert (ROOT / template).is_file()


def parse(arguments: list[str]) -> None:
    """Parse a command line with the program's own parser, without running it."""
    command: click.Command = typer.main.get_command(app)
    context = click.Context(command)
    while isinstance(command, click.Group):
        _, command, arguments = command.resolve_command(context, arguments)
        assert command is not None
    command.make_context(command.name, list(arguments))


def test_every_error_code_stands_in_the_readme() -> None:
    table = (ROOT / "README.md").read_text().partition("## Error codes")[2]
    concrete = {
        kind.code
        for kind in vars(errors).values()
        if isinstance(kind, type) and issubclass(kind, errors.ServiceError) and not kind.__subclasses__()
    }
    never_in_a_manifest = {
        "claim_lost",
        "shutting_down",
        "download_failed",
        "key_not_found",
        "invalid_key",
        "too_large",
    }
    never_in_a_manifest |= {"blob_broken", "manifest_broken", "store_full", "store_unavailable"}
    never_in_a_manifest |= {"queue_unavailable", "receipt_lost"}
    assert {code for code in concrete - never_in_a_manifest if f"`{code}`" not in table} == set()


def test_every_link_between_the_documents_leads_somewhere() -> None:
    for document in DOCUMENTS:
        for target in re.findall(r"\]\((?!http)([^)#]+)", document.read_text()):
            assert (document.parent / target).exists(), f"{document.name}: {target}"


def test_the_card_of_the_built_in_checkpoints_and_the_documents_tell_the_same_size() -> None:
    size = sum(path.stat().st_size for path in CARD.parent.glob("*.safetensors")) / 1e6
    for document in (CARD, ROOT / "README.md", ROOT / "docs" / "training.md", ROOT / "docs" / "decisions.md"):
        assert f"{size:.1f} MB" in document.read_text(), document.name


def test_every_field_of_a_request_is_explained() -> None:
    from pipeline.request import GenerationRequest

    text = (ROOT / "docs" / "requests.md").read_text()
    assert [field for field in GenerationRequest.model_fields if f"`{field}`" not in text] == []


def test_every_setting_is_explained() -> None:
    text = (ROOT / "README.md").read_text().partition("## Configuration")[2]
    missing = [name for name in Settings.model_fields if not re.search(rf"`{name}[`.]", text)]
    assert missing == []
