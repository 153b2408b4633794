"""The errors of the client, and how a failed gRPC call becomes one of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from google.protobuf.message import DecodeError

from ._grpc import grpc
from .v1 import error_pb2
from .v1 import sidecar_pb2 as pb

if TYPE_CHECKING:
    from ._results import ConsumeResult, ProduceResult

_DETAILS_KEY = "grpc-status-details-bin"


class KafkaSidecarError(Exception):
    """What the daemon, or the way to it, could not do.

    Attributes:
        code: The exit code of a mod that meets it: 20 or 30 to 34.
        reason: Why, as the API's ErrorReason names it, for example
            "AUTHENTICATION_FAILED"; "" when nothing more is known.
        metadata: What it is about: topic, partition, offset, broker, file.
        result: What a consume or produce call had done until then, if one ran.
    """

    code = 30

    def __init__(self, message: str, *, reason: str = "",
                 metadata: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.reason = reason
        self.metadata: dict[str, str] = dict(metadata or {})
        self.result: ConsumeResult | ProduceResult | None = None


class InvalidArgument(KafkaSidecarError):
    """A parameter, a property or the name of a connection is wrong."""

    code = 20


class ProcessingStopped(KafkaSidecarError):
    """A record failed and `on_error` is "stop"."""


class SidecarUnavailable(KafkaSidecarError):
    """The daemon does not answer."""

    code = 31


class BrokerUnreachable(KafkaSidecarError):
    """No Kafka broker answers the daemon, or its name does not resolve."""

    code = 31


class AuthenticationError(KafkaSidecarError):
    """The broker refused the login, or what the login asked for."""

    code = 32


class TlsError(KafkaSidecarError):
    """A certificate, a key or the TLS handshake is at fault."""

    code = 33


class KafkaTimeout(KafkaSidecarError):
    """It took longer than was allowed."""

    code = 34


class SendError(KafkaSidecarError):
    """Records could not be written; `result` says which and why."""


_BY_REASON: dict[str, type[KafkaSidecarError]] = {
    "INVALID_ARGUMENT": InvalidArgument,
    "PROPERTY_REFUSED": InvalidArgument,
    "UNKNOWN_CONNECTION": InvalidArgument,
    "BROKER_UNREACHABLE": BrokerUnreachable,
    "DNS_FAILURE": BrokerUnreachable,
    "AUTHENTICATION_FAILED": AuthenticationError,
    "SASL_MECHANISM_UNSUPPORTED": AuthenticationError,
    "AUTHORIZATION_FAILED": AuthenticationError,
    "TLS_HANDSHAKE_FAILED": TlsError,
    "TLS_CERTIFICATE_INVALID": TlsError,
    "TLS_MATERIAL_INVALID": TlsError,
    "TIMED_OUT": KafkaTimeout,
    "SHUTTING_DOWN": SidecarUnavailable,
    "PROCESSING_FAILED": ProcessingStopped,
}

_BY_STATUS: dict[grpc.StatusCode, type[KafkaSidecarError]] = {
    grpc.StatusCode.UNAVAILABLE: SidecarUnavailable,
    grpc.StatusCode.UNAUTHENTICATED: AuthenticationError,
    grpc.StatusCode.PERMISSION_DENIED: AuthenticationError,
    grpc.StatusCode.DEADLINE_EXCEEDED: KafkaTimeout,
    grpc.StatusCode.INVALID_ARGUMENT: InvalidArgument,
}

# How a broken transport shows when the daemon did not end the call itself.
_TRANSPORT = (
    grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.INTERNAL,
    grpc.StatusCode.UNKNOWN, grpc.StatusCode.CANCELLED,
)


def reason_name(number: int) -> str:
    """Returns the name of an ErrorReason without its prefix."""
    try:
        name: str = pb.ErrorReason.Name(number)
    except ValueError:
        return f"REASON_{number}"
    return name.removeprefix("ERROR_REASON_")


def for_reason(reason: str, message: str,
               metadata: Mapping[str, str] | None = None) -> KafkaSidecarError:
    """Returns the error of the class that fits the reason."""
    kind = _BY_REASON.get(reason, KafkaSidecarError)
    return kind(message, reason=reason, metadata=metadata)


def _error_info(error: Any) -> error_pb2.RpcErrorInfo | None:
    for key, value in error.trailing_metadata() or ():
        if key != _DETAILS_KEY:
            continue
        try:
            status = error_pb2.RpcStatus.FromString(value)
            for detail in status.details:
                if detail.type_url.endswith("/google.rpc.ErrorInfo"):
                    return error_pb2.RpcErrorInfo.FromString(detail.value)
        except DecodeError:
            return None
    return None


def unreachable_text(address: str, details: str) -> str:
    """Says which daemon does not answer and how to get one."""
    return (f"the Kafka sidecar at {address} does not answer ({details}); start one with "
            f"`datapy-kafka-sidecar --listen={address}`, or set DATAPY_KAFKA_ADDRESS to where it listens")


def from_rpc_error(error: Any, address: str) -> KafkaSidecarError:
    """Returns the error that a failed gRPC call stands for."""
    status, details = error.code(), error.details() or ""
    info = _error_info(error)
    if info is not None:
        kind = _BY_REASON.get(info.reason) or (
            KafkaSidecarError if status is grpc.StatusCode.UNAVAILABLE
            else _BY_STATUS.get(status, KafkaSidecarError))
        return kind(details, reason=info.reason, metadata=info.metadata)
    if status is grpc.StatusCode.UNIMPLEMENTED:
        return KafkaSidecarError(f"what listens at {address} is no datapy-kafka-sidecar: {details}")
    if status in _TRANSPORT:
        return SidecarUnavailable(unreachable_text(address, details))
    return _BY_STATUS.get(status, KafkaSidecarError)(f"{details} ({status.name}, {address})")


def is_passing(error: KafkaSidecarError) -> bool:
    """Whether the same call may succeed later without anybody changing it."""
    return isinstance(error, (SidecarUnavailable, BrokerUnreachable))
