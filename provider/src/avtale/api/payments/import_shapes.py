"""The shapes of imports: how a file stands, its report, and its rows."""

from __future__ import annotations

from typing import Literal
from uuid import UUID

from pydantic import Field

from avtale.api.payments.kinds import Instant, MinorUnits, Shape
from avtale.domain.imports import ImportKind, ImportStatus, RowState
from avtale.service.imports.reporting import Report
from avtale.storage.imports import ImportRow as StoredRow


class ImportStarted(Shape):
    """The file is taken in; what becomes of it is read at `importId`."""

    import_id: UUID
    status: ImportStatus
    rows: int = Field(description="rows of the file, the line of column names not counted")


class ImportSum(Shape):
    """What the rows of one currency and one state amount to."""

    currency: str
    state: RowState
    amount: MinorUnits


class ImportReason(Shape):
    """Why rows were rejected, or kept when they were to be undone."""

    state: Literal["rejected", "kept"]
    code: str = Field(examples=["price_differs"])
    count: int
    first_line: int
    example: str | None


class Import(Shape):
    """A file: its phase, how far that is, and the report. Every row is in exactly one state."""

    import_id: UUID
    kind: ImportKind
    status: ImportStatus
    dry_run: bool = Field(description="whether it stops at the report until it is told to go on")
    product_id: str | None
    requested_by: str
    created_at: Instant
    rows: int
    done: int = Field(description="rows that need nothing more in this phase")
    problem: str | None = Field(description="what holds it up just now")
    encoding: str | None
    separator: str | None
    ignored_columns: list[str]
    counts: dict[RowState, int]
    sums: list[ImportSum]
    reasons: list[ImportReason]

    @staticmethod
    def of(report: Report) -> Import:
        this, facts = report.this, report.this.facts
        return Import(
            import_id=this.id,
            kind=this.kind,
            status=this.status,
            dry_run=this.dry_run,
            product_id=this.product_id,
            requested_by=this.requested_by,
            created_at=this.created_wall,
            rows=this.row_count,
            done=report.done,
            problem=this.problem,
            encoding=facts.get("encoding"),
            separator=facts.get("separator"),
            ignored_columns=facts.get("ignoredColumns", []),
            counts=report.counts,
            sums=[ImportSum(currency=c, state=s, amount=a) for (c, s), a in sorted(report.sums.items())],
            reasons=[
                ImportReason(
                    state="kept" if one.state is RowState.KEPT else "rejected",
                    code=one.code or "",
                    count=one.count,
                    first_line=one.first_line,
                    example=one.a_reason,
                )
                for one in report.reasons
            ],
        )


class Imports(Shape):
    """The tenant's files, newest first."""

    imports: list[Import]


class ImportRow(Shape):
    """One row of a file and what has become of it."""

    line: int
    row_id: str | None
    state: RowState
    code: str | None
    reason: str | None
    provider: str | None
    provider_agreement_id: str | None
    user_id: str | None
    product_id: str | None
    agreement_id: UUID | None

    @staticmethod
    def of(row: StoredRow) -> ImportRow:
        return ImportRow(
            line=row.line,
            row_id=row.row_id,
            state=row.state,
            code=row.code,
            reason=row.reason,
            provider=row.provider,
            provider_agreement_id=row.gateway_agreement_id,
            user_id=row.subject,
            product_id=row.product_id,
            agreement_id=row.agreement_id,
        )


class ImportRows(Shape):
    """A page of rows; `nextAfter` is where the next page begins, if there is one."""

    rows: list[ImportRow]
    next_after: int | None
