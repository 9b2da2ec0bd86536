"""Who is in the picture, as the phrases of a request tell it, and the tags for that."""

import pytest

from pipeline.prompt.cast import Cast
from pipeline.prompt.cast_tags import cast_tags
from pipeline.prompt.decide import decide_from
from pipeline.prompt.keywords import Keywords, People
from pipeline.prompt.korean import KoreanExtractor
from pipeline.prompt.persons import naming_persons
from pipeline.styles import load_styles
from tests.pipeline.samples import asked

STYLES = load_styles()


def tags_of(phrase: str, people: People = "unspecified") -> str:
    return cast_tags(Cast.of(naming_persons([phrase]), people))


@pytest.mark.parametrize(
    ("phrase", "tags"),
    [
        ("woman reading", "1girl, solo"),
        ("two women chatting", "2girls"),
        ("a mother and her son", "1boy, 1girl"),
        ("mother and daughter", "2girls"),
        ("grandmother with her grandchild", "1girl, 1other, old woman, child"),
        ("grandfather and granddaughter", "1boy, 1girl, old man, child"),
        ("couple on a bench", "1boy, 1girl, couple"),
        ("bride and groom", "1boy, 1girl, couple"),
        ("family of four", "2boys, 2girls, family"),
        ("a happy family", "multiple boys, multiple girls, family"),
        ("three young men and a woman", "3boys, 1girl"),
        ("a group of friends", "multiple boys, multiple girls"),
        ("two children", "1boy, 1girl, child"),
        ("children playing", "multiple boys, multiple girls, child"),
        ("a father with his baby", "1boy, 1other, baby"),
        ("twin sisters", "2girls"),
        ("three sisters", "3girls"),
        ("twin babies", "1boy, 1girl, baby"),
        ("two doctors and a nurse", "1boy, 2girls"),
        ("female barista", "1girl, solo"),
        ("barista", "1other, solo"),
        ("elderly couple", "1boy, 1girl, couple, old woman, old man"),
        ("an old man with his dog", "1boy, old man, solo"),
        ("seven women", "multiple girls"),
        ("three couples", "3boys, 3girls, couple"),
        ("a child car seat", ""),
        ("a woman's hands", ""),
    ],
)
def test_phrases_are_counted(phrase: str, tags: str) -> None:
    assert tags_of(phrase) == tags


@pytest.mark.parametrize(
    ("phrase", "people", "tags"),
    [
        ("barista", "one_woman", "1girl, solo"),
        ("student", "group", "multiple boys, multiple girls"),
        ("a walk in the park", "couple", "1boy, 1girl, couple"),
        ("a walk in the park", "child", "1other, child, solo"),
        ("two women", "one_woman", "2girls"),
        ("two women", "none", ""),
    ],
)
def test_a_models_one_word_fills_in_what_its_phrases_leave_open(phrase: str, people: People, tags: str) -> None:
    assert tags_of(phrase, people) == tags


@pytest.mark.parametrize(
    "clauses",
    [
        ("barista", "smiling woman"),
        ("young woman in her 20s", "woman"),
        ("model and woman",),
        ("woman", "woman"),
    ],
)
def test_who_is_named_again_is_counted_once(clauses: tuple[str, ...]) -> None:
    assert cast_tags(Cast.of(clauses)) == "1girl, solo"


def test_a_group_behind_those_who_were_named_is_these() -> None:
    assert cast_tags(Cast.of(["man and woman", "indie band"])) == "1boy, 1girl"


def test_two_of_one_clause_are_two() -> None:
    assert cast_tags(Cast.of(["fitness trainer and woman"])) == "1girl, 1other"


@pytest.mark.parametrize(
    ("prompt", "subject", "tags"),
    [
        ("여자 둘이 카페에서 대화하는 모습", "two women", "2girls"),
        ("두 여자가 카페에서 대화하는 모습", "two women", "2girls"),
        ("엄마와 아들이 걷는 장면", "mother and son", "1boy, 1girl"),
        ("엄마랑 딸이 쿠키 굽는 주방", "mother and daughter", "2girls"),
        ("할머니와 손주가 송편 빚는 모습", "grandmother and grandchild", "1girl, 1other, old woman, child"),
        ("4인 가족이 캠핑하는 사진", "family of four", "2boys, 2girls, family"),
        ("친구 세 명이 건배하는 모습", "three friends", "multiple boys, multiple girls"),
        ("아이들이 노는 모습", "children", "multiple boys, multiple girls, child"),
        ("신랑과 신부의 뒷모습", "groom and bride", "1boy, 1girl, couple"),
        ("소년 소녀가 마주보는 장면", "boy, girl", "1boy, 1girl"),
        ("남자 세 명과 여자 한 명", "three men and woman", "3boys, 1girl"),
        ("등산객 세 명의 실루엣", "three hikers, silhouette", "multiple boys, multiple girls"),
        ("신혼부부 실루엣", "newlywed couple silhouette", "1boy, 1girl, couple"),
        ("흰 원피스 여자", "woman in a white dress", "1girl, solo"),
        ("아기 여우", "baby fox", "no humans, animal focus"),
        ("손만 나오게, 반지 낀 손", "hand,", "hand focus"),
        ("사람 한 명도 없는 해변", "beach", "no humans, scenery"),
        ("선생님이 아이 셋에게 책 읽어주는 모습", "teacher, three children", "2boys, 2girls, child"),
        ("걸그룹 다섯 멤버가 춤추는 장면", "girl group idols, five members", "5girls"),
        ("아빠와 엄마 손을 잡은 아이", "father and mother", "1boy, 1girl, 1other, child"),
        ("60대 부부 두 쌍이 걷는 모습", "two married couples in their 60s", "2boys, 2girls, couple"),
        ("댄스 크루 여섯 명이 춤추는 장면", "dance team of six", "multiple boys, multiple girls"),
        ("손주 둘을 안은 할아버지", "grandfather, hugging two grandchildren", "2boys, 1girl, old man, child"),
        ("아기 안은 엄마", "mother, hugging baby", "1girl, 1other, baby"),
        ("아이 엄마", "mother", "1girl, solo"),
        ("마녀 분장한 엄마", "mother in a witch costume", "1girl, solo"),
    ],
)
def test_all_styles_speak_of_the_same_persons(prompt: str, subject: str, tags: str) -> None:
    keywords = KoreanExtractor()(prompt, "")
    natural, anime, semi = (
        decide_from(keywords, asked(prompt=prompt, style=style), STYLES, style).built.record.positive
        for style in ("ultra_realistic", "anime", "semi_realistic")
    )
    assert natural.startswith(f"professional photograph of {subject}")
    assert anime.startswith(f"{tags},")
    assert f"absurdres, {tags}," in semi
    assert ("solo" in anime) == tags.endswith("solo")


def test_a_model_and_the_rules_count_alike() -> None:
    model = Keywords(
        extractor="llm", subject="mother and son baking", people="group", persons=("mother and son baking",)
    )
    record = decide_from(model, asked(prompt="빵 굽기", style="anime"), STYLES, "anime").built.record
    assert record.positive.startswith("1boy, 1girl, mother and son baking")
