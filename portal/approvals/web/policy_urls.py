"""The route of approval policies."""

from django.urls import path

from portal.approvals.web import policy

app_name = "approvals"
routes = [path("products/<slug:slug>/approval-policy", policy.ApprovalPolicyPage.as_view(), name="policy")]
urlpatterns = routes
