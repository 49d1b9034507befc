"""Routes of applications."""

from django.urls import path

from portal.approvals.api.applications import (
    ApplicationAssignmentView,
    ApplicationDecisionsView,
    ApplicationEventsView,
    ApplicationReleaseView,
    ApplicationsView,
    ApplicationView,
    NextApplicationView,
    SecondOpinionView,
)
from portal.approvals.api.policies import ApprovalPolicyView
from portal.approvals.api.work import (
    ApplicationEscalationView,
    ApplicationNotesView,
    ApplicationSnoozeView,
    ApplicationTagsView,
    AssignmentsView,
)

urlpatterns = [
    path("applications", ApplicationsView.as_view(), name="applications"),
    path("applications/take-next", NextApplicationView.as_view(), name="application-take-next"),
    path("applications/assign", AssignmentsView.as_view(), name="applications-assign"),
    path("applications/<str:application_id>", ApplicationView.as_view(), name="application"),
    path("applications/<str:application_id>/events", ApplicationEventsView.as_view(), name="application-events"),
    path("applications/<str:application_id>/decisions", ApplicationDecisionsView.as_view(), name="application-decisions"),
    path("applications/<str:application_id>/second-opinion", SecondOpinionView.as_view(), name="application-second-opinion"),
    path("applications/<str:application_id>/assign", ApplicationAssignmentView.as_view(), name="application-assign"),
    path("applications/<str:application_id>/release", ApplicationReleaseView.as_view(), name="application-release"),
    path("applications/<str:application_id>/notes", ApplicationNotesView.as_view(), name="application-notes"),
    path("applications/<str:application_id>/snooze", ApplicationSnoozeView.as_view(), name="application-snooze"),
    path("applications/<str:application_id>/escalate", ApplicationEscalationView.as_view(), name="application-escalate"),
    path("applications/<str:application_id>/tags", ApplicationTagsView.as_view(), name="application-tags"),
    path("products/<str:slug>/approval-policy", ApprovalPolicyView.as_view(), name="approval-policy"),
]
