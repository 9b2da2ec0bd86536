"""`imagegen generate`: one picture, without inbox and outbox."""

import signal
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape

from store.errors import InvalidField
from watcher.commands.options import Config, ModelsOption, NegativePrompt, Reference, Seed
from watcher.hall import open_generator
from watcher.settings import load_settings

_FORMATS = {".png": "png", ".webp": "webp", ".jpg": "jpeg", ".jpeg": "jpeg"}


def generate(
    prompt: Annotated[str, typer.Argument(help="What to draw.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="File to write; .png, .webp or .jpg.")],
    reference: Reference = None,
    style: Annotated[str, typer.Option(help="auto, ultra_realistic, semi_realistic or anime.")] = "auto",
    negative_prompt: NegativePrompt = None,
    width: Annotated[int | None, typer.Option(help="Pixels; with --height.")] = None,
    height: Annotated[int | None, typer.Option(help="Pixels; with --width.")] = None,
    steps: Annotated[int | None, typer.Option(help="Denoising steps.")] = None,
    guidance_scale: Annotated[float | None, typer.Option(help="How closely to follow the prompt.")] = None,
    seed: Seed = None,
    num_images: Annotated[int, typer.Option(help="More than one are numbered: out-1.png, out-2.png, …")] = 1,
    models: ModelsOption = None,
    config: Config = None,
) -> None:
    """Draw one prompt into a file: the same pipeline, without inbox and outbox."""
    settings = load_settings(config, models=models)
    # Ctrl-C ends at once: nothing is written before everything is drawn
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    parameters: dict[str, Any] = {
        "style": style,
        "negative_prompt": negative_prompt,
        "width": width,
        "height": height,
        "steps": steps,
        "guidance_scale": guidance_scale,
        "seed": seed,
        "num_images": num_images,
        "output_format": _format_of(output),
    }
    if reference is not None and not reference.is_file():
        raise InvalidField(f"reference: {reference} is not a file", field="reference_image")
    given = {name: value for name, value in parameters.items() if value is not None}
    drawing = open_generator(settings).generate_image(prompt, reference, **given)
    output.parent.mkdir(parents=True, exist_ok=True)
    console = Console()
    for number, image in enumerate(drawing.images, start=1):
        path = output if len(drawing.images) == 1 else output.with_stem(f"{output.stem}-{number}")
        path.write_bytes(image.data)
        console.print(
            f"{path}  {image.width}x{image.height}  seed {image.seed}", highlight=False, markup=False, soft_wrap=True
        )
    for warning in drawing.warnings:
        console.print(f"[yellow]warning[/] {escape(warning)}", highlight=False)


def _format_of(path: Path) -> str:
    if path.suffix.lower() not in _FORMATS:
        raise InvalidField(f"output: found {path.suffix!r}; allowed: {', '.join(_FORMATS)}", field="output_format")
    return _FORMATS[path.suffix.lower()]
