"""The tables of approvals, one set in each partner's schema."""

from portal.approvals.models.application import Application
from portal.approvals.models.figures import MonthFigures
from portal.approvals.models.file import ApplicationFile
from portal.approvals.models.notice import Notice, NoticeSettings
from portal.approvals.models.policy import ApprovalPolicy
from portal.approvals.models.review import Note, Review, SecondOpinion
from portal.approvals.models.view import SavedView

__all__ = [
    "Application", "ApplicationFile", "ApprovalPolicy", "MonthFigures", "Note", "Notice", "NoticeSettings", "Review", "SavedView",
    "SecondOpinion",
]  # fmt: skip
