"""One invented conversation as each of the four help desks would export it.

In all of them Ann asks, an agent notes SECRET for colleagues only, an agent replies, Ann thanks.
"""

from typing import Any

Row = dict[str, Any]
AT = [f"2025-03-01T10:0{minute}:00Z" for minute in range(6)]
EPOCH = [1740823200 + 60 * minute for minute in range(6)]
ASKED, NOTED, REPLIED, THANKED = (
    "<p>My grinder hums but does <b>not</b> turn.</p>", "SECRET: third one this week", "Unplug it and lift the burr.",
    "That fixed it, thanks!",
)  # fmt: skip


def zendesk(number: int = 7) -> Row:
    comments = [
        {"id": 1, "author_id": 50, "public": True, "html_body": ASKED, "body": "plain", "created_at": AT[0]},
        {"id": 2, "author_id": 90, "public": False, "body": NOTED, "created_at": AT[1]},
        {"id": 3, "author_id": 90, "body": "SECRET: does not say that it is public", "created_at": AT[1]},
        {"id": 4, "author_id": -1, "public": True, "body": "SECRET: assigned by a trigger", "created_at": AT[1]},
        {"id": 5, "author_id": 90, "public": True, "body": REPLIED, "created_at": AT[2]},
        {"id": 6, "author_id": 50, "public": True, "body": THANKED, "created_at": AT[3]},
    ]
    return {
        "id": number, "subject": "Grinder", "description": "plain", "status": "solved", "priority": None,
        "tags": ["grinders"], "custom_fields": [], "requester_id": 50, "assignee_id": 90, "via": {"channel": "email"},
        "satisfaction_rating": {"score": "good"}, "is_public": True, "created_at": AT[0], "comments": comments,
    }  # fmt: skip


def intercom(number: int = 7) -> Row:
    def part(kind: str, who: str, body: str | None, minute: int, **more: object) -> Row:
        author = {"type": who, "id": who}
        return {
            "id": str(minute),
            "part_type": kind,
            "author": author,
            "body": body,
            "created_at": EPOCH[minute],
            **more,
        }

    parts = [
        part("comment", "bot", "Let me find somebody for you.", 1),
        part("note", "admin", NOTED, 1),
        part("note_and_reopen", "admin", "SECRET: reopened", 1),
        part("assignment", "admin", None, 1),
        part("comment", "admin", "SECRET: taken back", 1, redacted=True),
        part("comment", "admin", REPLIED, 2),
        part("close", "user", THANKED, 3),
    ]
    source = {"id": "s", "subject": "Grinder", "body": ASKED, "author": {"type": "user", "id": "user"}}
    return {
        "type": "conversation", "id": str(number), "created_at": EPOCH[0], "state": "closed", "source": source,
        "tags": {"type": "tag.list", "tags": [{"name": "grinders"}]}, "conversation_rating": {"rating": 5},
        "contacts": {"contacts": []}, "conversation_parts": {"conversation_parts": parts, "total_count": 7},
    }  # fmt: skip


def freshdesk(number: int = 7) -> Row:
    def said(name: int, incoming: bool, private: bool | None, body: str, minute: int, source: int = 0) -> Row:
        row = {"id": name, "incoming": incoming, "private": private, "body_text": body, "user_id": name}
        return {**row, "created_at": AT[minute], "source": source}

    return {
        "id": number, "subject": "Grinder", "description": ASKED, "description_text": "plain", "status": 4,
        "priority": 1, "source": 1, "tags": ["grinders"], "stats": {}, "spam": False, "deleted": False,
        "requester_id": 50, "responder_id": 90, "created_at": AT[0], "satisfaction_rating": {"rating": 5},
        "conversations": [
            said(1, False, True, NOTED, 1, source=2),
            said(2, False, False, "SECRET: forwarded to the maker", 1, source=8),
            said(3, False, None, "SECRET: does not say whether it is private", 1),
            said(4, False, False, REPLIED, 2),
            said(5, True, False, THANKED, 3),
        ],
    }  # fmt: skip


def helpscout(number: int = 7) -> Row:
    def thread(kind: str, who: str, body: str, minute: int, **more: object) -> Row:
        return {
            "id": minute,
            "type": kind,
            "createdBy": {"type": who, "id": 1},
            "body": body,
            "createdAt": AT[minute],
            **more,
        }

    threads = [
        thread("customer", "customer", THANKED, 3),
        thread("message", "user", REPLIED, 2, savedReplyId=4),
        thread("message", "user", "SECRET: a draft", 2, state="draft"),
        thread("note", "user", NOTED, 1),
        thread("lineitem", "user", "SECRET: assigned", 1),
        thread("forwardparent", "user", "SECRET: to the maker", 1),
        thread("customer", "customer", ASKED, 0),
    ]
    return {
        "id": number, "number": 1, "threads": 7, "type": "email", "status": "closed", "state": "published",
        "subject": "Grinder", "mailboxId": 3, "tags": [{"id": 1, "tag": "grinders"}], "createdAt": AT[0],
        "rating": {"rating": "great"}, "_embedded": {"threads": threads},
    }  # fmt: skip


ALL = {"Zendesk": zendesk, "Intercom": intercom, "Freshdesk": freshdesk, "Help Scout": helpscout}
