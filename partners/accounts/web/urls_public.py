"""How operators sign in, and their account, on the public host."""

from django.urls import path

from partners.accounts.web.account import AccountPage, SessionEndPage, TimeZonePage
from partners.accounts.web.linked import LinkFollowedPage, LinkPage
from partners.accounts.web.pages import LanguagePage, LoginPage, LogoutPage, OperatorsHomePage
from partners.accounts.web.second import CodePage, FactorNewPage, FactorRemovePage, PasskeyPage, RecoveryCodesPage

app_name = "accounts"
urlpatterns = [
    path("", OperatorsHomePage.as_view(), name="home"),
    path("login", LoginPage.as_view(), name="login"),
    path("login/code", CodePage.as_view(), name="code"),
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
]
