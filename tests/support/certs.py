"""Certificates for the secured listeners of a test, made by openssl."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

KEY_PASSWORD = "key-password-canary"


@dataclass(frozen=True)
class Identity:
    """A certificate and its private key, as PEM files."""

    certificate: Path
    key: Path
    # The same key, encrypted with KEY_PASSWORD.
    encrypted_key: Path


class Authority:
    """A certificate authority in a folder of its own."""

    def __init__(self, folder: Path, name: str = "ca") -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._name = name
        self.certificate = folder / f"{name}.pem"
        self._key = folder / f"{name}.key"
        if not self.certificate.exists():
            _openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30", "-subj", f"/CN=test {name}",
                     "-keyout", self._key, "-out", self.certificate)

    def issue(self, name: str, hosts: tuple[str, ...] = ("DNS:localhost", "IP:127.0.0.1"),
              expired: bool = False) -> Identity:
        """A certificate for `name`, valid for `hosts` (subject alternative names) or expired yesterday."""
        base = self._folder / f"{self._name}-{name}"
        key, request, certificate = base.with_suffix(".key"), base.with_suffix(".csr"), base.with_suffix(".pem")
        encrypted = base.with_suffix(".encrypted.key")
        if not certificate.exists():
            extensions = base.with_suffix(".ext")
            extensions.write_text(f"subjectAltName={','.join(hosts)}\nextendedKeyUsage=serverAuth,clientAuth\n")
            _openssl("req", "-new", "-newkey", "rsa:2048", "-nodes", "-subj", f"/CN={name}", "-keyout", key,
                     "-out", request)
            _openssl("pkcs8", "-topk8", "-in", key, "-out", encrypted, "-passout", f"pass:{KEY_PASSWORD}")
            # A negative number of days ends before it begins: expired.
            _openssl("x509", "-req", "-in", request, "-CA", self.certificate, "-CAkey", self._key, "-CAcreateserial",
                     "-days", "-1" if expired else "30", "-extfile", extensions, "-out", certificate)
        return Identity(certificate, key, encrypted)

    def bundle(self, identity: Identity) -> Path:
        """Key and chain in one PEM file: what a broker takes as a key store."""
        path = identity.certificate.with_suffix(".bundle.pem")
        path.write_text(identity.key.read_text() + identity.certificate.read_text() + self.certificate.read_text())
        return path


def _openssl(*arguments: object) -> None:
    done = subprocess.run(["openssl", *map(str, arguments)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"openssl {arguments[0]} failed: {done.stderr}"
