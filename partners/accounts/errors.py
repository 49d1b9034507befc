"""What can go wrong when people and machines sign in, and when their access is changed."""

from audit.errors import DomainError


class CredentialRefused(DomainError):
    """The credential is not valid for this partner."""

    code = "credential_refused"


class SignedOut(DomainError):
    """Who sent this form is not signed in any more; nothing was stored."""

    code = "signed_out"


class LoginRefused(DomainError):
    """E-mail address and password do not match, or there were too many attempts; wait 15 minutes or ask your administrator."""

    code = "login_refused"


class CodeRefused(DomainError):
    """The code is not right, was used before, or there were too many attempts; then wait 15 minutes."""

    code = "code_refused"


class SecondFactorNeeded(DomainError):
    """The password is right, and a second factor is asked for: send a code of the authenticator app, or a recovery code, as `otp`."""

    code = "second_factor_needed"


class SecondFactorMissing(DomainError):
    """This role signs in with a second factor, and none is set up yet: sign in on the pages once, where it is set up."""

    code = "second_factor_missing"


class SecondFactorRefused(DomainError):
    """The second factor cannot be set up or removed like this."""

    code = "second_factor_refused"


class LinkRefused(DomainError):
    """This link was used already, or its time is over. Ask for another one."""

    code = "link_refused"


class RefreshRefused(DomainError):
    """The refresh token is not valid any more: sign in again."""

    code = "refresh_refused"


class PasswordRefused(DomainError):
    """The password cannot be used."""

    code = "password_refused"

    @property
    def is_about_current(self) -> bool:
        """Whether it is the password until now that is wrong."""
        return "current" in self.fields


class UserExists(DomainError):
    """There is already a user with this e-mail address."""

    code = "user_exists"


class UserRefused(DomainError):
    """The user's details cannot be used."""

    code = "user_refused"


class UserUnknown(DomainError):
    """There is no such user."""

    code = "user_unknown"


class LastAdministrator(DomainError):
    """This is the last active administrator: make somebody else one first."""

    code = "last_administrator"


class ApiKeyUnknown(DomainError):
    """There is no such API key, or it was revoked."""

    code = "api_key_unknown"


class ApiKeyRefused(DomainError):
    """The API key's details cannot be used."""

    code = "api_key_refused"
