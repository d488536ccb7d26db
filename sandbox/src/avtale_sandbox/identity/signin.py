"""The pages people meet: sign in, sign out, and what is shown when an application asks wrongly."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from ..pages.forms import NotAForm, pairs, read_form, same_origin
from ..pages.page import Pages, send_on
from ..people import People
from .asking import Asked, Refused, Unanswerable, extended, read
from .clients import is_loopback
from .issuer import ID_TOKEN, PATH, SESSION_SECONDS, Identity, Session
from .keys import BadToken
from .origin import origin, port
from .profiles import NotAPerson, Profile, of_person, of_subject, of_typed


class SignIn:
    """The handlers of the authorization and end-session endpoints."""

    def __init__(self, identity: Identity, people: People) -> None:
        """Take the issuer and the people who can sign in."""
        self._identity = identity
        self._people = people
        self._pages = Pages(Path(__file__).parent / "templates", path=PATH)

    async def authorize(self, request: Request) -> Response:
        """Answer an authorization request: with a code for somebody who is signed in, else with the page."""
        try:
            fields = await read_form(request) if request.method == "POST" else _query(request)
            asked = read(fields, self._identity)
            return self._answer(request, asked, fields)
        except (Unanswerable, NotAForm) as problem:
            return self._trouble(str(problem))
        except Refused as refusal:
            return self._refuse(request, refusal)

    async def sign_in(self, request: Request) -> Response:
        """Take the choice made on the sign-in page; the application's request is in the query as it came."""
        if not same_origin(request):
            return self._trouble("This form was not sent by the sign-in page.", 403)
        try:
            fields = _query(request)
            asked = read(fields, self._identity)
            choice = dict(await read_form(request))
            if "cancel" in choice:
                raise asked.refusal("access_denied", "The person did not sign in.")
            try:
                profile = self._chosen(choice)
            except NotAPerson as problem:
                return self._page(asked, fields, problem=str(problem), choice=choice, status=400)
        except (Unanswerable, NotAForm) as problem:
            return self._trouble(str(problem))
        except Refused as refusal:
            return self._refuse(request, refusal)
        session, cookie = self._identity.open_session(profile.subject)
        answer = self._grant(request, asked, profile, session)
        answer.set_cookie(
            _cookie_name(request),
            cookie,
            max_age=SESSION_SECONDS,
            path=PATH,
            httponly=True,
            samesite="lax",
            secure=request.url.scheme == "https",
        )
        return answer

    async def end_session(self, request: Request) -> Response:
        """Sign out (OpenID Connect RP-Initiated Logout); without an id_token_hint people are asked first."""
        try:
            posted = dict(await read_form(request)) if request.method == "POST" else {}
            values = dict(_query(request)) | posted
        except NotAForm as problem:
            return self._trouble(str(problem))
        client_id = values.get("client_id", "")
        sure = "sure" in posted and same_origin(request)
        if hint := values.get("id_token_hint"):
            try:
                claims = self._identity.keys.verify(hint, kind=ID_TOKEN, even_expired=True)
            except BadToken:
                return self._trouble("The id_token_hint is not a token of this issuer.")
            client_id, sure = str(claims["aud"]), True
        back = values.get("post_logout_redirect_uri")
        client = self._identity.client(client_id)
        # A default application is told by its loopback address alone, as when signing in.
        allowed = back is not None and (is_loopback(back) if client is None else client.may_return_to(back))
        if back is not None and not allowed:
            return self._trouble("The post_logout_redirect_uri is not one that this application may use.")
        if not sure:
            values.pop("sure", None)
            return self._pages.answer("sign_out.html", {"values": values, "done": False}, leads_to=back)
        if back is None:
            answer: Response = self._pages.answer("sign_out.html", {"values": {}, "done": True})
        else:
            answer = send_on(extended(back, {"state": values.get("state")}))
        answer.delete_cookie(_cookie_name(request), path=PATH, httponly=True, samesite="lax")
        return answer

    def _answer(self, request: Request, asked: Asked, fields: list[tuple[str, str]]) -> Response:
        session = self._identity.read_session(request.cookies.get(_cookie_name(request), ""))
        profile = None if session is None else self._profile(session.subject)
        age_max = asked.age_seconds_max
        anew = (
            session is None
            or not asked.prompts.isdisjoint(("login", "select_account"))
            or (age_max is not None and self._identity.age_seconds(session) > age_max)
        )
        if session is not None and profile is not None and not anew:
            return self._grant(request, asked, profile, session)
        if "none" in asked.prompts:
            raise asked.refusal("login_required", "Nobody is signed in, and prompt=none forbids to ask.")
        return self._page(asked, fields)

    def _profile(self, subject: str) -> Profile | None:
        return of_subject(subject, self._people) or self._identity.profile(subject)

    def _chosen(self, choice: dict[str, str]) -> Profile:
        if subject := choice.get("subject"):
            profile = self._profile(subject)
            if profile is None:
                raise NotAPerson("That person is no longer here. Choose another.")
            return profile
        profile = of_typed(choice.get("name", ""), choice.get("phone", ""), self._people)
        if profile.phone_number is None:
            self._identity.remember(profile)
        return profile

    def _grant(self, request: Request, asked: Asked, profile: Profile, session: Session) -> Response:
        code = self._identity.give_code(
            asked.client,
            asked.redirect_uri,
            profile,
            session,
            scopes=asked.scopes,
            nonce=asked.nonce,
            challenge=asked.challenge,
        )
        issuer = self._identity.issuer(origin(request))
        return send_on(extended(asked.redirect_uri, {"code": code, "state": asked.state, "iss": issuer}))

    def _refuse(self, request: Request, refusal: Refused) -> Response:
        answer = {
            "error": refusal.error,
            "error_description": refusal.description,
            "state": refusal.state,
            "iss": self._identity.issuer(origin(request)),
        }
        return send_on(extended(refusal.redirect_uri, answer))

    def _page(
        self,
        asked: Asked,
        fields: list[tuple[str, str]],
        *,
        problem: str | None = None,
        choice: dict[str, str] | None = None,
        status: int = 200,
    ) -> Response:
        typed = choice or {}
        values: dict[str, Any] = {
            "client": asked.client.name,
            "query": extended("", dict(fields)).lstrip("?"),
            # The one whom the application expects comes first.
            "persons": sorted(
                (of_person(person) for person in self._people.all()),
                key=lambda profile: asked.hint not in (profile.subject, profile.phone_number, profile.email),
            ),
            "operators": self._identity.operators,
            "problem": problem,
            "name": typed.get("name", ""),
            "phone": typed.get("phone", "" if choice else _digits(asked.hint)),
        }
        return self._pages.answer("sign_in.html", values, status=status, leads_to=asked.redirect_uri)

    def _trouble(self, text: str, status: int = 400) -> Response:
        return self._pages.answer("trouble.html", {"text": text}, status=status)


def _query(request: Request) -> list[tuple[str, str]]:
    return pairs(request.scope["query_string"])


def _digits(hint: str) -> str:
    number = hint.removeprefix("+").removeprefix("phone|")
    return number if number.isascii() and number.isdigit() else ""


def _cookie_name(request: Request) -> str:
    # Cookies do not tell ports apart, and two sandboxes may run on one machine.
    return f"sandbox_identity_{port(request)}"
