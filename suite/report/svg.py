"""A figure inside of a page: its text and lines follow the page's colours, and it carries no more than it shows."""

from __future__ import annotations

import html
import re

NUMBER = re.compile(r"-?\d+\.\d{3,}")
REFERENCED = re.compile(r"""(?:href="#|url\(#)([^")]+)""")
OWN_ID = re.compile(r'\sid="([^"]*)"')
DROPPED = re.compile(r"<metadata>.*?</metadata>|<!--.*?-->|<\?xml.*?\?>|<!DOCTYPE.*?>", re.DOTALL)
BACKGROUND = re.compile(r'<g(?: id="patch_1")>\s*<path[^>]*/>\s*</g>')
SIZE = re.compile(r'<svg [^>]*?viewBox="([^"]*)"[^>]*>')
BLACK = re.compile(r"#000000\b")
WHITE = re.compile(r"#ffffff\b")
FONT = re.compile(r"font: ([\d.]+)px [^;\"]*")
PLACES = 2


def inline(drawn: str, name: str, description: str) -> str:
    """An SVG file of matplotlib's as an element of a page.

    Args:
        name: of the figure; what its parts are called begins with it, so that two figures of a page do not mix.
        description: for people who cannot see it.
    """
    text = DROPPED.sub("", drawn)
    used = set(REFERENCED.findall(text))
    text = OWN_ID.sub(lambda found: f' id="{name}-{found[1]}"' if found[1] in used else "", BACKGROUND.sub("", text, 1))
    text = REFERENCED.sub(lambda found: found[0].replace(found[1], f"{name}-{found[1]}"), text)
    text = text.replace("xlink:href", "href").replace(' xmlns:xlink="http://www.w3.org/1999/xlink"', "")
    text = NUMBER.sub(lambda found: f"{float(found[0]):.{PLACES}f}".rstrip("0").rstrip("."), text)
    text = WHITE.sub("var(--back)", BLACK.sub("currentColor", text))
    text = FONT.sub(r"font-size: \1px", text)
    box = SIZE.search(text)
    if box is None:
        return ""
    # what matplotlib fills with black has no colour of its own: words, signs of formulas, dots
    head = f'<svg viewBox="{box[1]}" fill="currentColor" role="img" aria-label="{html.escape(description)}">'
    body = re.sub(r"\s*\n\s*", "\n", text[box.end() :])
    return head + re.sub(r'\s*<style type="text/css">.*?</style>', "", body, count=1, flags=re.DOTALL)
