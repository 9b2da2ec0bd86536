"""Reads a request clause by clause, Korean and English, and gathers what it says."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

from pipeline.prompt.assembly import Assembly
from pipeline.prompt.clauses import clauses_of, words_of
from pipeline.prompt.english import read_english
from pipeline.prompt.hangul import has_hangul
from pipeline.prompt.keywords import MAX_SUBJECT
from pipeline.prompt.lexicon import Entry, Lexicon, Reading
from pipeline.prompt.persons import naming_persons
from pipeline.prompt.phrases import Phrases, Slot
from pipeline.prompt.word import Word

_OTHER_SCRIPTS = re.compile(r"[^\W\d_a-zA-Z가-힣ㄱ-ㆎ]{2,}")
_SHOUTED = re.compile(r"[A-Z]{2,}(?:'?[A-Z])*")
_WITH_A_THING = ("reading", "holding", "watching", "looking", "painting", "drawing", "seeing", "choosing", "hanging")
_NUMBER = re.compile(r"\d+")


class RequestReading:
    """One request, clause by clause: its phrases, the entries of the lexicon in it, and the unknown words."""

    def __init__(self, lexicon: Lexicon, settled: Mapping[str, Reading]) -> None:
        self._lexicon = lexicon
        self._settled = settled
        self._phrases = Phrases()
        self._english: list[str] = []
        self.entries: list[Entry] = []
        self.unknown: list[str] = []

    def read(self, text: str) -> None:
        """Read a text; what several texts say comes together."""
        assembly = Assembly(self._phrases)
        self.unknown += _OTHER_SCRIPTS.findall(text)
        for spoken in clauses_of(text):
            if has_hangul(spoken):
                words = words_of(spoken, self._lexicon, self._settled)
                self.entries += [entry for one in zip(words, [*words[1:], None], strict=True) if (entry := _told(*one))]
                self.unknown += [word.text for word in words if word.kind == "unknown"]
                assembly.read([word for word in words if not _is_noise(word)])
            else:
                self._read_english(spoken)

    def _read_english(self, clause: str) -> None:
        found = read_english(clause, self._lexicon)
        self.entries += found.entries
        if found.text and not _NUMBER.fullmatch(found.text):
            self._english.append(found.text)

    def of(self, slot: Slot) -> tuple[str, ...]:
        """The phrases of a slot."""
        return tuple(self._phrases.slots.get(slot, ()))

    def persons(self) -> tuple[str, ...]:
        """The phrases that name persons, those of one clause together."""
        clauses = (" and ".join(clause) for clause in self._phrases.people)
        return tuple(filter(None, (*clauses, *naming_persons(self._english))))

    def subject(self) -> tuple[str, tuple[str, ...], str]:
        """Subject, attributes and setting; what does not fit the subject becomes an attribute."""
        named = [*self.of("subject"), *self._english]
        setting, attributes = list(self.of("setting")), list(self.of("attributes"))
        if not named and setting:
            named = [setting.pop(0).removesuffix(" background")]
        subject, rest = _joined(named)
        return subject, (*rest, *attributes), ", ".join(setting)


def _joined(named: Sequence[str]) -> tuple[str, list[str]]:
    taken: list[str] = []
    rest: list[str] = []
    for phrase in named:
        fits = not rest and len(", ".join([*taken, phrase])) + 2 <= MAX_SUBJECT
        (taken if fits or not taken else rest).append(phrase)
    if not taken:
        return "", rest
    if len(taken[0]) > MAX_SUBJECT:
        head = taken[0][:MAX_SUBJECT].rpartition(" ")[0] or taken[0][:MAX_SUBJECT]
        return head, [taken[0][len(head) :].strip(), *rest]
    return ", ".join(taken), rest


def _is_noise(word: Word) -> bool:
    # lettering that was not put in quotes is mostly shouted: SALE, OPEN
    return word.kind == "latin" and (_SHOUTED.fullmatch(word.text) is not None or word.text.isdigit())


def _told(word: Word, following: Word | None) -> Entry | None:
    """What a word decides; 만화책 읽는 and 그림을 들고 speak of a thing, not of how to draw."""
    entry = word.entry
    if entry is None or not (entry.style or entry.hint) or word.role not in ("none", "object") or following is None:
        return entry
    done = following.group == "verb" and following.gloss.startswith(_WITH_A_THING)
    return replace(entry, style="", hint="") if done else entry
