"""Which requests have the same pictures: everything that can move a pixel, under one digest."""

import inspect
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict
from importlib.metadata import entry_points
from pathlib import Path

from pydantic import JsonValue

from pipeline.config import DrawingConfig
from pipeline.descriptions import digest_of_descriptions
from pipeline.lettering import missing
from pipeline.state import State
from pipeline.styles import Styles
from pipeline.versions import all_versions
from pipeline.weights import Located, Weights, locate
from store.digest import Digest
from store.errors import DrawingError
from store.manifest import ModelsRecord

# goes up when the same facts come to mean other pictures, or other pictures were remembered than should be
_SCHEMA = 2
# decided before they reach the fingerprint, or without a say in any picture
_NOT_COUNTED = {
    *("default_style", "strength", "controlnet_scale", "controlnet_end", "limits", "device", "threads", "extra_nodes"),
    *("host_cache_gb", "vram_gb"),
}
_ONLY_WITH_REFERENCE = {"canny_low", "canny_high"}
_ONLY_AS = {"jpeg_quality": "jpeg", "webp_quality": "webp"}


class Fingerprints:
    """Takes fingerprints of decided requests; safe to use from several threads, and no GPU is touched."""

    def __init__(
        self,
        weights: Weights,
        styles: Styles,
        config: DrawingConfig,
        machine: Callable[[], Mapping[str, JsonValue]],
        plugins: str,
    ) -> None:
        """machine: the arithmetic that draws here.  plugins: the group in which installed nodes are looked for."""
        self._weights = weights
        self._styles = styles
        self._config = config
        self._machine = machine
        self._versions = all_versions()
        self._additions = [*config.extra_nodes, *_sources(plugins)] if config.extra_nodes else []
        self._guard = config.text_guard if missing() is None else "off"

    def of(self, state: State) -> Digest | None:
        """The fingerprint of a state whose style, words and numbers are decided.

        None where the request names no seed of its own, or where its weights are not there.
        """
        if state.request.seed is None:
            return None
        try:
            weights = {what: _weighed(located) for what, located in self._located(state).items()}
        except (DrawingError, OSError):
            # the node that draws says what is missing
            return None
        facts = {"schema": _SCHEMA, "weights": weights, **self._facts(state)}
        return Digest.of(json.dumps(facts, ensure_ascii=False, sort_keys=True).encode())

    def drew(self, models: ModelsRecord, state: State) -> bool:
        """Whether these weights are the ones that a fingerprint taken now speaks of."""
        try:
            found = {what: located.record for what, located in self._located(state).items()}
        except (DrawingError, OSError):
            return False
        named = {what: getattr(models, what) for what in ("checkpoint", "vae", "controlnet")}
        return found == {what: record for what, record in named.items() if record is not None}

    def _located(self, state: State) -> dict[str, Located]:
        found = {"checkpoint": locate(self._weights, state.style), "vae": self._weights.vae(self._styles.vae)}
        if state.reference is not None:
            found["controlnet"] = self._weights.controlnet(self._styles.controlnet)
        return found

    def _facts(self, state: State) -> dict[str, JsonValue]:
        reference = state.reference
        return {
            "branch": "text2image" if reference is None else "image2image",
            "reference": None if reference is None else reference.digest,
            "positive": state.prompt.positive,
            "negative": state.prompt.negative,
            "literal": state.request.prompt_mode == "raw",
            "scheduler": [state.style.scheduler, state.style.scheduler_options],
            "sampling": asdict(state.sampling),
            "drawing": self._drawing(state),
            "guard": self._guard,
            "machine": dict(self._machine()),
            "versions": dict(self._versions),
            "additions": list(self._additions),
            "request": self._whole_request(state),
        }

    def _drawing(self, state: State) -> dict[str, JsonValue]:
        """The configuration, so that a setting that comes later counts without a change here."""
        left_out = {name for name, kind in _ONLY_AS.items() if kind != state.sampling.output_format} | _NOT_COUNTED
        if state.reference is None:
            left_out |= _ONLY_WITH_REFERENCE
        found: dict[str, JsonValue] = self._config.model_dump(mode="json", exclude=left_out)
        return found

    def _whole_request(self, state: State) -> JsonValue:
        # nobody knows what an installed node reads of it
        if not self._additions:
            return None
        found: dict[str, JsonValue] = state.request.model_dump(mode="json", exclude={"id"})
        return found


def _weighed(located: Located) -> list[JsonValue]:
    return [located.record.sha256, digest_of_descriptions(located), located.variant, located.path.is_file()]


def _sources(group: str) -> Iterable[str]:
    """Every installed node with its release and the digest of its source, which changes under an editable install."""
    for entry in sorted(entry_points(group=group), key=lambda entry: entry.name):
        source = inspect.getsourcefile(entry.load())
        digest = Digest.of(Path(source).read_bytes()) if source else "unknown"
        release = entry.dist.version if entry.dist else "unknown"
        yield f"{entry.name} {entry.value} {release} {digest}"
