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
from datapy_kafka._data import to_pieces
from datapy_kafka.v1 import sidecar_pb2 as pb
from fake_sidecar import Failure, texts

ROWS = [{"id": 1, "name": "ü\"\n\\", "ok": True, "x": 1.5, "n": None},
        {"id": 2, "name": "", "ok": False, "x": None, "n": None},
        {"id": 3, "name": "\u0001\u2028", "ok": None, "x": 1e-7, "n": None}]


@pytest.fixture
def kafka(sidecar):
    return datapy_kafka.connect(sidecar.address, connection="c")


def values(sidecar):
    return [json.loads(value) for request in sidecar.produced for value in texts(request.columns, "value")]


@pytest.mark.parametrize("make", [
    lambda: ROWS, lambda: tuple(ROWS), lambda: polars.DataFrame(ROWS), lambda: polars.LazyFrame(ROWS),
    lambda: pyarrow.Table.from_pylist(ROWS), lambda: pandas.DataFrame(ROWS).astype(object),
    lambda: duckdb.from_arrow(pyarrow.Table.from_pylist(ROWS)),
], ids=["list", "tuple", "polars", "lazy", "arrow", "pandas", "duckdb"])
def test_every_kind_of_data_makes_the_same_records(kafka, sidecar, make):
    result = kafka.produce("out", make(), key_column="id")
    assert result.sent == 3 and values(sidecar) == ROWS
    assert list(sidecar.produced[0].columns.keys) == ["1", "2", "3"]


def made_of(data, **options):
    """The columns that data becomes, whole."""
    given = {"value_format": "json", "key_column": None, "key_value": None, "headers_column": None, "rows": 10**6}
    count, pieces = to_pieces(data, **{**given, **options})
    (columns,) = pieces
    assert len(columns.values) == count
    columns.values = list(columns.values)
    return columns


# A column of each type, and what its cells are as JSON.
TYPES = {
    "i": ([1, -2**63, None], [1, -2**63, None]), "wide": ([0, 2**63 - 1, 5], [0, 2**63 - 1, 5]),
    "f": ([0.1, 1e300, -0.0], [0.1, 1e300, -0.0]),
    "g": ([float("nan"), float("inf"), float("-inf")], [None, None, None]),
    "s": (["\u0000\x7f\"/\n", "😀", None], ["\u0000\x7f\"/\n", "😀", None]), "b": ([True, False, None], [True, False, None]),
    "none": ([None] * 3, [None] * 3), "%s": (["100%", "%d", "%"], ["100%", "%d", "%"]),
    "d": ([datetime.date(2024, 2, 29), datetime.date(1999, 1, 1), None], ["2024-02-29", "1999-01-01", None]),
    "t": ([datetime.datetime(2024, 1, 2, 3, 4, 5, 6), datetime.datetime(2024, 1, 2), None],
          ["2024-01-02T03:04:05.000006", "2024-01-02T00:00:00", None]),
    "n": ([decimal.Decimal("1.10"), decimal.Decimal("-0.01"), None], ["1.10", "-0.01", None]),
    "l": ([[1, 2], [], None], [[1, 2], [], None]), "raw": ([b"\xff", b"", None], ["/w==", "", None]),
}
TABLES = {"polars": polars.DataFrame, "arrow": pyarrow.table, "pandas": lambda columns: pandas.DataFrame(
    {name: pandas.Series(cells, dtype=object) for name, cells in columns.items()}),
    "rows": lambda columns: [dict(zip(columns, row)) for row in zip(*columns.values())]}


@pytest.mark.parametrize("kind", TABLES)
@pytest.mark.parametrize("column", [*TYPES, "all"])
def test_json_is_the_same_for_every_kind_of_table(kind, column):
    chosen = TYPES if column == "all" else {column: TYPES[column]}
    made = made_of(TABLES[kind]({name: cells for name, (cells, _) in chosen.items()}))
    rows = [json.dumps(dict(zip(chosen, row)), ensure_ascii=False, separators=(",", ":"))
            for row in zip(*(expected for _, expected in chosen.values()))]
    # Texts but for floats, which Polars writes in another of their forms.
    if kind == "polars" and column in ("f", "all"):
        assert [json.loads(one) for one in made.values] == [json.loads(one) for one in rows]
    else:
        assert made.values == rows


@pytest.mark.parametrize("kind", TABLES)
@pytest.mark.parametrize("cells, keys", [
    ([1, -5, None], ["1", "-5", None]), (["a", "", None], ["a", "", None]), ([1.5, float("nan"), 2.0], ["1.5", None, "2.0"]),
    ([True, False, None], ["true", "false", None]),
    ([datetime.date(2024, 2, 29), None, datetime.date(1999, 1, 1)], ["2024-02-29", None, "1999-01-01"])],
    ids=["int", "str", "float", "bool", "date"])
def test_keys_are_the_same_for_every_kind_of_table(kind, cells, keys):
    assert made_of(TABLES[kind]({"k": cells, "v": [1, 2, 3]}), key_column="k").keys == keys


def test_a_table_s_headers_column_is_no_part_of_its_values(kafka, sidecar):
    kafka.produce("out", pyarrow.table({"v": [1, 2], "h": [[("a", "x")], None]}), headers_column="h")
    assert values(sidecar) == [{"v": 1}, {"v": 2}]
    assert [[h.value for h in one.headers] for one in sidecar.produced[0].columns.headers] == [[b"x"]]
    with pytest.raises(datapy_kafka.InvalidArgument, match="headers_column 'x' is not one of the columns"):
        kafka.produce("out", pyarrow.table({"v": [1]}), headers_column="x")


def test_columns_of_one_name_twice_are_rows():
    frame = pandas.DataFrame([[1, 2]], columns=["a", "a"])
    assert made_of(frame).values == ['{"a":2}']


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


def test_texts_travel_as_lines_unless_one_breaks_its_line(kafka, sidecar):
    rows = [f"row {index}" for index in range(40)]
    kafka.produce("out", rows, value_format="string", key_value="k")
    kafka.produce("out", [*rows, "two\nlines"], value_format="string", key_value="two\nlines")
    kafka.produce("out", [*rows, "", None], value_format="string")
    kafka.produce("out", [*rows, b"raw"], value_format="bytes")
    plain, broken, nulls, raw = (one.columns for one in sidecar.produced)
    assert plain.value_lines == "".join(f"{row}\n" for row in rows) and plain.key_lines == "k\n" * 40
    assert not (plain.values or plain.keys or broken.value_lines or broken.key_lines or raw.value_lines)
    assert list(broken.values) == [*rows, "two\nlines"] and list(broken.keys) == ["two\nlines"] * 41
    assert texts(nulls, "value") == [*rows, "", ""] and list(nulls.null_values) == [41]
    assert list(raw.value_bytes) == [*(row.encode() for row in rows), b"raw"]


def test_a_frame_s_rows_are_never_split_and_large_ones_travel_apart(kafka, sidecar):
    data = polars.DataFrame({"k": ["a", None, "c\nd"] * 20, "text": ["x\n" * 50_000] * 60})
    assert kafka.produce("out", data, key_column="k").sent == 60
    assert len(sidecar.produced) > 1
    assert values(sidecar) == data.to_dicts()
    assert [key for one in sidecar.produced for key in texts(one.columns, "key")] == ["a", "", "c\nd"] * 20
    assert not any(one.columns.key_lines for one in sidecar.produced)


def test_an_answer_that_leaves_records_out_is_no_success(kafka, sidecar):
    sidecar.on_produce = lambda request: pb.ProduceResponse()
    with pytest.raises(datapy_kafka.KafkaSidecarError, match="0 of 2 records for 'out'") as error:
        kafka.produce("out", [{}, {}])
    assert error.value.result.failed == 2 and error.value.result.sent == 0
    told = kafka.produce("out", [{}, {}], on_send_error="log").errors
    assert [one.retriable for one in told] == [False]


def test_keys_travel_as_lines_only_where_values_do(kafka, sidecar):
    # A daemon that knows no lines would else write all values, without their keys.
    kafka.produce("out", [b"raw"] * 20, value_format="bytes", key_value="k")
    (request,) = sidecar.produced
    assert not request.columns.key_lines and list(request.columns.keys) == ["k"] * 20


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
