"""The Vipps MobilePay gateway: which call, which shape, and which webhook to believe."""
