"""connect() and Client: the way into the package."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import Any

from ._address import Stub, default_address, shared_stub
from ._connection import KafkaConnectionConfig, as_connection
from ._consumer import Consumer
from ._errors import KafkaTimeout, SidecarUnavailable, from_rpc_error
from ._grpc import grpc
from ._options import ConsumeOptions
from ._producer import ProduceOptions, Producer
from ._results import ConsumeResult, ProduceResult
from ._session import Log
from .v1 import sidecar_pb2 as pb

_RETRY_S = 0.1
_CHECK_SLACK_S = 2.0
_STATUS_TIMEOUT_S = 5.0


class Client:
    """A daemon and a Kafka connection. Every method may be called from any thread."""

    def __init__(self, stub: Stub, connection: KafkaConnectionConfig,
                 connect_timeout_s: float | None = None, log: Log | None = None) -> None:
        self._stub = stub
        self._connection = connection
        self._connect_timeout_s = connect_timeout_s
        self._log: Log = log or logging.getLogger("datapy_kafka")

    @property
    def address(self) -> str:
        """Where the daemon listens."""
        return self._stub.address

    def consume(self, topics: Sequence[str], group_id: str, handler: Callable[[Any], Any], *,
                auto_offset_reset: str = "earliest", on_error: str = "continue",
                max_retries: int = 3, retry_backoff_ms: Sequence[int] = (100, 200, 400),
                controller: Any = None, shutdown_drain_timeout_s: float = 30.0,
                ack_timeout_s: float | None = None, max_in_flight: int | None = None,
                max_in_flight_bytes: int | None = None, log_summary_interval: int = 1000,
                log_message_details: bool = False, batch: bool = False,
                properties: Mapping[str, Any] | None = None) -> ConsumeResult:
        """Calls `handler` with each record until a stop is asked for.

        The handler runs on this thread. It gets a dict with key, value, topic,
        partition, offset, timestamp, headers and _raw_message, and returns None
        or {"status": "success"}; an exception, {"status": "error", "error": …}
        or anything else is a failure, which `on_error` decides about. SIGTERM
        and SIGINT end the call after the record at hand.

        Raises:
            InvalidArgument: options are wrong; the text names all of them.
            KafkaSidecarError: waiting would not help: the login is refused, the
                group has no offset and auto_offset_reset is "none", ….
        """
        options = ConsumeOptions(
            topics=topics, group_id=group_id, handler=handler, auto_offset_reset=auto_offset_reset,
            on_error=on_error, max_retries=max_retries, retry_backoff_ms=retry_backoff_ms,
            controller=controller, shutdown_drain_timeout_s=shutdown_drain_timeout_s,
            ack_timeout_s=ack_timeout_s, max_in_flight=max_in_flight,
            max_in_flight_bytes=max_in_flight_bytes, log_summary_interval=log_summary_interval,
            log_message_details=log_message_details, batch=batch, properties=properties)
        options.validate()
        return Consumer(self._stub, self._connection, options, self._connect_timeout_s, self._log).run()

    def produce(self, topic: str, data: Any, *, key_column: str | None = None, key_value: Any = None,
                value_format: str = "json", headers: Any = None, headers_column: str | None = None,
                flush: bool = True, flush_timeout_s: float = 10.0, on_send_error: str = "raise",
                properties: Mapping[str, Any] | None = None) -> ProduceResult:
        """Writes a dict, a list of dicts, str, bytes or a table to a topic."""
        producer = self.producer(
            topic, key_column=key_column, value_format=value_format,
            headers=headers, headers_column=headers_column, flush=flush,
            flush_timeout_s=flush_timeout_s, on_send_error=on_send_error, properties=properties,
            key_value=key_value)
        return producer.send(data)

    def producer(self, topic: str | None = None, **options: Any) -> Producer:
        """Returns a producer with the options of `produce`."""
        return Producer(self._stub, self._connection, topic, ProduceOptions(**options), self._log)

    def status(self) -> pb.GetStatusResponse:
        """Returns what the daemon is doing."""
        response: pb.GetStatusResponse = self._call(
            self._stub.get_status, pb.GetStatusRequest(), _STATUS_TIMEOUT_S)
        return response

    def check_connection(self, timeout_s: float = 10.0) -> pb.CheckConnectionResponse:
        """Connects to the cluster and lists its topics; raises what is in the way."""
        request = pb.CheckConnectionRequest(connection=self._connection.to_proto())
        request.timeout.FromMilliseconds(int(timeout_s * 1000))
        response: pb.CheckConnectionResponse = self._call(
            self._stub.check_connection, request, timeout_s + _CHECK_SLACK_S)
        return response

    def close(self) -> None:
        """Does nothing: the channel serves every client of the process."""

    def __enter__(self) -> Client:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        self.close()

    def _call(self, method: Any, request: Any, timeout_s: float) -> Any:
        """Calls; waits for a daemon that does not answer up to connect_timeout_s."""
        until = time.monotonic() + (self._connect_timeout_s or 0.0)
        while True:
            try:
                return method(request, timeout=timeout_s)
            except grpc.RpcError as failure:
                error = from_rpc_error(failure, self.address)
                if isinstance(error, KafkaTimeout) and not error.reason:
                    error = KafkaTimeout(f"the Kafka sidecar at {self.address} did not answer "
                                         f"within {timeout_s:g} s")
                if not isinstance(error, SidecarUnavailable) or time.monotonic() >= until:
                    raise error from None
            time.sleep(_RETRY_S)


def connect(address: str | None = None, *, connection: str | KafkaConnectionConfig = "default",
            connect_timeout_s: float | None = None,
            credentials: grpc.ChannelCredentials | None = None) -> Client:
    """Returns a client of the daemon. Nothing is sent until a method is called.

    Args:
        address: Where the daemon listens, `unix:///path` or `host:port`; by
            default DATAPY_KAFKA_ADDRESS, else the daemon's own default.
        connection: The name of a connection in the daemon's configuration, or
            a KafkaConnectionConfig.
        connect_timeout_s: How long to wait for a daemon that does not answer.
            None: consume waits for ever, produce as long as its flush may take,
            the others not at all.
        credentials: For a daemon that listens on TCP with mutual TLS.
    """
    config = as_connection(connection)
    where = address or config.address or default_address()
    stub = shared_stub(where) if credentials is None else Stub(where, credentials)
    if connect_timeout_s is None:
        connect_timeout_s = config.connect_timeout_s
    return Client(stub, config, connect_timeout_s)
