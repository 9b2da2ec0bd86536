"""A training of a few steps goes through everything a long one does, and ends in checkpoints that draw."""

import shutil
from pathlib import Path

import pytest
import torch
from diffusers import AutoencoderKL
from safetensors.torch import save_file

from pipeline.builtin.networks import STYLES, Networks, own_parameters, shared_parameters
from pipeline.builtin.packing import materialise, pack, unpack
from pipeline.config import DrawingConfig
from pipeline.generator import Generator
from pipeline.styles import load_styles
from pipeline.training.course import Course, Plan
from pipeline.training.evaluation import Evaluation, FolderWeights
from pipeline.training.handed_on import hand_on
from pipeline.training.pictograms import Pictograms
from pipeline.training.presets import SMOKE
from pipeline.training.school import Room, School
from pipeline.training.snapshots import Snapshot, load, save
from store.errors import CheckpointBroken, SettingsInvalid
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


@pytest.fixture
def further(trained: tuple[School, Path], pictograms: Pictograms, tmp_path: Path) -> School:
    """Goes on from what a training has packed."""
    taught, _ = trained
    pack(taught.networks, SMOKE.shape, taught.words, tmp_path / "packed")
    hand_on(tmp_path / "packed", tmp_path / "further")
    return school(pictograms, tmp_path / "further")


def state(networks: Networks) -> dict[str, torch.Tensor]:
    models = {f"{style}/{name}": model for style in STYLES for name, model in networks.of(style).items()}
    models |= {"vae": networks.vae, "controlnet": networks.controlnet}
    return {f"{name}/{key}": value for name, model in models.items() for key, value in model.state_dict().items()}


def test_the_vae_is_taught_as_a_whole(trained: tuple[School, Path], pictograms: Pictograms, tmp_path: Path) -> None:
    begun, learnt = school(pictograms, tmp_path).parameters["vae"], trained[0].parameters["vae"]
    assert [name for name in begun if torch.equal(begun[name], learnt[name])] == []


def test_another_process_goes_on_where_the_last_one_ended(trained: tuple[School, Path], pictograms: Pictograms) -> None:
    taught, folder = trained
    resumed = school(pictograms, folder)
    resumed.measure_latents()
    before, after = state(taught.networks), state(resumed.networks)
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert resumed.networks.vae.config.scaling_factor == taught.networks.vae.config.scaling_factor != 1
    assert resumed.words == taught.words
    assert resumed.train_vae().step == SMOKE.vae_steps


def test_snapshots_come_in_files_of_at_most_16_mb(trained: tuple[School, Path]) -> None:
    sizes = [path.stat().st_size for path in trained[1].rglob("*.safetensors")]
    assert sizes
    assert max(sizes) <= 16 * MIB


def test_styles_share_what_is_large_and_differ_in_what_is_small(trained: tuple[School, Path]) -> None:
    networks = trained[0].networks
    for name, first in networks.of(STYLES[0]).items():
        other = networks.of(STYLES[1])[name]
        shared, own = shared_parameters(first), own_parameters(first)
        assert all(value is shared_parameters(other)[key] for key, value in shared.items())
        assert any(not torch.equal(value, own_parameters(other)[key]) for key, value in own.items())
        assert sum(value.numel() for value in own.values()) < sum(value.numel() for value in shared.values()) / 10


def test_what_is_packed_holds_each_weight_once_and_gives_the_same_networks(
    trained: tuple[School, Path], tmp_path: Path
) -> None:
    taught, _ = trained
    size = pack(taught.networks, SMOKE.shape, taught.words, tmp_path / "packed")
    fresh = unpack(tmp_path / "packed")
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
    styles = load_styles(builtin={"native_size": SMOKE.shape.size, "steps": 2})
    generator = Generator(FolderWeights(tmp_path), styles, DrawingConfig(device="cpu", text_guard="off"))
    judge = taught.train_judge(SMOKE.judge_steps)
    figures = Evaluation(generator, judge, pictograms, SMOKE.shape.size, seed=1).figures(1)
    # all of six objects are among the first ten: the figures exist, they praise nothing here
    assert figures.both_objects == figures.judge_both == 1
    shares = {figures.judge, figures.judge_style, figures.object_in_top_5, figures.style}
    assert shares <= {0, 1 / 3, 2 / 3, 1}
    assert figures.edge_ratio >= 0
    assert figures.edge_ratio_alone >= 0


def test_a_decoder_that_goes_on_learning_leaves_latents_as_they_are(
    trained: tuple[School, Path], pictograms: Pictograms, tmp_path: Path
) -> None:
    folder = shutil.copytree(trained[1], tmp_path / "again")
    again = school(pictograms, folder)
    before = {name: value.clone() for name, value in state(again.networks).items()}
    assert again.train_decoder().is_over
    after = state(school(pictograms, folder).networks)
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert "vae/decoder.conv_in.weight" in changed
    assert all(name.startswith(("vae/decoder.", "vae/post_quant_conv.")) for name in changed)


def test_other_latents_are_measured_anew_and_taught_to_the_decoder_anew(
    trained: tuple[School, Path], further: School, pictograms: Pictograms, tmp_path: Path
) -> None:
    further.train_decoder()
    further.train_vae()
    latest = school(pictograms, tmp_path / "further")
    assert not latest.has_learnt("decoder")
    assert torch.equal(
        state(latest.networks)["vae/decoder.conv_in.weight"], further.networks.vae.decoder.conv_in.weight
    )
    latest.measure_latents()
    assert latest.networks.vae.config.scaling_factor != trained[0].networks.vae.config.scaling_factor


def test_a_training_goes_on_from_packed_weights(trained: tuple[School, Path], further: School, tmp_path: Path) -> None:
    taught, _ = trained
    further.measure_latents()
    shipped, begun = state(unpack(tmp_path / "packed")), state(further.networks)
    assert all(torch.equal(shipped[name], begun[name]) for name in shipped)
    assert further.networks.vae.config.scaling_factor == taught.networks.vae.config.scaling_factor
    assert further.words == taught.words
    course = further.train_unet()
    assert course.step == SMOKE.unet_steps
    assert not torch.equal(state(further.networks)["anime/unet/conv_in.bias"], shipped["anime/unet/conv_in.bias"])


def test_packed_weights_do_not_replace_what_has_been_learnt(trained: tuple[School, Path], tmp_path: Path) -> None:
    taught, folder = trained
    pack(taught.networks, SMOKE.shape, taught.words, tmp_path)
    with pytest.raises(SettingsInvalid, match="vae is there already"):
        hand_on(tmp_path, folder)


@pytest.mark.parametrize(("capability", "is_half"), [("avx2", False), ("avx512_f", False), ("avx512_bf16", True)])
def test_half_precision_is_used_where_the_cpu_is_quick_at_it(
    pictograms: Pictograms, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capability: str, is_half: bool
) -> None:
    seen = []

    def loss(vae: AutoencoderKL, pictures: torch.Tensor) -> torch.Tensor:
        seen.append(torch.is_autocast_enabled("cpu"))
        return next(vae.parameters()).sum()

    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {capability: True})
    monkeypatch.setattr("pipeline.training.school.vae_loss", loss)
    school(pictograms, tmp_path).train_vae()
    assert set(seen) == {is_half}


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


def line(folder: Path, seconds: float) -> Course:
    """A training of twenty steps of a second each, for as long as it is given."""
    clock, weight = FakeClock(), torch.nn.Parameter(torch.tensor([4.0]))
    plan = Plan(steps=20, rate=0.1, warmup=4, ema=0.9, seconds=seconds)
    course = Course(folder, {"weight": weight}, plan, clock)

    def loss_of(step: int) -> torch.Tensor:
        clock.advance(1)
        return ((weight - step / 10) ** 2).sum()

    course.run(loss_of)
    return course


def test_a_training_in_two_pieces_learns_what_one_in_a_single_piece_does(tmp_path: Path) -> None:
    assert not line(tmp_path / "two", 7).is_over
    two, one = line(tmp_path / "two", 13), line(tmp_path / "one", 20)
    assert two.is_over
    # moments are kept in half precision
    assert two.averaged()["weight"].item() == pytest.approx(one.averaged()["weight"].item(), rel=1e-3)


def test_what_was_packed_before_is_gone(trained: tuple[School, Path], tmp_path: Path) -> None:
    save_file({"vae/stale": torch.zeros(1)}, tmp_path / "part-7.safetensors")
    (tmp_path / "CARD.md").touch()
    pack(trained[0].networks, SMOKE.shape, trained[0].words, tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["CARD.md", "about.json", "part-0.safetensors"]


def test_a_weight_that_half_precision_cannot_hold_is_not_packed(
    trained: tuple[School, Path], pictograms: Pictograms, tmp_path: Path
) -> None:
    networks = school(pictograms, trained[1]).networks
    with torch.no_grad():
        networks.vae.decoder.conv_in.weight[0] = 1e6
    with pytest.raises(CheckpointBroken, match=r"vae/decoder\.conv_in\.weight"):
        pack(networks, SMOKE.shape, trained[0].words, tmp_path)


def test_a_save_that_breaks_off_leaves_the_snapshot_before_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "vae"
    save(folder, Snapshot(step=1, losses=(), tensors={"a": torch.ones(1)}))
    later = Snapshot(step=2, losses=(), tensors={"a": torch.ones(1)})
    renames = []

    def killed(path: Path, target: Path) -> Path:
        renames.append(path)
        if len(renames) == 2:
            raise KeyboardInterrupt
        return plain(path, target)

    plain = Path.rename
    monkeypatch.setattr(Path, "rename", killed)
    with pytest.raises(KeyboardInterrupt):
        save(folder, later)
    found = load(folder)
    assert found is not None
    assert found.step == 1
    save(folder, later)
    found = load(folder)
    assert found is not None
    assert found.step == 2
    assert [path.name for path in tmp_path.iterdir()] == ["vae"]


def test_a_judge_that_has_not_learnt_enough_does_not_judge(pictograms: Pictograms, tmp_path: Path) -> None:
    room = Room(folder=tmp_path, device=torch.device("cpu"), clock=FakeClock(), seconds=0)
    with pytest.raises(SettingsInvalid, match="0 of 3 steps"):
        School(pictograms, SMOKE, room).train_judge(3)
