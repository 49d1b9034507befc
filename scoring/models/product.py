"""Products, the model versions trained for them, the policies that decide by them, and who put which in force."""

from collections.abc import Mapping

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from audit.ids import uuid7
from scoring.errors import ModelVersionUnknown, ProductUnknown

_LISTED = 10


class Product(models.Model):
    """What is predicted for whom. The database raises `revision` by one whenever definition, champion or policy change; decisions are
    guarded by it, and `revisions` keeps what each one meant.

    A product is made together with its first policy: foreign keys are checked at commit, so either row may come first."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    slug = models.CharField(max_length=60, unique=True)
    title = models.CharField(max_length=120)
    kind = models.CharField(max_length=30)
    definition = models.JSONField()
    revision = models.PositiveIntegerField(default=1)
    champion = models.ForeignKey("scoring.ModelVersion", null=True, on_delete=models.PROTECT, related_name="+")
    policy = models.ForeignKey("scoring.Policy", on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ["slug"]
        constraints = [
            models.CheckConstraint(condition=Q(slug__regex=r"^[a-z](?:[a-z0-9]|-(?=[a-z0-9])){0,59}$"), name="product_slug_well_formed"),
            models.CheckConstraint(condition=Q(revision__gte=1), name="product_revision_counts_up"),
        ]

    def __str__(self) -> str:
        return self.slug

    @classmethod
    def unknown(cls, slug: str) -> ProductUnknown:
        """The refusal for a slug that no product has: it says which there are."""
        known = ", ".join(cls.objects.order_by("slug").values_list("slug", flat=True)[:_LISTED])
        hint = f"There are: {known}." if known else "There is none yet: make one with `manage.py create_product`."
        return ProductUnknown(f"There is no product '{slug}'. {hint}")

    def version_unknown(self, version: int) -> ModelVersionUnknown:
        """The refusal for a number that no version of the product has: it says which there are, newest first."""
        known = ", ".join(map(str, self.versions.order_by("-version").values_list("version", flat=True)[:_LISTED]))
        hint = f"There are: {known}." if known else "There is none yet: make one with `manage.py train_model`."
        return ModelVersionUnknown(f"Product '{self.slug}' has no model version {version}. {hint}")


class ProductRevision(models.Model):
    """What was in force for a product from one change to the next, written by the database itself whenever a product changes."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    product = models.ForeignKey(Product, on_delete=models.PROTECT, related_name="revisions")
    revision = models.PositiveIntegerField()
    definition = models.JSONField()
    champion = models.ForeignKey("scoring.ModelVersion", null=True, on_delete=models.PROTECT, related_name="+")
    policy = models.ForeignKey("scoring.Policy", on_delete=models.PROTECT, related_name="+")
    began_at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ["-revision"]
        constraints = [models.UniqueConstraint(fields=["product", "revision"], name="productrevision_one_number")]

    def __str__(self) -> str:
        return f"revision {self.revision}"


class ModelVersion(models.Model):
    """One trained model of a product as a signed bundle. What was trained never changes; only its state does, as TRANSITIONS allows."""

    class State(models.TextChoices):
        DRAFT = "draft", "Draft"
        CANDIDATE = "candidate", "Candidate"
        CHALLENGER = "challenger", "Challenger"
        CHAMPION = "champion", "Champion"
        RETIRED = "retired", "Retired"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    product = models.ForeignKey(Product, on_delete=models.PROTECT, related_name="versions")
    version = models.PositiveIntegerField()
    estimator = models.CharField(max_length=30)
    bundle = models.BinaryField()
    bundle_sha256 = models.BinaryField(max_length=32)
    metrics = models.JSONField(default=dict)
    state = models.CharField(max_length=10, choices=State, default=State.CANDIDATE)
    trained_at = models.DateTimeField(db_default=Now())
    trained_by = models.CharField(max_length=200, blank=True)
    trained_by_id = models.CharField(max_length=64, blank=True, db_default="")
    challenged_at = models.DateTimeField(null=True)    # since when it scores, or scored, in shadow
    shadowed_until = models.DateTimeField(null=True)    # the decisions of before have been scored
    promoted_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-version"]
        constraints = [
            models.UniqueConstraint(fields=["product", "version"], name="modelversion_one_number"),
            models.UniqueConstraint(fields=["product"], condition=Q(state="champion"), name="modelversion_one_champion"),
            models.UniqueConstraint(fields=["product"], condition=Q(state="challenger"), name="modelversion_one_challenger"),
            models.CheckConstraint(
                condition=Q(state__in=["draft", "candidate", "challenger", "champion", "retired"]), name="modelversion_state_known"
            ),
            models.CheckConstraint(condition=Q(version__gte=1), name="modelversion_version_counts_up"),
        ]

    def __str__(self) -> str:
        return f"version {self.version}"


_State = ModelVersion.State
# From each state, where a version may go next. A rollback takes the champion to retired and a retired one back.
TRANSITIONS: Mapping[str, frozenset[str]] = {
    _State.DRAFT: frozenset({_State.CANDIDATE, _State.RETIRED}),
    _State.CANDIDATE: frozenset({_State.DRAFT, _State.CHALLENGER, _State.CHAMPION, _State.RETIRED}),
    _State.CHALLENGER: frozenset({_State.CANDIDATE, _State.CHAMPION, _State.RETIRED}),
    _State.CHAMPION: frozenset({_State.RETIRED}),
    _State.RETIRED: frozenset({_State.CHALLENGER, _State.CHAMPION}),
}


class Policy(models.Model):
    """One version of a product's cut-offs and rules, never changed: an old decision is replayed with the policy it was made under."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    product = models.ForeignKey(Product, on_delete=models.PROTECT, related_name="policies")
    version = models.PositiveIntegerField()
    definition = models.JSONField()
    created_at = models.DateTimeField(db_default=Now())
    created_by = models.CharField(max_length=200, blank=True)

    class Meta:
        ordering = ["-version"]
        constraints = [
            models.UniqueConstraint(fields=["product", "version"], name="policy_one_number"),
            models.CheckConstraint(condition=Q(version__gte=1), name="policy_version_counts_up"),
        ]

    def __str__(self) -> str:
        return f"policy {self.version}"


class Promotion(models.Model):
    """One change of the model in force: who, when, why, from which to which. No version means the rules answer."""

    class Action(models.TextChoices):
        PROMOTE = "promote", "Promote"
        ROLLBACK = "rollback", "Roll back"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    product = models.ForeignKey(Product, on_delete=models.PROTECT, related_name="promotions")
    version = models.ForeignKey(ModelVersion, null=True, on_delete=models.PROTECT, related_name="+")
    previous = models.ForeignKey(ModelVersion, null=True, on_delete=models.PROTECT, related_name="+")
    action = models.CharField(max_length=10, choices=Action)
    actor = models.CharField(max_length=200)
    actor_kind = models.CharField(max_length=10, blank=True, db_default="")
    request = models.OneToOneField("scoring.PromotionRequest", null=True, on_delete=models.PROTECT, related_name="promotion")
    reason = models.CharField(max_length=500, blank=True)
    at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ["-at", "-id"]
        constraints = [
            models.CheckConstraint(condition=Q(action__in=["promote", "rollback"]), name="promotion_action_known"),
            # Whoever signs in puts nothing in force without a request, which two people have answered for.
            models.CheckConstraint(
                condition=~Q(action="promote") | Q(request__isnull=False) | ~Q(actor_kind__in=["user", "api_key"]),
                name="promotion_has_second_person",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.action} {self.version_id}"
