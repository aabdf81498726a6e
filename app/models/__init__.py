"""Tables and their constraints. Importing this package registers every table."""

from .accounts import Account
from .alarms import Alarm, AlarmCare, AlarmComment, AlarmNotice, AlarmQuota, AlarmRound
from .api_tokens import ApiToken
from .audit import AuditEntry
from .campaigns import Campaign
from .dealer_invitations import DealerInvitation
from .dealers import Dealer, DealerRegistration
from .device_credentials import DeviceCredential
from .eco import EcoMembership
from .email_changes import EmailChange
from .energy import EnergyTotal, MeterCheckpoint
from .factors import Passkey, PasskeyChallenge, RecoveryCode, TotpFactor
from .gateways import Gateway, PowerConditioner, Sheet
from .health import DeviceSeat, Heartbeat
from .history import HistoryExport
from .imports import GatewayImport, ImportRow, SealedSheet
from .incidents import Incident
from .installations import Installation
from .limits import ClaimAttempt, FailureCount
from .links import DealerLook, MaintenanceLink
from .mails import OutboxMail
from .maintenance_contacts import MaintenanceContact
from .outages import Outage
from .passwords import PasswordReset
from .plans import Plan, PlanChoice, WeatherReport
from .points import (
    GiftAnswers,
    GiftExport,
    GiftOrder,
    MissingReport,
    PointBalance,
    PointEntry,
    PointRun,
    PointShard,
    PointTransaction,
)
from .provisional import Provisional
from .readings import Latest, PollState, Reading
from .registrations import Registration, RegistrationDraft
from .rollouts import Rollout, RolloutPart
from .sessions import Session
from .settings import SettingChange, SettingOrder, SettingStand
from .terms import Consent, TermsVersion
from .transfers import Transfer

__all__ = [
    "Account",
    "Alarm",
    "AlarmCare",
    "AlarmComment",
    "AlarmNotice",
    "AlarmQuota",
    "AlarmRound",
    "ApiToken",
    "AuditEntry",
    "Campaign",
    "ClaimAttempt",
    "Consent",
    "Dealer",
    "DealerInvitation",
    "DealerLook",
    "DealerRegistration",
    "DeviceCredential",
    "DeviceSeat",
    "EcoMembership",
    "EmailChange",
    "EnergyTotal",
    "FailureCount",
    "Gateway",
    "GatewayImport",
    "GiftAnswers",
    "GiftExport",
    "GiftOrder",
    "Heartbeat",
    "HistoryExport",
    "ImportRow",
    "Incident",
    "Installation",
    "Latest",
    "MaintenanceContact",
    "MaintenanceLink",
    "MeterCheckpoint",
    "MissingReport",
    "Outage",
    "OutboxMail",
    "Passkey",
    "PasskeyChallenge",
    "PasswordReset",
    "Plan",
    "PlanChoice",
    "PointBalance",
    "PointEntry",
    "PointRun",
    "PointShard",
    "PointTransaction",
    "PollState",
    "PowerConditioner",
    "Provisional",
    "Reading",
    "RecoveryCode",
    "Registration",
    "RegistrationDraft",
    "Rollout",
    "RolloutPart",
    "SealedSheet",
    "Session",
    "SettingChange",
    "SettingOrder",
    "SettingStand",
    "Sheet",
    "TermsVersion",
    "TotpFactor",
    "Transfer",
    "WeatherReport",
]
