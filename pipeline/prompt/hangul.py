"""Hangul syllables and the letters they are made of (Unicode standard, section 3.12)."""

_FIRST, _LAST = 0xAC00, 0xD7A3
_VOWELS = "ㅏㅐㅑㅒㅓㅔㅕㅖㅗㅘㅙㅚㅛㅜㅝㅞㅟㅠㅡㅢㅣ"
_FINALS = ("", *"ㄱㄲㄳㄴㄵㄶㄷㄹㄺㄻㄼㄽㄾㄿㅀㅁㅂㅄㅅㅆㅇㅈㅊㅋㅌㅍㅎ")


def is_hangul(character: str) -> bool:
    """Whether this is a whole syllable."""
    return _FIRST <= ord(character) <= _LAST


def has_hangul(text: str) -> bool:
    """Whether any character is a syllable or a single letter of Hangul."""
    return any(is_hangul(character) or "ㄱ" <= character <= "ㆎ" for character in text)


def vowel(syllable: str) -> str:
    """The vowel of a syllable, "" of anything else."""
    return _VOWELS[(ord(syllable) - _FIRST) // 28 % 21] if is_hangul(syllable) else ""


def final(syllable: str) -> str:
    """The final consonant of a syllable, "" where it has none."""
    return _FINALS[(ord(syllable) - _FIRST) % 28] if is_hangul(syllable) else ""


def with_final(syllable: str, consonant: str) -> str:
    """The syllable with this final consonant, or with none."""
    code = ord(syllable)
    return chr(code - (code - _FIRST) % 28 + _FINALS.index(consonant))


def with_vowel(syllable: str, new: str) -> str:
    """The syllable with this vowel and no final consonant."""
    initial = (ord(syllable) - _FIRST) // 588
    return chr(_FIRST + initial * 588 + _VOWELS.index(new) * 28)
