"""Producing: every kind of data, the JSON rules, chunks, failures."""

from __future__ import annotations

import datetime
import decimal
import json
import uuid

import datapy_kafka
import duckdb
import grpc
import pandas
import polars
import pyarrow
import pytest
from datapy_kafka import _wire
from datapy_kafka.v1 import sidecar_pb2 as pb
from fake_sidecar import Failure

ROWS = [{"id": 1, "name": "ü\"\n\\", "ok": True, "x": 1.5, "n": None},
        {"id": 2, "name": "", "ok": False, "x": None, "n": None},
        {"id": 3, "name": "\u0001\u2028", "ok": None, "x": 1e-7, "n": None}]


@pytest.fixture
def kafka(sidecar):
    return datapy_kafka.connect(sidecar.address, connection="c")


def values(sidecar):
    return [json.loads(value) for request in sidecar.produced for value in request.columns.values]


@pytest.mark.parametrize("make", [
    lambda: ROWS, lambda: tuple(ROWS), lambda: polars.DataFrame(ROWS), lambda: polars.LazyFrame(ROWS),
    lambda: pyarrow.Table.from_pylist(ROWS), lambda: pandas.DataFrame(ROWS).astype(object),
    lambda: duckdb.from_arrow(pyarrow.Table.from_pylist(ROWS)),
], ids=["list", "tuple", "polars", "lazy", "arrow", "pandas", "duckdb"])
def test_every_kind_of_data_makes_the_same_records(kafka, sidecar, make):
    result = kafka.produce("out", make(), key_column="id")
    assert result.sent == 3 and values(sidecar) == ROWS
    assert list(sidecar.produced[0].columns.keys) == ["1", "2", "3"]


def test_polars_own_json_is_ours():
    from datapy_kafka._data import to_columns
    frame = polars.DataFrame({
        "i": [1, -2**63, None], "u": polars.Series([0, 2**64 - 1, None], dtype=polars.UInt64),
        "f": [0.1, 1e300, -0.0], "g": [float("nan"), float("inf"), None], "s": ["\u0000\x7f\"/", "😀", None],
        "b": [True, False, None], "d": [datetime.date(2024, 2, 29), datetime.date(1, 1, 1), None]})
    options = {"value_format": "json", "key_column": None, "key_value": None, "headers_column": None}
    fast = [json.loads(one) for one in to_columns(frame, **options).values]
    slow = [json.loads(one) for one in to_columns(frame.to_dicts(), **options).values]
    assert fast == slow


def test_json_rules(kafka, sidecar):
    when = datetime.datetime(2024, 1, 2, 3, 4, 5, 6, tzinfo=datetime.timezone.utc)
    key = uuid.UUID(int=1)
    kafka.produce("out", {
        "date": datetime.date(2024, 1, 2), "time": when, "decimal": decimal.Decimal("1.10"), "nan": float("nan"),
        "inf": [float("inf"), {"deep": float("-inf")}], "bytes": b"\xff", "uuid": key, "span": datetime.timedelta(seconds=1.5),
        "nested": {"list": [1, (2, 3)]}, 5: "number", "set": {1}})
    assert values(sidecar) == [{
        "date": "2024-01-02", "time": when.isoformat(), "decimal": "1.10", "nan": None, "inf": [None, {"deep": None}],
        "bytes": "/w==", "uuid": str(key), "span": 1.5, "nested": {"list": [1, [2, 3]]}, "5": "number", "set": [1]}]
    with pytest.raises(datapy_kafka.InvalidArgument, match="of type object"):
        kafka.produce("out", {"x": object()})


def test_string_and_bytes(kafka, sidecar):
    kafka.produce("out", "plain", value_format="string")
    kafka.produce("out", {"only": "v"}, value_format="string")
    kafka.produce("out", {"a": 1, "b": 2}, value_format="string")
    kafka.produce("out", [b"\xff", "text"], value_format="bytes")
    assert [list(one.columns.values) for one in sidecar.produced] == [["plain"], ["v"], ['{"a":1,"b":2}'], []]
    assert list(sidecar.produced[3].columns.value_bytes) == [b"\xff", b"text"]
    with pytest.raises(datapy_kafka.InvalidArgument, match="value_format='bytes'"):
        kafka.produce("out", b"\xff", value_format="string")


def test_none_is_a_tombstone(kafka, sidecar):
    kafka.producer("out").send(None, key="k")
    columns = sidecar.produced[0].columns
    assert list(columns.null_values) == [0] and list(columns.keys) == ["k"]


def test_lone_surrogates_do_not_break_a_frame(kafka, sidecar):
    assert kafka.produce("out", [{"x": "\ud800"}, {"x": "y"}]).sent == 2 or sidecar.produced
    assert len(sidecar.produced[0].columns.value_bytes) == 2


def test_headers_column(kafka, sidecar):
    kafka.produce("out", [{"v": 1, "h": {"a": "1", "b": b"\xff"}}, {"v": 2, "h": None}], headers_column="h",
                  headers={"all": "x"})
    request = sidecar.produced[0]
    assert [(one.name, one.value) for one in request.headers] == [("all", b"x")]
    assert [(one.index, [(h.name, h.value) for h in one.headers]) for one in request.columns.headers] == [
        (0, [("a", b"1"), ("b", b"\xff")])]
    assert values(sidecar) == [{"v": 1}, {"v": 2}]


def test_many_rows_travel_in_few_requests_in_order(kafka, sidecar):
    count = 2 * _wire.MAX_ROWS + 10
    result = kafka.produce("out", polars.DataFrame({"i": range(count)}))
    assert result.sent == count and len(sidecar.produced) == 3
    assert [one["i"] for one in values(sidecar)] == list(range(count))


def test_failures_carry_their_index_over_requests(kafka, sidecar, monkeypatch):
    monkeypatch.setattr(_wire, "MAX_ROWS", 2)
    sidecar.on_produce = lambda request: pb.ProduceResponse(
        succeeded=1, failures=[pb.ProduceFailure(index=1, reason=pb.ERROR_REASON_UNKNOWN_TOPIC, message="no topic")])
    with pytest.raises(datapy_kafka.SendError, match="2 of 4 records for 'out'") as error:
        kafka.produce("out", [{}] * 4)
    assert [(one.index, one.reason) for one in error.value.result.errors] == [(1, "UNKNOWN_TOPIC"), (3, "UNKNOWN_TOPIC")]
    result = kafka.produce("out", [{}] * 4, on_send_error="log")
    assert (result.sent, result.failed) == (2, 2)


def test_without_flush_the_records_are_enqueued(kafka, sidecar):
    producer = kafka.producer("out", flush=False)
    producer.send({"a": 1})
    sidecar.on_produce = lambda request: pb.ProduceResponse(earlier_failures=1)
    with pytest.raises(datapy_kafka.SendError):
        producer.flush()
    assert [one.mode for one in sidecar.produced] == [pb.PRODUCE_MODE_ENQUEUED, pb.PRODUCE_MODE_DELIVERED]


def test_a_failed_call_is_raised(kafka, sidecar):
    sidecar.produce_failure = Failure(grpc.StatusCode.PERMISSION_DENIED, "denied", "AUTHORIZATION_FAILED")
    with pytest.raises(datapy_kafka.AuthenticationError, match="denied") as error:
        kafka.produce("out", {})
    assert error.value.code == 32 and error.value.result.failed == 1


@pytest.mark.parametrize("options, name", [
    ({"value_format": "avro"}, "value_format"), ({"on_send_error": "x"}, "on_send_error"),
    ({"flush_timeout_s": -1}, "flush_timeout_s"), ({"key_column": "a", "key_value": "b"}, "key_column"),
    ({"key_column": "missing"}, "missing"), ({"headers": 3}, "headers"),
])
def test_wrong_options_are_named(kafka, options, name):
    with pytest.raises(datapy_kafka.InvalidArgument, match=name):
        kafka.produce("out", {"a": 1}, **options)
