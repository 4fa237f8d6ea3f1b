"""A document's Markdown as one self-contained HTML file."""

from __future__ import annotations

import hashlib
import html
from functools import lru_cache
from typing import Final

import markdown_it
import mdit_py_plugins
import nh3
from markdown_it import MarkdownIt
from mdit_py_plugins.footnote import footnote_plugin

from combine import __version__

_TAGS: Final = frozenset(
    {"a", "blockquote", "br", "code", "del", "em", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "li", "ol", "p", "pre"}
    | {"section", "strong", "sup", "table", "tbody", "td", "th", "thead", "tr", "ul"}
)
_ATTRIBUTES: Final = {"a": {"href", "id", "class"}, "li": {"id", "class"}, "th": {"align"}, "td": {"align"}}
_SCHEMES: Final = frozenset({"http", "https", "mailto"})

_STYLE: Final = """
:root { color-scheme: light dark; }
body { font: 1rem/1.55 system-ui, sans-serif; max-width: 46rem; margin: 2rem auto; padding: 0 1rem;
  overflow-wrap: anywhere; }
h1, h2, h3 { line-height: 1.25; margin-top: 2em; } h1 { margin-top: 0; }
table { border-collapse: collapse; width: 100%; } th, td { border: 1px solid #8886; padding: .3rem .5rem;
  text-align: left; vertical-align: top; }
blockquote { border-left: 3px solid #888; margin-left: 0; padding-left: 1rem; }
pre { overflow-x: auto; padding: .75rem; background: #8881; } .footnotes { font-size: .9rem; }
@media print { body { max-width: none; margin: 0; } a { color: inherit; text-decoration: none; } }
"""


_NH3: Final = str(getattr(nh3, "__version__", ""))  # exists, but is missing from the package's type hints
_MAKERS: Final = (__version__, markdown_it.__version__, mdit_py_plugins.__version__, _NH3, _STYLE)


def html_key(markdown: str, title: str) -> str:
    """Identifies the page that ``render_html`` makes of them; the same in every process of this version."""
    return hashlib.sha256(repr((_MAKERS, title, markdown)).encode()).hexdigest()


def render_html(markdown: str, title: str) -> str:
    """A whole page. Its texts are untrusted: anything that could run, load or link to another URL scheme is removed."""
    rendered = _parser().render(markdown)
    body = nh3.clean(
        rendered, tags=set(_TAGS), attributes=_ATTRIBUTES, url_schemes=set(_SCHEMES), link_rel="noopener noreferrer"
    )
    return (
        '<!doctype html>\n<html>\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{html.escape(title)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n{body}\n</body>\n</html>\n"
    )


@lru_cache(maxsize=1)
def _parser() -> MarkdownIt:
    # Raw HTML passes, as the anchors of items are written in it; what passes is cleaned afterwards.
    return MarkdownIt("commonmark", {"html": True}).enable("table").use(footnote_plugin)
