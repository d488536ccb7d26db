"""How we talk to each payment company, behind the protocols that the domain asks for."""
