"""Typed settings from the environment or `.env`; the portal refuses to start with wrong ones."""

import ssl
from datetime import timedelta
from functools import lru_cache
from pathlib import Path
from secrets import token_urlsafe
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import orjson
from limits import parse_many
from pydantic import Field, HttpUrl, TypeAdapter, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

Seconds = Annotated[int, Field(gt=0)]
Days = Annotated[int, Field(gt=0)]
Port = Annotated[int, Field(gt=0, lt=65536)]


class Settings(BaseSettings):
    """Hold every setting of the portal. The README's table explains each."""

    model_config = SettingsConfigDict(env_file=".env", extra="ignore", frozen=True)

    # Where things are
    demo: bool = False
    testing: bool = False
    data_dir: Path = Path("var")
    database_url: str = ""
    redis_url: str = ""
    base_url: str = "http://localhost:8000"
    register_host: str = ""
    dealer_entry_host: str = ""
    manage_host: str = ""
    monitor_host: str = ""
    session_cookie_domain: str = ""
    trusted_proxies: Annotated[int, Field(ge=0)] = 0

    # Secrets: no defaults outside the demo
    secret_key: str = ""
    metrics_token: str = ""

    # Names and desks
    service_name: str = "遠隔モニタリングサービス"
    operator_name: str = "陽だまりサービス株式会社"
    support_phone: str = "0120-000-000"
    support_hours: str = "平日 9:00–17:00"
    sheet_heading: str = "お客様用 マルチ蓄電システム用ゲートウェイ"
    eco_programme_name: str = "みんなでつくるエコ活サークル"
    eco_support_phone: str = "0120-000-001"
    eco_support_hours: str = "平日 10:00–16:00"
    eco_support_mail: str = "eco@example.org"
    # a third declaration: no subsidy that bought the environmental value
    eco_ask_subsidy: bool = False
    # what readers of English see; without one, the name above
    service_name_en: str = "Remote Monitoring Service"
    operator_name_en: str = "Hidamari Service Co., Ltd."
    support_hours_en: str = "Mon–Fri 9:00–17:00 (Japan time)"
    sheet_heading_en: str = "For customers: gateway for multi-battery storage systems"
    eco_programme_name_en: str = "Eco Life Circle"
    eco_support_hours_en: str = "Mon–Fri 10:00–16:00 (Japan time)"
    content_dir: Path = Path(__file__).parent / "content"

    # Mail
    mail_server: str = "localhost"
    mail_port: int = 25
    mail_use_tls: bool = False
    mail_username: str = ""
    mail_password: str = ""
    mail_from: str = "no-reply@example.org"
    mail_timeout_s: Seconds = 20
    mail_lease_s: Seconds = 120
    mail_retry_s: Seconds = 30
    mail_backoff_s: Seconds = 60
    mail_give_up_days: Days = 5

    # Accounts
    password_rule: Literal["manual", "modern"] = "manual"
    second_factor: Literal["required", "optional"] = "required"
    dealer_approval: Literal["auto", "manual"] = "auto"
    registration_url_days: Days = 7
    reset_url_hours: Annotated[int, Field(gt=0)] = 2
    transfer_days: Days = 60
    draft_keep_hours: Annotated[int, Field(gt=0)] = 24
    registration_keep_days: Days = 30
    # how long sheets of an import or a re-issue may be printed
    sheet_file_hours: Annotated[int, Field(gt=0)] = 24
    # tries to prove a sheet, which operators look at
    attempts_keep_days: Annotated[int, Field(ge=7)] = 90
    # alarms that are over, with what dealers noted about them
    alarms_keep_days: Annotated[int, Field(ge=30)] = 1825
    # how long after its end the personal data of what was closed or removed is kept
    erase_after_days: Days = 30
    session_idle_days_customer: Days = 30
    session_max_days_customer: Days = 90
    session_idle_hours_staff: Annotated[int, Field(gt=0)] = 12
    session_max_days_staff: Days = 7
    argon2_time_cost: Annotated[int, Field(ge=1)] = 3
    argon2_memory_kib: Annotated[int, Field(ge=8)] = 65536
    rate_limit: str = "300 per minute"
    # of each token
    api_rate_limit: str = "60 per minute"
    free_failures: Annotated[int, Field(ge=0)] = 5
    # many households share one address behind a provider's NAT
    free_failures_address: Annotated[int, Field(ge=0)] = 30
    delay_max_s: Seconds = 900

    # Gateways
    poll_interval_s: Seconds = 60
    # with a claim every 2 s, a gateway somebody watches is asked within 10 s
    poll_watched_s: Seconds = 6
    watched_for_s: Seconds = 30
    poll_timeout_s: Seconds = 5
    poll_backoff_max_s: Seconds = 900
    poll_shard: Annotated[int, Field(ge=1, le=500)] = 500
    poll_concurrency: Annotated[int, Field(ge=1)] = 250
    poll_lease_s: Seconds = 90
    # gateways spoken to by TLS: the authority that signs them, the portal's certificates for them
    modbus_tls_ca: str = ""
    modbus_tls_client_dir: str = ""
    tile_refresh_s: Seconds = 5
    site_zone: str = "Asia/Tokyo"
    contract_current_a: Annotated[int, Field(gt=0)] = 60
    # so long after an outage of the service nothing alarms
    alarm_quiet_s: Annotated[int, Field(ge=0)] = 900
    # so long a step of settings at many systems is watched for alarms before the next one begins
    rollout_watch_s: Annotated[int, Field(ge=0)] = 900
    # who of the operator is mailed when many gateways are lost together
    operator_alarm_mail: str = ""
    mail_refresh_s: Seconds = 5
    # samples as they came; half hours are kept in a compact form, days for ever
    raw_retention_days: Annotated[int, Field(ge=8)] = 90
    half_hour_years: Annotated[int, Field(gt=0)] = 10

    # Weather: reports of forecasts and warnings, for plans
    weather_source: Literal["", "jma"] = ""
    weather_url: str = "https://www.jma.go.jp/bosai"
    weather_timeout_s: Seconds = 10

    # Relay: gateways that dial in
    relay_host: str = "127.0.0.1"
    relay_port: Port = 2222
    relay_host_key: str = ""
    relay_internal_host: str = "127.0.0.1"
    relay_internal_port: Port = 2223
    relay_secret: str = ""
    # a relay that dies is forgotten after so long
    relay_lease_s: Annotated[int, Field(ge=3)] = 30
    relay_keepalive_s: Seconds = 20
    relay_recheck_s: Seconds = 30
    relay_login_s: Seconds = 20
    relay_most_signing_in: Annotated[int, Field(ge=1)] = 100
    relay_free_failures: Annotated[int, Field(ge=0)] = 60

    @field_validator("site_zone")
    @classmethod
    def _zone_exists(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError) as error:
            raise ValueError(f"no such zone: {value}") from error
        return value

    @field_validator("operator_alarm_mail")
    @classmethod
    def _alarm_mail_is_an_address(cls, value: str) -> str:
        if value and not all(value.rpartition("@")[::2]):
            raise ValueError("OPERATOR_ALARM_MAIL must be a mail address")
        return value

    @field_validator("api_rate_limit")
    @classmethod
    def _limit_is_one(cls, value: str) -> str:
        parse_many(value)
        return value

    @field_validator("base_url")
    @classmethod
    def _base_url_is_one(cls, value: str) -> str:
        TypeAdapter(HttpUrl).validate_python(value)
        return value.rstrip("/")

    @field_validator("modbus_tls_ca")
    @classmethod
    def _authority_is_one(cls, value: str) -> str:
        if value:
            try:
                ssl.create_default_context(cafile=value)
            except (OSError, ValueError) as error:
                raise ValueError(
                    f"MODBUS_TLS_CA is no PEM file of certificates: {value}"
                ) from error
        return value

    @field_validator("modbus_tls_client_dir")
    @classmethod
    def _client_folder_exists(cls, value: str) -> str:
        if value and not Path(value).is_dir():
            raise ValueError(f"MODBUS_TLS_CLIENT_DIR is no folder: {value}")
        return value

    @field_validator("weather_url")
    @classmethod
    def _weather_url_is_one(cls, value: str) -> str:
        TypeAdapter(HttpUrl).validate_python(value)
        return value.rstrip("/")

    @field_validator("metrics_token")
    @classmethod
    def _metrics_token_is_long(cls, value: str) -> str:
        if value and len(value) < 32:
            raise ValueError("METRICS_TOKEN must have 32 characters or more")
        return value

    @field_validator("relay_secret")
    @classmethod
    def _relay_secret_is_long(cls, value: str) -> str:
        if value and len(value) < 32:
            raise ValueError("RELAY_SECRET must have 32 characters or more")
        return value

    @field_validator("relay_internal_host")
    @classmethod
    def _pollers_reach_the_relay(cls, value: str) -> str:
        # pollers are told this very address
        if value in ("", "0.0.0.0", "::"):  # noqa: S104
            raise ValueError("RELAY_INTERNAL_HOST must be an address that workers can reach")
        return value

    @model_validator(mode="after")
    def _no_secret_by_default(self) -> Self:
        if self.demo and self.base_url.startswith("https://"):
            # it shows every mail and every sheet to whoever asks
            raise ValueError("DEMO must not be set where BASE_URL begins with https://")
        if not (self.demo or self.testing):
            if len(self.secret_key) < 32:
                raise ValueError("SECRET_KEY must be set, 32 characters or more, outside the demo")
            if not self.base_url.startswith("https://"):
                raise ValueError("BASE_URL must begin with https:// outside the demo")
        return self

    @model_validator(mode="after")
    def _lease_outlasts_a_mail(self) -> Self:
        # a mail is four questions to the mail server; a lease that ends sooner sends it twice
        if self.mail_lease_s < 5 * self.mail_timeout_s:
            raise ValueError("MAIL_LEASE_S must be at least five times MAIL_TIMEOUT_S")
        return self

    @model_validator(mode="after")
    def _one_cookie_reaches_every_site(self) -> Self:
        # passkeys belong to this domain, too
        parent = self.session_cookie_domain.lstrip(".")
        if parent and not all(f".{host}".endswith(f".{parent}") for host in self.own_hosts):
            raise ValueError("SESSION_COOKIE_DOMAIN must be the parent of every host")
        return self

    @property
    def database(self) -> str:
        """Return the SQLAlchemy URL: the one configured, else SQLite in the data folder."""
        url = self.database_url or f"sqlite:///{self.data_dir.resolve() / 'portal.db'}"
        for short in ("postgres://", "postgresql://"):
            if url.startswith(short):
                return "postgresql+psycopg://" + url.removeprefix(short)
        return url

    @property
    def relay_host_key_file(self) -> Path:
        """Return where the relay's private host key lies."""
        return Path(self.relay_host_key or self.data_dir / "relay_host_key")

    @property
    def relay_address(self) -> str:
        """Return where pollers reach the relay that runs with these settings."""
        return f"{self.relay_internal_host}:{self.relay_internal_port}"

    @property
    def names_by_language(self) -> dict[str, dict[str, str]]:
        """Return the names content files may mention, for each language."""
        return {language: self.in_language(language).names for language in ("ja", "en")}

    @property
    def names(self) -> dict[str, str]:
        """Return the names a content file may mention, such as `{SERVICE_NAME}`."""
        named = (
            "service_name",
            "operator_name",
            "support_phone",
            "support_hours",
            "eco_programme_name",
            "eco_support_phone",
            "eco_support_hours",
            "eco_support_mail",
        )
        return {name.upper(): getattr(self, name) for name in named}

    def in_language(self, language: str) -> Self:
        """Return the settings whose names readers of `language` ("ja" or "en") understand.

        A default English name stands for the default Japanese one only: where the operator has
        given a name of its own and no English one, everybody reads that.
        """
        if language != "en":
            return self
        own = self.model_fields_set
        english = {
            name: getattr(self, f"{name}_en")
            for name in type(self).model_fields
            if f"{name}_en" in type(self).model_fields and (f"{name}_en" in own or name not in own)
        }
        return self.model_copy(update=english)

    @property
    def own_hosts(self) -> list[str]:
        """Return the hosts of the sites as configured, without ports."""
        own = HttpUrl(self.base_url).host or "localhost"
        return sorted({own, *[host.split(":")[0] for host in self._named_hosts]})

    @property
    def hosts(self) -> list[str]:
        """Return the hosts the portal answers for, without ports."""
        # whoever tries the demo may type either
        local = ["localhost", "127.0.0.1"] if self.demo else []
        return sorted({*self.own_hosts, *local})

    @property
    def passkey_domain(self) -> str:
        """Return the domain that passkeys belong to: the parent of all sites, or the only one's."""
        parent = self.session_cookie_domain.lstrip(".")
        return parent or HttpUrl(self.base_url).host or "localhost"

    @property
    def origins(self) -> tuple[str, ...]:
        """Return scheme, host and port of every site, as browsers write them."""
        base = urlsplit(self.base_url)
        # a port that goes without saying is never said
        usual = ":443" if base.scheme == "https" else ":80"
        own = (host.lower().removesuffix(usual) for host in (base.netloc, *self._named_hosts))
        return tuple(sorted({f"{base.scheme}://{host}" for host in own}))

    @property
    def _named_hosts(self) -> list[str]:
        named = [self.register_host, self.dealer_entry_host, self.manage_host, self.monitor_host]
        return [host for host in named if host]


@lru_cache
def load() -> Settings:
    """Read the settings once for this process.

    Raises:
        pydantic.ValidationError: A setting is missing or wrong; the message names it.
    """
    return Settings()


def flask_config(settings: Settings) -> dict[str, Any]:
    """Return what Flask and its extensions read, derived from the typed settings."""
    https = settings.base_url.startswith("https://")
    return {
        # the demo keeps one of its own; a test, or whoever forgot, gets one that nobody knows
        "SECRET_KEY": settings.secret_key or token_urlsafe(32),
        "TESTING": settings.testing,
        "SQLALCHEMY_DATABASE_URI": settings.database,
        "SQLALCHEMY_ENGINE_OPTIONS": {
            "pool_pre_ping": not settings.database.startswith("sqlite"),
            # errors end in logs, and what a statement was given are names, hashes, mail addresses
            "hide_parameters": True,
            "json_serializer": _to_json,
            "json_deserializer": _from_json,
        },
        "TRUSTED_HOSTS": settings.hosts,
        "MAX_CONTENT_LENGTH": 1024 * 1024,
        "SESSION_COOKIE_NAME": _cookie_name(settings),
        "SESSION_COOKIE_HTTPONLY": True,
        "SESSION_COOKIE_SAMESITE": "Lax",
        "SESSION_COOKIE_SECURE": https,
        "SESSION_COOKIE_DOMAIN": cookie_domain(settings),
        # else the answer to a poll could overwrite the cookie of a sign-in in another tab; it
        # lives as long as a session may at most, so nothing is gained by writing it anew
        "SESSION_REFRESH_EACH_REQUEST": False,
        "PERMANENT_SESSION_LIFETIME": timedelta(days=settings.session_max_days_customer),
        # a dashboard that was open for hours must still be able to POST
        "WTF_CSRF_TIME_LIMIT": None,
        "BABEL_DEFAULT_LOCALE": "ja",
        "BABEL_DEFAULT_TIMEZONE": settings.site_zone,
        "MAIL_SERVER": settings.mail_server,
        "MAIL_PORT": settings.mail_port,
        "MAIL_USE_TLS": settings.mail_use_tls,
        "MAIL_USERNAME": settings.mail_username or None,
        "MAIL_PASSWORD": settings.mail_password or None,
        # tests have a mail server of their own; nothing is ever sent into the void and called sent
        "MAIL_SUPPRESS_SEND": False,
        "MAIL_DEFAULT_SENDER": (settings.service_name, settings.mail_from),
        "RATELIMIT_STORAGE_URI": "memory://"
        if settings.testing
        else settings.redis_url or "redis://localhost:6379/0",
        "RATELIMIT_STORAGE_OPTIONS": {}
        if settings.testing
        else {"socket_connect_timeout": 1, "socket_timeout": 2},
        "RATELIMIT_DEFAULT": settings.rate_limit,
        "RATELIMIT_HEADERS_ENABLED": False,
        "RATELIMIT_ENABLED": True,
    }


def _cookie_name(settings: Settings) -> str:
    """Return the cookie's name, whose prefix has browsers see to its flags."""
    if not settings.base_url.startswith("https://"):
        return "hidamari"
    return "__Secure-hidamari" if cookie_domain(settings) else "__Host-hidamari"


def cookie_domain(settings: Settings) -> str | None:
    """Return the parent domain one sign-in serves, or None for this host alone."""
    return settings.session_cookie_domain or None


def _to_json(value: Any) -> str:
    """Return `value` as JSON for the database.

    Raises:
        TypeError: JSON knows no such type. Moments are not silently made words of.
    """
    return orjson.dumps(value, option=orjson.OPT_PASSTHROUGH_DATETIME).decode()


def _from_json(kept: Any) -> Any:
    """Return what the database kept as JSON."""
    # SQLite gives a bare number back as one
    return kept if isinstance(kept, int | float) else orjson.loads(kept)
