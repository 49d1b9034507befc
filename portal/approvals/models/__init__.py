"""The tables of approvals, one set in each partner's schema."""

from portal.approvals.models.application import Application
from portal.approvals.models.notice import Notice, NoticeSettings
from portal.approvals.models.policy import ApprovalPolicy
from portal.approvals.models.review import Note, Review, SecondOpinion

__all__ = ["Application", "ApprovalPolicy", "Note", "Notice", "NoticeSettings", "Review", "SecondOpinion"]
