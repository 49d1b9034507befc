"""Tontine credit: loans to members of a savings group, judged by what the group knows of them; a ready-made product."""

from scoring.engine.contract import Change, Contract, Input, InputKind
from scoring.engine.features import Feature
from scoring.engine.policy import Condition, KnockOut, Outcome, Policy
from scoring.engine.product import Product, Rule, Rules
from scoring.engine.products.credit import SENTENCES

BASE_RATE = 0.2

INPUTS = (
    Input(
        name="tontine_contributions", kind=InputKind.NUMBER, label="Contributions in all", minimum=0, maximum=50_000_000, unit="KES",
        change=Change.UP,
        help="What the member has paid into the group in the last 12 months.",
    ),
    Input(
        name="punctuality_rate", kind=InputKind.NUMBER, label="Share of contributions paid on time", required=False, minimum=0, maximum=1,
        change=Change.NEVER,
        help="From 0 to 1: 0.9 means nine of ten. Leave empty if none was due yet.",
    ),
    Input(
        name="contributions_count", kind=InputKind.INTEGER, label="Number of contributions", minimum=0, maximum=1_000,
        change=Change.NEVER,
        help="How many times the member has paid in the last 12 months.",
    ),
    Input(
        name="mobile_tx_volume", kind=InputKind.NUMBER, label="Mobile money in 30 days", required=False, minimum=0, maximum=50_000_000,
        unit="KES", change=Change.NEVER,
        help="What came in and went out on the member's number in the last 30 days; leave empty if it is not known.",
    ),
    Input(
        name="avg_payment_delay_days", kind=InputKind.NUMBER, label="Average delay of a contribution", required=False, minimum=0,
        maximum=365, unit="days", change=Change.NEVER,
        help="Days after the day agreed, on average; 0 for on time. Leave empty if none was due yet.",
    ),
    Input(
        name="community_endorsements", kind=InputKind.INTEGER, label="Members who vouch", minimum=0, maximum=100,
        change=Change.UP,
        help="How many other members of the group have said that they vouch for this one.",
    ),
)

FEATURES = (
    Feature(name="punctuality_rate", group="Punctuality", unit="%", monotone=-1),
    Feature(name="avg_payment_delay_days", group="Punctuality", monotone=1),
    Feature(name="contributions_count", group="Contributions", monotone=-1),
    Feature(name="each_contribution", kind="ratio", inputs=("tontine_contributions", "contributions_count"), unit="KES",
            label="One contribution on average", group="Contributions", monotone=-1),
    Feature(name="log_contributions", kind="log", inputs=("tontine_contributions",), label="Contributions in all",
            group="Contributions", monotone=-1),
    Feature(name="log_mobile", kind="log", inputs=("mobile_tx_volume",), label="Mobile money in 30 days", monotone=-1),
    Feature(name="community_endorsements", monotone=-1),
)  # fmt: skip

TEXTS = {
    "punctuality_rate.low": {
        "en": "You paid {value} of your contributions on time; members who repay usually paid {usual} or more on time.",
        "fr": "Vous avez payé {value} de vos cotisations à temps ; les membres qui remboursent en paient d'habitude {usual} ou plus.",
    },
    "punctuality_rate.more": {
        "en": "You paid {value} of your contributions on time; paying more of them on time would count in your favour.",
        "fr": "Vous avez payé {value} de vos cotisations à temps ; en payer davantage à temps compterait en votre faveur.",
    },
    "punctuality_rate.missing": {
        "en": "No contribution shows yet how punctually you pay; members who paid on time usually repay.",
        "fr": "Aucune cotisation ne montre encore votre ponctualité ; qui a cotisé à temps rembourse d'habitude.",
    },
    "avg_payment_delay_days.high": {
        "en": "Your contributions came {value} late on average; those of members who repay come {usual} late or less.",
        "fr": "Vos cotisations sont arrivées avec {value} de retard en moyenne ; chez les membres qui remboursent, {usual} ou moins.",
    },
    "avg_payment_delay_days.less": {
        "en": "Your contributions came {value} late on average; a shorter delay would count in your favour.",
        "fr": "Vos cotisations sont arrivées avec {value} de retard en moyenne ; un retard plus court compterait en votre faveur.",
    },
    "avg_payment_delay_days.missing": {
        "en": "No contribution shows yet with what delay you pay; members who paid without delay usually repay.",
        "fr": "Aucune cotisation ne montre encore votre délai de paiement ; qui a cotisé sans retard rembourse d'habitude.",
    },
    "contributions_count.low": {
        "en": "You have contributed {value} times; members who repay usually have contributed {usual} times or more.",
        "fr": "Vous avez cotisé {value} fois ; les membres qui remboursent ont d'habitude cotisé {usual} fois ou plus.",
    },
    "contributions_count.more": {
        "en": "You have contributed {value} times; more contributions would count in your favour.",
        "fr": "Vous avez cotisé {value} fois ; davantage de cotisations compteraient en votre faveur.",
    },
    "each_contribution.low": {
        "en": "You pay {value} each time on average; members who repay usually pay {usual} or more.",
        "fr": "Vous payez {value} chaque fois en moyenne ; les membres qui remboursent paient d'habitude {usual} ou plus.",
    },
    "each_contribution.more": {
        "en": "You pay {value} each time on average; larger contributions would count in your favour.",
        "fr": "Vous payez {value} chaque fois en moyenne ; des cotisations plus élevées compteraient en votre faveur.",
    },
    "each_contribution.missing": {
        "en": "You have not contributed yet; members who have contributed several times usually repay.",
        "fr": "Vous n'avez pas encore cotisé ; les membres qui ont cotisé plusieurs fois remboursent d'habitude.",
    },
    "log_contributions.low": {
        "en": "You have paid {value} into the group; members who repay usually have paid {usual} or more.",
        "fr": "Vous avez versé {value} au groupe ; les membres qui remboursent ont d'habitude versé {usual} ou plus.",
    },
    "log_contributions.more": {
        "en": "You have paid {value} into the group; more would count in your favour.",
        "fr": "Vous avez versé {value} au groupe ; davantage compterait en votre faveur.",
    },
    "log_mobile.low": {
        "en": "Your mobile money moved {value} in 30 days; that of members who repay usually moves {usual} or more.",
        "fr": "Votre mobile money a atteint {value} en 30 jours ; chez les membres qui remboursent, d'habitude {usual} ou plus.",
    },
    "log_mobile.more": {
        "en": "Your mobile money moved {value} in 30 days; more would count in your favour.",
        "fr": "Votre mobile money a atteint {value} en 30 jours ; davantage compterait en votre faveur.",
    },
    "log_mobile.missing": {
        "en": "Your mobile money is not known; telling what moved in 30 days may change the answer.",
        "fr": "Votre mobile money n'est pas connu ; indiquer les mouvements de 30 jours peut changer la réponse.",
    },
    "community_endorsements.low": {
        "en": "Members who vouch for you: {value}; those who repay usually have {usual} or more.",
        "fr": "Membres qui se portent garants de vous : {value} ; ceux qui remboursent en ont d'habitude {usual} ou plus.",
    },
    "community_endorsements.more": {
        "en": "Members who vouch for you: {value}; more would count in your favour.",
        "fr": "Membres qui se portent garants de vous : {value} ; davantage compterait en votre faveur.",
    },
}

LABELS = {
    "fr": {
        "punctuality_rate": "Part des cotisations payées à temps", "avg_payment_delay_days": "Retard moyen d'une cotisation",
        "contributions_count": "Nombre de cotisations", "each_contribution": "Une cotisation en moyenne",
        "log_contributions": "Total des cotisations", "log_mobile": "Mobile money en 30 jours",
        "community_endorsements": "Membres qui se portent garants",
        "tontine_contributions": "Total des cotisations", "mobile_tx_volume": "Mobile money en 30 jours", "Punctuality": "Ponctualité",
        "Contributions": "Cotisations",
        "What the member has paid into the group in the last 12 months.": "Ce que le membre a versé au groupe ces 12 derniers mois.",
        "From 0 to 1: 0.9 means nine of ten. Leave empty if none was due yet.":
            "De 0 à 1 : 0,9 veut dire neuf sur dix. Laissez vide si aucune n'était encore due.",
        "How many times the member has paid in the last 12 months.": "Combien de fois le membre a payé ces 12 derniers mois.",
        "What came in and went out on the member's number in the last 30 days; leave empty if it is not known.":
            "Ce qui est entré et sorti sur le numéro du membre ces 30 derniers jours ; laissez vide si ce n'est pas connu.",
        "Days after the day agreed, on average; 0 for on time. Leave empty if none was due yet.":
            "Jours après le jour convenu, en moyenne ; 0 si à temps. Laissez vide si aucune n'était encore due.",
        "How many other members of the group have said that they vouch for this one.":
            "Combien d'autres membres du groupe ont dit se porter garants de celui-ci.",
    },
}  # fmt: skip

# No rule asks for an amount of money: the same declaration serves lenders of every currency.
RULES = Rules(
    base_probability=BASE_RATE,
    rules=(
        Rule("contributes_late", Condition("avg_payment_delay_days", "gt", 7), 0.9, {
            "en": "Your contributions come more than seven days late on average.",
            "fr": "Vos cotisations arrivent avec plus de sept jours de retard en moyenne.",
        }),
        Rule("seldom_on_time", Condition("punctuality_rate", "lt", 0.7), 0.8, {
            "en": "Fewer than seven of ten contributions were paid on time.",
            "fr": "Moins de sept cotisations sur dix ont été payées à temps.",
        }),
        Rule("few_contributions", Condition("contributions_count", "lt", 6), 0.6, {
            "en": "You have contributed fewer than six times in 12 months.", "fr": "Vous avez cotisé moins de six fois en 12 mois.",
        }),
        Rule("nobody_vouches", Condition("community_endorsements", "lt", 1), 0.5, {
            "en": "No other member of the group vouches for you.", "fr": "Aucun autre membre du groupe ne se porte garant de vous.",
        }),
        Rule("no_mobile_money", Condition("mobile_tx_volume", "le", 0), 0.3, {
            "en": "No mobile money moved on your number in 30 days.", "fr": "Aucun mouvement de mobile money sur votre numéro en 30 jours.",
        }),
        Rule("always_on_time", Condition("punctuality_rate", "ge", 0.95), -0.7, {
            "en": "Nearly all of your contributions were paid on time.", "fr": "Presque toutes vos cotisations ont été payées à temps.",
        }),
        Rule("several_vouch", Condition("community_endorsements", "ge", 3), -0.4, {
            "en": "Three or more members of the group vouch for you.", "fr": "Trois membres du groupe ou plus se portent garants de vous.",
        }),
    ),
)  # fmt: skip

TONTINE_CREDIT = Product(
    slug="tontine-credit", title="Tontine credit", contract=Contract(INPUTS), features=FEATURES, id_column="loan_id", target="defaulted",
    positive="1", rules=RULES, texts=TEXTS, sentences=SENTENCES, labels=LABELS,
)


_FIRST = Policy.for_base_rate(BASE_RATE, TONTINE_CREDIT.scale)
TONTINE_CREDIT_POLICY = Policy(
    approve_from=_FIRST.approve_from, decline_below=_FIRST.decline_below, bands=_FIRST.bands,
    knock_outs=(
        KnockOut("late_over_60_days", Condition("avg_payment_delay_days", "gt", 60), Outcome.DECLINE, {
            "en": "Your contributions come more than 60 days late on average.",
            "fr": "Vos cotisations arrivent avec plus de 60 jours de retard en moyenne.",
        }),
        KnockOut("never_contributed", Condition("contributions_count", "le", 0), Outcome.REFER, {
            "en": "You have not contributed to the group yet.", "fr": "Vous n'avez pas encore cotisé au groupe.",
        }),
    ),
)  # fmt: skip
