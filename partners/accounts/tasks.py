"""What runs in the workers of the queue for people's access."""

from celery import shared_task

from partners.accounts.links import send_resets


@shared_task(name="accounts.send_resets")  # type: ignore[untyped-decorator]
def send_password_resets() -> None:
    """Mails that were asked for are sent. Safe to run twice, and beside itself."""
    send_resets()
