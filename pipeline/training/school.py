"""The three trainings one after the other: VAE, then UNets with their text encoders, then the ControlNet."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch

from pipeline.clock import Clock
from pipeline.training.captions import vocabulary_texts
from pipeline.training.course import Course, Plan
from pipeline.training.judge import Judge, judge_loss
from pipeline.training.loader import Batch, batches
from pipeline.training.losses import scaling_factor, unet_loss, vae_loss
from pipeline.training.networks import Networks, make, own_parameters, shared_parameters
from pipeline.training.pictograms import Pictograms
from pipeline.training.presets import STYLES, Preset
from pipeline.training.scenes import GROUNDS
from pipeline.training.snapshots import load

_SEED = 20261126
_COUNTED = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """Where a training happens: the folder of its snapshots, the device, processes that make scenes, and the time.

    seconds: the longest time a call may take; what is not done then is done by the next call.
    """

    folder: Path
    device: torch.device
    clock: Clock
    processes: int = 0
    seconds: float = float("inf")


class School:
    """Trains the built-in networks; every call goes on where the last one ended."""

    def __init__(self, pictograms: Pictograms, preset: Preset, room: Room) -> None:
        """Makes fresh networks and fills in what has been learnt so far."""
        self.pictograms = pictograms
        self._preset = preset
        self._room = room
        # synonyms are spelt in pieces of these words; whole, they would be half of all text weights
        names = [entry.name for entry in pictograms.objects]
        texts = [*names, *GROUNDS, *vocabulary_texts(["an apple and a cat on a plain background"])]
        self.networks = make(preset, texts, _SEED).to(room.device)
        self.parameters = _parameters(self.networks)
        for course, parameters in self.parameters.items():
            self._recall(course, parameters)

    def train_vae(self) -> Course:
        """Learn to draw pictures from latents and back."""
        vae = self.networks.vae.train()
        course = self._course("vae", self._preset.vae_steps, self._preset.vae_rate)
        scenes = self._scenes(self._preset.vae_batch, "vae", course.step)

        def loss_of(step: int) -> torch.Tensor:
            with self._half():
                return vae_loss(vae, next(scenes).pictures.to(self._room.device))

        course.run(loss_of)
        self._recall("vae", self.parameters["vae"])
        return course

    def train_unet(self) -> Course:
        """Learn to draw what the words say, in three styles."""
        self.measure_latents()
        course = self._course("unet", self._preset.unet_steps, self._preset.rate)
        scenes = self._scenes(self._preset.batch, "unet", course.step)
        course.run(lambda step: self._denoising(next(scenes), step, control=False))
        self._recall("unet", self.parameters["unet"])
        return course

    def train_controlnet(self) -> Course:
        """Learn to follow edges, with all other networks as they are."""
        self.measure_latents()
        course = self._course("controlnet", self._preset.controlnet_steps, self._preset.rate / 2)
        if course.step == 0:
            _copy_first_half(self.networks)
        scenes = self._scenes(self._preset.batch, "controlnet", course.step)
        course.run(lambda step: self._denoising(next(scenes), step, control=True))
        self._recall("controlnet", self.parameters["controlnet"])
        return course

    def train_judge(self, steps: int) -> Judge:
        """Teach a judge to know the objects and the styles; it is no part of what is shipped."""
        judge = Judge(len(self.pictograms.objects)).to(self._room.device)
        self.parameters["judge"] = dict(judge.named_parameters())
        course = self._course("judge", steps, self._preset.rate)
        scenes = self._scenes(self._preset.batch, "judge", course.step)
        course.run(lambda step: judge_loss(judge, next(scenes), self._room.device))
        self._recall("judge", self.parameters["judge"])
        return judge.eval()

    def _denoising(self, batch: Batch, step: int, *, control: bool) -> torch.Tensor:
        # a step's noise depends on the step alone, so that a resumed training goes on as one in a single piece
        chance = torch.Generator().manual_seed(_SEED + step)
        with self._half():
            return unet_loss(self.networks, batch, chance, control=control)

    def _half(self) -> torch.autocast:
        return torch.autocast(self._room.device.type, dtype=torch.bfloat16)

    def _scenes(self, batch: int, course: str, step: int) -> Iterator[Batch]:
        seed = _SEED + 1_000 * len(course) + step
        return batches(self.pictograms, self._preset.size, batch, seed, self._room.processes)

    def _course(self, name: str, steps: int, rate: float) -> Course:
        plan = Plan(
            steps=steps, rate=rate, warmup=self._preset.warmup, ema=self._preset.ema, seconds=self._room.seconds
        )
        return Course(self._room.folder / name, self.parameters[name], plan, self._room.clock)

    def _recall(self, course: str, parameters: dict[str, torch.nn.Parameter]) -> None:
        """Fill in the averages of a course's last snapshot."""
        snapshot = load(self._room.folder / course)
        if snapshot is not None:
            for name, parameter in parameters.items():
                parameter.data.copy_(snapshot.tensors[f"ema/{name}"])

    def measure_latents(self) -> None:
        """Set the VAE's scaling factor from some of its latents."""
        vae = self.networks.vae.eval()
        scenes = batches(self.pictograms, self._preset.size, 8, _SEED)
        pictures = torch.cat([next(scenes).pictures for _ in range(_COUNTED // 8)])
        vae.register_to_config(scaling_factor=round(scaling_factor(vae, pictures.to(self._room.device)), 5))


def _parameters(networks: Networks) -> dict[str, dict[str, torch.nn.Parameter]]:
    """The parameters of each course, by names that the snapshots keep."""
    unet = {f"unet/{name}": value for name, value in shared_parameters(networks.unets[STYLES[0]]).items()}
    for style in STYLES:
        unet |= {f"{style}/{name}": value for name, value in own_parameters(networks.unets[style]).items()}
    for number, encoder in enumerate(networks.text_encoders, start=1):
        unet |= {f"text{number}/{name}": value for name, value in encoder.named_parameters()}
    return {
        "vae": dict(networks.vae.named_parameters()),
        "unet": unet,
        "controlnet": dict(networks.controlnet.named_parameters()),
    }


def _copy_first_half(networks: Networks) -> None:
    """Begin as the UNet's first half, whose outputs do not count yet (arXiv 2302.05543)."""
    own = networks.controlnet.state_dict()
    given = networks.unets[STYLES[0]].state_dict()
    networks.controlnet.load_state_dict({**own, **{name: given[name] for name in own.keys() & given.keys()}})
