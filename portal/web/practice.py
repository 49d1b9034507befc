"""Three invented applications for practice, and what follows from each decision on them. Nobody here is real, and nothing is stored."""

from collections.abc import Mapping
from dataclasses import dataclass

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

Text = str | Promise


@dataclass(frozen=True, slots=True)
class Case:
    """One invented application. `answers`: by decision, whether it is what one would expect, and what follows."""

    who: str
    asks: Text
    product: Text
    score: int
    band: str
    outcome: str
    limit: Text
    reasons: tuple[tuple[Text, Text, str], ...]    # the sentence, the weight in words, its width
    speaks_for: tuple[Text, ...]
    answers: Mapping[str, tuple[bool, Text]]


MOVES: Mapping[str, Text] = {
    "approve": _("Approve"), "counter": _("Offer something else"), "decline": _("Decline"), "ask": _("Ask for information"),
}  # fmt: skip

CASES = (
    Case(
        who="Neema Tabora", asks="KES\N{NO-BREAK SPACE}40,000", product=_("Loan for a market stall, 6 months"), score=694, band="LOW",
        outcome="refer", limit=_("One person may lend up to KES 100,000."),
        reasons=(
            (_("The stall has traded for 14 months."), _("Counts"), "45%"),
            (_("The loan is 1.3 times the revenue of one month."), _("Counts a little"), "20%"),
        ),
        speaks_for=(_("Three earlier loans were repaid on time."), _("Money came in by phone on 26 of the last 30 days.")),
        answers={
            "approve": (True, _(
                "This is what one would expect. The reasons are light and the history is good. The application is approved at "
                "once, because the amount is below your limit and the model leaves it to you."
            )),
            "counter": (True, _(
                "Possible. Say with the offer why a smaller amount is safer. The applicant has to accept it before anything is "
                "paid."
            )),
            "decline": (False, _(
                "Three loans repaid on time speak against it. If you decline all the same, choose the reason that is true: the "
                "applicant reads it in the letter."
            )),
            "ask": (False, _(
                "Everything that is needed is there. Ask only for what could change your decision; the clock stands still for "
                "nobody."
            )),
        },
    ),
    Case(
        who="Juma Rweyemamu", asks="KES\N{NO-BREAK SPACE}180,000", product=_(
            "Loan for a market stall, 12 months"
        ), score=731, band="VERY_LOW",
        outcome="approve", limit=_("One person may lend up to KES 100,000."),
        reasons=((_("The loan is 2.4 times the revenue of one month."), _("Counts a lot"), "70%"),),
        speaks_for=(_("Five earlier loans were repaid on time."), _("Savings are a third of the loan.")),
        answers={
            "approve": (True, _(
                "Right, and it is not the end: the amount is above your limit, so a second person has to agree. You propose, "
                "somebody else reads the case and answers. You cannot agree to your own proposal."
            )),
            "counter": (True, _(
                "Possible: up to KES 100,000 you decide alone; above it a second person has to agree to the offer as well."
            )),
            "decline": (False, _(
                "That goes against the model, so it needs a reason from the list for deciding otherwise, and a second person."
            )),
            "ask": (True, _(
                "Possible, for instance for proof of the savings. The application then waits as “looked at, incomplete”, and "
                "everybody sees that somebody did look."
            )),
        },
    ),
    Case(
        who="Zuberi Mwakyusa", asks="KES\N{NO-BREAK SPACE}25,000", product=_(
            "Loan for a market stall, 3 months"
        ), score=512, band="VERY_HIGH",
        outcome="decline", limit=_("One person may lend up to KES 100,000."),
        reasons=(
            (_("An earlier loan was repaid 71 days late."), _("Counts most"), "95%"),
            (_("The savings account is empty."), _("Counts"), "40%"),
            (_("The stall has traded for 4 months."), _("Counts a little"), "25%"),
        ),
        speaks_for=(_("Belongs to a savings group."),),
        answers={
            "approve": (False, _(
                "That goes against the model. It is allowed when you know something the model does not, such as a guarantee: "
                "choose that reason from the list. A second person has to agree."
            )),
            "counter": (False, _(
                "The model speaks against any amount, so an offer needs a reason for deciding otherwise and a second person, too."
            )),
            "decline": (True, _(
                "This is what one would expect. The letter names the late repayment first, in plain words, and says what would "
                "change the decision."
            )),
            "ask": (True, _(
                "Possible, if there may be a mistake: ask for the statement of the earlier loan. A wrong record is corrected, not "
                "argued away."
            )),
        },
    ),
)  # fmt: skip


def answer_to(case: Case, choice: str) -> tuple[bool, Text] | None:
    """Whether the decision is what one would expect, and what follows; None without one."""
    return case.answers.get(choice)
