"""Checkpoints come from the hub, or a stand-in that speaks like it, and are found, listed and verified."""

import fcntl
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pipeline.choice import CHECKPOINT, choose
from pipeline.download import pull
from pipeline.lock import Lock, read_lock, verify, write_lock
from pipeline.pulled import PulledWeights, status
from pipeline.styles import load_styles
from pipeline.weights import digest_of_folder
from store.errors import CheckpointBroken, CheckpointMissing, DownloadFailed, SettingsInvalid, StoreUnavailable
from tests.hub import Hub, running_hub

REALISTIC, SEMI, ANIME = (load_styles().find(name) for name in ("ultra_realistic", "semi_realistic", "anime"))
VAE, CONTROLNET = load_styles().vae, load_styles().controlnet
MIB = 1024 * 1024
SHIPPED = (VAE, CONTROLNET, REALISTIC, SEMI, ANIME)

# what `imagegen models pull` does, in a process of its own: the hub client reads its environment on import
DRIVER = """
import json, sys
from dataclasses import asdict
from pathlib import Path
from pipeline.download import pull
from pipeline.styles import load_styles
from store.errors import ServiceError

order, said, answer = json.load(sys.stdin), [], {"error": None, "pulled": []}
try:
    pulled = pull(Path(order["folder"]), load_styles(order["overrides"]), order["names"], said.append)
    answer["pulled"] = [asdict(one) for one in pulled]
except ServiceError as error:
    answer["error"] = {"code": error.code, "message": error.message, "retryable": error.retryable}
print(json.dumps({**answer, "said": said, "torch": "torch" in sys.modules}))
"""


def weights(folder: str, stem: str, *infixes: str) -> dict[str, bytes]:
    """A model's folder as hubs have it: configuration, safetensors, and a pickle of the same."""
    names = [f"{stem}{infix}.safetensors" for infix in infixes]
    names += ["pytorch_model.bin"] if stem == "model" else ["diffusion_pytorch_model.bin", "diffusion_flax.msgpack"]
    return {f"{folder}/{name}": f"{folder}/{name}".encode() * 50 for name in names} | {f"{folder}/config.json": b"{}\n"}


def checkpoint_files(*infixes: str, salt: bytes = b"") -> dict[str, bytes]:
    """The listing of an SDXL repository, with all that nobody here needs."""
    files = {
        "README.md": b"# a model\n",
        ".gitattributes": b"*.safetensors filter=lfs\n",
        "model_index.json": b'{"_class_name": "StableDiffusionXLPipeline"}\n',
        "whole-model.safetensors": b"all in one file" * 100,
        "whole-model.ckpt": b"a pickle" * 100,
        "scheduler/scheduler_config.json": b"{}\n",
        "text_encoder/model.onnx": b"onnx" * 50,
        **weights("unet", "diffusion_pytorch_model", *infixes),
        **weights("vae", "diffusion_pytorch_model", *infixes),
        **weights("text_encoder", "model", *infixes),
        **weights("text_encoder_2", "model", *infixes),
    }
    for tokenizer in ("tokenizer", "tokenizer_2"):
        files |= {f"{tokenizer}/{name}": b"{}\n" for name in ("vocab.json", "merges.txt", "tokenizer_config.json")}
    return files | {"unet/diffusion_pytorch_model.safetensors": b"the unet" * 99 + salt}


def one_model_files(*others: str) -> dict[str, bytes]:
    files = {"config.json": b"{}\n", "README.md": b"# a model\n"}
    names = ("diffusion_pytorch_model.safetensors", "diffusion_pytorch_model.bin", *others)
    return files | {name: name.encode() * 50 for name in names}


def fill(hub: Hub) -> None:
    """Publish the five repositories the shipped styles name, each with the shape of the real one."""
    hub.publish(REALISTIC.repo, checkpoint_files("", ".fp16"), REALISTIC.revision)
    hub.publish(SEMI.repo, checkpoint_files(""))
    hub.publish(ANIME.repo, checkpoint_files(""), ANIME.revision)
    hub.publish(VAE.repo, one_model_files("sdxl_vae.safetensors", "sdxl.vae.safetensors"))
    hub.publish(CONTROLNET.repo, one_model_files("diffusion_pytorch_model_V2.safetensors"))


@pytest.fixture
def hub() -> Iterator[Hub]:
    with running_hub() as hub:
        fill(hub)
        yield hub


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "models"


def pull_from(
    hub_url: str,
    folder: Path,
    *names: str,
    overrides: dict[str, Any] | None = None,
    **environment: str,
) -> dict[str, Any]:
    """Run the pull as a user would, with nothing but HF_ENDPOINT to lead it here."""
    clean = {
        key: value for key, value in os.environ.items() if not key.startswith("HF_") and "proxy" not in key.lower()
    }
    home = folder.parent / "home"
    settings = {
        "HF_ENDPOINT": hub_url,
        "HF_HOME": str(home),
        "HF_HUB_DISABLE_XET": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
    }
    order = {"folder": str(folder), "overrides": overrides or {}, "names": list(names) or None}
    process = subprocess.run(
        [sys.executable, "-W", "error", "-c", DRIVER],
        input=json.dumps(order),
        env={**clean, **settings, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert process.returncode == 0, process.stderr
    answer: dict[str, Any] = json.loads(process.stdout)
    return answer


@pytest.fixture(scope="module")
def everything(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Hub, Path, dict[str, Any]]]:
    """All styles, pulled once for the tests that only look."""
    folder = tmp_path_factory.mktemp("everything") / "models"
    with running_hub() as hub:
        fill(hub)
        answer = pull_from(hub.url, folder)
        yield hub, folder, answer


@pytest.fixture
def pulled(everything: tuple[Hub, Path, dict[str, Any]], folder: Path) -> Path:
    """A copy of all that was pulled, free to be damaged."""
    shutil.copytree(everything[1], folder)
    return folder


def files_of(hub: Hub, repo: str) -> set[str]:
    return {file.removeprefix(f"{repo}/") for file in hub.fetched if file.startswith(repo)}


def test_a_pull_follows_the_endpoint_of_the_environment_and_never_imports_torch(
    everything: tuple[Hub, Path, dict[str, Any]],
) -> None:
    hub, _, answer = everything
    assert answer["error"] is None
    assert {one["repo"] for one in answer["pulled"]} == {one.repo for one in SHIPPED}
    assert hub.fetched
    assert answer["torch"] is False


def test_the_checkpoints_own_vae_and_fp32_duplicates_are_never_fetched(
    everything: tuple[Hub, Path, dict[str, Any]],
) -> None:
    fetched = files_of(everything[0], REALISTIC.repo)
    assert {name for name in fetched if name.endswith(".safetensors")} == {
        "unet/diffusion_pytorch_model.fp16.safetensors",
        "text_encoder/model.fp16.safetensors",
        "text_encoder_2/model.fp16.safetensors",
    }
    assert not [name for name in fetched if name.startswith("vae/")]


def test_settings_and_tokenizers_come_but_no_pickles_and_no_single_files(
    everything: tuple[Hub, Path, dict[str, Any]],
) -> None:
    assert files_of(everything[0], ANIME.repo) == {
        "model_index.json",
        "scheduler/scheduler_config.json",
        "text_encoder/config.json",
        "text_encoder/model.safetensors",
        "text_encoder_2/config.json",
        "text_encoder_2/model.safetensors",
        "tokenizer/merges.txt",
        "tokenizer/tokenizer_config.json",
        "tokenizer/vocab.json",
        "tokenizer_2/merges.txt",
        "tokenizer_2/tokenizer_config.json",
        "tokenizer_2/vocab.json",
        "unet/config.json",
        "unet/diffusion_pytorch_model.safetensors",
    }


@pytest.mark.parametrize("repo", [VAE.repo, CONTROLNET.repo])
def test_of_a_shared_model_only_its_one_weight_file_comes(
    everything: tuple[Hub, Path, dict[str, Any]], repo: str
) -> None:
    assert files_of(everything[0], repo) == {"config.json", "diffusion_pytorch_model.safetensors"}


def test_the_lock_says_which_commit_and_which_bytes(everything: tuple[Hub, Path, dict[str, Any]]) -> None:
    hub, folder, _ = everything
    commit = hub.at(SEMI.repo, None)
    assert commit is not None
    text = (folder / "models.lock").read_text("utf-8")
    locked = read_lock(folder).repositories[SEMI.repo]
    assert (SEMI.revision, locked.revision) == (None, commit[0])
    unet = "unet/diffusion_pytorch_model.safetensors"
    assert locked.files[unet].bytes == len(commit[1][unet])
    assert json.dumps(json.loads(text), indent=2, sort_keys=True) + "\n" == text


def test_pulled_weights_are_found_and_named_by_their_bytes(everything: tuple[Hub, Path, dict[str, Any]]) -> None:
    _, folder, _ = everything
    found = PulledWeights(folder, load_styles())
    located = found.checkpoint(REALISTIC)
    assert located.path == folder / "SG161222--RealVisXL_V4.0"
    assert (located.variant, located.record.revision) == ("fp16", REALISTIC.revision)
    assert located.record.sha256 == digest_of_folder(located.path)
    assert found.checkpoint(ANIME).variant is None
    assert found.vae(VAE).record.repo == VAE.repo
    assert found.controlnet(CONTROLNET).path.is_dir()


def test_what_was_never_pulled_is_missing_and_the_message_has_the_command(folder: Path) -> None:
    weights = PulledWeights(folder, load_styles())
    with pytest.raises(CheckpointMissing, match="`imagegen models pull --style anime`"):
        weights.checkpoint(ANIME)
    with pytest.raises(CheckpointMissing, match="`imagegen models pull`"):
        weights.vae(VAE)


def test_a_lost_vae_is_brought_back_without_the_checkpoints_nobody_pulled(pulled: Path) -> None:
    held = read_lock(pulled).repositories
    write_lock(pulled, Lock(repositories={repo: held[repo] for repo in (ANIME.repo, VAE.repo)}))
    shutil.rmtree(pulled / "madebyollin--sdxl-vae-fp16-fix")
    with pytest.raises(CheckpointMissing, match="`imagegen models pull --style anime`"):
        PulledWeights(pulled, load_styles()).vae(VAE)


def test_a_new_revision_in_the_style_asks_for_a_pull(pulled: Path) -> None:
    styles = load_styles({"anime": {"revision": "f" * 40}})
    with pytest.raises(CheckpointMissing, match=f"revision {'f' * 40}.*holds {ANIME.revision}"):
        PulledWeights(pulled, styles).checkpoint(styles.find("anime"))


def test_a_truncated_file_is_named_before_anything_is_loaded(pulled: Path) -> None:
    unet = pulled / "cagliostrolab--animagine-xl-3.1/unet/diffusion_pytorch_model.safetensors"
    os.truncate(unet, 3)
    with pytest.raises(CheckpointBroken, match=r"unet/diffusion_pytorch_model\.safetensors: found 3 bytes.*verify"):
        PulledWeights(pulled, load_styles()).checkpoint(ANIME)


def test_a_lock_that_is_not_json_says_what_to_do(pulled: Path) -> None:
    (pulled / "models.lock").write_text("<<<<<<< HEAD\n", "utf-8")
    with pytest.raises(CheckpointBroken, match=r"models\.lock: Invalid JSON.*delete it"):
        status(pulled, load_styles())


@pytest.mark.parametrize("name", ["../outside", "/etc/passwd", "unet/../../outside", ".hidden"])
def test_a_lock_cannot_name_files_outside_its_folder(folder: Path, name: str) -> None:
    entry = {"revision": "0" * 40, "variant": None, "files": {name: {"sha256": "0" * 64, "bytes": 1}}}
    folder.mkdir()
    (folder / "models.lock").write_text(json.dumps({"repositories": {"a/b": entry}}), "utf-8")
    with pytest.raises(CheckpointBroken, match=r"repositories\.a/b\.files"):
        read_lock(folder)


def test_verify_reads_every_byte_and_names_every_flaw(pulled: Path) -> None:
    anime = pulled / "cagliostrolab--animagine-xl-3.1"
    (anime / "tokenizer/vocab.json").unlink()
    (anime / "text_encoder/config.json").write_bytes(b"")
    unet = anime / "unet/diffusion_pytorch_model.safetensors"
    unet.write_bytes(bytes(len(unet.read_bytes())))
    found = verify(pulled, print)
    assert [(flaw.file, flaw.kind) for flaw in found.flaws] == [
        ("text_encoder/config.json", "wrong_size"),
        ("tokenizer/vocab.json", "missing"),
        ("unet/diffusion_pytorch_model.safetensors", "wrong_bytes"),
    ]
    assert not found.ok


def test_verify_finds_nothing_wrong_with_a_fresh_pull(everything: tuple[Hub, Path, dict[str, Any]]) -> None:
    found = verify(everything[1], print)
    assert found.ok
    assert (found.repositories, found.files) == (5, 46)


def test_the_list_tells_present_from_incomplete_missing_and_local(pulled: Path, tmp_path: Path) -> None:
    (pulled / "cagliostrolab--animagine-xl-3.1/unet/config.json").unlink()
    shutil.rmtree(pulled / "xinsir--controlnet-canny-sdxl-1.0")
    styles = load_styles({"semi_realistic": {"checkpoint": str(tmp_path)}})
    states = {listed.name: listed.state for listed in status(pulled, styles)}
    assert states == {
        "ultra_realistic": "present",
        "semi_realistic": "local",
        "anime": "incomplete",
        "vae": "present",
        "controlnet": "missing",
    }


def test_the_list_gives_one_line_a_repository_with_its_licence_and_users(pulled: Path) -> None:
    styles = load_styles({"food": {"based_on": "ultra_realistic", "steps": 40}})
    listed = {one.name: one for one in status(pulled, styles)}
    assert listed["ultra_realistic"].styles == ("ultra_realistic", "food")
    assert listed["ultra_realistic"].licence == "openrail++"
    assert listed["ultra_realistic"].bytes > 0
    assert listed["vae"].styles == tuple(styles.styles)
    assert "food" not in listed


def test_a_repeated_pull_asks_the_hub_nothing_and_keeps_the_revision(hub: Hub, pulled: Path) -> None:
    before = read_lock(pulled)
    newer = hub.publish(SEMI.repo, checkpoint_files("", salt=b"newer"))
    answer = pull_from(hub.url, pulled)
    assert hub.asked == []
    assert [one["fetched"] for one in answer["pulled"]] == [False] * 5
    assert read_lock(pulled) == before
    assert newer not in {one["revision"] for one in answer["pulled"]}


def test_a_lost_file_comes_from_the_revision_of_the_first_pull_not_from_the_newest(hub: Hub, pulled: Path) -> None:
    hub.publish(SEMI.repo, checkpoint_files("", salt=b"newer"))
    located = PulledWeights(pulled, load_styles()).checkpoint(SEMI)
    (located.path / "unet/diffusion_pytorch_model.safetensors").unlink()
    answer = pull_from(hub.url, pulled, "semi_realistic")
    assert [one["revision"] for one in answer["pulled"] if one["fetched"]] == [located.record.revision]
    assert digest_of_folder(located.path) == located.record.sha256


def test_a_missing_variant_is_reported_and_the_plain_weights_come(hub: Hub, folder: Path) -> None:
    answer = pull_from(hub.url, folder, "anime", overrides={"anime": {"variant": "fp16"}})
    assert [line for line in answer["said"] if "warning" in line and "'fp16'" in line and ANIME.repo in line]
    assert read_lock(folder).repositories[ANIME.repo].variant is None


def test_a_cut_connection_is_taken_up_where_it_broke(hub: Hub, folder: Path) -> None:
    weights_name = "diffusion_pytorch_model.safetensors"
    hub.publish(VAE.repo, {"config.json": b"{}\n", weights_name: os.urandom(24 * MIB)})
    hub.cut_once.add(f"{VAE.repo}/{weights_name}")
    assert pull_from(hub.url, folder, "anime")["error"] is None
    # the client writes pieces of 10 MiB, and the cut came after 12
    assert hub.ranges == {f"{VAE.repo}/{weights_name}": f"bytes={10 * MIB}-"}


def test_a_failed_pull_keeps_what_came_and_the_next_one_fetches_only_the_rest(hub: Hub, folder: Path) -> None:
    unet = f"{ANIME.repo}/unet/diffusion_pytorch_model.safetensors"
    hub.answered_with[unet] = 500
    answer = pull_from(hub.url, folder, "anime")
    assert (answer["error"]["code"], answer["error"]["retryable"]) == ("download_failed", True)
    assert ANIME.repo in answer["error"]["message"]
    assert set(read_lock(folder).repositories) == {VAE.repo, CONTROLNET.repo}
    assert {one.name: one.state for one in status(folder, load_styles())}["anime"] == "incomplete"
    before = set(hub.fetched) - {unet}
    hub.answered_with.clear()
    hub.asked.clear()
    assert pull_from(hub.url, folder, "anime")["error"] is None
    assert unet in hub.fetched
    assert not before & set(hub.fetched)


def test_wrong_bytes_never_enter_the_lock_and_are_fetched_anew(hub: Hub, folder: Path) -> None:
    unet = "unet/diffusion_pytorch_model.safetensors"
    hub.garbled = {f"{ANIME.repo}/{unet}"}
    answer = pull_from(hub.url, folder, "anime")
    assert answer["error"]["code"] == "checkpoint_broken"
    assert f"{ANIME.repo}/{unet}" in answer["error"]["message"]
    assert not (folder / "cagliostrolab--animagine-xl-3.1" / unet).exists()
    assert ANIME.repo not in read_lock(folder).repositories
    hub.garbled = set()
    assert pull_from(hub.url, folder, "anime")["error"] is None


def test_wrong_bytes_outside_lfs_are_noticed_too(hub: Hub, folder: Path) -> None:
    hub.garbled = {f"{VAE.repo}/config.json"}
    answer = pull_from(hub.url, folder, "anime")
    assert answer["error"]["code"] == "checkpoint_broken"


def test_a_file_that_rotted_on_disk_is_mended_by_a_pull(hub: Hub, pulled: Path) -> None:
    unet = pulled / "cagliostrolab--animagine-xl-3.1/unet/diffusion_pytorch_model.safetensors"
    stamp = unet.stat().st_mtime_ns
    unet.write_bytes(bytes(len(unet.read_bytes())))
    os.utime(unet, ns=(stamp, stamp))
    hub.asked.clear()
    assert pull_from(hub.url, pulled, "anime")["error"] is None
    assert hub.fetched == [f"{ANIME.repo}/unet/diffusion_pytorch_model.safetensors"]
    assert verify(pulled, print).ok


def test_other_bytes_at_the_same_revision_are_refused_even_if_the_hub_vouches_for_them(hub: Hub, pulled: Path) -> None:
    (pulled / "cagliostrolab--animagine-xl-3.1/unet/diffusion_pytorch_model.safetensors").unlink()
    shutil.rmtree(pulled / "cagliostrolab--animagine-xl-3.1/.cache")
    hub.publish(ANIME.repo, checkpoint_files("", salt=b"swapped"), ANIME.revision)
    answer = pull_from(hub.url, pulled, "anime")
    assert answer["error"]["code"] == "checkpoint_broken"
    assert "models.lock" in answer["error"]["message"]


def test_another_pinned_revision_replaces_the_files(hub: Hub, pulled: Path) -> None:
    files = {**checkpoint_files("", salt=b"newer"), "tokenizer/added_tokens.json": b"{}\n"}
    del files["tokenizer/tokenizer_config.json"]
    newer = hub.publish(ANIME.repo, files)
    changed = {"anime": {"revision": newer}}
    hub.asked.clear()
    assert pull_from(hub.url, pulled, "anime", overrides=changed)["error"] is None
    located = PulledWeights(pulled, load_styles(changed)).checkpoint(load_styles(changed).find("anime"))
    assert located.record.revision == newer
    assert located.record.sha256 == digest_of_folder(located.path)
    assert not (located.path / "tokenizer/tokenizer_config.json").exists()
    assert files_of(hub, ANIME.repo) == {"unet/diffusion_pytorch_model.safetensors", "tokenizer/added_tokens.json"}


def test_an_update_that_fails_halfway_leaves_no_mixture_to_draw_with(hub: Hub, pulled: Path) -> None:
    newer = hub.publish(ANIME.repo, checkpoint_files("", salt=b"newer"))
    hub.answered_with[f"{ANIME.repo}/unet/diffusion_pytorch_model.safetensors"] = 500
    assert pull_from(hub.url, pulled, "anime", overrides={"anime": {"revision": newer}})["error"]["retryable"]
    with pytest.raises(CheckpointMissing):
        PulledWeights(pulled, load_styles()).checkpoint(ANIME)


def test_a_vanished_repository_is_named_and_the_others_still_come(hub: Hub, folder: Path) -> None:
    gone = {"semi_realistic": {"repo": "nobody/vanished", "revision": "e" * 40}}
    answer = pull_from(hub.url, folder, overrides=gone)
    assert (answer["error"]["code"], answer["error"]["retryable"]) == ("checkpoint_missing", False)
    for word in ("nobody/vanished", "e" * 40, "imagegen.toml", "styles.semi_realistic"):
        assert word in answer["error"]["message"]
    assert ANIME.repo in read_lock(folder).repositories


def test_an_unknown_revision_is_named_with_its_repository(hub: Hub, folder: Path) -> None:
    answer = pull_from(hub.url, folder, "anime", overrides={"anime": {"revision": "d" * 40}})
    assert answer["error"]["code"] == "checkpoint_missing"
    assert f"{ANIME.repo} at revision {'d' * 40}" in answer["error"]["message"]


def test_a_gated_repository_says_that_a_token_is_needed(hub: Hub, folder: Path) -> None:
    hub.gated.add(ANIME.repo)
    answer = pull_from(hub.url, folder, "anime")
    assert answer["error"]["code"] == "checkpoint_missing"
    assert "HF_TOKEN" in answer["error"]["message"]
    assert "accept" in answer["error"]["message"]


def test_no_network_is_a_failed_download_that_may_be_repeated(folder: Path) -> None:
    with running_hub() as stopped:
        url = stopped.url
    answer = pull_from(url, folder, "anime")
    assert (answer["error"]["code"], answer["error"]["retryable"]) == ("download_failed", True)
    assert "check the network" in answer["error"]["message"]


def test_offline_mode_is_named_as_the_reason(hub: Hub, folder: Path) -> None:
    answer = pull_from(hub.url, folder, "anime", HF_HUB_OFFLINE="1")
    assert answer["error"]["code"] == "download_failed"
    assert "HF_HUB_OFFLINE" in answer["error"]["message"]


def test_a_disk_that_is_too_small_is_noticed_before_the_first_byte(hub: Hub, folder: Path) -> None:
    hub.claimed_sizes[f"{VAE.repo}/diffusion_pytorch_model.safetensors"] = 10**18
    answer = pull_from(hub.url, folder, "anime")
    assert answer["error"]["code"] == "store_full"
    assert hub.fetched == []


def test_what_a_killed_pull_left_behind_is_cleared_away(hub: Hub, pulled: Path) -> None:
    anime = pulled / "cagliostrolab--animagine-xl-3.1"
    leftover = anime / ".cache/huggingface/download/unet/abc.0123.incomplete"
    leftover.write_bytes(bytes(1000))
    (anime / "unet/diffusion_pytorch_model.safetensors").unlink()
    assert pull_from(hub.url, pulled, "anime")["error"] is None
    assert not leftover.exists()


def test_a_models_folder_that_is_a_file_is_an_error_of_ours(tmp_path: Path) -> None:
    (tmp_path / "models").write_bytes(b"")
    with pytest.raises(StoreUnavailable, match="models folder cannot be written"):
        pull(tmp_path / "models", load_styles(), None, print)


def test_one_pull_at_a_time(folder: Path) -> None:
    folder.mkdir()
    with (folder / ".pull.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        with pytest.raises(DownloadFailed, match="another `imagegen models pull` is at work"):
            pull(folder, load_styles(), None, print)


def test_two_styles_cannot_want_one_repository_at_two_revisions(folder: Path) -> None:
    styles = load_styles({"other": {"based_on": "anime", "revision": "c" * 40}})
    with pytest.raises(SettingsInvalid, match=r"'other'.*different revisions"):
        pull(folder, styles, None, print)


def test_shards_come_with_the_index_of_their_variant_only() -> None:
    names = set(checkpoint_files("", ".fp16")) - {"unet/diffusion_pytorch_model.fp16.safetensors"}
    unet = {
        "unet/diffusion_pytorch_model.fp16-00001-of-00002.safetensors",
        "unet/diffusion_pytorch_model.fp16-00002-of-00002.safetensors",
        "unet/diffusion_pytorch_model.safetensors.index.fp16.json",
    }
    plain = {
        "unet/diffusion_pytorch_model-00001-of-00001.safetensors",
        "unet/diffusion_pytorch_model.safetensors.index.json",
    }
    chosen = choose("a/b", names | unet | plain, CHECKPOINT, "fp16")
    assert {name for name in chosen.files if name.startswith("unet/diff")} == unet


def test_a_variant_that_one_folder_lacks_is_not_taken_at_all() -> None:
    names = set(checkpoint_files("", ".fp16")) - {"text_encoder/model.fp16.safetensors"}
    chosen = choose("a/b", names, CHECKPOINT, "fp16")
    assert chosen.variant is None
    assert not [name for name in chosen.files if "fp16" in name]


def test_a_repository_with_pickles_only_is_refused_by_name() -> None:
    names = {name for name in checkpoint_files("") if not name.endswith(".safetensors")}
    with pytest.raises(CheckpointMissing, match=r"a/b: found nothing to load for unet, text_encoder, text_encoder_2"):
        choose("a/b", names, CHECKPOINT, None)
