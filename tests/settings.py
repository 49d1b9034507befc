"""The portal's settings for tests: a sandbox of services, quick password hashes, no rate limits in the way."""

from tests import sandbox

sandbox.enter()

from portal.settings import *  # noqa: E402, F403 - the sandbox must stand before settings read its addresses
from portal.settings import DATABASES, LOGGING  # noqa: E402

PASSWORD_HASHERS = [f"django.contrib.auth.hashers.{name}PasswordHasher" for name in ("MD5", "Argon2")]
PLAN_REQUESTS_PER_HOUR = {"sandbox": 1_000_000, "free": 100, "pro": 1_000, "enterprise": 10_000_000}
LOGGING["root"]["level"] = "ERROR"
DATABASES["default"]["TEST"] = {"NAME": "vouch_test", "MIGRATE": True}
