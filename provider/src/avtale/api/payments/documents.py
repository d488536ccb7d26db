"""Receipts and credit notes to look at: the same figures as the JSON says, as a page and as a PDF."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from jinja2 import Environment, PackageLoader

from avtale.domain.receipt import ReceiptKind
from avtale.storage.receipts import Receipt

if TYPE_CHECKING:
    from fpdf import FPDF

_FONT = Path(str(files("avtale.api") / "fonts" / "DejaVuSans.ttf"))
_FAMILY = "DejaVu"
#: A letter that the font has not is shown as this.
_UNKNOWN = "\ufffd"
_templates = Environment(
    loader=PackageLoader("avtale.api"), autoescape=True, trim_blocks=True, lstrip_blocks=True, auto_reload=False
)

#: Every word on a document. Norwegian bookkeeping takes Norwegian, Swedish, Danish and English.
_WORDS: Mapping[str, Mapping[str, str]] = {
    "en": {
        "receipt": "Receipt",
        "credit_note": "Credit note",
        "corrects": "Corrects receipt no.",
        "date": "Date",
        "seller": "Seller",
        "org": "Org. no.",
        "what": "What",
        "period": "Period",
        "days": "{first} to {last}",
        "delivered": "Delivered",
        "electronically": "electronically",
        "due": "Due",
        "net": "Without VAT",
        "vat": "VAT {rate} %",
        "vat_nok": "VAT in NOK (1 {currency} = NOK {rate})",
        "paid": "Paid with {gateway}",
        "returned": "Given back with {gateway}",
        "id": "Document",
    },
    "nb": {
        "receipt": "Kvittering",
        "credit_note": "Kreditnota",
        "corrects": "Retter kvittering nr.",
        "date": "Dato",
        "seller": "Selger",
        "org": "Org.nr.",
        "what": "Vare",
        "period": "Periode",
        "days": "{first} til {last}",
        "delivered": "Levert",
        "electronically": "elektronisk",
        "due": "Forfall",
        "net": "Uten mva.",
        "vat": "Mva. {rate} %",
        "vat_nok": "Mva. i NOK (1 {currency} = NOK {rate})",
        "paid": "Betalt med {gateway}",
        "returned": "Tilbakebetalt med {gateway}",
        "id": "Dokument",
    },
}
LANGUAGES = tuple(_WORDS)


@dataclass(frozen=True, slots=True)
class Document:
    """What a receipt or credit note says: a title, facts, and sums in the order in which they are read."""

    language: str
    title: str
    facts: tuple[tuple[str, str], ...]
    sums: tuple[tuple[str, str], ...]
    total: tuple[str, str]
    foot: str


def document_of(receipt: Receipt, corrects: Receipt | None, zone: str, language: str) -> Document:
    """A stored receipt in words; `corrects` is the one that a credit note corrects, `zone` the tenant's."""
    words, content, sums = _WORDS[language], receipt.content, receipt.sums
    facts = [(words["date"], _local_day(receipt.issued_at, zone).isoformat())]
    if corrects is not None:
        facts.append((words["corrects"], f"{corrects.number} ({_local_day(corrects.issued_at, zone).isoformat()})"))
    facts.append((words["seller"], _seller(content["seller"], words)))
    facts.append((words["what"], str(content["product"])))
    last = date.fromisoformat(content["periodEnd"]) - timedelta(days=1)
    facts.append((words["period"], words["days"].format(first=content["periodStart"], last=last.isoformat())))
    facts.append((words["delivered"], words["electronically"]))
    if "dueDate" in content:
        facts.append((words["due"], content["dueDate"]))
    is_receipt = receipt.kind is ReceiptKind.RECEIPT
    gateway = str(content.get("gateway", "vipps")).title()
    return Document(
        language=language,
        title=f"{words[receipt.kind.value]} {receipt.number}",
        facts=tuple(facts),
        sums=(
            (words["net"], _amount(sums.gross - sums.vat, receipt.currency, language)),
            (
                words["vat"].format(rate=_rate(sums.vat_basis_points, language)),
                _amount(sums.vat, receipt.currency, language),
            ),
            *_vat_in_nok(receipt, words, language),
        ),
        total=(
            words["paid" if is_receipt else "returned"].format(gateway=gateway),
            _amount(sums.gross, receipt.currency, language),
        ),
        foot=f"{words['id']} {receipt.id}",
    )


def _vat_in_nok(receipt: Receipt, words: Mapping[str, str], language: str) -> list[tuple[str, str]]:
    """A line more where the currency is another: bookkeeping wants VAT in NOK."""
    said = receipt.content.get("vatInNok")
    if said is None:
        return []
    rate = said["rate"].replace(".", ",") if language == "nb" else said["rate"]
    label = words["vat_nok"].format(currency=receipt.currency, rate=rate)
    return [(label, _amount(said["amount"], "NOK", language))]


def page(document: Document) -> str:
    """The document as HTML that fetches nothing."""
    return _templates.get_template("receipt.html").render(document=document)


def pdf(document: Document) -> bytes:
    """The document as a PDF on one sheet of A4, its letters embedded."""
    from fpdf import FPDF  # late: with its font library, a fifth of what the API would read at its start

    sheet = FPDF(format="A4")
    sheet.set_margin(22)
    sheet.add_font(_FAMILY, fname=_FONT)
    sheet.set_lang(document.language)
    sheet.set_title(document.title)
    sheet.add_page()
    sheet.set_font(_FAMILY, size=20)
    sheet.cell(h=12, text=document.title, new_x="LMARGIN", new_y="NEXT")
    sheet.ln(6)
    known = set(sheet.fonts[_FAMILY.lower()].cmap)  # type: ignore[union-attr]
    sheet.set_font(_FAMILY, size=10)
    for label, value in document.facts:
        _row(sheet, label, _shown(value, known))
    sheet.ln(6)
    for label, value in document.sums:
        _sum(sheet, label, value)
    sheet.set_draw_color(60)
    sheet.line(sheet.l_margin, sheet.get_y() + 1, sheet.w - sheet.r_margin, sheet.get_y() + 1)
    sheet.ln(2)
    sheet.set_font(_FAMILY, size=13)
    _sum(sheet, *document.total)
    sheet.ln(10)
    sheet.set_font(_FAMILY, size=8)
    sheet.set_text_color(90)
    sheet.cell(h=5, text=document.foot)
    return bytes(sheet.output())


def _row(sheet: FPDF, label: str, value: str) -> None:
    top = sheet.get_y()
    sheet.set_text_color(90)
    sheet.cell(w=42, h=6, text=label)
    sheet.set_text_color(0)
    sheet.set_xy(sheet.l_margin + 42, top)
    sheet.multi_cell(w=0, h=6, text=value, align="L", new_x="LMARGIN", new_y="NEXT")


def _sum(sheet: FPDF, label: str, value: str) -> None:
    half = sheet.epw / 2
    sheet.cell(w=half, h=7, text=label)
    sheet.cell(w=half, h=7, text=value, align="R", new_x="LMARGIN", new_y="NEXT")


def _shown(text: str, known: set[int]) -> str:
    return "".join(letter if ord(letter) in known else _UNKNOWN for letter in text)


def _seller(seller: Mapping[str, Any], words: Mapping[str, str]) -> str:
    """Name, organization number (with MVA if registered for VAT), the register of companies, and address."""
    number = f"{words['org']} {seller['organization_number']}{' MVA' if seller['vat_registered'] else ''}"
    register = ["Foretaksregisteret"] if seller.get("business_register") else []
    return ", ".join([str(seller["name"]), number, *register, str(seller["address"])])


def _amount(minor: int, currency: str, language: str) -> str:
    whole, part = divmod(minor, 100)
    point, groups = (",", "\u00a0") if language == "nb" else (".", ",")
    return f"{currency} {f'{whole:,}'.replace(',', groups)}{point}{part:02d}"


def _rate(basis_points: int, language: str) -> str:
    text = f"{basis_points / 100:.2f}".rstrip("0").rstrip(".")
    return text.replace(".", ",") if language == "nb" else text


def _local_day(instant: datetime, zone: str) -> date:
    return instant.astimezone(ZoneInfo(zone)).date()
