"""The rules, one by one: words, stems, counts, lettering, exclusions, shape, style, people."""

import re

import pytest

from pipeline.prompt.clauses import normalised
from pipeline.prompt.keywords import MAX_SUBJECT, Keywords
from pipeline.prompt.korean import KoreanExtractor
from pipeline.prompt.lexicon import load_lexicon
from pipeline.prompt.stems import bases
from pipeline.prompt.words import fragment, without_lettering


def read(prompt: str, user_input: str = "") -> Keywords:
    return KoreanExtractor()(prompt, user_input)


def test_the_lexicon_holds_over_twelve_hundred_words_for_pictures() -> None:
    readings = [reading for found in load_lexicon().surfaces.values() for reading in found]
    concepts = [entry for entry, base in readings if entry.gloss and base is None]
    assert len(concepts) >= 1200


def test_the_lexicon_says_everything_in_plain_english() -> None:
    glosses = {entry.gloss for found in load_lexicon().surfaces.values() for entry, _ in found}
    assert [gloss for gloss in glosses if fragment(gloss) != gloss] == []
    assert [gloss for gloss in glosses if gloss and not without_lettering(gloss)] == []


@pytest.mark.parametrize(
    ("form", "surfaces"),
    [
        ("예쁘다", ["예쁜", "예쁘", "예뻐"]),
        ("귀엽다", ["귀여운", "귀여우", "귀여워", "귀엽"]),
        ("빨갛다", ["빨간", "빨개", "빨갛"]),
        ("하얗다", ["하얀", "하얘"]),
        ("먹다", ["먹은", "먹", "먹어", "먹을", "먹었"]),
        ("만들다", ["만든", "만들", "만드", "만들어"]),
        ("굽다", ["구운", "구워"]),
        ("입다", ["입은", "입어"]),
        ("흐르다", ["흐른", "흘러", "흐르"]),
        ("따르다", ["따른", "따라"]),
        ("짓다", ["지은", "지어"]),
        ("웃다", ["웃은", "웃어"]),
        ("걷다", ["걸은", "걸어", "걷"]),
        ("마시다", ["마신", "마셔", "마시"]),
        ("깔끔하다", ["깔끔한", "깔끔해", "깔끔히", "깔끔"]),
        ("놓이다", ["놓인", "놓여"]),
    ],
)
def test_a_dictionary_form_gives_its_surfaces(form: str, surfaces: list[str]) -> None:
    assert set(surfaces) <= {surface for surface, _ in bases(form)}


@pytest.mark.parametrize(
    "prompt", ["앉아 있는 고양이", "앉아있는 고양이", "앉은 고양이", "고양이가 앉아 있다", "앉아서 쉬는 고양이"]
)
def test_every_form_of_a_verb_says_the_same(prompt: str) -> None:
    assert "sitting" in read(prompt).action
    assert read(prompt).subject == "cat"


@pytest.mark.parametrize(
    "prompt", ["귀여운 고양이", "고양이를 귀엽게", "귀엽고 작은 고양이", "고양이가 귀여웠으면 좋겠어요"]
)
def test_every_form_of_an_adjective_says_the_same(prompt: str) -> None:
    keywords = read(prompt)
    assert "cute" in " ".join((keywords.subject, *keywords.mood))


@pytest.mark.parametrize("prompt", ["딸기 케이크", "딸기케이크", "딸기 케이크를", "딸기케이크입니다", "딸기 케익"])
def test_a_compound_may_be_written_with_a_space_or_without(prompt: str) -> None:
    assert read(prompt).subject == "strawberry cake"


@pytest.mark.parametrize(
    ("prompt", "subject"),
    [
        ("고양이 두 마리", "two cats"),
        ("고양이 세마리", "three cats"),
        ("두 마리의 고양이", "two cats"),
        ("커피 3잔", "three cups of coffee"),
        ("와인 두 잔", "two glasses of wine"),
        ("커피 한 잔", "a cup of coffee"),
        ("치즈 케이크 한 조각", "a slice of cheesecake"),
        ("튤립 다섯 송이", "five tulips"),
        ("아기 두 명", "two babies"),
        ("고양이 한 마리", "cat"),
    ],
)
def test_things_are_counted(prompt: str, subject: str) -> None:
    assert read(prompt).subject == subject


@pytest.mark.parametrize(
    "prompt", ["눈이 큰 소녀", "눈을 감은 소녀", "바다가 보이는 방", "썸네일 만들어줘", "가지런히 놓인 컵", "아로마 향"]
)
def test_words_that_only_look_like_others_are_not_taken_for_them(prompt: str) -> None:
    keywords = read(prompt)
    said = " ".join((keywords.subject, *keywords.attributes, keywords.setting, keywords.time_season, keywords.action))
    assert not set(re.findall(r"\w+", said)) & {"snow", "snowing", "seeing", "nails", "branches", "Italy"}


@pytest.mark.parametrize(
    ("prompt", "found"), [("눈 내리는 골목", "snowing"), ("밤에 걷는 여자", "night"), ("군밤", "roasted chestnuts")]
)
def test_words_with_two_meanings_are_known_by_their_neighbours(prompt: str, found: str) -> None:
    keywords = read(prompt)
    assert found in (keywords.subject, keywords.time_season)


@pytest.mark.parametrize(
    ("prompt", "found", "other"),
    [
        ("밤을 굽고 있는 할아버지", "chestnuts", "night"),
        ("고요한 밤 도시", "night", "chestnuts"),
        ("호수 위 배에 앉은 남자", "boat", "pear"),
        ("과즙이 흐르는 달콤한 배", "pear", "boat"),
        ("배를 쓰다듬는 임산부", "belly", "boat"),
        ("따뜻한 차를 마시는 여자, 찻잔", "tea", "car"),
        ("도로를 달리는 차", "car", "tea"),
        ("샐러드 볼과 포크", "bowl", "cheeks"),
        ("볼이 통통한 아기", "cheeks", "bowl"),
        ("나뭇가지에 앉은 새 한 마리", "bird", "new"),
        ("요가 매트 세 개, 라벤더색 매트", "mats", "matte"),
        ("용 한 마리가 나는 하늘", "dragon", "for"),
        ("픽셀아트로 그린 편의점", "convenience store", "green"),
        ("그린 톤의 거실", "green", "drawn"),
    ],
)
def test_what_a_word_means_is_told_by_the_rest_of_the_request(prompt: str, found: str, other: str) -> None:
    keywords = read(prompt)
    slots = (keywords.subject, *keywords.attributes, *keywords.palette, keywords.setting, keywords.action)
    said = " ".join((*slots, keywords.time_season)).lower()
    assert found in said
    assert other not in said.split()


@pytest.mark.parametrize(
    ("prompt", "phrase"),
    [
        ("빨간 우산 쓴 여자", "holding a red umbrella"),
        ("산타 모자 쓴 강아지", "wearing santa hat"),
        ("안전모 쓴 남자", "wearing safety helmet"),
        ("쿠키 굽는 주방", "baking cookies"),
        ("구운 아스파라거스", "roasted asparagus"),
        ("갓 구운 빵", "freshly baked bread"),
        ("검은 드레스의 마녀", "witch in a black gown"),
        ("교복 학생 두 명", "two students in a school uniform"),
        ("고래 모양으로 빛나는 드론", "whale-shaped"),
        ("버섯 모양 무드등", "mushroom-shaped"),
        ("산처럼 쌓인 치킨", "like a mountain"),
        ("숯불 그릴에 올린 삼겹살", "on a charcoal fire grill"),
        ("네온 도로를 달리는 전기차", "driving"),
        ("비행기를 바라보는 부부", "looking at airplane"),
        ("남자 제빵사 둘", "two male bakers"),
        ("감성 사진 같은 카페", "atmospheric"),
        ("크림색 배경으로 케이크", "cream-colored background"),
        ("말린 고추", "dried chili pepper"),
        ("고추 말리는 할머니", "drying chili pepper"),
    ],
)
def test_sayings_become_phrases_that_read_well(prompt: str, phrase: str) -> None:
    keywords = read(prompt)
    said = ", ".join((keywords.subject, *keywords.attributes, *keywords.mood, keywords.setting, keywords.action))
    assert phrase in said


@pytest.mark.parametrize(
    ("text", "longest"),
    [
        ("가" * 20_000, 200),
        ("a" * 20_000, 200),
        ("딸기" + " " * 20_000 + "라떼", 5),
        ("딸기" + "\n" * 20_000 + "라떼", 5),
    ],
    ids=["Hangul", "Latin", "spaces", "lines"],
)
def test_no_text_has_endless_words_or_gaps(text: str, longest: int) -> None:
    assert len(normalised(text)) <= longest


@pytest.mark.parametrize(
    ("prompt", "style"),
    [
        ("만화책 읽는 아이", "unspecified"), ("그림을 들고 있는 아이", "unspecified"), ("만화책 표지 느낌", "anime"),
        ("그림 그리는 소녀 일러스트", "illustration"), ("동화책 읽어주는 엄마 사진", "realistic"),
        ("동화책 같은 숲", "illustration"),
    ],
)  # fmt: skip
def test_a_book_somebody_reads_is_no_style(prompt: str, style: str) -> None:
    assert read(prompt).style == style


def test_each_thing_said_lies_in_its_slot() -> None:
    keywords = read("겨울 카페 창가에서 커피를 마시는 여자, 따뜻한 조명, 아늑한 분위기, 베이지 톤, 클로즈업")
    assert (keywords.subject, keywords.action) == ("woman", "drinking coffee")
    assert (keywords.time_season, keywords.lighting, keywords.shot) == ("winter", "soft warm lighting", "close-up shot")
    assert (keywords.mood, keywords.palette) == (("cozy",), ("beige",))
    assert "cafe" in keywords.setting


def test_where_a_thing_lies_is_the_setting() -> None:
    assert read("하얀 접시 위의 딸기 케이크").setting == "on a white plate"
    assert read("유리잔에 담긴 레몬에이드").setting == "in a glass cup"
    assert read("대리석 위에 놓인 향수").setting == "on marble"


@pytest.mark.parametrize("prompt", ["배경은 하얗게", "하얀 배경", "배경 흰색", "흰색 배경으로", "배경은 흰색"])
def test_a_background_has_its_colour(prompt: str) -> None:
    assert "white background" in read("향수, " + prompt).setting


@pytest.mark.parametrize(
    ("prompt", "texts"),
    [
        ("딸기 라떼, '봄 신메뉴' 문구 넣어줘", ("봄 신메뉴",)),
        ("“봄 신메뉴” 라고 적어줘", ("봄 신메뉴",)),
        ("「봄 신메뉴」 글씨", ("봄 신메뉴",)),
        ("여름 세일이라는 문구 넣어줘", ("여름 세일",)),
        ("제목은 가을 소풍으로 해주세요, 숲", ("가을 소풍",)),
        ("50% 할인 배너", ("50% 할인",)),
        ("도넛 1+1 행사", ("1+1 행사",)),
        ('a cat with the text "Hello World"', ("Hello World",)),
        ("a cat that says Good Morning", ("Good Morning",)),
        ("'힙한' 느낌의 카페", ()),
        ("문구는 나중에 넣을게요, 고양이", ()),
        ("a woman's hat in the sun's light", ()),
    ],
)
def test_lettering_is_taken_word_for_word(prompt: str, texts: tuple[str, ...]) -> None:
    assert read(prompt).overlay_texts == texts


@pytest.mark.parametrize(
    ("prompt", "exclusions"),
    [
        ("사람 없이 바다", {"people"}),
        ("글자는 넣지 마 고양이", {"text"}),
        ("고양이, 글자나 로고 없이", {"text", "logo"}),
        ("고양이, 사람이랑 글씨는 빼고", {"people", "text"}),
        ("고양이. 강아지는 안 나오게 해주세요", {"puppy"}),
        ("고양이, 워터마크는 절대 넣지 말아주세요", {"watermark"}),
        ("사람 없는 해변", {"people"}),
        ("꽃은 제외하고 화병만", {"flowers"}),
        ("화병, 꽃은 빼고요", {"flowers"}),
        ("아무도 없는 해변", {"people"}),
        ("만화 말고 사진처럼 고양이", set()),
        ("a beach without people", {"people"}),
        ("사람 한 명도 없는 해변", {"people"}),
        ("해변의 커플, 사람 얼굴은 안 보이게", {"face"}),
        ("한강 아니고 바다", set()),
        ("콜라 캔, 상표는 안 보이게", {"logo"}),
        ("a cat, no text, no logo", {"text", "logo"}),
        ("더할 나위 없이 예쁜 고양이", set()),
        ("끝없는 초원", set()),
        ("걱정 없이 웃는 아이", set()),
    ],
)
def test_what_is_not_wanted_is_understood(prompt: str, exclusions: set[str]) -> None:
    assert set(read(prompt).exclusions) == exclusions


def test_what_is_not_wanted_is_not_drawn() -> None:
    keywords = read("해변, 강아지 없이")
    assert "puppy" not in keywords.subject + keywords.setting


@pytest.mark.parametrize(
    ("prompt", "ratio"),
    [
        ("고양이 16:9", "16:9"), ("고양이 9대16", "9:16"), ("고양이 1080x1920", "9:16"), ("고양이 4:5 비율", "3:4"),
        ("정사각형 고양이", "1:1"), ("고양이 세로로", "3:4"), ("고양이 가로 사진", "4:3"), ("고양이 50% 3개", None),
        ("인스타 스토리 세로 고양이", "9:16"), ("고양이 세로 포스터", "2:3"), ("고양이", None),
        ("a cat in portrait orientation", "3:4"),
    ],
)  # fmt: skip
def test_the_shape_is_understood(prompt: str, ratio: str | None) -> None:
    assert read(prompt).aspect_ratio == ratio


@pytest.mark.parametrize(
    ("prompt", "purpose"),
    [
        ("고양이 포스터", "poster"), ("고양이 배너", "banner"), ("유튜브 썸네일", "thumbnail"),
        ("인스타 피드용 고양이", "feed"),
        ("인스타그램 스토리", "story"), ("릴스 커버", "reels"), ("메뉴판", "menu"), ("상세페이지 이미지", "product"),
        ("프로필 사진", "profile"), ("돌잔치 초대장", "event"), ("이벤트 포스터", "poster"), ("a web banner",
        "banner"), ("고양이", None),
    ],
)  # fmt: skip
def test_the_purpose_is_understood(prompt: str, purpose: str | None) -> None:
    assert read(prompt).purpose == purpose


@pytest.mark.parametrize(
    ("prompt", "people"),
    [
        ("책 읽는 여자", "one_woman"), ("달리는 청년", "one_man"), ("노는 아이", "child"), ("노는 아이들", "group"),
        ("벤치의 커플", "couple"),
        ("웃는 가족", "group"), ("여자 두 명", "group"), ("바리스타", "one_person"), ("딸기 케이크", "unspecified"),
        ("사람 없이 숲", "none"), ("a woman reading", "one_woman"), ("엄마와 아이", "group"),
    ],
)  # fmt: skip
def test_it_is_known_who_is_there(prompt: str, people: str) -> None:
    assert read(prompt).people == people


def test_english_goes_the_same_way() -> None:
    keywords = read("please draw a shiba inu reading a book, anime style, banner, no people, 16:9")
    assert keywords.subject == "a shiba inu reading a book"
    assert (keywords.style, keywords.purpose, keywords.aspect_ratio) == ("anime", "banner", "16:9")
    assert keywords.exclusions == ("people",)


def test_the_users_extra_words_are_read_by_the_same_rules() -> None:
    keywords = read("고양이", "사람 없이, 애니 느낌, '안녕' 문구")
    assert (keywords.style, keywords.exclusions, keywords.overlay_texts) == ("anime", ("people",), ("안녕",))


def test_words_nobody_knows_are_named_once_and_without_their_particles() -> None:
    assert read("뷁쉙을 든 고양이와 뷁쉙이 있는 집").unknown_words == ("뷁쉙",)


@pytest.mark.parametrize(
    "prompt",
    [
        "고양이 그려줘",
        "고양이 이미지 만들어 주세요",
        "고양이 사진 부탁드려요",
        "안녕하세요 고양이 그림 하나 필요해요",
    ],
)
def test_a_polite_request_holds_no_unknown_words(prompt: str) -> None:
    assert read(prompt).unknown_words == ()
    assert read(prompt).subject == "cat"


def test_decomposed_hangul_is_read_like_composed() -> None:
    import unicodedata

    prompt = "창가의 고양이 두 마리"
    assert read(unicodedata.normalize("NFD", prompt)) == read(prompt)


def test_a_long_list_keeps_the_subject_short_and_loses_nothing() -> None:
    keywords = read("딸기, 망고, 바나나, 수박, 사과, 포도, 복숭아, 파인애플, 블루베리, 체리, 자두, 키위, 멜론")
    assert len(keywords.subject) <= MAX_SUBJECT
    assert {"melon", "kiwi"} <= set(keywords.attributes)


@pytest.mark.parametrize(
    ("prompt", "phrase"),
    [
        ("거품 가득 욕조", "full of foam"),
        ("햇살 가득 카페", "full of sunlight"),
        ("바다가 보이는 펜션", "ocean view"),
        ("바다 보이는 카페", "ocean view"),
        ("눈 클로즈업", "eye close-up"),
        ("강아지 미용실", "pet grooming salon"),
        ("필라테스 스튜디오에서 운동하는 여자", "pilates studio"),
    ],
)
def test_what_shops_write_is_read_as_one_phrase(prompt: str, phrase: str) -> None:
    found = KoreanExtractor()(prompt, "")
    said = (found.subject, found.setting, found.shot, *found.attributes)
    assert phrase in said
    assert found.unknown_words == ()
