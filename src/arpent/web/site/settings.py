"""Django's settings for the map. What may differ from place to place comes from `environment`."""

from __future__ import annotations

import os
from pathlib import Path

from arpent.web.site.environment import Environment

__all__ = ["ENVIRONMENT"]

ENVIRONMENT = Environment.read(os.environ, Path(".env"))

SECRET_KEY = ENVIRONMENT.secret_key()
DEBUG = ENVIRONMENT.debug
ALLOWED_HOSTS = list(ENVIRONMENT.hosts)
CSRF_TRUSTED_ORIGINS = [f"https://{host.replace('*', '').lstrip('.')}" for host in ENVIRONMENT.hosts if host != "*"]
DATA_PATH = ENVIRONMENT.data
DATABASES = ENVIRONMENT.databases()

INSTALLED_APPS = [
    "arpent.web.index",
    "arpent.web.page",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
    "leaflet",
    "ninja",
]
MIDDLEWARE = [
    "arpent.web.site.guard.Headers",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "arpent.web.site.guard.Answers",
]
ROOT_URLCONF = "arpent.web.site.urls"
WSGI_APPLICATION = "arpent.web.site.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.template.context_processors.i18n",
                "django.contrib.auth.context_processors.auth",
            ]
        },
    }
]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

LANGUAGE_CODE = "en"
LANGUAGES = [("en", "English"), ("fr", "Français")]
USE_TZ = True
TIME_ZONE = "UTC"

STATIC_URL = "/static/"
# Files are served from where they lie: nothing is collected before the first start.
WHITENOISE_USE_FINDERS = True
WHITENOISE_AUTOREFRESH = ENVIRONMENT.debug
WHITENOISE_ALLOW_ALL_ORIGINS = False  # pages of others read tiles, and nothing else
WHITENOISE_MAX_AGE = 0  # they are asked for each time, and answered with 304 while they are the same

LOGIN_URL = "/login/"
LOGIN_REDIRECT_URL = "/"
LOGOUT_REDIRECT_URL = "/"
SESSION_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_SAMESITE = "Lax"
X_FRAME_OPTIONS = "DENY"
SECURE_REFERRER_POLICY = "strict-origin-when-cross-origin"
DATA_UPLOAD_MAX_MEMORY_SIZE = 1 << 20  # bytes of a request: a drawn polygon is small
DATA_UPLOAD_MAX_NUMBER_FIELDS = 100

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "{asctime} {levelname} {name}: {message}", "style": "{"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
    "loggers": {
        "django": {"handlers": ["stderr"], "level": "ERROR", "propagate": False},
        "django.security.DisallowedHost": {"handlers": [], "propagate": False},  # whoever knocks under another name
        "waitress.queue": {"level": "ERROR"},  # that requests wait for a moment is what a queue is for
        "arpent.web": {"handlers": ["stderr"], "level": "WARNING", "propagate": False},
    },
}
