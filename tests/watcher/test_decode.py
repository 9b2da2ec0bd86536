import codecs
import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from store.errors import (
    BadNumber,
    BadText,
    DuplicateKey,
    MalformedJson,
    NotAnObject,
    NotUtf8,
    RequestRejected,
    RequestTooLarge,
    TooDeep,
)
from watcher.decode import MAX_BYTES, decode

REQUEST = '{"prompt": "비 오는 날의 고양이", "metadata": {"a": [1, 2.5, null, true]}}'


def test_a_plain_request_is_read() -> None:
    assert decode(REQUEST.encode()) == json.loads(REQUEST)


def test_a_byte_order_mark_is_accepted() -> None:
    assert decode(codecs.BOM_UTF8 + REQUEST.encode()) == json.loads(REQUEST)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-32", "cp949"])
def test_other_encodings_are_refused_with_the_advice_to_save_as_utf8(encoding: str) -> None:
    with pytest.raises(NotUtf8, match="UTF-8"):
        decode(REQUEST.encode(encoding))


def test_the_usual_korean_encoding_is_named() -> None:
    with pytest.raises(NotUtf8, match="CP949"):
        decode(REQUEST.encode("cp949"))


@given(st.integers(min_value=0, max_value=len(REQUEST.encode()) - 1))
def test_every_beginning_of_a_request_may_still_be_completed(length: int) -> None:
    with pytest.raises(MalformedJson):
        decode(REQUEST.encode()[:length])


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        ('{"a": 1, "a": 2}', DuplicateKey),
        ('{"a": {"b": 1, "b": 2}}', DuplicateKey),
        ('{"a": NaN}', BadNumber),
        ('{"a": -Infinity}', BadNumber),
        ('{"a": 1e999}', BadNumber),
        ('{"a": ' + "9" * 5000 + "}", BadNumber),
        ('{"a": "\\ud800"}', BadText),
        ('{"\\udc00": 1}', BadText),
        ("[" * 100_000, TooDeep),
        ('{"a": ' * 40 + "1" + "}" * 40, TooDeep),
        ("[]", NotAnObject),
        ('"text"', NotAnObject),
        ("null", NotAnObject),
        ('{"a": "' + "x" * MAX_BYTES + '"}', RequestTooLarge),
    ],
)
def test_what_more_bytes_cannot_mend_is_refused_by_name(content: str, kind: type[RequestRejected]) -> None:
    with pytest.raises(kind):
        decode(content.encode())


def test_brackets_inside_texts_do_not_count_as_depth() -> None:
    text = '\\"' + "[{" * 200
    assert decode(f'{{"prompt": "{text}"}}'.encode())


def test_a_syntax_error_names_line_and_column() -> None:
    with pytest.raises(MalformedJson, match="line 2, column 3"):
        decode(b'{"prompt": "a",\n  x}')


@given(st.binary(max_size=200))
def test_any_bytes_give_an_object_or_a_rejection(content: bytes) -> None:
    with contextlib.suppress(RequestRejected):
        assert isinstance(decode(content), dict)


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"])
def test_wide_encodings_are_named_without_their_mark_even_if_all_is_ascii(encoding: str) -> None:
    with pytest.raises(NotUtf8, match="UTF-16 or UTF-32"):
        decode('{"prompt": "cat"}'.encode(encoding))


@pytest.mark.parametrize("written", [0, 1, 2, 10])
def test_a_file_whose_length_was_given_in_advance_may_still_be_completed(written: int) -> None:
    with pytest.raises(MalformedJson):
        decode(b'{"prompt": "cat"}'[:written] + bytes(100))
