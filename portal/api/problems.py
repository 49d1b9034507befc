"""Refusals and failures as application/problem+json (RFC 9457): the same form from every route, never a trace or a value."""

from datetime import datetime
from typing import Any

import msgspec
from django.http import HttpRequest, HttpResponse
from rest_framework.request import Request

from audit.errors import DomainError
from partners.api.errors import MOST_FAULTS, Fault, LimitReached, RequestRefused
from portal.approvals.errors import ApplicationChanged, ApplicationLocked
from portal.errors import Outcome, is_ours, log_fault, outcome_of
from scoring.engine.contract import ContractViolation

_MORE = f" The first {MOST_FAULTS:,} faults are listed; there are more."


class FieldError(msgspec.Struct, frozen=True, omit_defaults=True):
    """One wrong field: `pointer` leads into the body, `parameter` names a query parameter."""

    code: str
    detail: str
    pointer: str | None = None
    parameter: str | None = None


class Changed(msgspec.Struct, frozen=True):
    """Who was first, or has it open, and when (until when): where the thing stands now."""

    by: str
    at: datetime
    state: str
    revision: int


class Problem(msgspec.Struct, frozen=True, omit_defaults=True):
    """Why a request was refused or failed, and what to do."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    request_id: str
    instance: str
    errors: list[FieldError] = []
    changed: Changed | None = None


def handle(error: Exception, context: dict[str, Any]) -> HttpResponse:
    """What the API answers to whatever a view raised."""
    request: Request = context["request"]
    return problem(request._request, error, challenge=getattr(error, "auth_header", None))


def problem(request: HttpRequest, error: BaseException, *, challenge: str | None = None) -> HttpResponse:
    """The error as a problem; what is our own fault is logged with its trace and told without detail."""
    outcome = outcome_of(error)
    request.problem_code = outcome.code  # type: ignore[attr-defined] # for the log of requests
    log_fault(request, error)
    errors = _field_errors(error)
    body = msgspec.json.encode(
        Problem(
            type=f"/docs#{outcome.code}",
            title=outcome.title,
            status=outcome.status,
            detail=_detail(outcome, error) + (_MORE if len(errors) > MOST_FAULTS else ""),
            code=outcome.code,
            request_id=getattr(request, "request_id", ""),
            instance=_printable(request.path_info),
            errors=errors[:MOST_FAULTS],
            changed=_changed(error),
        )
    )
    response = HttpResponse(body, status=outcome.status, content_type="application/problem+json")
    response.headers["Content-Length"] = str(len(body))
    if outcome.status == 401:
        response.headers["WWW-Authenticate"] = challenge or 'Bearer realm="Vouch"'
    wait = error.wait_seconds if isinstance(error, LimitReached) else outcome.retry_after
    if wait is not None:
        response.headers["Retry-After"] = str(wait)
    return response


def _detail(outcome: Outcome, error: BaseException) -> str:
    if is_ours(outcome) or outcome.status == 404 or not isinstance(error, DomainError):
        return outcome.advice
    return f"{error.detail} {outcome.advice}"


def _changed(error: BaseException) -> Changed | None:
    if isinstance(error, ApplicationChanged | ApplicationLocked):
        return Changed(error.by, error.at, error.state, error.revision)
    return None


def _field_errors(error: BaseException) -> list[FieldError]:
    if isinstance(error, RequestRefused):
        return [_field_error(fault) for fault in error.faults]
    if isinstance(error, DomainError) and error.fields:
        return [FieldError(code="invalid_value", detail=detail, pointer=f"/{name}") for name, detail in error.fields.items()]
    if isinstance(error, ContractViolation):
        return [FieldError(code=one.code, detail=one.detail, pointer=f"/inputs{one.pointer}") for one in error.problems]
    return []


def _field_error(fault: Fault) -> FieldError:
    if fault.is_parameter:
        return FieldError(code=fault.code, detail=fault.detail, parameter=fault.pointer)
    return FieldError(code=fault.code, detail=fault.detail, pointer=fault.pointer)


def _printable(path: str) -> str:
    return "".join(c if c.isprintable() else "?" for c in path[:200])
