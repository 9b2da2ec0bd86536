"""Finds the lettering that somebody will lay over the picture later, and takes it out of the text."""

import re
from collections.abc import Callable
from dataclasses import dataclass

from pipeline.prompt.keywords import CopySpace

_WORD = (
    r"(?:문구|글씨|텍스트|글자|제목|카피|슬로건|타이틀|멘트|문장|메시지|글귀|헤드라인|레터링|자막|캡션|로고"
    r"|상호명|상호|가게이름|가게 이름|카페이름|카페 이름|브랜드명|브랜드 이름|이름)"
)
_QUOTED = re.compile(
    r"(?<![A-Za-z0-9])'(?P<a>[^'\n]{1,80})'(?![A-Za-z0-9])|\"(?P<b>[^\"\n]{1,80})\"|[“”](?P<c>[^“”\n]{1,80})[“”]"
    r"|‘(?P<d>[^‘’\n]{1,80})’|「(?P<e>[^」\n]{1,80})」|『(?P<f>[^』\n]{1,80})』|《(?P<g>[^》\n]{1,80})》"  # noqa: RUF001
    r"|〈(?P<h>[^〉\n]{1,80})〉"
    r"|«(?P<i>[^»\n]{1,80})»|`(?P<j>[^`\n]{1,80})`|＂(?P<k>[^＂\n]{1,80})＂"  # noqa: RUF001
)
# quotes for emphasis: '힙한' 느낌
_EMPHASIS = re.compile(
    r"\s?(?:한\s?)?(?:느낌|분위기|스타일|감성|컨셉|콘셉트|무드|풍의|풍으로|톤|(?:을|를|이|가) (?:주제|테마|컨셉"
    r"|콘셉트)|(?:style|vibe|mood|look|feel)\b)"
)
_SAID = re.compile(
    rf"(?P<text>[^\s,.!?;:\n][^,.;:\n]{{0,40}}?)\s?(?:이라는|라는|이라고|라고)\s?(?:\S{{1,4}}\s)?(?:{_WORD}"
    rf"|크게|작게|적|써|쓰|넣|들어|새겨|적혀|쓰여|보이)"
)
_NAMED = re.compile(
    rf"(?:들어갈 |넣을 |메인 )?{_WORD}(?:은|는|:| :|에는|엔)\s?(?P<text>[^,.\n]{{1,40}}?)\s?"
    r"(?=(?:으로|로|이라고|라고|이야|입니다|이에요|예요)(?:\s|$|[,.])|[,.\n]|$)"
)
_TO_LATIN = re.compile(
    r"(?:with|and|add|include|including|put|showing)?\s*(?:the |a |an )?(?:text|words?|title|caption|slogan"
    r"|lettering|headline|tagline)\s*"
    r"(?:that (?:says|reads)|saying|reading|of|:)?\s+(?P<text>(?-i:[A-Z0-9])[^,.;\n]{0,60})"
    r"|(?:that says|that reads|saying|which says|it says)\s+(?P<says>[^,.;\n]{1,60})",
    re.IGNORECASE,
)
_SLOGAN = re.compile(
    r"(?:최대 |up to )?\d{1,3}(?:,\d{3})*\s?%(?:\s?(?:할인|세일|OFF|off|Off|sale|SALE|쿠폰|적립|페이백|DC))*"
    r"|\d\s?\+\s?\d(?:\s?(?:행사|이벤트|증정))?|\d{1,3}(?:,\d{3})+\s?원|\d+\s?(?:만|천)\s?원|\d{3,}\s?원"
    r"|\d{2,4}-\d{3,4}-\d{4}|(?:https?://|www\.)\S+|[@#][\w가-힣.]+|(?<![\w.])[\w.]{1,64}@[\w.]+"
)
_BEHIND_QUOTES = re.compile(rf"\n\s*(?:이라는|라는|이라고|라고|이라|이란|란)\s?(?:{_WORD})?(?:은|는|을|를|도|가|이)?")
_NOT_LETTERING = re.compile(
    r".*(?:나중|따로|직접|별도|추후|들어갈|들어가|넣을|넣어|추가|자리|필요|여백|공간|없이|빼|제외|말고|말아"
    r"|없게|싫|금지|안 |넣지|않|no |without)"
)
_VERBS = re.compile(
    rf"\s?(?:이라는|라는|이라고|라고|이란|란)?\s?(?:{_WORD})?(?:를|을|도|가|이|로|으로)?\s?(?:(?:크게|작게"
    rf"|예쁘게|꼭|함께|같이|위에|상단에|하단에)\s?)*"
    r"(?:넣어|적어|써|새겨|들어가|들어갈|들어간|넣을|적힌|쓰인|쓰여진|적혀|추가해)\S*(?:\s?(?:주세요|줘|주고"
    r"|주시고|있는|수 있게|있게))?"
)
_FROM_STOPS = re.compile(
    r"^(?:.*(?:에는|에서|에|으로|로|하고|해서|고|은|는|이고|위에|그리고|상단에|하단에|with|the)\s)(?=\S)"
)
_SIDES: tuple[tuple[CopySpace, str], ...] = (
    ("top", "상단|위쪽|위에|윗부분|윗쪽|top"), ("bottom", "하단|아래쪽|아래에|밑에|아랫부분|bottom"),
    ("left", "왼쪽|좌측|left"), ("right", "오른쪽|우측|right"),
    ("somewhere", "한쪽|한켠|여백|가운데|중앙|(?:blank|copy|negative|empty) space"),
)  # fmt: skip
_ROOM = r"여백|비워|비우|비어|빈 공간|공간|자리|문구|글씨|글자|텍스트|제목|카피|글이|글을|space|room|blank|empty"


@dataclass(frozen=True, slots=True, kw_only=True)
class Lettering:
    """The texts word for word, where they want to stand, and the request without them."""

    texts: tuple[str, ...]
    space: CopySpace
    rest: str


def take_lettering(text: str) -> Lettering:
    """Take out what is quoted, what "… 라는 문구" names, and slogans such as 50% 할인."""
    found: list[str] = []
    space = _space(text)

    def take(match: re.Match[str]) -> str:
        said = next(group for group in match.groups() if group is not None).strip()
        if _EMPHASIS.match(text, match.end()):
            return f" {said} "
        found.append(said)
        return " \n "

    text = _QUOTED.sub(take, text)
    text = _BEHIND_QUOTES.sub("\n ", text)
    for pattern in (_SAID, _NAMED, _TO_LATIN):
        text = pattern.sub(_collect(found), text)
    text = _SLOGAN.sub(lambda match: _kept(found, match[0].strip()), text)
    if found:
        text = _VERBS.sub(" ", text)
    return Lettering(texts=tuple(dict.fromkeys(filter(None, found))), space=space, rest=text)


def _collect(found: list[str]) -> Callable[[re.Match[str]], str]:
    def take(match: re.Match[str]) -> str:
        said = next(group for group in match.groups() if group is not None).strip()
        if not said or _NOT_LETTERING.match(said) or "\n" in match[0]:
            return match[0]
        before = _FROM_STOPS.match(said)
        kept = before[0] if before and len(said) > len(before[0]) else ""
        found.append(said[len(kept) :].strip())
        return f" {kept} \n "

    return take


def _kept(found: list[str], slogan: str) -> str:
    found.append(slogan)
    return " \n "


def _space(text: str) -> CopySpace:
    for side, words in _SIDES:
        if re.search(
            rf"(?:{words})[^,.\n]{{0,14}}(?:{_ROOM})|(?:{_ROOM})[^,.\n]{{0,8}}(?:{words})"
            rf"|['\"’”](?:은|는|이|가|을|를)?\s?(?:{words})",  # noqa: RUF001
            text,
            re.IGNORECASE,
        ):
            return side
    return "somewhere" if re.search(r"여백|copy space|negative space", text, re.IGNORECASE) else "none"
