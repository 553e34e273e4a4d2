"""Every setting, top to bottom; environments differ only by their variables (see .env.example)."""

import sys
from pathlib import Path
from urllib.parse import urlsplit
from zoneinfo import available_timezones

import django_stubs_ext
import environ
from django.core.exceptions import ImproperlyConfigured
from django.utils.csp import CSP
from django.utils.translation import gettext_lazy as _

from portal.environment import (
    anymail_options,
    mailer_from,
    origins_of,
    secret_key,
    sendfile_from,
    storage_from,
    urls_base,
)

django_stubs_ext.monkeypatch()  # lets ModelForm[Contact] and its like stand in code that runs

BASE_DIR = Path(__file__).resolve().parent.parent

env = environ.Env()
environ.Env.read_env(BASE_DIR / ".env")

# Everything this checkout writes: the database, mail, secrets, collected files.
VAR = Path(env.str("VAR_DIR", default=str(BASE_DIR / "var"))).resolve()


# What kind of place this is
DEBUG = env.bool("DEBUG", default=False)
DEMO = env.bool("DEMO", default=False)  # set by `manage.py demo` for its own children only
TESTING = "pytest" in sys.modules

PORTAL_URL = urls_base(env.str("PORTAL_URL", default="http://localhost:8000"))
SECURE = PORTAL_URL.startswith("https://")
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["localhost", "127.0.0.1", "[::1]"])
CSRF_TRUSTED_ORIGINS = [PORTAL_URL]
TRUSTED_PROXIES = env.int("TRUSTED_PROXIES", default=0)  # how many proxies of ours stand in front

if SECURE and not env.str("SECRET_KEY", default=""):
    raise ImproperlyConfigured(
        "SECRET_KEY must be set where PORTAL_URL is https: 50 random characters"
    )
SECRET_KEY = secret_key(env.str("SECRET_KEY", default=""), VAR / "secret_key")
# Keys of mailed links are derived from this one, apart from SECRET_KEY, so that either can change alone.
LINK_KEY = env.str("LINK_KEY", default="") or f"links:{SECRET_KEY}"


# The parts
INSTALLED_APPS = [
    "portal",
    "accounts",
    "offers",
    "enrollments",
    "communities",
    "notifications",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "anymail",
    "django_htmx",
    "django_linear_migrations",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.humanize",
    "django.contrib.messages",
    "django.contrib.postgres",
    "django.contrib.staticfiles",
]

MIDDLEWARE = [
    "portal.views.health.ProbeMiddleware",
    "portal.context.ContextMiddleware",
    "django.middleware.csp.ContentSecurityPolicyMiddleware",
    "portal.browser.BrowserMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "accounts.middleware.LimitMiddleware",
    "accounts.middleware.LocaleMiddleware",
    "accounts.middleware.OwnPasswordMiddleware",
    "accounts.middleware.SecondFactorMiddleware",
    "accounts.simulation.SimulationMiddleware",
    "portal.views.errors.WrongMethodMiddleware",
    "accounts.middleware.LoginRequiredMiddleware",
]

ROOT_URLCONF = "portal.urls"
WSGI_APPLICATION = "portal.wsgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "builtins": [
                "django.templatetags.i18n",
                "django.templatetags.static",
                "portal.templatetags.ui",
            ],
            "context_processors": [
                "django.template.context_processors.request",
                "django.template.context_processors.csp",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "portal.views.navigation.processor",
            ],
        },
    }
]


# PostgreSQL, always. Without DATABASE_URL the one that comes along is started in var/.
_database_url = env.str("DATABASE_URL", default="")
if _database_url:
    DATABASES = {"default": env.db_url_config(_database_url)}
    if DATABASES["default"]["ENGINE"] != "django.db.backends.postgresql":
        raise ImproperlyConfigured(
            "DATABASE_URL must name a PostgreSQL: postgres://user:password@host/name"
        )
else:
    _data = VAR / ("postgres-test" if TESTING else "postgres")
    DATABASES = {
        "default": {
            "ENGINE": "portal.embedded",
            "NAME": "portal",
            "EMBEDDED": {"data": _data, "fsync": not TESTING},
        }
    }
DATABASES["default"] |= {"CONN_MAX_AGE": 60, "CONN_HEALTH_CHECKS": True}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# Sessions, rate limits and the cache live in PostgreSQL: a dead Redis locks nobody out.
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.db.DatabaseCache",
        "LOCATION": "portal_cache",
        # Codes of authenticator apps that were used, and tries of second factors: past so many rows live ones
        # are dropped, and a code could be used twice. Nobody writes these many while a code is good.
        "OPTIONS": {"MAX_ENTRIES": 100_000},
    }
}
SESSION_ENGINE = "accounts.sessions"
SESSION_COOKIE_AGE = 14 * 24 * 3600


# Waiting rows: PostgreSQL holds them, Celery or the clock works them off
CELERY_BROKER_URL = env.str("CELERY_BROKER_URL", default="")
LEASE_SECONDS = env.int("LEASE_SECONDS", default=120)  # a claimed row is nobody else's for so long
# First pause before a row is handed over again.
HANDOVER_SECONDS = env.int("HANDOVER_SECONDS", default=15)
RETRY_SECONDS = env.list(
    "RETRY_SECONDS", cast=int, default=[60, 300, 900, 3600, 14400, 43200, 86400]
)
CLOCK_THREADS = env.int("CLOCK_THREADS", default=6)


# Members files: what one may hold at most
IMPORT_MAX_ROWS = env.int("IMPORT_MAX_ROWS", default=50_000)
IMPORT_MAX_BYTES = env.int("IMPORT_MAX_BYTES", default=10 * 1024**2)


# Uploads: where they lie, who sends them, and what a file of each kind may hold at most
MEDIA_ROOT = VAR / "media"
_uploads = storage_from(env)
FILES_SENDFILE = sendfile_from(env, _uploads)
FILES_ACCEL_PREFIX = "/protected/"  # nginx's internal location of MEDIA_ROOT
FILE_UPLOAD_HANDLERS = [
    "portal.receiving.Limit",
    "django.core.files.uploadhandler.MemoryFileUploadHandler",
    "django.core.files.uploadhandler.TemporaryFileUploadHandler",
]
UPLOAD_MAX_BYTES = {
    "image": env.int("UPLOAD_MAX_BYTES_IMAGE", default=10 * 1024**2),
    "audio": env.int("UPLOAD_MAX_BYTES_AUDIO", default=300 * 1024**2),
    "video": env.int("UPLOAD_MAX_BYTES_VIDEO", default=4 * 1024**3),
    "captions": env.int("UPLOAD_MAX_BYTES_CAPTIONS", default=1024**2),
    "document": env.int("UPLOAD_MAX_BYTES_DOCUMENT", default=500 * 1024**2),
}


# Mail
MAILERS = {"default": mailer_from(env, VAR, timeout=10)}
ANYMAIL = anymail_options()
DEFAULT_FROM_EMAIL = env.str(
    "DEFAULT_FROM_EMAIL", default=f"portal@{urlsplit(PORTAL_URL).hostname}"
)


# Who gets in
AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = ["accounts.backends.PortalBackend"]
PASSWORD_HASHERS = ["django.contrib.auth.hashers.Argon2PasswordHasher"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
    )
]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "/"

ACCOUNT_ADAPTER = "accounts.adapter.Adapter"
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*"]
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_EMAIL_VERIFICATION = "none"  # ours go through Link and the message log
ACCOUNT_EMAIL_NOTIFICATIONS = False
ACCOUNT_EMAIL_UNKNOWN_ACCOUNTS = False
ACCOUNT_LOGIN_BY_CODE_ENABLED = False
ACCOUNT_LOGOUT_REDIRECT_URL = "account_login"
ACCOUNT_SESSION_REMEMBER = True
ACCOUNT_FORMS = {"login": "accounts.forms.LoginForm"}
# Passwords, codes and links are counted by portal.limits; these are what is left to allauth (second factors).
ACCOUNT_RATE_LIMITS = {
    "login": None,
    "login_failed": "10/m/ip,5/5m/key",
    "reauthenticate": "10/m/user",
}
ALLAUTH_TRUSTED_PROXY_COUNT = TRUSTED_PROXIES

# Second factors. Staff need one where School.needs_second_factor says so.
MFA_ADAPTER = "accounts.mfa.Adapter"
MFA_FORMS = {
    "authenticate": "accounts.mfa.AuthenticateForm",
    "reauthenticate": "accounts.mfa.ReauthenticateForm",
    "activate_totp": "accounts.mfa.ActivateForm",
    "add_webauthn": "accounts.mfa.PasskeyForm",
    "edit_webauthn": "accounts.mfa.RenameForm",
    "login_webauthn": "accounts.mfa.LoginForm",
    "authenticate_webauthn": "accounts.mfa.PasskeyAuthenticateForm",
    "reauthenticate_webauthn": "accounts.mfa.PasskeyReauthenticateForm",
}
MFA_SUPPORTED_TYPES = ["totp", "webauthn", "recovery_codes"]
MFA_PASSKEY_LOGIN_ENABLED = True  # a passkey with the finger or the PIN of its owner is two factors
MFA_WEBAUTHN_ALLOW_INSECURE_ORIGIN = not SECURE

# How long mailed links live. Set by staff or the portal: days; asked for by the person: minutes.
LINK_LIFETIMES = {
    "login": env.int("LOGIN_LINK_HOURS", default=24) * 3600,
    "invitation": env.int("INVITATION_HOURS", default=7 * 24) * 3600,
    "set_password": env.int("SET_PASSWORD_LINK_HOURS", default=7 * 24) * 3600,
    "reset": 600,
    "confirm_email": env.int("CONFIRM_EMAIL_LINK_MINUTES", default=60) * 60,
}
SELF_SERVICE_LINK_SECONDS = 600
# What a session may do besides reading, for so long after a login or a password: take all data, change the address.
FRESH_LOGIN_SECONDS = 600


# Whether a new school asks its staff for a second factor. From then on it is a setting of the school.
STAFF_SECOND_FACTOR = env.bool("STAFF_SECOND_FACTOR", default=not (DEMO or TESTING))
SIMULATION_SECONDS = 30 * 60

# The browser
FRAME_SOURCES = [  # the players of offers.video, and the services of offers.embeds
    "https://www.youtube-nocookie.com",
    "https://player.vimeo.com",
    "https://iframe.mediadelivery.net",
    "https://player.mediadelivery.net",
    "https://docs.google.com",
    "https://*.typeform.com",
    "https://embed.figma.com",
    "https://www.canva.com",
    "https://www.loom.com",
    "https://w.soundcloud.com",
    "https://open.spotify.com",
    "https://codepen.io",
    "https://view.genially.com",
]
SECURE_CSP = {
    "default-src": [CSP.SELF],
    "script-src": [CSP.SELF, CSP.NONCE],
    "style-src": [CSP.SELF, CSP.NONCE],
    # data: is the QR code of an authenticator. portal.browser adds the host of the school's logo.
    "img-src": [CSP.SELF, "data:", *origins_of(_uploads)],
    "media-src": [CSP.SELF, *origins_of(_uploads)],
    "frame-src": [CSP.SELF, *FRAME_SOURCES],
    "object-src": [CSP.NONE],
    "base-uri": [CSP.NONE],
    "form-action": [CSP.SELF],
    "frame-ancestors": [CSP.NONE],
}
X_FRAME_OPTIONS = "DENY"
SECURE_REFERRER_POLICY = "same-origin"
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if TRUSTED_PROXIES else None
SECURE_SSL_REDIRECT = SECURE
SECURE_HSTS_SECONDS = 31_536_000 if SECURE else 0
# Off where other hosts below the portal's are not all on https.
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE and env.bool("HSTS_SUBDOMAINS", default=True)
SECURE_HSTS_PRELOAD = SECURE_HSTS_INCLUDE_SUBDOMAINS
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = SECURE
# The __Host- prefix is only legal on secure cookies.
SESSION_COOKIE_NAME = "__Host-session" if SECURE else "session"
CSRF_COOKIE_NAME = "__Host-csrf" if SECURE else "csrf"
CSRF_COOKIE_HTTPONLY = True
CSRF_FAILURE_VIEW = "portal.views.errors.csrf_failed"
MESSAGE_STORAGE = "portal.browser.Messages"


# Languages and time. The school's own zone and language are settings of the school.
USE_TZ = True
TIME_ZONE = env.str("TIME_ZONE", default="UTC")
if TIME_ZONE not in available_timezones():
    raise ImproperlyConfigured(f"TIME_ZONE must be a name like Europe/Rome, not {TIME_ZONE!r}")
LANGUAGE_CODE = "en"
LANGUAGES = [("en", _("English")), ("it", _("Italian")), ("pt-br", _("Portuguese (Brazil)"))]
LOCALE_PATHS = [BASE_DIR / "locale"]
FORMAT_MODULE_PATH = ["portal.formats"]


# Files
STATIC_URL = "static/"
STATIC_ROOT = Path(env.str("STATIC_ROOT", default=str(VAR / "static")))
STATICFILES_DIRS = [BASE_DIR / "static"]
STORAGES = {
    "default": _uploads,
    "staticfiles": {
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
        if DEBUG or TESTING
        else "portal.static.StaticFiles"
    },
}
WHITENOISE_USE_FINDERS = WHITENOISE_AUTOREFRESH = DEBUG or TESTING


# Logs go to stderr; secrets are rubbed out of every line and traceback, wherever they come from.
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"()": "portal.logs.Line"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["stderr"], "level": "INFO"},
    "loggers": {
        name: {"handlers": ["stderr"], "level": "INFO", "propagate": False}
        for name in ("django", "django.server")
    },
}
DEFAULT_EXCEPTION_REPORTER_FILTER = "portal.logs.ReportFilter"
SILENCED_SYSTEM_CHECKS: list[str] = []
