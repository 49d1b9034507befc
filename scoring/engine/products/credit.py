"""Loans to market traders: a ready-made product, declared once, for partners who begin without a table of their own."""

from scoring.engine import texts
from scoring.engine.contract import Change, Contract, Input, InputKind
from scoring.engine.features import Feature
from scoring.engine.policy import Condition, KnockOut, Outcome, Policy
from scoring.engine.product import Product, Rule, Rules
from scoring.engine.synthetic import AREAS, STALLS
from scoring.engine.texts import Sentences

BASE_RATE = 0.2

INPUTS = (
    Input(
        name="loan_amount", kind=InputKind.NUMBER, label="Amount asked for", minimum=500, maximum=5_000_000, unit="KES",
        change=Change.DOWN,
        help="What the applicant would receive, without interest and fees.",
    ),
    Input(
        name="term_months", kind=InputKind.INTEGER, label="Months to repay", minimum=1, maximum=36, unit="months",
        change=Change.EITHER,
        help="From the first month to the last payment.",
    ),
    Input(
        name="monthly_revenue", kind=InputKind.NUMBER, label="Monthly sales", minimum=0, maximum=20_000_000, unit="KES",
        change=Change.NEVER,
        help="What the stall takes in an ordinary month, before costs.",
    ),
    Input(
        name="months_trading", kind=InputKind.INTEGER, label="Months of trading", minimum=0, maximum=720, unit="months",
        change=Change.NEVER,
        help="How long the applicant has sold in this trade, at this or another place.",
    ),
    Input(
        name="stall", kind=InputKind.CATEGORY, label="Kind of stall", categories=STALLS, change=Change.NEVER,
        help="What most of the sales come from.",
    ),
    Input(
        name="area", kind=InputKind.CATEGORY, label="Area", categories=AREAS, accepts_other=True, change=Change.NEVER,
        help="Where the stall stands.",
    ),
    Input(
        name="mobile_deposits_30d", kind=InputKind.INTEGER, label="Mobile money deposits in 30 days", minimum=0, maximum=1_000,
        change=Change.UP,
        help="How many deposits arrived on the stall's number in the last 30 days.",
    ),
    Input(
        name="savings_balance", kind=InputKind.NUMBER, label="Savings", required=False, minimum=0, maximum=20_000_000, unit="KES",
        change=Change.UP,
        help="In the bank, on the phone or with a group; leave empty if nobody asked.",
    ),
    Input(
        name="previous_loans", kind=InputKind.INTEGER, label="Earlier loans", minimum=0, maximum=200, change=Change.NEVER,
        help="Loans taken and ended before this one, with any lender.",
    ),
    Input(
        name="longest_delay_days", kind=InputKind.NUMBER, label="Longest delay on an earlier loan", required=False, minimum=0,
        maximum=3_650, unit="days", change=Change.NEVER, help="Leave empty if there was no earlier loan.",
    ),
    Input(
        name="savings_group_member", kind=InputKind.BOOLEAN, label="Member of a savings group", change=Change.UP,
        help="A tontine, chama or other group that saves together.",
    ),
    Input(
        name="age", kind=InputKind.INTEGER, label="Age", required=False, minimum=16, maximum=120, unit="years", is_protected=True,
        help="Kept to compare groups; no model reads it.",
    ),
    Input(
        name="gender", kind=InputKind.CATEGORY, label="Gender", required=False, categories=("female", "male"), is_protected=True,
        help="Kept to compare groups; no model reads it.",
    ),
)

FEATURES = (
    Feature(name="amount_to_sales", kind="ratio", inputs=("loan_amount", "monthly_revenue"), label="Loan in months of sales",
            group="Size of the loan", monotone=1),
    Feature(name="loan_amount", group="Size of the loan"),
    Feature(name="term_months", group="Size of the loan"),
    Feature(name="log_sales", kind="log", inputs=("monthly_revenue",), label="Monthly sales", group="Size of the loan"),
    Feature(name="months_trading", monotone=-1),
    Feature(name="stall"),
    Feature(name="area"),
    Feature(name="mobile_deposits_30d", monotone=-1),
    Feature(name="savings_balance", group="Savings", monotone=-1),
    Feature(name="savings_to_loan", kind="ratio", inputs=("savings_balance", "loan_amount"), label="Savings beside the loan",
            group="Savings", unit="%", monotone=-1),
    Feature(name="previous_loans"),
    Feature(name="longest_delay_days", monotone=1),
    Feature(name="savings_group_member"),
)  # fmt: skip

SENTENCES: Sentences = {
    "en": {
        **texts.SENTENCES["en"],
        "high": "{label} is {value}; applicants who repay usually have {usual} or less.",
        "low": "{label} is {value}; applicants who repay usually have {usual} or more.",
        "level": "{label} is {value}; other answers were repaid more often.",
        "value": "{label} is “{value}”; loans with “{usual}” were repaid more often.",
    },
    "fr": {
        **texts.SENTENCES["fr"],
        "high": "{label} : {value} ; les clients qui remboursent ont d'habitude {usual} ou moins.",
        "low": "{label} : {value} ; les clients qui remboursent ont d'habitude {usual} ou plus.",
        "level": "{label} : {value} ; d'autres réponses ont été remboursées plus souvent.",
        "value": "{label} : « {value} » ; les prêts avec « {usual} » ont été remboursés plus souvent.",
    },
}

TEXTS = {
    "amount_to_sales.high": {
        "en": "The loan is {value} months of your sales; applicants who repay usually ask for {usual} or less.",
        "fr": "Le prêt représente {value} mois de vos ventes ; les clients qui remboursent demandent d'habitude {usual} ou moins.",
    },
    "amount_to_sales.less": {
        "en": "The loan is {value} months of your sales; asking for less would count in your favour.",
        "fr": "Le prêt représente {value} mois de vos ventes ; demander moins compterait en votre faveur.",
    },
    "months_trading.low": {
        "en": "You have traded for {value}; applicants who repay usually have traded for {usual} or more.",
        "fr": "Vous vendez depuis {value} ; les clients qui remboursent vendent d'habitude depuis {usual} ou plus.",
    },
    "mobile_deposits_30d.low": {
        "en": "{value} mobile money deposits arrived in 30 days; applicants who repay usually receive {usual} or more.",
        "fr": "{value} dépôts de mobile money en 30 jours ; les clients qui remboursent en reçoivent d'habitude {usual} ou plus.",
    },
    "mobile_deposits_30d.more": {
        "en": "{value} mobile money deposits arrived in 30 days; more would count in your favour.",
        "fr": "{value} dépôts de mobile money en 30 jours ; davantage compterait en votre faveur.",
    },
    "previous_loans.low": {
        "en": "You had {value} loans before; applicants who repay usually had {usual} or more.",
        "fr": "Vous avez eu {value} prêts auparavant ; les clients qui remboursent en ont eu d'habitude {usual} ou plus.",
    },
    "previous_loans.high": {
        "en": "You had {value} loans before; applicants who repay usually had {usual} or fewer.",
        "fr": "Vous avez eu {value} prêts auparavant ; les clients qui remboursent en ont eu d'habitude {usual} ou moins.",
    },
    "term_months.low": {
        "en": "You would repay within {value}; applicants who repay usually take {usual} or more.",
        "fr": "Vous rembourseriez en {value} ; les clients qui remboursent prennent d'habitude {usual} ou plus.",
    },
    "term_months.high": {
        "en": "You would repay within {value}; applicants who repay usually take {usual} or less.",
        "fr": "Vous rembourseriez en {value} ; les clients qui remboursent prennent d'habitude {usual} ou moins.",
    },
    "savings_balance.low": {
        "en": "Your savings are {value}; applicants who repay usually have {usual} or more.",
        "fr": "Votre épargne est de {value} ; les clients qui remboursent ont d'habitude {usual} ou plus.",
    },
    "savings_to_loan.low": {
        "en": "Your savings are {value} of the loan; applicants who repay usually have {usual} or more.",
        "fr": "Votre épargne couvre {value} du prêt ; les clients qui remboursent ont d'habitude {usual} ou plus.",
    },
    "savings_to_loan.more": {
        "en": "Your savings are {value} of the loan; more savings would count in your favour.",
        "fr": "Votre épargne couvre {value} du prêt ; davantage d'épargne compterait en votre faveur.",
    },
    "savings_to_loan.missing": {
        "en": "Your savings are not known; telling them may change the answer.",
        "fr": "Votre épargne n'est pas connue ; l'indiquer peut changer la réponse.",
    },
    "longest_delay_days.high": {
        "en": "An earlier loan was paid {value} late; applicants who repay were late by {usual} at most.",
        "fr": "Un prêt passé a été payé avec {value} de retard ; les clients qui remboursent ont eu au plus {usual} de retard.",
    },
    "longest_delay_days.missing": {
        "en": "No earlier loan shows how you repay; applicants who repaid one on time usually repay again.",
        "fr": "Aucun prêt passé ne montre comment vous remboursez ; qui en a remboursé un à temps rembourse d'habitude de nouveau.",
    },
    "savings_group_member.no": {
        "en": "You are in no savings group; members of a group repaid more often.",
        "fr": "Vous n'êtes dans aucun groupe d'épargne ; les membres d'un groupe ont remboursé plus souvent.",
    },
}

LABELS = {
    "fr": {
        "amount_to_sales": "Prêt en mois de ventes", "loan_amount": "Montant demandé", "term_months": "Durée du remboursement",
        "log_sales": "Ventes mensuelles", "months_trading": "Ancienneté du commerce", "stall": "Type d'étal", "area": "Zone",
        "mobile_deposits_30d": "Dépôts de mobile money en 30 jours", "savings_balance": "Épargne",
        "savings_to_loan": "Épargne par rapport au prêt", "previous_loans": "Prêts précédents",
        "longest_delay_days": "Plus long retard sur un prêt passé", "savings_group_member": "Membre d'un groupe d'épargne",
        "monthly_revenue": "Ventes mensuelles", "age": "Âge", "gender": "Genre", "Size of the loan": "Taille du prêt", "Savings": "Épargne",
        "food": "alimentation", "clothing": "vêtements", "household": "articles ménagers", "electronics": "électronique",
        "services": "services", "central": "centre", "north": "nord", "east": "est", "coast": "côte", "lake": "lac",
        "female": "femme", "male": "homme",
        "What the applicant would receive, without interest and fees.": "Ce que le demandeur recevrait, sans intérêts ni frais.",
        "From the first month to the last payment.": "Du premier mois au dernier paiement.",
        "What the stall takes in an ordinary month, before costs.": "Ce que l'étal encaisse un mois ordinaire, avant les frais.",
        "How long the applicant has sold in this trade, at this or another place.":
            "Depuis quand le demandeur vend dans ce commerce, ici ou ailleurs.",
        "What most of the sales come from.": "Ce dont viennent la plupart des ventes.",
        "Where the stall stands.": "Où se trouve l'étal.",
        "How many deposits arrived on the stall's number in the last 30 days.":
            "Combien de dépôts sont arrivés sur le numéro de l'étal ces 30 derniers jours.",
        "In the bank, on the phone or with a group; leave empty if nobody asked.":
            "À la banque, sur le téléphone ou dans un groupe ; laissez vide si personne ne l'a demandé.",
        "Loans taken and ended before this one, with any lender.": "Prêts pris et terminés avant celui-ci, chez n'importe quel prêteur.",
        "Leave empty if there was no earlier loan.": "Laissez vide s'il n'y a pas eu de prêt avant.",
        "A tontine, chama or other group that saves together.": "Une tontine, une chama ou un autre groupe qui épargne ensemble.",
        "Kept to compare groups; no model reads it.": "Gardé pour comparer des groupes ; aucun modèle ne le lit.",
    },
}  # fmt: skip

RULES = Rules(
    base_probability=BASE_RATE,
    rules=(
        Rule("late_before", Condition("longest_delay_days", "gt", 30), 1.2, {
            "en": "An earlier loan was paid more than 30 days late.", "fr": "Un prêt passé a été payé avec plus de 30 jours de retard.",
        }),
        Rule("new_trader", Condition("months_trading", "lt", 6), 0.7, {
            "en": "You have traded for less than six months.", "fr": "Vous vendez depuis moins de six mois.",
        }),
        Rule("few_deposits", Condition("mobile_deposits_30d", "lt", 4), 0.4, {
            "en": "Fewer than four mobile money deposits arrived in 30 days.", "fr": "Moins de quatre dépôts de mobile money en 30 jours.",
        }),
        Rule("in_a_group", Condition("savings_group_member", "eq", True), -0.5, {
            "en": "You are a member of a savings group.", "fr": "Vous êtes membre d'un groupe d'épargne.",
        }),
    ),
)  # fmt: skip

MARKET_LOAN = Product(
    slug="market-loan", title="Market trader loan", contract=Contract(INPUTS), features=FEATURES, id_column="loan_id", target="defaulted",
    positive="1", rules=RULES, texts=TEXTS, sentences=SENTENCES, labels=LABELS,
)


_FIRST = Policy.for_base_rate(BASE_RATE, MARKET_LOAN.scale)
MARKET_LOAN_POLICY = Policy(
    approve_from=_FIRST.approve_from, decline_below=_FIRST.decline_below, bands=_FIRST.bands,
    knock_outs=(
        KnockOut("late_over_90_days", Condition("longest_delay_days", "gt", 90), Outcome.DECLINE, {
            "en": "An earlier loan was paid more than 90 days late.", "fr": "Un prêt passé a été payé avec plus de 90 jours de retard.",
        }),
        KnockOut("no_sales", Condition("monthly_revenue", "le", 0), Outcome.DECLINE, {
            "en": "No monthly sales were given.", "fr": "Aucune vente mensuelle n'a été indiquée.",
        }),
    ),
)  # fmt: skip
