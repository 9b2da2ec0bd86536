"""Finds the lexicon's words in a Korean sentence: eojeol by eojeol, the longest word first."""

import re
from collections.abc import Iterator, Mapping

from pipeline.prompt.counts import Count, bare_count_at, count_at
from pipeline.prompt.endings import role_of_tail, without_particle
from pipeline.prompt.hangul import has_hangul
from pipeline.prompt.lexicon import Entry, Lexicon, Reading
from pipeline.prompt.word import DISTINCT, Word, may_end_a_compound, may_follow, whole_word

_LATIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9'&-]*")
_LONGEST_PREFIX = 4
_DEPTH = 5


class Clause:
    """One stretch of text between two marks: Hangul syllables, letters, digits and single spaces."""

    def __init__(self, text: str, lexicon: Lexicon, settled: Mapping[str, Reading]) -> None:
        """The homographs in settled have the meaning that the whole request tells."""
        self._text = text
        self._lexicon = lexicon
        self._settled = settled
        self._compact = text.replace(" ", "").lower()
        self._places = [place for place, character in enumerate(text) if character != " "]
        self._ends = self._eojeol_ends()

    def words(self) -> Iterator[Word]:
        """The words, from left to right."""
        position = 0
        while position < len(self._compact):
            found, position = self._next(position)
            yield from found

    def _next(self, position: int) -> tuple[list[Word], int]:
        if counted := count_at(self._text, self._places[position]):
            letters = self._text[self._places[position] : self._places[position] + counted.length].replace(" ", "")
            return [Word(kind="count", text=letters, count=counted)], position + len(letters)
        bare = bare_count_at(self._text, self._places[position])
        if bare and (found := self._counted(position, bare)):
            return found
        covered = self._cover(position, _DEPTH)
        return covered if covered is not None else self._partly(position)

    def _counted(self, position: int, count: Count) -> tuple[list[Word], int] | None:
        """A number and the persons or animals behind it; what else may follow makes phrases of its own: 두 손으로."""
        start = position + count.length
        covered = self._cover(start, _DEPTH)
        if covered is None or not (entry := covered[0][0].entry) or not entry.group.startswith(("person", "animal")):
            return None
        return [Word(kind="count", text=self._compact[position:start], count=count), *covered[0]], covered[1]

    def _cover(self, position: int, depth: int) -> tuple[list[Word], int] | None:
        """Words that fill the eojeol from here to its end, or beyond it where a phrase crosses."""
        for surface, readings in self._candidates(position):
            end = position + len(surface)
            eojeol_end = self._ends[end - 1]
            tail = self._compact[end:eojeol_end]
            for reading in readings:
                if word := whole_word(surface, reading, tail):
                    return [word], eojeol_end
            entry, base = readings[0]
            crosses = self._ends[position] < end
            if base is None and len(surface) > 1 and depth and tail and not crosses:
                rest = self._cover(end, depth - 1)
                if rest is not None and may_follow(rest[0][0]):
                    return [Word(kind="noun", text=surface, entry=entry), *rest[0]], rest[1]
        return None

    def _partly(self, position: int) -> tuple[list[Word], int]:
        end = self._ends[position]
        eojeol = self._compact[position:end]
        latin = _LATIN.match(self._text, self._places[position])
        if latin:
            return self._latin(latin[0], position)
        for surface, ((entry, base), *_) in self._candidates(position):
            if len(surface) >= DISTINCT and base is None and position + len(surface) < end:
                word = Word(kind="noun", text=surface, entry=entry, role="other")
                return [word, *self._unknown(eojeol, entry)], end
        for start in range(position + 1, min(position + _LONGEST_PREFIX, end - 1)):
            covered = self._cover(start, 1)
            if covered and may_end_a_compound(covered[0][0], start - position):
                return [Word(kind="unknown", text=without_particle(eojeol)), *covered[0]], covered[1]
        return self._unknown(eojeol, None), end

    def _unknown(self, eojeol: str, known: Entry | None) -> list[Word]:
        if not has_hangul(eojeol) or (known is not None and known.group == "stop"):
            return []
        return [Word(kind="unknown", text=without_particle(eojeol))]

    def _latin(self, run: str, position: int) -> tuple[list[Word], int]:
        end = position + len(run)
        eojeol_end = max(end, self._ends[position])
        tail = self._compact[end:eojeol_end]
        role = role_of_tail(tail)
        words = [Word(kind="latin", text=run, role=role or "none")]
        return words, (eojeol_end if role is not None else end)

    def _candidates(self, position: int) -> Iterator[tuple[str, tuple[Reading, ...]]]:
        compact, surfaces = self._compact, self._lexicon.surfaces
        if position and _joined_latin(compact, position) and self._ends[position - 1] != position:
            return
        lengths = self._lexicon.lengths.get(compact[position], ())
        if compact[position] in self._settled and lengths[-1:] != (1,):
            lengths = (*lengths, 1)
        for length in lengths:
            end = position + length
            readings = surfaces.get(compact[position:end], ()) if end <= len(compact) else ()
            if settled := self._settled.get(compact[position:end]):
                readings = (settled, *readings)
            if not readings or (end < len(compact) and _joined_latin(compact, end) and self._ends[end - 1] != end):
                continue
            if self._ends[position] < end:
                distinct = length >= DISTINCT
                readings = tuple(one for one in readings if one[0].phrase or (distinct and one[1] is None))
            if readings:
                yield compact[position:end], readings

    def _eojeol_ends(self) -> list[int]:
        ends: list[int] = []
        for eojeol in self._text.split():
            ends += [len(ends) + len(eojeol)] * len(eojeol)
        return ends


def _joined_latin(compact: str, position: int) -> bool:
    return compact[position - 1].isascii() and compact[position].isascii()
