"""Pages of retention and of compliance."""

from django.urls import path

from portal.compliance.web import ComplianceReportPage
from portal.retention import web

app_name = "retention"
urlpatterns = [
    path("retention", web.RetentionPage.as_view(), name="retention"),
    path("retention/trial", web.RetentionTrialPage.as_view(), name="retention-trial"),
    path("retention/runs/<int:run>.json", web.CertificateJson.as_view(), name="certificate-json"),
    path("retention/runs/<int:run>.pdf", web.CertificatePdf.as_view(), name="certificate-pdf"),
    path("compliance-report", ComplianceReportPage.as_view(), name="compliance-report"),
]
