"""A digest is a SHA-256 and nothing else can pass for one."""

import pytest
from pydantic import BaseModel, ValidationError

from store.digest import Digest

OF_ABC = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


class Holder(BaseModel):
    digest: Digest


def test_the_digest_of_bytes_is_their_sha256() -> None:
    assert Digest.of(b"abc") == OF_ABC


def test_a_digest_is_made_from_its_own_text() -> None:
    assert Digest(OF_ABC) == Digest.of(b"abc")


def test_the_shard_is_the_first_two_digits() -> None:
    assert Digest(OF_ABC).shard == "ba"


not_digests = pytest.mark.parametrize(
    "text",
    ["", "ba78", OF_ABC[:-1], OF_ABC + "0", OF_ABC.upper(), OF_ABC + "\n", " " + OF_ABC, OF_ABC[:-1] + "g", "cat.png"],
    ids=ascii,
)


@not_digests
def test_any_other_text_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a SHA-256"):
        Digest(text)


@not_digests
def test_any_other_text_is_refused_in_a_document(text: str) -> None:
    with pytest.raises(ValidationError):
        Holder.model_validate({"digest": text})


def test_a_document_holds_a_digest_and_not_a_mere_text() -> None:
    assert type(Holder.model_validate({"digest": OF_ABC}).digest) is Digest


def test_a_document_writes_a_digest_as_text() -> None:
    assert Holder(digest=Digest(OF_ABC)).model_dump_json() == f'{{"digest":"{OF_ABC}"}}'


def test_the_schema_of_a_document_says_what_a_digest_looks_like() -> None:
    assert Holder.model_json_schema()["properties"]["digest"]["pattern"] == "^[0-9a-f]{64}$"
