"""The surfaces of a Korean verb or adjective, generated from its dictionary form."""

from collections.abc import Iterator
from typing import Literal

from pipeline.prompt.hangul import final, vowel, with_final, with_vowel

# plain: before endings such as 고, 게, 는; dropped: 노 of 놀다, before 는; open: before 면, 며, 시;
# link: 먹어, 귀여워; past: 먹었;
# adnominal: 먹은, 귀여운; coming: 먹을; noun: 먹음; polite: 합 of 합니다; adverb: 조용히; root: 아늑 of 아늑하다
Base = Literal["plain", "dropped", "open", "link", "past", "adnominal", "coming", "noun", "polite", "adverb", "root"]

_REGULAR_B = frozenset("입잡씹뽑접좁집업꼽굽꼬수")
_REGULAR_S = frozenset("웃씻벗솟빗빼앗")
_IRREGULAR_D = frozenset("걷듣싣긷")
_REGULAR_H = frozenset("좋놓넣쌓낳찧")
_REGULAR_REU = ("따르", "들르", "치르")
_CONTRACTIONS = {"ㅗ": "ㅘ", "ㅜ": "ㅝ", "ㅣ": "ㅕ"}
_BRIGHT = "ㅏㅗㅑ"
# bake and grill, not bend
_IRREGULAR_B = ("굽",)


def bases(dictionary_form: str) -> Iterator[tuple[str, Base]]:
    """Each surface with its kind, from a form that ends in 다, white space already taken out."""
    stem = dictionary_form.removesuffix("다")
    yield stem, "plain"
    if len(stem) > 2 and stem.endswith("하"):  # noqa: PLR2004
        yield stem[:-1] + "히", "adverb"
        yield stem[:-1], "root"
    before, last = stem[:-1], stem[-1]
    consonant = final(last)
    if consonant == "ㄹ":
        yield before + with_final(last, ""), "dropped"
        yield from _with_open(before + with_final(last, ""), linked=_linked(before, last), open_stem=stem)
    elif not consonant:
        yield from _with_open(stem, linked=_vowel_linked(before, last), open_stem=stem)
    elif (changed := _irregular(before, last, consonant)) is not None:
        soft, linked = changed
        yield from _with_open(soft, linked=linked, open_stem=soft)
    else:
        yield from _with_open(stem + "으", linked=_linked(before, last), open_stem=stem + "으")


def _with_open(soft: str, *, linked: tuple[str, ...], open_stem: str) -> Iterator[tuple[str, Base]]:
    before, last = soft[:-1], soft[-1]
    yield open_stem, "open"
    yield before + with_final(last, "ㄴ"), "adnominal"
    yield before + with_final(last, "ㅂ"), "polite"
    yield before + with_final(last, "ㄹ"), "coming"
    yield open_stem[:-1] + with_final(open_stem[-1], "ㅁ"), "noun"
    for link in linked:
        yield link, "link"
        yield link[:-1] + with_final(link[-1], "ㅆ"), "past"


def _linked(before: str, last: str) -> tuple[str, ...]:
    return (before + last + ("아" if vowel(last) in _BRIGHT else "어"),)


def _vowel_linked(before: str, last: str) -> tuple[str, ...]:
    sound = vowel(last)
    if last == "하":
        return before + "해", before + "하여"
    if sound == "ㅡ":
        return (_linked_eu(before, last),)
    if sound == "ㅚ":
        return before + with_vowel(last, "ㅙ"), before + last + "어"
    if sound in _CONTRACTIONS:
        return before + with_vowel(last, _CONTRACTIONS[sound]), *_linked(before, last)
    if sound in "ㅏㅓㅐㅔㅕㅑ":
        return (before + last,)
    return _linked(before, last)


def _linked_eu(before: str, last: str) -> str:
    bright = bool(before) and vowel(before[-1]) in _BRIGHT
    if before and last == "르" and not (before + last).endswith(_REGULAR_REU):
        return before[:-1] + with_final(before[-1], "ㄹ") + ("라" if bright else "러")
    return before + with_vowel(last, "ㅏ" if bright else "ㅓ")


def _irregular(before: str, last: str, consonant: str) -> tuple[str, tuple[str, ...]] | None:
    bare = before + with_final(last, "")
    if consonant == "ㅂ" and (last in _IRREGULAR_B or last not in _REGULAR_B):
        return bare + "우", (bare + "워", *((bare + "와",) if last in "돕곱" else ()))
    if consonant == "ㅎ" and last not in _REGULAR_H:
        sound = "ㅐ" if vowel(last) in "ㅏㅓ" else "ㅒ"
        return bare, (before + with_vowel(last, sound), before + with_vowel(last, "ㅔ"))
    if consonant == "ㅅ" and last not in _REGULAR_S:
        return bare + "으", (bare + ("아" if vowel(last) in _BRIGHT else "어"),)
    if consonant == "ㄷ" and last in _IRREGULAR_D:
        hard = before + with_final(last, "ㄹ")
        return hard + "으", (hard + ("아" if vowel(last) in _BRIGHT else "어"),)
    return None
