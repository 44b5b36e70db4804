"""All settings, read from the environment once. Keys come from a file that `make up` generates (mode 0600)."""

import json
import os
import sys
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from dotdo_site import embedded_postgres

BASE_DIR = Path(__file__).resolve().parent.parent
VAR_DIR = Path(os.environ.get("DOTDO_VAR", BASE_DIR / "var"))
VERSION = "0.1.0"


def env_bool(name: str, default: bool) -> bool:
    """Read a switch: `1 true yes on` or `0 false no off`. Raises ValueError for anything else."""
    text = os.environ.get(name, "").strip().lower()
    if not text:
        return default
    if text in {"1", "true", "yes", "on"}:
        return True
    if text in {"0", "false", "no", "off"}:
        return False
    raise ValueError(f"{name}={text!r} is not a switch: use 1 or 0")


def env_days(name: str) -> int | None:
    """Read a number of days; None when there is none. Raises ValueError."""
    text = os.environ.get(name, "").strip()
    return int(text) if text else None


def env_list(name: str, default: str = "") -> list[str]:
    """Read a comma-separated list."""
    return [item.strip() for item in os.environ.get(name, default).split(",") if item.strip()]


def database(url: str) -> dict[str, Any]:
    """Turn `postgres://user:password@host:port/name?option=value` into Django's form; `?host=/dir` names a socket."""
    parts = urlsplit(url)
    if parts.scheme not in {"postgres", "postgresql"}:
        raise ValueError("DATABASE_URL must begin with postgres:// (dotdo runs on PostgreSQL only)")
    options = dict(parse_qsl(parts.query))
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": unquote(parts.path.lstrip("/")),
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": options.pop("host", None) or unquote(parts.hostname or ""),
        "PORT": str(parts.port or options.pop("port", "")),
        "OPTIONS": options,
    }


# --- keys -----------------------------------------------------------------------------------------------------------
KEYS_FILE = Path(os.environ.get("DOTDO_KEYS_FILE", VAR_DIR / "keys" / "keys.json"))
_keys: dict[str, str] = json.loads(KEYS_FILE.read_text()) if KEYS_FILE.exists() else {}
SECRET_KEY = os.environ.get("SECRET_KEY") or _keys.get("SECRET_KEY", "")
SECRET_KEY_FALLBACKS = env_list("DOTDO_SECRET_KEY_FALLBACKS")  # former ones: what they signed stays valid
API_KEY_PEPPER = os.environ.get("DOTDO_API_KEY_PEPPER") or _keys.get("API_KEY_PEPPER", "")
# `name:base64` pairs, the first one encrypts, all decrypt: old keys stay listed until `rotate_secrets` has run.
SECRETS_KEYS = env_list("DOTDO_SECRETS_KEYS", _keys.get("SECRETS_KEYS", ""))
# The seed of an Ed25519 key, base64 of 32 bytes: it signs the seals of the audit trail.
AUDIT_SIGNING_KEY = os.environ.get("DOTDO_AUDIT_SIGNING_KEY") or _keys.get("AUDIT_SIGNING_KEY", "")

# --- mode -----------------------------------------------------------------------------------------------------------
DEBUG = False
DEVELOPMENT = env_bool("DOTDO_DEVELOPMENT", default=False)
ALLOWED_HOSTS = env_list("DOTDO_ALLOWED_HOSTS", "localhost,127.0.0.1,[::1]")
CSRF_TRUSTED_ORIGINS = env_list("DOTDO_TRUSTED_ORIGINS")
HTTPS = env_bool("DOTDO_HTTPS", default=False)
# How others reach this server: the webhooks that runs give out begin with it.
PUBLIC_URL = os.environ.get("DOTDO_PUBLIC_URL", "http://localhost:8000").rstrip("/")
# Where the demo's stand-ins listen; `make up` chooses the ports, 0 means that they do not run.
DEMO_HTTP_PORT = int(os.environ.get("DOTDO_DEMO_HTTP_PORT", "0"))
DEMO_SMTP_PORT = int(os.environ.get("DOTDO_DEMO_SMTP_PORT", "0"))

INSTALLED_APPS = [
    "workflows",
    "actions",
    "audit",
    "dotdo_site.access",
    "dotdo_site",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "django_q",
    "django_htmx",
    "csp",
    "axes",
    "rest_framework",
    "django_filters",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    *(["dotdo_site.demo"] if DEVELOPMENT else []),
    *env_list("DOTDO_APPS"),
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "dotdo_site.lib.headers.RestrictBrowsers",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "dotdo_site.lib.headers.ContentPolicy",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "axes.middleware.AxesMiddleware",
    "dotdo_site.lib.viewer.KnowTheViewer",
    "dotdo_site.lib.nul.RefuseNul",
]
ROOT_URLCONF = "dotdo_site.urls"
WSGI_APPLICATION = "dotdo_site.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

# --- database -------------------------------------------------------------------------------------------------------
DATABASES = {"default": database(os.environ.get("DATABASE_URL") or embedded_postgres.application_url(VAR_DIR))}
DATABASES["default"]["CONN_MAX_AGE"] = None
DATABASES["default"]["CONN_HEALTH_CHECKS"] = True
DATABASES["default"]["DISABLE_SERVER_SIDE_CURSORS"] = True
PATIENCE = {  # how soon a server that has gone silent is given up
    "connect_timeout": "5",
    "keepalives_idle": "10",
    "keepalives_interval": "5",
    "keepalives_count": "3",
    "tcp_user_timeout": "10000",
}
DATABASES["default"]["OPTIONS"] = {**PATIENCE, "application_name": "dotdo", **DATABASES["default"]["OPTIONS"]}
# None: as each connection allows; see dotdo_site/pooling.py.
PREPARED_STATEMENTS = env_bool("DOTDO_PREPARED", default=True) if os.environ.get("DOTDO_PREPARED") else None
DATABASES["default"]["OPTIONS"]["prepare_threshold"] = None if PREPARED_STATEMENTS is False else 5
LISTEN_URL = os.environ.get("DOTDO_LISTEN_URL", "")  # past a pooler, for what needs a session
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
# The role that serves requests and runs handlers. When migrations run as another role, it is granted what it needs.
APPLICATION_ROLE = os.environ.get("DOTDO_APPLICATION_ROLE", "")

# --- workers --------------------------------------------------------------------------------------------------------
WORKERS = int(os.environ.get("DOTDO_WORKERS", "2"))
WORKER_QUEUES = env_list("DOTDO_QUEUES")  # empty: every queue
LEASE_SECONDS = float(os.environ.get("DOTDO_LEASE_SECONDS", "30"))
TIME_SLICE_SECONDS = float(os.environ.get("DOTDO_TIME_SLICE_SECONDS", "10"))
POLL_SECONDS = float(os.environ.get("DOTDO_POLL_SECONDS", "1"))
MAX_CRASHES = int(os.environ.get("DOTDO_MAX_CRASHES", "3"))
BATCH_RATE = float(os.environ.get("DOTDO_BATCH_RATE", "10"))  # runs a second, of each command to many runs
ACTION_MODULES = env_list("DOTDO_ACTION_MODULES")
# How long what is over is kept, in days; None: for ever. What is deleted is written to files first.
RETENTION_DAYS = env_days("DOTDO_RETENTION_DAYS")
EVENT_RETENTION_DAYS = env_days("DOTDO_EVENT_RETENTION_DAYS")
RETENTION_EXPORT = env_bool("DOTDO_RETENTION_EXPORT", default=True)
RETENTION_DIR = Path(os.environ.get("DOTDO_RETENTION_DIR") or VAR_DIR / "archive").absolute()
# Hosts and networks that outgoing HTTP and SMTP may reach although they are not public: `127.0.0.1:8025`, `10.0.0.0/8`.
OUTGOING_ALLOW = env_list("DOTDO_OUTGOING_ALLOW")
Q_CLUSTER = {
    "name": "dotdo",
    "broker_class": "workflows.broker.HintBroker",
    "workers": WORKERS,
    "timeout": -1,
    "retry": 2_000_000_000,
    "save_limit": -1,
    "orm": "default",
    "ack_failures": True,
    "max_attempts": 1,
    "queue_limit": 1,
    "bulk": 1,
    "recycle": 100_000,
    "guard_cycle": 0.5,
    "poll": POLL_SECONDS,
    "scheduler": False,
    "catch_up": False,
    "ALT_CLUSTERS": {},
    "label": "Task queue",
}

# --- audit ----------------------------------------------------------------------------------------------------------
AUDIT_SEAL_SECONDS = float(os.environ.get("DOTDO_AUDIT_SEAL_SECONDS", "3600"))
AUDIT_ANCHOR_FILE = os.environ.get("DOTDO_AUDIT_ANCHOR_FILE", "")
AUDIT_ANCHOR_URL = os.environ.get("DOTDO_AUDIT_ANCHOR_URL", "")
# Chains of runs that are gone are pruned after so many days; 0: never.
AUDIT_DAYS = int(os.environ.get("DOTDO_AUDIT_DAYS") or "0")

# --- mail -----------------------------------------------------------------------------------------------------------
EMAIL_HOST = os.environ.get("DOTDO_SMTP_HOST", "localhost")
EMAIL_PORT = int(os.environ.get("DOTDO_SMTP_PORT", "25"))
EMAIL_HOST_USER = os.environ.get("DOTDO_SMTP_USER", "")
EMAIL_HOST_PASSWORD = os.environ.get("DOTDO_SMTP_PASSWORD", "")
EMAIL_USE_TLS = env_bool("DOTDO_SMTP_STARTTLS", default=False)
EMAIL_TIMEOUT = 20
DEFAULT_FROM_EMAIL = os.environ.get("DOTDO_MAIL_FROM", "dotdo@localhost")

# --- people ---------------------------------------------------------------------------------------------------------
AUTHENTICATION_BACKENDS = [
    "axes.backends.AxesStandaloneBackend",
    "django.contrib.auth.backends.ModelBackend",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
LOGIN_URL = "sign-in"
LOGIN_REDIRECT_URL = "/"
LOGOUT_REDIRECT_URL = "sign-in"
AXES_FAILURE_LIMIT = 5
AXES_COOLOFF_TIME = 0.25  # hours
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_LOCKOUT_TEMPLATE = "registration/locked.html"
AXES_DISABLE_ACCESS_LOG = True
AXES_ENABLE_ADMIN = False  # its rows are plumbing; sign-ins are in the audit trail
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_SECURE = HTTPS
CSRF_COOKIE_HTTPONLY = True
CSRF_COOKIE_SECURE = HTTPS
SECURE_SSL_REDIRECT = HTTPS
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if HTTPS else None
SECURE_HSTS_SECONDS = 31_536_000 if HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = HTTPS
SECURE_HSTS_PRELOAD = HTTPS
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": ["'none'"],
        "script-src": ["'self'"],
        "style-src": ["'self'"],
        "img-src": ["'self'", "data:"],
        "font-src": ["'self'"],
        "connect-src": ["'self'"],
        "form-action": ["'self'"],
        "base-uri": ["'none'"],
        "frame-ancestors": ["'none'"],
    }
}

# --- requests -------------------------------------------------------------------------------------------------------
DATA_UPLOAD_MAX_MEMORY_SIZE = 1024 * 1024
DATA_UPLOAD_MAX_NUMBER_FIELDS = 5_000
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "dotdo_site.access.authentication.ApiKeyAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_CONTENT_NEGOTIATION_CLASS": "dotdo_site.lib.rest.Negotiation",
    "DEFAULT_PARSER_CLASSES": ["dotdo_site.lib.rest.StrictJSONParser"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "dotdo_site.lib.rest.problem_handler",
    "UNAUTHENTICATED_USER": "django.contrib.auth.models.AnonymousUser",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "dotdo",
    "DESCRIPTION": "Start and inspect durable actions and workflows.",
    "VERSION": "1",
    "SERVE_INCLUDE_SCHEMA": False,
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "ENUM_NAME_OVERRIDES": {
        "RunKind": "workflows.serializers.RUN_KINDS",
        "RunState": "workflows.serializers.RUN_STATES",
        "HandlerKind": "workflows.serializers.HANDLER_KINDS",
        "VersionState": "workflows.serializers.VERSION_STATES",
        "ScheduleKind": "workflows.serializers.SCHEDULE_KINDS",
        "ScheduleState": "workflows.serializers.SCHEDULE_STATES",
    },
}

# --- the rest -------------------------------------------------------------------------------------------------------
LANGUAGE_CODE = "en"
LANGUAGES = [("en", "English")]
LOCALE_PATHS = [BASE_DIR / "locale"]
TIME_ZONE = "UTC"
USE_I18N = True
USE_TZ = True
FORMAT_MODULE_PATH = "dotdo_site.formats"
STATIC_URL = "static/"
STATICFILES_DIRS = [BASE_DIR / "static"]
STATIC_ROOT = None  # WhiteNoise serves from where the files are; nothing is collected
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedStaticFilesStorage"},
}
WHITENOISE_USE_FINDERS = True
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"()": "dotdo_site.lib.logs.LineFormatter"}},
    "filters": {"tone": {"()": "dotdo_site.lib.logs.Tone"}},
    "handlers": {
        "stderr": {"class": "logging.StreamHandler", "formatter": "line", "filters": ["tone"], "stream": sys.stderr}
    },
    "root": {"handlers": ["stderr"], "level": os.environ.get("DOTDO_LOG_LEVEL", "INFO")},
    "loggers": {name: {"level": "WARNING"} for name in ("django-q", "httpx", "httpcore", "axes")},
}
