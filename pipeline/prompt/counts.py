"""Korean numerals with counters: 두 마리, 커피 3잔, 꽃 한 송이."""

import re
from dataclasses import dataclass

_NUMBERS = {
    "한": 1, "하나": 1, "두": 2, "둘": 2, "세": 3, "셋": 3, "네": 4, "넷": 4, "다섯": 5, "여섯": 6, "일곱": 7,
    "여덟": 8, "아홉": 9, "열": 10, "여러": 0, "몇": 0,
}  # fmt: skip
NUMBER_WORDS = ("several", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
_PLAIN = "마리|개|명|분|그루|대|권|벌|장|알|척|채|자루|통|줄|가지|포기|사람|송이|종류|종|인"
_MEASURES = {
    "잔": "cup", "컵": "cup", "조각": "slice", "쪽": "slice", "병": "bottle", "그릇": "bowl", "공기": "bowl",
    "접시": "plate",
    "다발": "bouquet", "상자": "box", "박스": "box", "캔": "can", "켤레": "pair", "쌍": "pair", "세트": "set",
    "봉지": "bag",
    "판": "tray", "팩": "pack", "스쿱": "scoop", "바구니": "basket", "꼬치": "skewer",
}  # fmt: skip
_GLASSES = ("wine", "beer", "juice", "ade", "champagne", "cocktail", "soju", "whisky", "water", "milk", "cola", "soda")
_NUMERAL = rf"(?P<number>{'|'.join(sorted(_NUMBERS, key=len, reverse=True))}|\d{{1,3}})"
_COUNT = re.compile(
    rf"(?!\d0대|열대)(?:(?P<alone>둘|셋|넷)|{_NUMERAL} ?(?P<counter>{_PLAIN}|{'|'.join(_MEASURES)}))"
    r"(?P<of>의)?(?P<tail>이|가|을|를|은|는|와|과|도|만|씩|에게|한테|께|정도|로|으로|에|랑|이랑|하고"
    r"|이서|서|짜리|이고|가량)*(?= |$)"
)
_BARE = re.compile(r"(두|세|네|다섯|여섯|일곱|여러) (?=[가-힣])")
_SAME_PLURAL = re.compile(r"(?:s|fish|sheep|people|children|women|men|shrimp|sushi|bread|salmon|sashimi|squid)$")
_ODD_PLURALS = {"woman": "women", "man": "men", "child": "children", "person": "people",
                "grandchild": "grandchildren", "knife": "knives",
                "wife": "wives", "housewife": "housewives",
                "leaf": "leaves", "loaf": "loaves", "baby": "babies", "tooth": "teeth", "mouse": "mice"}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Count:
    """number is 0 for "several"; measure is "" where things themselves are counted; length is in characters.

    joins says that something else belongs to what is counted: 남자 세 명과 여자 한 명.
    """

    number: int
    measure: str
    people: bool
    before_noun: bool
    length: int
    joins: bool = False

    @property
    def words(self) -> str:
        """The number alone."""
        return NUMBER_WORDS[self.number] if self.number < len(NUMBER_WORDS) else str(self.number)

    def of(self, gloss: str) -> str:
        """The noun, counted: "two cats", "three cups of coffee"."""
        if self.number == 1 and (not self.measure or gloss.endswith("couple")):
            return gloss
        number = self.words
        if not self.measure or gloss.endswith("couple"):
            # 부부 세 쌍 are three couples, not three pairs of them
            return f"{number} {plural(gloss)}"
        measure = "glass" if self.measure == "cup" and gloss.endswith(_GLASSES) else self.measure
        if measure in gloss:
            return gloss if self.number == 1 else f"{number} {plural(gloss)}"
        return f"a {measure} of {gloss}" if self.number == 1 else f"{number} {plural(measure)} of {gloss}"


def count_at(text: str, position: int) -> Count | None:
    """The count that begins at this position of a text with single spaces."""
    match = _COUNT.match(text, position)
    if match is None:
        return None
    spoken, counter = match["alone"] or match["number"], match["counter"] or ""
    return Count(
        number=_NUMBERS[spoken] if spoken in _NUMBERS else int(spoken),
        measure=_MEASURES.get(counter, ""),
        people=counter in ("명", "사람", "분", "인"),
        before_noun=match["of"] is not None,
        length=match.end() - position,
        joins=match["tail"] in ("와", "과", "랑", "하고"),
    )


def bare_count_at(text: str, position: int) -> Count | None:
    """The number that begins at this position and stands right before its noun: 두 여자, 세 강아지."""
    match = _BARE.match(text, position)
    if match is None:
        return None
    return Count(number=_NUMBERS[match[1]], measure="", people=False, before_noun=True, length=len(match[1]))


def plural(gloss: str) -> str:
    """The English plural of the last word; what has none, or is one, stays."""
    head, space, last = gloss.rpartition(" ")
    if last in _ODD_PLURALS:
        return head + space + _ODD_PLURALS[last]
    if last.endswith(("glass", "dress", "mattress")):
        return gloss + "es"
    if _SAME_PLURAL.search(last):
        return gloss
    if last.endswith("y") and last[-2:-1] not in "aeiou":
        return gloss[:-1] + "ies"
    return gloss + ("es" if last.endswith(("ch", "sh", "x", "z")) else "s")
