"""Weights are read from disk whole and unchanged, in both layouts they come in, or refused with a reason."""

import gc
import json
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import UNet2DConditionModel
from safetensors.torch import load_file, save_file
from transformers import CLIPTextModel, CLIPTextModelWithProjection, CLIPTokenizer

from pipeline.accelerator import SameMemory
from pipeline.builtin.weights import STYLE_CHANGES, BuiltinWeights
from pipeline.config import DrawingConfig
from pipeline.device import Device
from pipeline.generator import Generator
from pipeline.host_tier import HostTier
from pipeline.intact import require_all_keys
from pipeline.loading import load_controlnet, load_vae, load_words_and_schedule, silence_libraries
from pipeline.parts import parts_of
from pipeline.slots import Slots
from pipeline.styles import load_styles
from pipeline.weights import Located, digest_of_file, local_checkpoint
from store.digest import Digest
from store.errors import CheckpointBroken, CheckpointMissing
from store.manifest import WeightsRecord
from tests.pipeline.single_file import TEXT_ENCODER, TEXT_ENCODER_2, UNET, write_single_file

Tensors = dict[str, torch.Tensor]
Change = Callable[[Tensors], object]
Loader = Callable[[Located, Device], Any]

CPU = Device(name="cpu", dtype=torch.float32)
MODELS = ("unet", "text_encoder", "text_encoder_2")
WEIGHT_FILES = {
    "unet": "unet/diffusion_pytorch_model.safetensors",
    "text_encoder": "text_encoder/model.safetensors",
    "text_encoder_2": "text_encoder_2/model.safetensors",
}
# one key of each model, in a folder and in a single file
KEYS = {
    "folder": {
        "unet": "mid_block.resnets.0.conv1.bias",
        "text_encoder": "encoder.layers.1.mlp.fc1.bias",
        "text_encoder_2": "text_model.encoder.layers.1.mlp.fc1.bias",
    },
    "single file": {
        "unet": f"{UNET}middle_block.0.in_layers.2.bias",
        "text_encoder": f"{TEXT_ENCODER}encoder.layers.1.mlp.fc1.bias",
        "text_encoder_2": f"{TEXT_ENCODER_2}transformer.resblocks.1.mlp.c_fc.bias",
    },
}
ONE_FILE_MODELS: dict[str, Loader] = {"vae": load_vae, "controlnet": load_controlnet}

every_model = pytest.mark.parametrize("model", MODELS)
# one by each of the two libraries
both_libraries = pytest.mark.parametrize("model", ["unet", "text_encoder_2"])
both_layouts = pytest.mark.parametrize("layout", KEYS)


@pytest.fixture(autouse=True)
def _quiet() -> None:
    silence_libraries()


@pytest.fixture
def one_file(mine: Path, tmp_path: Path) -> Path:
    return write_single_file(mine, tmp_path / "mine.safetensors")


@pytest.fixture
def copied(weights: BuiltinWeights, tmp_path: Path) -> Callable[[str], Path]:
    """Copies the built-in VAE or ControlNet, to be changed at will."""

    def copy(name: str) -> Path:
        shipped = load_styles()
        built = weights.vae(shipped.vae) if name == "vae" else weights.controlnet(shipped.controlnet)
        return Path(shutil.copytree(built.path, tmp_path / name))

    return copy


class CreatesAFileWhenUnpickled:
    """Plays the malicious checkpoint."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self._path,)


def located(path: Path, config: Path | None = None, variant: str | None = None) -> Located:
    record = WeightsRecord(repo=path.name, revision=None, sha256=Digest.of(b""))
    return Located(path=path, record=record, variant=variant, config=config)


def load_checkpoint(located: Located, device: Device) -> dict[str, Any]:
    """Everything of a checkpoint, on a device that held nothing before."""
    parts, rest = parts_of(located), load_words_and_schedule(located)
    slots = Slots(device, SameMemory(), HostTier(0, device.dtype, SameMemory()))
    models = slots.begin(parts)
    slots.finish()
    return {**models, **rest}


def load(path: Path, config: Path | None = None, variant: str | None = None) -> dict[str, Any]:
    return load_checkpoint(located(path, config, variant), CPU)


def change(path: Path, how: Change) -> None:
    tensors = load_file(path)
    how(tensors)
    save_file(tensors, path, metadata={"format": "pt"})


def change_in(layout: str, model: str, mine: Path, how: Change) -> Located:
    """Change the weights of a model in one of the two layouts, and say where they lie."""
    if layout == "folder":
        change(mine / WEIGHT_FILES[model], how)
        return located(mine)
    whole = write_single_file(mine, mine.with_name("one.safetensors"))
    change(whole, how)
    return located(whole, config=mine)


def same_weights(one: dict[str, Any], other: dict[str, Any], *models: str) -> bool:
    pairs = [(one[model].state_dict(), other[model].state_dict()) for model in models or MODELS]
    return all(
        left.keys() == right.keys() and all(torch.equal(left[key], right[key]) for key in left) for left, right in pairs
    )


def test_the_single_file_of_these_tests_speaks_the_layout_of_published_files(one_file: Path) -> None:
    assert {
        "model.diffusion_model.time_embed.0.weight",
        "model.diffusion_model.label_emb.0.0.weight",
        "model.diffusion_model.input_blocks.0.0.weight",
        "model.diffusion_model.input_blocks.3.1.transformer_blocks.0.attn2.to_k.weight",
        "model.diffusion_model.middle_block.1.proj_in.weight",
        "model.diffusion_model.output_blocks.1.2.conv.weight",
        "model.diffusion_model.out.2.bias",
        "conditioner.embedders.0.transformer.text_model.encoder.layers.0.self_attn.q_proj.weight",
        "conditioner.embedders.1.model.transformer.resblocks.0.attn.in_proj_weight",
        "conditioner.embedders.1.model.positional_embedding",
        "conditioner.embedders.1.model.text_projection",
        "first_stage_model.decoder.conv_in.weight",
    } <= load_file(one_file).keys()


def test_a_single_file_draws_the_same_bytes_as_its_folder(weights: BuiltinWeights, mine: Path, one_file: Path) -> None:
    overrides = {
        "folder": {"based_on": "anime", "checkpoint": str(mine)},
        "file": {"based_on": "anime", "checkpoint": str(one_file), "config_from": str(mine)},
    }
    generator = Generator(weights, load_styles(overrides, builtin=STYLE_CHANGES), DrawingConfig(device="cpu"))
    folder, file = (
        generator.generate_image("a red fox", style=style, width=64, height=64, steps=2, seed=1)
        for style in ("folder", "file")
    )
    assert file.images[0].data == folder.images[0].data
    assert file.models.checkpoint.repo == "mine.safetensors"
    assert file.models.checkpoint.sha256 == digest_of_file(one_file)


def test_half_precision_files_are_brought_to_the_precision_of_the_device(mine: Path, one_file: Path) -> None:
    assert load_file(one_file)[KEYS["single file"]["unet"]].dtype == torch.float16
    for parts in (load(mine), load(one_file, config=mine)):
        assert {parts[model].dtype for model in MODELS} == {torch.float32}
        assert {parameter.dtype for model in MODELS for parameter in parts[model].parameters()} == {torch.float32}


def test_what_is_loaded_neither_trains_nor_drops_out(mine: Path, one_file: Path) -> None:
    for parts in (load(mine), load(one_file, config=mine)):
        assert not any(parts[model].training for model in MODELS)


@pytest.mark.parametrize("config_from", [None, "nowhere"])
def test_a_single_file_without_a_description_says_what_to_set(one_file: Path, config_from: str | None) -> None:
    style = load_styles({"anime": {"checkpoint": str(one_file), "config_from": config_from}}).find("anime")
    with pytest.raises(CheckpointMissing, match=r"'anime'.*config_from, a directory in diffusers format"):
        local_checkpoint(style, str(one_file))


def test_a_checkpoint_that_is_neither_folder_nor_safetensors_is_missing(tmp_path: Path) -> None:
    (tmp_path / "old.ckpt").write_bytes(b"a pickle")
    style = load_styles().find("anime")
    with pytest.raises(CheckpointMissing, match=r"neither a directory nor a \.safetensors file"):
        local_checkpoint(style, str(tmp_path / "old.ckpt"))


@both_layouts
@every_model
def test_a_missing_key_is_refused_by_name(layout: str, model: str, mine: Path) -> None:
    broken = change_in(layout, model, mine, lambda tensors: tensors.pop(KEYS[layout][model]))
    with pytest.raises(CheckpointBroken, match=rf"/{model}: missing [\w.]+\.bias \(1 in all\)"):
        load_checkpoint(broken, CPU)


@both_layouts
@every_model
def test_an_unexpected_key_is_refused_by_name(layout: str, model: str, mine: Path) -> None:
    extra = KEYS[layout][model].replace(".bias", ".extra_bias")
    broken = change_in(layout, model, mine, lambda tensors: tensors.update({extra: torch.zeros(3)}))
    with pytest.raises(CheckpointBroken, match=rf"/{model}: unexpected [\w.]+\.extra_bias \(1 in all\)"):
        load_checkpoint(broken, CPU)


def test_buffers_without_weights_are_harmless_and_nothing_else_is() -> None:
    harmless = ["text_model.embeddings.position_ids", "logit_scale"]
    require_all_keys("mine", {"missing_keys": harmless, "unexpected_keys": set(harmless)})
    with pytest.raises(CheckpointBroken, match=r"^mine: unexpected a, b, c \(4 in all\); "):
        require_all_keys("mine", {"unexpected_keys": [*harmless, "d", "c", "b", "a"]})


@both_layouts
@both_libraries
def test_a_weight_of_another_shape_is_refused_by_name(layout: str, model: str, mine: Path) -> None:
    broken = change_in(layout, model, mine, lambda tensors: tensors.update({KEYS[layout][model]: torch.zeros(3)}))
    with pytest.raises(CheckpointBroken, match=r"mismatch[\s\S]*\.bias"):
        load_checkpoint(broken, CPU)


@pytest.mark.parametrize(
    "key", [f"{UNET}label_emb.0.0.weight", f"{TEXT_ENCODER_2}text_projection", f"{UNET}input_blocks.2.0.op.bias"]
)
def test_a_single_file_without_a_key_its_conversion_asks_for_is_refused(key: str, mine: Path, one_file: Path) -> None:
    change(one_file, lambda tensors: tensors.pop(key))
    with pytest.raises(CheckpointBroken, match="missing"):
        load(one_file, config=mine)


@pytest.mark.parametrize(
    "key",
    [
        "cond_stage_model.transformer.text_model.final_layer_norm.bias",
        "edm_mean",
        f"{UNET}lora_down.weight",
        f"{TEXT_ENCODER_2}visual.proj",
    ],
)
def test_a_key_that_no_part_of_sdxl_has_is_refused(key: str, mine: Path, one_file: Path) -> None:
    change(one_file, lambda tensors: tensors.update({key: torch.zeros(3)}))
    with pytest.raises(CheckpointBroken, match=f"unexpected {key}"):
        load(one_file, config=mine)


@pytest.mark.parametrize("place", ["text_model.", ""], ids=["transformers 4", "transformers 5"])
def test_text_encoders_load_with_and_without_the_old_prefix(place: str, mine: Path) -> None:
    expected = load(mine)
    for model in MODELS[1:]:
        tensors = load_file(mine / WEIGHT_FILES[model])
        renamed = {
            key if key.startswith("text_projection") else place + key.removeprefix("text_model."): tensor
            for key, tensor in tensors.items()
        }
        # older versions saved this buffer
        renamed[f"{place}embeddings.position_ids"] = torch.arange(77)[None]
        save_file(renamed, mine / WEIGHT_FILES[model], metadata={"format": "pt"})
    assert same_weights(load(mine), expected)


def test_a_vae_with_the_old_names_of_its_attention_loads(copied: Callable[[str], Path]) -> None:
    vae = copied("vae")
    expected = load_vae(located(vae), CPU).state_dict()
    old = {"to_q": "query", "to_k": "key", "to_v": "value", "to_out.0": "proj_attn"}
    path = vae / "diffusion_pytorch_model.safetensors"
    tensors = load_file(path)
    for new, name in old.items():
        tensors = {key.replace(f".{new}.", f".{name}."): tensor for key, tensor in tensors.items()}
    assert any(".proj_attn." in key for key in tensors)
    save_file(tensors, path, metadata={"format": "pt"})
    found = load_vae(located(vae), CPU).state_dict()
    assert all(torch.equal(found[key], expected[key]) for key in expected)


@pytest.mark.parametrize("tokenizer", ["tokenizer", "tokenizer_2"])
def test_a_tokenizer_in_two_files_as_older_folders_have_it_gives_the_same_tokens(tokenizer: str, mine: Path) -> None:
    expected = load(mine)[tokenizer]
    path = mine / tokenizer / "tokenizer.json"
    model = json.loads(path.read_text("utf-8"))["model"]
    path.with_name("vocab.json").write_text(json.dumps(model["vocab"]), "utf-8")
    merges = "\n".join(" ".join(merge) for merge in model["merges"])
    path.with_name("merges.txt").write_text(f"#version: 0.2\n{merges}\n", "utf-8")
    path.unlink()
    found: CLIPTokenizer = load(mine)[tokenizer]
    for text in ("a photograph of a red fox", "딸기 케이크", ""):
        assert found(text).input_ids == expected(text).input_ids
    assert (found.pad_token_id, found.model_max_length) == (expected.pad_token_id, 77)


def test_a_tokenizer_without_its_words_is_refused(mine: Path) -> None:
    (mine / "tokenizer/tokenizer.json").unlink()
    with pytest.raises(CheckpointBroken, match=r"mine/tokenizer: found 2 tokens; its text encoder knows \d+"):
        load(mine)


@pytest.mark.parametrize("part", [*MODELS, "tokenizer", "tokenizer_2", "scheduler"])
def test_a_folder_without_one_of_its_parts_is_refused(part: str, mine: Path) -> None:
    shutil.rmtree(mine / part)
    with pytest.raises(CheckpointBroken, match=rf"(?i)mine\b.*({part}|no file named {part})"):
        load(mine)


@both_layouts
@both_libraries
def test_a_part_without_its_configuration_is_refused_instead_of_guessed(layout: str, model: str, mine: Path) -> None:
    there = change_in(layout, model, mine, lambda tensors: None)
    (mine / model / "config.json").unlink()
    with pytest.raises(CheckpointBroken, match=rf"/{model}: there is no config\.json in "):
        load_checkpoint(there, CPU)


def test_the_trap_of_these_tests_works(tmp_path: Path) -> None:
    pickle.loads(pickle.dumps(CreatesAFileWhenUnpickled(tmp_path / "sprung")))
    assert (tmp_path / "sprung").exists()


@every_model
def test_a_pickle_is_refused_unopened(model: str, mine: Path, tmp_path: Path) -> None:
    safe = mine / WEIGHT_FILES[model]
    name = "pytorch_model.bin" if safe.stem == "model" else f"{safe.stem}.bin"
    safe.with_name(name).write_bytes(pickle.dumps(CreatesAFileWhenUnpickled(tmp_path / "sprung")))
    safe.unlink()
    with pytest.raises(CheckpointBroken, match=rf"mine/{model}: .*\.safetensors files only; found {name}, a pickle"):
        load(mine)
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize("model", ONE_FILE_MODELS)
def test_a_pickled_vae_or_controlnet_is_refused_unopened(
    model: str, copied: Callable[[str], Path], tmp_path: Path
) -> None:
    safe = copied(model) / "diffusion_pytorch_model.safetensors"
    safe.with_suffix(".bin").write_bytes(pickle.dumps(CreatesAFileWhenUnpickled(tmp_path / "sprung")))
    safe.unlink()
    with pytest.raises(CheckpointBroken, match="a pickle, which can run code"):
        ONE_FILE_MODELS[model](located(safe.parent), CPU)
    assert not (tmp_path / "sprung").exists()


@both_libraries
def test_an_index_that_leads_to_pickles_is_refused(model: str, mine: Path, tmp_path: Path) -> None:
    safe = mine / WEIGHT_FILES[model]
    weight_map = dict.fromkeys(load_file(safe), "part.bin")
    index = {"metadata": {"total_size": 1}, "weight_map": weight_map}
    safe.with_name(f"{safe.name}.index.json").write_text(json.dumps(index), "utf-8")
    safe.with_name("part.bin").write_bytes(pickle.dumps(CreatesAFileWhenUnpickled(tmp_path / "sprung")))
    safe.rename(safe.with_name("other.safetensors"))
    with pytest.raises(CheckpointBroken, match=r"index\.json names part\.bin"):
        load(mine)
    assert not (tmp_path / "sprung").exists()


def test_weights_in_several_files_are_read_by_their_index(mine: Path) -> None:
    expected = load(mine)
    unet = UNet2DConditionModel.from_pretrained(mine, subfolder="unet")
    (mine / WEIGHT_FILES["unet"]).unlink()
    unet.save_pretrained(mine / "unet", max_shard_size="3MB")
    assert len(list((mine / "unet").glob("*-of-*.safetensors"))) > 1
    assert same_weights(load(mine), expected)


def test_models_are_what_the_libraries_own_loading_gives(mine: Path) -> None:
    parts = load(mine)
    theirs = {
        "unet": UNet2DConditionModel.from_pretrained(mine, subfolder="unet", dtype=torch.float32),
        "text_encoder": CLIPTextModel.from_pretrained(mine / "text_encoder", dtype=torch.float32),
        "text_encoder_2": CLIPTextModelWithProjection.from_pretrained(mine / "text_encoder_2", dtype=torch.float32),
    }
    assert same_weights(parts, theirs)
    for name, model in theirs.items():
        assert type(parts[name]) is type(model)
        ours = dict(parts[name].named_buffers())
        assert all(torch.equal(ours[key], buffer) for key, buffer in model.named_buffers())


@every_model
def test_one_file_beside_the_shards_of_an_index_is_refused_because_nobody_knows_which_is_meant(
    model: str, mine: Path
) -> None:
    safe = mine / WEIGHT_FILES[model]
    index = {"metadata": {"total_size": 1}, "weight_map": dict.fromkeys(load_file(safe), safe.name)}
    safe.with_name(f"{safe.name}.index.json").write_text(json.dumps(index), "utf-8")
    with pytest.raises(CheckpointBroken, match=rf"mine/{model}: found both {safe.name} and {safe.name}\.index\.json"):
        load(mine)


@both_layouts
@pytest.mark.parametrize("kind", [torch.int8, torch.float8_e4m3fn, torch.float64], ids=str)
def test_numbers_of_a_kind_that_nobody_draws_with_are_refused(kind: torch.dtype, layout: str, mine: Path) -> None:
    key = KEYS[layout]["unet"]
    odd = change_in(layout, "unet", mine, lambda tensors: tensors.update({key: tensors[key].to(kind)}))
    with pytest.raises(CheckpointBroken, match=r"\.bias is kept as \w+; allowed: float16, bfloat16 and float32"):
        load_checkpoint(odd, CPU)


def test_a_key_that_is_there_with_and_without_the_old_prefix_is_refused(mine: Path) -> None:
    key = KEYS["folder"]["text_encoder"]
    change(mine / WEIGHT_FILES["text_encoder"], lambda tensors: tensors.update({f"text_model.{key}": tensors[key] + 1}))
    with pytest.raises(CheckpointBroken, match=r"some weights are there twice, with and without text_model\."):
        load(mine)


def test_a_file_under_another_name_is_not_guessed_to_be_the_weights(mine: Path) -> None:
    safe = mine / WEIGHT_FILES["unet"]
    safe.rename(safe.with_name("my-unet.safetensors"))
    with pytest.raises(CheckpointBroken, match=rf"there is no {safe.name}; found my-unet\.safetensors"):
        load(mine)


@both_libraries
def test_a_truncated_file_is_refused_with_advice(model: str, mine: Path) -> None:
    path = mine / WEIGHT_FILES[model]
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(CheckpointBroken, match="if the files are not whole, copy or pull them again"):
        load(mine)


@pytest.mark.parametrize("left", [0, 1000, -100], ids=["nothing", "half a header", "most of it"])
def test_a_truncated_single_file_is_refused_with_advice(left: int, mine: Path, one_file: Path) -> None:
    one_file.write_bytes(one_file.read_bytes()[:left])
    with pytest.raises(CheckpointBroken, match="if the files are not whole, copy or pull them again"):
        load(one_file, config=mine)


@pytest.mark.parametrize("model", ONE_FILE_MODELS)
def test_a_truncated_vae_or_controlnet_is_refused(model: str, copied: Callable[[str], Path]) -> None:
    path = copied(model) / "diffusion_pytorch_model.safetensors"
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(CheckpointBroken):
        ONE_FILE_MODELS[model](located(path.parent), CPU)


def test_a_vae_that_would_run_in_single_precision_is_refused(copied: Callable[[str], Path]) -> None:
    vae = copied("vae")
    config = json.loads((vae / "config.json").read_text("utf-8"))
    (vae / "config.json").write_text(json.dumps({**config, "force_upcast": True}), "utf-8")
    with pytest.raises(CheckpointBroken, match=r"vae: the VAE has force_upcast set.*sdxl-vae-fp16-fix"):
        load_vae(located(vae), CPU)


@both_libraries
def test_of_two_variants_the_one_asked_for_is_read(model: str, mine: Path) -> None:
    plain = mine / WEIGHT_FILES[model]
    change(
        Path(shutil.copy(plain, plain.with_name(f"{plain.stem}.fp16.safetensors"))),
        lambda tensors: tensors[KEYS["folder"][model]].fill_(2),
    )
    values = [
        load(mine, variant=variant)[model].state_dict()[KEYS["folder"][model]].unique().tolist()
        for variant in (None, "fp16")
    ]
    assert values[0] != [2.0]
    assert values[1] == [2.0]


def test_a_folder_with_nothing_but_the_variant_is_read(mine: Path) -> None:
    expected = load(mine)
    for name in WEIGHT_FILES.values():
        (mine / name).rename(mine / name.replace(".safetensors", ".fp16.safetensors"))
    assert same_weights(load(mine, variant="fp16"), expected)


def test_a_folder_without_the_variant_asked_for_is_read_as_it_is(mine: Path) -> None:
    assert same_weights(load(mine, variant="fp16"), load(mine))


@pytest.mark.parametrize("layout", ["folder", "single file"])
def test_an_error_somebody_holds_on_to_keeps_nothing_loaded(layout: str, mine: Path, one_file: Path) -> None:
    def parameters() -> int:
        gc.collect()
        return sum(type(thing) is torch.nn.Parameter for thing in gc.get_objects())

    shutil.rmtree(mine / "scheduler")
    before = parameters()
    with pytest.raises(CheckpointBroken) as held:
        load(mine if layout == "folder" else one_file, config=mine)
    assert parameters() == before
    assert held.value.__traceback__ is not None
