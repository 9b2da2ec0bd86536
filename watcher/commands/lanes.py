"""Pairs of --inbox and --queue on the command line."""

from itertools import zip_longest
from pathlib import Path

from store.errors import SettingsInvalid
from watcher.settings import LaneSettings, Settings, load_settings


def load_settings_of_lanes(
    inboxes: list[str], queues: list[str], config: Path | None, **overrides: str | None
) -> Settings:
    """The settings with the lanes of the command line, if it names any; raises SettingsInvalid."""
    lanes = lanes_of(inboxes, queues)
    return load_settings(config, lanes, queue=None if lanes else only(queues), **overrides)


def lanes_of(inboxes: list[str], queues: list[str]) -> tuple[LaneSettings, ...]:
    """The n-th inbox goes with the n-th queue; raises SettingsInvalid where they do not pair up."""
    if not inboxes:
        return ()
    if queues and len(queues) != len(inboxes):
        raise SettingsInvalid(
            f"found {len(inboxes)} --inbox and {len(queues)} --queue; give each inbox its queue, in the same order,"
            " or none of them",
            field="queue",
        )
    pairs = zip_longest(inboxes, queues)
    return tuple(LaneSettings(inbox=inbox, queue=queue) for inbox, queue in pairs if inbox is not None)


def only(queues: list[str]) -> str | None:
    """The queue of the configured inbox; raises SettingsInvalid where there are several."""
    if len(queues) > 1:
        raise SettingsInvalid(f"found {len(queues)} --queue and no --inbox; name the inbox of each", field="queue")
    return queues[0] if queues else None
