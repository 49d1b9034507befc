"""The tables of scoring, one set in each partner's schema."""

from scoring.models.applicant import Applicant
from scoring.models.batch import Batch
from scoring.models.consent import Consent, ConsentKind, ConsentWay
from scoring.models.decision import AnsweredBy, BandCode, Channel, Decision, OutcomeCode
from scoring.models.figures import HourFigures
from scoring.models.job import Job, JobChunk
from scoring.models.outcome import TARGET_OF, Outcome, OutcomeKind, OutcomeSource
from scoring.models.product import TRANSITIONS, ModelVersion, Policy, Product, ProductRevision, Promotion
from scoring.models.registry import PromotionRequest, Shadow
from scoring.models.retraining import RetrainingPlan

__all__ = [
    "TARGET_OF",
    "TRANSITIONS",
    "AnsweredBy",
    "Applicant",
    "BandCode",
    "Batch",
    "Channel",
    "Consent",
    "ConsentKind",
    "ConsentWay",
    "Decision",
    "HourFigures",
    "Job",
    "JobChunk",
    "ModelVersion",
    "Outcome",
    "OutcomeCode",
    "OutcomeKind",
    "OutcomeSource",
    "Policy",
    "Product",
    "ProductRevision",
    "Promotion",
    "PromotionRequest",
    "RetrainingPlan",
    "Shadow",
]
