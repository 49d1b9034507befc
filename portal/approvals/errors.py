"""What can go wrong with applications and the decisions of people."""

from datetime import datetime

from audit.errors import DomainError


class ApplicationUnknown(DomainError):
    """There is no such application."""

    code = "application_unknown"


class ApplicationChanged(DomainError):
    """Somebody else was first: the application is not as you saw it."""

    code = "application_changed"

    def __init__(self, *, by: str, at: datetime, state: str, revision: int) -> None:
        self.by, self.at, self.state, self.revision = by, at, state, revision
        super().__init__(f"{by} was first, at {at:%Y-%m-%d %H:%M:%S} UTC: the application is {state.replace('_', ' ')} now.")


class ApplicationLocked(DomainError):
    """Somebody else has the application open."""

    code = "application_locked"

    def __init__(self, *, by: str, at: datetime, state: str, revision: int) -> None:
        self.by, self.at, self.state, self.revision = by, at, state, revision
        super().__init__(f"{by} has the application open until {at:%H:%M} UTC at the latest.")


class MoveRefused(DomainError):
    """The application cannot be moved so from its state."""

    code = "move_refused"


class PersonNeeded(DomainError):
    """Only people who sign in, and whose role allows it, decide about applications."""

    code = "person_needed"


class OwnApplication(DomainError):
    """This application looks like your own: somebody else has to decide about it."""

    code = "own_application"


class AnotherPersonNeeded(DomainError):
    """Another person has to answer this."""

    code = "another_person_needed"


class ProposalOpen(DomainError):
    """A proposal waits for a second person already."""

    code = "proposal_open"


class ProposalMissing(DomainError):
    """No proposal waits for a second person."""

    code = "proposal_missing"


class MoveDetailsRefused(DomainError):
    """The reason, the note or the offer cannot be used."""

    code = "move_details_refused"


class PolicyRefused(DomainError):
    """The approval policy cannot be used."""

    code = "approval_policy_refused"


class ApprovalPolicyChanged(DomainError):
    """Somebody changed the approval policy meanwhile: another version is in force than the one you saw."""

    code = "approval_policy_changed"


class AssigneeRefused(DomainError):
    """This person cannot be given applications."""

    code = "assignee_refused"


class FileRefused(DomainError):
    """The file cannot be kept."""

    code = "file_refused"


class FileMissing(DomainError):
    """There is no such file."""

    code = "file_missing"


class ViewRefused(DomainError):
    """The view cannot be kept."""

    code = "view_refused"


class NoticeNotDue(DomainError):
    """There is no letter for this application: only a decline and a counter-offer have one."""

    code = "notice_not_due"


class NoticeSent(DomainError):
    """The letter was sent already."""

    code = "notice_sent"


class NoticeSettingsMissing(DomainError):
    """Nobody has written down yet who writes the letters."""

    code = "notice_settings_missing"


class NoticeRefused(DomainError):
    """The letter cannot be marked as sent like this."""

    code = "notice_refused"


class NoticeSettingsRefused(DomainError):
    """The settings of letters cannot be used."""

    code = "notice_settings_refused"
