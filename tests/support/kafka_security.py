"""The secured listeners of a test cluster: users, certificates, ACLs.

Listener          what a client needs
PLAINTEXT         nothing; anonymous is a super user (for the tests themselves)
SASL_PLAINTEXT    a user: PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512
SASL_SSL          the same, and the authority's certificate
SSL               the authority's certificate
MTLS              that, and a certificate of its own
SASL_SCRAM_ONLY   a user, and no PLAIN
EXPIRED           SSL with a certificate of the broker that expired yesterday
WRONG_HOST        SSL with a certificate of the broker for another host
"""

from __future__ import annotations

from pathlib import Path

from confluent_kafka.admin import (
    AclBinding,
    AclOperation,
    AclPermissionType,
    AdminClient,
    ResourcePatternType,
    ResourceType,
)

from support.certs import Authority

# User name to password. Passwords are canaries: no log may hold one.
USERS = {"alice": "alice-secret-canary", "bob": "bob-secret-canary"}
MECHANISMS = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512")


class Security:
    """What a secured cluster is configured with, and its clients need."""

    listeners = {
        "SASL_PLAINTEXT": "SASL_PLAINTEXT", "SASL_SSL": "SASL_SSL", "SSL": "SSL", "MTLS": "SSL",
        "SASL_SCRAM_ONLY": "SASL_PLAINTEXT", "EXPIRED": "SSL", "WRONG_HOST": "SSL",
    }

    def __init__(self, folder: Path) -> None:
        self.authority = Authority(folder)
        # Trusts nothing here and is trusted by nobody.
        self.other_authority = Authority(folder, "other-ca")
        self.client = self.authority.issue("client")
        # The broker knows the root alone.
        self.chained_client = self.authority.intermediate().issue("client")
        self._folder = folder

    @property
    def ca(self) -> Path:
        """The certificate that clients trust."""
        return self.authority.certificate

    def scram_arguments(self) -> list[str]:
        """--add-scram values of StorageTool."""
        return [f"{mechanism}=[name={user},password={password}]" for user, password in USERS.items()
                for mechanism in MECHANISMS if mechanism.startswith("SCRAM")]

    def broker_properties(self) -> dict[str, str]:
        """Properties of every broker."""
        server = self.authority.bundle(self.authority.issue("broker"))
        expired = self.authority.bundle(self.authority.issue("expired-broker", expired=True))
        wrong_host = self.authority.bundle(self.authority.issue("other-host", hosts=("DNS:kafka.example",)))
        properties = {
            "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
            "super.users": "User:ANONYMOUS",
            "allow.everyone.if.no.acl.found": "true",
            "ssl.truststore.type": "PEM",
            "ssl.truststore.location": str(self.ca),
            "ssl.keystore.type": "PEM",
            "ssl.keystore.location": str(server),
            "listener.name.mtls.ssl.client.auth": "required",
            "listener.name.expired.ssl.keystore.location": str(expired),
            "listener.name.wrong_host.ssl.keystore.location": str(wrong_host),
        }
        for listener in ("expired", "wrong_host"):
            properties[f"listener.name.{listener}.ssl.keystore.type"] = "PEM"
        plain_users = " ".join(f'user_{user}="{password}"' for user, password in USERS.items())
        modules = {
            "PLAIN": f"org.apache.kafka.common.security.plain.PlainLoginModule required {plain_users};",
            "SCRAM-SHA-256": "org.apache.kafka.common.security.scram.ScramLoginModule required;",
            "SCRAM-SHA-512": "org.apache.kafka.common.security.scram.ScramLoginModule required;",
        }
        offered = {"sasl_plaintext": MECHANISMS, "sasl_ssl": MECHANISMS, "sasl_scram_only": MECHANISMS[1:]}
        for listener, mechanisms in offered.items():
            properties[f"listener.name.{listener}.sasl.enabled.mechanisms"] = ",".join(mechanisms)
            for mechanism in mechanisms:
                key = f"listener.name.{listener}.{mechanism.lower()}.sasl.jaas.config"
                properties[key] = modules[mechanism]
        return properties

    @staticmethod
    def allow_only(admin: AdminClient, user: str, topic: str) -> None:
        """From now on only `user` may use `topic` (and super users)."""
        binding = AclBinding(ResourceType.TOPIC, topic, ResourcePatternType.LITERAL, f"User:{user}", "*",
                             AclOperation.ALL, AclPermissionType.ALLOW)
        admin.create_acls([binding])[binding].result(30)
