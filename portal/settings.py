"""Every setting, read from the environment through portal.env; unsafe values are refused by portal.checks."""

from pathlib import Path
from typing import Any

from django.utils.translation import gettext_lazy as _

from portal import addresses, embedded, env
from portal.logs import logging_config

BASE_DIR = Path(__file__).resolve().parent.parent

# --- where this runs --------------------------------------------------------------------------------------------------

ENVIRONMENT = env.one_of("VOUCH_ENV", ("development", "production"), "development")
PRODUCTION = ENVIRONMENT == "production"
DEBUG = env.flag("VOUCH_DEBUG")
VOUCH_HOME = embedded.home()
BASE_DOMAIN = addresses.host_name("VOUCH_BASE_DOMAIN", env.text("VOUCH_BASE_DOMAIN", "localhost"))
TLS = env.flag("VOUCH_TLS", default=PRODUCTION)
ALLOWED_HOSTS = addresses.allowed_hosts("VOUCH_ALLOWED_HOSTS", env.words("VOUCH_ALLOWED_HOSTS", (BASE_DOMAIN, f".{BASE_DOMAIN}")))
TRUSTED_PROXIES = env.number("VOUCH_TRUSTED_PROXIES", 0, maximum=10)  # how many of ours append to X-Forwarded-For
VERSION = "0.1.0"

# --- secrets ----------------------------------------------------------------------------------------------------------
# In development they are kept under <home>/keys: the secret key is made here, the root key by `embedded.start`, and only for a new
# database. In production portal.checks refuses a start without them.

SECRET_KEY = env.secret("VOUCH_SECRET_KEY") or ("absent" if PRODUCTION else embedded.local_secret("secret"))
SECRET_KEY_FALLBACKS = env.words("VOUCH_OLD_SECRET_KEYS")
ROOT_KEY = env.secret("VOUCH_ROOT_KEY") or ("" if PRODUCTION else embedded.kept_secret("root"))
ROOT_KEY_PREVIOUS = env.secret("VOUCH_ROOT_KEY_PREVIOUS")  # opens what it wrapped until `rotate_root_key` has been run
ROOT_KEY_COMMAND = env.text("VOUCH_ROOT_KEY_COMMAND")  # a program that asks a key service; the others then only open

# --- applications -----------------------------------------------------------------------------------------------------

SHARED_APPS = [
    "partners",  # before django_tenants, whose migrate command it replaces
    "django_tenants",
    "partners.accounts",
    "audit",  # what operators do is recorded too
    "django.contrib.contenttypes",
    "django.contrib.auth",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "allauth.mfa",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "django_htmx",
    "portal",
]
TENANT_APPS = [
    "django.contrib.contenttypes",
    "django.contrib.auth",
    "django.contrib.sessions",
    "allauth.mfa",
    "partners.accounts",
    "partners.webhooks",
    "audit",
    "scoring",
    "portal.exports",
    "portal.approvals",
]
# In neither list above, so no schema has tables of theirs.
TABLELESS_APPS = ["partners.accounts.apps.WithoutTables", "django.contrib.admin.apps.SimpleAdminConfig"]
MIGRATION_MODULES = {"admin": None}  # its log would be a second record
INSTALLED_APPS = [*SHARED_APPS, *(app for app in TENANT_APPS if app not in SHARED_APPS), *TABLELESS_APPS]

AUTH_USER_MODEL = "accounts.User"
TENANT_MODEL = "partners.Partner"
TENANT_DOMAIN_MODEL = "partners.Domain"
TENANT_LIMIT_SET_CALLS = True
DATABASE_ROUTERS = ["django_tenants.routers.TenantSyncRouter"]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
SILENCED_SYSTEM_CHECKS: list[str] = []

# --- request and answer -----------------------------------------------------------------------------------------------
# The first two serve every request; those of portal.middleware pass /api/ by, which has neither cookies nor pages.

MIDDLEWARE = [
    "portal.middleware.RequestMiddleware",
    "portal.middleware.PageStaticMiddleware",
    "partners.middleware.TenantMiddleware",
    "portal.middleware.PageSessionMiddleware",
    "portal.middleware.PageCommonMiddleware",
    "portal.middleware.PageCsrfMiddleware",
    "portal.middleware.PageAuthenticationMiddleware",
    "portal.middleware.PageLanguageMiddleware",
    "portal.middleware.PageMessageMiddleware",
    "portal.middleware.PageHtmxMiddleware",
    "portal.handlers.PageErrorMiddleware",
]
ROOT_URLCONF = "portal.urls"
PUBLIC_SCHEMA_URLCONF = "portal.urls_public"
NOBODYS_URLCONF = "portal.urls_nobody"
WSGI_APPLICATION = "portal.wsgi.application"

CONTENT_SECURITY_POLICY = (
    "default-src 'self'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "object-src 'none'; base-uri 'none'; frame-ancestors 'none'; form-action 'self'"
)
DATA_UPLOAD_MAX_MEMORY_SIZE = 2 * 1024 * 1024
FILE_UPLOAD_HANDLERS = ["portal.uploads.NoFile"]    # else every form, the sign-in too, would write what comes to a disk
DATA_UPLOAD_MAX_NUMBER_FIELDS = 2_000
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if TRUSTED_PROXIES else None

# Host-only cookies: no Domain attribute anywhere, and with TLS a name that browsers refuse with one.
_COOKIE_PREFIX = "__Host-" if TLS else ""
SESSION_COOKIE_NAME = f"{_COOKIE_PREFIX}session"
SESSION_COOKIE_SECURE = TLS
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_AGE = env.number("VOUCH_SESSION_HOURS", 12, minimum=1, maximum=24 * 30) * 60 * 60    # signed in at most, here and on the API
SESSION_IDLE_SECONDS = env.number("VOUCH_IDLE_MINUTES", 15, minimum=1, maximum=24 * 60) * 60    # and without doing anything
SESSION_SERIALIZER = "django.contrib.sessions.serializers.JSONSerializer"
CSRF_COOKIE_NAME = f"{_COOKIE_PREFIX}csrf"
CSRF_COOKIE_SECURE = TLS
CSRF_COOKIE_HTTPONLY = True
CSRF_COOKIE_SAMESITE = "Lax"
CSRF_FAILURE_VIEW = "portal.handlers.csrf_failure"
LANGUAGE_COOKIE_NAME = "language"
LANGUAGE_COOKIE_SECURE = TLS
LANGUAGE_COOKIE_HTTPONLY = True
MESSAGE_STORAGE = "django.contrib.messages.storage.session.SessionStorage"
SECURE_HSTS_SECONDS = 365 * 24 * 60 * 60 if TLS else 0

LOGIN_URL = "/login"
LOGIN_REDIRECT_URL = "/"
LOGOUT_REDIRECT_URL = "/login"
SECOND_FACTOR_REQUIRED = not env.flag("VOUCH_RELAXED_SIGN_IN")    # only `up --demo` relaxes it; portal.checks refuses it in production
MFA_ADAPTER = "partners.accounts.second_factor.Sealed"
MFA_TOTP_TOLERANCE = 1    # a clock that is 30 seconds off
MFA_WEBAUTHN_USER_VERIFICATION = "required"
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
PASSWORD_HASHERS = ["django.contrib.auth.hashers.Argon2PasswordHasher"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator", "OPTIONS": {"user_attributes": ("email", "name")}},
]

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
                "django.template.context_processors.i18n",
                "portal.web.context.portal",
            ],
        },
    },
]

STATIC_URL = "/static/"
STATICFILES_DIRS = [BASE_DIR / "static"]
WHITENOISE_USE_FINDERS = True  # no collectstatic step: the files are few and served from memory maps
WHITENOISE_AUTOREFRESH = DEBUG
WHITENOISE_MAX_AGE = 0 if DEBUG else 600

LANGUAGE_CODE = "en"
LANGUAGES = [("en", _("English")), ("fr", _("French"))]
LOCALE_PATHS = [BASE_DIR / "locale"]
TIME_ZONE = "UTC"
USE_TZ = True
USE_I18N = True

# --- mail ---------------------------------------------------------------------------------------------------------------
# Without a server mail is written to files under <home>/mail.

EMAIL_HOST = env.text("VOUCH_MAIL_HOST")
EMAIL_BACKEND = f"django.core.mail.backends.{'smtp' if EMAIL_HOST else 'filebased'}.EmailBackend"
EMAIL_FILE_PATH = VOUCH_HOME / "mail"
EMAIL_PORT = env.number("VOUCH_MAIL_PORT", 587, minimum=1, maximum=65_535)
EMAIL_HOST_USER = env.text("VOUCH_MAIL_USER")
EMAIL_HOST_PASSWORD = env.secret("VOUCH_MAIL_PASSWORD")
EMAIL_USE_TLS = env.flag("VOUCH_MAIL_TLS", default=True)
EMAIL_TIMEOUT = 10
DEFAULT_FROM_EMAIL = env.text("VOUCH_MAIL_FROM", f"vouch@{BASE_DOMAIN}")

# --- database ---------------------------------------------------------------------------------------------------------

DATABASE_URL = env.secret("DATABASE_URL") or embedded.database_url()


def _database(url: str) -> dict[str, Any]:
    address = addresses.postgres_address(url)
    limits = {
        "synchronous_commit": "on",  # whatever the server's default is: nothing is answered before it is durable
        "statement_timeout": f"{env.number('VOUCH_STATEMENT_TIMEOUT_SECONDS', 300)}s",  # portal.wsgi lowers it for requests
        "lock_timeout": f"{env.number('VOUCH_LOCK_TIMEOUT_SECONDS', 10)}s",
        "idle_in_transaction_session_timeout": "600s",
        "plan_cache_mode": "force_generic_plan",  # what is prepared is planned once; by default its first five runs each plan it anew
    }
    return {
        "ENGINE": "partners.postgres",
        "NAME": address.name,
        "USER": address.user,
        "PASSWORD": address.password,
        "HOST": address.host,
        "PORT": address.port,
        "CONN_MAX_AGE": None,
        "CONN_HEALTH_CHECKS": False,  # a round trip per request; a broken connection is closed after its first failure
        "OPTIONS": {
            **address.options,
            "connect_timeout": 2,
            "application_name": "vouch",
            "prepare_threshold": 5,
            "options": " ".join(f"-c {name}={value}" for name, value in limits.items()),
        },
        "TEST": {"NAME": None},
    }


DATABASES = {"default": _database(DATABASE_URL)}

# --- redis, cache and queue -------------------------------------------------------------------------------------------

REDIS_URL = addresses.redis_address(env.secret("REDIS_URL") or embedded.redis_url())
REDIS_TIMEOUT_SECONDS = 0.25
CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache", "KEY_FUNCTION": "partners.tenancy.cache_key"}}

CELERY_BROKER_URL = REDIS_URL.replace("unix://", "redis+socket://", 1).replace("?db=", "?virtual_host=", 1)
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "visibility_timeout": 20 * 60,  # longer than any task's time limit
    "global_keyprefix": "vouch:",
    "queue_order_strategy": "sorted",  # what is in "vouch" goes before what is in "vouch.bulk": partners.queues
}
CELERY_TASK_TIME_LIMIT = 15 * 60
CELERY_TASK_SOFT_TIME_LIMIT = 14 * 60
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_DEFAULT_QUEUE = "vouch"
_IN_BULK = ("scoring.work_on_job", "scoring.shadow_decisions", "scoring.retrain", "exports.write_export", "approvals.count_months")
CELERY_TASK_ROUTES = {name: {"queue": "vouch.bulk"} for name in _IN_BULK}
CELERY_TASK_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TIMEZONE = "UTC"
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_SOFT_SHUTDOWN_TIMEOUT = 10
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_WORKER_CANCEL_LONG_RUNNING_TASKS_ON_CONNECTION_LOSS = True
TRAINING_MEMORY_MB = env.number("VOUCH_TRAINING_MEMORY_MB", 0)  # what one training run may take; 0: what the machine has to spare
EVENTS_MEMORY_MB = env.number("VOUCH_EVENTS_MEMORY_MB", 0)  # what the files of events of one score_file may take; 0: the same
WEBHOOKS_TO_LOCALHOST = env.flag("VOUCH_WEBHOOKS_TO_LOCALHOST")  # for trials: events may also be sent to http://localhost
JOB_LEASE_SECONDS = env.number("VOUCH_JOB_LEASE_SECONDS", 60, minimum=1)  # when another worker takes over what a dead one held

# --- backups ----------------------------------------------------------------------------------------------------------

BACKUPS = env.text("VOUCH_BACKUPS")  # the folder that the scheduler writes a copy of the whole system to; without one it makes none
BACKUP_KEY = env.secret("VOUCH_BACKUP_KEY")
BACKUP_HOURS = env.number("VOUCH_BACKUP_HOURS", 24, minimum=1)
BACKUP_COPIES = env.number("VOUCH_BACKUP_COPIES", 7, minimum=1)

# --- limits of the plans: requests per hour and key -------------------------------------------------------------------

PLAN_REQUESTS_PER_HOUR = {
    "free": env.number("VOUCH_LIMIT_FREE", 100, minimum=1),
    "pro": env.number("VOUCH_LIMIT_PRO", 1_000, minimum=1),
    "enterprise": env.number("VOUCH_LIMIT_ENTERPRISE", 10_000, minimum=1),
    "sandbox": env.number("VOUCH_LIMIT_SANDBOX", 1_000, minimum=1),    # a sandbox's own; it takes nothing from the partner's
}

REQUEST_LOG_DAYS = env.number("VOUCH_REQUEST_LOG_DAYS", 14, minimum=1)  # how long single calls of the API can be looked up

# --- API --------------------------------------------------------------------------------------------------------------

REST_FRAMEWORK: dict[str, Any] = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "partners.accounts.authentication.KeyAuthentication",
        "partners.accounts.authentication.TokenAuthentication",
    ],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "portal.api.problems.handle",
    "UNAUTHENTICATED_USER": None,
    "UNAUTHENTICATED_TOKEN": None,
}
SPECTACULAR_SETTINGS: dict[str, Any] = {
    "TITLE": "Vouch",
    "DESCRIPTION": "Credit decisions that are fast, explained, reproducible and provable.",
    "VERSION": VERSION,
    "OAS_VERSION": "3.1.0",
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "PREPROCESSING_HOOKS": ["portal.api.openapi.without_earlier"],
    "POSTPROCESSING_HOOKS": ["portal.api.openapi.complete"],
    "SERVE_INCLUDE_SCHEMA": False,
    "SWAGGER_UI_DIST": "SIDECAR",
    "REDOC_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
}

# --- logs and metrics -------------------------------------------------------------------------------------------------

LOGGING_CONFIG = "logging.config.dictConfig"
LOGGING = logging_config(level=env.one_of("VOUCH_LOG_LEVEL", ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"), "INFO"))
METRICS_TOKEN = env.secret("VOUCH_METRICS_TOKEN")  # asked for by /metrics and /health/detailed, which tell of all partners
