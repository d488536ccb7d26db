"""Takes events of avtale: `SECRET=whsec_... PORT=8400 python examples/receiver.py`, and as many of it as you like."""

import json
import os
import sqlite3
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from standardwebhooks import Webhook, WebhookVerificationError

INBOX = os.environ.get("INBOX", "events.db")


class Receiver(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        try:
            Webhook(os.environ["SECRET"]).verify(body, dict(self.headers))
        except WebhookVerificationError:
            return self.answer(401)
        event = json.loads(body)
        with sqlite3.connect(INBOX, timeout=10) as db:  # do your work in the same transaction
            db.execute("CREATE TABLE IF NOT EXISTS events (id TEXT PRIMARY KEY, owner TEXT, seq INTEGER, body TEXT)")
            row = (event["id"], event["agreementId"] or event["purchaseId"], event["agreementSeq"], body.decode())
            db.execute("INSERT INTO events VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING", row)  # it may come twice
        self.answer(204)  # only now: what is not answered with 2xx is sent again, and holds up its agreement alone

    def answer(self, status: int) -> None:
        self.send_response(status)
        self.end_headers()


ThreadingHTTPServer(("127.0.0.1", int(os.environ.get("PORT", "8400"))), Receiver).serve_forever()
