"""A page of charts as one HTML file that needs no network and no package."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape

_STYLE = """
:root { color-scheme: light dark; --text: #1d2530; --soft: #5d6a7a; --line: #d9dfe6; --back: #fff; --panel: #f5f7f9;
  --a: #1f6f6b; --b: #c2571a; --c: #4a5fc1; --d: #8a3b86; }
@media (prefers-color-scheme: dark) { :root { --text: #e3e8ee; --soft: #9aa7b5; --line: #323c48; --back: #14191f;
  --panel: #1c232b; --a: #4fb3ac; --b: #f0965a; --c: #8fa2f5; --d: #d58bd0; } }
body { margin: 0 auto; padding: 2rem 1.25rem; max-width: 64rem; background: var(--back); color: var(--text);
  font: 16px/1.5 system-ui, "Liberation Sans", sans-serif; }
h1 { font-size: 1.4rem; } h2 { font-size: 1.1rem; margin: 2rem 0 .5rem; }
.soft, figcaption { color: var(--soft); font-size: .9rem; }
figure { margin: 0 0 1.5rem; padding: 1rem; background: var(--panel); border: 1px solid var(--line); border-radius: 6px; }
svg { width: 100%; height: auto; font: 13px system-ui, "Liberation Sans", sans-serif; }
svg .label { fill: var(--soft); } svg .value { fill: var(--text); } svg .axis { stroke: var(--line); }
svg .whisker { stroke: var(--soft); stroke-width: 1.5; } svg .artifact { fill: var(--a); }
svg polyline { stroke-width: 1.8; fill: none; }
svg polyline.line0 { stroke: var(--a); } svg polyline.line1 { stroke: var(--b); }
svg polyline.line2 { stroke: var(--c); } svg polyline.line3 { stroke: var(--d); }
svg circle.line0, svg text.line0 { fill: var(--a); } svg circle.line1, svg text.line1 { fill: var(--b); }
svg circle.line2, svg text.line2 { fill: var(--c); } svg circle.line3, svg text.line3 { fill: var(--d); }
"""


@dataclass(frozen=True, slots=True)
class Chart:
    """``svg`` is markup; the other texts are escaped."""

    title: str
    caption: str
    svg: str


def page(title: str, facts: Iterable[str], charts: Sequence[Chart]) -> str:
    """The whole document."""
    told = "".join(f'<p class="soft">{escape(fact)}</p>' for fact in facts)
    drawn = "".join(
        f"<h2>{escape(chart.title)}</h2><figure>{chart.svg}<figcaption>{escape(chart.caption)}</figcaption></figure>"
        for chart in charts
    )
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head><body><h1>{escape(title)}</h1>{told}{drawn}</body></html>\n"
    )
