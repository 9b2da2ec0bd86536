"""What an operator may set: environment variables, imagegen.toml, and the defaults."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from platformdirs import user_cache_path
from pydantic import BeforeValidator, Field, ValidationError, model_validator
from pydantic.fields import FieldInfo
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from pipeline.config import DrawingConfig, PromptConfig
from pipeline.prompt.llm import OPENAI_URL
from store.errors import SettingsInvalid
from store.location import s3_place
from store.manifest import Document
from store.s3options import S3Options

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

CONFIG_FILE = "imagegen.toml"
BUILTIN = "builtin"
_FOLDER_SCAN, _S3_SCAN = 5.0, 60.0


def _off(value: object) -> object:
    return 0.0 if value == "off" else value


def _run_dir() -> Path:
    # not XDG_RUNTIME_DIR, which a service, a login and a probe of one user see differently
    return Path(os.environ.get("TMPDIR") or "/tmp") / f"imagegen-{os.geteuid()}"  # noqa: S108 - its owner is checked


class LaneSettings(Document):
    """One inbox, and the queue that announces what comes into it."""

    inbox: str = Field(description="Where requests come in: a folder, or s3://bucket/prefix.")
    queue: str | None = Field(default=None, description="URL of the queue that an inbox in S3 is announced by.")


class Settings(BaseSettings):
    """The settings of one worker; IMAGEGEN_DRAWING__DEVICE sets drawing.device, and so on."""

    model_config = SettingsConfigDict(
        env_prefix="IMAGEGEN_",
        env_nested_delimiter="__",
        extra="forbid",
        frozen=True,
        toml_file=CONFIG_FILE,
        hide_input_in_errors=True,
    )

    inbox: str = Field(default="inbox", description="Where requests come in: a folder, or s3://bucket/prefix.")
    queue: str | None = Field(default=None, description="URL of the queue that an inbox in S3 is announced by.")
    lanes: tuple[LaneSettings, ...] = Field(
        default=(), description="Several inboxes, each with its queue, instead of inbox and queue."
    )
    outbox: str = Field(default="outbox", description="Where results go: a folder, or s3://bucket/prefix.")
    s3: S3Options = Field(default=S3Options(), description="How S3 is reached.")
    models: str = Field(default=BUILTIN, description="Folder of pulled checkpoints, or builtin.")
    cache: Path = Field(
        default_factory=lambda: user_cache_path("imagegen"), description="Folder for the built-in checkpoints."
    )
    window: int = Field(default=3, ge=1, le=64, description="Requests in flight at once.")
    max_attempts: int = Field(
        default=3, ge=2, le=100, description="Attempts before a request fails for good; a neighbour may cost one."
    )
    scan_seconds: Annotated[float | None, BeforeValidator(_off)] = Field(
        default=None,
        ge=0,
        description="Time between two looks at the inbox; 5 for a folder, 60 in S3; off or 0 only with a queue.",
    )
    visibility_seconds: int = Field(
        default=120, ge=2, le=43_200, description="For so long nobody else sees a message we have; it is extended."
    )
    settle_seconds: float = Field(default=30.0, ge=1, description="How long a broken file may still be written.")
    reference_seconds: float = Field(default=600.0, ge=0, description="How long to wait for a missing reference.")
    lease_seconds: float = Field(default=60.0, ge=3, description="After this much silence a worker counts as dead.")
    max_request_seconds: float = Field(
        default=1800.0, gt=0, description="Longest drawing of one request, without its waiting for its turn."
    )
    stall_seconds: float = Field(
        default=300.0, ge=10, description="A drawing that shows no progress for so long counts as hung."
    )
    cancel_seconds: float = Field(
        default=600.0, ge=0, description="How long a cancel waits for a request that is not there."
    )
    reserve_mib: int = Field(default=256, ge=0, description="Below this much free space nothing is claimed, MiB.")
    heartbeat_seconds: float = Field(
        default=60.0, ge=5, description="The supervisor kills a worker that gave no sign of life for so long."
    )
    run_dir: Path = Field(default_factory=_run_dir, description="Folder of the heartbeat that health reads.")
    log_level: str = Field(default="INFO", pattern="^(DEBUG|INFO|WARNING|ERROR)$")
    drawing: DrawingConfig = DrawingConfig()
    prompt: PromptConfig = PromptConfig()
    styles: dict[str, dict[str, Any]] = Field(default={}, description="Styles to change or add, by name.")

    @property
    def all_lanes(self) -> tuple[LaneSettings, ...]:
        """Every inbox with its queue; at least one."""
        return self.lanes or (LaneSettings(inbox=self.inbox, queue=self.queue),)

    def scan_interval(self, inbox: str) -> float:
        """Seconds between two looks at an inbox, 0 for none: S3 is paid by the list."""
        if self.scan_seconds is not None:
            return self.scan_seconds
        if s3_place(inbox) is None:
            return _FOLDER_SCAN
        # where queues tell of what comes, a worker lists once a minute in all, however many lanes it has
        return _S3_SCAN * sum(lane.queue is not None for lane in self.all_lanes) or _S3_SCAN

    @model_validator(mode="before")
    @classmethod
    def _name_the_first_inbox(cls, given: dict[str, Any]) -> dict[str, Any]:
        """Commands that know one inbox take the first lane's."""
        lanes = given.get("lanes")
        first = lanes[0] if isinstance(lanes, list | tuple) and lanes else None
        if isinstance(first, Mapping) and not {"inbox", "queue"} & given.keys():
            return {**given, **{name: first[name] for name in ("inbox", "queue") if name in first}}
        return given

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The command line wins over the environment, the environment over the file."""
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls), _OpenAIKey(settings_cls)


class _OpenAIKey(PydanticBaseSettingsSource):
    """OPENAI_API_KEY, where no key is set otherwise, and only for OpenAI: no other server is shown it."""

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        """Nothing: what is found is found as a whole."""
        return None, field_name, False

    def __call__(self) -> dict[str, Any]:
        """The table with the key, or nothing."""
        prompt = self.current_state.get("prompt", {})
        key = os.environ.get("OPENAI_API_KEY", "")
        if not key or not isinstance(prompt, Mapping):
            return {}
        server = str(prompt.get("llm_base_url") or OPENAI_URL).rstrip("/")
        if server != OPENAI_URL:
            return {}
        return {"prompt": {"llm_api_key": key}}


def load_settings(config: Path | None = None, lanes: Sequence[LaneSettings] = (), **overrides: str | None) -> Settings:
    """The settings from the given file (or ./imagegen.toml), the environment and the command line.

    An override of None does not count; an inbox named here comes without a queue or further lanes from elsewhere.
    Raises SettingsInvalid, naming each setting at fault.
    """
    if config is not None and not config.is_file():
        raise SettingsInvalid(f"the configuration file {config} does not exist")
    given: dict[str, Any] = {name: value for name, value in overrides.items() if value is not None}
    if lanes:
        given |= {"inbox": lanes[0].inbox, "queue": lanes[0].queue, "lanes": tuple(lanes) if len(lanes) > 1 else ()}
    elif "inbox" in given:
        given = {"queue": None, "lanes": (), **given}
    try:
        return _checked(_settings_class(config)(**given))
    except ValidationError as error:
        problems = "; ".join(_told(fault) for fault in error.errors(include_url=False))
        file = config or Path(CONFIG_FILE)
        read = f"{file}, " if file.is_file() else ""
        raise SettingsInvalid(
            f"the configuration cannot be used ({read}IMAGEGEN_ variables, command line): {problems}"
        ) from error
    except ValueError as error:
        raise SettingsInvalid(f"the configuration file {config or CONFIG_FILE} cannot be read: {error}") from error


def _checked(settings: Settings) -> Settings:
    """Raise SettingsInvalid where inboxes and queues do not go together."""
    lanes = settings.all_lanes
    if (settings.inbox, settings.queue) != (lanes[0].inbox, lanes[0].queue):
        raise SettingsInvalid("give either inbox and queue, or lanes; found both", field="lanes")
    for lane in lanes:
        if lane.queue is not None and s3_place(lane.inbox) is None:
            raise SettingsInvalid(
                f"the inbox {lane.inbox} is a folder, which no queue announces; leave out the queue, or name an inbox"
                " such as s3://bucket/inbox",
                field="queue",
            )
    for name in ("inbox", "queue"):
        named = [getattr(lane, name) for lane in lanes if getattr(lane, name) is not None]
        if len(set(named)) < len(named):
            raise SettingsInvalid(f"two lanes have the same {name}; give each its own", field="lanes")
    return settings


def _told(fault: "ErrorDetails") -> str:
    where = ".".join(str(part) for part in fault["loc"])
    # what stands there may be a key, even under a wrong name or in the wrong place
    found = "" if where.startswith("prompt") or "key" in where.lower() else f"found {fault['input']!r}; "
    return f"{where}: {found}{fault['msg']}"


def _settings_class(config: Path | None) -> type[Settings]:
    if config is None:
        return Settings

    class FromFile(Settings):
        model_config = SettingsConfigDict(toml_file=config)

    return FromFile
