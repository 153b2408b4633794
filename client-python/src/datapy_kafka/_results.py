"""What consume and produce return."""

from __future__ import annotations

from dataclasses import dataclass, field

from ._errors import KafkaSidecarError


@dataclass
class ConsumeResult:
    """What a consume call did, over all of its sessions with the daemon."""

    processed: int = 0
    """Records that the handler was called with, repeated ones included."""
    succeeded: int = 0
    """Records that the handler finished."""
    failed: int = 0
    """Calls of the handler that failed."""
    retried: int = 0
    """Failed calls after which the record came, or will come, again."""
    skipped: int = 0
    """Records that were committed although they failed."""
    committed: dict[tuple[str, int], int] = field(default_factory=dict)
    """The last committed offset of each (topic, partition)."""
    duration_s: float = 0.0
    """Seconds from the call to its end."""
    clean: bool = False
    """Whether the daemon confirmed that every ack is committed."""
    stop_reason: str = ""
    """"client" (a stop was asked for), "policy" (a record failed) or "error"."""
    error: KafkaSidecarError | None = None
    """Why it ended, unless a stop was asked for."""

    def raise_for_error(self) -> None:
        """Raises `error` if there is one."""
        if self.error is not None:
            raise self.error


@dataclass(frozen=True)
class ProduceFailure:
    """A record that was not written."""

    topic: str
    index: int
    """Its place in the data, from 0."""
    reason: str
    """As the API's ErrorReason names it."""
    message: str
    retriable: bool


@dataclass
class ProduceResult:
    """What a produce or flush call did."""

    sent: int = 0
    """Records that are safe on the broker; without flush, in the daemon's queue."""
    failed: int = 0
    """Records that were not written."""
    bytes: int = 0
    """Keys and values of the sent records, in bytes."""
    duration_s: float = 0.0
    errors: list[ProduceFailure] = field(default_factory=list)
    """The failed records; those that an earlier call without flush had queued
    are counted in `failed` and not listed."""
