"""Routes of scores, products and models, and the names that earlier systems gave them."""

from django.urls import path

from scoring.api.products import ModelsView, ModelView, ProductsView, ProductView
from scoring.api.scores import ScoreBatchesView, ScoreExplanationView, ScoresView, ScoreView

_SCORES = "/api/v1/scores"
_BATCHES = "/api/v1/score-batches"
_MODELS = "/api/v1/models"

urlpatterns = [
    path("scores", ScoresView.as_view(), name="scores"),
    path("scores/<str:score_id>", ScoreView.as_view(), name="score"),
    path("scores/<str:score_id>/explanation", ScoreExplanationView.as_view(), name="score-explanation"),
    path("score-batches", ScoreBatchesView.as_view(), name="score-batches"),
    path("products", ProductsView.as_view(), name="products"),
    path("products/<str:slug>", ProductView.as_view(), name="product"),
    path("models", ModelsView.as_view(), name="models"),
    path("models/<int:version>", ModelView.as_view(), name="model"),
    path("score-user", ScoresView.as_view(successor=_SCORES, http_method_names=["post"]), name="earlier-score-user"),
    path("predict", ScoresView.as_view(successor=_SCORES, http_method_names=["post"]), name="earlier-predict"),
    path("predict/batch", ScoreBatchesView.as_view(successor=_BATCHES), name="earlier-predict-batch"),
    path("batch-predict", ScoreBatchesView.as_view(successor=_BATCHES), name="earlier-batch-predict"),
    path("model-info", ModelsView.as_view(successor=_MODELS), name="earlier-model-info"),
    path("models/info", ModelsView.as_view(successor=_MODELS), name="earlier-models-info"),
    path("models/status", ModelsView.as_view(successor=_MODELS), name="earlier-models-status"),
]
