"""Version 3 of Recurring: each operation of its contract, and its problem JSON."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast, get_args

from ...contracts.contract import Contract
from ...ids import Ids
from ...settings import Settings
from ..exchange import PROBLEM_JSON, Answer, Call, Request, json_answer
from ..gateway import Handler
from ..refusals import Refused, invalid
from . import bulk, confirmation, pages
from .model import Recurring
from .resources import Agreement
from .states import AgreementStatus, ChargeStatus
from .v3_shapes import agreement_shape, charge_shape, charge_terms, draft_terms, update_terms

_PROBLEM_PAGE = "https://developer.vippsmobilepay.com/docs/APIs/recurring-api/recurring-api-problems#"

# Status and title of each problem id (Vipps Recurring, problems; where the published text names no status,
# the one that fits best). Whatever is not named here is a 400.
_STATUSES = {
    "not-found": (404, "Not Found"),
    "unsupported-media-type": (415, "Unsupported Media Type"),
    "idempotency-conflict": (409, "Conflict"),
    "conflict": (409, "Conflict"),
    "unsupported-feature": (403, "Forbidden"),
}


class RecurringV3:
    """The face that version 3 shows of the model."""

    def __init__(self, model: Recurring, ids: Ids, settings: Settings) -> None:
        self.contract = Contract("recurring-v3")
        self._model = model
        self._settings = settings
        self._tokens = pages.ContinuationTokens(ids)

    def handlers(self) -> Mapping[str, Handler]:
        """What does the work of each operation."""
        return {
            "ListAgreementsV3": self.list_agreements,
            "DraftAgreementV3": self.draft_agreement,
            "FetchAgreementV3": self.fetch_agreement,
            "UpdateAgreementPatchV3": self.update_agreement,
            "acceptUsingPATCHV3": self.force_accept,
            "ListChargesV3": self.list_charges,
            "CreateChargeV3": self.create_charge,
            "CreateChargeAsyncV3": self.create_charges,
            "FetchChargeV3": self.fetch_charge,
            "FetchChargeByIdV3": self.fetch_charge,
            "CancelChargeV3": self.cancel_charge,
            "CaptureChargeV3": self.capture_charge,
            "RefundChargeV3": self.refund_charge,
        }

    def refuse(self, request: Request, refused: Refused) -> Answer:
        """A problem (RFC 7807) as Recurring writes it."""
        status, title = _STATUSES.get(refused.problem, (400, "Bad Request"))
        plain = refused.problem == "not-found"
        body: dict[str, Any] = {
            "type": "about:blank" if plain else _PROBLEM_PAGE + refused.problem,
            "title": title,
            "status": status,
            "detail": refused.detail,
            "instance": "/vipps-recurring-merchant-api" + request.path.removeprefix("/recurring"),
            "contextId": request.id,
        }
        if not plain:
            body["extraDetails"] = [{"name": name, "reason": reason} for name, reason in refused.fields]
        return json_answer(status, body, PROBLEM_JSON)

    def replay(self, call: Call, remembered: str) -> Answer:
        """Write the answer to a draft anew."""
        return self._drafted(call, self._model.fetch(call.merchant, remembered))

    def list_agreements(self, call: Call) -> Answer:
        """Agreements in one status, ACTIVE if none is named; all of them unless a page is asked for."""
        status = _one_of(call.request.query("status") or "ACTIVE", get_args(AgreementStatus))
        after = _number(call.request, "createdAfter")
        skip, count = pages.asked(_number(call.request, "pageNumber"), _number(call.request, "pageSize"))
        if after is None:
            found = self._model.list(call.merchant, cast(AgreementStatus, status), skip, count)
            return json_answer(200, [self._shape(call, agreement) for agreement in found])
        found = self._model.list(call.merchant, cast(AgreementStatus, status))
        later = [self._shape(call, agreement) for agreement in found if agreement.created > after]
        return json_answer(200, later[skip:] if count is None else later[skip : skip + count])

    def draft_agreement(self, call: Call) -> Answer:
        """Draft an agreement."""
        return self._drafted(call, self._model.draft(call.merchant, draft_terms(call.body), call.key))

    def fetch_agreement(self, call: Call) -> Answer:
        """One agreement."""
        agreement = self._model.fetch(call.merchant, call.values["agreementId"])
        return json_answer(200, self._shape(call, agreement))

    def update_agreement(self, call: Call) -> Answer:
        """Stop an agreement, which must be all that is asked for, or change some of its fields."""
        given = {name for name, value in call.body.items() if value is not None}
        agreement_id = call.values["agreementId"]
        if "status" in given:
            if given != {"status"}:
                raise invalid("status", "must be the only property when it is given")
            self._model.stop(call.merchant, agreement_id)
            return Answer(204)
        _check_update_shape(call.body)
        self._model.update(call.merchant, agreement_id, update_terms(call.body))
        return Answer(204)

    def force_accept(self, call: Call) -> Answer:
        """Approve in the payer's name."""
        self._model.force_accept(call.merchant, call.values["agreementId"], call.body["phoneNumber"])
        return Answer(204)

    def list_charges(self, call: Call) -> Answer:
        """The charges of an agreement, newest first, a page at a time with a continuation token."""
        status = call.request.query("status")
        if status is not None:
            _one_of(status, get_args(ChargeStatus))
        agreement = self._model.fetch(call.merchant, call.values["agreementId"])
        token = call.request.header(b"continuation-token")
        before = self._tokens.read(token, agreement.id, status) if token else None
        found = [
            charge
            for charge in reversed(self._model.charges_of(agreement.id))
            if (status is None or charge.status == status) and (before is None or charge.number < before)
        ]
        page, rest = found[: pages.SIZE_DEFAULT], found[pages.SIZE_DEFAULT :]
        headers: tuple[tuple[bytes, bytes], ...] = ()
        if rest:
            following = self._tokens.issue(agreement.id, status, page[-1].number)
            headers = ((b"continuation-token", following.encode()),)
        shapes = [charge_shape(charge, agreement.external_id) for charge in page]
        return json_answer(200, shapes, headers=headers)

    def create_charge(self, call: Call) -> Answer:
        """Create one charge."""
        charge = self._model.create_charge(call.merchant, call.values["agreementId"], charge_terms(call.body), call.key)
        return json_answer(201, {"chargeId": charge.id})

    def create_charges(self, call: Call) -> Answer:
        """Create many charges; each stands or falls alone."""
        return json_answer(202, bulk.create(self._model, call))

    def fetch_charge(self, call: Call) -> Answer:
        """One charge, by its agreement and id or by its id alone."""
        charge = self._model.charge_of(call.merchant, call.values.get("agreementId"), call.values["chargeId"])
        agreement = self._model.fetch(call.merchant, charge.agreement_id)
        return json_answer(200, charge_shape(charge, agreement.external_id))

    def cancel_charge(self, call: Call) -> Answer:
        """Cancel a charge, or release what is left of its reservation."""
        self._model.cancel_charge(call.merchant, *_ids_of(call), call.key)
        return Answer(204)

    def capture_charge(self, call: Call) -> Answer:
        """Capture all or part of a reserved charge."""
        self._model.capture_charge(call.merchant, *_ids_of(call), call.body["amount"], call.key)
        return Answer(204)

    def refund_charge(self, call: Call) -> Answer:
        """Give back all or part of what was captured."""
        self._model.refund_charge(call.merchant, *_ids_of(call), call.body["amount"], call.key)
        return Answer(204)

    def _shape(self, call: Call, agreement: Agreement) -> dict[str, Any]:
        base = call.request.base_url
        return agreement_shape(agreement, self._confirmation_url(call, agreement), base, call.merchant.market)

    def _drafted(self, call: Call, agreement: Agreement) -> Answer:
        body = {
            "agreementId": agreement.id,
            "uuid": agreement.uuid,
            "vippsConfirmationUrl": self._confirmation_url(call, agreement),
            "chargeId": agreement.initial_charge,
        }
        answer = json_answer(201, body)
        answer.remembered = agreement.id
        return answer

    def _confirmation_url(self, call: Call, agreement: Agreement) -> str:
        token = self._model.confirmation_token(agreement)
        return confirmation.address(call.request.base_url, token, agreement.is_app)


def _ids_of(call: Call) -> tuple[str, str]:
    return call.values["agreementId"], call.values["chargeId"]


def _one_of(value: str, allowed: tuple[str, ...]) -> str:
    if value not in allowed:
        raise invalid("status", f"must be one of {', '.join(allowed)}")
    return value


def _number(request: Request, name: str) -> int | None:
    text = request.query(name)
    if text is None or text == "":
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= 18):
        raise invalid(name, "must be a whole number")
    return int(text)


def _check_update_shape(body: dict[str, Any]) -> None:
    """Raises Refused for what the contract does not say: no change of pricing type, which interval."""
    if (body.get("pricing") or {}).get("type") is not None:
        raise invalid("pricing.type", "cannot be changed")
    interval = body.get("interval")
    if interval is None:
        return
    flexible = interval.get("type") == "FLEXIBLE"
    if flexible and interval.get("period") is not None:
        raise invalid("interval.period", "is not allowed when the type is FLEXIBLE")
    if not flexible and interval.get("period") is None:
        raise invalid("interval.period", "must not be null")
