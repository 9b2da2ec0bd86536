"""Weights in a prompt: what a template may write, and how everybody else's words stay words."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

# beyond these an embedding leaves what the checkpoint was trained on
LEAST, MOST = 0.5, 1.4
# a backslash that no mark follows stands for itself already
_MARKS = re.compile(r"[()]|\\(?=[\\()]|\Z)")
_PIECE = r"\\(?P<mark>[\\()])|\((?P<words>(?:\\[\\()]|[^()\\])*)\)(?P<weight>[0-9]+\.[0-9]+)(?!\w)"
_MARKED = re.compile(_PIECE, re.DOTALL)
_UNIT = re.compile(rf"(?:{_PIECE}|[^,])+", re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fragment:
    """Some words of a prompt, as the tokenizer reads them, and how much they count: 1 is plain."""

    text: str
    weight: float = 1.0


def escaped(text: str) -> str:
    """The text for a template's place: `fragments` reads it as these very characters, without a weight.

    To be called on every part of a prompt that no template wrote: the user's words and an extractor's.  A template
    leaves a comma or a blank between a weight and such a place, or a digit there would join the number.
    """
    return _MARKS.sub(r"\\\g<0>", text)


def literal(text: str) -> tuple[Fragment, ...]:
    """The text as it is, whatever it looks like: for prompt_mode raw."""
    return (Fragment(text=text),) if text.strip() else ()


def fragments(prompt: str) -> tuple[Fragment, ...]:
    r"""Read a prompt: "(soft light, haze)1.2" gives words a weight, as in compel; "\(", "\)" and "\\" are characters.

    All else is text: parentheses without a weight such as 1.2 behind them, "++", quotes, "(a:1.5)".  A weight is
    kept within LEAST and MOST.  Words that are blank are left out; an empty prompt has no fragments.
    """
    if "(" not in prompt and "\\" not in prompt:
        return literal(prompt)
    found: list[Fragment] = []
    start = 0
    for piece in _MARKED.finditer(prompt):
        _add(found, prompt[start : piece.start()])
        if piece["mark"]:
            _add(found, piece["mark"])
        elif (words := _unescaped(piece["words"])).strip():
            found.append(Fragment(text=words, weight=min(MOST, max(LEAST, float(piece["weight"])))))
        start = piece.end()
    _add(found, prompt[start:])
    return tuple(found) if plain(found).strip() else ()


def plain(parts: Iterable[Fragment]) -> str:
    """The words alone, without weights and marks."""
    return "".join(part.text for part in parts)


def units(prompt: str) -> list[str]:
    """The parts between the commas, empty ones left out; words that share a weight stay together."""
    return [part for part in (unit[0].strip() for unit in _UNIT.finditer(prompt)) if part]


def _add(found: list[Fragment], text: str) -> None:
    if found and text and found[-1].weight == 1:
        found[-1] = Fragment(text=found[-1].text + text)
    elif text:
        found.append(Fragment(text=text))


def _unescaped(words: str) -> str:
    return re.sub(r"\\([\\()])", r"\1", words)
