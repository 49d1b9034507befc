"""Pages about access."""

from django.urls import path

from partners.accounts.web.pages import AccountPage, LanguagePage, LoginPage, LogoutPage

app_name = "accounts"
urlpatterns = [
    path("login", LoginPage.as_view(), name="login"),
    path("logout", LogoutPage.as_view(), name="logout"),
    path("language", LanguagePage.as_view(), name="language"),
    path("account", AccountPage.as_view(), name="account"),
]
