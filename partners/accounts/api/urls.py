"""Routes of signing in, people and keys."""

from django.urls import path

from partners.accounts.api.calls import ApiKeyStatsView, ApiRequestsView
from partners.accounts.api.sandbox import SandboxResetView
from partners.accounts.api.views import (
    ApiKeyRotationView,
    ApiKeysView,
    ApiKeyView,
    ChangePasswordView,
    InvitationsView,
    InvitationView,
    LogoutView,
    RefreshView,
    RolesView,
    SecondFactorView,
    TokenView,
    UsersView,
    UserView,
)

urlpatterns = [
    path("auth/token", TokenView.as_view(), name="token"),
    path("auth/refresh", RefreshView.as_view(), name="token-refresh"),
    path("auth/logout", LogoutView.as_view(), name="logout"),
    path("auth/change-password", ChangePasswordView.as_view(), name="change-password"),
    path("users", UsersView.as_view(), name="users"),
    path("users/<str:user_id>", UserView.as_view(), name="user"),
    path("users/<str:user_id>/invitation", InvitationView.as_view(), name="user-invitation"),
    path("users/<str:user_id>/second-factor", SecondFactorView.as_view(), name="user-second-factor"),
    path("invitations", InvitationsView.as_view(), name="invitations"),
    path("roles", RolesView.as_view(), name="roles"),
    path("sandbox/reset", SandboxResetView.as_view(), name="sandbox-reset"),
    path("api-keys", ApiKeysView.as_view(), name="api-keys"),
    path("api-keys/stats", ApiKeyStatsView.as_view(), name="api-key-stats"),
    path("api-keys/<str:key_id>", ApiKeyView.as_view(), name="api-key"),
    path("api-keys/<str:key_id>/rotate", ApiKeyRotationView.as_view(), name="api-key-rotate"),
    path("requests", ApiRequestsView.as_view(), name="requests"),
]
