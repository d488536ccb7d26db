"""Version 2 of Recurring: each operation of its contract, and its errors, which come as an array."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast, get_args

from ...contracts.contract import Contract
from ..exchange import Answer, Call, Request, json_answer
from ..gateway import Handler
from ..refusals import Refused, invalid
from . import confirmation, errors_v2
from .model import Recurring
from .resources import Agreement
from .states import AgreementStatus, ChargeStatus
from .v2_shapes import agreement_shape, charge_shape, charge_terms, draft_terms, update_terms


class RecurringV2:
    """The face that version 2 shows of the model; what was made in version 3 is seen here too."""

    def __init__(self, model: Recurring) -> None:
        self.contract = Contract("recurring-v2")
        self._model = model

    def handlers(self) -> Mapping[str, Handler]:
        """What does the work of each operation."""
        return {
            "ListAgreements": self.list_agreements,
            "DraftAgreement": self.draft_agreement,
            "FetchAgreement": self.fetch_agreement,
            "UpdateAgreementPut": self.update_agreement,
            "UpdateAgreementPatch": self.update_agreement,
            "acceptUsingPATCH": self.force_accept,
            "ListCharges": self.list_charges,
            "CreateCharge": self.create_charge,
            "FetchCharge": self.fetch_charge,
            "CancelCharge": self.cancel_charge,
            "CaptureCharge": self.capture_charge,
            "RefundCharge": self.refund_charge,
        }

    def refuse(self, request: Request, refused: Refused) -> Answer:
        """The array of errors that version 2 answers."""
        return errors_v2.answer(request, refused)

    def replay(self, call: Call, remembered: str) -> Answer:
        """Drafts take no idempotency key here, and all else is remembered as it was written."""
        raise LookupError(remembered)

    def list_agreements(self, call: Call) -> Answer:
        """Agreements in one status, ACTIVE if none is named, made after an instant if one is given."""
        status = cast(AgreementStatus, _one_of(call.request, "status", get_args(AgreementStatus)) or "ACTIVE")
        after = _milliseconds(call.request, "createdAfter")
        base = call.request.base_url
        found = self._model.list(call.merchant, status)
        return json_answer(200, [agreement_shape(one, base) for one in found if after is None or one.created > after])

    def draft_agreement(self, call: Call) -> Answer:
        """Draft an agreement."""
        agreement = self._model.draft(call.merchant, draft_terms(call.body), call.request.id)
        base = call.request.base_url
        token = self._model.confirmation_token(agreement)
        body = {
            "agreementResource": f"{base}/recurring/v2/agreements/{agreement.id}",
            "agreementId": agreement.id,
            "vippsConfirmationUrl": confirmation.address(base, token, agreement.is_app),
            "chargeId": agreement.initial_charge,
        }
        return json_answer(201, body)

    def fetch_agreement(self, call: Call) -> Answer:
        """One agreement."""
        return json_answer(200, agreement_shape(self._agreement(call), call.request.base_url))

    def update_agreement(self, call: Call) -> Answer:
        """Stop an agreement, which must be all that is asked for, or change some of its fields."""
        given = {name for name, value in call.body.items() if value is not None}
        agreement_id = call.values["agreementId"]
        if "status" not in given:
            self._model.update(call.merchant, agreement_id, update_terms(call.body))
        elif given == {"status"}:
            self._model.stop(call.merchant, agreement_id)
        else:
            raise invalid("status", "must be the only property when it is given")
        return json_answer(200, {"agreementId": agreement_id})

    def force_accept(self, call: Call) -> Answer:
        """Approve in the payer's name."""
        self._model.force_accept(call.merchant, call.values["agreementId"], call.body["customerPhoneNumber"])
        return json_answer(200, {})

    def list_charges(self, call: Call) -> Answer:
        """All charges of an agreement, newest first."""
        status = _one_of(call.request, "chargeStatus", get_args(ChargeStatus))
        found = self._model.charges_of(self._agreement(call).id)
        shapes = [charge_shape(one) for one in reversed(found) if status is None or one.status == status]
        return json_answer(200, shapes)

    def create_charge(self, call: Call) -> Answer:
        """Create one charge."""
        terms = charge_terms(call.body, call.merchant.terms.currency)
        charge = self._model.create_charge(call.merchant, call.values["agreementId"], terms, call.key)
        return json_answer(201, {"chargeId": charge.id})

    def fetch_charge(self, call: Call) -> Answer:
        """One charge."""
        return json_answer(200, charge_shape(self._model.charge_of(call.merchant, *_ids_of(call))))

    def cancel_charge(self, call: Call) -> Answer:
        """Cancel a charge, or release what is left of its reservation; the charge is the answer."""
        agreement_id, charge_id = ids = _ids_of(call)
        self._model.cancel_charge(call.merchant, *ids, f"{charge_id}-{agreement_id}-CancelCharge")
        return self.fetch_charge(call)

    def capture_charge(self, call: Call) -> Answer:
        """Capture all that is left of a reservation; version 2 knows no parts."""
        ids = _ids_of(call)
        left = self._model.charge_of(call.merchant, *ids).remaining
        self._model.capture_charge(call.merchant, *ids, left, call.key)
        return json_answer(200, {})

    def refund_charge(self, call: Call) -> Answer:
        """Give back all or part of what was captured."""
        self._model.refund_charge(call.merchant, *_ids_of(call), call.body["amount"], call.key)
        return json_answer(200, {})

    def _agreement(self, call: Call) -> Agreement:
        return self._model.fetch(call.merchant, call.values["agreementId"])


def _ids_of(call: Call) -> tuple[str, str]:
    return call.values["agreementId"], call.values["chargeId"]


def _one_of(request: Request, name: str, allowed: tuple[Any, ...]) -> str | None:
    value = request.query(name)
    if value is not None and value not in allowed:
        raise invalid(name, f"must be one of {', '.join(allowed)}")
    return value


def _milliseconds(request: Request, name: str) -> int | None:
    text = request.query(name)
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= 18):
        raise invalid(name, "must be a whole number of milliseconds since 1970")
    return int(text)
