"""A scorecard -> Forest: one tree per feature, one leaf per bin; and the table of points that people read."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from scoring.engine.forest import CATEGORY, NUMBER, Array, Forest, Tree, assemble, bitset


@dataclass(frozen=True, slots=True)
class CardFeature:
    """The bins of one feature. Numbers: bin k holds x <= edges[k], the one after the last edge the rest. Categories: code c is in bin
    groups[c]. The last of `values` (log-odds) and `rows` (training rows) is the bin of what is missing or unknown."""

    name: str
    is_category: bool
    edges: tuple[float, ...]
    groups: tuple[int, ...]
    values: tuple[float, ...]
    rows: tuple[float, ...]


def compile_scorecard(features: Sequence[CardFeature], intercept: float) -> Forest:
    """The card as a forest with the same margin; the contribution of a feature is its bin's value less the mean over the training rows."""
    trees = [_tree(feature, place) for place, feature in enumerate(features)]
    return assemble(trees, n_features=len(features), base=intercept)


def _tree(feature: CardFeature, place: int) -> Tree:
    """A chain of splits: what is missing leaves first from a number's, last from a category's."""
    bins = len(feature.values)
    order = [bins - 1, *range(bins - 1)] if not feature.is_category else list(range(bins))
    splits = bins - 1
    left, right, missing_left = (np.full(splits + bins, -1), np.full(splits + bins, -1), np.zeros(splits + bins, int))
    threshold, sets = np.zeros(splits + bins), {}
    rows = np.asarray(feature.rows, float)
    cover = np.concatenate([np.zeros(splits), rows[order]])
    for split in range(splits):
        leaf, rest = splits + split, split + 1 if split + 1 < splits else splits + bins - 1
        cover[split] = rows[order[split:]].sum()
        if feature.is_category:
            left[split], right[split] = leaf, rest
            sets[split] = bitset(code for code, group in enumerate(feature.groups) if group == order[split])
        elif split == 0:
            left[split], right[split], threshold[split] = rest, leaf, np.inf    # every number goes on, what is missing ends here
        else:
            left[split], right[split], threshold[split] = leaf, rest, feature.edges[split - 1]
    zeros = np.zeros(splits + bins, int)
    value = np.concatenate([np.zeros(splits), np.asarray(feature.values, float)[order]])
    kind: Array = np.full(splits + bins, CATEGORY if feature.is_category else NUMBER)
    return Tree(left, right, kind, zeros + place, threshold, missing_left, value, cover, sets)


def points_table(features: Sequence[CardFeature], categories: Sequence[Sequence[str]], factor: float) -> list[dict[str, object]]:
    """Each bin with its points: `factor` points per unit of log-odds, more points for less of the bad outcome."""
    return [
        {"feature": feature.name, "bin": name, "points": round(-factor * value, 1) + 0.0}
        for feature, texts in zip(features, categories, strict=True)
        for name, value in zip(_bin_names(feature, texts), feature.values, strict=True)
    ]


def _bin_names(feature: CardFeature, texts: Sequence[str]) -> list[str]:
    count = len(feature.values) - 1
    if feature.is_category:
        members = [", ".join(text for text, group in zip(texts, feature.groups, strict=False) if group == bin_) for bin_ in range(count)]
        return [*members, "other or not known"]
    edges = [f"{edge:,.6g}" for edge in feature.edges]
    names = [f"up to {edges[0]}"] if edges else ["any"]
    names += [f"over {low} up to {high}" for low, high in zip(edges, edges[1:], strict=False)]
    return [*names, *([f"over {edges[-1]}"] if edges else []), "not known"]
