"""What a user's or a model's words must look like before they stand in a prompt."""

import re
import unicodedata
from collections.abc import Iterable

_ALLOWED = re.compile(r"[^A-Za-z0-9 ,.'/&-]+")
_HYPHENS = re.compile(r"-{2,}|(?<![A-Za-z0-9])-|-(?![A-Za-z0-9])")
_LOOSE_MARKS = re.compile(r"(?<![A-Za-z0-9])[.'/&]+(?![A-Za-z0-9])|\s+(?=[.,'])|(?<=[.'/&,])(?=[.'/&,])")
_EMPTY = re.compile(r"\s*,(?:\s*,)+\s*")
# nouns that make the models paint lettering; what is left of a phrase stays
_SUMMONING = re.compile(
    r"\b(?:(?:a|an|the) )?(?:posters?|flyers?|flier|leaflets?|brochures?|pamphlets?|(?:web )?banners?"
    r"|billboards?|placards?"
    r"|menu ?boards?|menus?|price lists?|sign ?boards?|signage|(?:shop |store |street |neon )?signs?|name"
    r" ?tags?|name ?plates?"
    r"|logos?|logotypes?|brand names?|labels?|labell?ed|packaging|package designs?"
    r"|magazines?(?: covers?)?"
    r"|newspapers?|book covers?|album covers?|covers?|typograph(?:y|ic)|calligraph(?:y|ic)|fonts?|infographics?"
    r"|tickets?|coupons?"
    r"|calendars?|certificates?|diplomas?|business cards?|name cards?|post ?cards?|greeting cards?"
    r"|invitations?(?: cards?)?"
    r"|advertisements?|advertising|adverts?|ads?|commercials?|captions?|subtitles?|headlines?|slogans?|titles?"
    r"|taglines?"
    r"|text|texts|letters|lettering|words?|written|quotes?|alphabets?|numbers?|digits?|watermarks?|signatures?"
    r"|sales?|discounts?|promotions?"
    r"|speech bubbles?|word balloons?|screenshots?|user interfaces?|ui|gui|web ?pages?|websites?|thumbnails?|qr"
    r" codes?|barcodes?"
    r"|price tags?|comic (?:strips?|pages?|panels?)|manga (?:pages?|panels?))\b",
    re.IGNORECASE,
)


def fragment(text: str) -> str:
    """The text with nothing in it that a prompt weighs, groups or escapes by; accents fall, other letters go."""
    plain = "".join(
        character for character in unicodedata.normalize("NFKD", text) if not unicodedata.combining(character)
    )
    allowed = _HYPHENS.sub(" ", _ALLOWED.sub(" ", plain))
    return " ".join(_LOOSE_MARKS.sub("", " ".join(allowed.split())).split()).strip(" ,.-/&'")


def without_lettering(text: str) -> str:
    """The fragment without the nouns that summon lettering."""
    return " ".join(_SUMMONING.sub(" ", text).split()).strip(" ,.-/&'")


def terms(text: str) -> list[str]:
    """The parts between the commas, empty ones left out."""
    return [part for part in (piece.strip() for piece in text.split(",")) if part]


def once(parts: Iterable[str], known: Iterable[str] = ()) -> list[str]:
    """The parts in their order, each once, and none that is known already; capital letters do not matter."""
    seen = {part.casefold() for part in known}
    kept = []
    for part in parts:
        if part.casefold() not in seen:
            seen.add(part.casefold())
            kept.append(part)
    return kept


def tidy(text: str) -> str:
    """The text without commas between which nothing stands."""
    return _EMPTY.sub(", ", text).strip(" ,")
