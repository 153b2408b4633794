"""TCP with mutual TLS: who may connect, and certificates that change while streams run."""

from __future__ import annotations

import json
import shutil
from contextlib import ExitStack
from pathlib import Path

import grpc
import pytest
from support.certs import Authority
from support.kafka import KafkaCluster
from support.paths import free_ports, wait_until
from support.sidecar import SERVICE, Api, Sidecar
from support.verify import produce_numbered, wait_committed_to_end
from support.wire import RawStream


class Door:
    """The daemon's TCP address, with an authority's certificates on the client's side."""

    def __init__(self, address: str, trusted: Authority, client: Authority | None) -> None:
        identity = client.issue("client") if client else None
        self.channel = grpc.secure_channel(address, grpc.ssl_channel_credentials(
            trusted.certificate.read_bytes(), identity.key.read_bytes() if identity else None,
            identity.certificate.read_bytes() if identity else None), [("grpc.use_local_subchannel_pool", 1)])

    def api(self) -> Api:
        """A channel as RawStream wants it."""
        api = Api.__new__(Api)
        api.channel = self.channel
        return api

    def opens(self) -> bool:
        """Whether a call is answered."""
        try:
            self.channel.unary_unary(f"{SERVICE}GetStatus")(b"", timeout=5)
        except grpc.RpcError:
            return False
        return True


class Tls:
    """A daemon that listens on TCP, and the files that it reads."""

    def __init__(self, kafka: KafkaCluster, name: str, folder: Path) -> None:
        self.old, self.new = Authority(folder / "old"), Authority(folder / "new", "new")
        self.live = folder / "live"
        self.live.mkdir()
        self.use(self.old)
        (folder / "sidecar.json").write_text(json.dumps({"listener_tls": {
            "certificate_file": str(self.live / "tls.crt"), "private_key_file": str(self.live / "tls.key"),
            "client_ca_file": str(self.live / "ca.crt")}}))
        self.address = f"localhost:{free_ports(1)[0]}"
        self.daemon = Sidecar(name, kafka.bootstrap_servers, [
            f"--config={folder / 'sidecar.json'}", f"--listen={self.address.replace('localhost', '127.0.0.1')}"])

    def use(self, authority: Authority) -> None:
        """Puts an authority's files where the daemon reads them."""
        server = authority.issue("server")
        for source, name in ((server.key, "tls.key"), (server.certificate, "tls.crt"),
                             (authority.certificate, "ca.crt")):
            shutil.copy(source, self.live / f"{name}.new")
            (self.live / f"{name}.new").rename(self.live / name)

    def door(self, trusted: Authority, client: Authority | None) -> Door:
        """A connection of its own."""
        return Door(self.address, trusted, client)


@pytest.fixture
def tls(kafka: KafkaCluster, unique: str, tmp_path: Path, cleanup: ExitStack) -> Tls:
    """Such a daemon, serving."""
    made = Tls(kafka, unique, tmp_path)
    cleanup.enter_context(made.daemon)
    return made


def test_only_clients_of_the_authority_are_served(tls: Tls) -> None:
    assert tls.door(tls.old, tls.old).opens()
    assert not tls.door(tls.old, None).opens()
    assert not tls.door(tls.old, tls.new).opens()
    assert not tls.door(tls.new, tls.old).opens()
    with Api(tls.address) as plain, pytest.raises(grpc.RpcError):
        plain.status(5)


def test_certificates_are_read_again_and_streams_go_on(
        kafka: KafkaCluster, tls: Tls, unique: str, cleanup: ExitStack) -> None:
    topic = kafka.create_topic(unique)
    stream = cleanup.enter_context(RawStream(tls.door(tls.old, tls.old), topics=[topic], group_id=unique))
    produce_numbered(kafka.bootstrap_servers, topic, 10, 1)
    stream.wait_rows(10)
    assert not tls.door(tls.new, tls.new).opens()
    tls.use(tls.new)
    wait_until(lambda: tls.door(tls.new, tls.new).opens(), 40, "the new certificates are used", 1)
    assert not tls.door(tls.old, tls.old).opens()
    produce_numbered(kafka.bootstrap_servers, topic, 10, 1, first=10)
    rows = stream.wait_rows(20)
    stream.ack((rows[0].delivery_id, rows[-1].delivery_id))
    wait_committed_to_end(kafka.bootstrap_servers, unique, topic)
    assert stream.stop().clean
    assert tls.daemon.stop() == 0, tls.daemon.process.tail()
