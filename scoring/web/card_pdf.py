"""A model card as a PDF that can be read aloud (PDF/UA-1)."""

import json
from dataclasses import asdict

from django.utils.translation import get_language
from django.utils.translation import gettext as _

from scoring.typesetting import typeset
from scoring.web.cards import ShownCard


def card_pdf(card: ShownCard) -> bytes:
    """The file: the same bytes for the same card."""
    content = {**asdict(card), "words": _words(), "language": (get_language() or "en")[:2]}
    return typeset("scoring/model_card.typ", given={"card": json.dumps(content)})


def _words() -> dict[str, str]:
    """What the template says itself."""
    return {
        "card": _("Model card"), "page": _("page"), "limits": _("What it cannot tell"), "figures": _("How good it is"),
        "ranks": _("How well it ranks"), "parts": _("How it parts good from bad"), "true": _("Do the probabilities come true"),
        "policy": _("What the policy would have made of it"), "tenths": _("Where the bad ones are"),
        "protected": _("How it meets protected groups"), "looks": _("What it looks at"),
        "points": _("Mean effect on the score, in points."), "features": _("Features"), "groups": _("Groups of features"),
        "moves": _("How values move the score"),
        "swarm": _(
            "One dot per case: left of the line it lowers the score, right it raises it. The darker, the higher the value; grey: a "
            "word, or not known. The dots of one feature cannot be joined with those of another."
        ),
        "steps": _("The bar is the mean, the band the middle 80% of the cases with such a value, over the share of the cases."),
        "points_table": _("The points"),
        "made_of": _("What it is made of"), "none": _("None."), "against": _("Against other versions"), "answers": _("Who answers for it"),
        "nobody": _("Nobody has asked to put it in force."), "made": _("How it was made"),
        "digest": _(
            "A promotion names the SHA-256 of the card: of what was written when the model was trained. The cut-offs, the other "
            "versions and who answers for it are as of the making of this file."
        ),
    }  # fmt: skip
