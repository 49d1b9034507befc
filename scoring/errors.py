"""What can go wrong between a request and a stored decision."""

from collections.abc import Sequence

from audit.errors import DomainError


class ProductUnknown(DomainError):
    """There is no such product."""

    code = "product_unknown"


class ProductRefused(DomainError):
    """The product's slug or title cannot be used."""

    code = "product_refused"


class ProductExists(DomainError):
    """There is already a product of this name."""

    code = "product_exists"


class ModelVersionUnknown(DomainError):
    """There is no such model version of this product."""

    code = "model_version_unknown"


class VersionInForce(DomainError):
    """This model version is in force already."""

    code = "version_in_force"


class NothingToRollBack(DomainError):
    """No model is in force, so there is none to take back."""

    code = "nothing_to_roll_back"


class TransitionRefused(DomainError):
    """The model version cannot go from its state to that one."""

    code = "transition_refused"


class RetrainingUnderWay(DomainError):
    """The product is being trained again already."""

    code = "retraining_under_way"


class RanksLikeChance(DomainError):
    """A draft whose ranking cannot be told from chance is offered without a data scientist's reason."""

    code = "ranks_like_chance"


class ModelRefused(DomainError):
    """The model version's bundle cannot be used."""

    code = "model_refused"


class SecondPersonNeeded(DomainError):
    """Another person has to answer this."""

    code = "second_person_needed"


class RulesChanged(DomainError):
    """Somebody changed the rules meanwhile; look at theirs first."""

    code = "rules_changed"


class PolicyChanged(DomainError):
    """Somebody changed the policy meanwhile; look at theirs first."""

    code = "policy_changed"


class ReasonMissing(DomainError):
    """Say why, in 1 to 500 characters that can be shown."""

    code = "reason_missing"


class CardUnread(DomainError):
    """Whoever asks to put a version in force says that they have read its card, and names it."""

    code = "card_unread"


class CardMissing(DomainError):
    """The version has no model card."""

    code = "card_missing"


class CardDiffers(DomainError):
    """The card that was named is not this version's."""

    code = "card_differs"


class PromotionUnknown(DomainError):
    """There is no such request."""

    code = "promotion_unknown"


class PromotionOpen(DomainError):
    """A request for this product waits for an answer already."""

    code = "promotion_open"


class PromotionAnswered(DomainError):
    """This request has been answered."""

    code = "promotion_answered"


class NoChallenger(DomainError):
    """The product has no challenger."""

    code = "no_challenger"


class MomentRefused(DomainError):
    """Nothing was in force for the product at that moment."""

    code = "moment_refused"


class ProductFileRefused(DomainError):
    """The product's definition file cannot be used."""

    code = "product_file_refused"


class TableRefused(DomainError):
    """The table cannot be used."""

    code = "table_refused"


class TrainingRefused(DomainError):
    """The table cannot train a model."""

    code = "training_refused"


class DecisionUnknown(DomainError):
    """There is no such decision."""

    code = "decision_unknown"


class DecisionAltered(DomainError):
    """The decision, its event or its applicant is not as it was recorded."""

    code = "decision_altered"


class CursorRefused(DomainError):
    """The cursor is not one that this list gave."""

    code = "cursor_refused"


class FilterRefused(DomainError):
    """A filter has a value that it cannot have."""

    code = "filter_refused"


class ApplicantUnknown(DomainError):
    """There is no such applicant."""

    code = "applicant_unknown"


class ConsentRefused(DomainError):
    """The consent cannot be recorded."""

    code = "consent_refused"


class ApplicantErased(DomainError):
    """This applicant was erased: nothing more can be decided about them under the same reference."""

    # `positions` names the items of the request that are about erased applicants.

    code = "applicant_erased"

    def __init__(self, positions: Sequence[int] = ()) -> None:
        super().__init__()
        self.positions = tuple(positions)


class CredentialRevoked(DomainError):
    """The credential was revoked or its owner switched off while the decision was made; nothing was stored."""

    code = "credential_revoked"


class StoreContended(DomainError):
    """The decision could not be stored because what it depends on kept changing; nothing was stored. Try again."""

    code = "store_contended"


class LeaseLost(Exception):
    """Somebody else holds this chunk of a job by now; nothing was stored."""


class JobUnknown(DomainError):
    """There is no such job."""

    code = "job_unknown"


class JobFailed(DomainError):
    """The job ended before all its rows were decided. What was decided stays."""

    code = "job_failed"


class JobTaken(DomainError):
    """Another process works on the same job."""

    code = "job_taken"


class BatchUnknown(DomainError):
    """There is no such batch."""

    code = "batch_unknown"


class BatchStarted(DomainError):
    """The batch was started already."""

    code = "batch_started"


class BatchNotReady(DomainError):
    """The batch has to be checked first, and at least one of its rows has to be good."""

    code = "batch_not_ready"


class ResultGone(DomainError):
    """The batch has no result to download: it is not done, or a day has passed."""

    code = "result_gone"


class MappingRefused(DomainError):
    """The columns cannot be matched like this."""

    code = "mapping_refused"


class OutcomeRefused(DomainError):
    """Some outcomes cannot be recorded; nothing was stored."""

    code = "outcome_refused"
