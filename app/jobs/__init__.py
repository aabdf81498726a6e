"""The jobs of the portal."""
