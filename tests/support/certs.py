"""Certificates for the secured listeners of a test, made by openssl."""

from __future__ import annotations

import subprocess
import time
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

    def __init__(self, folder: Path, name: str = "ca", signer: Authority | None = None) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._name = name
        self._signer = signer
        self.certificate = folder / f"{name}.pem"
        self._key = folder / f"{name}.key"
        if not self.certificate.exists():
            if signer is None:
                _openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30", "-subj", f"/CN=test {name}",
                         "-keyout", self._key, "-out", self.certificate)
            else:
                signer.sign_authority(name, self._key, self.certificate)

    def sign_authority(self, name: str, key: Path, certificate: Path) -> None:
        """Makes the key and the certificate of an authority below this one."""
        request, extensions = certificate.with_suffix(".csr"), certificate.with_suffix(".ext")
        extensions.write_text("basicConstraints=critical,CA:TRUE\nkeyUsage=keyCertSign\n")
        _openssl("req", "-new", "-newkey", "rsa:2048", "-nodes", "-subj", f"/CN=test {name}", "-keyout", key,
                 "-out", request)
        _openssl("x509", "-req", "-in", request, "-CA", self.certificate, "-CAkey", self._key, "-CAcreateserial",
                 "-days", "30", "-extfile", extensions, "-out", certificate)

    def issue(self, name: str, hosts: tuple[str, ...] = ("DNS:localhost", "IP:127.0.0.1"),
              expired: bool = False) -> Identity:
        """A certificate for `name`, valid for `hosts` (subject alternative names) or expired."""
        base = self._folder / f"{self._name}-{name}"
        key, request, certificate = base.with_suffix(".key"), base.with_suffix(".csr"), base.with_suffix(".pem")
        encrypted = base.with_suffix(".encrypted.key")
        if not certificate.exists():
            extensions = base.with_suffix(".ext")
            extensions.write_text(f"subjectAltName={','.join(hosts)}\nextendedKeyUsage=serverAuth,clientAuth\n")
            _openssl("req", "-new", "-newkey", "rsa:2048", "-nodes", "-subj", f"/CN={name}", "-keyout", key,
                     "-out", request)
            _openssl("pkcs8", "-topk8", "-in", key, "-out", encrypted, "-passout", f"pass:{KEY_PASSWORD}")
            # No day at all: expired by the next second. OpenSSL 3.5 refuses fewer.
            _openssl("x509", "-req", "-in", request, "-CA", self.certificate, "-CAkey", self._key, "-CAcreateserial",
                     "-days", "0" if expired else "30", "-extfile", extensions, "-out", certificate)
            if expired:
                time.sleep(1.1)
            if self._signer is not None:
                certificate.write_text(certificate.read_text() + self.certificate.read_text())
        return Identity(certificate, key, encrypted)

    def intermediate(self) -> Authority:
        """An authority that this one has signed; what it issues comes with its certificate as a chain."""
        return Authority(self._folder, "intermediate", signer=self)

    def bundle(self, identity: Identity) -> Path:
        """Key and chain in one PEM file: what a broker takes as a key store."""
        path = identity.certificate.with_suffix(".bundle.pem")
        path.write_text(identity.key.read_text() + identity.certificate.read_text() + self.certificate.read_text())
        return path


def _openssl(*arguments: object) -> None:
    done = subprocess.run(["openssl", *map(str, arguments)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"openssl {arguments[0]} failed: {done.stderr}"
