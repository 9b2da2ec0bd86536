"""The lexicon as the matcher wants it: every surface a word can have, and what it says."""

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

from pipeline.prompt.stems import Base, bases

# one syllable is enough for these only; others are more often the end or the start of another word
_SHORT_ADNOMINAL = frozenset("큰긴든뜬빈핀찬쓴찐킨낀쥔멘튄싼탄")
_NOUNS_IN_DA = ("바다", "판다", "소다", "사이다")
_WITH_ENDINGS = ("plain", "dropped", "open", "past", "polite")


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """What one surface says.

    group is the section of the lexicon, such as "food" or "person.woman"; style, hint and purpose are what the
    word decides besides.
    """

    group: str
    gloss: str = ""
    phrase: bool = False
    style: str = ""
    hint: str = ""
    purpose: str = ""


# what a surface may be: an entry, and for verbs and adjectives the kind of surface it is
Reading = tuple[Entry, Base | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Lexicon:
    """What the file says, laid out for looking up.

    surfaces: without white space, small letters; lengths: of the surfaces, by first character, longest first;
    groups: the section of each English gloss.
    """

    surfaces: Mapping[str, tuple[Reading, ...]]
    lengths: Mapping[str, tuple[int, ...]]
    groups: Mapping[str, str]


@cache
def load_lexicon() -> Lexicon:
    """The lexicon that ships with the code; read at the first call."""
    document = tomllib.loads(resources.files("pipeline.prompt").joinpath("lexicon_ko.toml").read_text("utf-8"))
    signs = {kind: _by_word(document[kind]) for kind in ("style", "hint", "purpose")}
    silent = dict.fromkeys(document["ignored"]["stop"], "stop")
    silent |= dict.fromkeys((*document["ignored"]["layout"], *signs["style"], *signs["purpose"]), "layout")
    glosses = dict(_glosses(document["words"]))
    surfaces: dict[str, list[Reading]] = {}
    for word in dict.fromkeys((*glosses, *silent)):
        group, gloss = glosses.get(word, ("", ""))
        if silent.get(word) == "stop" or not group:
            group, gloss = silent[word], ""
        style, hint, purpose = (words.get(word, "") for words in signs.values())
        entry = Entry(group=group, gloss=gloss, phrase=" " in word, style=style, hint=hint, purpose=purpose)
        for surface, base in _surfaces(word, group):
            surfaces.setdefault(surface, []).append((entry, base))
    return Lexicon(
        surfaces={surface: _by_likelihood(readings) for surface, readings in surfaces.items()},
        lengths=_lengths(surfaces),
        groups={gloss.lower(): group for group, gloss in glosses.values()},
    )


def _by_likelihood(readings: list[Reading]) -> tuple[Reading, ...]:
    """배우는 is learning, 배우가 an actor: endings of verbs say more than particles; 그림 alone is a noun."""
    if len(readings) > 1:
        readings.sort(key=lambda reading: 1 if reading[1] is None else 0 if reading[1] in _WITH_ENDINGS else 2)
    return tuple(readings)


def _by_word(table: Mapping[str, list[str]]) -> dict[str, str]:
    found: dict[str, str] = {}
    for value, words in table.items():
        for word in words:
            found.setdefault(word, value)
    return found


def _glosses(table: Mapping[str, Any], group: str = "") -> Iterator[tuple[str, tuple[str, str]]]:
    for name, value in reversed(list(table.items())):
        if isinstance(value, Mapping):
            yield from _glosses(value, f"{group}.{name}" if group else name)
        else:
            for word in name.split(", "):
                yield word, (group, value)


def _surfaces(word: str, group: str) -> Iterator[tuple[str, Base | None]]:
    compact = word.replace(" ", "").casefold()
    # a noun may end in 다 too, as the sea does
    verb = group.startswith(("adjective", "verb", "stop")) or (" " in word and not word.endswith(_NOUNS_IN_DA))
    if verb and len(word) > 1 and word.endswith("다"):
        for surface, base in bases(compact):
            if len(surface) > 1 or base in ("plain", "dropped", "link", "open", "past") or surface in _SHORT_ADNOMINAL:
                yield surface, base
    else:
        yield compact, None


def _lengths(surfaces: Mapping[str, object]) -> dict[str, tuple[int, ...]]:
    found: dict[str, set[int]] = {}
    for surface in surfaces:
        found.setdefault(surface[0], set()).add(len(surface))
    return {first: tuple(sorted(lengths, reverse=True)) for first, lengths in found.items()}
