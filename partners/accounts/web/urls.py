"""Pages about access."""

from django.urls import path

from partners.accounts.web import keys, requests
from partners.accounts.web.pages import AccountPage, LanguagePage, LoginPage, LogoutPage

app_name = "accounts"
urlpatterns = [
    path("login", LoginPage.as_view(), name="login"),
    path("logout", LogoutPage.as_view(), name="logout"),
    path("language", LanguagePage.as_view(), name="language"),
    path("account", AccountPage.as_view(), name="account"),
    path("developers", keys.DevelopersPage.as_view(), name="developers"),
    path("developers/keys", keys.KeyListPage.as_view(), name="key-list"),
    path("developers/keys/new", keys.KeyNewPage.as_view(), name="key-new"),
    path("developers/keys/<uuid:key_id>", keys.KeyDetailPage.as_view(), name="key-detail"),
    path("developers/keys/<uuid:key_id>/rotate", keys.KeyRotatePage.as_view(), name="key-rotate"),
    path("developers/keys/<uuid:key_id>/revoke", keys.KeyRevokePage.as_view(), name="key-revoke"),
    path("developers/requests", requests.RequestListPage.as_view(), name="request-list"),
]
