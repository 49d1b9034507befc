"""Products, the model versions trained for them, the policies that decide by them, and who put which in force."""

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
    """One trained model of a product as a signed bundle. What was trained never changes; only its state does."""

    class State(models.TextChoices):
        CANDIDATE = "candidate", "Candidate"
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
    promoted_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-version"]
        constraints = [
            models.UniqueConstraint(fields=["product", "version"], name="modelversion_one_number"),
            models.UniqueConstraint(fields=["product"], condition=Q(state="champion"), name="modelversion_one_champion"),
            models.CheckConstraint(condition=Q(state__in=["candidate", "champion", "retired"]), name="modelversion_state_known"),
            models.CheckConstraint(condition=Q(version__gte=1), name="modelversion_version_counts_up"),
        ]

    def __str__(self) -> str:
        return f"version {self.version}"


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
    reason = models.CharField(max_length=500, blank=True)
    at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ["-at", "-id"]
        constraints = [models.CheckConstraint(condition=Q(action__in=["promote", "rollback"]), name="promotion_action_known")]

    def __str__(self) -> str:
        return f"{self.action} {self.version_id}"
