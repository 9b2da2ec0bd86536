"""One training from its last snapshot to its end or to the end of its time: steps, averages, losses."""

import logging
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch

from pipeline.clock import Clock
from pipeline.training.snapshots import Snapshot, load, save

_log = logging.getLogger("imagegen.training")
_TOLD_EVERY = 50
_SAVED_EVERY_SECONDS = 240.0
_FLOOR = 0.05
_CLIP = 1.0
_MOMENTS = ("exp_avg", "exp_avg_sq")


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How long a training goes on and how fast it learns; seconds: the time this run may take."""

    steps: int
    rate: float
    warmup: int
    ema: float
    seconds: float


class Course:
    """Trains named parameters; `averaged` are what is kept: their exponential moving averages."""

    def __init__(self, folder: Path, parameters: Mapping[str, torch.nn.Parameter], plan: Plan, clock: Clock) -> None:
        """Resumes from folder where a snapshot lies there."""
        self._folder = folder
        self._parameters = dict(parameters)
        self._plan = plan
        self._clock = clock
        self._optimizer = torch.optim.AdamW(
            self._parameters.values(), lr=plan.rate, betas=(0.9, 0.99), weight_decay=1e-3, fused=True
        )
        self._averages = {name: value.detach().clone().float() for name, value in self._parameters.items()}
        self.step = 0
        self.losses: list[tuple[int, float]] = []
        snapshot = load(folder)
        if snapshot is not None:
            self._resume(snapshot)

    @property
    def is_over(self) -> bool:
        """Whether all steps are done."""
        return self.step >= self._plan.steps

    def run(self, loss_of: Callable[[int], torch.Tensor]) -> None:
        """Step until the plan or its time is over, saving now and then; loss_of makes the loss of a step."""
        started = saved = self._clock.monotonic()
        while not self.is_over and self._clock.monotonic() - started < self._plan.seconds:
            self._take_step(loss_of)
            if self._clock.monotonic() - saved > _SAVED_EVERY_SECONDS:
                self.save()
                saved = self._clock.monotonic()
        self.save()

    def averaged(self) -> dict[str, torch.Tensor]:
        """The averages, by name."""
        return dict(self._averages)

    def save(self) -> None:
        """Write everything that is needed to go on."""
        tensors: dict[str, torch.Tensor] = {}
        for name, parameter in self._parameters.items():
            state = self._optimizer.state.get(parameter, {})
            tensors[f"now/{name}"] = parameter.data
            tensors[f"ema/{name}"] = self._averages[name]
            if state:
                # a style's own parameters have seen a third of the steps
                tensors[f"seen/{name}"] = state["step"]
                tensors |= {f"{moment}/{name}": state[moment].to(torch.bfloat16) for moment in _MOMENTS}
        save(self._folder, Snapshot(step=self.step, losses=tuple(self.losses), tensors=tensors))

    def _take_step(self, loss_of: Callable[[int], torch.Tensor]) -> None:
        rate = self._rate()
        for group in self._optimizer.param_groups:
            group["lr"] = rate
        loss = loss_of(self.step)
        self._optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self._parameters.values(), _CLIP)
        self._optimizer.step()
        self.step += 1
        self._average()
        if self.step % _TOLD_EVERY == 0 or self.is_over:
            self.losses.append((self.step, round(loss.item(), 6)))
            _log.info("%s: step %d of %d, loss %.5f", self._folder.name, self.step, self._plan.steps, loss.item())

    def _rate(self) -> float:
        warm = min(1.0, (self.step + 1) / self._plan.warmup)
        done = min(1.0, self.step / self._plan.steps)
        return self._plan.rate * warm * (_FLOOR + (1 - _FLOOR) * (1 + math.cos(math.pi * done)) / 2)

    def _average(self) -> None:
        # an average over all steps at first, so that the fresh weights are soon forgotten
        keep = min(self._plan.ema, self.step / (self.step + 9))
        with torch.no_grad():
            averages, now = list(self._averages.values()), [value.detach() for value in self._parameters.values()]
            torch._foreach_lerp_(averages, now, 1 - keep)

    def _resume(self, snapshot: Snapshot) -> None:
        self.step, self.losses = snapshot.step, list(snapshot.losses)
        for name, parameter in self._parameters.items():
            parameter.data.copy_(snapshot.tensors[f"now/{name}"])
            self._averages[name].copy_(snapshot.tensors[f"ema/{name}"])
            if f"seen/{name}" in snapshot.tensors:
                moments = {moment: snapshot.tensors[f"{moment}/{name}"].to(parameter) for moment in _MOMENTS}
                seen = snapshot.tensors[f"seen/{name}"].to(parameter.device)
                self._optimizer.state[parameter] = {"step": seen, **moments}
