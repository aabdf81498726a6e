"""Say in one line what could not run here. In CI it fails instead, where it is looked for."""

from collections import Counter

import pytest


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Add up the skipped tests by reason, on one line."""
    reasons: Counter[str] = Counter()
    for report in terminalreporter.stats.get("skipped", []):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        reasons[reason.removeprefix("Skipped: ").splitlines()[0]] += 1
    if reasons:
        told = "; ".join(f"{count} tests ({reason})" for reason, count in reasons.most_common())
        terminalreporter.write_line(f"Could not run here: {told}", yellow=True)
