"""Approvals: applications for money and what people decide about them."""

from importlib import import_module

from django.apps import AppConfig

from audit.retention.registry import find_applicants, keep


class ApprovalsConfig(AppConfig):
    name = "portal.approvals"
    label = "approvals"
    default_auto_field = "django.db.models.BigAutoField"
    verbose_name = "Approvals"
    # A partner's role may INSERT and SELECT here and nothing else; a trigger refuses the rest to everybody.
    append_only_tables = (
        "approvals_review", "approvals_approvalpolicy", "approvals_note", "approvals_applicationfile", "approvals_noticesettings",
        "approvals_notice",
    )  # fmt: skip
    # As scoring's: after it, for rules for people are about its products.
    sandbox_copy = ("portal.approvals.services.sandboxes.read_rules", "portal.approvals.services.sandboxes.write_rules")

    def ready(self) -> None:
        """Lists can be taken away; what is held of applicants is known, and whoever objects to a decision is heard here."""
        import_module("portal.approvals.exports").declare_lists()    # it needs the models, which are there only now
        import_module("portal.approvals.privacy").register()
        kept = import_module("portal.approvals.retention")    # models can be imported only now
        keep(kept.FILES, kept.APPLICANTS)    # in this order: a file goes by its own rules before its applicant does
        find_applicants(
            applicant=kept.known_applicant, application=kept.applicant_of_application, decision=kept.applicant_of_decision
        )
