"""Every Django setting, in one file. What an installation may change comes from the environment (see env.py);
thresholds and model routes come from config/*.yaml."""

from __future__ import annotations

from pathlib import Path

from csp.constants import NONE, SELF, UNSAFE_EVAL, UNSAFE_INLINE
from django.core.exceptions import ImproperlyConfigured

from donna_skills import env
from donna_skills.adminsite import unfold_settings

BASE_DIR = Path(__file__).resolve().parent.parent
VAR_DIR = Path(env.text("DONNA_VAR_DIR") or BASE_DIR / "var").resolve()
VAR_DIR.mkdir(parents=True, exist_ok=True)
CONFIG_DIR = env.folder("DONNA_CONFIG_DIR", BASE_DIR / "config")
SHIPPED_CONFIG_DIR = BASE_DIR / "config"
VERSION = "0.1.0"

# --- Security ---------------------------------------------------------------------------------------------------
DEBUG = env.flag("DEBUG", default=False)
ALLOWED_HOSTS = env.names("ALLOWED_HOSTS", "localhost,127.0.0.1,[::1]")
CSRF_TRUSTED_ORIGINS = env.names("CSRF_TRUSTED_ORIGINS")
HTTPS = env.flag("DONNA_HTTPS", default=False)


def _secret_key() -> str:
    """SECRET_KEY, or one made once for this checkout: a laptop needs no set-up, and no key is ever shipped."""
    if key := env.text("SECRET_KEY"):
        return key
    if env.text("DATABASE_URL").startswith("postgres"):
        raise ImproperlyConfigured("Set SECRET_KEY: several machines on one database must share it.")
    path = VAR_DIR / "secret_key"
    if not path.exists():
        import os
        import secrets

        # O_EXCL: web, worker and scheduler may start at the same instant, and all must read the one key.
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            pass
        else:
            with os.fdopen(descriptor, "w") as handle:
                handle.write(secrets.token_urlsafe(64))
    return path.read_text()


SECRET_KEY = _secret_key()
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = SECURE_SSL_REDIRECT = HTTPS
SECURE_HSTS_SECONDS = 31_536_000 if HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = HTTPS
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if env.flag("DONNA_BEHIND_PROXY") else None
SECURE_REDIRECT_EXEMPT = [r"^api/v1/(health|ready)$"]

_OWN_POLICY = {
    "default-src": [SELF],
    "script-src": [SELF],
    "style-src": [SELF],
    "img-src": [SELF, "data:"],
    "object-src": [NONE],
    "base-uri": [SELF],
    "frame-ancestors": [NONE],
    "form-action": [SELF],
}
CONTENT_SECURITY_POLICY = {"DIRECTIVES": _OWN_POLICY}
# The admin's theme evaluates Alpine expressions and writes style attributes: /admin/ alone gets that allowance.
ADMIN_CONTENT_SECURITY_POLICY = {
    **_OWN_POLICY,
    "script-src": [SELF, UNSAFE_EVAL, UNSAFE_INLINE],
    "style-src": [SELF, UNSAFE_INLINE],
}

# --- Applications -----------------------------------------------------------------------------------------------
INSTALLED_APPS = [
    "unfold",
    "unfold.contrib.filters",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "csp",
    "django_htmx",
    "django_q",
    "ninja",
    "donna_skills.accounts",
    "donna_skills.audit",
    "donna_skills.llm",
    "donna_skills.jobs",
    "donna_skills.notifications",
    "lifecycle",
    "automations",
]

MIDDLEWARE = [
    "donna_skills.logs.RequestIdMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "donna_skills.rest.shortcut.ApiShortcut",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "donna_skills.security.ContentSecurityPolicyMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "donna_skills.loginfirst.LogInFirst",
]

ROOT_URLCONF = "donna_skills.urls"
WSGI_APPLICATION = "donna_skills.wsgi.application"
ASGI_APPLICATION = "donna_skills.asgi.application"
APPEND_SLASH = True

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
                "donna_skills.shell.context",
            ],
            "libraries": {"ui": "donna_skills.templatetags.ui", "console": "donna_skills.templatetags.console"},
        },
    },
]

AUTH_USER_MODEL = "accounts.User"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator"},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "home"
LOGOUT_REDIRECT_URL = "login"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# --- Data -------------------------------------------------------------------------------------------------------
DATABASES = {"default": env.database("DATABASE_URL", default=f"sqlite:///{VAR_DIR / 'donna.sqlite3'}")}
if DATABASES["default"]["ENGINE"].endswith("sqlite3"):
    # A file, so that the threads and the live servers of a test see one database.
    DATABASES["default"]["TEST"] = {"NAME": VAR_DIR / "test.sqlite3"}
REDIS_URL = env.text("REDIS_URL")
CACHES = {
    "default": (
        {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": REDIS_URL}
        if REDIS_URL
        else {"BACKEND": "django.core.cache.backends.locmem.LocMemCache", "OPTIONS": {"MAX_ENTRIES": 20_000}}
    ),
    # Signs of life of the workers: the web processes of the same machine read them for /api/v1/ready.
    "workers": {"BACKEND": "django.core.cache.backends.filebased.FileBasedCache", "LOCATION": VAR_DIR / "workers"},
}

# --- Jobs (django-q2) -------------------------------------------------------------------------------------------
Q_CLUSTER = {
    "name": "donna",
    "workers": env.integer("DONNA_WORKERS", 2, at_least=1),
    "timeout": 900,
    "retry": 1000,  # longer than timeout, so that no task is handed out again while it still runs
    "max_attempts": 3,
    "ack_failures": True,
    "catch_up": False,
    "poll": 0.5,
    "save_limit": 100,  # django-q2 reads every kept row at each save; job rows are the record
    "queue_limit": 4,  # what a killed cluster had already fetched from Redis is handed over again, so: little
    "label": "Background tasks",
    "error_reporter": {},
    "cache": "workers",
    **({"redis": REDIS_URL} if REDIS_URL else {"orm": "default"}),
}
# A lease is believed this long without being renewed, and renewed this often (see donna_skills/jobs/leases.py).
LEASE_S = env.integer("DONNA_LEASE_S", 60, at_least=2)
LEASE_RENEW_S = env.integer("DONNA_LEASE_RENEW_S", 20, at_least=1)
if LEASE_RENEW_S >= LEASE_S:
    raise ImproperlyConfigured("DONNA_LEASE_RENEW_S must be smaller than DONNA_LEASE_S: leases would run out.")
# What the scheduler process does every poll, by dotted name, so that the platform imports no app.
SCHEDULER_DUTIES = [
    "lifecycle.services.runs.reap",
    "lifecycle.services.runs.redeliver",
    "lifecycle.services.shadows.redeliver",
    "lifecycle.services.evolutions.redeliver",
    "lifecycle.services.nightly.wake",
    "automations.services.tick.duty",
    "automations.services.dispatch.reap",
    "automations.services.dispatch.wake",
    "automations.services.feed.read",
    "donna_skills.jobs.services.reap",
    "donna_skills.jobs.services.redeliver",
    "donna_skills.llm.budget.reap",
    "donna_skills.notifications.delivery.wake",
    "donna_skills.rest.idempotency.purge",
]
SCHEDULER_POLL_INTERVAL_S = env.integer("DONNA_SCHEDULER_POLL_S", 5, at_least=1)
# Job kinds and who carries them out, by dotted name.
JOB_HANDLERS: dict[str, str] = {
    "lifecycle.draft": "lifecycle.services.drafts.work",
    "audit.verify": "donna_skills.audit.verification.work",
    "notifications.deliver": "donna_skills.notifications.delivery.work",
    "lifecycle.nightly": "lifecycle.services.nightly.carry_out",
    "lifecycle.evolve": "lifecycle.services.evolutions.work",
    "lifecycle.verify": "lifecycle.services.verify.carry_out",
}
# What pages call them.
JOB_NAMES: dict[str, str] = {
    "lifecycle.draft": "Draft of a skill",
    "audit.verify": "Check of the audit log",
    "notifications.deliver": "Delivery of messages",
    "lifecycle.nightly": "Night's work",
    "lifecycle.evolve": "Evolution of a skill",
    "lifecycle.verify": "Check of a version",
}
# Kinds that may take longer than the cluster's timeout, in seconds.
JOB_TIMEOUTS_S: dict[str, int] = {
    "lifecycle.draft": 3600,
    "lifecycle.evolve": 3600,
    "lifecycle.nightly": 6 * 3600,
    "lifecycle.verify": 2 * 3600,
}
# django-q2's schedules (see donna_skills/jobs/schedules.py). The hour of the night is in config/skills.yaml, so the
# schedule asks every hour; the duty `nightly.wake` asks the same question every poll, and makes up for downtime.
# The automations' net ticks where no scheduler process runs.
Q_SCHEDULES: dict[str, dict[str, object]] = {
    "nightly": {"func": "lifecycle.tasks.night", "cron": "0 * * * *"},
    "automations": {"func": "automations.tasks.net", "minutes": 1},
    "automations-cadence": {"func": "automations.tasks.resync", "minutes": 15},
}

# --- Model calls ------------------------------------------------------------------------------------------------
MODEL_ADAPTER = env.text("DONNA_MODEL_ADAPTER")
ANTHROPIC_API_KEY = env.text("ANTHROPIC_API_KEY")
OPENAI_API_KEY = env.text("OPENAI_API_KEY")
OPENAI_BASE_URL = env.text("OPENAI_BASE_URL")
OLLAMA_BASE_URL = env.text("OLLAMA_BASE_URL")

# --- Web --------------------------------------------------------------------------------------------------------
STATIC_URL = "static/"
STATIC_ROOT = VAR_DIR / "static"
STATICFILES_DIRS = [BASE_DIR / "static"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": (
            "django.contrib.staticfiles.storage.StaticFilesStorage"
            if DEBUG
            else "whitenoise.storage.CompressedManifestStaticFilesStorage"
        )
    },
}
DATA_UPLOAD_MAX_MEMORY_SIZE = 1_048_576
DATA_UPLOAD_MAX_NUMBER_FIELDS = 2_000
API_MAX_BODY_BYTES = 1_048_576
# Prefix and dotted name of each django-ninja Router of the JSON API, so that the platform imports no app.
API_ROUTERS: list[tuple[str, str]] = [
    ("", "lifecycle.api.runs.router"),
    ("", "lifecycle.api.capabilities.router"),
    ("", "lifecycle.api.skills.router"),
    ("", "lifecycle.api.candidates.router"),
    ("", "lifecycle.api.reviews.router"),
    ("", "lifecycle.api.evidence.router"),
    ("", "lifecycle.api.nightly.router"),
    ("", "lifecycle.api.evolutions.router"),
    ("", "automations.api.automations.router"),
    ("", "automations.api.runs.router"),
    ("", "donna_skills.jobs.api.router"),
    ("", "donna_skills.notifications.api.router"),
    ("", "donna_skills.llm.api.router"),
]
API_RATE_PER_MINUTE = env.integer("DONNA_API_RATE_PER_MINUTE", 600, at_least=1)

# What the page of settings in force shows: a heading, a file under config/, its section or nothing, and its dataclass.
CONFIGURATIONS: list[tuple[str, str, str, str]] = [
    ("The loop", "skills.yaml", "", "lifecycle.configuration.Knobs"),
    ("Money", "skills.yaml", "budget", "donna_skills.llm.budget.Limits"),
    ("Automations", "automations.yaml", "", "automations.configuration.Knobs"),
    ("Models", "models.yaml", "", "donna_skills.llm.routing.Routes"),
]

# --- The demo world -------------------------------------------------------------------------------------------------
# What apps above add to `manage.py demo`: dotted names of functions of (cast, *, today, say).
DEMO_PARTS: list[str] = ["automations.demo.story.tell"]
# host:port of this application on its own machine: there are the demo's shop and feed, and web tools may go there.
# Empty where there is no demo: nothing is served, and the guard lets nobody in.
DEMO_SITE = env.loopback("DONNA_DEMO_SITE")

# --- The shell ----------------------------------------------------------------------------------------------------
# Lines that apps above the home page's own add to it: dotted names of functions that donna_skills/panels.py describes.
HOME_PANELS: list[str] = ["automations.automation_pages.home_panel"]
# Who counts what waits on a page of the menu: by the name of its address, a function of the time.
MENU_COUNTS: dict[str, str] = {"review_queue": "lifecycle.review_queue.waiting"}
ENVIRONMENT = env.text("DONNA_ENVIRONMENT", "local")
# Shown on the log-in page where it is set: who can log in here, for a demonstration on one's own machine.
DEMO_HINT = env.text("DONNA_DEMO_HINT")
UNFOLD = unfold_settings()

# Where people reach this installation: links in mails begin with it.
PUBLIC_URL = env.text("PUBLIC_URL").rstrip("/")
# host or host:port that webhooks may reach although the address is private.
WEBHOOK_ALLOW_HOSTS = env.names("WEBHOOK_ALLOW_HOSTS")

# What people can be told of, each with the words that the page of preferences has for it.
NOTICE_KINDS: dict[str, str] = {
    "automation.alert": "What an automation watches has come true",
    "automation.alert_error": "The alert of an automation could not be judged",
    "automation.cadence": "Automations may start more or less often",
    "automation.in_error": "An automation cannot be scheduled any more",
    "automation.paused": "An automation is paused after failures",
    "automation.resolved": "What an automation watches is over",
    "budget.paused": "The budget is used up, and model calls pause",
    "budget.warning": "The budget is nearly used up",
    "candidate.found": "Work that is worth a skill",
    "channel.failing": "Messages on a channel do not arrive",
    "draft.accepted": "A skill was drafted",
    "evolution.given_up": "Evolving a skill was refused again and again",
    "evolution.too_few_cases": "A degraded skill has too few cases to evolve",
    "gates.decided": "The gates changed their verdict on a version",
    "nightly.failed": "The night's work failed",
    "review.approved_once": "A decision waits for a second person",
    "review.decided": "What you wrote or asked for was decided",
    "review.glass_broken": "Somebody approved past a rule, in an emergency",
    "review.opened": "A decision waits",
    "review.reminder": "Decisions still wait",
    "run.needs_a_person": "A run needs somebody to look",
    "shadow.judge_abstains": "Answers of a skill are no longer compared",
    "skill.rolled_back": "A skill was rolled back",
    "skill.state_changed": "A skill entered or left release",
}

# --- Language and time ------------------------------------------------------------------------------------------
LANGUAGE_CODE = "en-gb"
USE_I18N = False
USE_TZ = True
TIME_ZONE = "UTC"

# --- Mail and logs ----------------------------------------------------------------------------------------------
vars().update(env.email("EMAIL_URL"))
DEFAULT_FROM_EMAIL = SERVER_EMAIL = env.text("DONNA_MAIL_FROM", "donna-skills@localhost")

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "filters": {"request_id": {"()": "donna_skills.logs.RequestIdFilter"}},
    "formatters": {"json": {"()": "donna_skills.logs.JsonFormatter"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "json", "filters": ["request_id"]}},
    "root": {"handlers": ["stderr"], "level": env.text("LOG_LEVEL", "INFO")},
    "loggers": {
        "django.server": {"handlers": ["stderr"], "propagate": False},
        "httpx": {"level": "WARNING"},
        "httpx2": {"level": "WARNING"},
    },
}
