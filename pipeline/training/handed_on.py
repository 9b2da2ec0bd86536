"""Snapshots made of packed weights, so that a training goes on from what an earlier one has shipped."""

import json
from pathlib import Path

from pipeline.builtin.packing import about, unpack
from pipeline.training.courses import COURSES, parameters_of
from pipeline.training.snapshots import Snapshot, exists, save
from store.errors import SettingsInvalid


def hand_on(packed: Path, folder: Path) -> None:
    """Write a snapshot of each course into folder, as if no step of it had been taken yet.

    Raises SettingsInvalid where folder holds something learnt.
    """
    if learnt := [course for course in COURSES if exists(folder / course)]:
        raise SettingsInvalid(f"{folder / learnt[0]} is there already; take another folder, or remove it")
    networks = unpack(packed)
    parameters = parameters_of(networks)
    for course in COURSES:
        tensors = {
            f"{kind}/{name}": value.data for name, value in parameters[course].items() for kind in ("now", "ema")
        }
        save(folder / course, Snapshot(step=0, losses=(), tensors=tensors))
    # the tokens of these words and the spread of these latents are what the networks were taught with
    said = about(packed)
    for what in ("words", "scaling_factor"):
        (folder / f"{what}.json").write_text(json.dumps(said[what]))
