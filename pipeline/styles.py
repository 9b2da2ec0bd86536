"""The styles as data: what the user names, and everything that follows from it."""

import re
import tomllib
from collections.abc import Mapping
from importlib import resources
from typing import Any, Literal, Self

from pydantic import Field, JsonValue, ValidationError, model_validator

from store.errors import SettingsInvalid, UnknownStyle
from store.manifest import Document

_OTHER_WEIGHTS = {"repo", "checkpoint"}
# what is true of one repository only
_OF_THE_REPOSITORY = {"revision", "variant", "licence"}
_NAMED = 5
_SHOWN = 80
_OF_THE_STYLE = {"aliases", "title"}
# a digit of the user's would join the weight
_WEIGHT_AT_A_PLACE = re.compile(r"\)[0-9.]*\}?\{")


class HubRepository(Document):
    """Weights on the model hub; revision None means "newest, once" until models.lock pins it."""

    repo: str = Field(pattern=r"^[\w.-]+/[\w.-]+$")
    revision: str | None = None
    variant: str | None = Field(default=None, description="Infix of the weight files, such as fp16.")
    licence: str = ""


class Style(HubRepository):
    """One style: its checkpoint, how it samples, and the words it needs around a prompt."""

    name: str
    title: str
    aliases: tuple[str, ...] = ()
    checkpoint: str | None = Field(default=None, description="A local directory or .safetensors file, instead of repo.")
    config_from: str | None = Field(default=None, description="Directory that describes a single-file checkpoint.")
    dialect: Literal["natural", "danbooru"] = Field(description="Whole phrases, or tags that begin with the people.")
    native_size: int = Field(ge=64, le=4096, multiple_of=8)
    scheduler: str = Field(pattern=r"^\w+Scheduler$", description="A class of diffusers.")
    scheduler_options: dict[str, JsonValue] = Field(default={})
    steps: int = Field(ge=1, le=150)
    guidance_scale: float = Field(ge=0, le=30)
    positive: str = Field(description="Words around {prompt}, or around the single parts of it such as {subject}.")
    negative: str = Field(description="Words around {negative}; {with_people} stands for the field of that name.")
    with_people: str = Field(default="", description="Added to the negative prompt where there are people.")

    @model_validator(mode="after")
    def _has_places_for_the_request(self) -> Self:
        if not any(place in self.positive for place in ("{prompt}", "{subject}", "{subject|")):
            raise ValueError("positive must contain {prompt} or {subject}")
        if "{negative}" not in self.negative:
            raise ValueError("negative must contain {negative}")
        negative = self.negative.replace("{with_people}", self.with_people)
        if any(_WEIGHT_AT_A_PLACE.search(template) for template in (self.positive, negative)):
            raise ValueError("leave a comma or a blank between a bracket or a weight and the place behind it")
        return self


class Styles(Document):
    """All configured styles, with the VAE and the ControlNet they share."""

    vae: HubRepository
    controlnet: HubRepository
    styles: dict[str, Style]

    @model_validator(mode="after")
    def _answer_to_different_names(self) -> Self:
        taken = {"auto"}
        for key, style in self.styles.items():
            if key != style.name:
                raise ValueError(f"the style {key!r} calls itself {style.name!r}; leave name out")
            if twice := taken & {style.name, *style.aliases}:
                raise ValueError(f"{key}: {', '.join(sorted(twice))} already names something else")
            taken |= {style.name, *style.aliases}
        return self

    @property
    def names(self) -> frozenset[str]:
        """Every name and alias a request may use."""
        return frozenset(self.styles) | {alias for style in self.styles.values() for alias in style.aliases}

    def find(self, name: str) -> Style:
        """The style of a name or alias; raises UnknownStyle."""
        for style in self.styles.values():
            if name == style.name or name in style.aliases:
                return style
        raise UnknownStyle(f"style: found {name[:_SHOWN]!r}; allowed: {', '.join(sorted(self.names))}", field="style")


def weights_of(style: Style) -> str:
    """Equal for two styles that draw with one checkpoint; looks at no file."""
    return style.checkpoint or f"{style.repo} {style.revision} {style.variant}"


def load_styles(
    overrides: Mapping[str, Mapping[str, Any]] | None = None, *, builtin: Mapping[str, Any] | None = None
) -> Styles:
    """The styles that ship with the code, changed and extended by the user's.

    overrides maps a style's name to the fields to change; a new name may take its start from another
    style with "based_on".  builtin holds the fields that differ while the built-in checkpoints draw;
    styles that the user points at other weights keep theirs.  Raises SettingsInvalid.
    """
    document = tomllib.loads(resources.files("pipeline").joinpath("styles.toml").read_text("utf-8"))
    real: dict[str, dict[str, Any]] = document["styles"]
    styles = {name: {**fields, **(builtin or {})} for name, fields in real.items()}
    for name, changes in (overrides or {}).items():
        own_weights = changes.keys() & _OTHER_WEIGHTS
        styles[name] = _changed(real if own_weights else styles, name, dict(changes))
        real = {**real, name: styles[name] if own_weights else _changed(real, name, dict(changes))}
    try:
        named = {name: {"name": name, "title": name, **fields} for name, fields in styles.items()}
        return Styles.model_validate({**document, "styles": named})
    except ValidationError as error:
        faults = [
            f"{'.'.join(str(part) for part in fault['loc'])}: {fault['msg']}"
            for fault in error.errors(include_url=False)
        ]
        raise SettingsInvalid(
            f"the styles cannot be used: {'; '.join(faults[:_NAMED])}; a new style may start from one with based_on",
            field="styles",
        ) from error


def _changed(known: Mapping[str, dict[str, Any]], name: str, changes: dict[str, Any]) -> dict[str, Any]:
    origin = changes.pop("based_on", name)
    if origin not in known and origin != name:
        raise SettingsInvalid(
            f"styles.{name}.based_on: found {origin!r}; allowed: {', '.join(sorted(known))}",
            field=f"styles.{name}.based_on",
        )
    not_passed_on = set() if origin == name else _OF_THE_STYLE
    if changes.keys() & _OTHER_WEIGHTS:
        not_passed_on = not_passed_on | _OF_THE_REPOSITORY
    base = {field: value for field, value in known.get(origin, {}).items() if field not in not_passed_on}
    return {**base, **changes}
