"""ONE table: what went wrong -> status, code, title and what to do about it. The API and the pages both read it."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import structlog
from django.conf import settings
from django.core.exceptions import BadRequest, PermissionDenied, RequestDataTooBig, SuspiciousOperation, TooManyFieldsSent
from django.db import DataError, InterfaceError, OperationalError
from django.http import Http404, HttpRequest
from django.http.multipartparser import MultiPartParserError
from rest_framework import exceptions as rest
from rest_framework import status as http

import audit.errors as record
import audit.privacy.errors as privacy
import partners.accounts.errors as accounts
import partners.api.errors as requests
import partners.errors as partners
import partners.webhooks.errors as webhooks
import portal.approvals.errors as approvals
import portal.exports.errors as exports
import scoring.errors as scoring
from audit.errors import DomainError
from portal.logs import said_of
from scoring.engine.contract import ContractViolation

logger = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a refusal or failure is told. `advice` is for programs, and for people where `at_page` is empty; `retry_after` is in seconds."""

    status: int
    code: str
    title: str
    advice: str
    retry_after: int | None = None
    at_page: str = ""


class FormOutdated(DomainError):
    """The form was made for another session than the one that sent it; nothing was stored."""

    code = "form_outdated"


class OriginForeign(DomainError):
    """The form came from another address than the one it was sent to; nothing was stored."""

    code = "origin_foreign"


def _row(status: int, title: str, advice: str, *, code: str = "", retry_after: int | None = None, at_page: str = "") -> Outcome:
    return Outcome(status, code, title, advice, retry_after, at_page)


AWAY = "database_unavailable"
_OURS = "Send us the request id if it happens again."
_NOT_THERE = "The address may be mistyped, or what it led to is not there for you."
_NOT_YOURS = "Your role does not open this page. Ask your administrator if you need it."
_UNREADABLE = "What your browser sent was not as we expect it; nothing was stored. Go back and send it again."
_LOAD_BATCH = "Go back to the batch and load it again."
_MAYBE_STORED = "Try again with the same Idempotency-Key: what was stored already is answered again, and nothing is stored twice."
_AWAY = "We are not there for a moment. Go back in a few seconds and send it again: what was stored already is not stored twice."
_FAULT = f"Something broke on our side; nothing was decided twice or half. Try it again. {_OURS}"

TABLE: Mapping[type[BaseException], Outcome] = {
    # the request
    requests.BodyMalformed: _row(400, "The body is not JSON", "Send one JSON object in UTF-8."),
    requests.QueryRefused: _row(400, "The query cannot be used", "Correct the parameters under errors."),
    requests.IdempotencyKeyRefused: _row(
        400, "The Idempotency-Key cannot be used", "Send 1 to 255 visible ASCII characters, such as a UUID."
    ),
    requests.AnswerTypeRefused: _row(406, "Answers are JSON", "Send Accept: application/json."),
    requests.LengthMissing: _row(411, "The length is missing", "Send Content-Length instead of a chunked body."),
    requests.BodyTooLarge: _row(413, "The body is too large", "Send less at once; /docs says how much each route takes."),
    requests.MediaTypeUnsupported: _row(415, "The body must be JSON", "Send Content-Type: application/json."),
    requests.BodyCompressed: _row(415, "The body must not be compressed", "Send it as plain JSON, without Content-Encoding."),
    requests.RequestRefused: _row(422, "Some fields cannot be used", "Correct the fields under errors; nothing was stored."),
    ContractViolation: _row(
        422, "Some fields cannot be used", "Correct the fields under errors; nothing was stored.", code="invalid_request",
        at_page="What is asked for has changed since you opened the form, and nothing was stored. Go back and load the page again.",
    ),  # fmt: skip
    record.IdempotencyMismatch: _row(
        422, "The Idempotency-Key belongs to another body", "Use a new key for a new request.",
        at_page="This form was sent before with other answers, and that decision stands. Go back and load the page again.",
    ),  # fmt: skip
    requests.LimitReached: _row(
        429, "Too many requests", "Wait as Retry-After says, or ask for a larger plan.", at_page="Wait a moment, then go on."
    ),
    # who asks
    accounts.CredentialRefused: _row(401, "The credential is not valid here", "Send a key or token of this partner."),
    accounts.LoginRefused: _row(401, "Signing in failed", "Check address and password; after many failures wait 15 minutes."),
    accounts.CodeRefused: _row(401, "The code is not right", "Send the code that the app shows now; after many failures wait 15 minutes."),
    accounts.SecondFactorNeeded: _row(401, "A second factor is needed", "Send the same again with `otp`."),
    accounts.SecondFactorMissing: _row(403, "A second factor is not set up yet", "Sign in on the pages of this host; they show how."),
    accounts.SecondFactorRefused: _row(409, "The second factor stays as it is", "Look at what is set up."),
    accounts.LinkRefused: _row(410, "This link opens nothing any more", "Ask for another one."),
    accounts.RefreshRefused: _row(401, "The refresh token is not valid", "Sign in again."),
    scoring.CredentialRevoked: _row(
        401, "The credential was revoked", "Use another key or sign in again; nothing was stored.",
        at_page="Your access was changed meanwhile, and nothing was stored. Sign in again, or ask your administrator.",
    ),  # fmt: skip
    accounts.SignedOut: _row(
        401, "You are signed out", "Sign in and send it again.",
        at_page="Your session ended while the form was open, and nothing was stored.",
    ),  # fmt: skip
    FormOutdated: _row(
        403, "Your session has changed", "Load the form again and send it with its own token.",
        at_page="You signed in or out since this page was opened, so it could not be used, and nothing was stored. "
        "Go back, load the page again, and send it once more.",
    ),  # fmt: skip
    OriginForeign: _row(
        403, "The form came from another address", "Open the portal at one address only.",
        at_page="Your browser names another address for this page than we do, so it could not be used, and nothing was stored. Load the "
        "page again; if that changes nothing, tell whoever runs Vouch that its proxy does not pass on Host or X-Forwarded-Proto.",
    ),  # fmt: skip
    requests.PermissionMissing: _row(403, "That is not allowed", "Ask an administrator of your organisation for the permission."),
    # what is asked for
    scoring.ProductUnknown: _row(404, "There is no such product", "GET /api/v1/products lists them.", at_page=_NOT_THERE),
    scoring.ModelVersionUnknown: _row(404, "There is no such model version", "GET /api/v1/models lists them.", at_page=_NOT_THERE),
    scoring.DecisionUnknown: _row(404, "There is no such decision", "GET /api/v1/scores lists them.", at_page=_NOT_THERE),
    scoring.ApplicantUnknown: _row(404, "There is no such applicant", "Look for the reference again.", at_page=_NOT_THERE),
    record.HoldUnknown: _row(404, "There is no such hold", "GET /api/v1/retention/holds lists them.", at_page=_NOT_THERE),
    record.RetentionRuleUnknown: _row(
        404, "There is no such rule of retention", "GET /api/v1/retention/policies lists them.", at_page=_NOT_THERE
    ),
    record.RunUnknown: _row(404, "There is no such run", "GET /api/v1/retention/runs lists them.", at_page=_NOT_THERE),
    record.RetentionRefused: _row(422, "The rule cannot be used", "Correct the fields under errors; nothing was changed."),
    record.HoldRefused: _row(422, "The hold cannot be used", "Correct the fields under errors; nothing was changed."),
    record.PeriodRefused: _row(422, "The period cannot be used", "Correct the fields under errors."),
    record.RetentionConflict: _row(409, "Something stands against it", "Read it again and do as the detail says."),
    record.SecondPersonNeeded: _row(403, "Another person has to agree", "Ask a second person who may do this."),
    scoring.PromotionUnknown: _row(404, "There is no such request", "GET /api/v1/promotions lists them.", at_page=_NOT_THERE),
    scoring.MomentRefused: _row(404, "Nothing was in force then", "Ask for a moment after the product was made.", at_page=_NOT_THERE),
    accounts.UserUnknown: _row(404, "There is no such user", "GET /api/v1/users lists them.", at_page=_NOT_THERE),
    accounts.ApiKeyUnknown: _row(404, "There is no such API key", "GET /api/v1/api-keys lists them.", at_page=_NOT_THERE),
    partners.HostUnknown: _row(
        404, "No partner is at this address",
        f"Open http://<partner>.{settings.BASE_DOMAIN}, with your organisation's short name for <partner> and the port of this address.",
    ),  # fmt: skip
    partners.PartnerUnknown: _row(404, "There is no such partner", "Check the host name."),
    scoring.JobUnknown: _row(404, "There is no such job", "Check its id; a job is known to the partner that began it.", at_page=_NOT_THERE),
    scoring.BatchUnknown: _row(404, "There is no such batch", "Check its id.", at_page=_NOT_THERE),
    scoring.ResultGone: _row(
        404, "There is nothing to download", "Wait until the batch is done; results are kept for a day.",
        at_page="Results can be downloaded when the batch is done, and for a day. Its decisions stay under Decisions.",
    ),  # fmt: skip
    scoring.BatchStarted: _row(409, "The batch was started already", "Look at its page.", at_page=_LOAD_BATCH),
    scoring.BatchNotReady: _row(409, "The batch cannot be started", "Check it first.", at_page=_LOAD_BATCH),
    scoring.JobTaken: _row(409, "Another process works on this job", "Wait until it is over."),
    scoring.JobFailed: _row(409, "The job failed", "Its detail says why; what was decided before stays."),
    scoring.CursorRefused: _row(400, "The cursor cannot be used", "Pass next_cursor just as the last page gave it.", at_page=_UNREADABLE),
    scoring.FilterRefused: _row(400, "The filter cannot be used", "Correct the filter."),
    # what stands against it
    scoring.ApplicantErased: _row(409, "The applicant was erased", "An erased applicant cannot be scored under the same reference."),
    scoring.ProductExists: _row(409, "There is already such a product", "Choose another name."),
    scoring.VersionInForce: _row(409, "This version is in force already", "Nothing needs to be done."),
    scoring.NothingToRollBack: _row(409, "There is nothing to roll back", "Nothing needs to be done."),
    scoring.TransitionRefused: _row(409, "The version cannot go there from its state", "Look at its state, and at what it may become."),
    scoring.RetrainingUnderWay: _row(409, "The product is being trained again already", "Wait until that is over."),
    scoring.RanksLikeChance: _row(409, "The version ranks like chance", "Train a better one, or have a data scientist write why."),
    scoring.ModelRefused: _row(409, "The version's bundle cannot be used", "Train the version again, or restore its bundle."),
    scoring.SecondPersonNeeded: _row(409, "A second person has to answer", "Ask somebody else with the permission model.promote."),
    scoring.CardMissing: _row(409, "The version has no model card", "Train it again, and promote the new version."),
    scoring.CardDiffers: _row(409, "The card that was named is another one", "Read the version's card as it is now, and name its SHA-256."),
    scoring.PromotionOpen: _row(409, "A request is open already", "Answer or withdraw it first."),
    scoring.PromotionAnswered: _row(409, "The request has been answered", "Nothing needs to be done."),
    scoring.NoChallenger: _row(409, "There is no challenger", "Nothing needs to be done."),
    accounts.UserExists: _row(409, "There is already such a user", "Change the one that is there."),
    accounts.LastAdministrator: _row(409, "This is the last administrator", "Make somebody else an administrator first."),
    partners.PartnerExists: _row(409, "There is already such a partner", "Choose another slug."),
    scoring.ProductRefused: _row(422, "The product cannot be used", "Correct its definition."),
    scoring.RulesChanged: _row(409, "The rules were changed meanwhile", "Read them again, then change them."),
    scoring.PolicyChanged: _row(409, "The policy was changed meanwhile", "Look at theirs, then change it."),
    scoring.ReasonMissing: _row(422, "A reason is needed", "Say why in 1 to 500 characters."),
    scoring.CardUnread: _row(422, "The card has to be read first", "GET the version's card, read it, and send its card_sha256."),
    scoring.ProductFileRefused: _row(422, "The product's file cannot be used", "Correct the file."),
    scoring.TableRefused: _row(422, "The table cannot be used", "Correct the table."),
    scoring.MappingRefused: _row(422, "The columns cannot be matched like this", "Correct the columns."),
    scoring.ConsentRefused: _row(422, "The consent cannot be recorded", "Correct the fields under errors; nothing was stored."),
    scoring.OutcomeRefused: _row(422, "The outcomes cannot be recorded", "Correct the fields under errors; nothing was stored."),
    scoring.TrainingRefused: _row(422, "The table cannot train the model", "Correct the table or the product."),
    accounts.PasswordRefused: _row(422, "The password cannot be used", "Correct the fields under errors; nothing was stored."),
    accounts.UserRefused: _row(422, "The user's details cannot be used", "Correct the details."),
    webhooks.EndpointUnknown: _row(404, "There is no such webhook endpoint", "GET /api/v1/webhooks lists them.", at_page=_NOT_THERE),
    webhooks.DeliveryUnknown: _row(404, "There is no such delivery", "GET the endpoint's deliveries.", at_page=_NOT_THERE),
    webhooks.EndpointRefused: _row(422, "The endpoint's details cannot be used", "Correct the fields under errors; nothing was stored."),
    webhooks.AddressRefused: _row(422, "The host is not public", "Send to a public host."),
    accounts.ApiKeyRefused: _row(422, "The key's details cannot be used", "Correct the details."),
    partners.PartnerRefused: _row(422, "The partner's details cannot be used", "Correct the details."),
    requests.ConditionMissing: _row(428, "The version is missing", "GET it, and send its ETag as If-Match."),
    # applications and the people who decide
    approvals.ApplicationUnknown: _row(404, "There is no such application", "GET /api/v1/applications lists them.", at_page=_NOT_THERE),
    approvals.ApplicationChanged: _row(
        409, "Somebody else was first", "Look at the application as it is now; nothing of yours was stored.",
        at_page="Nothing of yours was stored. Go back, load the application again, and see what they did.",
    ),  # fmt: skip
    approvals.ApplicationLocked: _row(409, "Somebody else has it open", "Wait for them, or take another one."),
    approvals.MoveRefused: _row(409, "The application cannot be moved so", "Look at what is possible now."),
    approvals.PersonNeeded: _row(403, "That is not allowed", "Ask somebody whose role allows it."),
    approvals.OwnApplication: _row(403, "It looks like your own application", "Leave it to a colleague."),
    approvals.AnotherPersonNeeded: _row(409, "Another person has to answer", "Ask an approver."),
    approvals.ProposalOpen: _row(409, "A proposal waits for an answer", "Answer it first, or let who made it take it back."),
    approvals.ProposalMissing: _row(409, "No proposal waits for an answer", "Decide about the application itself."),
    approvals.MoveDetailsRefused: _row(422, "The decision cannot be used", "Correct the fields under errors; nothing was stored."),
    approvals.AssigneeRefused: _row(422, "This person cannot have it", "Choose somebody who decides about applications."),
    approvals.ApprovalPolicyChanged: _row(
        412, "The approval policy was changed meanwhile", "GET it again, look at what they changed, and send its ETag as If-Match."
    ),
    approvals.PolicyRefused: _row(422, "The approval policy cannot be used", "Correct the fields under errors; nothing was stored."),
    approvals.FileRefused: _row(422, "The file cannot be kept", "Nothing was stored."),
    approvals.FileMissing: _row(404, "There is no such file", "Look at the application's files.", at_page=_NOT_THERE),
    approvals.ViewRefused: _row(422, "The view cannot be kept", "Go back and correct it; nothing was stored."),
    approvals.NoticeNotDue: _row(409, "There is no letter for this application", "Look at the application as it is now."),
    approvals.NoticeSent: _row(409, "The letter was sent already", "Nothing needs to be done."),
    approvals.NoticeSettingsMissing: _row(409, "Nobody said yet who writes the letters", "Fill in the settings of letters first."),
    approvals.NoticeRefused: _row(422, "The letter cannot be marked like this", "Correct the fields under errors; nothing was stored."),
    approvals.NoticeSettingsRefused: _row(422, "The settings cannot be used", "Correct the fields under errors; nothing was stored."),
    # what is taken away
    exports.ListUnknown: _row(404, "There is no such list", "/docs names those there are.", at_page=_NOT_THERE),
    exports.ExportUnknown: _row(404, "There is no such export", "GET /api/v1/exports lists yours.", at_page=_NOT_THERE),
    exports.LinkSpent: _row(
        404, "The link opens nothing any more", "Ask for a new link: each opens the file once, for 15 minutes.",
        at_page="A link opens the file once, for 15 minutes, for whoever asked for it. Go back to the export and press Download again.",
    ),  # fmt: skip
    exports.ExportNotReady: _row(
        409, "There is no file to download", "Wait until its state is done; files are kept for three days.",
        at_page="The file is still written, could not be written, or was kept for its three days. Look at the export, or make a new one.",
    ),  # fmt: skip
    exports.ListNotYours: _row(
        403, "That is not allowed", "Ask an administrator of your organisation for the permission.", at_page=_NOT_YOURS
    ),
    exports.ExportRefused: _row(422, "The export cannot be made like this", "Correct it; nothing was stored."),
    # requests of applicants
    privacy.PrivacyRequestUnknown: _row(
        404, "There is no such request", "GET /api/v1/privacy-requests lists them.", at_page=_NOT_THERE
    ),
    privacy.PrivacyRequestRefused: _row(422, "The request cannot be taken in", "Correct the fields under errors; nothing was stored."),
    privacy.PrivacyStepRefused: _row(409, "That is not its next step", "Look at the request as it is now."),
    privacy.SecondPersonMissing: _row(409, "A second person has to answer", "Ask somebody else with the permission privacy.manage."),
    privacy.ErasureRefused: _row(409, "A rule stands against the erasure", "Tell the applicant the rule and the day, or wait for it."),
    partners.RateRefused: _row(422, "The exchange rate cannot be used", "Correct the fields under errors; nothing was stored."),
    partners.MoneyRefused: _row(422, "The amount cannot be used", "Correct the fields under errors; nothing was stored."),
    # what is wrong with us
    scoring.DecisionAltered: _row(
        500, "The decision is not as it was recorded", "Do not rely on it; tell whoever runs Vouch: its row was changed after it was made.",
    ),
    scoring.StoreContended: _row(
        503, "The decision could not be stored", "Try again; nothing was stored.", retry_after=1,
        at_page="Too much changed at the same time, and nothing was stored. Go back and send it again.",
    ),  # fmt: skip
    partners.NotASandbox: _row(404, "This is no sandbox", "Use the host name of the sandbox."),
    partners.QueuesAway: _row(503, "The queues do not answer", "Try again in a few seconds.", retry_after=2),
    partners.NoPartner: _row(404, "This belongs to a partner", "Use the partner's own host name."),
    record.RootKeyMissing: _row(500, "The service is not set up", _OURS),
    record.RootKeyWrong: _row(500, "The service is not set up", _OURS),
    record.RootKeyUnreachable: _row(503, "The key service is away", _OURS, retry_after=5),
    record.KeyringMissing: _row(500, "The partner is not set up", _OURS),
    record.SealBroken: _row(500, "A stored value could not be opened", _OURS),
    record.ReceiptRefused: _row(422, "The receipt is not genuine", "Check that it is complete and this partner's."),
    record.EventUnknown: _row(404, "There is no such event", "GET /api/v1/audit/events lists them.", at_page=_NOT_THERE),
    record.CheckpointUnknown: _row(
        404, "There is no such checkpoint", "GET /api/v1/audit/checkpoints lists them.",
        at_page="What was asked for is not sealed yet, or was never there. Try again in a few seconds.",
    ),  # fmt: skip
    record.PeriodEmpty: _row(404, "Nothing was recorded then", "Ask for another time."),
    record.EventNotSealed: _row(409, "The event is not sealed yet", "Ask again in a second.", retry_after=1),
    record.VerificationRunning: _row(409, "The record is being checked already", "Wait for its result."),
    record.BundleTooLarge: _row(413, "So much does not fit into one answer", "Ask for a shorter period."),
    record.TreeBroken: _row(500, "The record could not be continued", _OURS),
    DataError: _row(422, "A value cannot be stored", "Check for NUL and for numbers out of range.", code="invalid_value"),
    InterfaceError: _row(
        503, "The database is away", _MAYBE_STORED, code=AWAY, retry_after=1, at_page=_AWAY
    ),
    OperationalError: _row(
        503, "The database is away", _MAYBE_STORED, code=AWAY, retry_after=1, at_page=_AWAY
    ),
    # what the frameworks raise
    Http404: _row(
        404, "There is nothing here", "Check the address; /docs lists every route.", code="not_found", at_page=_NOT_THERE
    ),
    rest.NotFound: _row(404, "There is nothing here", "Check the address; /docs lists every route.", code="not_found"),
    rest.MethodNotAllowed: _row(
        405, "The method is not allowed here", "Allow lists the methods of this address.", code="method_not_allowed",
        at_page="This address is only for what a button on one of our pages sends. Go back and press it there.",
    ),  # fmt: skip
    rest.NotAuthenticated: _row(401, "A credential is needed", "Send X-API-Key or Authorization: Bearer.", code="credential_missing"),
    rest.AuthenticationFailed: _row(
        401, "The credential is not valid here", "Send a key or token of this partner.", code="credential_refused"
    ),
    rest.PermissionDenied: _row(403, "That is not allowed", "Ask an administrator of your organisation.", code="permission_missing"),
    PermissionDenied: _row(
        403, "That is not allowed", "Ask an administrator of your organisation.", code="permission_missing", at_page=_NOT_YOURS
    ),
    RequestDataTooBig: _row(413, "The body is too large", "Send less at once.", code="body_too_large"),
    TooManyFieldsSent: _row(400, "The form has too many fields", "Send fewer fields.", code="too_many_fields"),
    SuspiciousOperation: _row(400, "The request cannot be used", "Check the request.", code="bad_request", at_page=_UNREADABLE),
    MultiPartParserError: _row(400, "The form cannot be read", "Send it again.", code="malformed_form", at_page=_UNREADABLE),
    BadRequest: _row(400, "The request cannot be used", "Check the request.", code="bad_request", at_page=_UNREADABLE),
}
UNEXPECTED = _row(
    500, "Something went wrong on our side", f"Nothing was decided twice or half. {_OURS}", code="internal_error", at_page=_FAULT
)


def outcome_of(error: BaseException) -> Outcome:
    """How this error is told: the row of its class or of the nearest class above it."""
    for kind in type(error).__mro__:
        row = TABLE.get(kind)
        if row is not None:
            code = error.code if isinstance(error, DomainError) else row.code
            return row if code == row.code else replace(row, code=code)
    return UNEXPECTED


def outcome_of_code(code: str) -> Outcome:
    """How an error of this code is told."""
    return _BY_CODE.get(code, UNEXPECTED)


_BY_CODE: Mapping[str, Outcome] = {kind.code if issubclass(kind, DomainError) else row.code: row for kind, row in TABLE.items()}


def log_fault(request: HttpRequest, error: BaseException) -> None:
    """What is our own fault is logged once, with its trace and the pattern of its route; a database that is away needs no trace."""
    outcome, match = outcome_of(error), request.resolver_match
    route = match.route if match else ""
    if outcome.code == AWAY:
        logger.error("request_failed", code=outcome.code, route=route, error=said_of(error))
    elif is_ours(outcome):
        logger.error("request_failed", code=outcome.code, route=route, exc_info=error)


def is_ours(outcome: Outcome) -> bool:
    """Whether the fault is the service's: then it is logged and its detail kept to ourselves."""
    return http.is_server_error(outcome.status)
