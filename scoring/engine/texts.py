"""What the text of a reason may say: a full sentence in a language of ours that tells the applicant something."""

import re
from collections.abc import Callable, Collection, Mapping
from string import Formatter

from scoring.engine.contract import DefinitionRefused

LANGUAGES = ("en", "fr")

# Words that tell an applicant nothing (12 CFR 1002.9(b)(2): internal standards or a score too low are not reasons).
_VAGUE = re.compile(
    r"\b(scores?|scoring|internal (standards?|polic(y|ies))|insufficient|credit ?worthiness|features?|risk(y|s)?|model|algorithm|"
    r"normes internes|insuffisante?s?|risques?|modèle)\b",
    re.IGNORECASE,
)
_PLACES = frozenset({"label", "value", "usual"})

Sentences = Mapping[str, Mapping[str, str]]

# What a reason says that has no text of its own: {label} the feature's name, {value} the applicant's, {usual} what those with a good
# outcome have. high, low: the value is beyond the usual; less, more: it is not, and the sign of the feature says which way is better;
# value, level: one answer against the usual one, or against all others. A product keeps its own copy, so that an old decision says the
# same when these have changed.
SENTENCES: Sentences = {
    "en": {
        "high": "{label} is {value}; applicants with a good outcome usually have {usual} or less.",
        "low": "{label} is {value}; applicants with a good outcome usually have {usual} or more.",
        "less": "{label} is {value}; a lower value would count in your favour.",
        "more": "{label} is {value}; a higher value would count in your favour.",
        "level": "{label} is {value}; other answers led to a good outcome more often.",
        "value": "{label} is “{value}”; “{usual}” led to a good outcome more often.",
        "missing": "{label} is not known; giving it may change the answer.",
        "yes": "Yes",
        "no": "No",
        "other": "another answer",
    },
    "fr": {
        "high": "{label} : {value} ; les dossiers à l'issue favorable ont d'habitude {usual} ou moins.",
        "low": "{label} : {value} ; les dossiers à l'issue favorable ont d'habitude {usual} ou plus.",
        "less": "{label} : {value} ; une valeur plus basse compterait en votre faveur.",
        "more": "{label} : {value} ; une valeur plus haute compterait en votre faveur.",
        "level": "{label} : {value} ; d'autres réponses ont mené plus souvent à une issue favorable.",
        "value": "{label} : « {value} » ; « {usual} » a mené plus souvent à une issue favorable.",
        "missing": "{label} : pas connu ; l'indiquer peut changer la réponse.",
        "yes": "Oui",
        "no": "Non",
        "other": "une autre réponse",
    },
}
# The same to the applicant, in a letter.
TO_YOU: Sentences = {
    "en": {
        "high": "You have {value} for “{label}”; applicants with a good outcome usually have {usual} or less.",
        "low": "You have {value} for “{label}”; applicants with a good outcome usually have {usual} or more.",
        "less": "You have {value} for “{label}”; a lower value would count in your favour.",
        "more": "You have {value} for “{label}”; a higher value would count in your favour.",
        "level": "Your answer for “{label}” is {value}; other answers led to a good outcome more often.",
        "value": "Your answer for “{label}” is “{value}”; “{usual}” led to a good outcome more often.",
        "missing": "We do not know your answer for “{label}”; telling us may change ours.",
        "yes": "Yes",
        "no": "No",
        "other": "another answer",
    },
    "fr": {
        "high": "Vous avez {value} pour « {label} » ; les dossiers à l'issue favorable ont d'habitude {usual} ou moins.",
        "low": "Vous avez {value} pour « {label} » ; les dossiers à l'issue favorable ont d'habitude {usual} ou plus.",
        "less": "Vous avez {value} pour « {label} » ; une valeur plus basse compterait en votre faveur.",
        "more": "Vous avez {value} pour « {label} » ; une valeur plus haute compterait en votre faveur.",
        "level": "Votre réponse pour « {label} » est {value} ; d'autres réponses ont mené plus souvent à une issue favorable.",
        "value": "Votre réponse pour « {label} » est « {value} » ; « {usual} » a mené plus souvent à une issue favorable.",
        "missing": "Nous ne connaissons pas votre réponse pour « {label} » ; l'indiquer peut changer la nôtre.",
        "yes": "Oui",
        "no": "Non",
        "other": "une autre réponse",
    },
}
UNITS: Mapping[str, Mapping[str, str]] = {"en": {}, "fr": {"months": "mois", "days": "jours", "weeks": "semaines", "years": "ans"}}
_WORDS = frozenset({"yes", "no", "other"})

# What would change a decision: one sentence for each change, one for where they lead, or one for why nothing would.
CHANGES: Sentences = {
    "en": {
        "number": "{label}: {after} instead of {before}",
        "answer": "{label}: “{after}” instead of “{before}”",
        "join": "; ",
        "approve": "{changes}. The answer would then be: approved, with a score of {score}.",
        "refer": "{changes}. A person would then decide, with a score of {score}.",
        "nothing_may_change": "Nothing would change the answer: the product names no answer of the applicant that can change.",
        "rule_decides": "Nothing would change the answer: it follows from something that cannot change. {rule}",
        "out_of_reach": "Nothing that can change would change the answer, within what applicants usually have. Tried: {labels}.",
        "rules_refer": "Nothing would change the answer: without a model a person decides in any case.",
        "approved": "It is approved already.",
    },
    "fr": {
        "number": "{label} : {after} au lieu de {before}",
        "answer": "{label} : « {after} » au lieu de « {before} »",
        "join": " ; ",
        "approve": "{changes}. La réponse serait alors : accepté, avec un score de {score}.",
        "refer": "{changes}. Une personne déciderait alors, avec un score de {score}.",
        "nothing_may_change": "Rien ne changerait la réponse : le produit ne nomme aucune réponse du client qui puisse changer.",
        "rule_decides": "Rien ne changerait la réponse : elle suit d'un fait qui ne peut pas changer. {rule}",
        "out_of_reach": "Rien de ce qui peut changer ne changerait la réponse, dans les limites habituelles. Essayé : {labels}.",
        "rules_refer": "Rien ne changerait la réponse : sans modèle, une personne décide dans tous les cas.",
        "approved": "La demande est déjà acceptée.",
    },
}


class VagueReason(DefinitionRefused):
    """The text of a reason tells the applicant nothing; name the fact that counted, with its value and what is usual."""

    code = "vague_reason"


def refuse_vague(text: str) -> str:
    """The text, if it says something. Raises VagueReason."""
    if found := _VAGUE.search(text):
        raise VagueReason(f"{found.group(0)!r} tells the applicant nothing: name the fact that counted, with its value and what is usual.")
    if len(text.split()) < 3:
        raise VagueReason("A reason is a full sentence.")
    return text


def check_texts(texts: Mapping[str, str], check: Callable[[str], str] = refuse_vague) -> None:
    """Every text is in a language that is spoken here and says something. Raises DefinitionRefused."""
    for language, text in texts.items():
        if language not in LANGUAGES:
            raise DefinitionRefused(f"texts are in {' or '.join(LANGUAGES)}, not {language!r}.")
        check(text)


def check_sentences(sentences: Sentences) -> None:
    """There is every sentence in every language, and each says something. Raises DefinitionRefused."""
    for language, wanted in SENTENCES.items():
        given = sentences.get(language, {})
        if set(given) != set(wanted):
            raise DefinitionRefused(f"sentences in {language!r} are {', '.join(wanted)}: no more and no less.")
        for name in wanted.keys() - _WORDS:
            check_template(given[name])


def check_labels(labels: Mapping[str, Mapping[str, str]], known: Collection[str]) -> None:
    """Every label is in a language that is spoken here and of something that there is. Raises DefinitionRefused."""
    for language, named in labels.items():
        if language not in LANGUAGES:
            raise DefinitionRefused(f"labels are in {' or '.join(LANGUAGES)}, not {language!r}.")
        if unknown := [name for name in named if name not in known]:
            raise DefinitionRefused(f"labels in {language!r} name {', '.join(unknown)}, which the product does not know.")


def check_template(text: str) -> str:
    """The text, if it says something and {label}, {value} and {usual} are all it leaves open. Raises VagueReason and DefinitionRefused."""
    try:
        open_places = [place[1:] for place in Formatter().parse(text) if place[1] is not None]
    except ValueError as error:
        raise DefinitionRefused(f"the text {text!r} has a brace too many or too few: write {{label}}, {{value}} or {{usual}}.") from error
    for name, form, conversion in open_places:
        if name not in _PLACES or form or conversion:
            raise DefinitionRefused(f"the text {text!r} leaves {{{name}}} open: write {{label}}, {{value}} or {{usual}}.")
    return refuse_vague(text)
