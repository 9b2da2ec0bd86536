"""`imagegen prompt`: what a request's words become, without drawing anything."""

import json
import sys
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape

from pipeline.admission import admit
from pipeline.prompt.decide import Decided, decide_from
from pipeline.prompt.keywords import extract
from pipeline.request import GenerationRequest
from pipeline.sizes import Size, resolve_size
from watcher.commands.options import Config, ModelsOption, NegativePrompt
from watcher.commands.tables import prompts_table, wide_console
from watcher.hall import configured_extractor, configured_styles
from watcher.settings import load_settings


def prompt(
    words: Annotated[str, typer.Argument(metavar="PROMPT", help="What to draw, in Korean or English.")],
    user_input: Annotated[str | None, typer.Option(help="Extra words of the end user.")] = None,
    style: Annotated[str, typer.Option(help="auto, ultra_realistic, semi_realistic or anime.")] = "auto",
    purpose: Annotated[str | None, typer.Option(help="feed, story, banner, poster, menu, product, …")] = None,
    negative_prompt: NegativePrompt = None,
    aspect_ratio: Annotated[str | None, typer.Option(help="1:1, 3:4, 16:9, …")] = None,
    all_styles: Annotated[bool, typer.Option("--all-styles", help="Every style, side by side.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")] = False,
    models: ModelsOption = None,
    config: Config = None,
) -> None:
    """Show the style and the prompts these words lead to, and why; needs no GPU."""
    settings = load_settings(config, models=models)
    styles = configured_styles(settings)
    given = {
        "prompt": words,
        "user_input": user_input,
        "style": style,
        "purpose": purpose,
        "negative_prompt": negative_prompt,
        "aspect_ratio": aspect_ratio,
    }
    document = {name: value for name, value in given.items() if value is not None}
    request = admit(document, settings.drawing.limits, styles.names)
    keywords = extract(request, configured_extractor(settings))
    names = list(styles.styles) if all_styles else []
    chosen = _shown(request, decide_from(keywords, request, styles, settings.drawing.default_style))
    found = []
    for name in names:
        named = request.model_copy(update={"style": name})
        found.append(_shown(named, decide_from(keywords, named, styles, settings.drawing.default_style)))
    if as_json:
        everything = {**chosen, "styles": found} if all_styles else chosen
        sys.stdout.write(json.dumps(everything, ensure_ascii=False, indent=2) + "\n")
    else:
        _print(chosen, found or [chosen])


def _shown(request: GenerationRequest, decided: Decided) -> dict[str, Any]:
    record, style = decided.built.record, decided.decision.style
    size: Size = resolve_size(request, style.native_size, decided.wish)
    return {
        "style": record.style,
        "style_reason": record.style_reason,
        "positive": record.positive,
        "negative": record.negative,
        "tokens": record.tokens.model_dump(exclude={"chunks"}),
        "width": size.width,
        "height": size.height,
        "keywords": record.keywords,
        "unknown_words": list(record.unknown_words),
        "extractor": record.extractor,
        "warnings": list(decided.built.warnings),
    }


def _print(chosen: dict[str, Any], shown: list[dict[str, Any]]) -> None:
    console = Console()
    console.print(f"[bold]{chosen['style']}[/]  {escape(chosen['style_reason'])}", highlight=False)
    for name, value in chosen["keywords"].items():
        text = ", ".join(value) if isinstance(value, list) else str(value)
        console.print(f"  {name.replace('_', ' '):<16} {escape(text)}", highlight=False, soft_wrap=True)
    wide_console().print(prompts_table(shown))
    if chosen["unknown_words"]:
        console.print(f"[yellow]not understood[/] {escape(', '.join(chosen['unknown_words']))}", highlight=False)
    for warning in dict.fromkeys(warning for one in shown for warning in one["warnings"]):
        console.print(f"[yellow]warning[/] {escape(warning)}", highlight=False)
