"""Knowledge-base wiki mark-up (MediaWiki with platform switches) to text with '# ' headings.

A switch such as {for win} hides text from readers on other systems. A model answers everybody, so the text
stays and says whom it is for. Pictures, templates and comments say nothing to a model and go.
"""

from __future__ import annotations

import html
import re

from data.clean import collapse

PLATFORMS = {
    "win": "Windows", "mac": "macOS", "linux": "Linux", "android": "Android", "ios": "iOS",
    "winxp": "Windows XP", "win7": "Windows 7", "win8": "Windows 8",
    "win10": "Windows 10", "win11": "Windows 11",
}  # fmt: skip
SWITCH = re.compile(r"\{for ([^}]*)\}((?:(?!\{for ).)*?)\{/for\}", re.DOTALL)
VERSION = re.compile(r"=?(?:tb|fx|fxos|m|sync)?(\d+)")
NAMED = re.compile(r"\{(?:menu|button|key|filepath|pref|tooltip|dialog)\s+([^{}]*)\}")
TAGS = re.compile(
    r"</?(?:code|nowiki|u|small|tt|b|i|em|strong|sub|sup|span|div|p|center|img|video)\b[^<>]*>", re.IGNORECASE
)
LIST = re.compile(r"^([*#]+)\s*([:;]*)\s*(.*)$")


def wiki_to_text(wiki: str) -> str:
    """The article as text: headings '# ', lists '- ' and '1.', links as text, switches as 'On Windows:'."""
    text = re.sub(r"<!--.*?-->", "", wiki, flags=re.DOTALL)
    text = re.sub(r"<del\b[^>]*>.*?</del>", "", text, flags=re.DOTALL)
    text = re.sub(
        r"\[\[(?:Image|Video|Template|T|UI|File|V|I|Include|Category):[^\]]*\]\]",
        "",
        text,
        flags=re.IGNORECASE,
    )
    text = re.sub(r"__[A-Z]+__|\{/?(?:note|warning|getline)\b[^{}]*\}", "", text)
    text = _inline(text)
    while (switched := SWITCH.sub(_switch, text)) != text:
        text = re.sub(r"\)\((?=(?:not )?(?:on|for|from|before|in) )", ") (", switched)
    text = NAMED.sub(r"\1", re.sub(r"\{/?for\b[^}]*\}", "", text))  # an unpaired switch; a name around switches
    return collapse(html.unescape("\n".join(_lines(text))))


def _inline(text: str) -> str:
    text = NAMED.sub(r"\1", text)
    text = re.sub(r"<br\s*/?>", "\n", TAGS.sub("", text), flags=re.IGNORECASE)
    text = re.sub(r"\[\[[^\]|]*\|([^\]]*)\]\]", r"\1", text)
    text = re.sub(r"\[\[#?([^\]]*)\]\]", r"\1", text)
    text = re.sub(r"\[(?:https?|mailto|ftp)\S*?[ ]([^\]\n]+)\]", r"\1", text)
    text = re.sub(r"\[((?:https?)://[^\]\s]+)\]", r"\1", text)
    return re.sub(r"'{2,5}", "", text)


def _switch(match: re.Match[str]) -> str:
    body = match[2].strip()
    if not body:
        return ""
    whom = _whom(match[1])
    if "\n" not in body and not re.match(r"[#*=;|]", body):
        gap = " " if match.string.startswith("{for ", match.end()) else ""  # another system's text goes on from here
        lead = "" if match.string[: match.start()].endswith((" ", "(", "/", "\n")) else " "
        return f"{lead}({whom}: {body})" if _is_amid(match) else f"{whom[0].upper()}{whom[1:]}: {body}{gap}"
    label = f"{whom[0].upper()}{whom[1:]}:"
    body = re.sub(r"^(=+[^=\n]+=+)[ \t]*$", rf"\1\n{label}", body, flags=re.MULTILINE)  # a passage has one heading
    return f"\n{body}\n" if body.startswith("=") else f"\n{label}\n{body}\n"


def _is_amid(match: re.Match[str]) -> bool:
    """Whether the switch stands in the middle of a sentence rather than on a line or list item of its own."""
    before = match.string[: match.start()].rpartition("\n")[2]
    return bool(re.sub(r"\{for [^}]*\}.*?\{/for\}|\{for [^}]*\}", "", before).strip(" *#:;"))


def _whom(names: str) -> str:
    """'win,mac' → 'on Windows and macOS', 'not tb115' → 'before version 115'."""
    listed = names.strip().removeprefix("not ").split(",")
    negated = names.strip().startswith("not ")
    words = [PLATFORMS.get(name.strip(), "") for name in listed]
    if all(words):
        joined = " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)
        return f"not on {joined}" if negated else f"on {joined}"
    version = VERSION.fullmatch(listed[0].strip())
    if version is None:
        return f"not for {names.strip()[4:]}" if negated else f"for {names.strip()}"
    if listed[0].strip().startswith("="):
        return f"in version {version[1]}"
    return f"before version {version[1]}" if negated else f"from version {version[1]}"


def _lines(text: str) -> list[str]:
    out: list[str] = []
    numbers: list[int] = []
    for line in text.split("\n"):
        heading = re.fullmatch(r"(={1,6})\s*(.+?)\s*=+\s*", line)
        item = LIST.match(line)
        if heading:
            out += ["", "#" * len(heading[1]) + " " + heading[2], ""]
        elif item:
            out += _item(item, numbers)
        else:
            out.append(_plain(line.strip()))
        if line.strip() and not item:
            numbers.clear()
    return out


def _item(item: re.Match[str], numbers: list[int]) -> list[str]:
    marks, aside, words = item[1], item[2], item[3].strip()
    if not words:
        return []
    depth = len(marks)
    indent = "  " * (depth - 1)
    del numbers[depth:]
    numbers += [0] * (depth - len(numbers))
    if aside:
        return [f"{indent}  {words}"]
    if marks[-1] == "*":
        return [f"{indent}- {words}"]
    numbers[depth - 1] += 1
    return [f"{indent}{numbers[depth - 1]}. {words}"]


def _plain(line: str) -> str:
    if re.match(r"\{\||\|\}|\|-|\|\+", line):
        return ""
    if line.startswith(("|", "!")):
        cells = re.split(r"\|\||!!", line[1:])
        return " | ".join(cell.rpartition("|")[2].strip() for cell in cells)
    return line.lstrip(":;").strip()
