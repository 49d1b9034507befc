"""Pages about requests of applicants."""

from django.urls import path

from portal.privacy.web import pages

app_name = "privacy"
urlpatterns = [
    path("privacy", pages.RequestListPage.as_view(), name="privacy-list"),
    path("privacy/new", pages.RequestNewPage.as_view(), name="privacy-new"),
    path("privacy/terms", pages.TermsPage.as_view(), name="privacy-terms"),
    path("privacy/alerts/<uuid:alert_id>", pages.AlertClose.as_view(), name="alert-close"),
    path("privacy/<int:request_number>", pages.RequestDetailPage.as_view(), name="privacy-detail"),
    path("privacy/<int:request_number>/data.json", pages.CopyFile.as_view(), {"form": "json"}, name="copy-json"),
    path("privacy/<int:request_number>/data.pdf", pages.CopyFile.as_view(), {"form": "pdf"}, name="copy-pdf"),
    path("privacy/<int:request_number>/certificate.json", pages.CertificateFile.as_view(), {"form": "json"}, name="certificate-json"),
    path("privacy/<int:request_number>/certificate.pdf", pages.CertificateFile.as_view(), {"form": "pdf"}, name="certificate-pdf"),
]
