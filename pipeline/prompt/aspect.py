"""Finds the shape of the picture: 16:9, 9대16, 1080x1920, 세로, 정사각형."""

import math
import re

from pipeline.request import AspectRatio, Purpose
from pipeline.sizes import BUCKETS, PURPOSES

_RATIO = re.compile(
    r"(?<![\d:])(\d{1,2}(?:\.\d+)?)\s?(?::|대|/|x|×)\s?(\d{1,2}(?:\.\d+)?)(?![\d:%])(?:\s?(?:비율|사이즈|화면비))?"  # noqa: RUF001
)
_PIXELS = re.compile(r"(?<!\d)(\d{3,4})\s?(?:px|픽셀)?\s?[x×*X]\s?(\d{3,4})(?!\d)\s?(?:px|픽셀)?")  # noqa: RUF001
_SQUARE = re.compile(
    r"정사각|정방형|1대1|일대일|네모난 비율|\bsquare (?:format|image|picture|crop)\b|\bin square\b", re.IGNORECASE
)
_TALL = re.compile(
    r"세로\s?(?:로|형|화면|사진|이미지|비율|방향|포스터|배너|버전|컷|구도|사이즈|모드|포맷|배치|길|긴|가 긴|가"
    r" 더)|(?:^|\s)세로(?:$|\s|[,.])"
    r"|\bportrait (?:format|orientation|mode|size)\b|\bvertical(?:ly)?\b|\bin portrait\b", re.IGNORECASE
)  # fmt: skip
_WIDE = re.compile(
    r"가로\s?(?:로|형|화면|사진|이미지|비율|방향|포스터|배너|버전|컷|구도|사이즈|모드|포맷|배치|길|긴|가 긴|가"
    r" 더)|(?:^|\s)가로(?:$|\s|[,.])|와이드(?:한)? (?:화면|비율|이미지|배너|포맷)|와이드로"
    r"|\blandscape (?:format|orientation|mode|size)\b|\bhorizontal(?:ly)?\b|\bin landscape\b|\bwidescreen\b",
    re.IGNORECASE
)  # fmt: skip
_VERY_TALL = re.compile(
    r"세로로? ?(?:아주 |매우 )?(?:긴|길|길쭉)|(?:휴대폰|핸드폰|스마트폰|폰|모바일) ?(?:전체 ?화면|배경|화면|풀스크린)"
)
_VERY_WIDE = re.compile(
    r"가로로? ?(?:아주 |매우 )?(?:긴|길|길쭉|넓)|와이드|파노라마|widescreen|(?:PC|컴퓨터|노트북|모니터)"
    r" ?(?:배경|화면|바탕)",
    re.IGNORECASE,
)


def take_aspect(text: str, purpose: Purpose | None) -> tuple[AspectRatio | None, str]:
    """The aspect ratio the words ask for, if they do, and the text without the figures.

    "upright" and "lying" alone leave the purpose its ratio where it fits.
    """
    for pattern in (_PIXELS, _RATIO):
        if match := pattern.search(text):
            width, height = float(match[1]), float(match[2])
            if width and height and 1 / 4 <= width / height <= 4:  # noqa: PLR2004
                return _nearest(width / height), text[: match.start()] + " " + text[match.end() :]
    if _SQUARE.search(text):
        return "1:1", text
    if _TALL.search(text) or _VERY_TALL.search(text):
        return _fitting(purpose, upright=True, extreme=_VERY_TALL.search(text) is not None), text
    if _WIDE.search(text) or (_VERY_WIDE.search(text) and "화면" in text):
        return _fitting(purpose, upright=False, extreme=_VERY_WIDE.search(text) is not None), text
    return None, text


def _fitting(purpose: Purpose | None, *, upright: bool, extreme: bool) -> AspectRatio:
    if purpose is not None:
        width, height = BUCKETS[PURPOSES[purpose]]
        if width != height and (height > width) == upright:
            return PURPOSES[purpose]
    if upright:
        return "9:16" if extreme else "3:4"
    return "16:9" if extreme else "4:3"


def _nearest(ratio: float) -> AspectRatio:
    return min(BUCKETS, key=lambda name: abs(math.log(BUCKETS[name][0] / BUCKETS[name][1] / ratio)))
