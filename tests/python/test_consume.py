"""Consuming: what a handler gets, what its results become, how a call ends."""

from __future__ import annotations

import gc
import logging
import threading
from unittest.mock import Mock

import datapy_kafka
import pytest
from conftest import TIMEOUT_S
from datapy_kafka._session import Session
from datapy_kafka.v1 import sidecar_pb2 as pb
from fake_sidecar import Failure
import grpc


def test_message_is_the_documents_dict(sidecar, consuming):
    got = []
    job = consuming(got.append)
    call = sidecar.next_call()
    call.started()
    call.send_records("orders", 3, 41, ["v", None, "", b"\xff", "ü"], keys=["k", None, "", "x", b"\xfe"],
                      headers={0: [("a", b"1"), ("a", b"2"), ("b", b"\xff"), ("c", None)]})
    assert call.acked(5) == {1, 2, 3, 4, 5}
    raw = [message.pop("_raw_message") for message in got]
    assert got[0] == {"key": "k", "value": "v", "topic": "orders", "partition": 3, "offset": 41,
                      "timestamp": 1_700_000_000_000, "headers": {"a": "2", "b": b"\xff", "c": None}}
    assert [one["value"] for one in got] == ["v", None, "", b"\xff", "ü"]
    assert [one["key"] for one in got] == ["k", None, "", "x", b"\xfe"]
    assert got[1]["headers"] == {} and got[1]["headers"] is not got[2]["headers"]
    first = raw[0]
    assert (first.topic(), first.partition(), first.offset()) == ("orders", 3, 41)
    assert (first.key(), first.value(), len(first)) == (b"k", b"v", 1)
    assert first.headers() == [("a", b"1"), ("a", b"2"), ("b", b"\xff"), ("c", None)]
    assert first.timestamp() == (1, 1_700_000_000_000)
    assert first.error() is None and first.leader_epoch() is None
    assert (raw[1].value(), raw[1].key(), raw[1].headers(), len(raw[1])) == (None, None, None, 0)
    assert raw[3].value() == b"\xff" and raw[4].value() == "ü".encode()
    job.controller.request_stop()
    assert call.expect_end() == ["stop"]
    call.finish(committed=[pb.PartitionOffset(topic="orders", partition=3, offset=46)])
    result = job.result()
    assert (result.processed, result.succeeded, result.failed) == (5, 5, 0)
    assert result.committed == {("orders", 3): 46}
    assert result.clean and result.stop_reason == "client" and result.error is None


def test_start_carries_the_options(sidecar, consuming):
    consuming(print, topics=["a", "^b.*"], auto_offset_reset="latest", on_error="retry", max_retries=7,
              retry_backoff_ms=[5, 6], shutdown_drain_timeout_s=1.5, ack_timeout_s=2, max_in_flight=9,
              max_in_flight_bytes=99, properties={"fetch.min.bytes": 1, "check.crcs": True})
    start = sidecar.next_call().start
    assert start.connection.name == "default" and start.group_id == "g"
    assert list(start.topics) == ["a", "^b.*"]
    assert start.auto_offset_reset == pb.OFFSET_RESET_LATEST
    assert start.failure_policy.mode == pb.FAILURE_MODE_RETRY
    assert start.failure_policy.max_retries == 7 and list(start.failure_policy.backoff_ms) == [5, 6]
    assert start.drain_timeout.ToMilliseconds() == 1500 and start.ack_timeout.ToMilliseconds() == 2000
    assert (start.max_in_flight_records, start.max_in_flight_bytes) == (9, 99)
    assert start.record_layout == pb.RECORD_LAYOUT_COLUMNS
    assert dict(start.properties) == {"fetch.min.bytes": "1", "check.crcs": "true"}
    assert start.client_version == f"datapy-kafka/{datapy_kafka.__version__}"


def test_a_lone_ack_leaves_at_once(sidecar, consuming):
    consuming(lambda message: None)
    call = sidecar.next_call()
    call.started()
    for number in range(1, 4):
        call.send_records("orders", 0, number, ["x"])
        assert call.acked(1) == {number}


def test_acks_of_a_busy_handler_are_ranges(sidecar, consuming):
    consuming(lambda message: {"status": "success"})
    call = sidecar.next_call()
    call.started()
    for part in range(20):
        call.send_records("orders", part % 3, part * 1000, ["x"] * 1000)
    assert call.acked(20_000) == set(range(1, 20_001))
    assert len(call.frames) < 1000


@pytest.mark.parametrize("result, error", [
    ({"status": "error", "error": "bad"}, "bad"),
    ({"status": "error"}, "no 'error' text"),
    ({"state": "x"}, "without 'status'"),
    ({"status": "sucess"}, "'sucess'"),
    (True, "bool"), ("success", "str"), ([1], "list"),
    (ValueError("no good"), "ValueError: no good"), (ValueError(), "ValueError"),
])
def test_failures_are_nacked_with_their_reason(sidecar, consuming, result, error):
    def handler(message):
        if message["value"] != "bad":
            return None
        if isinstance(result, Exception):
            raise result
        return result

    job = consuming(handler)
    call = sidecar.next_call()
    call.started()
    call.send_records("orders", 0, 0, ["a", "bad", "c"])
    done, nacks = call.acks(3)
    assert done == {1, 3}
    assert [one.delivery_id for one in nacks] == [2] and error in nacks[0].error
    assert nacks[0].reason == pb.NACK_REASON_FAILED
    job.controller.request_stop()
    call.expect_end()
    call.finish()
    final = job.result()
    assert (final.processed, final.succeeded, final.failed, final.skipped, final.retried) == (3, 2, 1, 1, 0)


def test_retry_drops_the_partition_until_the_record_comes_again(sidecar, consuming):
    seen, broken = [], {"1"}

    def handler(message):
        seen.append((message["partition"], message["value"]))
        if message["value"] in broken:
            broken.clear()
            raise RuntimeError("once")

    job = consuming(handler, on_error="retry")
    call = sidecar.next_call()
    call.started(max_attempts=4)
    call.send(columns=_two_partitions(1))
    done, nacks = call.acks(4)
    assert done == {1, 4, 5} and [one.delivery_id for one in nacks] == [2]
    call.next_id = 6
    call.send_records("orders", 0, 1, ["1", "2"], attempts={0: 2})
    assert call.acked(2) == {6, 7}
    assert seen == [(0, "0"), (0, "1"), (1, "x"), (1, "y"), (0, "1"), (0, "2")]
    job.controller.request_stop()
    call.expect_end()
    call.finish()
    result = job.result()
    assert (result.processed, result.failed, result.retried, result.skipped) == (6, 1, 1, 0)


def _two_partitions(first):
    from fake_sidecar import make_columns
    return make_columns(first, [("orders", 0, 0, ["0", "1", "2"]), ("orders", 1, 0, ["x", "y"])])


def test_exhausted_retry_goes_on_with_the_next(sidecar, consuming):
    def handler(message):
        raise RuntimeError("always")

    consuming(handler, on_error="retry")
    call = sidecar.next_call()
    call.started(max_attempts=2)
    call.send_records("orders", 0, 0, ["a"])
    assert len(call.acks(1)[1]) == 1
    call.send_records("orders", 0, 0, ["a", "b"], attempts={0: 2})
    assert [one.delivery_id for one in call.acks(2)[1]] == [2, 3]


def test_stop_policy_ends_with_the_reason(sidecar, consuming):
    def handler(message):
        if message["offset"] == 1:
            return {"status": "error", "error": "poison"}

    job = consuming(handler, on_error="stop")
    call = sidecar.next_call()
    call.started()
    call.send_records("orders", 0, 0, ["a", "b", "c"])
    done, nacks = call.acks(2)
    assert done == {1} and nacks[0].error == "poison"
    call.nothing_for(0.2)
    call.drain(pb.STOP_REASON_POLICY)
    assert call.expect_end() == []
    call.finish(pb.STOP_REASON_POLICY, message="poison",
                failed_record=pb.PartitionOffset(topic="orders", partition=0, offset=1))
    result = job.result()
    assert result.stop_reason == "policy" and isinstance(result.error, datapy_kafka.ProcessingStopped)
    assert result.error.metadata == {"topic": "orders", "partition": "0", "offset": "1"}
    assert result.error.code == 30 and (result.processed, result.failed, result.skipped) == (2, 1, 0)


def test_stop_is_sent_while_the_handler_runs_and_its_record_is_acked_after(sidecar, consuming):
    inside, go_on, seen = threading.Event(), threading.Event(), []

    def handler(message):
        seen.append(message["value"])
        inside.set()
        assert go_on.wait(TIMEOUT_S)

    job = consuming(handler)
    call = sidecar.next_call()
    call.started()
    call.send_records("orders", 0, 0, ["a", "b", "c"])
    assert inside.wait(TIMEOUT_S)
    job.controller.request_stop("SIGTERM")
    assert call.next_frame("stop").stop.reason == "SIGTERM"
    call.drain()
    go_on.set()
    assert call.acked(1) == {1}
    assert call.expect_end() == [] and seen == ["a"]
    call.finish()
    assert job.result().clean


def test_an_error_because_of_the_stop_is_never_resolved(sidecar, consuming):
    controller = datapy_kafka.StreamController()

    def handler(message):
        controller.request_stop()
        return {"status": "error", "error": "shutdown"}

    job = consuming(handler, controller=controller)
    call = sidecar.next_call()
    call.started()
    call.send_records("orders", 0, 0, ["a", "b"])
    # The sending thread may have seen the stop before the nack was marked.
    assert sorted(call.expect_end()) == ["ack", "stop"]
    nacks = [nack for frame in call.frames for nack in frame.ack.nacks]
    assert [nack.reason for nack in nacks] == [pb.NACK_REASON_STOPPING]
    call.finish()
    result = job.result()
    assert result.failed == 0 and result.skipped == 0 and result.processed == 1


def test_revoked_drops_what_has_not_begun_and_releases(sidecar, consuming):
    inside, go_on, seen = threading.Event(), threading.Event(), []

    def handler(message):
        seen.append((message["partition"], message["value"]))
        inside.set()
        assert go_on.wait(TIMEOUT_S)

    consuming(handler)
    call = sidecar.next_call()
    call.started()
    call.send(columns=_two_partitions(1))
    assert inside.wait(TIMEOUT_S)
    call.send(revoked=pb.Revoked(revocation_id=7, partitions=[pb.TopicPartition(topic="orders", partition=0)]))
    call.wait_until_read()
    call.nothing_for(0.1)
    go_on.set()
    frames = [call.next_request(), call.next_request()]
    kinds = [one.WhichOneof("frame") for one in frames]
    assert "release" in kinds and frames[kinds.index("release")].release.revocation_id == 7
    ranges = [one for frame in frames[:kinds.index("release")] for one in frame.ack.ranges]
    assert ranges[0].first_id == 1 and ranges[0].last_id == 0, "the record at hand is acked before"
    call.next_id = 6
    call.send_records("orders", 0, 1, ["again"])
    while (0, "again") not in seen:
        call.next_frame("ack")
    assert seen == [(0, "0"), (1, "x"), (1, "y"), (0, "again")]


def test_lost_partitions_get_no_release(sidecar, consuming):
    consuming(lambda message: None)
    call = sidecar.next_call()
    call.started()
    call.send(revoked=pb.Revoked(revocation_id=0, lost=True,
                                 partitions=[pb.TopicPartition(topic="orders", partition=0)]))
    call.nothing_for(0.2)


def test_withdrawn_deliveries_are_dropped(sidecar, consuming):
    inside, go_on, seen = threading.Event(), threading.Event(), []

    def handler(message):
        seen.append(message["value"])
        inside.set()
        assert go_on.wait(TIMEOUT_S)

    consuming(handler)
    call = sidecar.next_call()
    call.started()
    call.send_records("orders", 0, 0, ["a", "b", "c"])
    assert inside.wait(TIMEOUT_S)
    call.send(withdrawn=pb.Withdrawn(topic="orders", partition=0, through_delivery_id=3))
    call.send_records("orders", 0, 0, ["a2", "b2"], attempts={0: 2})
    call.wait_until_read()
    go_on.set()
    assert call.acked(3) == {1, 4, 5}
    assert seen == ["a", "a2", "b2"]


def test_goes_on_after_the_daemon_restarted(sidecar, consuming):
    seen = []
    job = consuming(lambda message: seen.append(message["value"]))
    call = sidecar.next_call()
    call.started()
    call.send_records("orders", 0, 0, ["a"])
    call.acked(1)
    call.drain(pb.STOP_REASON_SHUTDOWN)
    call.expect_end()
    call.finish(pb.STOP_REASON_SHUTDOWN)
    sidecar.stop()
    sidecar.start()
    call = sidecar.next_call()
    call.started()
    call.send_records("orders", 0, 1, ["b"])
    assert call.acked(1) == {1} and seen == ["a", "b"]
    call.end(Failure(grpc.StatusCode.UNAVAILABLE, "going", "SHUTTING_DOWN"))
    call = sidecar.next_call()
    job.controller.request_stop()
    call.expect_end()
    call.finish()
    assert job.result().processed == 2


def test_waits_for_a_daemon_and_a_stop_ends_the_wait(sidecar, consuming):
    sidecar.stop()
    job = consuming(print)
    job.join(0.5)
    assert job.is_alive()
    result = job.stop()
    assert result.stop_reason == "client" and result.processed == 0


def test_connect_timeout_bounds_the_wait(sidecar, consuming):
    sidecar.stop()
    with pytest.raises(datapy_kafka.SidecarUnavailable) as error:
        consuming(print, connect_timeout_s=0.3).result()
    assert sidecar.address in str(error.value) and "datapy-kafka-sidecar --listen" in str(error.value)
    assert error.value.code == 31 and error.value.result.stop_reason == "error"


def test_who_did_not_answer_in_time_is_told():
    stub = Mock(address="unix:///s.sock")
    session = Session(stub, pb.Start(), logging.getLogger(), lambda *_: None)
    session.give_up_joining()
    assert isinstance(session.error, datapy_kafka.SidecarUnavailable) and session.error.code == 31
    assert "unix:///s.sock" in str(session.error) and "datapy-kafka-sidecar --listen" in str(session.error)
    session.started = pb.Started()
    session.give_up_joining()
    assert isinstance(session.error, datapy_kafka.KafkaTimeout) and session.error.code == 34


def test_an_ended_session_keeps_no_frames(sidecar, consuming):
    gc.disable()  # A session is in a cycle: this is about what it holds until that is found.
    try:
        busy, go_on = threading.Event(), threading.Event()

        def handler(message):
            busy.set()
            assert go_on.wait(TIMEOUT_S)

        job = consuming(handler)
        call = sidecar.next_call()
        call.started()
        for first in (0, 10, 20):
            call.send_records("orders", 0, first, ["v"] * 10)
        call.wait_until_read()
        assert busy.wait(TIMEOUT_S)
        job.controller.request_stop()
        go_on.set()
        assert "stop" in call.expect_end()
        call.finish()
        job.result()
        sessions = [one for one in gc.get_objects() if isinstance(one, Session)]
        assert sessions and all(one.frames.empty() for one in sessions)
    finally:
        gc.enable()


@pytest.mark.parametrize("code, reason, kind, number", [
    ("UNAUTHENTICATED", "AUTHENTICATION_FAILED", datapy_kafka.AuthenticationError, 32),
    ("PERMISSION_DENIED", "AUTHORIZATION_FAILED", datapy_kafka.AuthenticationError, 32),
    ("FAILED_PRECONDITION", "TLS_CERTIFICATE_INVALID", datapy_kafka.TlsError, 33),
    ("INVALID_ARGUMENT", "UNKNOWN_CONNECTION", datapy_kafka.InvalidArgument, 20),
    ("FAILED_PRECONDITION", "NO_COMMITTED_OFFSET", datapy_kafka.KafkaSidecarError, 30),
    ("DEADLINE_EXCEEDED", "TIMED_OUT", datapy_kafka.KafkaTimeout, 34),
])
def test_what_waiting_does_not_help_ends_the_call(sidecar, consuming, code, reason, kind, number):
    job = consuming(print)
    sidecar.next_call().end(Failure(grpc.StatusCode[code], "what happened", reason, topic="orders"))
    with pytest.raises(kind, match="what happened") as error:
        job.result()
    assert (error.value.code, error.value.reason) == (number, reason)
    assert error.value.metadata == {"topic": "orders"}


def test_every_wrong_option_is_named():
    client = datapy_kafka.connect("unix:///nowhere")
    with pytest.raises(datapy_kafka.InvalidArgument) as error:
        client.consume(topics="orders", group_id="", handler=None, on_error="die", max_retries=-1,
                       retry_backoff_ms=[], auto_offset_reset="first", controller=3)
    for name in ("topics", "group_id", "handler", "on_error", "max_retries", "retry_backoff_ms",
                 "auto_offset_reset", "controller"):
        assert name in str(error.value)
    assert "'continue', 'retry', 'stop'" in str(error.value) and error.value.code == 20


def test_an_unsure_end_is_said(sidecar, consuming):
    job = consuming(print, shutdown_drain_timeout_s=1)
    call = sidecar.next_call()
    call.started()
    job.controller.request_stop()
    call.expect_end()
    call.finish(clean=False, unacked=3)
    assert job.result().clean is False


def test_a_foreign_controller_is_asked(sidecar):
    class Foreign:
        stop = False

        def should_stop(self):
            return self.stop

    from conftest import Job
    controller, seen = Foreign(), []

    def handler(message):
        seen.append(message["value"])
        controller.stop = True

    client = datapy_kafka.connect(sidecar.address)
    job = Job(lambda: client.consume(["orders"], "g", handler, controller=controller))
    call = sidecar.next_call()
    call.started()
    call.send_records("orders", 0, 0, ["a", "b"])
    assert "ack" in call.expect_end()
    call.finish()
    assert job.result().clean and seen == ["a"]


@pytest.mark.parametrize("was_clean", [True, False])
def test_a_stop_while_reconnecting_is_as_clean_as_the_last_end(sidecar, consuming, was_clean):
    gone = Failure(grpc.StatusCode.UNAVAILABLE, "failed to connect")
    job = consuming(print)
    call = sidecar.next_call()
    call.started()
    if was_clean:
        call.finish(reason=pb.STOP_REASON_SHUTDOWN)
    else:
        call.end(gone)
    # The daemon is asked again, and is not there yet.
    again = sidecar.next_call()
    job.controller.request_stop()
    again.end(gone)
    assert job.result().clean is was_clean
