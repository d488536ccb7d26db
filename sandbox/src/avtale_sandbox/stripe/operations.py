"""Where each operation is, by the name that Stripe's own description gives it."""

from __future__ import annotations

from ..contracts.contract import Operation

PREFIX = "/stripe"
CONFIRM = f"{PREFIX}/confirm"
# What of Stripe's paths are pages; the rest is the API.
PAGES = (CONFIRM, f"{PREFIX}/invoices", f"{PREFIX}/receipts", f"{PREFIX}/static")

_TABLE = """
PostCustomers                               POST   /v1/customers
GetCustomers                                GET    /v1/customers
GetCustomersCustomer                        GET    /v1/customers/{id}
PostCustomersCustomer                       POST   /v1/customers/{id}
DeleteCustomersCustomer                     DELETE /v1/customers/{id}
GetCustomersCustomerPaymentMethods          GET    /v1/customers/{id}/payment_methods
GetCustomersCustomerPaymentMethodsPaymentMethod GET /v1/customers/{id}/payment_methods/{payment_method}
PostPaymentMethods                          POST   /v1/payment_methods
GetPaymentMethods                           GET    /v1/payment_methods
GetPaymentMethodsPaymentMethod              GET    /v1/payment_methods/{id}
PostPaymentMethodsPaymentMethod             POST   /v1/payment_methods/{id}
PostPaymentMethodsPaymentMethodAttach       POST   /v1/payment_methods/{id}/attach
PostPaymentMethodsPaymentMethodDetach       POST   /v1/payment_methods/{id}/detach
PostProducts                                POST   /v1/products
GetProducts                                 GET    /v1/products
GetProductsId                               GET    /v1/products/{id}
PostProductsId                              POST   /v1/products/{id}
PostPrices                                  POST   /v1/prices
GetPrices                                   GET    /v1/prices
GetPricesPrice                              GET    /v1/prices/{id}
PostPricesPrice                             POST   /v1/prices/{id}
PostSubscriptions                           POST   /v1/subscriptions
GetSubscriptions                            GET    /v1/subscriptions
GetSubscriptionsSubscriptionExposedId       GET    /v1/subscriptions/{id}
PostSubscriptionsSubscriptionExposedId      POST   /v1/subscriptions/{id}
DeleteSubscriptionsSubscriptionExposedId    DELETE /v1/subscriptions/{id}
GetInvoices                                 GET    /v1/invoices
GetInvoicesInvoice                          GET    /v1/invoices/{id}
PostInvoicesInvoice                         POST   /v1/invoices/{id}
PostInvoicesInvoiceFinalize                 POST   /v1/invoices/{id}/finalize
PostInvoicesInvoicePay                      POST   /v1/invoices/{id}/pay
PostInvoicesInvoiceVoid                     POST   /v1/invoices/{id}/void
PostInvoicesInvoiceMarkUncollectible        POST   /v1/invoices/{id}/mark_uncollectible
GetInvoicePayments                          GET    /v1/invoice_payments
GetInvoicePaymentsInvoicePayment            GET    /v1/invoice_payments/{id}
PostPaymentIntents                          POST   /v1/payment_intents
GetPaymentIntents                           GET    /v1/payment_intents
GetPaymentIntentsIntent                     GET    /v1/payment_intents/{id}
PostPaymentIntentsIntent                    POST   /v1/payment_intents/{id}
PostPaymentIntentsIntentConfirm             POST   /v1/payment_intents/{id}/confirm
PostPaymentIntentsIntentCapture             POST   /v1/payment_intents/{id}/capture
PostPaymentIntentsIntentCancel              POST   /v1/payment_intents/{id}/cancel
PostSetupIntents                            POST   /v1/setup_intents
GetSetupIntents                             GET    /v1/setup_intents
GetSetupIntentsIntent                       GET    /v1/setup_intents/{id}
PostSetupIntentsIntentConfirm               POST   /v1/setup_intents/{id}/confirm
PostSetupIntentsIntentCancel                POST   /v1/setup_intents/{id}/cancel
GetCharges                                  GET    /v1/charges
GetChargesCharge                            GET    /v1/charges/{id}
PostRefunds                                 POST   /v1/refunds
GetRefunds                                  GET    /v1/refunds
GetRefundsRefund                            GET    /v1/refunds/{id}
PostRefundsRefund                           POST   /v1/refunds/{id}
GetDisputes                                 GET    /v1/disputes
GetDisputesDispute                          GET    /v1/disputes/{id}
PostDisputesDispute                         POST   /v1/disputes/{id}
PostDisputesDisputeClose                    POST   /v1/disputes/{id}/close
GetEvents                                   GET    /v1/events
GetEventsId                                 GET    /v1/events/{id}
PostWebhookEndpoints                        POST   /v1/webhook_endpoints
GetWebhookEndpoints                         GET    /v1/webhook_endpoints
GetWebhookEndpointsWebhookEndpoint          GET    /v1/webhook_endpoints/{id}
PostWebhookEndpointsWebhookEndpoint         POST   /v1/webhook_endpoints/{id}
DeleteWebhookEndpointsWebhookEndpoint       DELETE /v1/webhook_endpoints/{id}
GetAccount                                  GET    /v1/account
GetAccountsAccount                          GET    /v1/accounts/{id}
"""

OPERATIONS = [
    Operation(
        id=name,
        api="stripe",
        method=method,
        path=PREFIX + path,
        body=None,
        item=None,
        ignores_case=False,
        needs_idempotency_key=False,
        key_headers=(),
    )
    for name, method, path in (line.split() for line in _TABLE.strip().splitlines())
]
