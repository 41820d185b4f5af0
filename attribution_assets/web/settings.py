"""Django's settings, which follow from ours; Django reads the names in capitals."""

from __future__ import annotations

from logging import LogRecord
from urllib.parse import urlsplit

from attribution_assets.pages.html import STATIC
from attribution_assets.pages.html import TEMPLATES as OUR_TEMPLATES
from attribution_assets.settings import read_settings
from attribution_assets.web.secret import secret_key

ATTRIBUTION = read_settings()
"""The settings of the pipeline."""


def without_traceback(record: LogRecord) -> bool:
    """Makes a refused request one line of the log."""
    record.exc_info = None
    return True


_URL = urlsplit(ATTRIBUTION.web_url or "")
_IS_SECURE = _URL.scheme == "https"

DEBUG = False
SECRET_KEY = secret_key(ATTRIBUTION.web_database)
ROOT_URLCONF = "attribution_assets.web.urls"
USE_TZ = True
TIME_ZONE = "UTC"
APPEND_SLASH = False
X_FRAME_OPTIONS = "DENY"

ALLOWED_HOSTS = ["localhost", "127.0.0.1", "[::1]", *([_URL.hostname] if _URL.hostname else [])]
CSRF_TRUSTED_ORIGINS = [f"{_URL.scheme}://{_URL.netloc}"] if _URL.netloc else []
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = _IS_SECURE
SESSION_COOKIE_HTTPONLY = CSRF_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if _IS_SECURE else None
SECURE_HSTS_SECONDS = 365 * 24 * 3600 if _IS_SECURE else 0

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "rest_framework",
    "rest_framework.authtoken",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "axes",
    "attribution_assets.web.apps.WebConfig",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "attribution_assets.web.security.SecurityHeaders",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "attribution_assets.web.addresses.FinalSlash",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "attribution_assets.web.security.LoginRequired",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "attribution_assets.web.problems.Problems",
    "axes.middleware.AxesMiddleware",
]

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.jinja2.Jinja2",
        "NAME": "jinja2",
        "DIRS": [OUR_TEMPLATES],
        "OPTIONS": {"environment": "attribution_assets.web.pages.environment"},
    },
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    },
]

DATABASES: dict[str, dict[str, object]] = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": ATTRIBUTION.web_database,
        "OPTIONS": {
            "timeout": 20,
            "transaction_mode": "IMMEDIATE",
            "init_command": "PRAGMA journal_mode = wal; PRAGMA synchronous = normal",
        },
    },
}
if ATTRIBUTION.database.is_file:
    DATABASES["warehouse"] = {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": f"{ATTRIBUTION.database.path.as_uri()}?mode=ro",
        "OPTIONS": {"timeout": 5},
    }
DATABASE_ROUTERS = ["attribution_assets.web.models.Router"]
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.db.DatabaseCache",
        "LOCATION": "cache",
        "TIMEOUT": None,
        "OPTIONS": {"MAX_ENTRIES": 500},
    },
    "requests": {
        "BACKEND": "django.core.cache.backends.locmem.LocMemCache",
        "OPTIONS": {"MAX_ENTRIES": 10_000},
    },
}

AUTHENTICATION_BACKENDS = ["axes.backends.AxesStandaloneBackend", "django.contrib.auth.backends.ModelBackend"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in ("UserAttributeSimilarityValidator", "MinimumLengthValidator", "CommonPasswordValidator")
]
AXES_FAILURE_LIMIT = 5
AXES_COOLOFF_TIME = 0.25
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"], "ip_address"]
AXES_HANDLER = "attribution_assets.web.throttling.Failures"
AXES_LOCKOUT_CALLABLE = "attribution_assets.web.problems.locked_out"
AXES_VERBOSE = False
LOGIN_URL = "/login/"
LOGIN_REDIRECT_URL = "/"
LOGOUT_REDIRECT_URL = "/login/"

STATIC_URL = "/static/"
STATICFILES_DIRS = [STATIC]
WHITENOISE_USE_FINDERS = True
WHITENOISE_AUTOREFRESH = False

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "rest_framework.authentication.TokenAuthentication",  # first, so that who has not logged in gets 401
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["attribution_assets.web.security.MayRead"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser", "rest_framework.parsers.FormParser"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "DEFAULT_THROTTLE_CLASSES": [
        "attribution_assets.web.throttling.AnybodyThrottle",
        "attribution_assets.web.throttling.UserThrottle",
    ],
    "NUM_PROXIES": 0,  # the server knows the proxy, and who is behind it
    "DEFAULT_THROTTLE_RATES": {"anon": "600/min", "user": "6000/min"},
    "EXCEPTION_HANDLER": "attribution_assets.web.problems.as_problem",
    "URL_FORMAT_OVERRIDE": None,
}

SPECTACULAR_SETTINGS = {
    "TITLE": "attribution_assets",
    "DESCRIPTION": "What marketing channels cost and earned, by which model, and whether it is final.",
    "VERSION": "1.0",
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_PERMISSIONS": ["attribution_assets.web.security.MayRead"],
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_SETTINGS": {"deepLinking": True, "validatorUrl": None},
    "SWAGGER_UI_FAVICON_HREF": "/static/attribution/icon.svg",
    "REDOC_DIST": "SIDECAR",
}

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"plain": {"format": "{asctime} {levelname} {name}: {message}", "style": "{"}},
    "filters": {"one_line": {"()": "django.utils.log.CallbackFilter", "callback": without_traceback}},
    "handlers": {
        "console": {"class": "logging.StreamHandler", "formatter": "plain"},
        "refused": {"class": "logging.StreamHandler", "formatter": "plain", "filters": ["one_line"]},
    },
    "loggers": {"django.security": {"handlers": ["refused"], "propagate": False}},
    "root": {"handlers": ["console"], "level": "WARNING"},
}
