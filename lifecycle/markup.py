"""Text from outside on a page that may render Markdown and HTML: it is shown, and never becomes markup.

Producers choose file and column names, and a level is a value of theirs. Signs that mean something in either language
become character references, which both show as the sign itself.
"""

from __future__ import annotations

# Without an opening bracket there is no link and no image; an underscore within a word means nothing.
_MEANING = "&<>|`*[]\\~"
_HARMLESS = {ord(sign): f"&#{ord(sign)};" for sign in _MEANING}
_TAGS = {ord(sign): f"&#{ord(sign)};" for sign in "&<>[]`"}


def plain(text: str) -> str:
    """Return text of one line without any meaning in Markdown or HTML, in a table's cell as well."""
    return one_line(text).translate(_HARMLESS)


def sentence(text: str) -> str:
    """Return our own sentence with names of others in it: emphasis and lists work, tags and links do not."""
    return "\n".join(one_line(line).translate(_TAGS) for line in text.split("\n"))


def one_line(text: str) -> str:
    """Return text without line breaks and control signs, which a terminal would obey: each becomes a blank."""
    return "".join(sign if sign.isprintable() else " " for sign in text)
