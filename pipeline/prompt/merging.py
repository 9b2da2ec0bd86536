"""Joins what a language model read with what the rules read."""

from dataclasses import replace

from pipeline.prompt.keywords import Keywords


def merged(model: Keywords, rules: Keywords) -> Keywords:
    """The model's keywords, except where the user's own words leave nothing to interpret.

    A model is better at what a picture shows.  But it may overlook, or be talked out of, what a user
    said outright; so what the rules find by fixed wording always holds: lettering (it must never reach a
    prompt), exclusions, room for lettering, a style or an aspect ratio that was named, and that there be no
    people.  Unknown words are the model's: what it translated is not unknown.
    """
    style = rules if rules.style_explicit else model
    no_people = rules.people == "none" or model.people == "unspecified"
    return replace(
        model,
        people=rules.people if no_people else model.people,
        purpose=model.purpose or rules.purpose,
        style=style.style,
        style_explicit=style.style_explicit,
        style_confidence=style.style_confidence,
        aspect_ratio=rules.aspect_ratio or model.aspect_ratio,
        copy_space=rules.copy_space,
        exclusions=_joined(rules.exclusions, model.exclusions),
        overlay_texts=_joined(rules.overlay_texts, model.overlay_texts),
    )


def _joined(first: tuple[str, ...], second: tuple[str, ...]) -> tuple[str, ...]:
    return tuple({text.lower(): text for text in (*second, *first)}.values())
