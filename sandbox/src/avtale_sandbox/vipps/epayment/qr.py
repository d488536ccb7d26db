"""The image of a QR code that a till shows and a telephone scans."""

from __future__ import annotations

import io

from .resources import QrFormat

_QUIET_ZONE = 4


def image(address: str, kind: QrFormat, size: int) -> tuple[str, bytes]:
    """Media type and content of the code for an address.

    A PNG is as large as whole pixels for each square allow, and at most `size` (pixels) a side; an SVG has no
    size of its own.
    """
    # Read when the first code is drawn: it is a tenth of the time of a start.
    import segno

    code = segno.make(address, error="m", micro=False)
    out = io.BytesIO()
    if kind == "IMAGE/PNG":
        squares = code.symbol_size(border=_QUIET_ZONE)[0]
        code.save(out, kind="png", border=_QUIET_ZONE, scale=max(1, size // squares))
        return "image/png", out.getvalue()
    code.save(out, kind="svg", border=_QUIET_ZONE, omitsize=True, light="#fff")
    return "image/svg+xml", out.getvalue()
