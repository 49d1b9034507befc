"""Forms about access: one's own and that of others."""

from django import forms
from django.utils.translation import gettext_lazy as _

from partners.accounts.roles import Role


class SignInForm(forms.Form):
    """E-mail address and password."""

    email = forms.EmailField(label=_("Email"), widget=forms.EmailInput(attrs={"autocomplete": "username", "class": "form-control"}))
    password = forms.CharField(
        label=_("Password"), strip=False, widget=forms.PasswordInput(attrs={"autocomplete": "current-password", "class": "form-control"})
    )


class CodeForm(forms.Form):
    """A code of the authenticator app, or a recovery code."""

    code = forms.CharField(
        label=_("Code"), max_length=20,
        widget=forms.TextInput(attrs={"autocomplete": "one-time-code", "inputmode": "numeric", "class": "form-control v-otp"}),
    )  # fmt: skip


class ConfirmForm(forms.Form):
    """The password again, before something that a stranger at an open browser must not do."""

    current = forms.CharField(
        label=_("Your password"), strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password", "class": "form-control w-m"}),
    )  # fmt: skip


class ForgottenForm(forms.Form):
    """Whose password was forgotten."""

    email = forms.EmailField(label=_("Email"), widget=forms.EmailInput(attrs={"autocomplete": "username", "class": "form-control"}))


class ChoosePasswordForm(forms.Form):
    """A first or another password."""

    password = forms.CharField(
        label=_("New password"), strip=False, help_text=_("At least 10 characters. A few words are easier to remember than signs."),
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password", "class": "form-control"}),
    )  # fmt: skip


class InviteForm(forms.Form):
    """Somebody to let in."""

    email = forms.EmailField(label=_("Email"), widget=forms.EmailInput(attrs={"class": "form-control w-m", "autocomplete": "off"}))
    name = forms.CharField(
        label=_("Name"), max_length=100, required=False, widget=forms.TextInput(attrs={"class": "form-control w-m", "autocomplete": "off"})
    )
    role = forms.ChoiceField(label=_("Role"), choices=Role.choices, widget=forms.Select(attrs={"class": "form-select w-m"}))

    optional = ("name",)


class PasswordForm(forms.Form):
    """The password of now and the next one."""

    current = forms.CharField(
        label=_("Current password"), strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password", "class": "form-control w-m"}),
    )
    new = forms.CharField(
        label=_("New password"), strip=False, help_text=_("At least 10 characters. A few words are easier to remember than signs."),
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password", "class": "form-control w-m"}),
    )
