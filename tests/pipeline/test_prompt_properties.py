"""Whatever somebody writes, the final prompts are plain, balanced, short enough and free of lettering."""

import re

from hypothesis import example, given, settings
from hypothesis import strategies as st

from pipeline.prompt.decide import decide
from pipeline.prompt.emphasis import fragments, plain
from pipeline.prompt.korean import KoreanExtractor
from pipeline.prompt.tokens import WINDOW, count_tokens
from pipeline.styles import load_styles
from tests.pipeline.samples import asked

STYLES = load_styles()
WEIGHTED = {
    name: [part for part in fragments(style.negative) if part.weight != 1] for name, style in STYLES.styles.items()
}
PLAIN = re.compile(r"[A-Za-z0-9 ,.'/&-]*")
WORDS = (
    "고양이 딸기 케이크를 카페에서 '문구' “세일” 넣어줘 없이 빼고 사람 글자는 포스터 두 마리 3잔 세로 16:9 애니 수채화"
    " 사진 예쁜 따뜻하게 마시는 앉아 있는 위에 배경은 라는 라고 50% 1+1 (a:1.4) ++ -- ] { ' ` \\ , . ! ~ no without"
    ' text 뷁 ㅋㅋ "'
)
KOREAN = st.sampled_from(WORDS.split())
texts = st.one_of(
    st.text(max_size=300), st.lists(KOREAN, max_size=30).map(" ".join), st.lists(KOREAN, max_size=30).map("".join)
).filter(lambda text: text.strip() != "")


@given(
    prompt=texts,
    user_input=texts | st.just(""),
    negative=texts | st.just(""),
    style=st.sampled_from(sorted(STYLES.styles)),
)
@example(prompt="나" * 2000, user_input="", negative="", style="anime")
@example(prompt="a" * 2000, user_input="(" * 100, negative="b" * 2000, style="anime")
@example(prompt="글자 " * 600 + "없이", user_input="'" * 99, negative="사람," * 600, style="ultra_realistic")
@example(prompt="'a, b' 문구 넣어줘", user_input="", negative="", style="semi_realistic")
@settings(max_examples=400, deadline=None)
def test_any_words_become_a_plain_short_prompt(prompt: str, user_input: str, negative: str, style: str) -> None:
    request = asked(prompt=prompt[:2000], user_input=user_input, negative_prompt=negative[:2000], style=style)
    first, again = (decide(request, KoreanExtractor(), STYLES, style) for _ in range(2))
    record = first.built.record
    for text in (record.positive, record.negative):
        read = fragments(text)
        assert PLAIN.fullmatch(plain(read))
        assert count_tokens(plain(read)) <= WINDOW
        assert ",," not in text.replace(" ", "")
        # nothing but the template's own group is in brackets
        assert text.count("(") == text.count(")") == len([part for part in read if part.weight != 1])
    assert [part for part in fragments(record.positive) if part.weight != 1] == []
    assert [part for part in fragments(record.negative) if part.weight != 1] == WEIGHTED[style]
    assert record == again.built.record
    assert first.built.warnings == again.built.warnings


@given(
    text=st.text(alphabet="QXZJV", min_size=4, max_size=12),
    before=texts.map(lambda text: re.sub(r"[^가-힣 ]", " ", text)),
    quotes=st.sampled_from(["''", '""', "\u201c\u201d", "\u2018\u2019", "「」", "『』"]),
)
@settings(max_examples=150, deadline=None)
def test_quoted_lettering_never_reaches_a_prompt(text: str, before: str, quotes: str) -> None:
    quoted = f"{before} 고양이 {quotes[0]}{text}{quotes[1]} 문구 넣어줘"
    decided = decide(asked(prompt=quoted, style="anime"), KoreanExtractor(), STYLES, "anime")
    assert text in decided.keywords.overlay_texts
    assert text.lower() not in decided.built.record.positive.lower()
