"""Small choices of English words, where Korean has one word for several."""

from collections.abc import Iterable

_BAKED = (
    "bread", "bun", "buns", "cake", "cakes", "cookie", "cookies", "croissant", "croissants", "pie", "bagel", "bagels",
    "scone", "scones", "baguette", "muffin", "muffins", "tart", "pretzel", "madeleines", "pastry", "waffle", "pizza",
    "biscuit", "biscuits", "ciabatta", "focaccia", "donut", "donuts", "toast", "macarons",
)  # fmt: skip


def cooked(gloss: str, food: str) -> str:
    """굽다 in English: bread is baked, the rest roasted or grilled."""
    if food.rsplit(" ", 1)[-1] not in _BAKED:
        return gloss
    return {"roasted": "baked", "grilling": "baking"}.get(gloss, gloss)


def done_to(gloss: str, thing: str) -> str:
    """The verb and its object: looking at an airplane, grilling pork belly."""
    verb = {"looking": "looking at", "gazing": "gazing at"}.get(gloss, cooked(gloss, thing))
    return f"{verb} {thing.removeprefix('grilled ')}" if verb == "grilling" else f"{verb} {thing}"


def once(parts: Iterable[str]) -> str:
    """The parts in one phrase, each word once: 딸기 생크림 딸기 케이크 needs one strawberry."""
    return " ".join(dict.fromkeys(piece for part in parts for piece in part.split(" ")))
