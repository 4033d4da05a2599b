"""HTML to text, quoted history, signatures."""

import pytest

from data.clean import _parsed, _simple, cap_words, collapse, html_to_text
from data.quoted import strip_quotes


def test_lists_code_links_and_entities_survive() -> None:
    source = (
        "<p>Do this &amp; that:</p><ol><li>Open <b>Tools</b></li><li>Click OK</li></ol><ul><li>one</li></ul>"
        '<pre>if x:\n    go()</pre><p>See <a href="https://example.org/kb/x">the guide</a> or '
        '<a href="https://example.org/kb">example.org/kb</a></p><script>bad()</script>'
    )
    text = html_to_text(source)
    assert "Do this & that:" in text
    assert "1. Open Tools\n2. Click OK" in text
    assert "- one" in text
    assert "if x:\n    go()" in text
    assert "the guide (https://example.org/kb/x) or example.org/kb" in text
    assert "bad()" not in text


def test_nested_list_is_indented() -> None:
    assert html_to_text("<ul><li>a<ul><li>b</li></ul></li><li>c</li></ul>") == "- a\n  - b\n- c"


def test_shortened_link_text_becomes_the_address() -> None:
    assert html_to_text('<a href="https://example.org/long/path">https://example.org/lo…</a>').endswith("/long/path")


@pytest.mark.parametrize("plain", ["if a < b then c > d", "write to <ann@example.com> now", "1 &lt; 2"])
def test_text_that_is_no_html_is_left_alone(plain: str) -> None:
    assert html_to_text(plain) == plain.replace("&lt;", "<")


def test_quick_path_and_parser_agree() -> None:
    source = "<p>One  two<br>three </p><p>four&nbsp;five\nsix</p>"
    assert (
        collapse(_simple(source))
        == collapse(_parsed(source))
        == "One two\nthree\n\nfour five\nsix".replace("\nsix", " six")
    )


def test_markup_a_parser_rejects_and_deep_nesting_do_not_raise() -> None:
    assert "hi" in html_to_text("<p>hi<![foo</p>")
    assert "deep" in html_to_text("<div>" * 3000 + "deep" + "</div>" * 3000)


def test_quoted_history_goes() -> None:
    mail = "It is the second cup.\n\nOn Mon, 3 Mar 2025 at 10:00,\nMara wrote:\n> Which cup is it?\n> Mara\n"
    assert strip_quotes(mail) == "It is the second cup."


def test_answer_below_a_quote_stays() -> None:
    assert strip_quotes("On 3 Mar 2025 Mara wrote:\n> Which one?\n\nThe red one.") == "The red one."


def test_unmarked_history_and_forwarded_mail_go() -> None:
    assert strip_quotes("Yes.\n\nOn 3 Mar 2025, Mara wrote:\nWhich one?\nBye") == "Yes."
    assert strip_quotes("Yes.\n-----Original Message-----\nFrom: x\nold") == "Yes."


def test_signature_goes_but_a_dashed_line_far_up_stays() -> None:
    assert strip_quotes("Please help.\n-- \nAnn Lee\nSales") == "Please help."
    long = "head\n--\n" + "\n".join(f"row {n}" for n in range(30))
    assert strip_quotes(long) == long
    assert strip_quotes("Hello there\nSent from my iPhone") == "Hello there"


def test_forum_quote_goes_with_its_said_line() -> None:
    html = "<em><p>ann <a href='#a'>said</a></p></em> <blockquote>old words</blockquote><p>My answer here.</p>"
    assert strip_quotes(html_to_text(html)) == "My answer here."


def test_menu_path_is_no_quote_and_pure_quote_is_kept() -> None:
    assert "> Tools > Options" in strip_quotes("Go to\n> Tools > Options")
    assert strip_quotes("> only this") == "only this"


def test_collapse_removes_what_nobody_sees() -> None:
    assert collapse("a\u200b  b\xa0 c \r\n\r\n\r\n\r\nd\x00") == "a b c\n\nd"


def test_cap_words() -> None:
    assert cap_words("a b c", 3) == "a b c"
    assert cap_words("a b c d", 2) == "a b …"
