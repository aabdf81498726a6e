"""The mailing of the portal."""
