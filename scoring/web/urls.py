"""Pages about decisions, products and models."""

from django.urls import path

from scoring.web import batches, card_pages, guide, outcomes, pages, policy, queues, registry, retraining, rules

app_name = "scoring"
urlpatterns = [
    path("decisions", pages.DecisionListPage.as_view(), name="decision-list"),
    path("decisions/new", pages.DecisionNewPage.as_view(), name="decision-new"),
    path("decisions/<uuid:decision_id>", pages.DecisionDetailPage.as_view(), name="decision-detail"),
    path("decisions/<uuid:decision_id>/outcome", outcomes.OutcomePage.as_view(), name="outcome"),
    path("batches", batches.BatchListPage.as_view(), name="batch-list"),
    path("batches/new", batches.BatchNewPage.as_view(), name="batch-new"),
    path("batches/template/<slug:product>", batches.BatchTemplate.as_view(), name="batch-template"),
    path("batches/<uuid:batch_id>", batches.BatchDetailPage.as_view(), name="batch-detail"),
    path("batches/<uuid:batch_id>/columns", batches.BatchColumnsPage.as_view(), name="batch-columns"),
    path("batches/<uuid:batch_id>/result", batches.BatchResultDownload.as_view(), name="batch-result"),
    path("batches/<uuid:batch_id>/errors", batches.BatchErrorsDownload.as_view(), name="batch-errors"),
    path("developers/guide", guide.GuidePage.as_view(), name="guide"),
    path("developers/queues", queues.QueueListPage.as_view(), name="queue-list"),
    path("products", pages.ProductListPage.as_view(), name="product-list"),
    path("products/<slug:slug>", pages.ProductDetailPage.as_view(), name="product-detail"),
    path("products/<slug:slug>/rules", rules.ProductRulesPage.as_view(), name="product-rules"),
    path("products/<slug:slug>/policy", policy.ProductPolicyPage.as_view(), name="product-policy"),
    path("models", pages.ModelListPage.as_view(), name="model-list"),
    path("models/<slug:product>/<int:version>", pages.ModelDetailPage.as_view(), name="model-detail"),
    path("models/<slug:product>/<int:version>/card", card_pages.ModelCardPage.as_view(), name="model-card"),
    path("models/<slug:product>/<int:version>/card.pdf", card_pages.ModelCardPdf.as_view(), name="model-card-pdf"),
    path("models/<slug:product>/<int:version>/act", registry.ModelActPage.as_view(), name="model-act"),
    path("models/<slug:product>/history", registry.ModelHistoryPage.as_view(), name="model-history"),
    path("models/<slug:product>/retraining", retraining.ModelRetrainingPage.as_view(), name="model-retraining"),
    path("models/<slug:product>/compare", registry.ModelComparePage.as_view(), name="model-compare"),
]
