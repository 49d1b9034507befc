"""`manage.py make_client`: the Python client and the Postman collection, written from the API's description."""

import json
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from portal.api.clients import postman, python_client
from portal.api.openapi import description

CLIENT = settings.BASE_DIR / "clients" / "python" / "vouch_client" / "generated.py"
COLLECTION = settings.BASE_DIR / "docs" / "postman.json"


class Command(BaseCommand):
    """`manage.py make_client`."""

    help = "Write the Python client (clients/python) and the Postman collection (docs/postman.json) from the API's description."
    requires_system_checks: list[str] = []

    def handle(self, *_arguments: Any, **_options: Any) -> None:
        """Writes both, and says where."""
        for path, content in written().items():
            path.write_text(content, encoding="utf-8")
            self.stdout.write(str(path.relative_to(settings.BASE_DIR)))


def written() -> dict[Any, str]:
    """What each of the files holds."""
    found = json.loads(description())
    return {CLIENT: python_client(found), COLLECTION: json.dumps(postman(found), indent=1, ensure_ascii=False) + "\n"}
