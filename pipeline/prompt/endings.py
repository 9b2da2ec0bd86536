"""What may follow a noun or a verb inside one eojeol: particles and endings, as patterns."""

import re
from typing import Literal

from pipeline.prompt.stems import Base

Role = Literal["none", "object", "subject", "topic", "of", "place", "with", "by", "like", "other"]

_SUFFIX = "들|님|네|용|풍|식|형|류|쯤|째|씩|짜리|급|계|만의|별|제|표|내|점"
_PARTICLE = (
    "이랑|에서는|에서의|에서도|에서|에게서|에게|에는|에도|에다가|에다|에만|엔|에선|에의|에|으로는|으로도|으로만"
    "|으로서|으로써|으로|로는|로도|로만|로서|로써|로"
    "|은|는|이가|이|가|을|를|의|께서|께|한테|와의|과의|와는|과는|와|과|랑|하고|도|만|까지의|까지|부터의|부터"
    "|처럼|같은|같이"
    "|마냥|보다는|보다|마다|이나|나|라도|이라도|든지|이든|든|조차|밖에|뿐|대로|만큼|이라는|라는|이란|란|ㄴ"
)
_COPULA = (
    "이고|고|이며|며|이면서|면서|입니다|이에요|예요|에요|이예요|이야|야|여야|이어야|인데|인데요|이었으면|였으면"
    "|이면|면|이라서|라서|이라|라|인가요"
    "|인|일|이죠|죠|이지만|지만|이니까|니까|이구요|구요|이요|요|임|이었던|였던|이다|다|이네요|네요|이었다|였다|이길|길"
)
_TAIL = re.compile(rf"(?:{_SUFFIX})*(?P<particle>{_PARTICLE})?(?:{_PARTICLE})?(?:{_COPULA})?")

_AUXILIARY = (
    "있는|있다|있고|있어|있어요|있던|있게|있을|있으면|있지|있는데|있어서|보이는|보이게|보이고|보여|싶은|싶어"
    "|싶다|싶어요"
)
_PLAIN = (
    rf"고(?:{_AUXILIARY})?|고서|고요|구요|게(?:요|끔|해줘|해주세요|만들어줘|나온|나오게|보이는)?|는|는데|는데요"
    rf"|는지|는걸|지|지만|지않은|지않게|던|던지|다|다는|다면|도록|거나|네|네요|자"
    r"|자마자|기|기도|기에|기좋은|습니다|겠습니다|겠어요|겠네요|겠다|구나|군요|잖아요|나요|느라|듯|듯이|듯한|길|세요"
)
_OPEN = (
    r"면|시면|시면서|시고|실|면은|며|면서|면서도|니|니까|려고|려는|러|시는|신|세요|십시오|므로|나|라|ㄹ|시고"
    r"|셨으면|셔도|실"
)
_LINK = (
    rf"서|서요|요|도|도록|야|야해|지는|진|져|졌|지게|지고|진다|주는|준|주고|주세요|줘|보이는|보이게|보이고|보여"
    rf"|보여요|보였으면|(?:{_AUXILIARY})"
    r"|놓은|놓고|둔|두고|먹는|먹고|가는|오는|나는|난|하는|하고"
)
_PAST = (
    r"고|던|다|다는|으면|으면좋겠어|으면좋겠어요|으면해요|어|어요|습니다|는데|는데요|지만|을|음|네요|거든요|을때|으나"
)
_NOUN = rf"(?:{_PARTICLE})?(?:{_COPULA})?"
_ENDINGS: dict[Base, re.Pattern[str]] = {
    "plain": re.compile(_PLAIN),
    "dropped": re.compile(r"는|는데|니|네|네요|시는|신|세요|실"),
    "open": re.compile(_OPEN),
    "link": re.compile(rf"(?:{_LINK})?"),
    "past": re.compile(_PAST),
    "adnominal": re.compile(r"데|데요|지|가요|듯|듯한|채|채로|걸|것|거|거로|걸로|것처럼|느낌의?"),
    "coming": re.compile(
        r"때|수|수록|것|거|거야|거에요|거예요|거라|거고|건데|겁니다|꺼|꺼에요|예정|게요|까요|래요|만한|정도로"
        r"|듯한|것같은|것같이"
    ),
    "noun": re.compile(_NOUN),
    "polite": re.compile(r"니다|니까|시다"),
    "adverb": re.compile(r""),
    "root": re.compile(r"감|감을|감이|감있게|감있는|함|스럽게|스러운"),
}
_ROLES: dict[str, Role] = {
    "을": "object", "를": "object", "이": "subject", "가": "subject", "은": "topic", "는": "topic", "의": "of",
    "와": "with", "과": "with", "랑": "with", "이랑": "with", "하고": "with", "이나": "with", "나": "with",
    "로": "by", "으로": "by", "처럼": "like", "마냥": "like", "같이": "like",
    **dict.fromkeys(("에", "에서", "에는", "에서의", "에서는", "엔", "에선", "에도", "에다", "에다가", "에의"),
    "place"),
}  # fmt: skip


def role_of_tail(tail: str) -> Role | None:
    """What the particles behind a noun make of it; None where the tail is none."""
    if not tail:
        return "none"
    match = _TAIL.fullmatch(tail)
    if match is None:
        return None
    return _ROLES.get(match["particle"] or "", "other")


def is_ending(base: Base, tail: str) -> bool:
    """Whether a verb may go on so behind a base of this kind."""
    if not tail:
        return base in ("adnominal", "link", "noun", "coming", "adverb", "root")
    return _ENDINGS[base].fullmatch(tail) is not None


def without_particle(word: str) -> str:
    """The word without the particle it most likely ends in; the word itself where nothing would be left."""
    match = re.fullmatch(rf"(.{{2,}}?)(?:{_PARTICLE})?(?:{_COPULA})?", word)
    return match[1] if match else word


def holds_adnominal(base: Base, tail: str) -> bool:
    """Whether this form stands before the noun it describes: 먹는, 먹은, 먹던, 예쁜, 예쁘고."""
    if base in ("adnominal", "coming"):
        return True
    return tail.endswith(("는", "던", "고", "며", "은", "진", "난", "둔"))
