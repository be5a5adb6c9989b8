"""A certificate authority for tests, and certificates from it, as PEM files."""

import datetime
import ipaddress
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

_START = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)
_END = datetime.datetime(2120, 1, 1, tzinfo=datetime.UTC)


class Authority:
    """Writes ``ca.pem`` into ``directory``."""

    def __init__(self, directory: Path, name: str = "test CA") -> None:
        self._directory = directory
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _name(name)
        usage = x509.KeyUsage(False, False, False, False, False, True, True, False, False)
        certificate = _builder(self._name, self._name, self._key).add_extension(x509.BasicConstraints(True, None), True)
        signed = certificate.add_extension(usage, True).sign(self._key, hashes.SHA256())
        self.file = directory / "ca.pem"
        self.file.write_bytes(signed.public_bytes(serialization.Encoding.PEM))

    def issue(self, name: str, address: str | None = None) -> tuple[Path, Path]:
        """A certificate for ``name`` and, as a server's, for the IP ``address``: paths of certificate and key."""
        key = ec.generate_private_key(ec.SECP256R1())
        alternatives: list[x509.GeneralName] = [x509.DNSName(name)]
        if address is not None:
            alternatives.append(x509.IPAddress(ipaddress.ip_address(address)))
        builder = _builder(_name(name), self._name, key).add_extension(x509.SubjectAlternativeName(alternatives), False)
        certificate = builder.sign(self._key, hashes.SHA256())
        cert_file, key_file = self._directory / f"{name}.pem", self._directory / f"{name}.key"
        cert_file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        key_file.touch(mode=0o600)
        key_file.write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
        return cert_file, key_file


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _builder(subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(key.public_key())
    return builder.serial_number(x509.random_serial_number()).not_valid_before(_START).not_valid_after(_END)
