"""Kafka for Python jobs through the datapy-kafka-sidecar daemon.

    import datapy_kafka

    with datapy_kafka.connect() as kafka:
        kafka.consume(topics=["orders"], group_id="billing", handler=print)
"""

from ._batch import Batch
from ._client import Client, connect
from ._connection import KafkaConnectionConfig
from ._controller import StreamController
from ._errors import (
    AuthenticationError,
    BrokerUnreachable,
    InvalidArgument,
    KafkaSidecarError,
    KafkaTimeout,
    ProcessingStopped,
    SendError,
    SidecarUnavailable,
    TlsError,
)
from ._producer import Producer
from ._records import RawMessage
from ._results import ConsumeResult, ProduceFailure, ProduceResult
from ._version import __version__

__all__ = [
    "AuthenticationError",
    "Batch",
    "BrokerUnreachable",
    "Client",
    "ConsumeResult",
    "InvalidArgument",
    "KafkaConnectionConfig",
    "KafkaSidecarError",
    "KafkaTimeout",
    "ProcessingStopped",
    "ProduceFailure",
    "ProduceResult",
    "Producer",
    "RawMessage",
    "SendError",
    "SidecarUnavailable",
    "StreamController",
    "TlsError",
    "__version__",
    "connect",
]
