"""What is done in a picture, and how things lie in it: 커피를 마시는, 접시에 담긴."""

import re

from pipeline.prompt.draft import Draft
from pipeline.prompt.phrases import with_article
from pipeline.prompt.wording import done_to

LYING = frozenset(("placed", "served"))
ARRANGED = {
    "topped": "topped with", "filled": "filled with", "decorated": "decorated with", "sprinkled": "sprinkled with",
    "covered": "covered with", "surrounded": "surrounded by", "full": "full of", "generous full": "full of",
}  # fmt: skip
_WITH_ITS_THING = re.compile(r"(?P<verb>\w+ing) (?P<article>an? )?(?P<thing>[a-z]+)")
# verbs that say nothing without what they are done to
_NOTHING_ALONE = frozenset(("holding", "wearing", "giving", "putting"))


def act(draft: Draft, gloss: str) -> None:
    """An action, with its object where one waits: 커피를 마시는, 책 읽는."""
    current = draft.current
    role = current.nouns[-1].role if current.nouns else None
    alone = not _WITH_ITS_THING.fullmatch(gloss)
    # 아기 안은 엄마, but 여자 웃는 얼굴
    object_ = role == "object" or (role == "none" and (not current.is_animate or gloss == "hugging"))
    if alone and object_ and current.slot == "subject":
        draft.lay("action", done_to(gloss, draft.taken()))
        return
    if described := _WITH_ITS_THING.fullmatch(gloss):
        gloss = _with_its_thing(draft, described)
    draft.flush()
    draft.loosen()
    if gloss not in _NOTHING_ALONE:
        draft.lay("action", gloss)


def settle_ride(draft: Draft) -> None:
    """달리는 runs, but for cars: 도로를 달리는 전기차."""
    actions = draft.phrases.slots.get("action", [])
    if draft.rides and actions[-1:] == ["running"]:
        actions[-1] = "driving"


def _with_its_thing(draft: Draft, verb: re.Match[str]) -> str:
    """The verb, and its thing with what describes that: 빨간 우산 쓴, 산타 모자 쓴, 위스키 잔을 부딪치는."""
    current = draft.current
    nouns = current.nouns
    describing = [gloss for gloss, _ in current.waiting]
    worn = verb["verb"] == "wearing" or not current.is_animate if nouns else False
    if nouns and nouns[-1].role == "none" and current.slot == "subject" and worn:
        describing.append(current.bare())
        nouns.clear()
    elif nouns:
        return verb[0]
    current.waiting.clear()
    if not describing:
        return verb[0]
    thing = " ".join([*describing, verb["thing"]])
    return f"{verb['verb']} {with_article(thing) if verb['article'] else thing}"


def arrange(draft: Draft, gloss: str) -> None:
    """접시에 담긴, 딸기가 올라간: where a thing lies, or what lies on it."""
    nouns = draft.current.nouns
    role = nouns[-1].role if nouns else None
    if nouns and (role == "place" or (gloss in LYING and role == "none")):
        draft.place(draft.preposition())
    elif nouns and gloss in ARRANGED and not draft.current.is_animate:
        draft.lay("attributes", f"{ARRANGED[gloss]} {draft.taken()}")
    else:
        draft.flush()
