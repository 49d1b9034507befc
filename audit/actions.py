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

    APPLICANT_ERASED = "applicant.erased"
    APPLICANT_EXPORTED = "applicant.exported"

    JOB_STARTED = "job.started"
    JOB_FINISHED = "job.finished"

    BATCH_UPLOADED = "batch.uploaded"
    BATCH_STARTED = "batch.started"
    BATCH_DOWNLOADED = "batch.downloaded"
    OUTCOME_RECORDED = "outcome.recorded"
