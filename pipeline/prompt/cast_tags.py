"""The danbooru tags for who is there: 1girl, 2boys, solo, couple, child."""

from pipeline.prompt.cast import Cast

_MOST = 5
_FEW = 4


def cast_tags(cast: Cast) -> str:
    """Counts first, then what ties or marks them; solo only where there is nobody else.

    Two or four of whom nobody said whether they are women or men are half and half, more of them mixed.
    """
    tags = [*_counts(cast)]
    if cast.couple:
        tags.append("couple")
    if cast.family:
        tags.append("family")
    tags += [tag for tag, holds in (("old woman", cast.old_woman), ("old man", cast.old_man)) if holds]
    if cast.child:
        tags.append("baby" if cast.baby else "child")
    if cast.number == 1:
        tags.append("solo")
    return ", ".join(tags)


def _counts(cast: Cast) -> list[str]:
    women, men, unsaid = cast.women, cast.men, cast.unsaid
    others: list[str] = []
    if unsaid == 1:
        others = ["1other"]
    elif unsaid is None or unsaid > _FEW or unsaid % 2:
        women = men = None
    else:
        women = None if women is None else women + unsaid // 2
        men = None if men is None else men + unsaid // 2
    return [*_counted("boy", men), *_counted("girl", women), *others]


def _counted(who: str, number: int | None) -> list[str]:
    if number is None or number > _MOST:
        return [f"multiple {who}s"]
    return [f"{number}{who}{'s' if number > 1 else ''}"] if number else []
