"""How operators sign in, on the public host."""

from django.urls import path

from partners.accounts.web.pages import LanguagePage, LoginPage, LogoutPage
from partners.accounts.web.second import CodePage, FactorNewPage, PasskeyPage

app_name = "accounts"
urlpatterns = [
    path("login", LoginPage.as_view(), name="login"),
    path("login/code", CodePage.as_view(), name="code"),
    path("login/passkey", PasskeyPage.as_view(), name="passkey"),
    path("logout", LogoutPage.as_view(), name="logout"),
    path("language", LanguagePage.as_view(), name="language"),
    path("account/second-factor", FactorNewPage.as_view(), name="factor-new"),
]
