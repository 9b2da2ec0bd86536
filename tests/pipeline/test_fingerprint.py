"""Two requests have one fingerprint exactly where nothing that can move a pixel tells them apart."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from pipeline.config import DrawingConfig, Limits
from pipeline.fingerprint import Fingerprints
from pipeline.nodes.base import Done
from pipeline.nodes.prompting import Prompting
from pipeline.progress import Progress
from pipeline.reference import ReferenceImage
from pipeline.state import State
from pipeline.styles import HubRepository, Style, Styles, load_styles
from pipeline.weights import Located, digest_of_folder
from store.digest import Digest
from store.errors import CheckpointMissing
from store.manifest import ModelsRecord, WeightsRecord
from tests.pipeline.samples import asked, studio

MACHINE = {"kind": "cpu", "dtype": "float32", "threads": 1, "cpu": ["AVX2", "vendor_id: one"]}
REFERENCE = ReferenceImage.of(b"a reference")
FILES = ("model.safetensors", "config.json", "merges.txt")


@dataclass(frozen=True, slots=True, kw_only=True)
class WeightsInAFolder:
    """Three small folders that are weights by their names alone."""

    root: Path

    def checkpoint(self, style: Style) -> Located:
        return self._located(style.name)

    def vae(self, repository: HubRepository) -> Located:
        return self._located("vae")

    def controlnet(self, repository: HubRepository) -> Located:
        return self._located("controlnet")

    def _located(self, name: str) -> Located:
        path = self.root / name
        if not path.is_dir():
            raise CheckpointMissing
        return Located(path=path, record=WeightsRecord(repo=name, revision=None, sha256=digest_of_folder(path)))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("anime", "ultra_realistic", "vae", "controlnet"):
        (tmp_path / name / "unet").mkdir(parents=True)
        for file in FILES:
            (tmp_path / name / "unet" / file).write_text(f"{name} {file}")
    return tmp_path


def decided(reference: ReferenceImage | None = None, **fields: Any) -> State:
    """A state behind the prompting node."""
    fields = {"style": "anime", "seed": 7, **fields}
    if reference is not None:
        fields["reference_image"] = {"name": reference.name}
    state = State(request=asked(**fields), seed=1, reference=reference)
    outcome = Prompting(studio()).run(state, Progress())
    assert isinstance(outcome, Done)
    return outcome.state


def taken(
    folder: Path,
    state: State,
    config: DrawingConfig | None = None,
    styles: Styles | None = None,
    **machine: Any,
) -> Digest:
    fingerprints = Fingerprints(
        WeightsInAFolder(root=folder),
        styles or load_styles(),
        config or DrawingConfig(),
        lambda: {**MACHINE, **machine},
        "imagegen.nodes",
    )
    found = fingerprints.of(state)
    assert found is not None
    return found


MOVES = {
    "prompt": {"prompt": "a dog"},
    "negative_prompt": {"negative_prompt": "rain"},
    "user_input": {"user_input": "with an umbrella"},
    "style": {"style": "ultra_realistic"},
    "width": {"width": 512, "height": 640},
    "aspect_ratio": {"aspect_ratio": "16:9"},
    "purpose": {"purpose": "banner"},
    "steps": {"steps": 5},
    "guidance_scale": {"guidance_scale": 3.5},
    "seed": {"seed": 8},
    "num_images": {"num_images": 2},
    "output_format": {"output_format": "webp"},
    "prompt_mode": {"prompt_mode": "raw"},
}


@pytest.mark.parametrize("fields", MOVES.values(), ids=MOVES)
def test_a_field_that_moves_a_pixel_changes_it(folder: Path, fields: dict[str, Any]) -> None:
    assert taken(folder, decided(**fields)) != taken(folder, decided())


@pytest.mark.parametrize(
    "fields", [{"strength": 0.9}, {"controlnet_scale": 0.1}, {"reference_mode": "structure"}], ids=str
)
def test_a_field_of_the_reference_changes_it_only_where_there_is_one(folder: Path, fields: dict[str, Any]) -> None:
    assert taken(folder, decided(REFERENCE, **fields)) != taken(folder, decided(REFERENCE))
    if "reference_mode" not in fields:
        assert taken(folder, decided(**fields)) == taken(folder, decided())


def test_a_reference_counts_by_its_bytes_and_not_by_its_name(folder: Path) -> None:
    other, renamed = ReferenceImage.of(b"another"), replace(REFERENCE, name="renamed.png")
    assert len({taken(folder, decided(one)) for one in (None, REFERENCE, other)}) == 3
    assert taken(folder, decided(renamed)) == taken(folder, decided(REFERENCE))


@pytest.mark.parametrize(
    "fields",
    [
        {"metadata": {"order": 1}},
        {"id": "other"},
        {"aspect_ratio": "1:1"},
        {"width": 1024, "height": 1024},
        {"style": "animation", "prompt": "a cat"},
        {"prompt": "  a   cat "},
    ],
    ids=str,
)
def test_what_leads_to_the_same_prompt_and_numbers_does_not(folder: Path, fields: dict[str, Any]) -> None:
    if fields.get("style") == "animation":
        anime = load_styles().find("anime")
        fields = {**fields, "style": anime.aliases[0] if anime.aliases else "anime"}
    assert taken(folder, decided(**fields)) == taken(folder, decided())


@pytest.mark.parametrize("file", FILES)
@pytest.mark.parametrize("what", ["anime", "vae"])
def test_a_changed_file_of_the_weights_changes_it(folder: Path, what: str, file: str) -> None:
    before = taken(folder, decided())
    (folder / what / "unet" / file).write_text("changed after it was read")
    assert taken(folder, decided()) != before


@pytest.mark.parametrize("file", FILES)
def test_the_controlnet_counts_only_with_a_reference(folder: Path, file: str) -> None:
    without, with_one = taken(folder, decided()), taken(folder, decided(REFERENCE))
    (folder / "controlnet" / "unet" / file).write_text("changed after it was read")
    assert taken(folder, decided()) == without
    assert taken(folder, decided(REFERENCE)) != with_one


@pytest.mark.parametrize(
    "machine", [{"kind": "cuda"}, {"dtype": "float16"}, {"threads": 2}, {"cpu": ["AVX2", "vendor_id: other"]}], ids=str
)
def test_another_machine_changes_it(folder: Path, machine: dict[str, Any]) -> None:
    assert taken(folder, decided(), **machine) != taken(folder, decided())


@pytest.mark.parametrize("library", ["imagegen", "torch", "diffusers", "transformers", "numpy", "pillow", "tokenizers"])
def test_another_version_of_a_library_changes_it(folder: Path, library: str, monkeypatch: pytest.MonkeyPatch) -> None:
    before = taken(folder, decided())
    monkeypatch.setattr("pipeline.versions.version", lambda name: "0.0.0" if name == library else _version(name))
    assert taken(folder, decided()) != before


def _version(name: str) -> str:
    from importlib.metadata import version

    return version(name)


def test_a_setting_counts_where_it_can_move_a_pixel(folder: Path) -> None:
    def same(state: State, **settings: Any) -> bool:
        return taken(folder, state, DrawingConfig(**settings)) == taken(folder, state)

    assert not same(decided(output_format="jpeg"), jpeg_quality=50)
    assert not same(decided(output_format="webp"), webp_quality=50)
    assert same(decided(), jpeg_quality=50, webp_quality=50)
    assert not same(decided(REFERENCE), canny_low=10)
    assert same(decided(), canny_low=10)
    assert not same(decided(), text_guard="retry")
    assert same(decided(), limits=Limits(max_side=1024), default_style="anime", strength=0.2, controlnet_scale=0.1)


def test_the_schedule_counts(folder: Path) -> None:
    state = decided()
    for change in ({"scheduler": "DDIMScheduler"}, {"scheduler_options": {"timestep_spacing": "trailing"}}):
        other = replace(state, style=state.style.model_copy(update=change))
        assert taken(folder, other) != taken(folder, state)


def test_installed_nodes_count_and_with_them_the_whole_request(folder: Path) -> None:
    config = DrawingConfig(extra_nodes=("sepia after postprocessing",))
    assert taken(folder, decided(), config) != taken(folder, decided())
    assert taken(folder, decided(metadata={"stamp": "A"}), config) != taken(folder, decided(), config)
    assert taken(folder, decided(id="other"), config) == taken(folder, decided(), config)


@pytest.mark.parametrize("prepare", [lambda folder: (folder / "vae").rename(folder / "away")])
def test_without_an_explicit_seed_or_weights_there_is_none(folder: Path, prepare: Callable[[Path], Any]) -> None:
    weights = WeightsInAFolder(root=folder)
    fingerprints = Fingerprints(weights, load_styles(), DrawingConfig(), lambda: MACHINE, "imagegen.nodes")
    assert fingerprints.of(decided(seed=None)) is None
    assert fingerprints.of(decided()) is not None
    prepare(folder)
    assert fingerprints.of(decided()) is None


def test_weights_that_were_replaced_since_are_not_those_that_drew(folder: Path) -> None:
    weights, state = WeightsInAFolder(root=folder), decided()
    fingerprints = Fingerprints(weights, load_styles(), DrawingConfig(), lambda: MACHINE, "imagegen.nodes")
    vae = weights.vae(load_styles().vae).record
    drew = ModelsRecord(checkpoint=weights.checkpoint(state.style).record, vae=vae)
    assert fingerprints.drew(drew, state)
    (folder / "anime" / "unet" / FILES[0]).write_text("replaced")
    assert not fingerprints.drew(drew, state)
