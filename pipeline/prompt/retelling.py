"""Tells who is named again from who is named besides: 바리스타 모집, 미소 짓는 여성 speaks of one person."""

from dataclasses import replace

from pipeline.prompt.person_nouns import Mention

_ANYBODY = frozenset(
    ("person", "model", "main character", "korean person", "asian person", "people", "adult", "member", "members")
)
_PLAIN = _ANYBODY | {"woman", "man", "girl", "boy", "child", "lady", "guy", "kid", "baby", "female", "male"}


def distinct(clauses: list[list[Mention]]) -> list[Mention]:
    """The mentions without those that speak of persons who were named before."""
    kept: list[tuple[int, Mention]] = []
    for clause, mentions in enumerate(clauses):
        for mention in mentions:
            if len(kept) > 1 and mention.number is None and mention.sex == "unsaid" and kept[-1][0] != clause:
                # 기타 치는 남자와 노래하는 여자, 인디밴드: the band is these two
                continue
            known = next((place for place, one in enumerate(kept) if _same(one, (clause, mention))), None)
            if known is None:
                kept.append((clause, mention))
            else:
                kept[known] = (kept[known][0], _joined(kept[known][1], mention))
    return [mention for _, mention in kept]


def _same(one: tuple[int, Mention], other: tuple[int, Mention]) -> bool:
    (clause, first), (another, second) = one, other
    if first.noun == second.noun and first.sex == second.sex:
        return True
    if "unsaid" not in (first.sex, second.sex) and first.sex != second.sex:
        # a woman of a couple or a family that was named
        return clause != another and "both" in (first.sex, second.sex)
    if clause == another:
        return any(_is_anybody(mention.noun) for mention in (first, second))
    if None in (first.number, second.number):
        return True
    if first.number != second.number:
        return _is_plain(first) or _is_plain(second)
    # 바리스타 모집, 미소 짓는 여성: a role in one clause and who plays it in the next
    ages = (first.age == "child") == (second.age == "child")
    return ages and ("unsaid" in (first.sex, second.sex) or _is_plain(first) or _is_plain(second))


def _is_plain(mention: Mention) -> bool:
    """Whether the noun says no more than sex and age: a middle-aged woman."""
    return mention.noun in _ANYBODY or mention.noun.rsplit(" ", 1)[-1] in _PLAIN


def _is_anybody(noun: str) -> bool:
    return noun in _ANYBODY or noun.endswith(" model")


def _joined(first: Mention, second: Mention) -> Mention:
    """What both say of the same persons."""
    counted = next((one for one in (first, second) if (one.number or 0) > 1 and one.sex != "both"), None)
    if counted is not None and None in (first.number, second.number) and "both" not in (first.sex, second.sex):
        # 친구들, 여자 세 명: the number is known after all
        other = second if counted is first else first
        return replace(counted, sex=other.sex if counted.sex == "unsaid" else counted.sex)
    larger = first if first.number is None or (second.number is not None and first.number >= second.number) else second
    sex = (
        larger.sex
        if larger.sex != "unsaid" or larger.number != 1
        else next((one.sex for one in (first, second) if one.sex != "unsaid"), larger.sex)
    )
    old = larger.number == 1 and "old" in (first.age, second.age)
    return replace(larger, sex=sex, age="old" if old else larger.age)
