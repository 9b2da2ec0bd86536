"""What an operator may set: environment variables, imagegen.toml, and the defaults."""

import os
from pathlib import Path
from typing import Any

from platformdirs import user_cache_path
from pydantic import Field, ValidationError
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from pipeline.config import DrawingConfig
from store.errors import SettingsInvalid

CONFIG_FILE = "imagegen.toml"
BUILTIN = "builtin"


def _run_dir() -> Path:
    # not XDG_RUNTIME_DIR, which a service, a login and a probe of one user see differently
    return Path(os.environ.get("TMPDIR") or "/tmp") / f"imagegen-{os.geteuid()}"  # noqa: S108 - its owner is checked


class Settings(BaseSettings):
    """The settings of one worker; IMAGEGEN_DRAWING__DEVICE sets drawing.device, and so on."""

    model_config = SettingsConfigDict(
        env_prefix="IMAGEGEN_", env_nested_delimiter="__", extra="forbid", frozen=True, toml_file=CONFIG_FILE
    )

    inbox: str = Field(default="inbox", description="Folder where requests come in.")
    outbox: str = Field(default="outbox", description="Folder where results go.")
    models: str = Field(default=BUILTIN, description="Folder of pulled checkpoints, or builtin.")
    cache: Path = Field(
        default_factory=lambda: user_cache_path("imagegen"), description="Folder for the built-in checkpoints."
    )
    window: int = Field(default=3, ge=1, le=64, description="Requests in flight at once.")
    max_attempts: int = Field(
        default=3, ge=2, le=100, description="Attempts before a request fails for good; a neighbour may cost one."
    )
    scan_seconds: float = Field(default=5.0, gt=0, description="Longest time between two looks at the inbox.")
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
    styles: dict[str, dict[str, Any]] = Field(default={}, description="Styles to change or add, by name.")

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
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls)


def load_settings(config: Path | None = None, **overrides: str | None) -> Settings:
    """The settings from the given file (or ./imagegen.toml), the environment and the command line.

    An override of None does not count.  Raises SettingsInvalid, naming each setting at fault.
    """
    if config is not None and not config.is_file():
        raise SettingsInvalid(f"the configuration file {config} does not exist")
    given: dict[str, Any] = {name: value for name, value in overrides.items() if value is not None}
    try:
        return _settings_class(config)(**given)
    except ValidationError as error:
        problems = "; ".join(
            f"{'.'.join(str(part) for part in fault['loc'])}: found {fault['input']!r}; {fault['msg']}"
            for fault in error.errors(include_url=False)
        )
        raise SettingsInvalid(f"the configuration cannot be used: {problems}") from error
    except ValueError as error:
        raise SettingsInvalid(f"the configuration file cannot be read: {error}") from error


def _settings_class(config: Path | None) -> type[Settings]:
    if config is None:
        return Settings

    class FromFile(Settings):
        model_config = SettingsConfigDict(toml_file=config)

    return FromFile
