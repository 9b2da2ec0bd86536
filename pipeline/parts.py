"""A checkpoint on disk, part by part: how each model is built, which weights it is, and how to read them."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from pipeline.blueprint import MODELS, Blueprint, read_blueprint
from pipeline.intact import broken_becomes_ours
from pipeline.single_file import read_model
from pipeline.weight_files import Tensors, tensors_in
from pipeline.weights import Located, digest_of_part, stamp_of_part

_STEMS = {"unet": "diffusion_pytorch_model", "text_encoder": "model", "text_encoder_2": "model"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One model of a checkpoint.

    identity: equal where the weights are.  read: maps them, under the names the model's library gives them.
    stamp: changes when somebody touches the files.  identify: which weights lie there now.
    """

    name: str
    what: str
    blueprint: Blueprint
    identity: str
    read: Callable[[], Tensors]
    stamp: Callable[[], object]
    identify: Callable[[], str]


def parts_of(located: Located) -> tuple[Part, ...]:
    """The models of a checkpoint in the order in which they are wanted; raises CheckpointBroken."""
    with broken_becomes_ours(located):
        return tuple(_part(located, name) for name in MODELS)


def _part(located: Located, name: str) -> Part:
    what = f"{located.record.repo}/{name}"
    described = located.config or located.path
    return Part(
        name=name,
        what=what,
        blueprint=read_blueprint(name, what, described),
        identity=_identity(located, name),
        read=partial(_read, located, name, what),
        stamp=partial(stamp_of_part, located, name),
        identify=partial(_identity, located, name),
    )


def _identity(located: Located, name: str) -> str:
    return f"{digest_of_part(located, name)} {located.variant}"


def _read(located: Located, name: str, what: str) -> Tensors:
    with broken_becomes_ours(located):
        if located.path.is_file():
            return read_model(name, located.path, located.config or located.path, what)
        return tensors_in(what, located.path / name, _STEMS[name], located.variant)
