"""The part of Markdown that our own reports and READMEs use, as HTML.

Headings, paragraphs, lists, tables, code and images become elements; everything is escaped first.
A link is kept where the caller knows a page for it, and is plain text where not: a page that
somebody was sent must not point at files that they do not have.
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Iterator

#: What becomes of a link or an image: its address on the page, or nothing.
Address = Callable[[str], str | None]


def nowhere(_: str) -> None:
    """Know no page for any link."""


def page(text: str, address: Address = nowhere, deeper: int = 0) -> str:
    """Turn a Markdown document into HTML.

    Args:
        text: the document.
        address: says where links and images lead.
        deeper: how much lower headings are than the document has them.
    """
    return "\n".join(_blocks(re.sub(r"<!--.*?-->", "", text, flags=re.DOTALL), address, deeper))


def inline(text: str, address: Address = nowhere) -> str:
    """Turn one line of Markdown into HTML."""
    kept: list[str] = []

    def keep(match: re.Match[str]) -> str:
        kept.append(f"<code>{match[1]}</code>")
        return f"\0{len(kept) - 1}\0"

    def link(match: re.Match[str]) -> str:
        where = address(html.unescape(match[2]))
        return match[1] if where is None else f'<a href="{html.escape(where)}">{match[1]}</a>'

    text = re.sub(r"`([^`]+)`", keep, html.escape(text, quote=False))
    text = re.sub(r"(?<!!)\[([^\]]+)\]\(([^)\s]+)\)", link, text)
    text = re.sub(r"\*\*(.+?)\*\*", r"<strong>\1</strong>", text)
    text = re.sub(r"(?<![\w\\*])\*([^*\s][^*]*)\*", r"<em>\1</em>", text)
    text = re.sub(r"\\([*|_\[\]])", r"\1", text)
    return re.sub("\0(\\d+)\0", lambda match: kept[int(match[1])], text)


def _blocks(text: str, address: Address, deeper: int) -> Iterator[str]:
    fenced = re.split(r"^```\w*\n(.*?)^```$", text, flags=re.DOTALL | re.MULTILINE)
    for place, part in enumerate(fenced):
        if place % 2:
            yield f'<div class="scroll"><pre>{html.escape(part, quote=False)}</pre></div>'
            continue
        for block in re.split(r"\n\s*\n|(?=^#)", part, flags=re.MULTILINE):
            if block.strip():
                yield _block(block.strip("\n"), address, deeper)


def _block(block: str, address: Address, deeper: int) -> str:
    lines = block.splitlines()
    if heading := re.match(r"(#+) (.*)", lines[0]):
        level = min(len(heading[1]) + deeper, 6)
        first = f"<h{level}>{inline(heading[2], address)}</h{level}>"
        rest = "\n".join(lines[1:]).strip("\n")
        return f"{first}\n{_block(rest, address, deeper)}" if rest.strip() else first
    table = next((place for place, line in enumerate(lines) if line.startswith("|")), None)
    if table:  # text right above it
        parts = (lines[:table], lines[table:])
        return "\n".join(_block("\n".join(part), address, deeper) for part in parts)
    if table == 0:
        return _table(lines, address)
    if picture := re.fullmatch(r"!\[([^\]]*)\]\(([^)\s]+)\)", block.strip()):
        where = address(picture[2])
        alt = html.escape(picture[1])
        return f'<figure><img src="{where}" alt="{alt}"></figure>' if where else ""
    if all(line.startswith("    ") for line in lines):
        code = html.escape("\n".join(line[4:] for line in lines), quote=False)
        return f'<div class="scroll"><pre>{code}</pre></div>'
    if re.match(r"[-*] |\d+\. ", lines[0]):
        return _list(lines, address)
    return f"<p>{inline(' '.join(line.strip() for line in lines), address)}</p>"


def _list(lines: list[str], address: Address) -> str:
    items: list[str] = []
    for line in lines:
        if start := re.match(r"\s*(?:[-*]|\d+\.) (.*)", line):
            items.append(start[1])
        else:
            items[-1] += f" {line.strip()}"
    inner = "".join(f"<li>{inline(item, address)}</li>" for item in items)
    if number := re.match(r"\d+", lines[0]):
        return f'<ol start="{number[0]}">{inner}</ol>'
    return f"<ul>{inner}</ul>"


def _table(lines: list[str], address: Address) -> str:
    rows = [
        [cell.strip() for cell in re.split(r"(?<!\\)\|", line.strip().strip("|"))]
        for line in lines
        if line.startswith("|")
    ]
    right = [cell.endswith(":") for cell in rows[1]] if len(rows) > 1 else []
    numbers = right if any(right) else [False] * len(rows[0])

    def row(cells: list[str], tag: str) -> str:
        kinds = [*numbers, *[False] * len(cells)]
        return "".join(
            f"<{tag}{'' if number else ' class="t"'}>{inline(cell, address)}</{tag}>"
            for cell, number in zip(cells, kinds, strict=False)
        )

    body = "\n".join(f"<tr>{row(cells, 'td')}</tr>" for cells in rows[2:])
    return f'<div class="scroll"><table>\n<tr>{row(rows[0], "th")}</tr>\n{body}\n</table></div>'
