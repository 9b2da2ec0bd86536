"""Which nodes there are: ours, and those that other packages bring."""

from collections.abc import Mapping
from importlib.metadata import entry_points
from typing import Final

from pipeline.config import DrawingConfig
from pipeline.nodes.base import BaseNode, Studio
from pipeline.nodes.controlnet import ControlNet
from pipeline.nodes.image2image import Image2Image
from pipeline.nodes.postprocessing import Postprocessing
from pipeline.nodes.preprocessing import Preprocessing
from pipeline.nodes.prompting import Prompting
from pipeline.nodes.text2image import Text2Image
from pipeline.nodes.text_guard import TextGuard
from store.errors import WorkflowBroken

_NODES: tuple[type[BaseNode], ...] = (
    Prompting,
    Preprocessing,
    ControlNet,
    Text2Image,
    Image2Image,
    TextGuard,
    Postprocessing,
)
# the entry-point group in which installed nodes are looked for
PLUGINS: Final = "imagegen.nodes"


def nodes_for(studio: Studio, config: DrawingConfig) -> Mapping[str, BaseNode]:
    """One node of each kind by its name; installed ones only where the configuration joins some in."""
    kinds = {kind.name: kind for kind in _NODES}
    if config.extra_nodes:
        kinds |= {kind.name: kind for kind in _installed()}
    return {name: kind(studio) for name, kind in kinds.items()}


def _installed() -> list[type[BaseNode]]:
    kinds = []
    for entry in entry_points(group=PLUGINS):
        kind = entry.load()
        if not (isinstance(kind, type) and issubclass(kind, BaseNode)):
            raise WorkflowBroken(f"the entry point {entry.value!r} in {PLUGINS} is not a subclass of BaseNode")
        kinds.append(kind)
    return kinds
