"""The extractor that needs nothing but the lexicon: rules for Korean, and for English along the way."""

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType

from pipeline.prompt.aspect import take_aspect
from pipeline.prompt.assembly import Assembly
from pipeline.prompt.cast import Cast
from pipeline.prompt.english import read_english
from pipeline.prompt.exclusions import take_exclusions
from pipeline.prompt.hangul import has_hangul
from pipeline.prompt.homographs import settled
from pipeline.prompt.keywords import MAX_SUBJECT, Keywords
from pipeline.prompt.lexicon import Entry, Lexicon, Reading, load_lexicon
from pipeline.prompt.matcher import Clause, Word
from pipeline.prompt.overlay import take_lettering
from pipeline.prompt.persons import naming_persons
from pipeline.prompt.phrases import Phrases, Slot
from pipeline.prompt.signs import INTENTS, purpose_of, style_of

NAME = "rules"
_BETWEEN_CLAUSES = re.compile(r"[^가-힣ㄱ-ㆎA-Za-z0-9'& -]+")
_OTHER_SCRIPTS = re.compile(r"[^\W\d_a-zA-Z가-힣ㄱ-ㆎ]{2,}")
_SHOUTED = re.compile(r"[A-Z]{2,}(?:'?[A-Z])*")
_NUMBER = re.compile(r"\d+")


class KoreanExtractor:
    """Reads what a user wrote by rules over the embedded lexicon; holds no state, so threads may share it."""

    def __call__(self, prompt: str, user_input: str) -> Keywords:
        """The keywords of both texts; the lexicon is read at the first call."""
        lexicon = load_lexicon()
        lettering = take_lettering(_normalised(f"{prompt}\n{user_input}"))
        excluded = take_exclusions(lettering.rest)
        reading = _Reading(lexicon, settled(excluded.rest))
        reading.read(take_aspect(excluded.rest, None)[1])
        purpose = purpose_of(reading.entries)
        aspect_ratio, _ = take_aspect(excluded.rest, purpose)
        style, explicit, confidence = style_of(reading.entries)
        things = [thing for thing in excluded.things if not _is_style(thing, lexicon)]
        unwanted, not_understood = _translated(things, lexicon)
        subject, attributes, setting = reading.subject()
        return Keywords(
            extractor=NAME,
            intent=INTENTS.get(purpose or "other", INTENTS["other"]),
            subject=subject,
            attributes=attributes,
            setting=setting,
            action=", ".join(reading.of("action")),
            time_season=", ".join(reading.of("time_season")),
            lighting=", ".join(reading.of("lighting")),
            mood=reading.of("mood"),
            palette=reading.of("palette"),
            shot=", ".join(reading.of("shot")),
            persons=reading.persons(),
            people="none" if "people" in unwanted else Cast.of(reading.persons()).people,
            purpose=purpose,
            style=style,
            style_explicit=explicit,
            style_confidence=confidence,
            aspect_ratio=aspect_ratio,
            copy_space=lettering.space,
            exclusions=unwanted,
            overlay_texts=lettering.texts,
            unknown_words=tuple(dict.fromkeys((*reading.unknown, *not_understood))),
        )


def translate(text: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The English of a list of things, Korean or English, and the words that are not known."""
    return _translated(
        [part.strip() for part in re.split(r"[,\n;·/]", _normalised(text)) if part.strip()], load_lexicon()
    )


def _translated(things: Iterable[str], lexicon: Lexicon) -> tuple[tuple[str, ...], tuple[str, ...]]:
    english: list[str] = []
    unknown: list[str] = []
    for thing in things:
        if not has_hangul(thing):
            english.append(" ".join(thing.split()))
            continue
        words = _words(thing, lexicon)
        glosses = [word.entry.gloss for word in words if word.entry and word.entry.gloss]
        glosses += [
            sign for word in words if word.entry and not word.entry.gloss and (sign := _LETTERED.get(word.text))
        ]
        english += [" ".join(dict.fromkeys(glosses))] if glosses else []
        unknown += [word.text for word in words if word.kind == "unknown"]
        if not glosses and not any(word.kind == "unknown" for word in words):
            unknown.append(thing)
    return tuple(dict.fromkeys(english)), tuple(dict.fromkeys(unknown))


_LETTERED = {
    "글자": "text", "글씨": "text", "텍스트": "text", "문구": "text", "워터마크": "watermark",
    "서명": "signature", "로고": "logo",
    "간판": "sign", "라벨": "label", "자막": "subtitles", "말풍선": "speech bubble", "사진": "photo",
    "만화": "cartoon", "애니": "anime",
    "애니메이션": "anime", "일러스트": "illustration", "그림": "drawing", "실사": "photorealistic",
    "스티커": "sticker", "패키지": "packaging",
}  # fmt: skip


class _Reading:
    """One request, clause by clause."""

    def __init__(self, lexicon: Lexicon, settled: Mapping[str, Reading]) -> None:
        self._lexicon = lexicon
        self._settled = settled
        self._phrases = Phrases()
        self._english: list[str] = []
        self.entries: list[Entry] = []
        self.unknown: list[str] = []

    def read(self, text: str) -> None:
        assembly = Assembly(self._phrases)
        self.unknown += _OTHER_SCRIPTS.findall(text)
        for clause in _BETWEEN_CLAUSES.split(text):
            spoken = " ".join(clause.split())
            if not spoken:
                continue
            if has_hangul(spoken):
                words = _words(spoken, self._lexicon, self._settled)
                self.entries += [word.entry for word in words if word.entry]
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


def _words(clause: str, lexicon: Lexicon, settled: Mapping[str, Reading] = MappingProxyType({})) -> list[Word]:
    # single spaces, and nothing whose small letter is longer than itself
    return list(Clause(" ".join(_BETWEEN_CLAUSES.sub(" ", clause).split()), lexicon, settled).words())


def _is_style(thing: str, lexicon: Lexicon) -> bool:
    """만화 말고 speaks of how to draw, not of what."""
    words = _words(thing, lexicon) if has_hangul(thing) else []
    return bool(words) and all(word.entry is not None and (word.entry.style or word.entry.hint) for word in words)


def _is_noise(word: Word) -> bool:
    # lettering that was not put in quotes is mostly shouted: SALE, OPEN
    return word.kind == "latin" and (_SHOUTED.fullmatch(word.text) is not None or word.text.isdigit())


def _normalised(text: str) -> str:
    return unicodedata.normalize("NFC", text)
