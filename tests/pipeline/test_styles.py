"""The styles are data: three ship with the code, and users change and add to them."""

import re
from typing import Any

import diffusers
import pytest
from pydantic import ValidationError

from pipeline.prompt.emphasis import fragments, plain
from pipeline.prompt.slots import NAMES
from pipeline.styles import Style, load_styles
from store.errors import SettingsInvalid, UnknownStyle
from tests.pipeline.samples import NUMPY_IN_DIFFUSERS, plain_style

SHIPPED = load_styles()
BUILTIN = {"native_size": 256, "steps": 12}
# "(word:1.3)", "[word]", "((word))": A1111's weights, which reach CLIP as mere punctuation here
WEIGHT_SYNTAX = re.compile(r"[\w ]:\d|\(\(|\[")

every_style = pytest.mark.parametrize("style", SHIPPED.styles.values(), ids=lambda style: style.name)


def words(template: str) -> set[str]:
    return {part.strip() for part in plain(fragments(template)).split(",")}


def test_three_styles_ship_each_with_the_checkpoint_that_was_asked_for() -> None:
    assert {
        name: (style.title, style.repo, style.revision, style.variant) for name, style in SHIPPED.styles.items()
    } == {
        "ultra_realistic": (
            "Ultra Realistic",
            "SG161222/RealVisXL_V4.0",
            "49740684ab2d8f4f5dcf6c644df2b33388a8ba85",
            "fp16",
        ),
        "semi_realistic": ("Semi Realistic", "John6666/bss-equinox-il-semi-realistic-model-v25-sdxl", None, None),
        "anime": ("Anime", "cagliostrolab/animagine-xl-3.1", "cde80509086fb3a8e3cdc37d051cd3494edf1ba4", None),
    }


def test_all_styles_share_one_vae_and_one_controlnet() -> None:
    assert SHIPPED.vae.repo == "madebyollin/sdxl-vae-fp16-fix"
    assert SHIPPED.controlnet.repo == "xinsir/controlnet-canny-sdxl-1.0"


@pytest.mark.filterwarnings(NUMPY_IN_DIFFUSERS)
@every_style
def test_a_shipped_style_names_a_scheduler_of_diffusers_that_takes_its_options(style: Style) -> None:
    scheduler = getattr(diffusers, style.scheduler).from_config({}, **style.scheduler_options)
    assert {name: scheduler.config[name] for name in style.scheduler_options} == style.scheduler_options


@every_style
def test_a_shipped_style_has_a_place_for_the_words_and_no_weights_of_other_programs(style: Style) -> None:
    places = re.findall(r"\{(\w+)(?:\|[^{}]*)?\}", style.positive)
    assert len(places) == len(set(places))
    assert set(places) in ({"prompt"}, set(NAMES) - {"people_tag"})
    assert re.findall(r"\{(\w+)\}", style.negative) == ["negative", "with_people"]
    for template in (style.positive, style.negative, style.with_people):
        assert not WEIGHT_SYNTAX.search(template)


@every_style
def test_a_shipped_style_keeps_text_out_of_the_picture(style: Style) -> None:
    assert {"text", "watermark", "logo", "signature"} <= words(style.negative)


@every_style
def test_text_leads_and_weighs_more_and_nothing_else_does(style: Style) -> None:
    before = style.negative.partition("(")[0]
    assert before in ("", "nsfw, ")
    read = fragments(style.negative.removeprefix(before))
    assert (read[0].weight, read[0].text.split(", ")[0]) == (1.2, "text")
    others = (*read[1:], *fragments(style.positive), *fragments(style.with_people))
    assert all(part.weight == 1 for part in others)


@pytest.mark.parametrize(
    "fields",
    [
        {"positive": "(sharp)1.1{prompt}"},
        {"positive": "({subject}){mood}"},
        {"positive": "{lighting|(soft)1.1}{subject}"},
        {"negative": "{with_people}{negative}", "with_people": "(hands)1.1"},
    ],
)
def test_a_place_right_behind_a_weight_is_refused(fields: dict[str, str]) -> None:
    with pytest.raises(ValidationError, match="leave a comma or a blank"):
        plain_style(**fields)


@every_style
def test_a_shipped_style_says_under_which_licence_its_checkpoint_is(style: Style) -> None:
    assert style.licence


@every_style
def test_a_shipped_style_draws_at_sdxls_own_size(style: Style) -> None:
    assert style.native_size == 1024


def test_only_the_realistic_style_keeps_drawings_out() -> None:
    drawn = {"anime", "cartoon", "illustration", "painting"}
    assert drawn <= words(SHIPPED.find("realistic").negative)
    for name in ("illustration", "anime"):
        assert not drawn & words(SHIPPED.find(name).negative)


@pytest.mark.parametrize(
    ("name", "style"),
    [
        ("ultra_realistic", "ultra_realistic"),
        ("realistic", "ultra_realistic"),
        ("semi_realistic", "semi_realistic"),
        ("illustration", "semi_realistic"),
        ("anime", "anime"),
    ],
)
def test_a_style_answers_to_its_name_and_its_aliases(name: str, style: str) -> None:
    assert SHIPPED.find(name).name == style
    assert name in SHIPPED.names


@pytest.mark.parametrize("name", ["", "Anime", "auto", "plain"])
def test_a_name_nobody_answers_to_is_refused_with_those_there_are(name: str) -> None:
    with pytest.raises(UnknownStyle, match="allowed: anime, illustration, realistic, semi_realistic, ultra_realistic"):
        SHIPPED.find(name)


def test_an_override_changes_what_it_names_and_nothing_else() -> None:
    styles = load_styles({"anime": {"steps": 40, "aliases": ["manga"]}})
    expected = SHIPPED.find("anime").model_copy(update={"steps": 40, "aliases": ("manga",)})
    assert styles.find("manga") == expected
    assert styles.find("realistic") == SHIPPED.find("realistic")


def test_a_new_style_starts_from_another_but_answers_to_its_own_name_only() -> None:
    styles = load_styles({"food": {"based_on": "ultra_realistic", "steps": 40}})
    food = styles.find("food")
    assert (food.name, food.title, food.aliases) == ("food", "food", ())
    assert food == SHIPPED.find("realistic").model_copy(
        update={"name": "food", "title": "food", "aliases": (), "steps": 40}
    )
    assert styles.find("realistic").name == "ultra_realistic"


def test_a_shipped_style_may_be_based_on_another_without_taking_its_names() -> None:
    anime = load_styles({"anime": {"based_on": "ultra_realistic"}}).find("anime")
    assert (anime.title, anime.aliases, anime.repo) == ("anime", (), "SG161222/RealVisXL_V4.0")


def test_a_new_style_may_start_from_one_the_user_added_before() -> None:
    styles = load_styles(
        {"food": {"based_on": "anime", "steps": 40}, "menu": {"based_on": "food", "repo": "someone/menu"}}
    )
    assert (styles.find("menu").steps, styles.find("menu").repo) == (40, "someone/menu")


def test_a_style_based_on_an_unknown_one_is_refused_by_that_name() -> None:
    with pytest.raises(SettingsInvalid, match="found 'animee'; allowed: anime, semi_realistic, ultra_real") as caught:
        load_styles({"food": {"based_on": "animee"}})
    assert caught.value.field == "styles.food.based_on"


def test_a_new_style_from_nothing_must_say_everything() -> None:
    with pytest.raises(SettingsInvalid, match=r"styles\.food\.repo"):
        load_styles({"food": {"steps": 40}})


@pytest.mark.parametrize(
    "changes",
    [
        {"stepz": 40},
        {"steps": 0},
        {"guidance_scale": 31},
        {"native_size": 1001},
        {"scheduler": "Euler a"},
        {"dialect": "klingon"},
        {"positive": "a photo"},
        {"repo": "not a repository"},
    ],
    ids=str,
)
def test_a_change_that_makes_no_sense_is_refused_by_its_place(changes: dict[str, Any]) -> None:
    with pytest.raises(SettingsInvalid, match=rf"styles\.anime\W[\s\S]*{next(iter(changes))}") as caught:
        load_styles({"anime": changes})
    assert caught.value.field == "styles"


@pytest.mark.parametrize("changes", [{"repo": "someone/else"}, {"checkpoint": "/models/mine"}], ids=str)
def test_other_weights_drop_what_was_true_of_the_old_ones(changes: dict[str, Any]) -> None:
    style = load_styles({"ultra_realistic": changes}).find("realistic")
    assert (style.revision, style.variant, style.licence) == (None, None, "")
    assert style.title == "Ultra Realistic"


def test_other_weights_keep_what_is_said_of_them() -> None:
    changes = {"repo": "someone/else", "revision": "a" * 40, "variant": "bf16", "licence": "mit"}
    style = load_styles({"ultra_realistic": changes}).find("realistic")
    assert (style.revision, style.variant, style.licence) == ("a" * 40, "bf16", "mit")


@pytest.mark.parametrize("alias", ["realistic", "ultra_realistic", "auto"])
def test_no_two_styles_answer_to_one_name(alias: str) -> None:
    with pytest.raises(SettingsInvalid, match=f"anime: {alias} already names something else"):
        load_styles({"anime": {"aliases": [alias]}})


def test_a_style_does_not_call_itself_otherwise_than_its_heading() -> None:
    with pytest.raises(SettingsInvalid, match="'anime' calls itself 'manga'"):
        load_styles({"anime": {"name": "manga"}})


def test_what_the_builtin_checkpoints_need_changes_every_shipped_style() -> None:
    styles = load_styles(builtin=BUILTIN).styles.values()
    assert {(style.native_size, style.steps) for style in styles} == {(256, 12)}


def test_the_users_changes_outrank_what_the_builtin_checkpoints_need() -> None:
    anime = load_styles({"anime": {"steps": 3}}, builtin=BUILTIN).find("anime")
    assert (anime.native_size, anime.steps) == (256, 3)


@pytest.mark.parametrize("changes", [{"repo": "someone/else"}, {"checkpoint": "/models/mine"}], ids=str)
def test_a_style_with_other_weights_is_not_changed_for_the_builtin_checkpoints(changes: dict[str, Any]) -> None:
    styles = load_styles({"anime": changes, "food": {"based_on": "anime", **changes}}, builtin=BUILTIN)
    for name in ("anime", "food"):
        assert (styles.find(name).native_size, styles.find(name).steps) == (1024, 28)
    assert styles.find("realistic").native_size == 256


def test_a_style_based_on_one_with_other_weights_keeps_them() -> None:
    overrides = {"mine": {"based_on": "anime", "checkpoint": "/models/mine"}, "fast": {"based_on": "mine", "steps": 8}}
    fast = load_styles(overrides, builtin=BUILTIN).find("fast")
    assert (fast.checkpoint, fast.native_size, fast.steps) == ("/models/mine", 1024, 8)
