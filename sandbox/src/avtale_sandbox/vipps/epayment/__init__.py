"""Single payments (Vipps ePayment): one truth about each payment, the seven operations, and the landing page's link."""
