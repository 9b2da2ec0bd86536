"""Puts a sentence's words together to English phrases, each in its slot."""

from collections.abc import Iterable

from pipeline.prompt.actions import ARRANGED, LYING, act, arrange, settle_ride
from pipeline.prompt.compounds import continues
from pipeline.prompt.draft import Draft
from pipeline.prompt.hangul import final
from pipeline.prompt.phrases import DESCRIBING, ON_THEIR_OWN, Phrases, slot_of
from pipeline.prompt.word import Word

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
_SHAPES = frozenset(("모양", "모양의", "형태"))
# forms of 쓰다, which says nothing but behind what is worn: 모자 쓴, 안전모를 쓰고
_PUT_ON = "쓰쓴써썼"


class Assembly:
    """Reads words one by one; describing words wait for their noun, nouns for the verb they belong to."""

    def __init__(self, phrases: Phrases) -> None:
        self._draft = Draft(phrases)

    def read(self, words: Iterable[Word]) -> None:
        """Read one clause to its end."""
        clause = list(words)
        self._draft.begin()
        for word, following in zip(clause, [*clause[1:], None], strict=True):
            match word.kind:
                case "noun" | "latin":
                    self._noun(word)
                case "verb":
                    self._verb(word)
                case "count":
                    self._count(word, following)
                case _:
                    self._draft.flush()
        self._draft.flush()
        self._draft.loosen()
        settle_ride(self._draft)

    def _noun(self, word: Word) -> None:
        draft, group = self._draft, word.group
        if word.text in _SHAPES and draft.current.nouns:
            self._shaped(word)
        elif group in ("stop", "layout"):
            self._silent(word)
        elif group.startswith("adjective") and word.gloss in ARRANGED and draft.current.nouns:
            arrange(draft, word.gloss)
        elif group == "verb":
            act(draft, word.gloss)
        elif (group in DESCRIBING and word.role in ("none", "of")) or _is_adnominal(word):
            if not self._is_background():
                draft.flush()
            self._describe(word)
        elif group in ON_THEIR_OWN:
            draft.flush()
            draft.loosen()
            draft.lay(slot_of(group), word.gloss)
        elif group in DESCRIBING or group.startswith("adjective"):
            draft.flush()
            draft.lay(slot_of(group), word.gloss)
        else:
            self._join(word)

    def _join(self, word: Word) -> None:
        """A noun of a phrase; its particle says whether the phrase is over or waits for its verb."""
        draft = self._draft
        if draft.current.nouns and not continues(draft.current, word):
            draft.flush()
        if word.gloss == "character" and word.role == "none" and draft.shows_somebody and not draft.current.nouns:
            # 소녀 둘이 … 들고 있는 캐릭터 is nobody else
            draft.loosen()
            return
        alone = not (draft.current.nouns or draft.current.waiting)
        draft.current.nouns.append(word)
        if word.role in ("none", "of"):
            return
        if word.gloss == "background" and alone:
            draft.background = word.role in ("topic", "place", "subject")
            draft.current.nouns.clear()
        elif word.role not in ("object", "subject", "by", "place"):
            draft.flush()

    def _is_background(self) -> bool:
        """Whether only the word 배경 was read, so that what follows describes it: 배경 단색 베이지."""
        nouns = self._draft.current.nouns
        return len(nouns) == 1 and nouns[0].gloss == "background" and nouns[0].role == "none"

    def _describe(self, word: Word) -> None:
        self._draft.current.waiting.append((word.gloss, slot_of(word.group)))

    def _shaped(self, word: Word) -> None:
        """버섯 모양 무드등, 고래 모양으로: what something looks like."""
        current = self._draft.current
        shape = f"{current.bare().replace(' ', '-')}-shaped"
        current.nouns.clear()
        if word.role in ("none", "of"):
            current.waiting.append((shape, "attributes"))
        else:
            self._draft.lay("attributes", shape)

    def _silent(self, word: Word) -> None:
        """A word without English of its own: "on", "next to", or one that ends a phrase."""
        draft, text = self._draft, word.text if word.role not in ("topic", "object") else ""
        nouns = draft.current.nouns
        if nouns and nouns[-1].role in ("none", "of") and text in _RELATIONS:
            draft.place(_RELATIONS[text])
            return
        draft.flush()
        waiting = draft.current.waiting
        if waiting and text in _RELATIONS:
            # 대리석 위에: a material is a place to lie on
            draft.lay("setting", f"{_RELATIONS[text]} {waiting.pop()[0]}")
        elif word.text in _IMPRESSIONS:
            draft.loosen()

    def _verb(self, word: Word) -> None:
        draft, group, gloss = self._draft, word.group, word.gloss
        nouns = draft.current.nouns
        if group == "verb":
            act(draft, gloss)
        elif group == "stop" and word.text[0] in _PUT_ON and nouns and nouns[-1].group == "fashion":
            act(draft, "wearing")
        elif gloss in LYING or gloss in ARRANGED:
            arrange(draft, gloss)
        else:
            draft.flush()
            if group.startswith("adjective") and word.adnominal:
                self._describe(word)
            elif group not in ("stop", "layout"):
                draft.lay(slot_of(group), gloss)

    def _count(self, word: Word, following: Word | None) -> None:
        draft, count = self._draft, word.count
        if count is None:
            return
        # 4인 가족, 두 명의 여자: the count stands before its noun
        ahead = count.people and following is not None and following.group.startswith("person")
        if count.before_noun and count.people and draft.current.nouns and draft.current.is_animate:
            # 등산객 세 명의 실루엣: it counts the persons before it
            draft.current.count = count
            draft.flush()
        elif count.before_noun or (ahead and not draft.current.nouns):
            draft.flush()
            draft.current.expect(count)
        elif draft.current.nouns:
            draft.current.count = count
        elif last := draft.phrases.slots.get("subject"):
            last[-1] = draft.phrases.counted_again(last[-1], count.of(last[-1]))
        elif count.people:
            draft.lay("subject", count.of("person"))
            draft.phrases.people[-1].append(count.of("person"))


def _is_adnominal(word: Word) -> bool:
    """Whether an adjective stands in the lexicon in the form that describes a noun: 말린, 돌돌 말린."""
    return word.group.startswith("adjective") and word.role == "none" and final(word.text[-1]) == "ㄴ"
