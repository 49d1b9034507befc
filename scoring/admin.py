"""Scoring in the admin: decisions, products, model versions, jobs; looked at, never changed."""

from typing import Any, ClassVar

from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _

from audit.admin_pages import ReadOnly, column
from audit.days import day_of, id_of


class DecisionAdmin(ReadOnly):
    """Decisions without what is sealed in them: that is opened on the portal's own page, which records who looked."""

    permission = "decision.read"
    title = _("Decisions")
    about = _("What was decided. Nothing here can be changed, by anybody.")
    list_display = (
        column(_("Decision"), lambda decision: decision.id),
        column(_("Time"), lambda decision: decision.created_at),
        column(_("Product"), lambda decision: decision.product.slug),
        column(_("Score"), lambda decision: decision.score),
        column(_("Band"), lambda decision: decision.band),
        column(_("Outcome"), lambda decision: decision.outcome),
    )
    fields: ClassVar[Any] = (
        *list_display,
        column(_("Answered by"), lambda decision: decision.answered_by),
        column(_("Model version"), lambda decision: decision.model_version and decision.model_version.version),
        column(_("Policy"), lambda decision: decision.policy.version),
        column(_("Channel"), lambda decision: decision.channel),
        column(_("Kind of actor"), lambda decision: decision.actor_kind),
        column(_("Id of the actor"), lambda decision: decision.actor_id),
        column(_("Request"), lambda decision: decision.request_id),
    )
    ordering = ("-created_at", "-id")
    list_select_related: ClassVar[Any] = ("product",)
    search_fields = ("id",)
    search_help_text = _("The id of a decision, or a day (2026-11-21).")

    def get_queryset(self, request: Any) -> QuerySet[Any]:
        """Without what is sealed."""
        return super().get_queryset(request).defer("sealed", "product__definition")

    def search(self, found: QuerySet[Any], term: str) -> QuerySet[Any]:
        """By id or day, each with its index."""
        if (day := day_of(term)) is not None:
            return found.filter(created_at__gte=day[0], created_at__lt=day[1])
        return found.none() if (decision_id := id_of(term)) is None else found.filter(id=decision_id)


class ProductAdmin(ReadOnly):
    """What is predicted for whom, and in which words."""

    permission = "product.read"
    title = _("Products")
    about = _("What is predicted for whom. The texts of their reasons can be taken away as a file and brought back.")
    list_display = (
        column(_("Product"), lambda product: product.slug),
        column(_("Title"), lambda product: product.title),
        column(_("Kind"), lambda product: product.kind),
        column(_("Revision"), lambda product: product.revision),
        column(_("Reason texts"), lambda product: len(product.definition.get("texts", {}))),
    )
    fields: ClassVar[Any] = (*list_display, column(_("Since"), lambda product: product.created_at))
    ordering = ("slug",)
    search_fields = ("slug",)
    search_help_text = _("The slug of a product.")

    def search(self, found: QuerySet[Any], term: str) -> QuerySet[Any]:
        """By slug."""
        return found.filter(slug=term)


class ModelVersionAdmin(ReadOnly):
    """What was trained, and what is in force."""

    permission = "model.read"
    title = _("Model versions")
    about = _("What was trained and what is in force. They are promoted on the model's own page, by two people.")
    list_display = (
        column(_("Version"), lambda version: f"{version.product.slug} {version.version}"),
        column(_("State"), lambda version: version.state),
        column(_("Learner"), lambda version: version.estimator),
        column(_("Trained"), lambda version: version.trained_at),
        column(_("By"), lambda version: version.trained_by),
    )
    fields: ClassVar[Any] = (
        *list_display,
        column(_("Promoted"), lambda version: version.promoted_at),
        column(_("SHA-256 of the bundle"), lambda version: bytes(version.bundle_sha256).hex()),
    )
    ordering = ("-id",)
    list_select_related: ClassVar[Any] = ("product",)
    search_fields = ("product",)
    search_help_text = _("The slug of a product.")

    def get_queryset(self, request: Any) -> QuerySet[Any]:
        """Without the bundles."""
        return super().get_queryset(request).defer("bundle", "metrics", "product__definition")

    def search(self, found: QuerySet[Any], term: str) -> QuerySet[Any]:
        """By product."""
        return found.filter(product__slug=term)


class JobAdmin(ReadOnly):
    """Work that goes on without anybody waiting."""

    permission = "decision.read"
    title = _("Jobs")
    about = _("Work that goes on without anybody waiting for it, and how it ended.")
    list_display = (
        column(_("Kind"), lambda job: job.kind),
        column(_("State"), lambda job: job.state),
        column(_("Done"), lambda job: f"{job.done} / {job.total}"),
        column(_("Failed"), lambda job: job.failed),
        column(_("Since"), lambda job: job.created_at),
        column(_("Ended"), lambda job: job.finished_at),
    )
    fields: ClassVar[Any] = (
        *list_display,
        column(_("Problem"), lambda job: job.problem),
        column(_("Attempts"), lambda job: job.attempts),
    )
    ordering = ("-id",)
    search_fields = ("id",)
    search_help_text = _("The id of a job.")

    def search(self, found: QuerySet[Any], term: str) -> QuerySet[Any]:
        """By id."""
        return found.none() if (job_id := id_of(term)) is None else found.filter(id=job_id)
