"""Whether nouns without a particle between them are one compound: 딸기 케이크, 제주 바다, 신부 대기실."""

from pipeline.prompt.noun_phrase import NounPhrase
from pipeline.prompt.phrases import slot_of
from pipeline.prompt.word import Word

_OF_PLACES = (
    "interior", "exterior", "entrance", "terrace", "background", "scenery", "view", "rooftop", "counter", "beach",
    "street", "village",
)  # fmt: skip
_LIMBS = ("knee", "lap", "shoulder", "shoulders", "neck", "waist", "belly", "arm", "legs")
_OPPOSITES = {"person.woman", "person.man"}


def continues(phrase: NounPhrase, word: Word) -> bool:
    """Whether the word makes a compound with the nouns that were read so far."""
    last, group = phrase.nouns[-1], word.group
    if last.role == "of" and phrase.group == "fashion" and group.startswith("person"):
        # 검은 드레스의 마녀
        return True
    if last.role != "none" or phrase.count is not None or _are_apart(phrase, word):
        return False
    to, of = slot_of(group), phrase.slot
    if to == "lighting":
        return of in ("time_season", "lighting")
    if to == "setting" and phrase.group.startswith("person"):
        # 바리스타 학원, 신부 대기실: whose place it is
        return not phrase.waiting
    if of == "setting":
        return group.startswith("person") or (to == "setting" and _one_place(last, word))
    return of == to or (phrase.group == "holiday" and to == "subject")


def _are_apart(phrase: NounPhrase, word: Word) -> bool:
    """소년 소녀 are two; 할아버지 무릎 담요 shows the grandfather too, 엄마 손 the hand alone."""
    if not phrase.group.startswith("person"):
        return False
    taken_by_the_hand = word.gloss == "hand" and word.role == "object"
    return {phrase.group, word.group} == _OPPOSITES or word.gloss in _LIMBS or taken_by_the_hand


def _one_place(last: Word, word: Word) -> bool:
    """제주 바다, 카페 인테리어 are one place; 골목길 포장마차 are two."""
    return last.gloss[:1].isupper() or word.gloss.endswith(_OF_PLACES)
