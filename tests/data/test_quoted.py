"""What a mail carries besides what its writer wrote: history, signatures, footers, and what only looks like them."""

import time

import pytest

from data.clean import html_to_text
from data.quoted import cleaned, strip_quotes

OWN = "The second cup leaks."
OUTLOOK = "From: Mara <mara@example.com>\nSent: Monday, 3 March 2025 10:00\nTo: Ann\nSubject: RE: Cup\n\nWhich cup?"


@pytest.mark.parametrize(
    "history",
    [
        "On Tue, 3 Jan 2025 at 10:00, Mara Lee <mara@example.com> wrote:\nWhich cup?",
        "On Tue, 3 Jan 2025 at 10:00, Mara Lee\n<mara@example.com>\nwrote:\n\nWhich cup?",
        "Am 03.01.2025 um 10:00 schrieb Mara Lee:\n> Which cup?",
        "Le mar. 3 janv. 2025 à 10:00, Mara <mara@example.com> a écrit :\nWhich cup?",
        "El mar, 3 ene 2025 a las 10:00, Mara (<mara@example.com>) escribió:\n> Which cup?",
        "Mara Lee wrote on 3/1/2025 10:00 AM:\n> Which cup?",
        "2025-01-03 10:00 GMT+01:00 Mara Lee <mara@example.com>:\n> Which cup?",
        "-----Original Message-----\nFrom: Mara\nWhich cup?",
        "---------- Forwarded message ---------\nFrom: Mara\nWhich cup?",
        "-----Ursprüngliche Nachricht-----\nWhich cup?",
        f"________________________________\n{OUTLOOK}",
        OUTLOOK,
        OUTLOOK.replace("From:", "*From:*").replace("Sent:", "*Sent:*"),
        "Von: Mara Lee\nGesendet: Montag, 3. März 2025 10:00\nAn: Ann\nBetreff: AW: Tasse\n\nWhich cup?",
        "De : Mara <mara@example.com>\nEnvoyé : lundi 3 mars 2025 10:00\nÀ : Ann\nObjet : tasse\n\nWhich cup?",
        "##- Please type your reply above this line -##\n\nMara, Mar 3, 10:00\n\nWhich cup?",
        "--- Reply above this line ---\nWhich cup?",
        "Begin forwarded message:\n\nFrom: Mara\nWhich cup?",
    ],
)
def test_history_in_every_form_goes_and_is_told(history: str) -> None:
    found = cleaned(f"{OWN}\n\n{history}")
    assert (found.text, found.taken) == (OWN, {"quoted history"})
    assert "Which cup?" in strip_quotes(history), "alone it is kept"


@pytest.mark.parametrize(
    "quote",
    [
        '<div class="gmail_quote"><div class="gmail_attr">On 3 Jan 2025 Mara wrote:</div><blockquote>Open Tools &gt; '
        "Options. Which cup?</blockquote></div>",
        '<div id="appendonsend"></div><hr><div id="divRplyFwdMsg"><b>From:</b> Mara</div><div>Which cup?</div>',
        '<div class="moz-cite-prefix">On 3/1/25 10:00, Mara wrote:</div><blockquote type="cite"><p>Which cup?</p>'
        "<p>It is in Tools &gt; Options</p></blockquote>",
        '<blockquote type="cite" class="front-blockquote">Which cup?<ul><li>one</li></ul></blockquote>',
        '<div class="yahoo_quoted">Which cup?</div>',
        '<blockquote class="freshdesk_quote">Which cup?</blockquote>',
    ],
)
def test_history_that_html_marks_goes(quote: str) -> None:
    found = cleaned(html_to_text(f"<div>{OWN}</div>{quote}"))
    assert (found.text, found.taken) == (OWN, {"quoted history"})
    assert "Which cup?" in strip_quotes(html_to_text(quote))


def test_an_answer_below_marked_history_stays_and_articles_keep_their_quotes() -> None:
    html = (
        f'<blockquote type="cite">On it, Mara</blockquote><p>{OWN}</p><div class="gmail_signature">Ann<br>Sales</div>'
    )
    assert cleaned(html_to_text(html)).text == OWN
    assert cleaned(html_to_text(html)).taken == {"quoted history", "signature"}
    assert "> On it" in html_to_text(html, headings=True) and ">>" not in html_to_text(html, headings=True)


@pytest.mark.parametrize(
    "end",
    [
        "Best regards,\nAnn Lee",
        "Kind regards\n\nAnn van der Lee\nCustomer Support Specialist\nACME Ltd.\n+44 20 7946 0958\nwww.acme.example",
        "Regards,\nAnn Lee, PhD (she/her)\n12 Harbour Street\nLondon SW1A 1AA\nTel: 020 7946 0958\nann@acme.example",
        "Mit freundlichen Grüßen\nAnn Lee\nVertrieb Nord\nD-10115 Berlin",
        "Cordialement,\nAnn Lee",
        "--\nAnn Lee\nSales\nmobile 1",
        "Sent from my iPhone",
        "Von meinem iPhone gesendet",
        "Envoyé de mon iPhone",
        "Enviado desde mi iPhone",
        "Get Outlook for iOS (https://aka.ms/o0ukef)",
        "Gesendet mit der GMX Mail App",
        "Sent from Mail for Windows",
        "Best regards,\nAnn Lee\n\nSent from my Samsung Galaxy smartphone.",
    ],
)
def test_signatures_go_and_are_told(end: str) -> None:
    assert cleaned(f"{OWN}\n\n{end}").text == OWN
    assert cleaned(f"{OWN}\n\n{end}").taken == {"signature"}
    assert cleaned(end).text in end and cleaned(end).text, "nothing else was said"


def test_thanks_stay_and_what_stands_below_the_name_goes() -> None:
    assert strip_quotes(f"{OWN}\nMany thanks,\nAnn Lee\nHead of Cups\nACME Ltd.") == f"{OWN}\nMany thanks,\nAnn Lee"
    assert cleaned(f"{OWN}\nMany thanks,\nAnn Lee").taken == frozenset()


@pytest.mark.parametrize(
    "end",
    [
        "Need help? Visit our Help Centre",
        "Any questions? See our FAQs: https://help.acme.example/",
        "Visit our help center at https://help.acme.example",
        "Facebook | Twitter | Instagram",
        "Follow us on https://facebook.com/acme",
        "© 2025 ACME Ltd.",
        "You are receiving this because you are subscribed to this ticket.",
        "This email is a service from ACME. Delivered by Zendesk",
        "[CK8Q4L-MMJD]",
        "This e-mail and any attachments are confidential and intended solely for the addressee.\nPlease delete it.",
        "CONFIDENTIALITY NOTICE: The contents may be privileged. They are meant for whom it is addressed to.",
        "If you are not the intended recipient, notify the sender.\n\nVirus-free. www.avast.com",
        "Diese E-Mail enthält vertrauliche Informationen.",
        "Please consider the environment before printing this e-mail.",
    ],
)
def test_footers_go_and_are_told(end: str) -> None:
    found = cleaned(f"{OWN}\n\n{end}")
    assert (found.text, found.taken) == (OWN, {"boilerplate"})
    assert cleaned(end).text, "nothing else was said"
    whole = cleaned(f"{OWN}\n\nBest regards,\nAnn Lee\nACME Ltd.\n\n{end}\n\nOn 3 Jan 2025 Mara wrote:\n> Which?")
    assert (whole.text, whole.taken) == (OWN, {"boilerplate", "signature", "quoted history"})


@pytest.mark.parametrize(
    "text",
    [
        "It hums.\n\nRegards,\nAnn\nWindows 11\nThunderbird 128.3",
        "It hums.\n\nRegards,\nAnn\nPS: it also smells",
        "It hums.\n\nRegards,\nAnn\nOrder KW-48213",
        "It hums.\n\nBest,\n1. Open Settings\n2. Close it",
        "It hums.\n\nRegards,\nAnn\nhttps://help.acme.example/articles/descale",
        "It hums.\n\nRegards,\nIs that all?",
        "Kind regards,\nAnn\nand what do I do now",
        "It says\n> Tools > Options",
        "These do not arrive:\nFrom: ann@example.com\nnor any other",
        "Set it so:\nFrom: name\nBelow: nothing\n\nThen wait.",
        "On page 3 I wrote:\nUnplug it first",
        "Disclaimer: I only repair grinders.\n\nLift the burr out.",
        "Lift the burr.\n\nDisclaimer: I only repair grinders.",
        "It hums.\n\nThis message is confidential. How do I stop adding that?",
        "I want to leave the list.\nPlease unsubscribe me",
        "This email was sent to the wrong address",
        "Sent from my account it never arrives",
        "Mail is lost.\nSent from Outlook it never arrives",
        "I want to\nget Outlook to work again",
        "part one\n____________________\npart two",
        "It runs:\n\n    if x:\n        go()\n\n- one\n- two",
        "Follow these:\n- Facebook > Settings",
    ],
)
def test_what_only_looks_like_it_stays(text: str) -> None:
    assert (cleaned(text).text, cleaned(text).taken) == (text, frozenset())


@pytest.mark.parametrize(
    "piece",
    ["On 1 ", "On 1\n", "On 1 wrote:\n", "-", "_", "> ", ">> ", "\n", "From: a\n", "From: a@b\nTo", "##-", "- ", "a@",
     "Best regards,\n", "Best\nAnn\n", "A. ", "1 ", "sent from i", "Sent from a ", "Need help? ", "©\n", "facebook ",
     "This e-mail ", "confidential ", "www.", "said ", "wrote:", "Regards,\n" + "Ann Lee\n" * 7, "1234-01-01 <", "[A-"],
)  # fmt: skip
def test_nobody_waits_for_a_mail_made_to_be_slow(piece: str) -> None:
    text = f"{OWN}\n" + piece * (40_000 // len(piece))
    began = time.perf_counter()
    cleaned(text)
    cleaned(text + "\n")
    assert time.perf_counter() - began < 1.0
