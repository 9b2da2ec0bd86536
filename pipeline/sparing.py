"""A ControlNet that does not run where nothing of it would be seen."""

from typing import Any

from diffusers import ControlNetModel


class SparingControlNet(ControlNetModel):  # type: ignore[misc]
    """Runs as any other (arXiv 2302.05543), except at a weight of 0.

    A pipe gives it that where the scale is 0 and at every step after its window; a ControlNet is half a UNet's work.
    """

    def forward(self, *given: Any, conditioning_scale: float = 1.0, **more: Any) -> Any:
        """As ControlNetModel; (None, None), which the UNet takes for nothing, at a conditioning_scale of 0."""
        if conditioning_scale == 0:
            return None, None
        return super().forward(*given, conditioning_scale=conditioning_scale, **more)
