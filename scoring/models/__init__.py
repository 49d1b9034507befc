"""The tables of scoring, one set in each partner's schema."""

from scoring.models.applicant import Applicant
from scoring.models.decision import AnsweredBy, BandCode, Channel, Decision, OutcomeCode
from scoring.models.job import Job, JobChunk
from scoring.models.product import ModelVersion, Policy, Product, ProductRevision, Promotion

__all__ = [
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
]
