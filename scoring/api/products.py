"""Products and model versions over HTTP: what can be scored, what it asks for, which models there are."""

from django.http import HttpResponse
from rest_framework.request import Request

from partners.accounts.roles import Permission
from partners.api.bodies import decode, read_body
from partners.api.description import described, path, query
from partners.api.errors import Fault, QueryRefused
from partners.api.queries import read_query, text
from partners.api.views import ApiView, answer, principal_of
from scoring import registry, selectors
from scoring.api.answers import ModelList, ModelListed, ProductDescribed, ProductList, model_listed, product_listed
from scoring.api.examples import example_inputs
from scoring.api.registry_bodies import ModelChange
from scoring.errors import ModelVersionUnknown
from scoring.services.models import offer_model, retire_model

_PRODUCT = query("product", "Only this product.")


class ProductsView(ApiView):
    """What the partner scores."""

    permissions = {"GET": Permission.PRODUCT_READ}

    @described("List products", operation="product_list", gives=ProductList)
    def get(self, request: Request) -> HttpResponse:
        """Every product and what is in force for it."""
        read_query(request, {})
        return answer(ProductList([product_listed(one) for one in selectors.products()]))


class ProductView(ApiView):
    """One product."""

    permissions = {"GET": Permission.PRODUCT_READ}

    @described(
        "Look at one product", operation="product_read", gives=ProductDescribed, refuses=(404,), parameters=(path("slug", "The product."),),
        text="`contract` is the JSON Schema (2020-12) of `inputs`; `example` is a body that POST /api/v1/scores takes.",
    )  # fmt: skip
    def get(self, request: Request, slug: str) -> HttpResponse:
        """The product with its contract."""
        listed = product_listed(selectors.product(slug))
        contract = registry.current(slug).definition.contract
        example = {"product": slug, "applicant": {"reference": "your-reference-1"}, "inputs": example_inputs(contract)}
        return answer(
            ProductDescribed(
                listed.slug, listed.title, listed.kind, listed.model, listed.policy, listed.created_at, contract.json_schema(), example
            )
        )


class ModelsView(ApiView):
    """The models that were trained."""

    permissions = {"GET": Permission.MODEL_READ}

    @described("List model versions", operation="model_list", gives=ModelList, refuses=(400, 404), parameters=(_PRODUCT,))
    def get(self, request: Request) -> HttpResponse:
        """Model versions of one product or of all."""
        wanted = read_query(request, {"product": text})
        return answer(ModelList([model_listed(one) for one in selectors.model_versions(wanted.get("product"))]))


class ModelView(ApiView):
    """One model version. Versions count per product, so that the product must be named where there is more than one."""

    permissions = {"GET": Permission.MODEL_READ, "PATCH": Permission.MODEL_TRAIN}

    @described(
        "Look at one model version", operation="model_read", gives=ModelListed, refuses=(400, 404),
        parameters=(
            path("version", "The version of the product's model.", type="integer", minimum=1),
            query("product", "Whose version; may be left out while there is one product."),
        ),
    )  # fmt: skip
    def get(self, request: Request, version: int) -> HttpResponse:
        """The version with its figures."""
        product = read_query(request, {"product": text}).get("product") or only_product()
        if version > 2**31 - 1:
            raise ModelVersionUnknown
        return answer(model_listed(selectors.model_version(product, version)))

    @described(
        "Offer or retire a model version", operation="model_change", takes=ModelChange, gives=ModelListed, refuses=(404, 409),
        parameters=(
            path("version", "The version of the product's model.", type="integer", minimum=1),
            query("product", "Whose version; may be left out while there is one product."),
        ),
        text="A draft becomes a candidate, with a reason if it ranks like chance; what is not in force may be retired, with a reason.",
    )  # fmt: skip
    def patch(self, request: Request, version: int) -> HttpResponse:
        """The version is in this state."""
        product = read_query(request, {"product": text}).get("product") or only_product()
        asked, actor = decode(read_body(request), ModelChange), principal_of(request).actor
        if asked.state == "candidate":
            offer_model(product_slug=product, version=version, actor=actor, reason=asked.reason or "")
        else:
            retire_model(product_slug=product, version=version, actor=actor, reason=asked.reason or "")
        return answer(model_listed(selectors.model_version(product, version)))


def only_product() -> str:
    """The slug, where there is one product. Raises ModelVersionUnknown, and QueryRefused where there are several."""
    slugs = [one.slug for one in selectors.products()]
    if not slugs:
        raise ModelVersionUnknown
    if len(slugs) > 1:
        raise QueryRefused([Fault("product", "required", "Say which product's version: there are several products.", is_parameter=True)])
    return slugs[0]
