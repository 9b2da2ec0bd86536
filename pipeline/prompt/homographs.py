"""Short words that mean several things, and which of them a request means."""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources

from pipeline.prompt.lexicon import Entry, Reading


@dataclass(frozen=True, slots=True, kw_only=True)
class _Meaning:
    entry: Entry
    cues: tuple[re.Pattern[str], ...]

    def told_by(self, text: str) -> int:
        return sum(cue.search(text) is not None for cue in self.cues)


def settled(text: str) -> Mapping[str, Reading]:
    """The homographs that the text settles, each with what it means there."""
    found: dict[str, Reading] = {}
    text = f" {' '.join(text.split())} "
    for surface, meanings in _homographs().items():
        if f" {surface}" in text:
            best = max(meanings, key=lambda meaning: meaning.told_by(text))
            if best.told_by(text):
                found[surface] = (best.entry, None)
    return found


@cache
def _homographs() -> Mapping[str, tuple[_Meaning, ...]]:
    document = tomllib.loads(resources.files("pipeline.prompt").joinpath("homographs_ko.toml").read_text("utf-8"))
    return {
        word["surface"]: tuple(
            _Meaning(
                entry=Entry(group=meaning["group"], gloss=meaning["gloss"]),
                cues=tuple(re.compile(cue) for cue in meaning["cues"]),
            )
            for meaning in word["meaning"]
        )
        for word in document["word"]
    }
