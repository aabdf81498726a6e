"""Work that every gateway needs, spread evenly over a period."""

# neighbours in number are far apart in time
GOLDEN_RATIO = 0.6180339887498949


def place_in(period_s: float, gateway_id: int) -> float:
    """Return a gateway's own place within a period, in seconds: always the same."""
    return gateway_id * GOLDEN_RATIO % 1 * period_s
