"""Records of a CSV file as it arrives in pieces: encoding and separator are found out, and nothing is kept whole."""

from __future__ import annotations

import csv
import io
from collections import deque
from dataclasses import dataclass, field

from avtale.domain.errors import Invalid

#: A line, or a record whose quotes span lines, is never longer in an honest file.
LINE_BYTES_MAX = 64 * 1024
#: Without any end of a line for so long, it is no such file.
REST_BYTES_MAX = 1024 * 1024
RECORD_LINES_MAX = 20
COLUMN_COUNT_MAX = 100

_BOM = b"\xef\xbb\xbf"
_WIDE = (b"\xff\xfe", b"\xfe\xff")


@dataclass(frozen=True, slots=True)
class Record:
    """One record and the line (from 1) at which it begins; `fault` is a code and a sentence if it cannot be read."""

    line: int
    values: tuple[str, ...] = ()
    fault: tuple[str, str] | None = None


@dataclass(slots=True)
class Records:
    """Reads a file piece by piece: UTF-8 (with a byte order mark or without) or Windows-1252; comma or semicolon.

    The first bytes beyond ASCII decide the encoding; the header's separators decide the separator. `header` is known
    after the first line. A record that cannot be read is given as a fault, and the next line begins anew.
    """

    header: tuple[str, ...] = ()
    encoding: str = "ascii"
    separator: str = ","
    _rest: bytes = b""
    _begun: bool = False
    _line: int = 0
    _open: deque[tuple[int, str]] = field(default_factory=deque)

    def feed(self, piece: bytes) -> list[Record]:
        """The records that are whole after this piece. Raises Invalid for what is no such file at all."""
        self._rest += piece
        if not self._begun:
            if len(self._rest) < len(_BOM):
                return []
            self._begin()
        *lines, self._rest = self._rest.split(b"\n")
        if len(self._rest) > REST_BYTES_MAX:
            raise Invalid(f"line {self._line + len(lines) + 1} has no end", code="line_endless")
        return [record for line in lines for record in self._take(line)]

    def end(self) -> list[Record]:
        """The last records. Raises Invalid (`file_empty`) where there was not even a header."""
        if not self._begun:
            self._begin()
        found = self._take(self._rest) if self._rest else []
        self._rest = b""
        while self._open:
            found += self._give_up()
        if not self.header:
            raise Invalid("the file is empty: it begins with a line of column names", code="file_empty")
        return found

    def _begin(self) -> None:
        self._begun = True
        if self._rest.startswith(_WIDE):
            raise Invalid("this is UTF-16; save the file as UTF-8", code="encoding_unknown")
        if self._rest.startswith(_BOM):
            self._rest, self.encoding = self._rest[len(_BOM) :], "utf-8"

    def _take(self, raw: bytes) -> list[Record]:
        self._line += 1
        if len(raw) > LINE_BYTES_MAX:
            return [Record(self._line, fault=("line_long", f"the line is longer than {LINE_BYTES_MAX} bytes"))]
        text, fault = self._decoded(raw.removesuffix(b"\r"))
        if fault is not None and not self._open:
            return [Record(self._line, fault=fault)]
        return self._add(self._line, text)

    def _decoded(self, raw: bytes) -> tuple[str, tuple[str, str] | None]:
        if b"\0" in raw:
            return "", ("text_unreadable", "there is a NUL character in the line")
        if raw.isascii():
            return raw.decode("ascii"), None
        if self.encoding == "ascii":
            try:
                text = raw.decode("utf-8")
                self.encoding = "utf-8"
                return text, None
            except UnicodeDecodeError:
                self.encoding = "windows-1252"
        try:
            return raw.decode(self.encoding), None
        except UnicodeDecodeError:
            return "", ("text_unreadable", f"the line is not {self.encoding}, as the lines before it are")

    def _add(self, line: int, text: str) -> list[Record]:
        if not self._open and not text.strip():
            return []
        self._open.append((line, text))
        whole = "\n".join(part for _, part in self._open)
        if whole.count('"') % 2:
            return self._give_up() if len(self._open) >= RECORD_LINES_MAX or len(whole) > LINE_BYTES_MAX else []
        first = self._open[0][0]
        self._open.clear()
        return self._parsed(first, whole)

    def _give_up(self) -> list[Record]:
        """The first line's quote is never closed: it is the one that is wrong, and the others are read again."""
        (first, _), *others = self._open
        self._open.clear()
        found = [Record(first, fault=("quote_open", "a quotation mark in this line is never closed"))]
        for line, text in others:
            found += self._add(line, text)
        return found

    def _parsed(self, line: int, text: str) -> list[Record]:
        if not self.header:
            return self._head(text)
        try:
            values = tuple(next(csv.reader(io.StringIO(text, newline=""), delimiter=self.separator, strict=True)))
        except (csv.Error, StopIteration):
            return [Record(line, fault=("quote_misplaced", "text follows a closing quotation mark"))]
        if len(values) != len(self.header):
            said = f"there are {len(values)} values, and {len(self.header)} columns"
            return [Record(line, fault=("columns_differ", said))]
        return [Record(line, tuple(value.strip() for value in values))]

    def _head(self, text: str) -> list[Record]:
        if text.lower().startswith("sep=") and len(text.strip()) == 5:
            return []
        self.separator = ";" if text.count(";") > text.count(",") else ","
        try:
            names = next(csv.reader(io.StringIO(text, newline=""), delimiter=self.separator, strict=True))
        except (csv.Error, StopIteration) as error:
            raise Invalid("the line of column names cannot be read", code="header_unreadable") from error
        header = tuple("_".join(name.strip().lower().split()) for name in names)
        twice = sorted({name for name in header if header.count(name) > 1})
        if twice or len(header) > COLUMN_COUNT_MAX:
            said = f"the column {twice[0]!r} is there twice" if twice else f"more than {COLUMN_COUNT_MAX} columns"
            raise Invalid(said, code="header_unreadable")
        self.header = header
        return []


def written(values: list[str]) -> str:
    """A record as we write it: what a spreadsheet would take for a formula begins with an apostrophe."""
    out = io.StringIO()
    csv.writer(out, lineterminator="\r\n").writerow([_harmless(value) for value in values])
    return out.getvalue()


def _harmless(value: str) -> str:
    return f"'{value}" if value.startswith(("=", "+", "-", "@", "\t", "\r")) else value
