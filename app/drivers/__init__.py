"""Drivers carry out what profiles ask for: the only part that talks to devices."""
