"""JSON that has broken parsers: what each file must come to, by the code of its manifest.

The classes are those of Nicolas Seriot's "Parsing JSON is a minefield" (2016), as requests.
"""

import codecs
import json
from dataclasses import dataclass

DRAWN = "drawn"
_PROMPT = '"prompt": "고양이", "width": 64, "height": 64, "steps": 1'
_LIMIT = 256 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Torture:
    """The bytes of a request file and the code it is rejected with, or DRAWN."""

    content: bytes
    ends: str


def _with(value: str, ends: str) -> Torture:
    """A valid request whose metadata hold this text of JSON."""
    return Torture(content=f'{{{_PROMPT}, "metadata": {{"x": {value}}}}}'.encode(), ends=ends)


def _plain(content: bytes | str, ends: str) -> Torture:
    return Torture(content=content.encode() if isinstance(content, str) else content, ends=ends)


_REQUEST = f"{{{_PROMPT}}}"

ACCEPTED = {
    "plain": _plain(_REQUEST, DRAWN),
    "byte order mark": _plain(codecs.BOM_UTF8 + _REQUEST.encode(), DRAWN),
    "white space around": _plain(f"\r\n\t {_REQUEST} \t\r\n", DRAWN),
    "minus zero": _with("-0", DRAWN),
    "minus zero point zero": _with("-0.0", DRAWN),
    "tiny": _with("123.456e-789", DRAWN),
    "tiny with a huge exponent": _with("1e-" + "9" * 4000, DRAWN),
    "nineteen digits": _with("9223372036854775807", DRAWN),
    "long fraction": _with("0." + "1" * 9000, DRAWN),
    "surrogate pair": _with(r'"\ud83d\ude00"', DRAWN),
    "escaped NUL": _with(r'"a\u0000b"', DRAWN),
    "all escapes": _with(r'"\"\\\/\b\f\n\r\t"', DRAWN),
    "not a character": _with(r'"\uffff\ufdd0"', DRAWN),
    "separators of lines": _with('"\u2028\u2029\x7f"', DRAWN),
    "keys that differ by normalisation": _with('{"\u00e9": 1, "e\u0301": 2}', DRAWN),
    "empty key": _with('{"": 0}', DRAWN),
    "key of the prototype": _with('{"__proto__": {"a": 1}}', DRAWN),
    "30 levels": _with("[" * 29 + "]" * 29, DRAWN),
}

BROKEN_SYNTAX = {
    "trailing comma": "{%s,}",
    "trailing comma in a list": '{%s, "metadata": {"x": [1,]}}',
    "double comma": '{%s,, "seed": 1}',
    "leading comma": "{,%s}",
    "missing colon": '{%s, "seed" 1}',
    "semicolon for a colon": '{%s, "seed"; 1}',
    "single quotes": "{%s, 'seed': 1}",
    "bare key": "{%s, seed: 1}",
    "number as key": "{%s, 1: 1}",
    "line comment": "{%s // one\n}",
    "block comment": "{%s /* one */}",
    "hash comment": "# one\n{%s}",
    "leading zero": '{%s, "seed": 01}',
    "plus": '{%s, "seed": +1}',
    "hex": '{%s, "seed": 0x1}',
    "point without digits": '{%s, "strength": 1.}',
    "digits without point": '{%s, "strength": .5}',
    "exponent without digits": '{%s, "strength": 1e}',
    "two minuses": '{%s, "seed": --1}',
    "full-width digit": '{%s, "seed": \uff11}',
    "capital true": '{%s, "metadata": {"x": True}}',
    "undefined": '{%s, "metadata": {"x": undefined}}',
    "nan in small letters": '{%s, "metadata": {"x": nan}}',
    "raw newline in a text": '{%s, "user_input": "a\nb"}',
    "raw tab in a text": '{%s, "user_input": "a\tb"}',
    "raw NUL in a text": '{%s, "user_input": "a\0b"}',
    "bad escape": r'{%s, "user_input": "\x41"}',
    "half an escape": r'{%s, "user_input": "\u12"}',
    "two objects": "{%s}{}",
    "a closing brace too many": "{%s}}",
    "unclosed": "{%s",
    "unclosed text": '{%s, "user_input": "a',
    "mark twice": "\ufeff{%s}",
    "no-break space": "{\u00a0%s}",
    "form feed": "{\f%s}",
    "zeros after the end": "{%s}\0\0\0\0",
}

REJECTED = {
    **{name: _plain(text % _PROMPT, "malformed_json") for name, text in BROKEN_SYNTAX.items() if "mark" not in name},
    "mark twice": _plain(codecs.BOM_UTF8 * 2 + _REQUEST.encode(), "malformed_json"),
    "nothing": _plain("", "malformed_json"),
    "only white space": _plain(" \n", "malformed_json"),
    "only a mark": _plain(codecs.BOM_UTF8, "malformed_json"),
    "only zeros": _plain(bytes(1000), "malformed_json"),
    "one brace": _plain("{", "malformed_json"),
    "a text without its end": _plain('"', "malformed_json"),
    "a list": _plain("[]", "not_an_object"),
    "a text": _plain('"고양이"', "not_an_object"),
    "a number": _plain("1", "not_an_object"),
    "a null": _plain("null", "not_an_object"),
    "empty object": _plain("{}", "invalid_field"),
    "NaN": _with("NaN", "bad_number"),
    "Infinity": _with("-Infinity", "bad_number"),
    "1E400": _with("1E400", "bad_number"),
    "1e999999": _with("1e999999", "bad_number"),
    "exponent of 4000 digits": _with("1e" + "9" * 4000, "bad_number"),
    "twenty digits": _with("1" * 20, "bad_number"),
    "200000 digits": _with("1" * 200_000, "bad_number"),
    "a million digits": _with("1" * 1_000_000, "request_too_large"),
    "first half of a pair": _with(r'"\ud800"', "bad_text"),
    "second half of a pair": _with(r'"\udfaa"', "bad_text"),
    "pair the wrong way round": _with(r'"\udc00\ud800"', "bad_text"),
    "half a pair as key": _with(r'{"\udfaa": 0}', "bad_text"),
    "half a pair as field": _plain(rf'{{{_PROMPT}, "\udfaa": 0}}', "bad_text"),
    "duplicate": _plain(f'{{{_PROMPT}, "prompt": "개"}}', "duplicate_key"),
    "duplicate by an escape": _plain(rf'{{{_PROMPT}, "\u0070rompt": "개"}}', "duplicate_key"),
    "duplicate deep in metadata": _with('[{"a": {"b": 1, "b": 1}}]', "duplicate_key"),
    "100000 brackets": _plain("[" * 100_000, "too_deep"),
    "100000 objects": _plain('{"a":' * 50_000, "too_deep"),
    "33 levels": _with("[" * 31 + "]" * 31, "too_deep"),
    "too many bytes": _plain(f'{{{_PROMPT}, "user_input": "{"x" * _LIMIT}"}}', "request_too_large"),
    "long text": _plain(f'{{{_PROMPT}, "user_input": "{"x" * 200_000}"}}', "invalid_field"),
    "long key": _plain(f'{{{_PROMPT}, "{"k" * 200_000}": 1}}', "unknown_field"),
    "20000 keys": _plain(json.dumps({"prompt": "a", **{f"k{n}": 1 for n in range(20_000)}}), "unknown_field"),
    "NUL in a reference": _plain(rf'{{{_PROMPT}, "reference_image": "a\u0000.png"}}', "invalid_field"),
    "reference above": _plain(f'{{{_PROMPT}, "reference_image": "../../etc/passwd"}}', "invalid_field"),
    "reference from the root": _plain(f'{{{_PROMPT}, "reference_image": "/etc/passwd"}}', "invalid_field"),
    "reference in a folder": _plain(f'{{{_PROMPT}, "reference_image": "a/b.png"}}', "invalid_field"),
    "hidden reference": _plain(f'{{{_PROMPT}, "reference_image": ".imagegen"}}', "invalid_field"),
    "reference of 300 bytes": _plain(f'{{{_PROMPT}, "reference_image": "{"가" * 100}"}}', "invalid_field"),
    "UTF-8 cut": _plain(b'{"prompt": "\xea\xb3"}', "not_utf8"),
    "overlong slash": _plain(b'{"prompt": "\xc0\xaf"}', "not_utf8"),
    "overlong NUL": _plain(b'{"prompt": "\xe0\x80\x80"}', "not_utf8"),
    "surrogate as bytes": _plain(b'{"prompt": "\xed\xa0\x80"}', "not_utf8"),
    "beyond Unicode": _plain(b'{"prompt": "\xf4\xbf\xbf\xbf"}', "not_utf8"),
    "lonely continuation": _plain(b'{"prompt": "\x81"}', "not_utf8"),
    "Latin-1": _plain(b'{"prompt": "caf\xe9"}', "not_utf8"),
    **{
        f"{encoding}{' ASCII' if text.isascii() else ''}": _plain(text.encode(encoding), "not_utf8")
        for encoding in ("utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be")
        for text in (_REQUEST, '{"prompt": "cat"}')
    },
    "CP949": _plain(_REQUEST.encode("cp949"), "not_utf8"),
    "EUC-KR": _plain(_REQUEST.encode("euc-kr"), "not_utf8"),
}

TORTURES = {**ACCEPTED, **REJECTED}
