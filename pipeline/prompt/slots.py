"""The parts of a prompt as a template names them, each a list of terms that may be shortened."""

from dataclasses import dataclass

from pipeline.prompt.cast import Cast
from pipeline.prompt.keywords import CopySpace, Keywords, People
from pipeline.prompt.manners import contradicts
from pipeline.prompt.persons import naming_persons
from pipeline.prompt.tags import in_tags, people_tag
from pipeline.prompt.words import fragment, once, terms, without_lettering
from pipeline.request import Purpose
from pipeline.sizes import BUCKETS, PURPOSES
from pipeline.styles import Style

# in the order in which {prompt} has them
NAMES = (
    "people_tag", "subject", "attributes", "action", "setting", "time_season", "lighting", "mood", "palette", "shot",
    "copy_space",
)  # fmt: skip
# the least important first: where a prompt is too long, these lose their last term
_EXPENDABLE = ("palette", "mood", "shot", "attributes", "lighting", "time_season", "copy_space", "setting", "action")
_WITH_LETTERING: frozenset[Purpose] = frozenset(("poster", "banner", "menu", "event", "thumbnail"))
_SPACES: dict[CopySpace, str] = {
    "top": "at the top", "bottom": "at the bottom", "left": "on the left side", "right": "on the right side",
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Slots:
    """Terms by slot, and who is in the picture."""

    terms: dict[str, tuple[str, ...]]
    people: People

    def shortened(self) -> tuple["Slots", str] | None:
        """The slots without their least important term, and that term; None where only the subject is left."""
        for name in (*_EXPENDABLE, "subject"):
            found = self.terms[name]
            if len(found) > (name == "subject"):
                return self._with(name, found[:-1]), found[-1]
        words = self.terms["subject"][0].split() if self.terms["subject"] else []
        if len(words) > 1:
            return self._with("subject", (" ".join(words[:-1]),)), words[-1]
        if words and len(words[0]) > 1:
            # one endless word
            half = len(words[0]) // 2
            return self._with("subject", (words[0][:half],)), words[0][half:]
        return None

    def _with(self, name: str, found: tuple[str, ...]) -> "Slots":
        return Slots(terms={**self.terms, name: found}, people=self.people)


def slots_of(keywords: Keywords, purpose: Purpose | None, style: Style) -> Slots:
    """The keywords in the style's dialect: clean, each term once, nothing in them that summons lettering."""
    cast = Cast.of(keywords.persons or naming_persons((keywords.subject, keywords.action)), keywords.people)
    said = {
        "subject": [keywords.subject],
        "attributes": keywords.attributes,
        "action": [keywords.action],
        "setting": [keywords.setting],
        "time_season": [keywords.time_season],
        "lighting": [keywords.lighting],
        "mood": keywords.mood,
        "palette": keywords.palette,
        "shot": [keywords.shot],
    }
    tags = style.dialect == "danbooru"
    found: dict[str, tuple[str, ...]] = {"people_tag": (people_tag(keywords, cast),) if tags else ()}
    known: list[str] = terms(found["people_tag"][0]) if tags else []
    for name, parts in said.items():
        clean = [without_lettering(term) for part in parts for term in terms(fragment(part))]
        fitting = [term for term in clean if term and not contradicts(term, style)]
        kept = once([in_tags(term) if tags else term for term in fitting], known)
        known += kept
        found[name] = tuple(kept)
    space = _copy_space(keywords, purpose)
    found["copy_space"] = (space,) if space else ()
    return Slots(terms=found, people="none" if keywords.people == "none" else cast.people)


def _copy_space(keywords: Keywords, purpose: Purpose | None) -> str:
    wanted = keywords.copy_space != "none" or keywords.overlay_texts or purpose in _WITH_LETTERING
    if not wanted:
        return ""
    if keywords.copy_space in _SPACES:
        return f"empty negative space {_SPACES[keywords.copy_space]}"
    width, height = BUCKETS[keywords.aspect_ratio or (PURPOSES[purpose] if purpose else "1:1")]
    return f"empty negative space {_SPACES['left' if width > height else 'top']}"
