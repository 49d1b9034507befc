"""Which inputs an applicant can change, and which way: as the product declares it, otherwise as the input's name and kind suggest."""

import re

from scoring.engine.contract import Change, Input, InputKind

# Facts of the past and about the person stay as they are, whatever else the name says.
_PAST = re.compile(
    r"\b(age|ago|arrears|average|avg|bureau|count|days? late|default\w*|delay\w*|delinq\w*|dpd|earlier|frequency|history|highest|last|late|"
    r"longest|max|mean|number|past|previous|prior|rate|ratio|retards?|anciens?|since|utili[sz]ation)\b"
)
_ASKED = re.compile(
    r"\b(loan|credit|requested|asked|principal) (amount|sum|limit)\b|\bamount (asked|requested|of credit)\b|\bmontant demand[ée]\b|"
    r"(^|/ )(amount|montant)( /|$)"
)
_TERM = re.compile(r"\b(term|tenor|duration|months to repay|repayment (period|months)|dur[ée]e|[ée]ch[ée]ances)\b")
_SAVED = re.compile(r"\b(savings?|down ?payment|collateral|[ée]pargne|apport)\b")
_OWED = re.compile(r"\b(debts?|outstanding|owed|dettes?|encours)\b")


def change_of(one: Input) -> Change:
    """Which way the input may change. Where nothing is declared only a request's amount and term, savings and debts do."""
    if one.is_protected or one.is_personal or one.kind in {InputKind.DATE, InputKind.EVENTS}:
        return Change.NEVER
    return inferred(one) if one.change is Change.INFER else one.change


def inferred(one: Input) -> Change:
    """What name and label suggest of a number: less money, another term, more savings, fewer debts; never of anything else."""
    if one.kind not in {InputKind.NUMBER, InputKind.INTEGER}:
        return Change.NEVER
    said = _words(one.name) + " / " + _words(one.label)
    if _PAST.search(said):
        return Change.NEVER
    found = ((_TERM, Change.EITHER), (_SAVED, Change.UP), (_OWED, Change.DOWN), (_ASKED, Change.DOWN))
    return next((change for pattern, change in found if pattern.search(said)), Change.NEVER)


def _words(name: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])|[_\-.\s]+", " ", name).strip().lower()
