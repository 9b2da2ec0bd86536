"""Puts a sentence's words together to English phrases and lays each into its slot."""

from collections.abc import Iterable

from pipeline.prompt.matcher import Word
from pipeline.prompt.noun_phrase import NounPhrase, gloss_of, group_of
from pipeline.prompt.phrases import DESCRIBING, ON_THEIR_OWN, Phrases, Slot, slot_of, with_article

_RELATIONS = {
    "위": "on", "위쪽": "on", "옆": "next to", "곁": "next to", "앞": "in front of", "뒤": "behind", "안": "in",
    "속": "in", "아래": "under", "밑": "under", "주변": "around", "주위": "around", "사이": "among", "근처": "near",
    "가운데": "in the middle of", "한가운데": "in the middle of",
}  # fmt: skip
# what is described here is the whole picture
_IMPRESSIONS = frozenset((
    "느낌", "느낌으로", "느낌이", "분위기", "무드", "톤", "스타일", "스타일로", "감", "컨셉", "콘셉트",
    "이미지", "그림", "컷", "샷", "장면", "모습", "광경", "풍", "버전", "디자인",
    "비주얼", "테마", "식", "톤앤매너", "색감", "컬러감", "표정",
))  # fmt: skip
_HOLLOW = (
    "bowl", "cup", "glass", "basket", "box", "pot", "vase", "jar", "bathtub", "mug", "bag", "bottle", "oven", "car",
    "tent", "container", "steamer",
)  # fmt: skip
_LYING = frozenset(("placed", "served"))
_ARRANGED = {
    "topped": "topped with", "filled": "filled with", "decorated": "decorated with", "sprinkled": "sprinkled with",
    "covered": "covered with", "surrounded": "surrounded by", "full": "full of", "generous full": "full of",
}  # fmt: skip
_OF_A_BACKGROUND = ("palette", "attributes", "setting", "mood", "time_season")


class Assembly:
    """Reads words one by one; describing words wait for their noun, nouns for the verb they belong to."""

    def __init__(self, phrases: Phrases) -> None:
        self._phrases = phrases
        self._current = NounPhrase()
        self._background = False

    def read(self, words: Iterable[Word]) -> None:
        """Read one clause to its end."""
        for word in words:
            match word.kind:
                case "noun" | "latin":
                    self._noun(word)
                case "verb":
                    self._verb(word)
                case "count":
                    self._count(word)
                case _:
                    self._flush()
        self._flush()
        self._loosen()
        self._background = False

    def _noun(self, word: Word) -> None:
        group = group_of(word)
        if group in ("stop", "layout"):
            self._silent(word.text)
        elif group == "verb":
            self._act(gloss_of(word))
        elif group in DESCRIBING and word.role in ("none", "of"):
            if not self._is_background():
                self._flush()
            self._describe(word)
        elif group in ON_THEIR_OWN:
            self._flush()
            self._loosen()
            self._lay(slot_of(group), gloss_of(word))
        elif group.startswith("adjective") and gloss_of(word) in _ARRANGED and self._current.nouns:
            self._arranged(gloss_of(word))
        elif group in DESCRIBING or group.startswith("adjective"):
            self._flush()
            self._lay(slot_of(group), gloss_of(word))
        else:
            self._join(word)

    def _join(self, word: Word) -> None:
        """A noun of a phrase; its particle says whether the phrase is over or waits for its verb."""
        if self._current.nouns and not self._current.continues_with(word):
            self._flush()
        alone = not (self._current.nouns or self._current.waiting)
        self._current.nouns.append(word)
        if word.role in ("none", "of"):
            return
        if gloss_of(word) == "background" and alone:
            self._background = word.role in ("topic", "place", "subject")
            self._current = NounPhrase()
        elif word.role not in ("object", "subject", "by", "place"):
            self._flush()

    def _is_background(self) -> bool:
        """Whether only the word 배경 was read, so that what follows describes it: 배경 단색 베이지."""
        nouns = self._current.nouns
        return len(nouns) == 1 and gloss_of(nouns[0]) == "background" and nouns[0].role == "none"

    def _describe(self, word: Word) -> None:
        self._current.waiting.append((gloss_of(word), slot_of(group_of(word))))

    def _silent(self, text: str) -> None:
        """A word without English of its own: "on", "next to", or one that ends a phrase."""
        nouns = self._current.nouns
        if nouns and nouns[-1].role in ("none", "of") and text in _RELATIONS:
            self._place(_RELATIONS[text])
            return
        self._flush()
        waiting = self._current.waiting
        if waiting and text in _RELATIONS:
            # 대리석 위에: a material is a place to lie on
            self._lay("setting", f"{_RELATIONS[text]} {waiting.pop()[0]}")
        elif text in _IMPRESSIONS:
            self._loosen()

    def _verb(self, word: Word) -> None:
        group, gloss = group_of(word), gloss_of(word)
        if group == "verb":
            self._act(gloss)
        elif gloss in _LYING or gloss in _ARRANGED:
            self._arranged(gloss)
        else:
            self._flush()
            if group.startswith("adjective") and word.adnominal:
                self._describe(word)
            elif group not in ("stop", "layout"):
                self._lay(slot_of(group), gloss)

    def _act(self, gloss: str) -> None:
        """An action, with its object where one waits: 커피를 마시는, 책 읽는."""
        current = self._current
        role = current.nouns[-1].role if current.nouns else None
        if (role == "object" or (role == "none" and not current.is_animate)) and current.slot == "subject":
            self._lay("action", f"{gloss} {self._taken()}")
            return
        self._flush()
        self._loosen()
        self._lay("action", gloss)

    def _arranged(self, gloss: str) -> None:
        """접시에 담긴, 딸기가 올라간: where a thing lies, or what lies on it."""
        nouns = self._current.nouns
        if nouns and gloss in _LYING and nouns[-1].role in ("place", "none"):
            self._place(self._preposition())
        elif nouns and gloss in _ARRANGED and not self._current.is_animate:
            self._lay("attributes", f"{_ARRANGED[gloss]} {self._taken()}")
        else:
            self._flush()

    def _count(self, word: Word) -> None:
        count = word.count
        if count is None:
            return
        if count.before_noun:
            self._flush()
            self._current.expect(count)
        elif self._current.nouns:
            self._current.count = count
        elif last := self._phrases.slots.get("subject"):
            last[-1] = count.of(last[-1])
        elif count.people:
            self._lay("subject", count.of("person"))
            self._phrases.people.append(("person.anyone", count.number))

    def _preposition(self) -> str:
        return "in" if self._current.text().endswith(_HOLLOW) else "on"

    def _place(self, preposition: str) -> None:
        group = self._current.group
        phrase = self._taken()
        if group == "light":
            self._lay("lighting", phrase)
        elif group == "place" and (preposition in ("in", "on") or phrase.startswith("by the")):
            self._lay("setting", phrase)
        else:
            self._lay("setting", f"{preposition} {phrase if group == 'place' else with_article(phrase)}")

    def _flush(self) -> None:
        """Lay the phrase that was being read into its slot."""
        current = self._current
        if not current.nouns:
            return
        is_thing = current.slot == "subject" and not current.is_animate
        if current.nouns[-1].role == "place" and is_thing and current.group not in ("food", "drink", "latin"):
            self._place(self._preposition())
        else:
            slot = current.slot
            self._lay(slot, self._taken())

    def _loosen(self) -> None:
        """Lay what still waits for a noun into its own slots."""
        waiting, self._current.waiting = self._current.waiting, []
        for gloss, slot in waiting:
            self._lay(slot, gloss)

    def _taken(self) -> str:
        """The phrase that was being read; a new one begins."""
        phrase, people = self._current.text(), self._current.people()
        if people is not None:
            self._phrases.people.append(people)
        self._current = NounPhrase()
        return phrase

    def _lay(self, slot: Slot, phrase: str) -> None:
        if self._background and slot in _OF_A_BACKGROUND and phrase:
            self._background = False
            phrase = phrase if slot in ("setting", "time_season") else f"{phrase} background"
            slot = "setting"
        self._phrases.add(slot, phrase)
