"""Routes of applicants' requests."""

from django.urls import path

from portal.privacy.api import views

urlpatterns = [
    path("privacy-requests", views.PrivacyRequestsView.as_view(), name="privacy-requests"),
    path("privacy-requests/<int:request_number>", views.PrivacyRequestView.as_view(), name="privacy-request"),
    path("privacy-requests/<int:request_number>/actions", views.PrivacyActionView.as_view(), name="privacy-request-actions"),
    path("privacy-requests/<int:request_number>/copies", views.PrivacyCopyView.as_view(), name="privacy-request-copies"),
]
