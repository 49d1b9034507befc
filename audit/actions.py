"""Every action that is recorded, as `noun.past_verb`."""

from enum import StrEnum


class Action(StrEnum):
    PARTNER_CREATED = "partner.created"
    KEYRING_CREATED = "keyring.created"

    USER_CREATED = "user.created"
    USER_CHANGED = "user.changed"
    USER_SWITCHED_OFF = "user.switched_off"
    USER_SWITCHED_ON = "user.switched_on"
    USER_LOGGED_IN = "user.logged_in"
    USER_LOGIN_FAILED = "user.login_failed"
    USER_LOGGED_OUT = "user.logged_out"
    PASSWORD_CHANGED = "password.changed"  # noqa: S105 - the name of an action
    TOKEN_ISSUED = "token.issued"  # noqa: S105 - the name of an action
    TOKEN_REFRESHED = "token.refreshed"  # noqa: S105 - the name of an action
    TOKEN_REUSED = "token.reused"  # noqa: S105 - the name of an action

    API_KEY_CREATED = "api_key.created"
    API_KEY_ROTATED = "api_key.rotated"
    API_KEY_REVOKED = "api_key.revoked"

    PRODUCT_CREATED = "product.created"
    PRODUCT_CHANGED = "product.changed"
    POLICY_CHANGED = "policy.changed"
    MODEL_STORED = "model.stored"
    MODEL_OFFERED = "model.offered"
    MODEL_RETIRED = "model.retired"
    RETRAINING_PLANNED = "retraining.planned"
    PROMOTION_ASKED = "promotion.asked"
    PROMOTION_REFUSED = "promotion.refused"
    PROMOTION_WITHDRAWN = "promotion.withdrawn"
    PROMOTION_LAPSED = "promotion.lapsed"
    MODEL_PROMOTED = "model.promoted"
    MODEL_ROLLED_BACK = "model.rolled_back"
    MODEL_REFUSED = "model.refused"
    MODEL_REPAIRED = "model.repaired"
    CHALLENGER_SET = "challenger.set"
    CHALLENGER_REMOVED = "challenger.removed"

    DECISION_MADE = "decision.made"
    DECISION_VIEWED = "decision.viewed"
    DECISIONS_REPLAYED = "decisions.replayed"
    DECISIONS_EXPORTED = "decisions.exported"

    APPLICATION_CREATED = "application.created"
    APPLICATION_TAKEN = "application.taken"
    APPLICATION_ASSIGNED = "application.assigned"
    APPLICATION_RELEASED = "application.released"
    APPLICATION_NOTED = "application.noted"
    APPLICATION_OPENED = "application.opened"
    APPLICATION_SNOOZED = "application.snoozed"
    APPLICATION_ESCALATED = "application.escalated"
    APPLICATION_TAGGED = "application.tagged"
    APPLICATION_FILE_ADDED = "application.file_added"
    APPLICATION_FILE_READ = "application.file_read"
    APPLICATION_INFORMATION_ASKED = "application.information_asked"
    APPLICATION_RESUMED = "application.resumed"
    APPLICATION_APPROVED = "application.approved"
    APPLICATION_DECLINED = "application.declined"
    APPLICATION_COUNTER_OFFERED = "application.counter_offered"
    APPLICATION_OFFER_ACCEPTED = "application.offer_accepted"
    APPLICATION_WITHDRAWN = "application.withdrawn"
    APPLICATION_RECONSIDERED = "application.reconsidered"
    APPLICATION_EXPIRED = "application.expired"
    APPLICATION_PROPOSED = "application.proposed"
    APPLICATION_PROPOSAL_REFUSED = "application.proposal_refused"
    APPLICATION_PROPOSAL_RETRACTED = "application.proposal_retracted"
    APPLICATION_PROPOSAL_LAPSED = "application.proposal_lapsed"
    APPROVAL_POLICY_CHANGED = "approval_policy.changed"
    NOTICE_SENT = "notice.sent"
    NOTICE_SETTINGS_CHANGED = "notice_settings.changed"

    APPLICANT_VIEWED = "applicant.viewed"
    APPLICANT_ERASED = "applicant.erased"
    APPLICANT_EXPORTED = "applicant.exported"

    JOB_STARTED = "job.started"
    JOB_FINISHED = "job.finished"

    BATCH_UPLOADED = "batch.uploaded"
    BATCH_STARTED = "batch.started"
    BATCH_DOWNLOADED = "batch.downloaded"
    OUTCOME_RECORDED = "outcome.recorded"
    CONSENT_RECORDED = "consent.recorded"

    BACKUP_MADE = "backup.made"
    BACKUP_RESTORED = "backup.restored"
