"""A model card as a page and as a PDF."""

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render

from partners.accounts.roles import Permission
from partners.accounts.web.access import Page
from scoring import selectors
from scoring.errors import CardMissing, ModelRefused, ModelVersionUnknown, ProductUnknown
from scoring.web.card_pdf import card_pdf
from scoring.web.cards import ShownCard, shown_card


class ModelCardPage(Page):
    """What a reviewer reads before a version is put in force."""

    permission = Permission.MODEL_READ

    def get(self, request: HttpRequest, product: str, version: int) -> HttpResponse:
        """The card, or what stands against it."""
        try:
            card = shown_card(selectors.model_card(product, version))
        except (ProductUnknown, ModelVersionUnknown) as error:
            raise Http404 from error
        except (CardMissing, ModelRefused) as refusal:
            context = {"product": product, "version": version, "problem": refusal.detail}
            return render(request, "scoring/model_card_missing.html", context, status=409)
        return self.answer(card, product)

    def answer(self, card: ShownCard, product: str) -> HttpResponse:
        """As a page."""
        return render(self.request, "scoring/model_card.html", {"card": card, "product": product})


class ModelCardPdf(ModelCardPage):
    """The same as one file."""

    def answer(self, card: ShownCard, product: str) -> HttpResponse:
        """As a PDF."""
        headers = {"Content-Disposition": f'inline; filename="model-card-{product}-{card.version}.pdf"'}
        return HttpResponse(card_pdf(card), content_type="application/pdf", headers=headers)
