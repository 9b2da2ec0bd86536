"""Lists of things in Korean, such as a negative prompt, to English."""

import re
from collections.abc import Iterable

from pipeline.prompt.clauses import normalised, words_of
from pipeline.prompt.hangul import has_hangul
from pipeline.prompt.lexicon import Lexicon, load_lexicon

# nouns that summon lettering say nothing in a picture, but much where they are not wanted
_LETTERED = {
    "글자": "text", "글씨": "text", "텍스트": "text", "문구": "text", "워터마크": "watermark",
    "서명": "signature", "로고": "logo",
    "간판": "sign", "라벨": "label", "자막": "subtitles", "말풍선": "speech bubble", "사진": "photo",
    "만화": "cartoon", "애니": "anime",
    "애니메이션": "anime", "일러스트": "illustration", "그림": "drawing", "실사": "photorealistic",
    "상표": "logo", "브랜드": "logo", "마크": "logo", "로고타입": "logo",
    "스티커": "sticker", "패키지": "packaging",
}  # fmt: skip


def translate(text: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The English of a list of things, Korean or English, and the words that are not known."""
    return translated(
        [part.strip() for part in re.split(r"[,\n;·/]", normalised(text)) if part.strip()], load_lexicon()
    )


def translated(things: Iterable[str], lexicon: Lexicon) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The English of these things, each once, and the words that are not known."""
    english: list[str] = []
    unknown: list[str] = []
    for thing in things:
        if not has_hangul(thing):
            english.append(" ".join(thing.split()))
            continue
        words = words_of(thing, lexicon)
        glosses = [word.entry.gloss for word in words if word.entry and word.entry.gloss]
        glosses += [
            sign for word in words if word.entry and not word.entry.gloss and (sign := _LETTERED.get(word.text))
        ]
        english += [" ".join(dict.fromkeys(glosses))] if glosses else []
        unknown += [word.text for word in words if word.kind == "unknown"]
        if not glosses and not any(word.kind == "unknown" for word in words):
            unknown.append(thing)
    return tuple(dict.fromkeys(english)), tuple(dict.fromkeys(unknown))
