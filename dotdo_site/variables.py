"""The environment variables that dotdo reads, so that a misspelt one does not pass in silence."""

from collections.abc import Iterable
from difflib import get_close_matches

PREFIX = "DOTDO_"
NAMES = """
ACTION_MODULES ALLOWED_HOSTS API_KEY_PEPPER APPLICATION_ROLE APPS AUDIT_ANCHOR_FILE AUDIT_ANCHOR_URL AUDIT_DAYS
AUDIT_SEAL_SECONDS AUDIT_SIGNING_KEY BATCH_RATE CONFORMANCE_FEATURES DEMO_HTTP_PORT DEMO_SMTP_PORT DEVELOPMENT
EVENT_RETENTION_DAYS HTTPS KEYS_FILE LEASE_SECONDS LISTEN_URL LOG_LEVEL MAIL_FROM MAX_CRASHES OUTGOING_ALLOW
POLL_SECONDS PREPARED PUBLIC_URL QUEUES RETENTION_DAYS RETENTION_DIR RETENTION_EXPORT SECRETS_KEYS
SECRET_KEY_FALLBACKS SMTP_HOST SMTP_PASSWORD SMTP_PORT SMTP_STARTTLS SMTP_USER TEST_POSTGRES TEST_VAR
TIME_SLICE_SECONDS TRUSTED_ORIGINS VAR WEB_THREADS WEB_WORKERS WORKERS
"""
KNOWN = frozenset(PREFIX + name for name in NAMES.split())


def unknown(names: Iterable[str]) -> dict[str, str]:
    """Map each name that looks like one of ours but is not to the nearest known one, or to nothing."""
    strange = sorted(name for name in names if name.startswith(PREFIX) and name not in KNOWN)
    return {name: next(iter(get_close_matches(name, KNOWN, n=1, cutoff=0.75)), "") for name in strange}
