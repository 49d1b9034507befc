"""What people call the actions of the record."""

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext_lazy as _

NOUN_WORDS: Mapping[str, Any] = {
    "decision": _("All about decisions"), "application": _("All about applications"), "applicant": _("All about applicants"),
    "user": _("All about people"), "api_key": _("All about API keys"), "model": _("All about models"), "product": _("All about products"),
    "record": _("All about the record"),
}  # fmt: skip
ACTION_WORDS: Mapping[str, Any] = {
    "partner.created": _("Partner created"), "keyring.rotated": _("Key changed"),
    "exchange_rate.set": _("Exchange rate set"), "reference.imported": _("Reference table brought in"),
    "reference.exported": _("Reference table taken away"),
    "record.verified": _("Record checked"), "record.exported": _("Record exported"), "bundle.exported": _("Examiner bundle taken"),
    "user.created": _("Person added"), "user.changed": _("Person changed"), "user.switched_off": _("Person switched off"),
    "user.switched_on": _("Person switched on"), "user.logged_in": _("Signed in"), "user.login_failed": _("Sign-in failed"),
    "user.logged_out": _("Signed out"), "password.changed": _("Password changed"), "token.reused": _("Token used twice"),
    "api_key.created": _("API key made"), "api_key.rotated": _("API key replaced"), "api_key.revoked": _("API key revoked"),
    "product.created": _("Product made"),
    "product.changed": _("Product changed"), "policy.changed": _("Policy changed"), "model.stored": _("Model stored"),
    "model.offered": _("Model offered"), "model.retired": _("Model retired"), "promotion.asked": _("Promotion asked for"),
    "promotion.refused": _("Promotion refused"), "promotion.withdrawn": _("Promotion withdrawn"),
    "promotion.lapsed": _("Promotion lapsed"), "model.promoted": _("Model put in force"), "model.rolled_back": _("Model rolled back"),
    "model.refused": _("Model refused"), "model.repaired": _("Model repaired"), "challenger.set": _("Challenger set"),
    "challenger.removed": _("Challenger removed"), "decision.made": _("Decision made"), "decision.viewed": _("Decision looked at"),
    "decisions.replayed": _("Decisions replayed"), "application.created": _("Application taken in"),
    "application.taken": _("Application taken"),
    "application.assigned": _("Application assigned"), "application.released": _("Application released"),
    "application.noted": _("Note on an application"), "application.opened": _("Application opened"),
    "application.snoozed": _("Application put off"), "application.escalated": _("Application escalated"),
    "application.tagged": _("Application tagged"), "application.file_added": _("File added to an application"),
    "application.file_read": _("File of an application read"), "application.information_asked": _("Information asked for"),
    "application.resumed": _("Application resumed"), "application.approved": _("Application approved"),
    "application.declined": _("Application declined"), "application.counter_offered": _("Counter-offer made"),
    "application.offer_accepted": _("Offer accepted"), "application.withdrawn": _("Application withdrawn"),
    "application.reconsidered": _("Application reconsidered"), "application.expired": _("Application expired"),
    "application.proposed": _("Decision proposed"), "application.proposal_refused": _("Proposal refused"),
    "application.proposal_retracted": _("Proposal taken back"), "application.proposal_lapsed": _("Proposal lapsed"),
    "approval_policy.changed": _("Approval policy changed"), "notice.sent": _("Letter sent"),
    "notice_settings.changed": _("Settings of letters changed"), "applicant.viewed": _("Applicant looked at"),
    "applicant.erased": _("Applicant erased"), "applicant.exported": _("Applicant exported"), "job.started": _("Job started"),
    "job.finished": _("Job finished"), "batch.uploaded": _("Batch uploaded"), "batch.started": _("Batch started"),
    "batch.downloaded": _("Batch downloaded"), "outcome.recorded": _("Outcome recorded"), "consent.recorded": _("Consent recorded"),
    "sandbox.refreshed": _("Sandbox refreshed"), "sandbox.reset": _("Sandbox emptied"),
    "keyring.rewrapped": _("Keys sealed under another root key"), "user.invited": _("Person invited"),
    "invitation.accepted": _("Invitation accepted"), "session.ended": _("Session ended"),
    "password.reset_asked": _("New password asked for"), "password.reset": _("Password set anew"),
    "second_factor.added": _("Second factor added"), "second_factor.removed": _("Second factor removed"),
    "second_factor.reset": _("Second factor taken back"), "recovery_codes.made": _("Recovery codes made"),
    "webhook.created": _("Webhook made"), "webhook.changed": _("Webhook changed"), "webhook.paused": _("Webhook paused"),
    "webhook.resumed": _("Webhook resumed"), "webhook.deleted": _("Webhook deleted"),
    "webhook.secret_rotated": _("Secret of a webhook replaced"), "webhook.tested": _("Webhook tested"),
    "webhook.resent": _("Events sent again"), "retraining.planned": _("Retraining planned"),
    "applicant.rectified": _("Applicant's data corrected"), "applicant.key_changed": _("Applicant's key changed"),
    "privacy_request.opened": _("Request of an applicant opened"), "privacy_request.stepped": _("Step of an applicant's request"),
    "privacy_request.closed": _("Request of an applicant closed"), "privacy_terms.changed": _("Times for requests changed"),
    "alert.raised": _("Alert raised"), "alert.closed": _("Alert closed"), "export.asked": _("Export asked for"),
    "export.finished": _("Export written"), "export.failed": _("Export failed"), "export.downloaded": _("Export downloaded"),
    "export.scheduled": _("Export scheduled"), "export.schedule_stopped": _("Schedule of an export stopped"),
    "command.run": _("Command given by an operator"), "retention_policy.changed": _("Rule of retention changed"),
    "retention_policy.removed": _("Rule of retention removed"), "retention_run.proposed": _("Run of retention proposed"),
    "retention_run.confirmed": _("Run of retention confirmed"), "retention_run.refused": _("Run of retention refused"),
    "retention_run.finished": _("Run of retention finished"), "hold.placed": _("Legal hold placed"),
    "hold.lift_asked": _("Lifting of a legal hold asked for"), "hold.lift_refused": _("Lifting of a legal hold refused"),
    "hold.lifted": _("Legal hold lifted"), "compliance_report.made": _("Compliance report made"), "backup.made": _("Backup made"),
    "backup.restored": _("Restored from a backup"),
}  # fmt: skip


def action_words(action: str) -> str:
    """The action in the language of the page; one that an earlier Vouch knew as it is written."""
    return str(ACTION_WORDS[action]) if action in ACTION_WORDS else action.replace(".", " ").replace("_", " ").capitalize()
