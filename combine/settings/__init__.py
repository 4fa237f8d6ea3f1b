"""One frozen Settings object, read once from the environment (prefix ``COMBINE_``)."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from datetime import timedelta
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Literal

from platformdirs import user_data_path
from pydantic import AliasChoices, Field, SecretStr, ValidationError, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from combine.errors import Invalid
from combine.settings.values import (
    AdminEmail,
    BaseUrl,
    Concurrency,
    DailyBudget,
    Domains,
    Duration,
    Hosts,
    Networks,
    OidcProviders,
    Origin,
    Origins,
    PositiveInt,
    Prices,
    RateLimit,
    TextPath,
    require_text,
)

_PREFIX = "COMBINE_"
# Used by smoke tests; set by Kubernetes for services whose names begin with "combine".
_FOREIGN = re.compile(r"COMBINE_(SMOKE_\w+|(\w+_)?SERVICE_(HOST|PORT(_\w+)?)|(\w+_)?PORT_\d+_\w+)")
_LINK = re.compile(r"(tcp|udp|sctp)://.+")


def default_data_dir() -> Path:
    """The user's data folder; for root ``/var/lib/combine``.

    PostgreSQL refuses to run as root, so root's server runs as another user, who cannot access root's home.
    """
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        return Path("/var/lib/combine")
    return user_data_path("combine", appauthor=False)


def _alias(name: str, *others: str) -> AliasChoices:
    return AliasChoices(f"COMBINE_{name}", *others)


SHORTEST_SECRET = 8
"""Characters of the shortest text that is treated as a secret."""


class Settings(BaseSettings):
    """Every setting. ``docs/configuration.md`` documents each; a test compares them."""

    model_config = SettingsConfigDict(
        env_prefix=_PREFIX,
        frozen=True,
        extra="forbid",
        env_ignore_empty=True,
        populate_by_name=True,
    )

    database_url: SecretStr | None = None
    """A PostgreSQL URL. None: the embedded server in ``data_dir``."""
    database_pool_size: PositiveInt = 10
    data_dir: TextPath = Field(default_factory=default_data_dir)
    """The data folder of the embedded server."""
    workflows_dir: Path | None = None
    """Your own folder with ``workflows/``, ``prompts/`` and ``schemas/``."""

    llm_default_model: str = "claude-sonnet-5-5"
    """``PROVIDER:MODEL``; a plain ID means ``anthropic:``; ``offline`` uses no language model."""
    llm_max_retries: Annotated[int, Field(ge=0, le=10)] = 3
    llm_enable_caching: bool = True
    llm_max_output_tokens: PositiveInt = 32_000
    llm_connect_timeout: Duration = timedelta(seconds=5)
    llm_read_timeout: Duration = timedelta(seconds=120)
    """The longest pause within a stream; a busy local model can take minutes for its first token."""
    llm_retry_after_cap: Duration = timedelta(seconds=60)
    llm_concurrency: Concurrency = Field(default_factory=dict)
    """JSON: ``{"anthropic": 8}``, concurrent calls per provider in one process; others have no limit."""
    llm_prices: Prices = Field(default_factory=dict)
    """JSON: ``{"my-model": {"input": 0.5, "output": 1.5}}``, USD per million tokens."""
    daily_budget_usd: DailyBudget | None = None
    """The most the whole installation may spend per day (UTC)."""
    anthropic_api_key: SecretStr | None = Field(
        default=None, validation_alias=_alias("ANTHROPIC_API_KEY", "ANTHROPIC_API_KEY")
    )
    anthropic_base_url: BaseUrl | None = Field(
        default=None, validation_alias=_alias("ANTHROPIC_BASE_URL", "ANTHROPIC_BASE_URL")
    )
    openai_api_key: SecretStr | None = Field(default=None, validation_alias=_alias("OPENAI_API_KEY", "OPENAI_API_KEY"))
    openai_base_url: BaseUrl | None = Field(default=None, validation_alias=_alias("OPENAI_BASE_URL", "OPENAI_BASE_URL"))
    scripted_file: Path | None = None
    """Replies of the ``scripted`` provider, for tests and demonstrations."""

    worker_concurrency: PositiveInt = 64
    """Executions that one process runs concurrently."""
    drain_grace: Duration = timedelta(seconds=30)
    """How long a stopping process waits for calls in flight."""

    # A remote server for commands.
    server: str | None = None
    """Its URL; None: commands open the database and run executions in their own process."""
    token: SecretStr | None = None
    """A personal access token of that server."""

    # The server: `combine serve`.
    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65_535)] = 8765
    public_url: Origin | None = None
    """The URL that users open; None: ``http://HOST:PORT``."""
    allowed_hosts: Hosts = ("localhost", "127.0.0.1", "::1")
    """In addition to the host of the public URL."""
    cors_origins: Origins = ()
    trusted_proxies: Networks = ()
    """Addresses or networks whose X-Forwarded-For and X-Forwarded-Proto headers are trusted."""
    max_body_bytes: Annotated[int, Field(ge=1024)] = 2 * 1024 * 1024
    body_timeout: Duration = timedelta(seconds=15)
    """How long a request body may take to arrive."""
    request_timeout: Duration = timedelta(seconds=30)
    """How long a request may take in total; event streams have no limit."""
    rate_limit_sign_in: RateLimit = "20/minute"
    rate_limit_starts: RateLimit = "60/minute"
    rate_limit_tokens: RateLimit = "20/hour"
    enable_metrics: bool = True

    # Sign-in.
    oidc_providers: OidcProviders = Field(default_factory=dict)
    """JSON: ``{"google": {"client_id": "...", "client_secret": "..."}}``. Empty: local mode."""
    oidc_allowed_domains: Domains = Field(default=(), validate_default=True)
    """The domains of the email addresses that may sign in; ``*``: any."""
    bootstrap_admin: AdminEmail | None = None
    """The verified address that becomes admin when it signs in, if there is no admin yet."""
    session_idle: Duration = timedelta(hours=12)
    """How long an unused session stays valid."""
    session_lifetime: Duration = timedelta(days=7)
    """How long a session stays valid, even if it is used."""

    log_format: Literal["json", "console"] = "console"
    log_level: Literal["debug", "info", "warning", "error"] = "warning"

    @field_validator("*")
    @classmethod
    def _text(cls, value: Any) -> Any:
        require_text(value.get_secret_value() if isinstance(value, SecretStr) else value)
        return value

    @field_validator("oidc_allowed_domains")
    @classmethod
    def _needed_with_providers(cls, domains: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        if info.data.get("oidc_providers") and not domains:
            msg = "required with COMBINE_OIDC_PROVIDERS: the domains that may sign in, such as example.org; * for any"
            raise ValueError(msg)
        return domains

    @field_validator("session_lifetime")
    @classmethod
    def _not_below_idle(cls, lifetime: timedelta, info: ValidationInfo) -> timedelta:
        if lifetime < info.data.get("session_idle", lifetime):
            msg = "must not be shorter than COMBINE_SESSION_IDLE"
            raise ValueError(msg)
        return lifetime

    def secret_texts(self) -> list[str]:
        """Every secret in plain text: what must not appear in logs, responses and files.

        Shorter texts are left out: people set keys such as ``x`` for local servers, which are in every text.
        """
        values = [getattr(self, name) for name in type(self).model_fields]
        values += [provider.client_secret for provider in self.oidc_providers.values()]
        texts = [value.get_secret_value() for value in values if isinstance(value, SecretStr)]
        return [text for text in texts if len(text) >= SHORTEST_SECRET]


def read_settings() -> Settings:
    """The settings of this process. Raises Invalid that lists all errors at once."""
    try:
        return Settings()
    except ValidationError as error:
        lines = []
        for one in error.errors(include_url=False, include_input=False):
            name = str(one["loc"][0]) if one["loc"] else "settings"
            variable = _as_set(name) if name.isupper() else f"COMBINE_{name.upper()}"
            where = "".join(f".{part}" for part in one["loc"][1:])
            lines.append(f"{variable}{where}: {one['msg'].removeprefix('Value error, ')}")
        lines += [unknown_setting(name, near) for name, near in unknown_variables(os.environ).items()]
        raise Invalid(
            "Invalid settings:\n  " + "\n  ".join(lines),
            code="settings_invalid",
            hint="Correct these environment variables; `combine doctor` shows the effective values.",
        ) from None


def _as_set(name: str) -> str:
    """The variable that is actually set, of the alternatives for ``name``."""
    for field in Settings.model_fields.values():
        alias = field.validation_alias
        if isinstance(alias, AliasChoices) and name in alias.choices:
            return next((one for one in map(str, alias.choices) if os.environ.get(one)), name)
    return name


def unknown_variables(environment: Mapping[str, str]) -> dict[str, str | None]:
    """Variables with our prefix that are not settings, each with the most similar setting, if there is one."""
    endings = [one.removeprefix(_PREFIX) for one in _variables() if one.startswith(_PREFIX)]
    found = {}
    for name, value in sorted(environment.items()):
        upper = name.upper()
        ending = upper.removeprefix(_PREFIX)
        if not value or not name.isidentifier() or ending == upper or ending in endings:
            continue
        foreign = _FOREIGN.fullmatch(upper) or (ending.endswith("_PORT") and _LINK.fullmatch(value))
        if not foreign:
            near = get_close_matches(ending, endings, n=1)
            found[name] = _PREFIX + near[0] if near else None
    return found


def unknown_setting(name: str, near: str | None) -> str:
    """A message about an unknown variable, without its value, which may be a secret."""
    return f"{name}: unknown setting" + ("" if near is None else f"; did you mean {near}?")


def _variables() -> Iterator[str]:
    for name, field in Settings.model_fields.items():
        if isinstance(field.validation_alias, AliasChoices):
            yield from map(str, field.validation_alias.choices)
        else:
            yield f"{_PREFIX}{name.upper()}"
