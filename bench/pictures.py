"""Small charts as SVG: stacked bars with a title, axes and units."""

from collections.abc import Mapping, Sequence
from html import escape

WIDTH, HEIGHT = 560, 320
LEFT, TOP, RIGHT, BOTTOM = 70, 46, 20, 58
COLOURS = ("#2f6690", "#e0a458", "#7d8597")
LINES = 5


def bars(title: str, across: str, up: str, labels: Sequence[str], parts: Mapping[str, Sequence[float]]) -> str:
    """One bar for each label, made of the parts, from zero; `across` and `up` say what the axes are."""
    totals = [sum(values) for values in zip(*parts.values(), strict=True)]
    step = _step(max(totals) / LINES)
    top = step * LINES
    body = [_text(WIDTH / 2, 20, title, "middle", 15), _text(WIDTH / 2, HEIGHT - 10, across, "middle", 12), _turned(up)]
    for line in range(LINES + 1):
        y = _y(line * step, top)
        body.append(f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}" stroke="#d5d9de"/>')
        body.append(_text(LEFT - 6, y + 4, f"{line * step:,g}", "end", 11))
    space = (WIDTH - LEFT - RIGHT) / len(labels)
    for place, (label, total) in enumerate(zip(labels, totals, strict=True)):
        middle, below = LEFT + space * (place + 0.5), 0.0
        for colour, values in zip(COLOURS, parts.values(), strict=False):
            high = _y(below + values[place], top)
            tall = _y(below, top) - high
            body.append(f'<rect x="{middle - space / 4:.1f}" y="{high:.1f}" width="{space / 2:.1f}" height="{tall:.1f}" fill="{colour}"/>')
            below += values[place]
        body += [_text(middle, HEIGHT - BOTTOM + 17, label, "middle", 12), _text(middle, _y(total, top) - 5, f"{total:,.0f}", "middle", 12)]
    for place, (name, colour) in enumerate(zip(parts, COLOURS, strict=False)):
        body.append(f'<rect x="{LEFT + 120 * place}" y="29" width="10" height="10" fill="{colour}"/>')
        body.append(_text(LEFT + 120 * place + 15, 38, name, "start", 11))
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" font-family="sans-serif" fill="#1b2733">'
    page = f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>'
    return "\n".join([head, f"<title>{escape(title)}</title>", page, *body, "</svg>", ""])


def _y(value: float, top: float) -> float:
    return HEIGHT - BOTTOM - value / top * (HEIGHT - TOP - BOTTOM)


def _step(least: float) -> float:
    """The least of 1, 2, 2.5, 5 times a power of ten that is not below."""
    power = 10.0 ** len(str(int(least)))
    return next(power * part for part in (0.1, 0.2, 0.25, 0.5, 1.0) if power * part >= least)


def _text(x: float, y: float, text: str, anchor: str, size: int) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}">{escape(text)}</text>'


def _turned(text: str) -> str:
    middle = TOP + (HEIGHT - TOP - BOTTOM) / 2
    return f'<text x="16" y="{middle}" text-anchor="middle" font-size="12" transform="rotate(-90 16 {middle})">{escape(text)}</text>'
