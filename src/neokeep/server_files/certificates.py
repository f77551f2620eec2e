"""Certificates: what they are and when they end. Nothing of `cryptography` is imported before there is one to read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

    from cryptography.x509 import Certificate

NEAR_DAYS = 30
"""A certificate that ends within so many days is told."""
_SEQUENCE = b"\x30"


@dataclass(frozen=True, slots=True)
class Ends:
    """A certificate in a file: whose it is, and when it ends."""

    path: str
    subject: str
    not_after: datetime

    def days_left(self, now: datetime) -> int:
        """Count the whole days that are left; negative when it has ended."""
        return (self.not_after - now).days

    def is_near(self, now: datetime, days: int = NEAR_DAYS) -> bool:
        """Tell whether it ends soon or has ended."""
        return self.days_left(now) < days


def ends_of(path: str, content: bytes) -> list[Ends]:
    """Find the certificates in a file, PEM or DER; none where it holds something else."""
    return [Ends(path, one.subject.rfc4514_string(), one.not_valid_after_utc) for one in _certificates(content)]


def is_der(content: bytes) -> bool:
    """Tell whether content is one certificate or one list of revoked certificates in DER."""
    if not content.startswith(_SEQUENCE):
        return False
    from cryptography import x509

    for load in (x509.load_der_x509_certificate, x509.load_der_x509_crl):
        try:
            load(content)
        except ValueError:
            continue
        return True
    return False


def _certificates(content: bytes) -> list[Certificate]:
    is_pem = b"-----BEGIN" in content
    if not is_pem and not content.startswith(_SEQUENCE):
        return []
    from cryptography import x509

    try:
        return x509.load_pem_x509_certificates(content) if is_pem else [x509.load_der_x509_certificate(content)]
    except ValueError:
        return []
