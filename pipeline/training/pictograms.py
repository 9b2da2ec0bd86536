"""The objects that three free pictogram sets have in common, each drawn in three styles."""

import io
import json
import subprocess
import tarfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pipeline.builtin.networks import STYLES
from store.errors import SettingsInvalid

# the newest ones tried; other releases have other pictures
PACKAGES: Final = (
    "@lobehub/fluent-emoji-3d@1.1.0",
    "@iconify-json/noto@1.2.9",
    "@iconify-json/fluent-emoji-flat@1.2.6",
    "emojibase-data@17.0.0",
)
_RENDERED, _NOTO, _FLAT, _NAMES = (name.rpartition("@")[0].strip("@").replace("/", "-") for name in PACKAGES)
# flags, symbols and components of other pictures are no objects
_LEFT_OUT: Final = {"flags", "symbols", "component"}
_KEYCAP, _VARIANT, _SKIN_TONES = "20e3", "fe0f", frozenset(("1f3fb", "1f3fc", "1f3fd", "1f3fe", "1f3ff"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Pictogram:
    """One object: its code points, its name, words that go with it, and other names people have for it."""

    code: str
    name: str
    korean: str
    words: tuple[str, ...]
    names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Pictograms:
    """All objects; pictures: by style one array (objects, size, size, 4), RGBA, uint8, in the order of objects."""

    objects: tuple[Pictogram, ...]
    pictures: Mapping[str, NDArray[np.uint8]]


def fetch(folder: Path) -> None:
    """Download the packages into folder with npm, each once; raises CalledProcessError where npm fails."""
    folder.mkdir(parents=True, exist_ok=True)
    for package in PACKAGES:
        if not list(folder.glob(f"{package.rpartition('@')[0].strip('@').replace('/', '-')}-*.tgz")):
            # the arguments are the constants above
            subprocess.run(["npm", "pack", "--silent", package], cwd=folder, check=True)  # noqa: S603, S607


def read(folder: Path, size: int) -> Pictograms:
    """The objects whose packages `fetch` put into folder, in pictures of size x size pixels.

    Raises SettingsInvalid where a package is missing.
    """
    cached = folder / f"pictograms-{size}.npz"
    if not cached.is_file():
        _cache(folder, cached, size)
    with np.load(cached) as arrays:
        objects = tuple(
            Pictogram(**{**entry, "words": tuple(entry["words"])}) for entry in json.loads(str(arrays["objects"]))
        )
        return Pictograms(objects=objects, pictures={style: arrays[style] for style in STYLES})


def _cache(folder: Path, cached: Path, size: int) -> None:
    names = list(_names(folder))
    drawn = [_rendered(folder, size), _vectors(folder, _NOTO, size), _vectors(folder, _FLAT, size)]
    wanted = {entry["code"] for entry in names}
    found = [{code: picture for code, picture in pictures if code in wanted} for pictures in drawn]
    shared = [entry for entry in names if all(entry["code"] in pictures for pictures in found)]
    arrays = {
        style: np.stack([pictures[entry["code"]] for entry in shared])
        for style, pictures in zip(STYLES, found, strict=True)
    }
    temporary = cached.with_suffix(".part.npz")
    np.savez(temporary, objects=np.array(json.dumps(shared)), **arrays)  # type: ignore[arg-type]
    temporary.rename(cached)


def _names(folder: Path) -> Iterator[dict[str, Any]]:
    groups = _json(folder, _NAMES, "meta/groups.json")["groups"]
    korean = {entry["hexcode"]: entry["label"] for entry in _json(folder, _NAMES, "ko/data.json")}
    for entry in _json(folder, _NAMES, "en/data.json"):
        code = _code(entry["hexcode"])
        group = groups.get(str(entry.get("group")))
        if group is None or group in _LEFT_OUT or _KEYCAP in code or _SKIN_TONES & set(code.split("-")):
            continue
        yield {
            "code": code,
            "name": entry["label"],
            "korean": korean.get(entry["hexcode"], ""),
            "words": entry.get("tags", []),
        }


def _rendered(folder: Path, size: int) -> Iterator[tuple[str, NDArray[np.uint8]]]:
    with tarfile.open(_package(folder, _RENDERED)) as archive:
        for member in archive:
            if member.name.endswith(".webp") and (file := archive.extractfile(member)) is not None:
                yield _code(Path(member.name).stem), _square(Image.open(io.BytesIO(file.read())), size)


def _vectors(folder: Path, package: str, size: int) -> Iterator[tuple[str, NDArray[np.uint8]]]:
    # only training needs it
    import resvg_py

    drawings = _json(folder, package, "icons.json")
    for code, called in _json(folder, package, "chars.json").items():
        name = drawings.get("aliases", {}).get(called, {}).get("parent", called)
        if name in drawings["icons"] and not _SKIN_TONES & set(code.split("-")):
            svg = (
                f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {drawings["width"]} {drawings["height"]}">'
                f"{drawings['icons'][name]['body']}</svg>"
            )
            png = resvg_py.svg_to_bytes(svg_string=svg, width=size, height=size, skip_system_fonts=True)
            yield _code(code), _square(Image.open(io.BytesIO(bytes(png))), size)


def _square(picture: Image.Image, size: int) -> NDArray[np.uint8]:
    picture = picture.convert("RGBA")
    if picture.size != (size, size):
        picture = picture.resize((size, size), Image.Resampling.LANCZOS)
    return np.asarray(picture)


def _json(folder: Path, package: str, name: str) -> Any:
    with tarfile.open(_package(folder, package)) as archive:
        file = archive.extractfile(f"package/{name}")
        if file is None:
            raise SettingsInvalid(f"{package} holds no {name}; delete it and fetch again")
        return json.load(file)


def _package(folder: Path, name: str) -> Path:
    found = sorted(folder.glob(f"{name}-*.tgz"))
    if not found:
        raise SettingsInvalid(f"{folder} holds no package {name}; run the training's fetch step first")
    return found[-1]


def _code(text: str) -> str:
    return "-".join(part for part in text.lower().split("-") if part != _VARIANT)
