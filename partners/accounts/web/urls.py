"""Pages about access."""

from django.urls import path

from partners.accounts.web import keys, requests
from partners.accounts.web.account import AccountPage, SessionEndPage, TimeZonePage
from partners.accounts.web.linked import ForgottenPage, LinkFollowedPage, LinkPage
from partners.accounts.web.pages import LanguagePage, LoginPage, LogoutPage
from partners.accounts.web.sandbox import SandboxEnterPage, SandboxOpenPage, SandboxPage
from partners.accounts.web.second import CodePage, FactorNewPage, FactorRemovePage, PasskeyPage, RecoveryCodesPage
from partners.accounts.web.team import InvitePage, PersonPage, TeamPage

app_name = "accounts"
urlpatterns = [
    path("login", LoginPage.as_view(), name="login"),
    path("login/code", CodePage.as_view(), name="code"),
    path("login/forgotten", ForgottenPage.as_view(), name="forgotten"),
    path("login/passkey", PasskeyPage.as_view(), name="passkey"),
    path("link", LinkPage.as_view(), name="link"),
    path("link/<str:token>", LinkFollowedPage.as_view(), name="link-followed"),
    path("logout", LogoutPage.as_view(), name="logout"),
    path("language", LanguagePage.as_view(), name="language"),
    path("account", AccountPage.as_view(), name="account"),
    path("account/time-zone", TimeZonePage.as_view(), name="time-zone"),
    path("account/second-factor", FactorNewPage.as_view(), name="factor-new"),
    path("account/second-factor/<int:factor_id>", FactorRemovePage.as_view(), name="factor-remove"),
    path("account/recovery-codes", RecoveryCodesPage.as_view(), name="recovery-codes"),
    path("account/sessions/<uuid:session_id>", SessionEndPage.as_view(), name="session-end"),
    path("team", TeamPage.as_view(), name="team"),
    path("team/invite", InvitePage.as_view(), name="invite"),
    path("team/<uuid:user_id>", PersonPage.as_view(), name="person"),
    path("developers", keys.DevelopersPage.as_view(), name="developers"),
    path("developers/keys", keys.KeyListPage.as_view(), name="key-list"),
    path("developers/keys/new", keys.KeyNewPage.as_view(), name="key-new"),
    path("developers/keys/<uuid:key_id>", keys.KeyDetailPage.as_view(), name="key-detail"),
    path("developers/keys/<uuid:key_id>/rotate", keys.KeyRotatePage.as_view(), name="key-rotate"),
    path("developers/keys/<uuid:key_id>/revoke", keys.KeyRevokePage.as_view(), name="key-revoke"),
    path("developers/sandbox", SandboxPage.as_view(), name="sandbox"),
    path("developers/sandbox/open", SandboxOpenPage.as_view(), name="sandbox-open"),
    path("sandbox/enter", SandboxEnterPage.as_view(), name="sandbox-enter"),
    path("developers/requests", requests.RequestListPage.as_view(), name="request-list"),
]
