"""Routes of retention and of the compliance report, and the name that an earlier system gave them."""

from django.urls import path

from portal.compliance.api import ComplianceReportView
from portal.retention import api

urlpatterns = [
    path("retention/policies", api.RetentionPoliciesView.as_view(), name="retention-policies"),
    path("retention/policies/<slug:record_class>/<slug:trigger>", api.RetentionPolicyView.as_view(), name="retention-policy"),
    path("retention/preview", api.RetentionPreviewView.as_view(), name="retention-preview"),
    path("retention/runs", api.RetentionRunsView.as_view(), name="retention-runs"),
    path("retention/runs/<int:run>/answer", api.RetentionRunAnswerView.as_view(), name="retention-run-answer"),
    path("retention/runs/<int:run>/certificate", api.RetentionCertificateView.as_view(), name="retention-certificate"),
    path("retention/holds", api.HoldsView.as_view(), name="holds"),
    path("retention/holds/<str:hold_id>/lift", api.HoldLiftView.as_view(), name="hold-lift"),
    path("retention/holds/<str:hold_id>/answer", api.HoldLiftAnswerView.as_view(), name="hold-lift-answer"),
    path("compliance-report", ComplianceReportView.as_view(), name="compliance-report-data"),
    path(
        "audit/cleanup", api.RetentionRunsView.as_view(successor="/api/v1/retention/runs", http_method_names=["post"]),
        name="earlier-audit-cleanup",
    ),
]  # fmt: skip
