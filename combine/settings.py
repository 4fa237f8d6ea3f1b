"""One frozen Settings object, read once from the environment (prefix ``COMBINE_``)."""

from __future__ import annotations

import os
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Literal

from platformdirs import user_data_path
from pydantic import AliasChoices, BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from combine.errors import Invalid

PositiveInt = Annotated[int, Field(ge=1)]


def _seconds(value: object) -> object:
    """A bare number is seconds; anything else is left to pydantic (ISO 8601, ``HH:MM:SS``)."""
    if isinstance(value, str):
        try:
            return float(value)
        except ValueError:
            return value
    return value


Duration = Annotated[timedelta, BeforeValidator(_seconds), Field(gt=timedelta(0))]


class PriceOverride(BaseModel):
    """USD per million tokens for one model, where the price list is wrong or silent."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    input: Decimal
    output: Decimal
    cache_read: Decimal | None = None
    cache_write: Decimal | None = None


def default_data_dir() -> Path:
    """The user's data folder; for root ``/var/lib/combine``.

    PostgreSQL refuses to run as root, so root's server runs as another user, who cannot enter root's home.
    """
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        return Path("/var/lib/combine")
    return user_data_path("combine", appauthor=False)


def _alias(name: str, *others: str) -> AliasChoices:
    return AliasChoices(f"COMBINE_{name}", *others)


class Settings(BaseSettings):
    """Every setting. ``docs/configuration.md`` has one entry for each, checked by a test."""

    model_config = SettingsConfigDict(
        env_prefix="COMBINE_",
        frozen=True,
        extra="forbid",
        env_ignore_empty=True,
        populate_by_name=True,
    )

    database_url: SecretStr | None = None
    """A PostgreSQL URL. None: the embedded server in ``data_dir``."""
    database_pool_size: PositiveInt = 10
    data_dir: Path = Field(default_factory=default_data_dir)
    """Home of the embedded server."""
    workflows_dir: Path | None = None
    """A folder of your own with ``workflows/``, ``prompts/`` and ``schemas/``."""

    llm_default_model: str = "claude-sonnet-5-5"
    """``PROVIDER:MODEL``; a bare id means ``anthropic:``; ``offline`` uses no model."""
    llm_max_retries: Annotated[int, Field(ge=0, le=10)] = 3
    llm_enable_caching: bool = True
    llm_max_output_tokens: PositiveInt = 32_000
    llm_connect_timeout: Duration = timedelta(seconds=5)
    llm_read_timeout: Duration = timedelta(seconds=120)
    """Longest silence inside a stream; a loaded local model can need minutes for its first token."""
    llm_retry_after_cap: Duration = timedelta(seconds=60)
    llm_concurrency: dict[Literal["anthropic", "openai", "offline", "scripted"], PositiveInt] = Field(
        default_factory=dict
    )
    """JSON: ``{"anthropic": 8}``, calls in flight at once per provider in one process; not named: no limit."""
    llm_prices: dict[str, PriceOverride] = Field(default_factory=dict)
    """JSON: ``{"my-model": {"input": 0.5, "output": 1.5}}``, USD per million tokens."""
    daily_budget_usd: Annotated[Decimal, Field(gt=0, allow_inf_nan=False)] | None = None
    """What the whole installation may spend on one day (UTC)."""
    anthropic_api_key: SecretStr | None = Field(
        default=None, validation_alias=_alias("ANTHROPIC_API_KEY", "ANTHROPIC_API_KEY")
    )
    anthropic_base_url: str | None = Field(
        default=None, validation_alias=_alias("ANTHROPIC_BASE_URL", "ANTHROPIC_BASE_URL")
    )
    openai_api_key: SecretStr | None = Field(default=None, validation_alias=_alias("OPENAI_API_KEY", "OPENAI_API_KEY"))
    openai_base_url: str | None = Field(default=None, validation_alias=_alias("OPENAI_BASE_URL", "OPENAI_BASE_URL"))
    scripted_file: Path | None = None
    """Replies of the ``scripted`` provider (tests, demonstrations)."""

    worker_concurrency: PositiveInt = 64
    """Executions one process works on at the same time."""
    drain_grace: Duration = timedelta(seconds=30)
    """How long a stopping process lets calls in flight finish."""

    log_format: Literal["json", "console"] = "console"
    log_level: Literal["debug", "info", "warning", "error"] = "warning"


def read_settings() -> Settings:
    """The settings of this process. Raises Invalid that names every fault at once."""
    try:
        return Settings()
    except ValidationError as error:
        lines = []
        for fault in error.errors(include_url=False, include_input=False):
            name = str(fault["loc"][0]) if fault["loc"] else "settings"
            variable = name if name.isupper() else f"COMBINE_{name.upper()}"
            where = ".".join(str(part) for part in fault["loc"][1:])
            lines.append(f"{variable}{'.' + where if where else ''}: {fault['msg']}")
        raise Invalid(
            "The settings have faults:\n  " + "\n  ".join(lines),
            code="settings_invalid",
            hint="Correct the environment variables named above; `combine doctor` shows the effective values.",
        ) from None
