"""A small network that says which objects a picture shows, and in which style: it judges what was drawn."""

from collections.abc import Sequence

import torch
from torch import nn
from torch.nn import functional

from pipeline.builtin.networks import STYLES
from pipeline.training.loader import Batch, as_tensor

_WIDTHS = (32, 64, 128, 192, 256)


class Judge(nn.Module):
    """Five steps of convolution over pictures from -1 to 1; answers logits of objects and of styles."""

    def __init__(self, objects: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        before = 3
        for width in _WIDTHS:
            layers += [_seen(before, width, stride=2), _seen(width, width, stride=1)]
            before = width
        self.eye = nn.Sequential(*layers)
        self.objects = nn.Linear(before, objects)
        self.styles = nn.Linear(before, len(STYLES))

    def forward(self, pictures: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Logits (batch, objects) and (batch, styles)."""
        seen = self.eye(pictures)
        # two objects side by side each fill half of the picture: the strongest place speaks for an object
        most, mean = functional.adaptive_max_pool2d(self._by_place(seen), 1), seen.mean(dim=(2, 3))
        return most.flatten(1), self.styles(mean)

    def _by_place(self, seen: torch.Tensor) -> torch.Tensor:
        wide = functional.avg_pool2d(seen, 3, stride=1, padding=1)
        return functional.conv2d(wide, self.objects.weight[:, :, None, None], self.objects.bias)


def _seen(before: int, width: int, stride: int) -> nn.Module:
    return nn.Sequential(nn.Conv2d(before, width, 3, stride=stride, padding=1), nn.GroupNorm(8, width), nn.SiLU())


def judge_loss(judge: Judge, batches: Sequence[Batch], device: torch.device) -> torch.Tensor:
    """Which objects (any number), and which style (one)."""
    pictures = _softened(torch.cat([as_tensor(batch.pictures) for batch in batches]))
    objects, styles = judge(pictures.to(device))
    shown = torch.zeros_like(objects)
    for row, indices in enumerate(indices for batch in batches for indices in batch.shown):
        shown[row, list(indices)] = 1 / len(indices)
    named = [STYLES.index(batch.style) for batch in batches for _ in batch.shown]
    return functional.cross_entropy(objects, shown) + functional.cross_entropy(
        styles, torch.tensor(named, device=device)
    )


def _softened(pictures: torch.Tensor) -> torch.Tensor:
    """Every second picture in half as many pixels: who has seen sharp ones only judges by the sharpness."""
    seen = pictures.clone()
    seen[::2] = functional.interpolate(functional.avg_pool2d(pictures[::2], 2), scale_factor=2.0, mode="bilinear")
    return seen
