"""The extractor that needs nothing but the lexicon: rules for Korean, and for English along the way."""

from pipeline.prompt.aspect import take_aspect
from pipeline.prompt.cast import Cast
from pipeline.prompt.clauses import normalised, words_of
from pipeline.prompt.exclusions import take_exclusions
from pipeline.prompt.hangul import has_hangul
from pipeline.prompt.homographs import settled
from pipeline.prompt.keywords import Keywords
from pipeline.prompt.lexicon import Lexicon, load_lexicon
from pipeline.prompt.overlay import take_lettering
from pipeline.prompt.reading import RequestReading
from pipeline.prompt.signs import INTENTS, purpose_of, style_of
from pipeline.prompt.translation import translated

NAME = "rules"


class KoreanExtractor:
    """Reads what a user wrote by rules over the embedded lexicon; holds no state, so threads may share it."""

    def __call__(self, prompt: str, user_input: str) -> Keywords:
        """The keywords of both texts; the lexicon is read at the first call."""
        lexicon = load_lexicon()
        lettering = take_lettering(normalised(f"{prompt}\n{user_input}"))
        excluded = take_exclusions(lettering.rest)
        reading = RequestReading(lexicon, settled(excluded.rest))
        reading.read(take_aspect(excluded.rest, None)[1])
        purpose = purpose_of(reading.entries)
        aspect_ratio, _ = take_aspect(excluded.rest, purpose)
        style, explicit, confidence = style_of(reading.entries)
        things = [thing for thing in excluded.things if not _is_style(thing, lexicon)]
        unwanted, not_understood = translated(things, lexicon)
        subject, attributes, setting = reading.subject()
        return Keywords(
            extractor=NAME,
            intent=INTENTS.get(purpose or "other", INTENTS["other"]),
            subject=subject,
            attributes=attributes,
            setting=setting,
            action=", ".join(reading.of("action")),
            time_season=", ".join(reading.of("time_season")),
            lighting=", ".join(reading.of("lighting")),
            mood=reading.of("mood"),
            palette=reading.of("palette"),
            shot=", ".join(reading.of("shot")),
            persons=reading.persons(),
            people="none" if "people" in unwanted else Cast.of(reading.persons()).people,
            purpose=purpose,
            style=style,
            style_explicit=explicit,
            style_confidence=confidence,
            aspect_ratio=aspect_ratio,
            copy_space=lettering.space,
            exclusions=unwanted,
            overlay_texts=lettering.texts,
            unknown_words=tuple(dict.fromkeys((*reading.unknown, *not_understood))),
        )


def _is_style(thing: str, lexicon: Lexicon) -> bool:
    """만화 말고 speaks of how to draw, not of what."""
    words = words_of(thing, lexicon) if has_hangul(thing) else []
    return bool(words) and all(word.entry is not None and (word.entry.style or word.entry.hint) for word in words)
