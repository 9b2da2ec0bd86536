"""Lettering for tests, drawn without a font file: Hangul from strokes, Latin with the face inside Pillow."""

from collections.abc import Iterable, Iterator

from PIL import Image, ImageDraw, ImageFont

Point = tuple[float, float]
Stroke = tuple[Point, ...]
RING = "ring"

# in a square of 0..1, x to the right and y down
_CONSONANTS: dict[str, tuple[Stroke | str, ...]] = {
    "ㄱ": (((0, 0), (1, 0), (0.8, 1)),),
    "ㄴ": (((0, 0), (0, 1), (1, 1)),),
    "ㄷ": (((1, 0), (0, 0), (0, 1), (1, 1)),),
    "ㄸ": (((0.45, 0), (0, 0), (0, 1), (0.45, 1)), ((1, 0), (0.55, 0), (0.55, 1), (1, 1))),
    "ㄹ": (((0, 0), (1, 0), (1, 0.5), (0, 0.5), (0, 1), (1, 1)),),
    "ㅁ": (((0, 0), (1, 0), (1, 1), (0, 1), (0, 0)),),
    "ㅂ": (((0, 0), (0, 1), (1, 1), (1, 0)), ((0, 0.5), (1, 0.5))),
    "ㅅ": (((0.5, 0), (0, 1)), ((0.5, 0.3), (1, 1))),
    "ㅇ": (RING,),
    "ㅈ": (((0, 0), (1, 0)), ((0.5, 0), (0, 1)), ((0.5, 0.3), (1, 1))),
    "ㅋ": (((0, 0), (1, 0), (0.8, 1)), ((0, 0.5), (0.9, 0.5))),
    "ㅍ": (((0, 0), (1, 0)), ((0.3, 0), (0.3, 1)), ((0.7, 0), (0.7, 1)), ((0, 1), (1, 1))),
    "ㅎ": (((0.3, 0), (0.7, 0)), ((0, 0.25), (1, 0.25)), RING),
}
_UPRIGHT: dict[str, tuple[Stroke, ...]] = {
    "ㅏ": (((0.3, 0), (0.3, 1)), ((0.3, 0.5), (1, 0.5))),
    "ㅐ": (((0.1, 0), (0.1, 1)), ((0.1, 0.5), (0.7, 0.5)), ((0.7, 0), (0.7, 1))),
    "ㅔ": (((0, 0.5), (0.4, 0.5)), ((0.4, 0), (0.4, 1)), ((0.9, 0), (0.9, 1))),
    "ㅕ": (((0, 0.35), (0.7, 0.35)), ((0, 0.65), (0.7, 0.65)), ((0.7, 0), (0.7, 1))),
    "ㅣ": (((0.5, 0), (0.5, 1)),),
}
_LYING: dict[str, tuple[Stroke, ...]] = {
    "ㅗ": (((0.5, 0), (0.5, 0.6)), ((0, 0.6), (1, 0.6))),
    "ㅡ": (((0, 0.4), (1, 0.4)),),
}
_INITIALS = "ㄱㄲㄴㄷㄸㄹㅁㅂㅃㅅㅆㅇㅈㅉㅊㅋㅌㅍㅎ"
_MEDIALS = "ㅏㅐㅑㅒㅓㅔㅕㅖㅗㅘㅙㅚㅛㅜㅝㅞㅟㅠㅡㅢㅣ"
_FINALS = " ㄱㄲㄳㄴㄵㄶㄷㄹㄺㄻㄼㄽㄾㄿㅀㅁㅂㅄㅅㅆㅇㅈㅊㅋㅌㅍㅎ"


def write_korean(
    image: Image.Image, words: str, place: tuple[int, int], size: int, colour: tuple[int, int, int]
) -> None:
    """Draw Hangul from this place to the right, each syllable in a square of this size."""
    pen = ImageDraw.Draw(image)
    for index, syllable in enumerate(words):
        if syllable != " ":
            left = place[0] + index * size
            for stroke in _syllable(syllable):
                points = [(left + x * size, place[1] + y * size) for x, y in stroke]
                pen.line(points, fill=colour, width=max(1, size // 10), joint="curve")


def write_english(
    image: Image.Image, words: str, place: tuple[int, int], size: int, colour: tuple[int, int, int]
) -> None:
    """Draw Latin letters."""
    ImageDraw.Draw(image).text(place, words, font=ImageFont.load_default(size), fill=colour)


def _syllable(syllable: str) -> Iterator[Stroke]:
    # Unicode 3.12: a syllable's number is (initial * 21 + medial) * 28 + final
    number = ord(syllable) - ord("가")
    initial, medial, final = _INITIALS[number // 588], _MEDIALS[number // 28 % 21], _FINALS[number % 28]
    height = 0.8 if final == " " else 0.45
    if medial in _UPRIGHT:
        yield from _placed(_CONSONANTS[initial], 0.08, 0.08, 0.45, height)
        yield from _placed(_UPRIGHT[medial], 0.62, 0.05, 0.28, height + 0.06)
    else:
        yield from _placed(_CONSONANTS[initial], 0.2, 0.06, 0.6, height * 0.55)
        yield from _placed(_LYING[medial], 0.05, 0.1 + height * 0.6, 0.88, height * 0.4)
    if final != " ":
        yield from _placed(_CONSONANTS[final], 0.2, 0.64, 0.6, 0.28)


def _placed(strokes: Iterable[Stroke | str], left: float, top: float, width: float, height: float) -> Iterator[Stroke]:
    for stroke in strokes:
        points = _ring() if isinstance(stroke, str) else stroke
        yield tuple((left + x * width, top + y * height) for x, y in points)


def _ring() -> Stroke:
    corners = ((0.5, 0), (0.85, 0.15), (1, 0.5), (0.85, 0.85), (0.5, 1), (0.15, 0.85), (0, 0.5), (0.15, 0.15))
    # low enough for the bar of ㅎ
    return tuple((x, 0.1 + 0.9 * y) for x, y in (*corners, corners[0]))
