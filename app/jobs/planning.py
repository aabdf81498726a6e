"""Ask for tomorrow's plans."""
