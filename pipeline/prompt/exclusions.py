"""Finds what must not be in the picture: 사람 없이, 글자는 넣지 마, without people, no logo."""

import re
from dataclasses import dataclass

from pipeline.prompt.lexicon import load_lexicon

_LETTERING = re.compile(
    r"(?:글자|글씨|텍스트|문구|글|문자|자막|레터링|타이포|타이포그래피|캡션|한글|영어|영문|숫자|제목|text"
    r"|letters?|lettering|words?|captions?|typography)(?:들)?",
    re.IGNORECASE,
)
_PEOPLE = re.compile(
    r"(?:사람|인물|사람 모습|인간|모델|사람 얼굴|아무도?|people|persons?|humans?|models?)(?:들)?", re.IGNORECASE
)
# nouns that are often listed without a joining particle: 글자 로고 없이, 사람, 글자 빼고
_LISTED = re.compile(
    r"(?:글자|글씨|텍스트|문구|로고|워터마크|서명|사람|인물|모델|얼굴|손|간판|라벨|그림자|테두리)(?:들)?(?:이나"
    r"|나|와|과|랑|이랑|하고|도)?,?"
)
_JOINED = re.compile(r"(.+?)(?:이나|나|와|과|랑|이랑|하고|·|/|이든|든지|든),?")
_WORDS_BETWEEN = frozenset((
    "한", "단", "명도", "한명도", "사람도", "마리도", "절대", "절대로", "아예", "전혀", "다", "모두", "꼭", "제발",
    "하나도", "아무것도", "일체", "안", "및", "또는", "그리고", "같은", "등", "등은",
    "건", "거", "것은", "것들은", "요소는", "요소", "모습은",
))  # fmt: skip
_TRIGGER = re.compile(
    r"\s?(?:없이|없는|없게|없도록|없었으면|없으면|없음|없애\S*|빼고|빼 ?줘\S*|빼 ?주\S*|빼|뺀|제외하고|제외한"
    r"|제외해\S*|제외|배제\S*|금지|말고|생략\S*|지워\S*|삭제\S*"
    r"|(?:넣지|나오지|보이지|들어가지|그리지|쓰지|포함하지|포함시키지|포함되지|등장하지|두지|새기지)(?:는|도"
    r"|를)? ?(?:마\S*|말\S*|않\S*|안\S*)"
    r"|(?:들어가|나오|보이|있|넣으|쓰|들어 있으|그리)면 ?(?:절대 )?안 ?(?:돼|되|됩)\S*|들어가지 않\S*"
    r"|안 ?(?:나오\S*|나온|나왔\S*|보이\S*|보였\S*|들어가\S*|들어간|들어갔\S*|넣\S*|써도\S*)"
    r"|싫어\S*|싫습니다|필요 ?없\S*)(?:요|구요)?(?: ?(?:주세요|줘요?|해 ?줘\S*|해 ?주\S*))?(?=$|[\s,.!?~)\n])"
)  # fmt: skip
# 사람 얼굴 is one thing, not two
_WHOSE = re.compile(r"(?<!\S)(?:사람|인물|모델)(?:의|들의)? (?=얼굴|손|뒷모습|옆모습|실루엣|표정)")
# what 한강 아니고 광안대교 names first is neither wanted nor kept out
_NOT_THIS = re.compile(r"(?<!\S)\S+(?:이|가)? 아니(?:고|라)(?=[\s,])")
_PARTICLE = re.compile(r"(.+?)(?:들)?(?:은|는|이|가|을|를|도|만|조차|이나|나|와|과|랑|이랑)?")
_MODIFIER = re.compile(r"[가-힣]*(?:한|운|런|스런|적인|잡한)")
_ENGLISH = re.compile(
    r"\b(?:without(?: any)?|no|excluding|except(?: for)?|avoid(?:ing)?|free of|(?:don't|do not) (?:include|add"
    r"|show|draw))\s+"
    r"(?P<things>(?:(?:a|an|the|any) )?[A-Za-z-]+(?: (?!(?:in|on|at|with|and|or|but|please|for|of|just|only|no"
    r"|without)\b)[A-Za-z-]+)?"
    r"(?:(?:,? (?:and|or|nor) |, ?)(?:(?:no|any|a|an|the) )?(?:people|persons?|humans?|texts?|letters?|words?"
    r"|logos?|watermarks?|faces?|hands?|animals?|background|signs?|clutter|shadows?)\b)*)",
    re.IGNORECASE,
)
_ENGLISH_JOIN = re.compile(r",|\b(?:and|or|nor|no|any|a|an|the)\b", re.IGNORECASE)
_NOT_THINGS = frozenset(
    ["수", "것", "거", "필요", "말", "지", "걱정", "부담", "끝", "변함", "어디", "상관", "관계", "더", "그", "이",
    "또", "남김", "빈틈", "쉴새", "두", "군더더기", "문제", "세상", "둘", "번", "하나", "아무것", "예외", "한",
    "때", "틈", "더할나위", "다름", "끊임", "너나할것"]
)  # fmt: skip
_MOST_WORDS = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Exclusions:
    """things as the user wrote them, but lettering and people in English; rest is the text without them."""

    things: tuple[str, ...]
    rest: str


def take_exclusions(text: str) -> Exclusions:
    """Take out each exclusion with the words that make it one."""
    things: list[str] = []
    text = _NOT_THIS.sub(" , ", _WHOSE.sub("", text))
    rest, position = "", 0
    for trigger in _TRIGGER.finditer(text):
        before = text[position : trigger.start()]
        found, kept = _things_before(before)
        if found:
            things += found
            rest += kept + " , "
            position = trigger.end()
    rest += text[position:]

    def take(match: re.Match[str]) -> str:
        things.extend(part.strip() for part in _ENGLISH_JOIN.split(match["things"]))
        return " , "

    rest = _ENGLISH.sub(take, rest)
    named = (
        "text" if _LETTERING.fullmatch(thing) else "people" if _PEOPLE.fullmatch(thing) else thing for thing in things
    )
    return Exclusions(things=tuple(dict.fromkeys(filter(None, named))), rest=rest)


def _things_before(before: str) -> tuple[list[str], str]:
    """The nouns right before the trigger, and the text before them."""
    words = list(re.finditer(r"\S+", before))
    found: list[str] = []
    start = len(before)
    for word in reversed(words[-_MOST_WORDS:]):
        spoken = word[0]
        if "\n" in before[word.end() : start]:
            break
        if spoken in _WORDS_BETWEEN:
            start = word.start()
            continue
        if found and not (_JOINED.fullmatch(spoken) or _LISTED.fullmatch(spoken)):
            if _MODIFIER.fullmatch(spoken) and found:
                start = word.start()
            break
        if not found and spoken.endswith((",", ".", "!", "?")):
            break
        parts = [part for part in re.split(r"[,·/]", spoken) if part]
        nouns = [match[1] for part in parts if (match := _PARTICLE.fullmatch(part))]
        if not nouns or any(noun in _NOT_THINGS or _is_verb(noun) for noun in nouns):
            break
        found = [*nouns, *found]
        start = word.start()
    return found, before[:start]


def _is_verb(word: str) -> bool:
    """걱정하지 말고 excludes nothing, 강아지 말고 does."""
    return word.endswith("지") and word not in load_lexicon().surfaces
