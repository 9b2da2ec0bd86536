"""How well checkpoints draw, in figures: what a judge recognises in pictures of prompts it has never seen."""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from pipeline.builtin.networks import STYLES
from pipeline.generator import Generator
from pipeline.styles import HubRepository, Style, load_styles
from pipeline.training.edges import edges
from pipeline.training.judge import Judge
from pipeline.training.loader import as_tensor
from pipeline.training.pictograms import Pictograms
from pipeline.training.scenes import Scenes
from pipeline.training.wording import with_article
from pipeline.weights import Located, digest_of_folder
from store.manifest import WeightsRecord

# phrasings that no caption of the training has
_ALONE = ("please draw {}", "a beautiful picture of {} in the middle", "{}, nothing else, simple")
_BESIDE = ("{} next to {}", "{} together with {}")
_TOP = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """Shares from 0 to 1, and how much better edges agree with their reference than with another one.

    judge, judge_style, judge_both: what the judge makes of the data's own pictures; nothing drawn can be expected to
    reach more.  both_objects: both among the judge's first ten.  edge_ratio_alone: the same ratio with the ControlNet
    at 0, from the words alone.
    """

    judge: float
    judge_style: float
    judge_both: float
    object_in_top_5: float
    style: float
    both_objects: float
    edge_ratio: float
    edge_ratio_alone: float


class FolderWeights:
    """Checkpoints as `materialise` wrote them into a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._names = {style.repo: name for name, style in load_styles().styles.items()}

    def checkpoint(self, style: Style) -> Located:
        """The style's checkpoint."""
        return self._located(self._names[style.repo])

    def vae(self, repository: HubRepository) -> Located:
        """The VAE."""
        return self._located("vae")

    def controlnet(self, repository: HubRepository) -> Located:
        """The ControlNet."""
        return self._located("controlnet")

    def _located(self, name: str) -> Located:
        path = self._folder / name
        record = WeightsRecord(repo=f"trial/{name}", revision=None, sha256=digest_of_folder(path))
        return Located(path=path, record=record)


class Evaluation:
    """Draws prompts with a generator and lets a judge look at the pictures; size: of the pictures, pixels."""

    def __init__(self, generator: Generator, judge: Judge, pictograms: Pictograms, size: int, seed: int) -> None:
        self._generator = generator
        self._judge = judge
        self._pictograms = pictograms
        self._size = size
        self._chance = random.Random(seed)  # noqa: S311 - chance, not secrecy

    def figures(self, count: int) -> Figures:
        """Measure over count prompts of each kind and style."""
        known = [self._known(style) for style in STYLES for _ in range(count)]
        alone = [self._one(style) for style in STYLES for _ in range(count)]
        both = [self._two(style) for style in STYLES for _ in range(count)]
        references = [self._reference(style) for style in STYLES for _ in range(-(-count // len(STYLES)))]
        return Figures(
            judge=_mean([found for found, _ in known]),
            judge_style=_mean([right for _, right in known]),
            judge_both=_mean([self._knows_both(style) for style in STYLES for _ in range(count)]),
            object_in_top_5=_mean([found for found, _ in alone]),
            style=_mean([right for _, right in alone]),
            both_objects=_mean(both),
            edge_ratio=self._edge_ratio(references, 1.0),
            edge_ratio_alone=self._edge_ratio(references, 0.0),
        )

    def _known(self, style: str) -> tuple[bool, bool]:
        index, picture = self._reference(style)
        return self._recognised(index, style, picture)

    def _knows_both(self, style: str) -> bool:
        scenes = Scenes(self._pictograms, self._size, self._chance)
        scene = next(scene for scene in iter(lambda: scenes.draw(style), None) if len(scene.shown) > 1)
        return set(scene.shown) <= _strongest(self._looked_at(scene.picture)[0], 2 * _TOP)

    def _one(self, style: str) -> tuple[bool, bool]:
        index = self._chance.randrange(len(self._pictograms.objects))
        return self._recognised(index, style, self._drawn(self._chance.choice(_ALONE).format(self._name(index)), style))

    def _recognised(self, index: int, style: str, picture: NDArray[np.uint8]) -> tuple[bool, bool]:
        objects, styles = self._looked_at(picture)
        return index in _strongest(objects, _TOP), int(styles.argmax()) == STYLES.index(style)

    def _two(self, style: str) -> bool:
        pair = self._chance.sample(range(len(self._pictograms.objects)), 2)
        prompt = self._chance.choice(_BESIDE).format(*map(self._name, pair))
        objects, _ = self._looked_at(self._drawn(prompt, style))
        return set(pair) <= _strongest(objects, 2 * _TOP)

    def _edge_ratio(self, references: Sequence[tuple[int, NDArray[np.uint8]]], scale: float) -> float:
        """Agreement of edges with the reference's, over that with the next reference's."""
        drawn = [
            self._drawn(
                _ALONE[0].format(self._name(index)),
                STYLES[0],
                picture,
                reference_mode="structure",
                controlnet_scale=scale,
            )
            for index, picture in references
        ]
        own = _mean([_agreement(picture, reference) for picture, (_, reference) in zip(drawn, references, strict=True)])
        others = [*references[1:], references[0]]
        other = _mean([_agreement(picture, reference) for picture, (_, reference) in zip(drawn, others, strict=True)])
        return own / max(other, 1e-6)

    def _reference(self, style: str) -> tuple[int, NDArray[np.uint8]]:
        """An object and its picture on white."""
        index = self._chance.randrange(len(self._pictograms.objects))
        ground = Image.new("RGB", (self._size, self._size), "white")
        drawn = Image.fromarray(self._pictograms.pictures[style][index]).resize(ground.size)
        ground.paste(drawn, (0, 0), drawn)
        return index, np.array(ground)

    def _name(self, index: int) -> str:
        return with_article(self._pictograms.objects[index].name)

    def _drawn(
        self, prompt: str, style: str, reference: NDArray[np.uint8] | None = None, **more: object
    ) -> NDArray[np.uint8]:
        image = None if reference is None else Image.fromarray(reference)
        drawing = self._generator.generate_image(
            prompt,
            image,
            style=style,
            width=self._size,
            height=self._size,
            **more,  # type: ignore[arg-type]
        )
        return decoded(drawing.images[0].data)

    def _looked_at(self, picture: NDArray[np.uint8]) -> tuple[torch.Tensor, torch.Tensor]:
        with torch.no_grad():
            objects, styles = self._judge(as_tensor(picture[None]))
        return objects[0], styles[0]


def decoded(data: bytes) -> NDArray[np.uint8]:
    """The RGB pixels of an encoded picture."""
    picture: NDArray[np.uint8] = cv2.cvtColor(
        cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB
    )
    return picture


def sheet(draw: Callable[[str, str], NDArray[np.uint8]], prompts: Sequence[str], path: Path) -> None:
    """Draw prompts, a row each, in the three styles side by side, and save the sheet."""
    rows = [np.concatenate([draw(prompt, style) for style in STYLES], axis=1) for prompt in prompts]
    Image.fromarray(np.concatenate(rows, axis=0)).save(path, quality=88)


def _strongest(logits: torch.Tensor, count: int) -> set[int]:
    return set(logits.topk(min(count, len(logits))).indices.tolist())


def _agreement(picture: NDArray[np.uint8], reference: NDArray[np.uint8]) -> float:
    """Share of the drawing's edges that lie within two pixels of the reference's."""
    found, wanted = (edges(image[None])[0, 0].numpy() for image in (picture, reference))
    near = cv2.dilate(wanted, np.ones((5, 5), np.uint8))
    return float((found * near).sum() / max(1.0, found.sum()))


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
