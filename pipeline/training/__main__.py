"""The trainings as commands: fetch, begin, vae, unet, controlnet, decoder, pack, evaluate, sheet, curves."""

import json
import logging
import os
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import typer

from pipeline.builtin import packing
from pipeline.builtin.build import TRAINED
from pipeline.clock import SystemClock
from pipeline.config import DrawingConfig
from pipeline.generator import Generator
from pipeline.loading import silence_libraries
from pipeline.styles import load_styles
from pipeline.training import evaluation, pictograms
from pipeline.training.courses import COURSES, DECODER
from pipeline.training.curves import curves
from pipeline.training.evaluation import Evaluation, FolderWeights
from pipeline.training.everyday import everyday
from pipeline.training.handed_on import hand_on
from pipeline.training.presets import PRESETS, Preset
from pipeline.training.school import Room, School
from pipeline.training.snapshots import load
from store.errors import SettingsInvalid

app = typer.Typer(help="Train the built-in checkpoints on free pictograms.", no_args_is_help=True)
Folder = Annotated[Path, typer.Option(help="Folder of downloads, snapshots and results.")]
Named = Annotated[str, typer.Option("--preset", help=f"Size of the training: {', '.join(PRESETS)}.")]
Minutes = Annotated[float, typer.Option(help="Stop and save after so long; the next call goes on.")]
PROMPTS = (
    "딸기",
    "비 오는 날의 고양이",
    "a red apple on a light blue background",
    "a cat and a cup of coffee",
    "커피 한 잔",
)


@app.command()
def fetch(folder: Folder = Path("training")) -> None:
    """Download the pictogram sets with npm, once."""
    pictograms.fetch(folder)


@app.command()
def begin(folder: Folder = Path("training"), preset: Named = "further") -> None:
    """Begin with the weights that are shipped, instead of fresh ones."""
    hand_on(TRAINED, folder / preset)


@app.command()
def vae(folder: Folder = Path("training"), preset: Named = "gpu", minutes: Minutes = 9.0) -> None:
    """Train the VAE, or go on with it."""
    _school(folder, preset, minutes).train_vae()


@app.command()
def unet(folder: Folder = Path("training"), preset: Named = "gpu", minutes: Minutes = 9.0) -> None:
    """Train the UNets and their text encoders, or go on with them."""
    _school(folder, preset, minutes).train_unet()


@app.command()
def controlnet(folder: Folder = Path("training"), preset: Named = "gpu", minutes: Minutes = 9.0) -> None:
    """Train the ControlNet, or go on with it."""
    _school(folder, preset, minutes).train_controlnet()


@app.command()
def decoder(folder: Folder = Path("training"), preset: Named = "gpu", minutes: Minutes = 9.0) -> None:
    """Train the VAE's decoder alone, for sharper pictures, or go on with it; any time after the VAE."""
    _school(folder, preset, minutes).train_decoder()


@app.command()
def pack(folder: Folder = Path("training"), preset: Named = "gpu") -> None:
    """Write the weights in half precision to FOLDER/PRESET/packed, and whole checkpoints beside them."""
    school = _school(folder, preset, 0)
    if missing := [course for course in COURSES if not school.has_learnt(course)]:
        raise SettingsInvalid(f"{folder / preset} holds nothing learnt of {missing[0]}; train it first")
    school.measure_latents()
    size = packing.pack(school.networks, PRESETS[preset].shape, school.words, folder / preset / "packed")
    packing.materialise(school.networks, folder / preset / "checkpoints")
    typer.echo(f"{size / 1e6:.1f} MB of weights in {folder / preset / 'packed'}")


@app.command()
def evaluate(
    folder: Folder = Path("training"), preset: Named = "gpu", minutes: Minutes = 9.0, count: int = 60, steps: int = 20
) -> None:
    """Train the judge, draw with FOLDER/PRESET/checkpoints, and print what the judge makes of it."""
    school = _school(folder, preset, minutes)
    judge = school.train_judge(PRESETS[preset].judge_steps).cpu()
    trial = Evaluation(_generator(folder, preset, steps), judge, school.pictograms, PRESETS[preset].shape.size, seed=1)
    typer.echo(json.dumps(asdict(trial.figures(count)), indent=2))


@app.command()
def sheet(path: Path, folder: Folder = Path("training"), preset: Named = "gpu", steps: int = 20) -> None:
    """Draw some prompts with FOLDER/PRESET/checkpoints in all three styles, into one picture."""
    generator, size = _generator(folder, preset, steps), PRESETS[preset].shape.size

    def draw(prompt: str, style: str) -> "np.typing.NDArray[np.uint8]":
        drawing = generator.generate_image(prompt, style=style, seed=1, width=size, height=size)
        return evaluation.decoded(drawing.images[0].data)

    evaluation.sheet(draw, PROMPTS, path)


@app.command(name="curves")
def draw_curves(path: Path, folder: Folder = Path("training"), preset: Named = "gpu") -> None:
    """Draw the losses of all trainings so far into an SVG file."""
    courses = {name: load(folder / preset / name) for name in (*COURSES, DECODER)}
    path.write_text(curves({name: snapshot.losses if snapshot else () for name, snapshot in courses.items()}))


def _school(folder: Path, preset: str, minutes: float) -> School:
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    silence_libraries()
    chosen = PRESETS[preset]
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    room = Room(
        folder=folder / preset,
        device=device,
        clock=SystemClock(),
        # a GPU waits for scenes; on a CPU every core is needed for the steps
        processes=max(0, (os.cpu_count() or 1) - 2) if device.type == "cuda" else 0,
        seconds=minutes * 60,
    )
    return School(_few(pictograms.read(folder, chosen.shape.size), chosen), chosen, room)


def _few(found: pictograms.Pictograms, preset: Preset) -> pictograms.Pictograms:
    if preset.everyday:
        found = everyday(found)
    if preset.objects is None:
        return found
    pictures = {style: array[: preset.objects] for style, array in found.pictures.items()}
    return pictograms.Pictograms(objects=found.objects[: preset.objects], pictures=pictures)


def _generator(folder: Path, preset: str, steps: int) -> Generator:
    styles = load_styles(builtin={"native_size": PRESETS[preset].shape.size, "steps": steps})
    return Generator(FolderWeights(folder / preset / "checkpoints"), styles, DrawingConfig(text_guard="off"))


if __name__ == "__main__":
    app()
