"""Makes the requests of a storm: every kind that a backend sends, well meant or not."""

import io
import json
import random
from collections.abc import Callable, Iterator
from typing import Any

from PIL import Image

from store.digest import Digest
from tests.chaos.case import Case, Drop, When
from tests.chaos.studio import POISON

SHARED = tuple(f"shared-{number}.png" for number in range(3))
_STYLES = ("ultra_realistic", "semi_realistic", "anime", "auto")


class Maker:
    """Makes cases from one source of chance; the same seed makes the same ones."""

    def __init__(self, chance: random.Random, *, late: float, steps: int) -> None:
        """late: the longest time, in seconds, by which the rest of a request comes after its file."""
        self._chance = chance
        self._late = late
        self._steps = steps

    def cases(self, count: int, *, poison: int) -> list[Case]:
        """So many cases, shuffled; each kind but poison occurs at least once."""
        makers = [make for make, share in self._kinds() for _ in range(max(1, round(share * count)))]
        makers += [self._poison] * poison
        makers += [self.plain] * (count - len(makers))
        self._chance.shuffle(makers)
        return [make(f"r{number:03}") for number, make in enumerate(makers)]

    def plain(self, identifier: str) -> Case:
        """One that only wants a picture, or two."""
        return self._whole(identifier, "plain", self._document())

    def _kinds(self) -> Iterator[tuple[Callable[[str], Case], float]]:
        yield self._with_shared, 0.08
        yield from ((self._with_own_before, 0.05), (self._with_own_after, 0.08), (self._with_own_never, 0.02))
        yield from ((self._again_before, 0.05), (self._again_after, 0.05), (self._other_bytes, 0.04))
        yield from ((self._cancel_before, 0.04), (self._cancel_during, 0.05), (self._cancel_after, 0.03))
        yield from ((self._cancel_unknown, 0.02), (self._in_pieces, 0.05), (self._never_whole, 0.02))
        yield self._unknown_field, 0.02

    def _document(self, **fields: Any) -> bytes:
        chance = self._chance
        # few seeds, so that some pictures are equal
        seed = {"seed": chance.randrange(50)} if chance.random() < 0.3 else {}
        document = {
            "prompt": chance.choice(("딸기 케이크", "a cat on a roof", "비 오는 날의 카페")),
            "style": chance.choice(_STYLES),
            "num_images": chance.choice((1, 1, 1, 2)),
            "steps": self._steps,
            "width": 64,
            "height": 64,
            **seed,
            **fields,
        }
        return json.dumps(document, ensure_ascii=False).encode()

    def _whole(self, identifier: str, kind: str, data: bytes, *more: Drop, **judged: Any) -> Case:
        return Case(id=identifier, kind=kind, drops=(Drop(name=f"{identifier}.json", data=data), *more), **judged)

    def _reference(self, name: str, data: bytes) -> str | dict[str, Any]:
        if self._chance.random() < 0.5:
            return name
        return {"name": name, "sha256": Digest.of(data), "bytes": len(data)}

    def _with_shared(self, identifier: str) -> Case:
        name = self._chance.choice(SHARED)
        document = self._document(reference_image=self._reference(name, picture(name)))
        return self._whole(identifier, "shared reference", document)

    def _with_own_before(self, identifier: str) -> Case:
        reference, document = self._own(identifier)
        request = Drop(name=f"{identifier}.json", data=document, seconds=0.2)
        return Case(id=identifier, kind="own reference before", drops=(reference, request))

    def _with_own_after(self, identifier: str) -> Case:
        reference, document = self._own(identifier, seconds=self._chance.uniform(0, self._late))
        return self._whole(identifier, "own reference after", document, reference)

    def _with_own_never(self, identifier: str) -> Case:
        _, document = self._own(identifier)
        return self._whole(
            identifier, "reference never", document, ends=frozenset({"rejected"}), code="reference_missing"
        )

    def _own(self, identifier: str, seconds: float = 0.0) -> tuple[Drop, bytes]:
        data, name = picture(identifier), f"{identifier}.png"
        document = self._document(reference_image=self._reference(name, data))
        return Drop(name=name, data=data, seconds=seconds), document

    def _again_before(self, identifier: str) -> Case:
        document = self._document()
        again = Drop(name=f"{identifier}.json", data=document, seconds=self._chance.uniform(0, self._late))
        return self._whole(identifier, "same bytes again", document, again)

    def _again_after(self, identifier: str) -> Case:
        document = self._document()
        again = Drop(name=f"{identifier}.json", data=document, when="decided")
        return self._whole(identifier, "same bytes after the end", document, again)

    def _other_bytes(self, identifier: str) -> Case:
        other = self._document(metadata={"other": identifier})
        again = Drop(name=f"{identifier}.json", data=other, when="put aside")
        return self._whole(identifier, "other bytes", self._document(), again, conflict=other)

    def _cancel_before(self, identifier: str) -> Case:
        request = Drop(name=f"{identifier}.json", data=self._document(), seconds=self._chance.uniform(0, 0.5))
        drops = (_cancel(identifier), request)
        return Case(id=identifier, kind="cancelled before", drops=drops, ends=frozenset({"cancelled"}))

    def _cancel_during(self, identifier: str) -> Case:
        cancel = _cancel(identifier, when="working")
        ends = frozenset({"cancelled", "succeeded"})
        return self._whole(identifier, "cancelled during", self._document(), cancel, ends=ends)

    def _cancel_after(self, identifier: str) -> Case:
        return self._whole(identifier, "cancelled after", self._document(), _cancel(identifier, when="decided"))

    def _cancel_unknown(self, identifier: str) -> Case:
        return Case(id=identifier, kind="cancel of nobody", drops=(_cancel(identifier),), ends=frozenset())

    def _in_pieces(self, identifier: str) -> Case:
        data, name = self._document(), f"{identifier}.json"
        cut = self._chance.randrange(1, len(data))
        rest = Drop(name=name, data=data[cut:], seconds=self._chance.uniform(0.1, self._late), piece=True)
        return Case(id=identifier, kind="in pieces", drops=(Drop(name=name, data=data[:cut], piece=True), rest))

    def _never_whole(self, identifier: str) -> Case:
        half = self._document()[:-9]
        return self._whole(identifier, "never whole", half, ends=frozenset({"rejected"}), code="malformed_json")

    def _unknown_field(self, identifier: str) -> Case:
        document = self._document(stepz=3)
        return self._whole(identifier, "unknown field", document, ends=frozenset({"rejected"}), code="unknown_field")

    def _poison(self, identifier: str) -> Case:
        document = self._document(metadata={POISON: identifier})
        return self._whole(identifier, "poison", document, ends=frozenset({"failed"}), code="attempts_exhausted")


def picture(text: str) -> bytes:
    """A reference whose colour depends on a text."""
    buffer = io.BytesIO()
    Image.new("RGB", (64, 64), f"#{Digest.of(text.encode())[:6]}").save(buffer, "PNG")
    return buffer.getvalue()


def _cancel(identifier: str, when: When = "at once") -> Drop:
    return Drop(name=f"{identifier}.cancel", data=b"", when=when)
