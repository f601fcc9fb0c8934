"""Webhooks as the receivers see them: where they may be, what is sent, how it is signed."""
