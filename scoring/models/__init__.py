"""The tables of scoring, one set in each partner's schema."""

from scoring.models.applicant import Applicant
from scoring.models.decision import AnsweredBy, BandCode, Channel, Decision, OutcomeCode
from scoring.models.job import Job, JobChunk
from scoring.models.product import TRANSITIONS, ModelVersion, Policy, Product, ProductRevision, Promotion
from scoring.models.registry import PromotionRequest, Shadow

__all__ = [
    "TRANSITIONS",
    "AnsweredBy",
    "Applicant",
    "BandCode",
    "Channel",
    "Decision",
    "Job",
    "JobChunk",
    "ModelVersion",
    "OutcomeCode",
    "Policy",
    "Product",
    "ProductRevision",
    "Promotion",
    "PromotionRequest",
    "Shadow",
]
