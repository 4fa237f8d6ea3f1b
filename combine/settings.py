"""One frozen Settings object, read once from the environment (prefix ``COMBINE_``)."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import timedelta
from decimal import Decimal
from difflib import get_close_matches
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from platformdirs import user_data_path
from pydantic import (
    AfterValidator,
    AliasChoices,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    StringConstraints,
    ValidationError,
    ValidationInfo,
    field_validator,
)
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from combine.errors import Invalid, fault_in_words
from combine.formats import is_storable

_PREFIX = "COMBINE_"
# Of the tests that look at a deployment; and what Kubernetes tells of services whose names begin with combine.
_OF_OTHERS = re.compile(r"COMBINE_(SMOKE_\w+|(\w+_)?SERVICE_(HOST|PORT(_\w+)?)|(\w+_)?PORT_\d+_\w+)")
_LINK = re.compile(r"(tcp|udp|sctp)://.+")
_OIDC_NAME = "(its key)"
_KNOWN_OIDC = frozenset({"google", "microsoft"})
_MOST_PER_MILLION = 1_000_000
"""USD for a million tokens that no model costs."""
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


def _names(value: object) -> object:
    """``a, b`` as its parts."""
    return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value


Names = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_names)]
"""A list, with commas in its variable."""


def _json(value: object) -> object:
    """JSON as its value. Raises ValueError, which never shows what was given."""
    if isinstance(value, str):
        try:
            return json.loads(value)
        except ValueError:
            msg = "this is no JSON"
            raise ValueError(msg) from None
    return value


Json = BeforeValidator(_json)
"""With ``NoDecode``: a value that is no JSON is then named among the other faults."""


def _domains(value: object) -> object:
    """A JSON list or ``a, b``; in small letters, without a leading @."""
    if isinstance(value, str):
        value = _json(value) if value.lstrip().startswith("[") else _names(value)
    return [one.strip().lower().removeprefix("@") if isinstance(one, str) else one for one in value or ()]  # type: ignore[attr-defined]


def _form(pattern: str, wanted: str) -> AfterValidator:
    """A text of that form; if it is another, ``wanted`` is said and not the pattern."""
    compiled = re.compile(pattern)

    def check(text: str) -> str:
        if not compiled.fullmatch(text):
            raise ValueError(wanted)
        return text

    return AfterValidator(check)


def _network(text: str) -> str:
    """Raises ValueError."""
    try:
        ip_network(text)
    except ValueError:
        msg = "an address or a network is wanted, such as 10.0.0.5 or 10.0.0.0/8; all are 0.0.0.0/0 and ::/0"
        raise ValueError(msg) from None
    return text


def _host(text: str) -> str:
    """Raises ValueError."""
    with suppress(ValueError):
        return str(ip_address(text.removeprefix("[").removesuffix("]")))
    if not re.fullmatch(r"(\*\.)?[a-z0-9_]([a-z0-9_.-]*[a-z0-9_])?", text.lower()):
        msg = "a host name is wanted, without https:// and without a port, such as combine.example.org"
        raise ValueError(msg)
    return text


Domain = Annotated[
    str, _form(r"\*|[a-z0-9]([a-z0-9.-]*[a-z0-9])?", "a domain is wanted, such as example.org, or * for anybody")
]
RateLimit = Annotated[
    str,
    _form(
        r"[1-9][0-9]{0,5}/(second|minute|hour|day)",
        "a number and second, minute, hour or day are wanted, such as 60/minute",
    ),
]
Email = Annotated[
    str,
    StringConstraints(strip_whitespace=True, to_lower=True),
    _form(r"[!-?A-~]+@[A-Za-z0-9.-]+", "an address of mail is wanted, such as ada@example.org"),
]
PerMillion = Annotated[Decimal, Field(ge=0, lt=_MOST_PER_MILLION)]


def _public_url(text: str) -> str:
    """An origin without a trailing slash. Raises ValueError."""
    url = urlsplit(text.strip())
    _ = url.port  # looked at only when asked for
    if url.scheme not in {"http", "https"} or not url.hostname or url.username is not None:
        msg = "write it as https://combine.example.org"
        raise ValueError(msg)
    if url.path.strip("/") or url.query or url.fragment:
        msg = "it has no path: the program stands at the root of its host"
        raise ValueError(msg)
    return f"{url.scheme}://{url.netloc.lower()}"


def _in_words(path: Path) -> Path:
    """Part of the database's address, which is text. Raises ValueError."""
    _need_text(str(path))
    return path


def _need_text(value: object) -> None:
    """Raises ValueError for text that is not UTF-8 or has control characters."""
    if isinstance(value, str) and not is_storable(value):
        msg = "must be UTF-8 text without control characters"
        raise ValueError(msg)


def _origins(texts: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(_public_url(text) for text in texts)


def _base_url(text: str) -> str:
    """A provider's address; who uses it may stand in it. Raises ValueError, which never shows it."""
    text = text.strip()
    place = re.split(r"[/?#]", text.partition("://")[2], maxsplit=1)[0]
    if text.count("@") > 1 or ("@" in text and "@" not in place):
        msg = "it holds an @ too many; in a password or a path the characters @ : / ? # are written %40 %3A %2F %3F %23"
        raise ValueError(msg)
    return text


BaseUrl = Annotated[str, AfterValidator(_base_url)]


class PriceOverride(BaseModel):
    """USD per million tokens for one model, where the price list is wrong or silent."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    input: PerMillion
    output: PerMillion
    cache_read: PerMillion | None = None
    cache_write: PerMillion | None = None


class OidcProvider(BaseModel):
    """One provider of identities. ``google`` and ``microsoft`` are known by name, any other needs its ``issuer``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Annotated[
        str, _form(r"[a-z][a-z0-9-]{0,31}", "small letters, digits and - are wanted, at most 32, such as my-firm")
    ] = Field(validation_alias=_OIDC_NAME)
    """Its key; not a field of the JSON."""
    client_id: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
    client_secret: SecretStr | None = None
    """None: a public client, known by PKCE alone."""
    issuer: str | None = Field(default=None, validate_default=True)
    tenant: (
        Annotated[str, _form(r"[A-Za-z0-9.-]+", "a tenant's id or domain is wanted, such as example.org")] | None
    ) = None
    label: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=40)] | None = None
    scopes: tuple[str, ...] | None = None
    trust_email: bool | None = None

    @field_validator("name")
    @classmethod
    def _not_local(cls, name: str) -> str:
        if name == "local":
            msg = "this means the local mode; choose another name"
            raise ValueError(msg)
        return name

    @field_validator("issuer")
    @classmethod
    def _known_or_named(cls, issuer: str | None, info: ValidationInfo) -> str | None:
        name = info.data.get("name")
        if name in _KNOWN_OIDC:
            if issuer is not None:
                msg = f"the issuer of {name} is known; leave it out, or choose another name"
                raise ValueError(msg)
            return None
        if issuer is None:
            msg = "needed, such as https://login.example.org"
            raise ValueError(msg)
        return _issuer(issuer)

    @field_validator("tenant")
    @classmethod
    def _microsoft_only(cls, tenant: str | None, info: ValidationInfo) -> str | None:
        if tenant is not None and info.data.get("name") != "microsoft":
            msg = "only microsoft has tenants"
            raise ValueError(msg)
        return tenant


def _issuer(text: str) -> str:
    """An https address, or an http one of this machine. Raises ValueError."""
    url = urlsplit(text.strip())
    _ = url.port
    local = url.scheme == "http" and url.hostname in {"localhost", "127.0.0.1", "::1"}
    if not (local or url.scheme == "https") or not url.hostname or url.username is not None:
        msg = "write it as https://login.example.org; http is for this machine only"
        raise ValueError(msg)
    if url.query or url.fragment:
        msg = "it has no query and no fragment"
        raise ValueError(msg)
    return url.geturl()


def _named(value: object) -> object:
    """The key of each provider handed to its value, so that it can judge by it."""
    if not isinstance(value, dict):
        return value
    return {key: {**one, _OIDC_NAME: key} if isinstance(one, dict) else one for key, one in value.items()}


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
        env_prefix=_PREFIX,
        frozen=True,
        extra="forbid",
        env_ignore_empty=True,
        populate_by_name=True,
    )

    database_url: SecretStr | None = None
    """A PostgreSQL URL. None: the embedded server in ``data_dir``."""
    database_pool_size: PositiveInt = 10
    data_dir: Annotated[Path, AfterValidator(_in_words)] = Field(default_factory=default_data_dir)
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
    llm_concurrency: Annotated[
        dict[Literal["anthropic", "openai", "offline", "scripted"], PositiveInt], NoDecode, Json
    ] = Field(default_factory=dict)
    """JSON: ``{"anthropic": 8}``, calls in flight at once per provider in one process; not named: no limit."""
    llm_prices: Annotated[dict[str, PriceOverride], NoDecode, Json] = Field(default_factory=dict)
    """JSON: ``{"my-model": {"input": 0.5, "output": 1.5}}``, USD per million tokens."""
    daily_budget_usd: Annotated[Decimal, Field(gt=0, le=9_999_999, decimal_places=6, allow_inf_nan=False)] | None = None
    """What the whole installation may spend on one day (UTC); within the limits of ``services/amounts.py``."""
    anthropic_api_key: SecretStr | None = Field(
        default=None, validation_alias=_alias("ANTHROPIC_API_KEY", "ANTHROPIC_API_KEY")
    )
    anthropic_base_url: BaseUrl | None = Field(
        default=None, validation_alias=_alias("ANTHROPIC_BASE_URL", "ANTHROPIC_BASE_URL")
    )
    openai_api_key: SecretStr | None = Field(default=None, validation_alias=_alias("OPENAI_API_KEY", "OPENAI_API_KEY"))
    openai_base_url: BaseUrl | None = Field(default=None, validation_alias=_alias("OPENAI_BASE_URL", "OPENAI_BASE_URL"))
    scripted_file: Path | None = None
    """Replies of the ``scripted`` provider (tests, demonstrations)."""

    worker_concurrency: PositiveInt = 64
    """Executions one process works on at the same time."""
    drain_grace: Duration = timedelta(seconds=30)
    """How long a stopping process lets calls in flight finish."""

    # A server that commands are done at.
    server: str | None = None
    """Its address; None: this process opens the database and does the work."""
    token: SecretStr | None = None
    """A personal access token there."""

    # The server: `combine serve`.
    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65_535)] = 8765
    public_url: Annotated[str, AfterValidator(_public_url)] | None = None
    """What people type; None: ``http://HOST:PORT``."""
    allowed_hosts: Annotated[tuple[Annotated[str, AfterValidator(_host)], ...], NoDecode, BeforeValidator(_names)] = (
        "localhost",
        "127.0.0.1",
        "::1",
    )
    """Beside the public URL's own."""
    cors_origins: Annotated[Names, AfterValidator(_origins)] = ()
    trusted_proxies: Annotated[
        tuple[Annotated[str, AfterValidator(_network)], ...], NoDecode, BeforeValidator(_names)
    ] = ()
    """Addresses or networks whose X-Forwarded-For and X-Forwarded-Proto are believed."""
    max_body_bytes: Annotated[int, Field(ge=1024)] = 2 * 1024 * 1024
    body_timeout: Duration = timedelta(seconds=15)
    """How long a request's body may take to come."""
    request_timeout: Duration = timedelta(seconds=30)
    """How long a request may take in all; event streams have no such limit."""
    rate_limit_sign_in: RateLimit = "20/minute"
    rate_limit_starts: RateLimit = "60/minute"
    rate_limit_tokens: RateLimit = "20/hour"
    enable_metrics: bool = True

    # Signing in.
    oidc_providers: Annotated[dict[str, OidcProvider], NoDecode, BeforeValidator(_named), Json] = Field(
        default_factory=dict
    )
    """JSON: ``{"google": {"client_id": "...", "client_secret": "..."}}``. None: local mode."""
    oidc_allowed_domains: Annotated[tuple[Domain, ...], NoDecode, BeforeValidator(_domains)] = Field(
        default=(), validate_default=True
    )
    """Whose addresses may sign in; ``*``: anybody's."""
    bootstrap_admin: Email | None = None
    """The verified address that becomes admin when it signs in, as long as there is none."""
    session_idle: Duration = timedelta(hours=12)
    """How long an unused session is good."""
    session_lifetime: Duration = timedelta(days=7)
    """How long a session is good, however much it is used."""

    log_format: Literal["json", "console"] = "console"
    log_level: Literal["debug", "info", "warning", "error"] = "warning"

    @field_validator("*")
    @classmethod
    def _text(cls, value: Any) -> Any:
        _need_text(value.get_secret_value() if isinstance(value, SecretStr) else value)
        return value

    @field_validator("oidc_allowed_domains")
    @classmethod
    def _needed_with_providers(cls, domains: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        if info.data.get("oidc_providers") and not domains:
            msg = "say whose addresses may sign in, such as example.org; * lets in anybody"
            raise ValueError(msg)
        return domains

    @field_validator("session_lifetime")
    @classmethod
    def _not_below_idle(cls, lifetime: timedelta, info: ValidationInfo) -> timedelta:
        if lifetime < info.data.get("session_idle", lifetime):
            msg = "not shorter than COMBINE_SESSION_IDLE"
            raise ValueError(msg)
        return lifetime

    def secret_texts(self) -> list[str]:
        """Every secret in clear: what must stand in no log line, no answer and no file."""
        values = [getattr(self, name) for name in type(self).model_fields]
        values += [provider.client_secret for provider in self.oidc_providers.values()]
        return [text for value in values if isinstance(value, SecretStr) and (text := value.get_secret_value())]


def read_settings() -> Settings:
    """The settings of this process. Raises Invalid that names every fault at once."""
    try:
        return Settings()
    except ValidationError as error:
        lines = []
        for fault in error.errors(include_url=False, include_input=False):
            name = str(fault["loc"][0]) if fault["loc"] else "settings"
            variable = _as_set(name) if name.isupper() else f"COMBINE_{name.upper()}"
            where = ".".join(str(part) for part in fault["loc"][1:])
            told = fault_in_words(fault["type"], fault["msg"], fault.get("ctx", {}))
            lines.append(f"{variable}{'.' + where if where else ''}: {told}")
        lines += [told_unknown(name, near) for name, near in unknown_variables(os.environ).items()]
        raise Invalid(
            "The settings have faults:\n  " + "\n  ".join(lines),
            code="settings_invalid",
            hint="Correct the environment variables named above; `combine doctor` shows the effective values.",
        ) from None


def _as_set(name: str) -> str:
    """The variable that was set of those that stand for the same as ``name``."""
    for field in Settings.model_fields.values():
        alias = field.validation_alias
        if isinstance(alias, AliasChoices) and name in alias.choices:
            return next((one for one in map(str, alias.choices) if os.environ.get(one)), name)
    return name


def unknown_variables(environment: Mapping[str, str]) -> dict[str, str | None]:
    """Variables with our prefix that no setting reads -> the one that is spelt most like it, if any is."""
    endings = [one.removeprefix(_PREFIX) for one in _variables() if one.startswith(_PREFIX)]
    found = {}
    for name, value in sorted(environment.items()):
        upper = name.upper()
        ending = upper.removeprefix(_PREFIX)
        if not value or not name.isidentifier() or ending == upper or ending in endings:
            continue
        of_others = _OF_OTHERS.fullmatch(upper) or (ending.endswith("_PORT") and _LINK.fullmatch(value))
        if not of_others:
            near = get_close_matches(ending, endings, n=1)
            found[name] = _PREFIX + near[0] if near else None
    return found


def told_unknown(name: str, near: str | None) -> str:
    """One of them in words. Its value may be a secret."""
    return f"{name} is no setting" + ("" if near is None else f" (perhaps {near})")


def _variables() -> Iterator[str]:
    for name, field in Settings.model_fields.items():
        if isinstance(field.validation_alias, AliasChoices):
            yield from map(str, field.validation_alias.choices)
        else:
            yield f"{_PREFIX}{name.upper()}"
