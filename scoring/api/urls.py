"""Routes of scores, products, models and signing keys, and the names that earlier systems gave them."""

from django.urls import URLPattern, path

from scoring.api.cards import ModelCardView
from scoring.api.comparisons import ModelCompareView
from scoring.api.jobs import ScoreJobView
from scoring.api.outcomes import OutcomesView, ScoreOutcomesView
from scoring.api.products import ModelsView, ModelView, ProductsView, ProductView
from scoring.api.queues import QueuesView
from scoring.api.recourse import ScoreRecourseView
from scoring.api.registry import (
    ChallengerView,
    ChangesView,
    InForceView,
    PromotionConfirmationView,
    PromotionRefusalView,
    PromotionsView,
    PromotionView,
    PromotionWithdrawalView,
    RollbackView,
    RulesView,
)
from scoring.api.retraining import RetrainingPlanView, RetrainingsView, RetrainingView
from scoring.api.scores import ScoreBatchesView, ScoreExplanationView, ScoresView, ScoreView
from scoring.api.signing_keys import SigningKeysView
from scoring.api.statistics import StatisticsView, TopFeaturesView
from scoring.api.usage import UsageView

urlpatterns = [
    path("scores", ScoresView.as_view(), name="scores"),
    path("scores/<str:score_id>", ScoreView.as_view(), name="score"),
    path("scores/<str:score_id>/explanation", ScoreExplanationView.as_view(), name="score-explanation"),
    path("scores/<str:score_id>/recourse", ScoreRecourseView.as_view(), name="score-recourse"),
    path("scores/<str:score_id>/outcomes", ScoreOutcomesView.as_view(), name="score-outcomes"),
    path("outcomes", OutcomesView.as_view(), name="outcomes"),
    path("score-batches", ScoreBatchesView.as_view(), name="score-batches"),
    path("score-jobs/<str:job_id>", ScoreJobView.as_view(), name="score-job"),
    path("queues", QueuesView.as_view(), name="queues"),
    path("products", ProductsView.as_view(), name="products"),
    path("products/<slug:slug>", ProductView.as_view(), name="product"),
    path("products/<slug:slug>/in-force", InForceView.as_view(), name="product-in-force"),
    path("products/<slug:slug>/changes", ChangesView.as_view(), name="product-changes"),
    path("products/<slug:slug>/rules", RulesView.as_view(), name="product-rules"),
    path("products/<slug:slug>/rollback", RollbackView.as_view(), name="product-rollback"),
    path("products/<slug:slug>/challenger", ChallengerView.as_view(), name="product-challenger"),
    path("products/<slug:slug>/retraining", RetrainingPlanView.as_view(), name="retraining-plan"),
    path("retrainings", RetrainingsView.as_view(), name="retrainings"),
    path("retrainings/<str:job_id>", RetrainingView.as_view(), name="retraining"),
    path("promotions", PromotionsView.as_view(), name="promotions"),
    path("promotions/<str:promotion_id>", PromotionView.as_view(), name="promotion"),
    path("promotions/<str:promotion_id>/confirm", PromotionConfirmationView.as_view(), name="promotion-confirm"),
    path("promotions/<str:promotion_id>/refuse", PromotionRefusalView.as_view(), name="promotion-refuse"),
    path("promotions/<str:promotion_id>/withdraw", PromotionWithdrawalView.as_view(), name="promotion-withdraw"),
    path("models", ModelsView.as_view(), name="models"),
    path("models/<int:version>", ModelView.as_view(), name="model"),
    path("models/<int:version>/card", ModelCardView.as_view(), name="model-card"),
    path("models/<int:version>/compare", ModelCompareView.as_view(), name="model-comparison"),
    path("signing-keys", SigningKeysView.as_view(), name="signing-keys"),
    path("statistics", StatisticsView.as_view(), name="statistics"),
    path("top-features", TopFeaturesView.as_view(), name="top-features"),
    path("usage", UsageView.as_view(), name="usage"),
]

# What earlier systems called these routes, and the route to use instead: the same view, said to be going away.
EARLIER = {
    "score-user": "scores",
    "predict": "scores",
    "predict/batch": "score-batches",
    "batch-predict": "score-batches",
    "model-info": "models",
    "models/info": "models",
    "models/status": "models",
    "monitor/retrain": "retrainings",
}
# The same for the second version that one of them had beside its first, under /api/v2/.
EARLIER_V2 = {
    "predict": "scores",
    "predict/batch": "score-batches",
    "stats": "statistics",
    "top-features": "top-features",
    "api-keys/stats": "usage",
}
_VIEWS = {
    "scores": (ScoresView, ["post"]), "score-batches": (ScoreBatchesView, ["post"]),
    "models": (ModelsView, ["get", "head"]), "usage": (UsageView, ["get", "head"]),
    "retrainings": (RetrainingsView, ["post"]), "statistics": (StatisticsView, ["get", "head"]),
    "top-features": (TopFeaturesView, ["get", "head"]),
}  # fmt: skip


def _earlier(name: str, successor: str, prefix: str = "earlier") -> URLPattern:
    view, methods = _VIEWS[successor]
    return path(name, view.as_view(successor=f"/api/v1/{successor}", http_method_names=methods), name=f"{prefix}-{name.replace('/', '-')}")


urlpatterns += [_earlier(name, successor) for name, successor in EARLIER.items()]
urlpatterns_v2 = [_earlier(name, successor, "earlier-v2") for name, successor in EARLIER_V2.items()]
