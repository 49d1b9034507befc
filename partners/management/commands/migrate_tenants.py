"""`manage.py migrate_tenants`: another name of `manage.py migrate`, for those who look for it."""

from partners.management.commands.migrate import Command as Migrate


class Command(Migrate):
    """`manage.py migrate_tenants`."""

    help = "The same as migrate: bring the shared schema and every partner's schema up to date. Stopped half-way, run it again."
