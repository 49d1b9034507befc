"""Written by `manage.py make_client` from the API's description; changes are lost."""

from __future__ import annotations

from typing import Any, Literal, NotRequired, TypeAlias, TypedDict

from vouch_client.transport import Transport


class ActionCount(TypedDict):
    action: str
    actor_kind: str
    count: int


class Alternative(TypedDict):
    outcome: str
    score: int
    probability: float
    changes: list[InputChange]
    text: str


class ApiKey(TypedDict):
    id: str
    name: str
    hint: str
    scopes: list[str]
    created_by: str
    created_at: str
    expires_at: str | None
    revoked_at: str | None
    last_used_at: str | None
    replaced_by: str | None


class ApiKeyList(TypedDict):
    data: list[ApiKey]
    next_cursor: NotRequired[str | None]
    has_more: NotRequired[bool]


class ApiKeyMade(TypedDict):
    key: ApiKey
    secret: str | None


class ApiKeyRequest(TypedDict):
    name: str
    scopes: NotRequired[list[str] | None]
    expires_at: NotRequired[str | None]


class ApiKeyRotation(TypedDict):
    overlap_seconds: NotRequired[int]


class ApiRequest(TypedDict):
    id: str
    at: str
    request_id: str
    credential_kind: str | None
    credential_id: str | None
    method: str
    route: str
    status: int
    code: str | None
    is_replayed: bool
    duration_ms: float


class ApiRequestList(TypedDict):
    data: list[ApiRequest]
    next_cursor: str | None
    has_more: bool


class Applicant(TypedDict):
    reference: str
    name: NotRequired[str | None]
    phone: NotRequired[str | None]
    national_id: NotRequired[str | None]
    birth_date: NotRequired[str | None]


class ApplicantNamed(TypedDict):
    reference: str | None


class Application(TypedDict):
    id: str
    number: str
    product: str
    applicant: ApplicantNamed
    amount: portal_approvals_api_bodies_Money
    offer: portal_approvals_api_bodies_Money | None
    state: str
    because: str | None
    band: str
    outcome: str
    score_id: str
    channel: str
    tags: list[str]
    priority: int
    assigned_to: Person | None
    due_at: str | None
    expires_at: str | None
    created_at: str
    decided_at: str | None
    revision: int
    score: Score
    proposal: Proposal | None
    possible: list[str]


class ApplicationEvent(TypedDict):
    id: str
    action: str
    at: str
    actor_kind: str
    actor: str
    from_state: str | None
    to_state: str | None
    reason_code: str | None
    revision: int | None
    note: str | None


class ApplicationEventList(TypedDict):
    data: list[ApplicationEvent]
    next_cursor: NotRequired[str | None]
    has_more: NotRequired[bool]


class ApplicationListed(TypedDict):
    id: str
    number: str
    product: str
    applicant: ApplicantNamed
    amount: portal_approvals_api_bodies_Money
    offer: portal_approvals_api_bodies_Money | None
    state: str
    because: str | None
    band: str
    outcome: str
    score_id: str
    channel: str
    tags: list[str]
    priority: int
    assigned_to: Person | None
    due_at: str | None
    expires_at: str | None
    created_at: str
    decided_at: str | None
    revision: int


class ApplicationPage(TypedDict):
    data: list[ApplicationListed]
    next_cursor: str | None
    has_more: bool


class ApplicationRequest(TypedDict):
    product: str
    applicant: Applicant
    amount: portal_approvals_api_bodies_Money
    inputs: dict[str, Any]
    tags: NotRequired[list[str]]


class ApplicationState(TypedDict):
    id: str
    number: str
    state: str
    revision: int
    assigned_to: Person | None
    proposal: Proposal | None
    possible: list[str]


class ApprovalPolicyAnswer(TypedDict):
    four_eyes: Literal["never", "override", "always"]
    limits: list[portal_approvals_api_bodies_Money]
    override_reasons: dict[str, dict[str, str]]
    proposal_hours: int
    due_hours: int
    lifetime_days: int
    notice_days: int
    product: str
    version: int
    created_at: str | None
    created_by: str


class ApprovalPolicyRequest(TypedDict):
    four_eyes: Literal["never", "override", "always"]
    limits: list[portal_approvals_api_bodies_Money]
    override_reasons: dict[str, dict[str, str]]
    proposal_hours: int
    due_hours: int
    lifetime_days: int
    notice_days: int
    reason: str


class Assigned(TypedDict):
    done: int
    refused: list[LeftAsItWas]


class Assignment(TypedDict):
    assignee_id: str
    revision: int


class Assignments(TypedDict):
    assignee_id: str
    applications: list[Chosen]


class BatchItem(TypedDict):
    applicant: Applicant
    inputs: Any


class CardCompared(TypedDict):
    version: int
    state: str
    rows: int | None
    auc: float | None
    ks: float | None
    brier: float | None
    trained_at: str


class CardGroup(TypedDict):
    group: str
    cases: int
    approved_share: float | None
    bad_share: float | None
    auc: float | None
    mean_probability: float | None
    ratio: float | None
    low: float | None
    high: float | None


class CardHappening(TypedDict):
    at: str
    action: str
    actor: str
    reason: str | None
    other: int | None


class CardOutcome(TypedDict):
    outcome: str
    good: int
    bad: int
    bad_share: float | None


class CardProtected(TypedDict):
    input: str
    label: str
    groups: list[CardGroup]


class ChallengerChosen(TypedDict):
    version: int
    reason: NotRequired[str | None]


class Changed(TypedDict):
    by: str
    at: str
    state: str
    revision: int


class CheckpointListed(TypedDict):
    size: int
    root: str
    note: str
    created_at: str


class CheckpointPage(TypedDict):
    data: list[CheckpointListed]
    next_cursor: str | None
    has_more: bool


class Chosen(TypedDict):
    id: str
    revision: int


ComparedGap = TypedDict("ComparedGap", {"from": "int", "below": "int", "count": "int"})


class ComplianceReport(TypedDict):
    period: ReportedPeriod
    made_at: str
    made_by: str
    sections: dict[str, list[ReportedRow]]


ConsistencyProof = TypedDict("ConsistencyProof", {"from": "str", "to": "str", "proof": "list[str]"})


class Contribution(TypedDict):
    feature: str
    log_odds: float
    points: float


class DayCalls(TypedDict):
    day: str
    calls: int
    routes: list[RouteCalls]


class DayCount(TypedDict):
    day: str
    decisions: int


class DecisionTaken(TypedDict):
    decision: Literal["accept_offer", "approve", "ask_information", "counter_offer", "decline", "reconsider", "resume", "withdraw"]
    reason_code: str
    revision: int
    note: NotRequired[str | None]
    offer: NotRequired[str | None]


class Escalation(TypedDict):
    revision: int
    to: NotRequired[str | None]


class EventListed(TypedDict):
    id: str
    position: int | None
    recorded_at: str
    action: str
    actor_kind: str
    actor_id: str
    actor_label: str
    address: str
    request_id: str
    object_kind: str
    object_id: str
    detail: dict[str, Any]
    leaf_hash: str


class EventPage(TypedDict):
    data: list[EventListed]
    next_cursor: str | None
    has_more: bool


class Explanation(TypedDict):
    id: str
    base: float
    log_odds: float
    reasons: list[Reason]
    top: list[Contribution]
    contributions: list[Contribution]
    inputs: dict[str, Any] | None


class Export(TypedDict):
    id: str
    list: str
    format: str
    with_applicants: bool
    state: str
    rows: int
    size_bytes: int
    problem: str | None
    created_at: str
    finished_at: str | None
    kept_until: str | None


class ExportLink(TypedDict):
    url: str
    expires_at: str


ExportLinkRequest: TypeAlias = "dict[str, Any]"


class ExportPage(TypedDict):
    data: list[Export]
    next_cursor: str | None
    has_more: bool


class ExportRequest(TypedDict):
    list: str
    format: Literal["csv", "json", "parquet", "xlsx"]
    filters: NotRequired[dict[str, str]]
    with_applicants: NotRequired[bool]


class FieldError(TypedDict):
    code: str
    detail: str
    pointer: NotRequired[str | None]
    parameter: NotRequired[str | None]


class HoldAnswer(TypedDict):
    id: str
    kind: str
    object_id: str
    reason: str
    until: str | None
    placed_at: str
    placed_by: str
    lift_asked_by: str | None
    lift_reason: str | None
    lifted_at: str | None


class HoldLiftAsked(TypedDict):
    reason: str


class HoldList(TypedDict):
    data: list[HoldAnswer]


class HoldPlaced(TypedDict):
    kind: Literal["applicant", "application", "decision"]
    object_id: str
    reason: str
    until: NotRequired[str | None]


class InclusionProof(TypedDict):
    event: EventListed
    attested: str
    position: int
    size: int
    proof: list[str]
    checkpoint: str
    receipt: Receipt


class InputChange(TypedDict):
    input: str
    label: str
    before: Any
    after: Any
    text: str


class InvitationMade(TypedDict):
    user: User
    link: str | None
    expires_at: str


InvitationRenewal: TypeAlias = "dict[str, Any]"


class InvitationRequest(TypedDict):
    email: str
    role: str
    name: NotRequired[str]
    language: NotRequired[str]
    time_zone: NotRequired[str | None]


class JobResults(TypedDict):
    page: str | None
    file: str | None


class JobRows(TypedDict):
    total: int
    is_total_known: bool
    done: int
    failed: int


class JobStanding(TypedDict):
    kind: str
    waiting: int
    active: int
    done: int
    failed: int


class KeyStats(TypedDict):
    id: str
    name: str
    hint: str
    state: str
    scopes: list[str]
    created_at: str
    expires_at: str | None
    last_used_at: str | None
    calls: int
    refused: int
    failed: int
    mean_ms: float
    by_day: list[DayCalls]


class KeyStatsList(TypedDict):
    since: str
    until: str
    plan: str
    requests_per_hour: int
    calls: int
    calls_by_people: int
    calls_without_credential: int
    data: list[KeyStats]


class KeyUsed(TypedDict):
    id: str
    name: str
    hint: str
    decisions: int
    by_day: list[DayCount]
    last_used_at: str | None
    revoked_at: str | None


class LeftAsItWas(TypedDict):
    id: str
    code: str
    detail: str


class ModelCardRead(TypedDict):
    product: str
    version: int
    state: str
    card_sha256: str
    bundle_sha256: str
    trained_at: str
    trained_by: str | None
    policy: PolicyNamed
    outcomes: list[CardOutcome]
    protected: list[CardProtected]
    champion: CardCompared | None
    earlier: list[CardCompared]
    promotions: list[Promotion]
    history: list[CardHappening]
    card: Any


class ModelChange(TypedDict):
    state: Literal["candidate", "retired"]
    reason: NotRequired[str | None]


class ModelCompared(TypedDict):
    product: str
    champion: int | None
    version: int
    since: str
    rows: int
    not_scored: int
    agreement_share: float | None
    shifts: dict[str, dict[str, int]]
    champion_mean_probability: float | None
    mean_probability: float | None
    mean_score_difference: float | None
    mean_absolute_score_difference: float | None
    score_differences: list[ComparedGap]


class ModelList(TypedDict):
    data: list[ModelListed]
    next_cursor: NotRequired[str | None]
    has_more: NotRequired[bool]


class ModelListed(TypedDict):
    product: str
    version: int
    estimator: str
    state: str
    metrics: dict[str, Any]
    bundle_sha256: str
    trained_at: str
    promoted_at: str | None


class ModelNamed(TypedDict):
    version: int


class NextAsked(TypedDict):
    product: NotRequired[str | None]


class NextTaken(TypedDict):
    application: ApplicationState | None


class NoteKept(TypedDict):
    id: str
    at: str


class NoteWritten(TypedDict):
    note: str


class Outcome(TypedDict):
    id: str
    score_id: str
    kind: str
    value: int
    amount: scoring_api_outcomes_Money | None
    observed_on: str
    recorded_at: str
    source: str
    supersedes: str | None
    holds: bool


class OutcomeItem(TypedDict):
    kind: Literal["defaulted", "late", "repaid", "written_off"]
    observed_on: str
    score_id: NotRequired[str | None]
    reference: NotRequired[str | None]
    value: NotRequired[Literal[0, 1] | None]
    amount: NotRequired[scoring_api_outcomes_Money | None]


class OutcomeList(TypedDict):
    data: list[Outcome]


class OutcomesRecorded(TypedDict):
    data: list[Outcome]
    recorded: int
    unchanged: int


class OutcomesRequest(TypedDict):
    items: list[OutcomeItem]
    product: NotRequired[str | None]


class PasswordRequest(TypedDict):
    current: str
    new: str


class Person(TypedDict):
    id: str
    name: str


class PolicyNamed(TypedDict):
    version: int


class Portfolio(TypedDict):
    total: int
    by_outcome: dict[str, int]
    by_band: dict[str, int]
    mean_probability: float
    mean_score: float
    expected_events: float


class PrivacyAction(TypedDict):
    action: Literal["complete", "confirm", "decline", "propose", "rectify", "refuse", "review", "withdraw"]
    because: NotRequired[str]
    changes: NotRequired[dict[str, str]]


class PrivacyCopy(TypedDict):
    data: dict[str, Any]


PrivacyNothing: TypeAlias = "dict[str, Any]"


class PrivacyRequestAsked(TypedDict):
    kind: Literal["access", "erasure", "objection", "portability", "rectification"]
    reference: str
    received_on: str
    language: NotRequired[str]
    statement: NotRequired[str]
    decision_id: NotRequired[str | None]


class PrivacyRequestFound(TypedDict):
    number: int
    kind: str
    state: str
    applicant_id: str
    received_on: str
    due_on: str
    closed_at: str | None
    because: str
    steps: list[PrivacyStepDone]
    certificate: dict[str, Any] | None


class PrivacyRequestList(TypedDict):
    data: list[PrivacyRequestFound]


class PrivacyStepDone(TypedDict):
    name: str
    at: str
    actor: str
    evidence: dict[str, Any]


class Problem(TypedDict):
    type: str
    title: str
    status: int
    detail: str
    code: str
    request_id: str
    instance: str
    errors: NotRequired[list[FieldError]]
    changed: NotRequired[Changed | None]


class ProductDescribed(TypedDict):
    slug: str
    title: str
    kind: str
    model: ModelNamed | None
    policy: PolicyNamed
    created_at: str
    contract: dict[str, Any]
    example: dict[str, Any]


class ProductList(TypedDict):
    data: list[ProductListed]
    next_cursor: NotRequired[str | None]
    has_more: NotRequired[bool]


class ProductListed(TypedDict):
    slug: str
    title: str
    kind: str
    model: ModelNamed | None
    policy: PolicyNamed
    created_at: str


class Promotion(TypedDict):
    id: str
    product: str
    version: int
    state: str
    reason: str
    card_sha256: str | None
    asked_by: str
    asked_at: str
    answered_by: str | None
    answered_at: str | None
    answer: str | None


class PromotionAsked(TypedDict):
    product: str
    version: int
    reason: str
    card_read: bool
    card_sha256: NotRequired[str | None]


class PromotionConfirmed(TypedDict):
    answer: NotRequired[str | None]


class PromotionList(TypedDict):
    data: list[Promotion]
    next_cursor: NotRequired[str | None]
    has_more: NotRequired[bool]


class PromotionRefused(TypedDict):
    answer: str


PromotionWithdrawn: TypeAlias = "dict[str, Any]"


class Proposal(TypedDict):
    decision: str
    because: list[str]
    reason_code: str
    offer: portal_approvals_api_bodies_Money | None
    proposed_by: Person
    proposed_at: str
    expires_at: str


class QueueList(TypedDict):
    since: str
    data: list[QueueStanding]
    jobs: list[JobStanding]


class QueueStanding(TypedDict):
    name: str
    waiting: int
    active: int
    done: int
    failed: int


class Reason(TypedDict):
    code: str
    text: str | None


class Receipt(TypedDict):
    event_id: str
    leaf_hash: str
    issued_at: str
    signature: str
    key_id: str


class RecordSummary(TypedDict):
    since: str
    until: str
    events: int
    actions: list[ActionCount]
    size: int
    sealed_at: str | None


class Recourse(TypedDict):
    id: str
    outcome: str
    score: int
    alternatives: list[Alternative]
    nothing: str | None
    text: str | None


class RefreshRequest(TypedDict):
    refresh: str


class RegistryChange(TypedDict):
    revision: int
    at: str
    changed: list[str]
    model: ModelNamed | None
    policy: PolicyNamed
    rules_version: int
    action: str | None
    actor: str | None
    asked_by: str | None
    reason: str | None


class RegistryChangeList(TypedDict):
    data: list[RegistryChange]
    next_cursor: NotRequired[str | None]
    has_more: NotRequired[bool]


class Release(TypedDict):
    revision: int


class ReportedPeriod(TypedDict):
    first: str
    last: str


class ReportedRow(TypedDict):
    item: str
    figures: dict[str, int | str]


RetentionNothing: TypeAlias = "dict[str, Any]"


class RetentionPreview(TypedDict):
    data: list[RetentionStanding]


class RetentionRule(TypedDict):
    record_class: str
    trigger: Literal["application", "closure", "made", "notice"]
    period: int
    unit: Literal["days", "months", "years"]
    citation: str
    action: NotRequired[Literal["anonymise", "delete", "erase"] | None]


class RetentionRuleList(TypedDict):
    data: list[RetentionRule]


class RetentionRunAnswer(TypedDict):
    number: int
    state: str
    as_of: str
    proposed_by: str
    answered_by: str | None
    finished_at: str | None
    due: dict[str, int]
    gone: dict[str, int]


class RetentionRunList(TypedDict):
    data: list[RetentionRunAnswer]


class RetentionStanding(TypedDict):
    record_class: str
    action: str
    counts: dict[str, int]
    sample: list[str]


class RetrainingAsked(TypedDict):
    product: str


class RetrainingList(TypedDict):
    data: list[RetrainingRun]


class RetrainingPlan(TypedDict):
    product: str
    every: str | None
    next_on: str | None


class RetrainingPlanned(TypedDict):
    every: Literal["friday", "monday", "saturday", "sunday", "thursday", "tuesday", "wednesday"] | None


class RetrainingRun(TypedDict):
    id: str
    product: str
    state: str
    because: str
    version: int | None
    problem: str | None
    began_at: str
    finished_at: str | None


class Role(TypedDict):
    name: str
    title: str
    permissions: list[str]
    needs_second_factor: bool


class RoleList(TypedDict):
    data: list[Role]
    next_cursor: NotRequired[str | None]
    has_more: NotRequired[bool]


class RollbackAsked(TypedDict):
    reason: str


class Root(TypedDict):
    name: str
    version: str
    partner: str
    documentation: str
    openapi: str
    health: str
    routes: dict[str, str]


class RouteCalls(TypedDict):
    method: str
    route: str
    calls: int
    refused: int
    failed: int
    mean_ms: float


RuleWritten = TypedDict("RuleWritten", {"code": "str", "if": "dict[str, Any]", "log_odds": "float", "texts": "dict[str, str]"})


class RulesList(TypedDict):
    data: list[RulesListed]
    next_cursor: NotRequired[str | None]
    has_more: NotRequired[bool]


class RulesListed(TypedDict):
    version: int
    revision: int
    began_at: str
    ended_at: str | None
    actor: str | None
    reason: str | None
    rules: dict[str, Any]


class RulesWritten(TypedDict):
    base_probability: float
    rules: list[RuleWritten]
    reason: str
    may_approve: NotRequired[bool]


class SandboxEmpty(TypedDict):
    is_empty: bool


SandboxNothing: TypeAlias = "dict[str, Any]"


class Score(TypedDict):
    id: str
    product: str
    applicant: ApplicantNamed
    probability: float
    score: int
    band: str
    outcome: str
    reasons: list[Reason]
    answered_by: str
    model: ModelNamed | None
    policy: PolicyNamed
    receipt: Receipt
    request_id: str
    processing_ms: float
    created_at: str


class ScoreBatch(TypedDict):
    product: str
    results: list[Score]
    portfolio: Portfolio
    request_id: str


class ScoreBatchRequest(TypedDict):
    product: str
    items: list[BatchItem]


class ScoreJob(TypedDict):
    id: str
    product: str
    state: str
    rows: JobRows
    results: JobResults
    problem: str | None
    created_at: str
    finished_at: str | None


class ScoreListed(TypedDict):
    id: str
    product: str
    applicant: ApplicantNamed
    probability: float
    score: int
    band: str
    outcome: str
    answered_by: str
    model: ModelNamed | None
    policy: PolicyNamed
    channel: str
    request_id: str
    processing_ms: float
    created_at: str


class ScorePage(TypedDict):
    data: list[ScoreListed]
    next_cursor: str | None
    has_more: bool


class ScoreRequest(TypedDict):
    product: str
    applicant: Applicant
    inputs: Any


class SecondOpinionGiven(TypedDict):
    answer: Literal["agree", "refuse", "retract"]
    revision: int
    reason_code: NotRequired[str | None]
    note: NotRequired[str | None]


class SignedCertificate(TypedDict):
    certificate: str
    key_id: str
    signature: str


class SigningKeyList(TypedDict):
    data: list[SigningKeyListed]
    next_cursor: NotRequired[str | None]
    has_more: NotRequired[bool]


class SigningKeyListed(TypedDict):
    key_id: str
    algorithm: Literal["Ed25519"]
    public_key: str
    created_at: str
    retired_at: str | None


class Snooze(TypedDict):
    until: str | None
    revision: int


class StatisticsDay(TypedDict):
    day: str
    approve: int
    refer: int
    decline: int


class StatisticsRead(TypedDict):
    since: str
    total: int
    by_outcome: dict[str, int]
    by_band: dict[str, int]
    by_answer: dict[str, int]
    by_product: dict[str, int]
    by_day: list[StatisticsDay]
    median_processing_ms: float | None


class Tags(TypedDict):
    tags: list[str]
    revision: int


class TokenRequest(TypedDict):
    email: str
    password: str
    otp: NotRequired[str]


class Tokens(TypedDict):
    access: str
    refresh: str
    token_type: str
    expires_in: int


class TopFeature(TypedDict):
    name: str
    label: str
    log_odds: float


class TopFeatures(TypedDict):
    product: str
    version: int
    features: list[TopFeature]
    groups: list[TopFeature]


class TwoPeopleAnswer(TypedDict):
    agrees: bool


class UsageList(TypedDict):
    since: str
    until: str
    decisions: int
    data: list[KeyUsed]
    next_cursor: NotRequired[str | None]
    has_more: NotRequired[bool]


class User(TypedDict):
    id: str
    email: str
    name: str
    role: str
    is_active: bool
    language: str
    time_zone: str
    created_at: str
    last_login: str | None
    has_joined: bool


class UserChange(TypedDict):
    role: NotRequired[str | None]
    is_active: NotRequired[bool | None]


class UserList(TypedDict):
    data: list[User]
    next_cursor: NotRequired[str | None]
    has_more: NotRequired[bool]


class UserRequest(TypedDict):
    email: str
    role: str
    password: str
    name: NotRequired[str]
    language: NotRequired[str]
    time_zone: NotRequired[str | None]


class VersionInForce(TypedDict):
    product: str
    at: str
    revision: int
    answered_by: str
    model: ModelNamed | None
    policy: PolicyNamed
    began_at: str
    ended_at: str | None


class Webhook(TypedDict):
    id: str
    url: str
    description: str
    event_types: list[str]
    is_active: bool
    paused_because: str
    paused_at: str | None
    failing_since: str | None
    previous_secret_until: str | None
    created_by: str
    created_at: str


class WebhookAttempt(TypedDict):
    at: str
    status: int | None
    duration_ms: int
    answer: str
    problem: str


class WebhookChange(TypedDict):
    url: NotRequired[str | None]
    event_types: NotRequired[list[str] | None]
    description: NotRequired[str | None]
    is_active: NotRequired[bool | None]


class WebhookDelivery(TypedDict):
    id: str
    event_id: str
    event_type: str
    object_id: str
    state: str
    attempts: int
    created_at: str
    next_at: str | None
    status: int | None
    problem: str
    duration_ms: int | None


class WebhookDeliveryDetail(TypedDict):
    delivery: WebhookDelivery
    payload: str
    attempts: list[WebhookAttempt]


class WebhookDeliveryPage(TypedDict):
    data: list[WebhookDelivery]
    next_cursor: str | None
    has_more: bool


class WebhookList(TypedDict):
    data: list[Webhook]
    next_cursor: NotRequired[None]
    has_more: NotRequired[bool]


class WebhookMade(TypedDict):
    webhook: Webhook
    secret: str | None


WebhookNothing: TypeAlias = "dict[str, Any]"


class WebhookRequest(TypedDict):
    url: str
    event_types: list[str]
    description: NotRequired[str]


class WebhookRotation(TypedDict):
    overlap_seconds: NotRequired[int]


class portal_approvals_api_bodies_Money(TypedDict):
    amount: str
    currency: str


class scoring_api_outcomes_Money(TypedDict):
    amount: str
    currency: str


class Client(Transport):
    """The API's operations. Each raises Refused or Unreachable."""

    def root(self) -> Root:
        """What answers here."""
        _answer: Root = self._call("GET", "/api/v1/")
        return _answer

    def api_key_list(self) -> ApiKeyList:
        """List keys."""
        _answer: ApiKeyList = self._call("GET", "/api/v1/api-keys")
        return _answer

    def api_key_create(self, body: ApiKeyRequest, *, idempotency_key: str | None = None) -> ApiKeyMade:
        """Make a key."""
        _answer: ApiKeyMade = self._call("POST", "/api/v1/api-keys", body=body, idempotency_key=idempotency_key)
        return _answer

    def api_key_stats(self, *, days: int | None = None, until: str | None = None) -> KeyStatsList:
        """Count calls by API key, day and route."""
        _answer: KeyStatsList = self._call("GET", "/api/v1/api-keys/stats", query={"days": days, "until": until})
        return _answer

    def api_key_revoke(self, key_id: str) -> None:
        """Revoke a key."""
        self._call("DELETE", "/api/v1/api-keys/{key_id}", within={"key_id": key_id})

    def api_key_rotate(self, key_id: str, body: ApiKeyRotation | None = None, *, idempotency_key: str | None = None) -> ApiKeyMade:
        """Rotate a key."""
        _answer: ApiKeyMade = self._call("POST", "/api/v1/api-keys/{key_id}/rotate", within={"key_id": key_id}, body=body, idempotency_key=idempotency_key)
        return _answer

    def application_list(self, *, assigned_to: str | None = None, band: Literal["VERY_LOW", "LOW", "MEDIUM", "HIGH", "VERY_HIGH"] | None = None, created_at_gte: str | None = None, created_at_lt: str | None = None, cursor: str | None = None, due_at_lt: str | None = None, limit: int | None = None, number: str | None = None, product: str | None = None, reference: str | None = None, state: Literal["new", "in_review", "needs_information", "approved", "declined", "counter_offered", "withdrawn", "expired"] | None = None, tag: str | None = None) -> ApplicationPage:
        """List applications."""
        _answer: ApplicationPage = self._call("GET", "/api/v1/applications", query={"assigned_to": assigned_to, "band": band, "created_at[gte]": created_at_gte, "created_at[lt]": created_at_lt, "cursor": cursor, "due_at[lt]": due_at_lt, "limit": limit, "number": number, "product": product, "reference": reference, "state": state, "tag": tag})
        return _answer

    def application_create(self, body: ApplicationRequest, *, idempotency_key: str | None = None) -> Application:
        """Send an application."""
        _answer: Application = self._call("POST", "/api/v1/applications", body=body, idempotency_key=idempotency_key)
        return _answer

    def application_assign_many(self, body: Assignments, *, idempotency_key: str | None = None) -> Assigned:
        """Assign many applications."""
        _answer: Assigned = self._call("POST", "/api/v1/applications/assign", body=body, idempotency_key=idempotency_key)
        return _answer

    def application_take_next(self, body: NextAsked | None = None, *, idempotency_key: str | None = None) -> NextTaken:
        """Take the next application."""
        _answer: NextTaken = self._call("POST", "/api/v1/applications/take-next", body=body, idempotency_key=idempotency_key)
        return _answer

    def application_read(self, application_id: str) -> Application:
        """Look at one application."""
        _answer: Application = self._call("GET", "/api/v1/applications/{application_id}", within={"application_id": application_id})
        return _answer

    def application_assign(self, application_id: str, body: Assignment, *, idempotency_key: str | None = None) -> ApplicationState:
        """Assign an application."""
        _answer: ApplicationState = self._call("POST", "/api/v1/applications/{application_id}/assign", within={"application_id": application_id}, body=body, idempotency_key=idempotency_key)
        return _answer

    def application_decide(self, application_id: str, body: DecisionTaken, *, idempotency_key: str | None = None) -> ApplicationState:
        """Decide about an application."""
        _answer: ApplicationState = self._call("POST", "/api/v1/applications/{application_id}/decisions", within={"application_id": application_id}, body=body, idempotency_key=idempotency_key)
        return _answer

    def application_escalate(self, application_id: str, body: Escalation, *, idempotency_key: str | None = None) -> ApplicationState:
        """Put an application before all others."""
        _answer: ApplicationState = self._call("POST", "/api/v1/applications/{application_id}/escalate", within={"application_id": application_id}, body=body, idempotency_key=idempotency_key)
        return _answer

    def application_events(self, application_id: str) -> ApplicationEventList:
        """What happened to an application."""
        _answer: ApplicationEventList = self._call("GET", "/api/v1/applications/{application_id}/events", within={"application_id": application_id})
        return _answer

    def application_note(self, application_id: str, body: NoteWritten, *, idempotency_key: str | None = None) -> NoteKept:
        """Write a note."""
        _answer: NoteKept = self._call("POST", "/api/v1/applications/{application_id}/notes", within={"application_id": application_id}, body=body, idempotency_key=idempotency_key)
        return _answer

    def application_release(self, application_id: str, body: Release, *, idempotency_key: str | None = None) -> ApplicationState:
        """Release an application."""
        _answer: ApplicationState = self._call("POST", "/api/v1/applications/{application_id}/release", within={"application_id": application_id}, body=body, idempotency_key=idempotency_key)
        return _answer

    def application_second_opinion(self, application_id: str, body: SecondOpinionGiven, *, idempotency_key: str | None = None) -> ApplicationState:
        """Answer a proposal."""
        _answer: ApplicationState = self._call("POST", "/api/v1/applications/{application_id}/second-opinion", within={"application_id": application_id}, body=body, idempotency_key=idempotency_key)
        return _answer

    def application_snooze(self, application_id: str, body: Snooze, *, idempotency_key: str | None = None) -> ApplicationState:
        """Put an application off."""
        _answer: ApplicationState = self._call("POST", "/api/v1/applications/{application_id}/snooze", within={"application_id": application_id}, body=body, idempotency_key=idempotency_key)
        return _answer

    def application_tag(self, application_id: str, body: Tags, *, idempotency_key: str | None = None) -> ApplicationState:
        """Tag an application."""
        _answer: ApplicationState = self._call("POST", "/api/v1/applications/{application_id}/tags", within={"application_id": application_id}, body=body, idempotency_key=idempotency_key)
        return _answer

    def audit_bundle(self, *, decision_id: str | None = None, recorded_at_gte: str | None = None, recorded_at_lt: str | None = None) -> bytes:
        """Take an examiner bundle."""
        _answer: bytes = self._call("GET", "/api/v1/audit/bundle", query={"decision_id": decision_id, "recorded_at[gte]": recorded_at_gte, "recorded_at[lt]": recorded_at_lt})
        return _answer

    def audit_checkpoint_list(self, *, cursor: str | None = None, limit: int | None = None) -> CheckpointPage:
        """List checkpoints."""
        _answer: CheckpointPage = self._call("GET", "/api/v1/audit/checkpoints", query={"cursor": cursor, "limit": limit})
        return _answer

    def retention_run_propose(self, body: RetentionNothing | None = None, *, idempotency_key: str | None = None) -> RetentionRunAnswer:
        """Propose a run of retention."""
        _answer: RetentionRunAnswer = self._call("POST", "/api/v1/audit/cleanup", body=body, idempotency_key=idempotency_key)
        return _answer

    def audit_consistency(self, *, from_: int | None = None, to: int | None = None) -> ConsistencyProof:
        """Prove that a checkpoint continues an older one."""
        _answer: ConsistencyProof = self._call("GET", "/api/v1/audit/consistency", query={"from": from_, "to": to})
        return _answer

    def audit_event_list(self, *, action: str | None = None, actor_id: str | None = None, applicant: str | None = None, cursor: str | None = None, limit: int | None = None, object_id: str | None = None, object_kind: str | None = None, person: str | None = None, recorded_at_gte: str | None = None, recorded_at_lt: str | None = None, request_id: str | None = None) -> EventPage:
        """Search the record."""
        _answer: EventPage = self._call("GET", "/api/v1/audit/events", query={"action": action, "actor_id": actor_id, "applicant": applicant, "cursor": cursor, "limit": limit, "object_id": object_id, "object_kind": object_kind, "person": person, "recorded_at[gte]": recorded_at_gte, "recorded_at[lt]": recorded_at_lt, "request_id": request_id})
        return _answer

    def audit_event_proof(self, event_id: str) -> InclusionProof:
        """Prove that an event is in the record."""
        _answer: InclusionProof = self._call("GET", "/api/v1/audit/events/{event_id}/proof", within={"event_id": event_id})
        return _answer

    def audit_export(self, *, action: str | None = None, actor_id: str | None = None, applicant: str | None = None, format: Literal["csv", "jsonl"] | None = None, object_id: str | None = None, object_kind: str | None = None, person: str | None = None, recorded_at_gte: str | None = None, recorded_at_lt: str | None = None, request_id: str | None = None) -> bytes:
        """Export the record."""
        _answer: bytes = self._call("GET", "/api/v1/audit/export", query={"action": action, "actor_id": actor_id, "applicant": applicant, "format": format, "object_id": object_id, "object_kind": object_kind, "person": person, "recorded_at[gte]": recorded_at_gte, "recorded_at[lt]": recorded_at_lt, "request_id": request_id})
        return _answer

    def audit_export_2(self, *, action: str | None = None, actor_id: str | None = None, applicant: str | None = None, format: Literal["csv", "jsonl"] | None = None, object_id: str | None = None, object_kind: str | None = None, person: str | None = None, recorded_at_gte: str | None = None, recorded_at_lt: str | None = None, request_id: str | None = None) -> bytes:
        """Export the record."""
        _answer: bytes = self._call("GET", "/api/v1/audit/export/csv", query={"action": action, "actor_id": actor_id, "applicant": applicant, "format": format, "object_id": object_id, "object_kind": object_kind, "person": person, "recorded_at[gte]": recorded_at_gte, "recorded_at[lt]": recorded_at_lt, "request_id": request_id})
        return _answer

    def audit_export_3(self, *, action: str | None = None, actor_id: str | None = None, applicant: str | None = None, format: Literal["csv", "jsonl"] | None = None, object_id: str | None = None, object_kind: str | None = None, person: str | None = None, recorded_at_gte: str | None = None, recorded_at_lt: str | None = None, request_id: str | None = None) -> bytes:
        """Export the record."""
        _answer: bytes = self._call("GET", "/api/v1/audit/export/json", query={"action": action, "actor_id": actor_id, "applicant": applicant, "format": format, "object_id": object_id, "object_kind": object_kind, "person": person, "recorded_at[gte]": recorded_at_gte, "recorded_at[lt]": recorded_at_lt, "request_id": request_id})
        return _answer

    def audit_event_list_2(self, *, action: str | None = None, actor_id: str | None = None, applicant: str | None = None, cursor: str | None = None, limit: int | None = None, object_id: str | None = None, object_kind: str | None = None, person: str | None = None, recorded_at_gte: str | None = None, recorded_at_lt: str | None = None, request_id: str | None = None) -> EventPage:
        """Search the record."""
        _answer: EventPage = self._call("GET", "/api/v1/audit/logs", query={"action": action, "actor_id": actor_id, "applicant": applicant, "cursor": cursor, "limit": limit, "object_id": object_id, "object_kind": object_kind, "person": person, "recorded_at[gte]": recorded_at_gte, "recorded_at[lt]": recorded_at_lt, "request_id": request_id})
        return _answer

    def audit_summary(self, *, recorded_at_gte: str | None = None, recorded_at_lt: str | None = None) -> RecordSummary:
        """Sum up what was recorded."""
        _answer: RecordSummary = self._call("GET", "/api/v1/audit/summary", query={"recorded_at[gte]": recorded_at_gte, "recorded_at[lt]": recorded_at_lt})
        return _answer

    def password_change(self, body: PasswordRequest, *, idempotency_key: str | None = None) -> None:
        """Change your password."""
        self._call("POST", "/api/v1/auth/change-password", body=body, idempotency_key=idempotency_key)

    def token_end(self, body: RefreshRequest, *, idempotency_key: str | None = None) -> None:
        """Sign out."""
        self._call("POST", "/api/v1/auth/logout", body=body, idempotency_key=idempotency_key)

    def token_refresh(self, body: RefreshRequest, *, idempotency_key: str | None = None) -> Tokens:
        """Get the next tokens."""
        _answer: Tokens = self._call("POST", "/api/v1/auth/refresh", body=body, idempotency_key=idempotency_key)
        return _answer

    def token_create(self, body: TokenRequest, *, idempotency_key: str | None = None) -> Tokens:
        """Sign in."""
        _answer: Tokens = self._call("POST", "/api/v1/auth/token", body=body, idempotency_key=idempotency_key)
        return _answer

    def compliance_report(self, *, since: str | None = None, until: str | None = None) -> ComplianceReport:
        """Make a compliance report."""
        _answer: ComplianceReport = self._call("GET", "/api/v1/compliance-report", query={"since": since, "until": until})
        return _answer

    def export_list(self, *, cursor: str | None = None, limit: int | None = None) -> ExportPage:
        """List your exports."""
        _answer: ExportPage = self._call("GET", "/api/v1/exports", query={"cursor": cursor, "limit": limit})
        return _answer

    def export_create(self, body: ExportRequest, *, idempotency_key: str | None = None) -> Export:
        """Export a list."""
        _answer: Export = self._call("POST", "/api/v1/exports", body=body, idempotency_key=idempotency_key)
        return _answer

    def export_read(self, export_id: str) -> Export:
        """Look at one export."""
        _answer: Export = self._call("GET", "/api/v1/exports/{export_id}", within={"export_id": export_id})
        return _answer

    def export_file(self, export_id: str, *, link: str | None = None) -> bytes:
        """Download the file."""
        _answer: bytes = self._call("GET", "/api/v1/exports/{export_id}/file", within={"export_id": export_id}, query={"link": link})
        return _answer

    def export_link_create(self, export_id: str, body: ExportLinkRequest | None = None, *, idempotency_key: str | None = None) -> ExportLink:
        """Ask for a link to the file."""
        _answer: ExportLink = self._call("POST", "/api/v1/exports/{export_id}/link", within={"export_id": export_id}, body=body, idempotency_key=idempotency_key)
        return _answer

    def invitation_create(self, body: InvitationRequest, *, idempotency_key: str | None = None) -> InvitationMade:
        """Invite a person."""
        _answer: InvitationMade = self._call("POST", "/api/v1/invitations", body=body, idempotency_key=idempotency_key)
        return _answer

    def model_list(self, *, product: str | None = None) -> ModelList:
        """List model versions."""
        _answer: ModelList = self._call("GET", "/api/v1/models", query={"product": product})
        return _answer

    def model_read(self, version: int, *, product: str | None = None) -> ModelListed:
        """Look at one model version."""
        _answer: ModelListed = self._call("GET", "/api/v1/models/{version}", within={"version": version}, query={"product": product})
        return _answer

    def model_change(self, version: int, body: ModelChange, *, product: str | None = None) -> ModelListed:
        """Offer or retire a model version."""
        _answer: ModelListed = self._call("PATCH", "/api/v1/models/{version}", within={"version": version}, query={"product": product}, body=body)
        return _answer

    def model_card_read(self, version: int, *, product: str | None = None) -> ModelCardRead:
        """Read a model card."""
        _answer: ModelCardRead = self._call("GET", "/api/v1/models/{version}/card", within={"version": version}, query={"product": product})
        return _answer

    def model_compare(self, version: int, *, product: str | None = None, since: str | None = None) -> ModelCompared:
        """Compare a model version with the champion."""
        _answer: ModelCompared = self._call("GET", "/api/v1/models/{version}/compare", within={"version": version}, query={"product": product, "since": since})
        return _answer

    def outcome_create(self, body: OutcomesRequest, *, idempotency_key: str | None = None) -> OutcomesRecorded:
        """Record up to 1,000 outcomes."""
        _answer: OutcomesRecorded = self._call("POST", "/api/v1/outcomes", body=body, idempotency_key=idempotency_key)
        return _answer

    def privacy_request_list(self, *, show: Literal["open", "answered"] | None = None) -> PrivacyRequestList:
        """List applicants' requests."""
        _answer: PrivacyRequestList = self._call("GET", "/api/v1/privacy-requests", query={"show": show})
        return _answer

    def privacy_request_create(self, body: PrivacyRequestAsked, *, idempotency_key: str | None = None) -> PrivacyRequestFound:
        """Take in an applicant's request."""
        _answer: PrivacyRequestFound = self._call("POST", "/api/v1/privacy-requests", body=body, idempotency_key=idempotency_key)
        return _answer

    def privacy_request_read(self, request_number: int) -> PrivacyRequestFound:
        """Look at a request."""
        _answer: PrivacyRequestFound = self._call("GET", "/api/v1/privacy-requests/{request_number}", within={"request_number": request_number})
        return _answer

    def privacy_request_act(self, request_number: int, body: PrivacyAction, *, idempotency_key: str | None = None) -> PrivacyRequestFound:
        """Do the next step of a request."""
        _answer: PrivacyRequestFound = self._call("POST", "/api/v1/privacy-requests/{request_number}/actions", within={"request_number": request_number}, body=body, idempotency_key=idempotency_key)
        return _answer

    def privacy_request_copy(self, request_number: int, body: PrivacyNothing | None = None, *, idempotency_key: str | None = None) -> PrivacyCopy:
        """Make the copy of an applicant's data."""
        _answer: PrivacyCopy = self._call("POST", "/api/v1/privacy-requests/{request_number}/copies", within={"request_number": request_number}, body=body, idempotency_key=idempotency_key)
        return _answer

    def product_list(self) -> ProductList:
        """List products."""
        _answer: ProductList = self._call("GET", "/api/v1/products")
        return _answer

    def product_read(self, slug: str) -> ProductDescribed:
        """Look at one product."""
        _answer: ProductDescribed = self._call("GET", "/api/v1/products/{slug}", within={"slug": slug})
        return _answer

    def approval_policy_read(self, slug: str) -> ApprovalPolicyAnswer:
        """Look at the approval policy."""
        _answer: ApprovalPolicyAnswer = self._call("GET", "/api/v1/products/{slug}/approval-policy", within={"slug": slug})
        return _answer

    def approval_policy_change(self, slug: str, if_match: str, body: ApprovalPolicyRequest) -> ApprovalPolicyAnswer:
        """Change the approval policy."""
        _answer: ApprovalPolicyAnswer = self._call("PUT", "/api/v1/products/{slug}/approval-policy", within={"slug": slug}, headers={"If-Match": if_match}, body=body)
        return _answer

    def challenger_remove(self, slug: str) -> None:
        """Remove the challenger."""
        self._call("DELETE", "/api/v1/products/{slug}/challenger", within={"slug": slug})

    def challenger_set(self, slug: str, body: ChallengerChosen, *, idempotency_key: str | None = None) -> ModelListed:
        """Set the challenger."""
        _answer: ModelListed = self._call("POST", "/api/v1/products/{slug}/challenger", within={"slug": slug}, body=body, idempotency_key=idempotency_key)
        return _answer

    def product_changes(self, slug: str, *, cursor: str | None = None, limit: int | None = None) -> RegistryChangeList:
        """List changes of what is in force."""
        _answer: RegistryChangeList = self._call("GET", "/api/v1/products/{slug}/changes", within={"slug": slug}, query={"cursor": cursor, "limit": limit})
        return _answer

    def product_in_force(self, slug: str, *, at: str | None = None) -> VersionInForce:
        """Which version decided at a moment."""
        _answer: VersionInForce = self._call("GET", "/api/v1/products/{slug}/in-force", within={"slug": slug}, query={"at": at})
        return _answer

    def retraining_plan_read(self, slug: str) -> RetrainingPlan:
        """Look at the retraining plan."""
        _answer: RetrainingPlan = self._call("GET", "/api/v1/products/{slug}/retraining", within={"slug": slug})
        return _answer

    def retraining_plan_change(self, slug: str, body: RetrainingPlanned) -> RetrainingPlan:
        """Plan retraining."""
        _answer: RetrainingPlan = self._call("PUT", "/api/v1/products/{slug}/retraining", within={"slug": slug}, body=body)
        return _answer

    def product_rollback(self, slug: str, body: RollbackAsked, *, idempotency_key: str | None = None) -> VersionInForce:
        """Roll back."""
        _answer: VersionInForce = self._call("POST", "/api/v1/products/{slug}/rollback", within={"slug": slug}, body=body, idempotency_key=idempotency_key)
        return _answer

    def rules_list(self, slug: str, *, cursor: str | None = None, limit: int | None = None) -> RulesList:
        """List versions of the rules."""
        _answer: RulesList = self._call("GET", "/api/v1/products/{slug}/rules", within={"slug": slug}, query={"cursor": cursor, "limit": limit})
        return _answer

    def rules_create(self, slug: str, body: RulesWritten, *, idempotency_key: str | None = None) -> RulesListed:
        """Change the rules."""
        _answer: RulesListed = self._call("POST", "/api/v1/products/{slug}/rules", within={"slug": slug}, body=body, idempotency_key=idempotency_key)
        return _answer

    def promotion_list(self, *, product: str | None = None, state: Literal["open", "confirmed", "refused", "withdrawn", "lapsed"] | None = None) -> PromotionList:
        """List promotion requests."""
        _answer: PromotionList = self._call("GET", "/api/v1/promotions", query={"product": product, "state": state})
        return _answer

    def promotion_create(self, body: PromotionAsked, *, idempotency_key: str | None = None) -> Promotion:
        """Ask to put a version in force."""
        _answer: Promotion = self._call("POST", "/api/v1/promotions", body=body, idempotency_key=idempotency_key)
        return _answer

    def promotion_read(self, promotion_id: str) -> Promotion:
        """Look at one promotion request."""
        _answer: Promotion = self._call("GET", "/api/v1/promotions/{promotion_id}", within={"promotion_id": promotion_id})
        return _answer

    def promotion_confirm(self, promotion_id: str, body: PromotionConfirmed | None = None, *, idempotency_key: str | None = None) -> Promotion:
        """Confirm a promotion."""
        _answer: Promotion = self._call("POST", "/api/v1/promotions/{promotion_id}/confirm", within={"promotion_id": promotion_id}, body=body, idempotency_key=idempotency_key)
        return _answer

    def promotion_refuse(self, promotion_id: str, body: PromotionRefused, *, idempotency_key: str | None = None) -> Promotion:
        """Refuse a promotion."""
        _answer: Promotion = self._call("POST", "/api/v1/promotions/{promotion_id}/refuse", within={"promotion_id": promotion_id}, body=body, idempotency_key=idempotency_key)
        return _answer

    def promotion_withdraw(self, promotion_id: str, body: PromotionWithdrawn | None = None, *, idempotency_key: str | None = None) -> Promotion:
        """Withdraw a promotion request."""
        _answer: Promotion = self._call("POST", "/api/v1/promotions/{promotion_id}/withdraw", within={"promotion_id": promotion_id}, body=body, idempotency_key=idempotency_key)
        return _answer

    def queue_list(self) -> QueueList:
        """See how the queues stand."""
        _answer: QueueList = self._call("GET", "/api/v1/queues")
        return _answer

    def request_list(self, *, answer: Literal["answered", "refused", "failed"] | None = None, code: str | None = None, created_at_gte: str | None = None, created_at_lt: str | None = None, cursor: str | None = None, key_id: str | None = None, limit: int | None = None, request_id: str | None = None, route: str | None = None) -> ApiRequestList:
        """Look up calls."""
        _answer: ApiRequestList = self._call("GET", "/api/v1/requests", query={"answer": answer, "code": code, "created_at[gte]": created_at_gte, "created_at[lt]": created_at_lt, "cursor": cursor, "key_id": key_id, "limit": limit, "request_id": request_id, "route": route})
        return _answer

    def hold_list(self) -> HoldList:
        """List legal holds."""
        _answer: HoldList = self._call("GET", "/api/v1/retention/holds")
        return _answer

    def hold_place(self, body: HoldPlaced, *, idempotency_key: str | None = None) -> HoldAnswer:
        """Place a legal hold."""
        _answer: HoldAnswer = self._call("POST", "/api/v1/retention/holds", body=body, idempotency_key=idempotency_key)
        return _answer

    def hold_lift_answer(self, hold_id: str, body: TwoPeopleAnswer, *, idempotency_key: str | None = None) -> HoldAnswer:
        """Answer whether a legal hold is lifted."""
        _answer: HoldAnswer = self._call("POST", "/api/v1/retention/holds/{hold_id}/answer", within={"hold_id": hold_id}, body=body, idempotency_key=idempotency_key)
        return _answer

    def hold_lift_ask(self, hold_id: str, body: HoldLiftAsked, *, idempotency_key: str | None = None) -> HoldAnswer:
        """Ask to lift a legal hold."""
        _answer: HoldAnswer = self._call("POST", "/api/v1/retention/holds/{hold_id}/lift", within={"hold_id": hold_id}, body=body, idempotency_key=idempotency_key)
        return _answer

    def retention_policy_list(self) -> RetentionRuleList:
        """List rules of retention."""
        _answer: RetentionRuleList = self._call("GET", "/api/v1/retention/policies")
        return _answer

    def retention_policy_set(self, body: RetentionRule, *, idempotency_key: str | None = None) -> RetentionRule:
        """Set a rule of retention."""
        _answer: RetentionRule = self._call("POST", "/api/v1/retention/policies", body=body, idempotency_key=idempotency_key)
        return _answer

    def retention_policy_remove(self, record_class: str, trigger: str) -> None:
        """Remove a rule of retention."""
        self._call("DELETE", "/api/v1/retention/policies/{record_class}/{trigger}", within={"record_class": record_class, "trigger": trigger})

    def retention_preview(self) -> RetentionPreview:
        """See what a run would do."""
        _answer: RetentionPreview = self._call("GET", "/api/v1/retention/preview")
        return _answer

    def retention_run_list(self) -> RetentionRunList:
        """List runs of retention."""
        _answer: RetentionRunList = self._call("GET", "/api/v1/retention/runs")
        return _answer

    def retention_run_propose_2(self, body: RetentionNothing | None = None, *, idempotency_key: str | None = None) -> RetentionRunAnswer:
        """Propose a run of retention."""
        _answer: RetentionRunAnswer = self._call("POST", "/api/v1/retention/runs", body=body, idempotency_key=idempotency_key)
        return _answer

    def retention_run_answer(self, run: int, body: TwoPeopleAnswer, *, idempotency_key: str | None = None) -> RetentionRunAnswer:
        """Confirm or refuse a run of retention."""
        _answer: RetentionRunAnswer = self._call("POST", "/api/v1/retention/runs/{run}/answer", within={"run": run}, body=body, idempotency_key=idempotency_key)
        return _answer

    def retention_certificate(self, run: int) -> SignedCertificate:
        """Read a destruction certificate."""
        _answer: SignedCertificate = self._call("GET", "/api/v1/retention/runs/{run}/certificate", within={"run": run})
        return _answer

    def retraining_list(self, *, product: str | None = None) -> RetrainingList:
        """List retrainings."""
        _answer: RetrainingList = self._call("GET", "/api/v1/retrainings", query={"product": product})
        return _answer

    def retraining_create(self, body: RetrainingAsked, *, idempotency_key: str | None = None) -> RetrainingRun:
        """Train a product again."""
        _answer: RetrainingRun = self._call("POST", "/api/v1/retrainings", body=body, idempotency_key=idempotency_key)
        return _answer

    def retraining_read(self, job_id: str) -> RetrainingRun:
        """Look at one retraining."""
        _answer: RetrainingRun = self._call("GET", "/api/v1/retrainings/{job_id}", within={"job_id": job_id})
        return _answer

    def role_list(self) -> RoleList:
        """List roles."""
        _answer: RoleList = self._call("GET", "/api/v1/roles")
        return _answer

    def sandbox_reset(self, body: SandboxNothing | None = None, *, idempotency_key: str | None = None) -> SandboxEmpty:
        """Empty the sandbox."""
        _answer: SandboxEmpty = self._call("POST", "/api/v1/sandbox/reset", body=body, idempotency_key=idempotency_key)
        return _answer

    def score_batch_create(self, body: ScoreBatchRequest, *, idempotency_key: str | None = None) -> ScoreBatch:
        """Score up to 1,000 applicants."""
        _answer: ScoreBatch = self._call("POST", "/api/v1/score-batches", body=body, idempotency_key=idempotency_key)
        return _answer

    def score_job_read(self, job_id: str) -> ScoreJob:
        """Look at a score job."""
        _answer: ScoreJob = self._call("GET", "/api/v1/score-jobs/{job_id}", within={"job_id": job_id})
        return _answer

    def score_list(self, *, answered_by: Literal["model", "rules"] | None = None, band: Literal["VERY_LOW", "LOW", "MEDIUM", "HIGH", "VERY_HIGH"] | None = None, channel: Literal["api", "batch", "portal", "file"] | None = None, created_at_gte: str | None = None, created_at_lt: str | None = None, cursor: str | None = None, limit: int | None = None, model_version: int | None = None, outcome: Literal["approve", "refer", "decline"] | None = None, product: str | None = None, reference: str | None = None) -> ScorePage:
        """List decisions."""
        _answer: ScorePage = self._call("GET", "/api/v1/scores", query={"answered_by": answered_by, "band": band, "channel": channel, "created_at[gte]": created_at_gte, "created_at[lt]": created_at_lt, "cursor": cursor, "limit": limit, "model_version": model_version, "outcome": outcome, "product": product, "reference": reference})
        return _answer

    def score_create(self, body: ScoreRequest, *, idempotency_key: str | None = None) -> Score:
        """Score one applicant."""
        _answer: Score = self._call("POST", "/api/v1/scores", body=body, idempotency_key=idempotency_key)
        return _answer

    def score_read(self, score_id: str) -> Score:
        """Look at one decision."""
        _answer: Score = self._call("GET", "/api/v1/scores/{score_id}", within={"score_id": score_id})
        return _answer

    def score_explain(self, score_id: str) -> Explanation:
        """Explain one decision."""
        _answer: Explanation = self._call("GET", "/api/v1/scores/{score_id}/explanation", within={"score_id": score_id})
        return _answer

    def score_outcomes(self, score_id: str) -> OutcomeList:
        """List the outcomes of one decision."""
        _answer: OutcomeList = self._call("GET", "/api/v1/scores/{score_id}/outcomes", within={"score_id": score_id})
        return _answer

    def score_recourse(self, score_id: str) -> Recourse:
        """What would change one decision."""
        _answer: Recourse = self._call("GET", "/api/v1/scores/{score_id}/recourse", within={"score_id": score_id})
        return _answer

    def signing_key_list(self) -> SigningKeyList:
        """List the public keys that receipts are signed with."""
        _answer: SigningKeyList = self._call("GET", "/api/v1/signing-keys")
        return _answer

    def statistics_read(self, *, days: int | None = None) -> StatisticsRead:
        """Count the decisions of the last days."""
        _answer: StatisticsRead = self._call("GET", "/api/v1/statistics", query={"days": days})
        return _answer

    def top_features(self, *, product: str | None = None, version: int | None = None) -> TopFeatures:
        """List what a model looks at most."""
        _answer: TopFeatures = self._call("GET", "/api/v1/top-features", query={"product": product, "version": version})
        return _answer

    def usage_list(self, *, created_at_gte: str | None = None, created_at_lt: str | None = None) -> UsageList:
        """Count decisions by API key and day."""
        _answer: UsageList = self._call("GET", "/api/v1/usage", query={"created_at[gte]": created_at_gte, "created_at[lt]": created_at_lt})
        return _answer

    def user_list(self) -> UserList:
        """List people."""
        _answer: UserList = self._call("GET", "/api/v1/users")
        return _answer

    def user_create(self, body: UserRequest, *, idempotency_key: str | None = None) -> User:
        """Let a person in."""
        _answer: User = self._call("POST", "/api/v1/users", body=body, idempotency_key=idempotency_key)
        return _answer

    def user_read(self, user_id: str) -> User:
        """Look at one person."""
        _answer: User = self._call("GET", "/api/v1/users/{user_id}", within={"user_id": user_id})
        return _answer

    def user_change(self, user_id: str, body: UserChange | None = None) -> User:
        """Change a person's role or access."""
        _answer: User = self._call("PATCH", "/api/v1/users/{user_id}", within={"user_id": user_id}, body=body)
        return _answer

    def invitation_renew(self, user_id: str, body: InvitationRenewal | None = None, *, idempotency_key: str | None = None) -> InvitationMade:
        """Invite a person again."""
        _answer: InvitationMade = self._call("POST", "/api/v1/users/{user_id}/invitation", within={"user_id": user_id}, body=body, idempotency_key=idempotency_key)
        return _answer

    def user_second_factor_reset(self, user_id: str) -> None:
        """Reset a person's second factor."""
        self._call("DELETE", "/api/v1/users/{user_id}/second-factor", within={"user_id": user_id})

    def webhook_list(self) -> WebhookList:
        """List webhook endpoints."""
        _answer: WebhookList = self._call("GET", "/api/v1/webhooks")
        return _answer

    def webhook_create(self, body: WebhookRequest, *, idempotency_key: str | None = None) -> WebhookMade:
        """Make a webhook endpoint."""
        _answer: WebhookMade = self._call("POST", "/api/v1/webhooks", body=body, idempotency_key=idempotency_key)
        return _answer

    def webhook_delete(self, webhook_id: str) -> None:
        """Delete a webhook endpoint."""
        self._call("DELETE", "/api/v1/webhooks/{webhook_id}", within={"webhook_id": webhook_id})

    def webhook_read(self, webhook_id: str) -> Webhook:
        """Look at a webhook endpoint."""
        _answer: Webhook = self._call("GET", "/api/v1/webhooks/{webhook_id}", within={"webhook_id": webhook_id})
        return _answer

    def webhook_change(self, webhook_id: str, body: WebhookChange | None = None) -> Webhook:
        """Change, pause or resume a webhook endpoint."""
        _answer: Webhook = self._call("PATCH", "/api/v1/webhooks/{webhook_id}", within={"webhook_id": webhook_id}, body=body)
        return _answer

    def webhook_delivery_list(self, webhook_id: str, *, cursor: str | None = None, limit: int | None = None, state: Literal["waiting", "delivered", "given_up"] | None = None) -> WebhookDeliveryPage:
        """List an endpoint's deliveries."""
        _answer: WebhookDeliveryPage = self._call("GET", "/api/v1/webhooks/{webhook_id}/deliveries", within={"webhook_id": webhook_id}, query={"cursor": cursor, "limit": limit, "state": state})
        return _answer

    def webhook_delivery_read(self, delivery_id: str, webhook_id: str) -> WebhookDeliveryDetail:
        """Look at a delivery."""
        _answer: WebhookDeliveryDetail = self._call("GET", "/api/v1/webhooks/{webhook_id}/deliveries/{delivery_id}", within={"delivery_id": delivery_id, "webhook_id": webhook_id})
        return _answer

    def webhook_resend(self, delivery_id: str, webhook_id: str, body: WebhookNothing | None = None, *, idempotency_key: str | None = None) -> WebhookDelivery:
        """Send an event again."""
        _answer: WebhookDelivery = self._call("POST", "/api/v1/webhooks/{webhook_id}/deliveries/{delivery_id}/resend", within={"delivery_id": delivery_id, "webhook_id": webhook_id}, body=body, idempotency_key=idempotency_key)
        return _answer

    def webhook_rotate(self, webhook_id: str, body: WebhookRotation | None = None, *, idempotency_key: str | None = None) -> WebhookMade:
        """Rotate a webhook's secret."""
        _answer: WebhookMade = self._call("POST", "/api/v1/webhooks/{webhook_id}/rotate", within={"webhook_id": webhook_id}, body=body, idempotency_key=idempotency_key)
        return _answer

    def webhook_test(self, webhook_id: str, body: WebhookNothing | None = None, *, idempotency_key: str | None = None) -> WebhookDelivery:
        """Send a test event."""
        _answer: WebhookDelivery = self._call("POST", "/api/v1/webhooks/{webhook_id}/test", within={"webhook_id": webhook_id}, body=body, idempotency_key=idempotency_key)
        return _answer
