"""The result manifest: closed, frozen, and told truly by its JSON Schema."""

import json
from typing import Any

import pytest
from jsonschema import Draft202012Validator, ValidationError
from pydantic import ValidationError as NotADocument

from store.manifest import Document, ResultManifest, to_bytes
from store.memory import MemoryBucket
from store.outbox import Outbox
from tests.store.samples import bare_manifest, full_manifest, picture

SCHEMA = ResultManifest.model_json_schema()
MANIFESTS = {"bare": bare_manifest, "full": full_manifest}
REQUIRED = ["id", "request_file", "status", "timings", "attempt", "worker", "created_at"]

every_manifest = pytest.mark.parametrize("make", MANIFESTS.values(), ids=MANIFESTS)


def published(manifest: ResultManifest) -> dict[str, Any]:
    """The manifest as another program reads it from the outbox."""
    bucket = MemoryBucket()
    Outbox(bucket).publish(manifest, [picture(b"one"), picture(b"two")])
    return json.loads(bucket.get(f"results/{manifest.id}.json", 100_000))


def require_valid(document: dict[str, Any]) -> None:
    Draft202012Validator(SCHEMA).validate(document)


def test_the_schema_is_itself_a_valid_schema() -> None:
    Draft202012Validator.check_schema(SCHEMA)


@every_manifest
def test_a_published_manifest_keeps_the_schema(make: Any) -> None:
    require_valid(published(make()))


@pytest.mark.parametrize("status", ["succeeded", "failed", "rejected", "cancelled"])
def test_every_terminal_status_keeps_the_schema(status: str) -> None:
    require_valid(published(bare_manifest(status=status)))


@pytest.mark.parametrize("field", REQUIRED)
def test_the_schema_misses_a_field_left_out(field: str) -> None:
    document = published(bare_manifest())
    del document[field]
    with pytest.raises(ValidationError, match=field):
        require_valid(document)


@pytest.mark.parametrize(
    "change",
    [
        {"surprise": 1},
        {"status": "running"},
        {"schema_version": 2},
        {"attempt": 0},
        {"request_sha256": "cat.png"},
        {"images": [{"path": "a.png"}]},
    ],
    ids=lambda change: next(iter(change)),
)
def test_the_schema_and_the_type_refuse_the_same_documents(change: dict[str, Any]) -> None:
    document = published(full_manifest()) | change
    with pytest.raises(ValidationError):
        require_valid(document)
    with pytest.raises(NotADocument):
        ResultManifest.model_validate(document)


@pytest.mark.parametrize("kind", Document.__subclasses__())
def test_every_part_of_the_manifest_refuses_unknown_fields(kind: type[Document]) -> None:
    with pytest.raises(NotADocument, match="surprise\n  Extra inputs are not permitted"):
        kind.model_validate({"surprise": 1})
    assert kind.model_json_schema()["additionalProperties"] is False


def test_a_manifest_is_frozen() -> None:
    manifest = bare_manifest()
    with pytest.raises(NotADocument, match="frozen"):
        manifest.status = "failed"
    assert manifest.status == "succeeded"


def test_a_part_of_a_manifest_is_frozen() -> None:
    manifest = bare_manifest()
    with pytest.raises(NotADocument, match="frozen"):
        manifest.timings.total = 0
    assert manifest.timings.total == 1.5


@pytest.mark.parametrize("seed", [-1, 2**32])
def test_a_seed_outside_32_bits_is_refused(seed: int) -> None:
    with pytest.raises(NotADocument, match="seed"):
        Outbox(MemoryBucket()).publish(bare_manifest(), [picture(b"one", seed=seed)])


def test_a_time_without_its_zone_is_refused() -> None:
    with pytest.raises(NotADocument, match="created_at"):
        bare_manifest(created_at="2026-03-01T12:00:00")


@every_manifest
def test_a_manifest_comes_back_from_its_bytes_as_it_was(make: Any) -> None:
    assert ResultManifest.model_validate_json(to_bytes(make())) == make()


def test_a_manifest_names_the_id_it_is_redriven_of() -> None:
    document = published(bare_manifest(id="r1.r1", redrive_of="r1"))
    require_valid(document)
    assert document["redrive_of"] == "r1"


def test_a_manifest_from_before_there_were_redrives_can_be_read() -> None:
    document = bare_manifest().model_dump(mode="json")
    del document["redrive_of"]
    require_valid(document)
    assert ResultManifest.model_validate(document).redrive_of is None


def test_a_person_can_read_the_bytes() -> None:
    text = to_bytes(full_manifest()).decode()
    assert text.startswith('{\n  "schema_version": 1,\n  "id": "r1",\n')
    assert text.endswith("\n}\n")
    assert "벚꽃 아래 고양이" in text
