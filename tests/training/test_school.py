"""A training of a few steps goes through everything a long one does, and ends in checkpoints that draw."""

from pathlib import Path

import pytest
import torch

from pipeline.config import DrawingConfig
from pipeline.generator import Generator
from pipeline.styles import load_styles
from pipeline.training.course import Course, Plan
from pipeline.training.evaluation import Evaluation, FolderWeights
from pipeline.training.networks import Networks, own_parameters, shared_parameters
from pipeline.training.packing import materialise, pack, unpack
from pipeline.training.pictograms import Pictograms
from pipeline.training.presets import SMOKE, STYLES
from pipeline.training.school import Room, School
from tests.clock import FakeClock

MIB = 1024 * 1024


def school(pictograms: Pictograms, folder: Path) -> School:
    return School(pictograms, SMOKE, Room(folder=folder, device=torch.device("cpu"), clock=FakeClock()))


@pytest.fixture(scope="module")
def trained(pictograms: Pictograms, tmp_path_factory: pytest.TempPathFactory) -> tuple[School, Path]:
    folder = tmp_path_factory.mktemp("training")
    taught = school(pictograms, folder)
    for course in (taught.train_vae(), taught.train_unet(), taught.train_controlnet()):
        assert course.is_over
        assert course.losses
    return taught, folder


def state(networks: Networks) -> dict[str, torch.Tensor]:
    models = {**networks.unets, "vae": networks.vae, "controlnet": networks.controlnet}
    return {f"{name}/{key}": value for name, model in models.items() for key, value in model.state_dict().items()}


def test_another_process_goes_on_where_the_last_one_ended(trained: tuple[School, Path], pictograms: Pictograms) -> None:
    taught, folder = trained
    resumed = school(pictograms, folder)
    resumed.measure_latents()
    before, after = state(taught.networks), state(resumed.networks)
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert resumed.train_vae().step == SMOKE.vae_steps


def test_snapshots_come_in_files_of_at_most_16_mb(trained: tuple[School, Path]) -> None:
    sizes = [path.stat().st_size for path in trained[1].rglob("*.safetensors")]
    assert sizes
    assert max(sizes) <= 16 * MIB


def test_styles_share_what_is_large_and_differ_in_what_is_small(trained: tuple[School, Path]) -> None:
    first, other = (trained[0].networks.unets[style] for style in STYLES[:2])
    shared, own = shared_parameters(first), own_parameters(first)
    assert all(value is shared_parameters(other)[name] for name, value in shared.items())
    assert any(not torch.equal(value, own_parameters(other)[name]) for name, value in own.items())
    assert sum(value.numel() for value in own.values()) < sum(value.numel() for value in shared.values()) / 10


def test_what_is_packed_holds_each_weight_once_and_gives_the_same_networks(
    trained: tuple[School, Path], pictograms: Pictograms, tmp_path: Path
) -> None:
    taught, _ = trained
    size = pack(taught.networks, SMOKE, tmp_path / "packed")
    fresh = unpack(tmp_path / "packed", school(pictograms, tmp_path / "nothing-learnt").networks)
    wanted, found = state(taught.networks), state(fresh)
    assert all(torch.equal(wanted[name].half(), found[name].half()) for name in wanted)
    assert fresh.vae.config.scaling_factor == taught.networks.vae.config.scaling_factor
    assert size < sum(value.numel() * 2 for value in wanted.values())


def test_checkpoints_of_a_training_draw_through_the_pipeline_and_are_judged(
    trained: tuple[School, Path], pictograms: Pictograms, tmp_path: Path
) -> None:
    taught, folder = trained
    resumed = school(pictograms, folder)
    resumed.measure_latents()
    materialise(resumed.networks, tmp_path)
    styles = load_styles(builtin={"native_size": SMOKE.size, "steps": 2})
    generator = Generator(FolderWeights(tmp_path), styles, DrawingConfig(device="cpu", text_guard="off"))
    judge = taught.train_judge(SMOKE.judge_steps)
    figures = Evaluation(generator, judge, pictograms, SMOKE.size, seed=1).figures(1)
    # five of six objects are always among the first five: the figures exist, they praise nothing here
    assert 0 <= figures.object_in_top_5 <= 1
    assert 0 <= figures.style <= 1
    assert figures.edge_ratio >= 0


def test_a_course_ends_with_its_time_and_keeps_what_it_has_learnt(tmp_path: Path) -> None:
    clock = FakeClock()
    weight = torch.nn.Parameter(torch.tensor([4.0]))
    plan = Plan(steps=100, rate=0.1, warmup=1, ema=0.9, seconds=10)
    course = Course(tmp_path / "line", {"weight": weight}, plan, clock)

    def loss_of(step: int) -> torch.Tensor:
        clock.advance(1)
        return (weight**2).sum()

    course.run(loss_of)
    assert course.step == 10
    again = Course(tmp_path / "line", {"weight": torch.nn.Parameter(torch.tensor([9.0]))}, plan, clock)
    assert again.step == 10
    assert torch.allclose(again.averaged()["weight"], course.averaged()["weight"])
