"""Losses over steps as a drawing, one panel for each training."""

import math
import statistics
from collections.abc import Mapping, Sequence

Losses = Sequence[tuple[int, float]]
_WIDTH, _HEIGHT, _MARGIN, _GAP = 300, 180, 40, 24
# single losses jump with the batch and the noise
_AVERAGED = 5


def curves(trainings: Mapping[str, Losses]) -> str:
    """An SVG with a panel for each training that has losses; logarithmic upwards, medians of five."""
    panels = [(name, _smooth(losses)) for name, losses in trainings.items() if losses]
    drawn = "".join(_panel(name, losses, number) for number, (name, losses) in enumerate(panels))
    width, height = len(panels) * (_WIDTH + _GAP) + _GAP, _HEIGHT + 2 * _MARGIN
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif"'
        f' font-size="12">\n<rect width="{width}" height="{height}" fill="white"/>\n{drawn}</svg>\n'
    )


def _panel(name: str, losses: Losses, number: int) -> str:
    left, top = _GAP + number * (_WIDTH + _GAP), _MARGIN
    last, high, low = losses[-1][0], max(loss for _, loss in losses), min(loss for _, loss in losses)
    span = math.log(high / low) or 1.0
    points = " ".join(
        f"{left + _WIDTH * step / last:.1f},{top + _HEIGHT * math.log(high / loss) / span:.1f}" for step, loss in losses
    )
    return (
        f'<rect x="{left}" y="{top}" width="{_WIDTH}" height="{_HEIGHT}" fill="none" stroke="#bbb"/>\n'
        f'<text x="{left}" y="{top - 10}">{name}: loss {high:.3g} to {low:.3g}</text>\n'
        f'<text x="{left + _WIDTH}" y="{top + _HEIGHT + 18}" text-anchor="end">{last:,} steps</text>\n'
        f'<polyline points="{points}" fill="none" stroke="#27c" stroke-width="1.5"/>\n'
    )


def _smooth(losses: Losses) -> Losses:
    reach = _AVERAGED // 2
    values = [loss for _, loss in losses]
    medians = (statistics.median(values[max(0, at - reach) : at + reach + 1]) for at in range(len(values)))
    return [(step, value) for (step, _), value in zip(losses, medians, strict=True)]
