"""Logs as one JSON object a line, with the request's id and partner, and without personal data."""

import logging
import re
import traceback
from collections.abc import Iterator, Mapping, MutableMapping
from typing import Any

import structlog
from structlog.typing import ExcInfo, Processor

# Whose messages say what is wrong with a service or with what is ours; any other may quote what somebody sent.
_TOLD = {"audit", "partners", "scoring", "portal", "django", "psycopg", "redis", "kombu"}
_VALUE = re.compile(r"'[^']*'|\"[^\"]*\"|\d{6,}")
_DETAIL = re.compile(r"^(DETAIL|CONTEXT|HINT|QUERY|PARAMETERS|LINE \d+):.*$", re.MULTILINE)
_EXTRA = {"task", "schema", "duty", "partner", "status_code"}  # of `extra=`; anything else, such as the request, stays out


def without_rows(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """PostgreSQL repeats values of rows in DETAIL lines; nothing of a row reaches a log."""
    for name in ("exception", "event"):
        if isinstance(event.get(name), str):
            event[name] = _DETAIL.sub(r"\1: removed", event[name])
    return event


def said_of(error: BaseException) -> str:
    """What kind of fault it is, and what it says as far as that quotes nobody: a log tells no value."""
    kind = type(error)
    text = next(iter(str(error).splitlines()), "")
    is_told = kind.__module__.partition(".")[0] in _TOLD or isinstance(error, OSError)
    return f"{kind.__name__}: {_VALUE.sub('...', text)}" if is_told and text else kind.__name__


def trace_of(exc_info: ExcInfo) -> str:
    """Where the fault happened and what it came of, without the values that messages quote."""
    parts = [f"{''.join(traceback.format_tb(one.__traceback__))}{said_of(one)}" for one in _chain(exc_info[1])]
    return "Traceback (most recent call last):\n" + "\nIt came of:\n".join(parts)


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)


class WithoutValues(logging.Filter):
    """Celery writes the error of a task into its message."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Every line passes; what an error quotes does not."""
        if isinstance(record.args, Mapping) and "exc" in record.args:
            error = record.exc_info[1] if record.exc_info else None
            record.args = {**record.args, "exc": said_of(error) if error else "removed", "traceback": ""}
        return True


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
    render = structlog.processors.ExceptionRenderer(trace_of)
    finish: list[Processor] = [structlog.stdlib.PositionalArgumentsFormatter(), render, without_rows]
    formatter = {
        "()": structlog.stdlib.ProcessorFormatter,
        "processors": [*finish, structlog.stdlib.ProcessorFormatter.remove_processors_meta, structlog.processors.JSONRenderer()],
        "foreign_pre_chain": [*shared, structlog.stdlib.ExtraAdder(allow=_EXTRA)],
    }
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"json": formatter},
        "filters": {"values": {"()": WithoutValues}},
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "json", "filters": ["values"]}},
        "root": {"handlers": ["stderr"], "level": level},
        "loggers": {
            "django": {"level": "INFO"},
            "django.request": {"level": "CRITICAL"},  # portal.errors.log_fault tells of what failed, once
            "django.server": {"handlers": [], "propagate": False},
        },
    }
