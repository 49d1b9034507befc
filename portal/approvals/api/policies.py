"""Approval policies over HTTP: when two people have to agree, and how long things may take."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated

import msgspec
from django.http import HttpResponse
from drf_spectacular.utils import OpenApiParameter
from msgspec import Meta
from rest_framework.request import Request

from partners.accounts.roles import Permission
from partners.api.bodies import decode, read_body
from partners.api.conditions import etag, version_seen
from partners.api.description import described, path
from partners.api.errors import Fault, RequestRefused
from partners.api.queries import read_query
from partners.api.views import ApiView, answer, principal_of
from partners.errors import MoneyRefused
from partners.money import to_minor, to_text
from portal.approvals.api.bodies import Code, Money
from portal.approvals.models import ApprovalPolicy
from portal.approvals.services.policies import MOST_REASONS, TIMES, change_approval_policy, policy_in_force
from scoring import selectors as scores
from scoring.services.models import LONGEST_REASON

FourEyes = Annotated[str, Meta(description="never: only above the limit; override: also on an override; always.",
                               extra_json_schema={"enum": ApprovalPolicy.FourEyes.values})]  # fmt: skip
Texts = Annotated[dict[str, str], Meta(min_length=1, description="The reason's text by language; vague texts are refused.")]
Reasons = Annotated[dict[Code, Texts], Meta(max_length=MOST_REASONS)]
Limits = Annotated[list[Money], Meta(max_length=200, description="The most that one person may lend, one amount per currency.")]
Hours = Annotated[int, Meta(ge=1)]


class _Terms(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    four_eyes: FourEyes
    limits: Limits
    override_reasons: Reasons
    proposal_hours: Annotated[int, Meta(ge=1, le=TIMES["proposal_hours"], description="Until a proposal lapses.")]
    due_hours: Annotated[int, Meta(ge=1, le=TIMES["due_hours"], description="Until somebody has to look at an application.")]
    lifetime_days: Annotated[int, Meta(ge=1, le=TIMES["lifetime_days"], description="Until an application expires.")]
    notice_days: Annotated[int, Meta(ge=1, le=TIMES["notice_days"], description="Until an applicant has to be told.")]


class ApprovalPolicyRequest(_Terms, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The whole policy as it shall be, and why."""

    reason: Annotated[str, Meta(min_length=1, max_length=LONGEST_REASON)]


class ApprovalPolicyAnswer(_Terms, frozen=True, kw_only=True):
    """The policy in force. Version 0 is the one that holds until somebody writes one."""

    product: str
    version: int
    created_at: datetime | None
    created_by: str


_SLUG = (path("slug", "The product."),)
_IF_MATCH = OpenApiParameter(
    "If-Match", {"type": "string", "pattern": r"^[!-~]+$"}, OpenApiParameter.HEADER, required=True,
    description="The ETag of the policy you change.",
)    # fmt: skip


class ApprovalPolicyView(ApiView):
    """One product's approval policy."""

    permissions = {"GET": Permission.PRODUCT_READ, "PUT": Permission.PRODUCT_EDIT}
    http_method_names = ["get", "put", "head"]

    @described(
        "Look at the approval policy", operation="approval_policy_read", gives=ApprovalPolicyAnswer, refuses=(400, 404), parameters=_SLUG
    )
    def get(self, request: Request, slug: str) -> HttpResponse:
        """The policy in force, with its ETag."""
        read_query(request, {})
        return _answer(policy_in_force(scores.product(slug).id), slug)

    @described(
        "Change the approval policy", operation="approval_policy_change", takes=ApprovalPolicyRequest, gives=ApprovalPolicyAnswer,
        refuses=(404, 412, 428), parameters=(*_SLUG, _IF_MATCH),
        text="The body is the whole policy. It is the next version from the next decision of a person on; the same policy again changes "
        "nothing.",
    )  # fmt: skip
    def put(self, request: Request, slug: str) -> HttpResponse:
        """The policy is in force."""
        asked, seen = decode(read_body(request), ApprovalPolicyRequest), version_seen(request)
        made = change_approval_policy(
            product_slug=slug, actor=principal_of(request).actor, four_eyes=asked.four_eyes, limits=_limits(asked.limits),
            override_reasons=asked.override_reasons, times={name: getattr(asked, name) for name in TIMES}, reason=asked.reason, seen=seen,
        )  # fmt: skip
        return _answer(made, slug)


def _answer(policy: ApprovalPolicy, slug: str) -> HttpResponse:
    limits: Mapping[str, int] = policy.limits
    found = ApprovalPolicyAnswer(
        product=slug, version=policy.version, four_eyes=policy.four_eyes,
        limits=[Money(to_text(minor, currency), currency) for currency, minor in sorted(limits.items())],
        override_reasons=policy.override_reasons, created_at=policy.created_at if policy.version else None, created_by=policy.created_by,
        **{name: getattr(policy, name) for name in TIMES},
    )  # fmt: skip
    return answer(found, headers={"ETag": etag(policy.version)})


def _limits(asked: Sequence[Money]) -> dict[str, int]:
    """By currency. Raises RequestRefused with every amount that cannot be, and every currency that is there twice."""
    limits: dict[str, int] = {}
    faults = []
    for place, one in enumerate(asked):
        try:
            minor = to_minor(one.amount, one.currency)
        except MoneyRefused as refusal:
            faults += [Fault(f"/limits/{place}/{name}", "invalid_value", detail) for name, detail in refusal.fields.items()]
            continue
        if one.currency in limits:
            faults.append(Fault(f"/limits/{place}/currency", "invalid_value", "This currency has a limit already: send it once."))
        limits[one.currency] = minor
    if faults:
        raise RequestRefused(faults)
    return limits
