"""Pages that join several apps."""

from django.urls import path

from portal.web import applicants, help, summary
from portal.web.pages import OverviewPage

app_name = "portal"
urlpatterns = [
    path("", OverviewPage.as_view(), name="overview"),
    path("summary", summary.SummaryPage.as_view(), name="summary"),
    path("applicants", applicants.ApplicantListPage.as_view(), name="applicant-list"),
    path("applicants/<uuid:applicant_id>", applicants.ApplicantDetailPage.as_view(), name="applicant-detail"),
    path("help", help.HelpListPage.as_view(), name="help-list"),
    path("help/practice/<int:case>", help.PracticePage.as_view(), name="practice"),
    path("help/<slug:topic>", help.HelpPage.as_view(), name="help"),
]
