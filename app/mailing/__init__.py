"""Mails: what each says (`letters`), how it is written (`writing`), the way to the server."""
