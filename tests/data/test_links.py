"""An address in a reply and the article it leads to."""

from __future__ import annotations

import pytest

from data.links import Linked, addresses, relative
from data.records import Article


def article(name: str, url: str = "") -> Article:
    return Article(id=name, title="t", url=url, text="x")


KNOWN = Linked([
    article("8917", "https://support.shop.com/en-US/kb/clean-the-burrs"),
    article("360001", "https://shop.zendesk.com/hc/en-us/articles/360001-Descale-it"),
    article("coffee/kettle-descale", ""),
    article("abc", ""),
    article("77001", "https://www.shop.com/help/"),
])  # fmt: skip


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("See https://support.shop.com/kb/clean-the-burrs.", ["8917"]),
        ("See https://support.shop.com/en-US/kb/Clean-The-Burrs/?token=abcd#w_dry, or", ["8917"]),
        ("(https://support.shop.com/kb/8917)", ["8917"]),
        ("https://elsewhere.com/kb/clean-the-burrs https://elsewhere.com/8917", []),
        ("https://shop.zendesk.com/hc/de/articles/360001-Entkalken-leicht-gemacht", ["360001"]),
        ("https://shop.zendesk.com/hc/articles/360001", ["360001"]),
        ("https://shop.zendesk.com/hc/articles/3600012-Other", []),
        ("http://intra.net/coffee/kettle-descale.html", ["coffee/kettle-descale"]),
        ("https://x.com/abc and https://x.com/ and https://x.com", []),
        ("https://shop.com/help https://www.shop.com/kb/77001", ["77001"]),
        ("https://shop.zendesk.com/360001 https://support.shop.com/clean-the-burrs https://support.shop.com/8917",
         ["360001", "8917"]),
        ("http://[broken/kb/clean-the-burrs and no address at all", []),
    ],
)  # fmt: skip
def test_slug_number_and_id_of_the_same_host(text: str, found: list[str]) -> None:
    assert list(KNOWN.articles(addresses(text))) == found


def test_nothing_of_an_address_is_kept_but_host_and_last_step() -> None:
    assert addresses("https://me:pw@www.Shop.com/kb/a%20b?token=s3cret#x http://shop.com/?q=1") == ["shop.com/a b"]


def test_what_two_articles_are_called_tells_neither() -> None:
    both = Linked([article("one", "https://a.com/x/same-name"), article("two", "https://a.com/y/same-name")])
    assert both.articles(["a.com/same-name"]) == ()


@pytest.mark.parametrize(
    ("markup", "found"),
    [
        ('see <a href="/en-US/kb/clean-the-burrs#w_dry">this</a>', ["8917"]),
        ("<a class=x HREF = '/hc/articles/360001-Descale-it?token=abcdef'>", ["360001"]),
        ("<a href=/coffee/kettle-descale>", ["coffee/kettle-descale"]),
        ('<a href="//support.shop.com/kb/8917">', ["8917"]),
        ('<a href="//elsewhere.com/kb/8917">', []),
        ('<a href="#answer-8917"> <a href="8917"> <a href="/kb/new?title=8917"> <a data-xhref="/kb/8917">', []),
        ('<a href="https://elsewhere.com/kb/clean-the-burrs">', []),
        ("type href=/ or /kb/clean-the-burrs", []),
    ],
)  # fmt: skip
def test_an_address_without_a_host_is_the_desks_own(markup: str, found: list[str]) -> None:
    assert list(KNOWN.articles(relative(markup))) == found


def test_of_an_address_without_a_host_too_nothing_is_kept_but_the_last_step() -> None:
    assert relative('<a href="/a/b%20c?token=s3cret">x</a> <a href="//me:pw@Shop.com/d">y</a>') == (
        "-/b c",
        "shop.com/d",
    )
    two = Linked([article("one", "https://a.com/same-name"), article("two", "https://b.com/same-name")])
    assert two.articles(relative('<a href="/same-name">')) == ()
    assert two.articles(["b.com/same-name"]) == ("two",)
