"""A model card in words, tables and pictures, made once for the page and for the PDF."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils import timezone
from django.utils.formats import date_format, number_format
from django.utils.translation import gettext as _
from django.utils.translation import pgettext

from partners.accounts.web.told import told as said_here
from scoring.engine.card import decided, parting, tenths
from scoring.engine.compile_scorecard import bins_of
from scoring.engine.fairness import FOUR_FIFTHS, SMALLEST_GROUP, GroupFigures, by_group
from scoring.engine.policy import ScoreScale
from scoring.selectors import Happening, ModelCard, ModelVersionSummary
from scoring.web.plots import (
    Dependence,
    Plot,
    Swarms,
    calibration_plot,
    dependence,
    number,
    parting_plot,
    roc_plot,
    signed,
    step_words,
    swarms,
)
from scoring.web.written import named, state_words

PICTURED = 6    # features with a dependence picture
Pairs = tuple[tuple[str, str], ...]
Row = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Table:
    """Heads and rows of words; the first `words` columns are words, the others numbers."""

    title: str
    heads: Row
    rows: tuple[Row, ...]
    words: int = 1

    @property
    def named(self) -> list[list[tuple[str, str]]]:
        """Each cell with its head, which it says itself on a phone."""
        return [list(zip(self.heads, row, strict=True)) for row in self.rows]


@dataclass(frozen=True, slots=True)
class Bars:
    """Names with their points of score, and how wide their bar is, 0 to 1."""

    rows: tuple[tuple[str, str, float], ...]

    @property
    def drawn(self) -> list[tuple[str, str, str]]:
        return [(name, points, f"{96 * width:.1f}%") for name, points, width in self.rows]


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownCard:
    """Everything a reader sees, in the order of reading."""

    title: str
    version: int
    finding: str
    standing: str
    sha256: str
    purpose: Pairs
    figures: Table
    over_time: Table
    roc: Plot
    roc_words: str
    roc_table: Table
    calibration: Plot
    calibration_words: str
    calibration_table: Table
    parting: Plot
    parting_words: str
    parting_table: Table
    tenths: Table
    outcomes: Table
    outcomes_words: str
    protected: tuple[Table, ...]
    protected_words: str
    importance: Bars
    groups: Bars
    swarms: Swarms
    swarm_table: Table
    judged: str
    pictures: tuple[Dependence, ...]
    limits: tuple[str, ...]
    compared: Table
    points: Table
    features: Table
    left_out: Table
    requests: Table
    history: Table
    made: Pairs


def shown_card(card: ModelCard) -> ShownCard:
    """The card as it stands now."""
    told, version = card.stored.document(), card.version
    scale, labels = ScoreScale(**told["scale"]), {one["name"]: one["label"] for one in told["features"]}
    split, figures = parting(told["scores"]), told["figures"]
    low, high = figures["interval"]["auc"]
    names = {"product": told["purpose"]["title"], "number": version.version, "pairs": share(figures["mean"]["auc"])}
    beeswarm = swarms(told["explained"]["swarm"], labels, scale)
    pictures = [dependence(one, labels.get(one["feature"], one["feature"]), scale) for one in told["explained"]["dependence"]]
    return ShownCard(
        title=told["purpose"]["title"], version=version.version, sha256=card.stored.sha256,
        finding=_("%(product)s, model %(number)s ranks %(pairs)s of pairs right") % names,
        standing=_standing(card, together=share(figures["together"]["auc"]), low=share(low), high=share(high)),
        purpose=_purpose(told), figures=_figures(figures), over_time=_over_time(told.get("over_time")),
        roc=roc_plot(told["roc"]),
        roc_words=_("Refusing some of the good (across) finds so many of the bad (up). The dashed line is chance."),
        roc_table=_of_shares((_("Good refused"), _("Bad found")), told["roc"]),
        calibration=calibration_plot(told["calibration"]), calibration_words=_calibrated(told["calibration"]),
        calibration_table=_calibration(told["calibration"]),
        parting=parting_plot(split), parting_words=_parted(*split.widest), parting_table=_parting(split.points),
        tenths=_tenths(told), outcomes=_outcomes(card, told), outcomes_words=_cut_offs(card),
        protected=tuple(_groups(one, card) for one in told.get("protected", ())), protected_words=_fairly(),
        importance=_bars([(labels.get(name, name), weight) for name, weight in told["importance"]["features"]], scale),
        groups=_bars(told["importance"]["groups"] if any(one["group"] for one in told["features"]) else [], scale),
        swarms=beeswarm, swarm_table=_swarm_table(beeswarm), judged=_judged(told["explained"]),
        pictures=tuple(one for one in pictures if one)[:PICTURED], limits=tuple(map(said_here, told["limits"])),
        compared=_compared(card), points=shown_points(told.get("points"), labels),
        features=_features(told["features"]), left_out=_left_out(told["left_out"]),
        requests=_requests(card), history=_history(card.history), made=_made(card, told),
    )  # fmt: skip


# how numbers and moments are written


def share(value: float | None, decimals: int = 1) -> str:
    """0.118 as 11.8%, or as the language writes it."""
    return "" if value is None else pgettext("share", "%(number)s%%") % {"number": number_format(round(100 * value, decimals), decimals)}


def _decimals(value: float | None, places: int = 3) -> str:
    return "" if value is None else number_format(round(value, places), places).replace("-", "\N{MINUS SIGN}")


def _whole(value: int) -> str:
    return number_format(value, 0, use_l10n=True, force_grouping=True)


def _range(low: float, high: float, places: int = 3) -> str:
    return _("%(low)s to %(high)s") % {"low": _decimals(low, places), "high": _decimals(high, places)}


def _moment(value: datetime | None) -> str:
    """With the day always, since a card is read much later, and with its zone."""
    if value is None:
        return ""
    here = timezone.localtime(value)
    return f"{date_format(here, pgettext('day', 'j M Y'))}, {date_format(here, 'H:i')} {here.tzname()}"


# words


def _standing(card: ModelCard, **shares: str) -> str:
    words = {
        "draft": _("It is a draft."), "candidate": _("It is not in force."), "challenger": _("It scores in shadow, and answers nobody."),
        "champion": _("It is in force."), "retired": _("It is retired."),
    }  # fmt: skip
    sure = _("Mean of folds it had not seen; all cases together %(together)s, drawn again and again %(low)s to %(high)s.") % shares
    return f"{sure} {words.get(card.version.state, '')}".strip()


def _judged(explained: Mapping[str, Any]) -> str:
    values = {"library": explained["library"], "rows": _whole(explained["judged_rows"]), "within": _power(explained["agrees_within"])}
    if explained["agrees_within"] is None:
        return _(
            "Dots of %(rows)s cases. %(library)s gives other values for this learner where signs are required, since it counts "
            "cases differently in leaves that none reached; the served ones were held against the definition itself."
        ) % values  # fmt: skip
    return _("Dots of %(rows)s cases, whose served contributions agree with %(library)s within %(within)s of log-odds.") % values


def _power(within: float | None) -> str:
    return f"{within or 0:.0e}".replace("e-0", "e\N{MINUS SIGN}")


def _calibrated(table: Sequence[Mapping[str, Any]]) -> str:
    if not table:
        return ""
    widest = max(table, key=lambda row: abs(row["predicted"] - row["observed"]))
    values = {"predicted": share(widest["predicted"]), "observed": share(widest["observed"])}
    return _(
        "Predicted (across) against happened (up), for tenths of the cases; on the dashed line both are the same. Furthest apart: "
        "%(predicted)s predicted, %(observed)s happened."
    ) % values  # fmt: skip


def _parted(score: int, bad: float, good: float) -> str:
    values = {"score": score, "bad": share(bad), "good": share(good), "gap": _decimals(bad - good)}
    return _(
        "Orange the bad, blue the good. At score %(score)s or below are %(bad)s of the bad and %(good)s of the good, a gap of %(gap)s."
    ) % values  # fmt: skip


def _cut_offs(card: ModelCard) -> str:
    values = {"number": card.policy_version, "approve": card.policy.approve_from, "decline": card.policy.decline_below}
    return _(
        "Cut-offs of policy %(number)s, in force now: approved from %(approve)s, declined below %(decline)s, between a person decides. "
        "Its knock-out rules are left aside."
    ) % values  # fmt: skip


def _fairly() -> str:
    return _(
        "Protected inputs compare groups only; no model looks at them unless somebody made them a feature. The ratio is a group's share "
        "approved against that of the most approved group, with its 95%% interval: below 80%% a difference asks for a reason. Groups of "
        "fewer than %(smallest)s cases are too small to tell."
    ) % {"smallest": SMALLEST_GROUP}  # fmt: skip


# tables


def _purpose(told: Mapping[str, Any]) -> Pairs:
    purpose, data = told["purpose"], told["data"]
    predicts = _("that “%(target)s” becomes “%(positive)s”") % {"target": purpose["target"], "positive": purpose["positive"]}
    span = data.get("span")
    dates = _("%(began)s to %(ended)s") % {"began": span[0][:10], "ended": span[1][:10]} if span else _("the table tells no dates")
    return (
        (_("Product"), f"{purpose['title']} ({purpose['product']})"),
        (_("Predicts"), predicts),
        (_("Learned from"), _("%(rows)s cases, %(bad)s of them bad (%(share)s)") % {
            "rows": _whole(data["rows"]), "bad": _whole(data["bad"]), "share": share(data["bad"] / data["rows"])}),
        (_("From"), dates),
        (_("Rows left out"), _whole(data["dropped_rows"])),
        (_("Fingerprint of the data"), data["fingerprint"]),
    )  # fmt: skip


def _figures(figures: Mapping[str, Any]) -> Table:
    names = (("auc", _("AUC, pairs ranked right"), 4), ("ks", _("KS, widest gap"), 4), ("brier", _("Brier, how far off"), 4))
    rows: list[Row] = [
        (label, _decimals(figures["together"][name], places), _range(*figures["interval"][name]), _decimals(figures["mean"][name], places),
         _decimals(figures["spread"][name]), _range(*_ends(figures["folds"], name)))
        for name, label, places in names
    ]  # fmt: skip
    rows.insert(1, _gini(figures))
    level = share(figures["level"], 0)
    heads = (
        _("Held-out cases"), _("All together"), _("%(level)s interval") % {"level": level}, _("Mean of folds"), _("Spread"),
        _("Folds from, to"),
    )  # fmt: skip
    title = _("%(rows)s cases, each scored by a model that had not seen it, in %(folds)s folds; interval of %(resamples)s resamples") % {
        "rows": _whole(figures["rows"]), "folds": len(figures["folds"]), "resamples": figures["resamples"],
    }  # fmt: skip
    return Table(title, heads, tuple(rows))


def _over_time(found: Mapping[str, Any] | None) -> Table:
    rows = tuple(
        (_("%(began)s to %(ended)s") % {"began": one["from"], "ended": one["to"]}, _whole(one["fitted_rows"]), _whole(one["rows"]),
         _whole(one["positives"]), _decimals(one["auc"], 4), _decimals(one["ks"], 4), _decimals(one["brier"], 4))
        for one in (found["steps"] if found else ())
    )  # fmt: skip
    title = _("Fitted on what came before and judged on what followed, as it will be used")
    return Table(title, (_("Judged on"), _("Fitted on"), _("Cases"), _("Bad"), "AUC", "KS", "Brier"), rows)


def _gini(figures: Mapping[str, Any]) -> Row:
    def gini(auc: float) -> float:
        return 2 * auc - 1

    low, high = figures["interval"]["auc"]
    first, last = _ends(figures["folds"], "auc")
    return (
        _("Gini, twice AUC less one"), _decimals(gini(figures["together"]["auc"]), 4), _range(gini(low), gini(high)),
        _decimals(gini(figures["mean"]["auc"]), 4), _decimals(2 * figures["spread"]["auc"]), _range(gini(first), gini(last)),
    )  # fmt: skip


def _ends(folds: Sequence[Mapping[str, float]], name: str) -> tuple[float, float]:
    values = [fold[name] for fold in folds]
    return min(values), max(values)


def _of_shares(heads: Row, points: Sequence[Sequence[float]]) -> Table:
    return Table("", heads, tuple((share(x), share(y)) for x, y in points), words=0)


def _calibration(table: Sequence[Mapping[str, Any]]) -> Table:
    rows = tuple((_whole(row["rows"]), share(row["predicted"]), share(row["observed"])) for row in table)
    return Table("", (_("Cases"), _("Predicted"), _("Happened")), rows, words=0)


def _parting(points: Sequence[tuple[int, float, float]]) -> Table:
    every = max(1, len(points) // 25)
    kept = [*points[::every], points[-1]] if (len(points) - 1) % every else points[::every]
    heads = (_("Score or below"), _("Of the bad"), _("Of the good"), _("Gap"))
    return Table("", heads, tuple((str(score), share(bad), share(good), _decimals(bad - good)) for score, bad, good in kept), words=0)


def _tenths(told: Mapping[str, Any]) -> Table:
    rows = [
        (_("%(low)s to %(high)s") % {"low": one.lowest, "high": one.highest}, _whole(one.cases), _whole(one.bad),
         share(one.bad / one.cases), _decimals(one.lift, 2), share(one.bad_found))
        for one in tenths(told["scores"])
    ]  # fmt: skip
    heads = (_("Scores"), _("Cases"), _("Bad"), _("Bad share"), _("Lift"), _("Bad found so far"))
    return Table(_("Tenths of the held-out cases, the riskiest first"), heads, tuple(rows))


def _outcomes(card: ModelCard, told: Mapping[str, Any]) -> Table:
    words = {"approve": _("Approved"), "refer": _("A person decides"), "decline": _("Declined")}
    found = decided(told["scores"], card.policy)
    cases, good, bad = (max(1, sum(getattr(one, name) for one in found)) for name in ("cases", "good", "bad"))
    rows = [
        (words[str(one.outcome)], _whole(one.cases), share(one.cases / cases), _whole(one.good), _whole(one.bad), share(one.bad_share),
         share(one.good / good), share(one.bad / bad))
        for one in found
    ]  # fmt: skip
    heads = (
        _("Outcome"), _("Cases"), _("Of all"), _("Good"), _("Bad"), _("Bad among them"), _("Of all good"), _("Of all bad"),
    )  # fmt: skip
    return Table(_("Held-out cases by what the policy would have done, and how they ended"), heads, tuple(rows))


def _groups(told: Mapping[str, Any], card: ModelCard) -> Table:
    heads = (
        _("Group"), _("Cases"), _("Approved"), _("Bad among them"), "AUC", _("Mean probability"), _("Ratio"), _("Interval"),
        _("80% line"),
    )  # fmt: skip
    return Table(told["label"], heads, tuple(_group(one) for one in by_group(told["groups"], card.policy)))


def _group(one: GroupFigures) -> Row:
    if one.is_small:
        return one.group, _whole(one.cases), "", "", "", "", "", "", _("too small to tell")
    between = "" if one.low is None or one.high is None else _range(one.low, one.high, 2)
    shares = (share(one.approved_share), share(one.bad_share), _decimals(one.auc), share(one.mean_probability))
    return one.group, _whole(one.cases), *shares, _decimals(one.ratio, 2), between, _line(one)


def _line(one: GroupFigures) -> str:
    """On which side of four fifths the ratio is, and whether its interval is too."""
    if one.ratio is None:
        return _("nobody is approved")
    if one.low is None or one.high is None:
        return _("most approved")
    if one.ratio < FOUR_FIFTHS:
        return _("below") if one.high < FOUR_FIFTHS else _("below, by chance perhaps")
    return _("above") if one.low >= FOUR_FIFTHS else _("above, by chance perhaps")


def _bars(weights: Sequence[Sequence[Any]], scale: ScoreScale) -> Bars:
    widest = max((weight for _name, weight in weights), default=0.0) or 1.0
    return Bars(tuple((name, _decimals(abs(scale.points(weight)), 1), weight / widest) for name, weight in weights))


def _swarm_table(found: Swarms) -> Table:
    heads = (_("Mean points at"), _("low values"), _("middle"), _("high"), _("words or not known"))
    return Table("", heads, tuple((one.label, *(signed(mean) for mean in one.means)) for one in found.rows))


def _features(features: Sequence[Mapping[str, Any]]) -> Table:
    signs = {1: _("more is worse"), -1: _("more is better"), 0: ""}
    kinds = {
        "input": _("as told"), "ratio": _("ratio"), "difference": _("difference"), "interaction": _("product"), "log": _("logarithm"),
        "age": _("age"), "missing": _("is it known"), "bucket": _("steps"), "window": _("events"),
    }  # fmt: skip
    rows = tuple(
        (one["label"], kinds.get(one["kind"], one["kind"]), ", ".join(one["inputs"]), signs[one["monotone"]], one["group"])
        for one in features
    )
    return _without_blanks(Table(_("Features"), (_("Feature"), _("Made by"), _("From"), _("Must hold"), _("Group")), rows, words=5))


def _without_blanks(table: Table) -> Table:
    """Of words only; a column that says nothing in any row is left out."""
    kept = [place for place in range(len(table.heads)) if any(row[place] for row in table.rows)]
    rows = tuple(tuple(row[place] for place in kept) for row in table.rows)
    return Table(table.title, tuple(table.heads[place] for place in kept), rows, words=len(kept))


def shown_points(told: Mapping[str, Any] | None, labels: Mapping[str, str]) -> Table:
    """What each range or category of a scorecard adds to the score; without rows for every other kind of model."""
    rows = tuple(
        (labels.get(name, name), step_words(one), _decimals(one["points"], 1), share(one["share"]), share(one["bad_share"]))
        for name, rows in (told["features"] if told else ())
        for one in rows
    )
    title = _(
        "A score begins at %(base)s, and each feature adds the points of the row that holds; it is kept between 300 and 850. Fewer than 10 "
        "cases do not say how they ended."
    ) % {"base": _decimals(told["base"], 1) if told else ""}  # fmt: skip
    heads = (_("Feature"), _("Range or category"), _("Points"), _("Share of cases"), _("Bad among them"))
    return Table(title, heads, rows, words=2)


def _left_out(inputs: Sequence[Mapping[str, str]]) -> Table:
    why = {"protected": _("protected"), "personal": _("personal"), "not used": _("not used")}
    return Table(_("Inputs it never looks at"), (_("Input"), _("Why")), tuple((one["label"], why[one["why"]]) for one in inputs), words=2)


def _compared(card: ModelCard) -> Table:
    rows = [_figures_of(card.version, _("this one"))]
    rows += [_figures_of(card.champion, _("in force then"))] if card.champion else []
    rows += [_figures_of(one, state_words(one.state)) for one in card.earlier if card.champion is None or one.id != card.champion.id]
    title = _("Means of folds, each of the table it was trained on; other tables, other figures")
    return Table(title, (_("Model"), _("State"), _("Trained"), _("Cases"), "AUC", "KS", "Brier"), tuple(rows), words=3)


def _figures_of(version: ModelVersionSummary, state: str) -> Row:
    figures, rows = version.metrics.get("cv", {}), version.metrics.get("rows")
    numbers = (_decimals(figures.get("auc"), 4), _decimals(figures.get("ks"), 4), _decimals(figures.get("brier"), 4))
    return str(version.version), state, _moment(version.trained_at), _whole(rows) if rows else "", *numbers


def _requests(card: ModelCard) -> Table:
    answers = {
        "open": _("waits for a second person"), "confirmed": _("confirmed"), "refused": _("refused"), "withdrawn": _("withdrawn"),
        "lapsed": _("lapsed: something else was put in force"),
    }  # fmt: skip
    rows = tuple(
        (one.asked_by, _moment(one.asked_at), one.reason, _answered(answers.get(one.state, one.state), one.answer),
         one.answered_by, _moment(one.answered_at), one.card_sha256[:12])
        for one in card.requests
    )  # fmt: skip
    heads = (_("Asked by"), _("Asked"), _("Why"), _("Answer"), _("Answered by"), _("Answered"), _("Card read"))
    return Table(_("Requests to put it in force"), heads, rows, words=7)


def _answered(how: str, words: str) -> str:
    return named(how, words) if words else how


def _history(happenings: Sequence[Happening]) -> Table:
    rows = tuple((_moment(one.at), _happened(one), one.actor, one.reason) for one in happenings)
    return Table(_("What happened to it"), (_("When"), _("What"), _("Who"), _("Why")), rows, words=4)


def _happened(one: Happening) -> str:
    words = {
        "model.stored": _("trained and stored"), "model.offered": _("offered as a candidate"), "model.retired": _("retired"),
        "model.refused": _("its bundle was refused"), "model.repaired": _("its bundle was good again"),
        "challenger.set": _("set to score in shadow"), "challenger.removed": _("scored in shadow no more"),
        "promotion.asked": _("asked for"), "promotion.refused": _("refused"), "promotion.withdrawn": _("asked for no more"),
        "promotion.lapsed": _("the request lapsed"), "model.promoted": _("put in force"), "model.rolled_back": _("put in force again"),
    }  # fmt: skip
    replaced = {
        "model.promoted": _("model %(other)s was put in force in its place"), "model.rolled_back": _("taken back"),
        "challenger.set": _("model %(other)s was set in its place"),
    }  # fmt: skip
    text = replaced.get(one.action, words.get(one.action, one.action)) if one.is_other_put_in_place else words.get(one.action, one.action)
    return text % {"other": one.other} if "%(" in text else text


def _made(card: ModelCard, told: Mapping[str, Any]) -> Pairs:
    learner, version = told["learner"], card.version
    sizes = {"about": learner["about"], "trees": _whole(learner["trees"]), "nodes": _whole(learner["nodes"])}
    size = _("%(about)s: %(trees)s trees, %(nodes)s nodes") % sizes
    if learner["estimator"] == "scorecard":
        sizes["bins"] = _whole(bins_of(learner["trees"], learner["nodes"]))
        size = _("%(about)s: %(trees)s features with %(bins)s ranges and categories") % sizes
    return (
        (_("Learner"), size), *((_("Settings") + (f", {name}" if name else ""), text) for name, text in _settings(learner["settings"])),
        (_("Calibration"), _("log-odds = %(slope)s × margin + %(intercept)s") % {
            "slope": _decimals(learner["slope"], 4), "intercept": _decimals(learner["intercept"], 4)}),
        (_("Seed"), str(learner["seed"])),
        (_("Libraries"), ", ".join(f"{name} {release}" for name, release in sorted(learner["versions"].items()))),
        (_("Trained by"), version.trained_by), (_("Trained"), _moment(version.trained_at)),
        (_("Card"), card.stored.sha256), (_("Bundle"), version.bundle_sha256), (_("Forest"), learner["forest"]),
    )  # fmt: skip


def _settings(settings: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Plain settings in one line, and each part of a stack in a line of its own."""
    plain = {name: value for name, value in settings.items() if not isinstance(value, Mapping)}
    said = [("", _told(plain))] if plain else []
    for name, value in settings.items():
        if isinstance(value, Mapping):
            parts = value if all(isinstance(one, Mapping) for one in value.values()) else {name: value}
            said += [(part, _told(one)) for part, one in parts.items()]
    return said


def _told(settings: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {number(value) if isinstance(value, float) else value}" for name, value in sorted(settings.items()))
