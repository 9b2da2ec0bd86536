"""Joins what a language model read with what the rules read."""

import re
from collections.abc import Iterable
from dataclasses import replace

from pipeline.prompt.keywords import Keywords
from pipeline.prompt.words import fragment, tidy


def merged(model: Keywords, rules: Keywords) -> Keywords:
    """The model's keywords, except where the user's own words leave nothing to interpret.

    A model is better at what a picture shows.  But it may overlook, or be talked out of, what a user
    said outright; so what the rules find by fixed wording always holds: lettering (it must never reach a
    prompt), exclusions, room for lettering, a style or an aspect ratio that was named, and that there be no
    people.  Unknown words are the model's: what it translated is not unknown.
    """
    style = rules if rules.style_explicit else model
    no_people = rules.people == "none" or model.people == "unspecified"
    overlay_texts = _joined(rules.overlay_texts, model.overlay_texts)
    model = _unlettered(model, overlay_texts)
    return replace(
        model,
        subject=model.subject or rules.subject,
        people=rules.people if no_people else model.people,
        purpose=model.purpose or rules.purpose,
        style=style.style,
        style_explicit=style.style_explicit,
        style_confidence=style.style_confidence,
        aspect_ratio=rules.aspect_ratio or model.aspect_ratio,
        copy_space=rules.copy_space,
        exclusions=_joined(rules.exclusions, model.exclusions),
        overlay_texts=overlay_texts,
    )


def _joined(first: tuple[str, ...], second: tuple[str, ...]) -> tuple[str, ...]:
    return tuple({text.lower(): text for text in (*second, *first)}.values())


def _unlettered(model: Keywords, overlay_texts: Iterable[str]) -> Keywords:
    """The keywords without the lettering that a model repeats among them."""
    patterns = [_pattern(text) for text in map(fragment, overlay_texts) if text and not _is_any_word(text)]
    if not patterns:
        return model
    lettering = re.compile("|".join(patterns))

    def clean(text: str) -> str:
        return tidy(" ".join(lettering.sub(" ", text).split()))

    def clean_all(texts: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(filter(None, map(clean, texts)))

    return replace(
        model,
        subject=clean(model.subject),
        attributes=clean_all(model.attributes),
        action=clean(model.action),
        setting=clean(model.setting),
        time_season=clean(model.time_season),
        lighting=clean(model.lighting),
        mood=clean_all(model.mood),
        palette=clean_all(model.palette),
        shot=clean(model.shot),
        exclusions=clean_all(model.exclusions),
    )


def _is_any_word(text: str) -> bool:
    # 'coffee' on a picture of coffee: without it there would be nothing to draw
    return text.isalpha() and text.islower()


def _pattern(text: str) -> str:
    # COFFEE is lettering where coffee is a drink; of several words each spelling is lettering
    exactly = re.escape(text)
    return rf"\b{exactly}\b" if text.isalpha() else rf"(?i:\b{exactly}\b)"
