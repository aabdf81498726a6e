"""Tables and their constraints. Importing this package registers every table."""

from .accounts import Account
from .audit import AuditEntry
from .dealers import Dealer, DealerRegistration
from .gateways import Gateway, PowerConditioner, Sheet
from .health import Heartbeat
from .imports import GatewayImport, ImportRow, SealedSheet
from .installations import Installation
from .limits import ClaimAttempt, FailureCount
from .mails import OutboxMail
from .passwords import PasswordReset
from .provisional import Provisional
from .readings import Latest, PollState, Reading
from .registrations import Registration, RegistrationDraft
from .sessions import Session
from .terms import Consent, TermsVersion

__all__ = [
    "Account",
    "AuditEntry",
    "ClaimAttempt",
    "Consent",
    "Dealer",
    "DealerRegistration",
    "FailureCount",
    "Gateway",
    "GatewayImport",
    "Heartbeat",
    "ImportRow",
    "Installation",
    "Latest",
    "OutboxMail",
    "PasswordReset",
    "PollState",
    "PowerConditioner",
    "Provisional",
    "Reading",
    "Registration",
    "RegistrationDraft",
    "SealedSheet",
    "Session",
    "Sheet",
    "TermsVersion",
]
