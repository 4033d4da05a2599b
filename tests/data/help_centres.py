"""One invented article as each help centre would export it, and as its site would show it.

In all of them the grinder is cleaned with a heading, a numbered list, a link, code and a table; SECRET is what no
customer may read.
"""

from typing import Any

Row = dict[str, Any]
BODY = (
    "<p>Clean it <strong>once a month</strong>.</p><h2 id='h'>Take it apart</h2><ol><li>Unplug it.</li><li>Lift the "
    "burr, see <a href='https://help.example.com/burr'>the burr</a>.</li></ol><h2>Codes</h2>"
    "<table><tbody><tr><th>Code</th><th>Meaning</th></tr><tr><td>E1</td><td>Jammed</td></tr></tbody></table>"
    "<pre># reset\nhold 5s</pre><script>SECRET()</script>"
)
TEXT = (
    "Clean it once a month.\n\n## Take it apart\n\n1. Unplug it.\n2. Lift the burr, see the burr "
    "(https://help.example.com/burr).\n\n## Codes\n\nCode | Meaning\n\nE1 | Jammed\n\n```\n# reset\nhold 5s\n```"
)
ISO, EPOCH = "2025-03-01T10:00:00Z", 1740823200


def zendesk(number: int = 1, **changes: object) -> Row:
    return {
        "id": number, "url": f"https://acme.zendesk.com/api/v2/help_center/en-us/articles/{number}.json",
        "html_url": f"https://help.example.com/hc/articles/{number}", "author_id": 3, "comments_disabled": False,
        "draft": False, "promoted": False, "position": 0, "section_id": 9, "created_at": "2024-01-01T00:00:00Z",
        "updated_at": "2025-09-09T00:00:00Z", "name": "Clean the grinder", "title": "Clean the grinder",
        "source_locale": "en-us", "locale": "en-us", "outdated": False, "outdated_locales": [], "edited_at": ISO,
        "user_segment_id": None, "permission_group_id": 4, "label_names": ["grinder"], "body": BODY, **changes,
    }  # fmt: skip


def intercom(number: int = 1, **changes: object) -> Row:
    return {
        "type": "article", "id": str(number), "workspace_id": "w", "title": "Clean the grinder", "description": None,
        "body": BODY, "author_id": 3, "state": "published", "created_at": 1704067200, "updated_at": EPOCH,
        "url": f"https://help.example.com/en/articles/{number}", "parent_id": 9, "statistics": {"views": 3}, **changes,
    }  # fmt: skip


def freshdesk(number: int = 1, **changes: object) -> Row:
    return {
        "id": number, "type": 1, "category_id": 3, "folder_id": 4, "folder_visibility": 1, "agent_id": 1,
        "hierarchy": [{"level": 0, "type": "category", "data": {"id": 3, "name": "Help", "language": "en"}}],
        "title": "Clean the grinder", "description": BODY, "description_text": "plain", "status": 2, "hits": 1,
        "created_at": "2024-01-01T00:00:00Z", "updated_at": ISO, "tags": [], "seo_data": {}, **changes,
    }  # fmt: skip


def helpscout(number: int = 1, **changes: object) -> Row:
    return {
        "id": str(number), "number": 125, "collectionId": "c", "slug": "clean", "status": "published",
        "hasDraft": False, "name": "Clean the grinder", "text": BODY, "categories": ["k"], "popularity": 4.3,
        "publicUrl": f"https://help.example.com/article/{number}", "createdAt": "2024-01-01T00:00:00Z",
        "updatedAt": ISO, **changes,
    }  # fmt: skip


ALL = {"Zendesk": zendesk, "Intercom": intercom, "Freshdesk": freshdesk, "Help Scout": helpscout}
PAGE = f"""<!DOCTYPE html>
<html lang="en-US"><head><meta charset="utf-8"><title>Clean the grinder – Acme Help</title>
<link rel="canonical" href="https://help.example.com/clean"><style>p {{ color: red }}</style></head>
<body><header><h1>Acme Help</h1><nav><a href="/">Home</a> SECRET menu</nav></header>
<main><article><nav>SECRET way back</nav><header><h1>Clean the grinder</h1><p>SECRET author</p></header>
{BODY}<aside>SECRET advert</aside><form>SECRET Was this helpful?</form><button>SECRET Yes</button><footer>SECRET date
</footer></article><p>SECRET related</p></main>
<footer>SECRET footer</footer></body></html>"""
