"""What random walks believe: who owns what, who looks after it, and which proof is good."""

from dataclasses import dataclass, field
from datetime import datetime


@dataclass
class Person:
    """A customer, by the address that is free again once the account is closed."""

    id: int
    email: str
    is_closed: bool = False


@dataclass
class Dealer:
    """A dealer; only some have a person who signs in."""

    id: int
    number: int
    email: str
    person_id: int | None = None
    person_email: str = ""
    is_closed: bool = False


@dataclass
class Link:
    """A dealer's latest link of an installation, ended or not."""

    dealer: Dealer
    scope: str
    ends_at: datetime | None
    is_ended: bool = False

    def is_open(self, now: datetime) -> bool:
        return not self.is_ended and (self.ends_at is None or self.ends_at > now)


@dataclass
class Gateway:
    """A gateway as it stands; `links` and `certificate` are the present installation's."""

    public_id: str
    owner: Person | None = None
    # of the sheet that is good, 0 if there is none, and who used it up
    version: int = 1
    versions: int = 1
    used_by: Person | None = None
    links: dict[int, Link] = field(default_factory=dict)
    certificate: "Certificate | None" = None

    def open_links(self, now: datetime) -> list[Link]:
        return [link for link in self.links.values() if link.is_open(now)]

    def change_hands(self, owner: Person | None) -> None:
        """Forget what the installation had that ends here."""
        self.owner, self.links, self.certificate = owner, {}, None


@dataclass(frozen=True)
class Certificate:
    """A certificate of transfer, with its code."""

    code: str
    seller: Person
    expires_at: datetime


@dataclass(frozen=True)
class Proof:
    """What proved a gateway: its certificate, or else this version of its sheet."""

    gateway: Gateway
    version: int
    certificate: Certificate | None

    @classmethod
    def of(cls, gateway: Gateway, *, by_code: bool) -> "Proof":
        return cls(gateway, gateway.version, gateway.certificate if by_code else None)

    def is_good(self, who: Person | None, now: datetime) -> bool:
        """Tell whether the gateway can be had by it; `who` None has no account yet."""
        one = self.gateway
        if self.certificate:
            stands = self.certificate is one.certificate and self.certificate.expires_at > now
            return stands and self.certificate.seller is not who
        is_theirs = one.used_by is None or one.used_by is who
        return bool(self.version) and self.version == one.version and not one.owner and is_theirs

    def hand_over(self, who: Person) -> None:
        """Let the gateway be theirs."""
        self.gateway.change_hands(who)
        if self.certificate:
            # the seller knows the sheet's password
            self.gateway.version = 0
        else:
            self.gateway.used_by = who


@dataclass
class Claim:
    """A draft of somebody with an account."""

    draft_id: int
    seen: datetime
    who: Person
    proof: Proof
    is_done: bool = False


@dataclass
class Provisional:
    """A provisional registration."""

    id: int
    email: str
    proof: Proof
    expires_at: datetime
    is_open: bool
