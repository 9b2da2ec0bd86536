"""Captions as a checkpoint meets them: what the prompt system makes of a scene's words."""

import functools
import random
from collections.abc import Iterable

from pipeline.admission import admit
from pipeline.config import Limits
from pipeline.prompt.decide import decide
from pipeline.prompt.emphasis import fragments, plain
from pipeline.prompt.korean import KoreanExtractor
from pipeline.styles import load_styles

_DROPPED, _BARE = 0.1, 0.15
_MOST_WORDS = 200
_REMEMBERED = 200_000


class Captions:
    """Turns words into a positive prompt of a style, or into what guidance compares it with."""

    def __init__(self) -> None:
        self._styles = load_styles()
        self._extractor = KoreanExtractor()
        # pairs of objects come in more kinds than memory has room for
        self.built = functools.lru_cache(maxsize=_REMEMBERED)(self._built)

    def caption(self, words: str, style: str, chance: random.Random) -> str:
        """The prompt to train with: mostly built, sometimes bare, in a tenth the negative one or nothing.

        The pipeline draws against the style's negative prompt, so that has to mean "anything".
        """
        positive, negative = self.built(words, style)
        roll = chance.random()
        if roll < _DROPPED:
            return negative if roll < _DROPPED / 2 else ""
        return words if roll < _DROPPED + _BARE else positive

    def _built(self, words: str, style: str) -> tuple[str, str]:
        """Positive and negative prompt, without weights."""
        request = admit({"prompt": words[:_MOST_WORDS], "style": style}, Limits(), self._styles.names)
        record = decide(request, self._extractor, self._styles, style).built.record
        return plain(fragments(record.positive)), plain(fragments(record.negative))


def vocabulary_texts(names: Iterable[str]) -> list[str]:
    """What the prompt system makes of these words in all styles, for a vocabulary that knows the styles' own words."""
    captions = Captions()
    styles = load_styles().styles
    return [text for name in names for style in styles for text in (name, *captions.built(name, style))]
