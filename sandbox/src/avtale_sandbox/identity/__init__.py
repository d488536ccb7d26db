"""An OpenID Connect issuer for the shoppers and operators of a demonstration or a test."""

from .clients import DEFAULT_CLIENTS, Client
from .issuer import PATH, Identity
from .profiles import DEFAULT_OPERATORS, Profile
from .routes import control_routes, routes

__all__ = [
    "DEFAULT_CLIENTS",
    "DEFAULT_OPERATORS",
    "PATH",
    "Client",
    "Identity",
    "Profile",
    "control_routes",
    "routes",
]
