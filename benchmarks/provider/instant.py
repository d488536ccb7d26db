"""A gateway that takes no time: it answers every draft at once, so that what a checkout takes is the provider's own."""

from __future__ import annotations

import json
import sys
import time
from typing import Any
from uuid import uuid4

import uvicorn

HOUR = 3600


async def gateway(scope: Any, receive: Any, send: Any) -> None:
    """The ASGI application: an access token, and a draft with the address at which nobody waits for it."""
    if scope["type"] != "http":
        return
    while (await receive()).get("more_body"):
        pass
    if scope["path"].endswith("/accesstoken/get"):
        ends = int(time.time()) + HOUR
        status, said = 200, {"access_token": "any", "expires_in": str(HOUR), "expires_on": str(ends)}
    else:
        status, said = 201, {"agreementId": f"agr_{uuid4().hex}", "vippsConfirmationUrl": "http://127.0.0.1:9/nobody"}
    headers = [(b"content-type", b"application/json")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": json.dumps(said).encode()})


if __name__ == "__main__":
    uvicorn.run(gateway, host="127.0.0.1", port=int(sys.argv[1]), log_level="warning", access_log=False, lifespan="off")
