"""Logs as one JSON object a line, with the request's id and partner, and without personal data."""

import re
from collections.abc import MutableMapping
from typing import Any

import structlog
from structlog.typing import Processor

_DETAIL = re.compile(r"^(DETAIL|CONTEXT|HINT|QUERY|PARAMETERS|LINE \d+):.*$", re.MULTILINE)
_EXTRA = {"task", "schema", "duty", "partner", "status_code"}  # of `extra=`; anything else, such as the request, stays out


def without_rows(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """PostgreSQL repeats values of rows in DETAIL lines; nothing of a row reaches a log."""
    for name in ("exception", "event"):
        if isinstance(event.get(name), str):
            event[name] = _DETAIL.sub(r"\1: removed", event[name])
    return event


def logging_config(*, level: str) -> dict[str, Any]:
    """The LOGGING setting; structlog and the standard library end in the same formatter."""
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[structlog.stdlib.filter_by_level, *shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    finish: list[Processor] = [structlog.stdlib.PositionalArgumentsFormatter(), structlog.processors.format_exc_info, without_rows]
    formatter = {
        "()": structlog.stdlib.ProcessorFormatter,
        "processors": [*finish, structlog.stdlib.ProcessorFormatter.remove_processors_meta, structlog.processors.JSONRenderer()],
        "foreign_pre_chain": [*shared, structlog.stdlib.ExtraAdder(allow=_EXTRA)],
    }
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"json": formatter},
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "json"}},
        "root": {"handlers": ["stderr"], "level": level},
        "loggers": {
            "django": {"level": "INFO"},
            "django.request": {"level": "CRITICAL"},  # portal.errors.log_fault tells of what failed, once
            "django.server": {"handlers": [], "propagate": False},
        },
    }
