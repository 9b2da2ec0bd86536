"""The models of one checkpoint on the device: text encoders first, the UNet while the prompt is read."""

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pipeline.accelerator import Accelerator
from pipeline.device import Device
from pipeline.host_tier import HostTier
from pipeline.parts import Part
from pipeline.profile import Profile
from pipeline.slot import Slot
from pipeline.weight_files import Tensors
from store.errors import CheckpointReplaced

_BEHIND_THE_PROMPT = "unet"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Coming:
    """A part on its way, and how its files looked before they were read."""

    part: Part
    slot: Slot
    tensors: Tensors
    stamp: object


class Slots:
    """Three slots, filled from the host tier, or from disk where it does not hold what is wanted.

    `begin` and `finish` belong together and to one thread.  A part whose weights are there already is not copied.
    """

    def __init__(self, device: Device, accelerator: Accelerator, tier: HostTier, profile: Profile = "exact") -> None:
        self._device = device
        self._profile = profile
        self._accelerator = accelerator
        self._tier = tier
        self._slots: dict[str, Slot] = {}
        self._coming: list[_Coming] = []
        self._copied = False

    def hold(self, parts: Sequence[Part]) -> bool:
        """Whether all of these are there, ready to draw."""
        return all(self._is_there(part) for part in parts)

    def begin(self, parts: Sequence[Part]) -> dict[str, Any]:
        """The models by their names in a diffusers pipe; the text encoders may be used at once, the UNet may not.

        Raises CheckpointBroken before any weight is touched, CheckpointReplaced.
        """
        # a drawing may have failed between the two
        self._abandon()
        coming = [self._read(part) for part in parts if not self._is_there(part)]
        self._copied = bool(coming)
        self._take_places(coming)
        self._copy([one for one in coming if one.part.name != _BEHIND_THE_PROMPT])
        self._arrive()
        self._copy([one for one in coming if one.part.name == _BEHIND_THE_PROMPT])
        return {part.name: self._slots[part.name].model for part in parts}

    def finish(self) -> bool:
        """Return when everything that was begun is there, and say whether anything was; raises CheckpointReplaced."""
        self._arrive()
        return self._copied

    def forget(self) -> None:
        """Free the device's memory; what the host tier keeps for sure stays."""
        self._abandon()
        for slot in self._slots.values():
            slot.forget()
        self._slots.clear()
        self._device.release()

    def _abandon(self) -> None:
        """Let go of what was begun; nobody will see whether it is what it should be."""
        # what kept it from arriving is no fault of what is wanted now
        with contextlib.suppress(Exception):
            self._accelerator.wait()
        self._coming = []
        self._tier.drop_unconfirmed()

    def _arrive(self) -> None:
        if not self._coming:
            return
        try:
            self._accelerator.wait()
            for one in self._coming:
                _require_untouched(one)
                self._tier.confirm(one.part.identity)
                one.slot.end(one.part.identity)
        except BaseException:
            self._abandon()
            raise
        self._coming = []

    def _is_there(self, part: Part) -> bool:
        slot = self._slots.get(part.name)
        return slot is not None and slot.holds == part.identity and slot.blueprint.fits(part.blueprint)

    def _read(self, part: Part) -> _Coming:
        slot = self._slots.get(part.name)
        if slot is None or not slot.blueprint.fits(part.blueprint):
            slot = Slot(part.blueprint, self._device, self._profile if part.name == _BEHIND_THE_PROMPT else "exact")
        stamp = part.stamp()
        if (tensors := self._tier.get(part.identity)) is None:
            tensors = part.read()
        slot.check(part.what, tensors)
        return _Coming(part=part, slot=slot, tensors=tensors, stamp=stamp)

    def _take_places(self, coming: Sequence[_Coming]) -> None:
        """Storage for models of another architecture, once that of the old ones is free."""
        changed = [one for one in coming if self._slots.get(one.part.name) is not one.slot]
        for one in changed:
            if (old := self._slots.pop(one.part.name, None)) is not None:
                old.forget()
        if changed:
            self._device.release()
        for one in changed:
            one.slot.allocate()
            self._slots[one.part.name] = one.slot

    def _copy(self, coming: Sequence[_Coming]) -> None:
        for one in coming:
            self._coming.append(one)
            kept = self._tier.get(one.part.identity)
            one.slot.begin(self._tier.keep(one.part.identity, one.tensors) if kept is None else kept, self._accelerator)


def _require_untouched(one: _Coming) -> None:
    # the second asks what lay there before the first look at it as well
    if one.part.stamp() != one.stamp or one.part.identify() != one.part.identity:
        raise CheckpointReplaced(
            f"{one.part.what}: a file was replaced while it was read; the request is tried again with what is there now"
        )
