"""StreamController, installation, batches, the command, and the limits of files."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path

import datapy_kafka
import pytest
from datapy_kafka import _acks, _cli, _grpc, _install
from datapy_kafka._acks import Outbox
from datapy_kafka.v1 import sidecar_pb2 as pb
from fake_sidecar import make_columns

HERE = Path(__file__).parent
CLIENT = HERE.parent.parent / "client-python"


def test_controller_sigterm_handling():
    before = signal.getsignal(signal.SIGTERM)
    with datapy_kafka.StreamController() as controller:
        assert not controller.should_stop() and controller.handles_signals
        signal.raise_signal(signal.SIGTERM)
        assert controller.should_stop() and controller.is_shutdown_initiated()
        assert controller.stop_reason == "SIGTERM"
    assert signal.getsignal(signal.SIGTERM) == before


def test_controller_programmatic_stop_calls_listeners_once():
    controller, calls = datapy_kafka.StreamController(), []
    controller.cleanup()
    controller.add_listener(lambda: calls.append(1))
    controller.request_stop()
    controller.request_stop()
    assert calls == [1] and controller.should_stop()
    controller.add_listener(lambda: calls.append(2))
    assert calls == [1, 2], "one that comes late is told at once"


def test_controller_signal_inside_request_stop_does_not_hang():
    with datapy_kafka.StreamController() as controller:
        controller.add_listener(lambda: signal.raise_signal(signal.SIGTERM))
        controller.request_stop()
        assert controller.should_stop()


def test_controller_second_signal_leaves_at_once():
    code = ("import datapy_kafka, signal, time\nc = datapy_kafka.StreamController()\n"
            "signal.raise_signal(signal.SIGTERM)\nsignal.raise_signal(signal.SIGTERM)\nprint('still here')")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30)
    assert done.returncode == 128 + signal.SIGTERM and done.stdout == ""


def test_controller_outside_the_main_thread_takes_no_signals():
    made = []
    thread = threading.Thread(target=lambda: made.append(datapy_kafka.StreamController()))
    thread.start()
    thread.join()
    assert made[0].handles_signals is False


def tree(root):
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*")
            if path.is_file() and "__pycache__" not in path.parts}


@pytest.mark.parametrize("point_at", ["checkout", "package"])
def test_install_is_idempotent_and_uninstall_leaves_the_framework_as_it_was(tmp_path, capsys, point_at):
    shutil.copytree(HERE / "datapy_standin", tmp_path, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
    registry = tmp_path / "datapy" / "mod_registry.json"
    registry.write_text(json.dumps({"_metadata": {"v": 1}, "mods": {"other": {"type": "other"}}}, indent=2) + "\n")
    before = tree(tmp_path)
    root = str(tmp_path if point_at == "checkout" else tmp_path / "datapy")
    assert _cli.main(["install", "--datapy-root", root, "--check"]) == 1
    assert tree(tmp_path) == before
    assert _cli.main(["install", "--datapy-root", root]) == 0
    after = tree(tmp_path)
    assert set(json.loads(registry.read_text())["mods"]) == {"other", "kafka_connector", "kafka_consumer", "kafka_producer"}
    assert "datapy/mods/streaming/kafka_consumer.py" in after and "datapy/utils/stream_controller.py" in after
    assert _cli.main(["install", "--datapy-root", root]) == 0
    assert tree(tmp_path) == after and "Nothing to do" in capsys.readouterr().out
    assert _cli.main(["install", "--datapy-root", root, "--check"]) == 0
    assert _cli.main(["install", "--datapy-root", root, "--uninstall"]) == 0
    assert tree(tmp_path) == before


def test_install_makes_a_registry_and_finds_the_imported_datapy(tmp_path):
    shutil.copytree(HERE / "datapy_standin", tmp_path, dirs_exist_ok=True)
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    command = [sys.executable, "-m", "datapy_kafka._cli", "install"]
    assert subprocess.run(command, env=environment, timeout=60).returncode == 0
    assert "kafka_consumer" in json.loads((tmp_path / "datapy" / "mod_registry.json").read_text())["mods"]


def test_install_without_a_datapy_says_so(tmp_path, capsys):
    assert _cli.main(["install", "--datapy-root", str(tmp_path)]) == 20
    assert str(tmp_path) in capsys.readouterr().err


def test_status_shows_sessions(sidecar, capsys):
    session = sidecar.status.sessions.add(group_id="billing", client_name="job.py", state=pb.SESSION_STATE_RUNNING)
    session.partitions.add(topic="orders", partition=2, committed=10, lag=5, high_watermark=15, position=12)
    assert _cli.main(["status", "--address", sidecar.address]) == 0
    text = capsys.readouterr().out
    assert "billing" in text and "orders[2]" in text and "lag 5" in text
    assert _cli.main(["status", "--address", sidecar.address, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["sessions"][0]["groupId"] == "billing"


def test_status_without_a_daemon_is_31(tmp_path, capsys):
    assert _cli.main(["status", "--address", f"unix://{tmp_path}/x.sock"]) == 31
    assert "datapy-kafka-sidecar" in capsys.readouterr().err


def batch_of(call):
    call.started(max_attempts=4)
    call.send(columns=make_columns(1, [("orders", 0, 10, ["a", "b", "c"]), ("orders", 1, 0, ["x"])],
                                   keys=["k", None, "", "y"]))


def test_batches_are_one_partition_each(sidecar, consuming):
    got = []
    consuming(got.append, batch=True)
    call = sidecar.next_call()
    batch_of(call)
    assert call.acked(4) == {1, 2, 3, 4}
    first = got[0]
    assert (first.topic, first.partition, len(first)) == ("orders", 0, 3)
    assert first.values == ["a", "b", "c"] and first.keys == ["k", None, ""] and first.offsets == [10, 11, 12]
    assert got[1].values == ["x"] and got[1].partition == 1
    assert first.to_dicts()[2]["offset"] == 12
    assert first.to_polars()["value"].to_list() == first.to_arrow()["value"].to_pylist() == list(first.to_pandas()["value"])


def test_batch_failures_are_nacked_by_index(sidecar, consuming):
    consuming(lambda batch: {"status": "error", "failed": {1: "bad"}} if len(batch) > 1 else None, batch=True)
    call = sidecar.next_call()
    batch_of(call)
    done, nacks = call.acks(4)
    assert done == {1, 3, 4} and [(one.delivery_id, one.error) for one in nacks] == [(2, "bad")]


def test_batch_exception_fails_each_record(sidecar, consuming):
    def handler(batch):
        raise ValueError("no")

    consuming(handler, batch=True)
    call = sidecar.next_call()
    batch_of(call)
    done, nacks = call.acks(4)
    assert not done and len(nacks) == 4 and nacks[0].error == "ValueError: no"


def test_batch_retry_nacks_the_first_and_waits_for_it(sidecar, consuming):
    seen = []

    def handler(batch):
        seen.append((batch.partition, batch.values))
        return {"status": "error", "failed": [1, 2]} if batch.values == ["a", "b", "c"] else None

    consuming(handler, batch=True, on_error="retry")
    call = sidecar.next_call()
    batch_of(call)
    done, nacks = call.acks(3)
    assert done == {1, 4} and [one.delivery_id for one in nacks] == [2]
    call.next_id = 5
    call.send_records("orders", 0, 12, ["void"])
    call.send_records("orders", 0, 11, ["b", "c"], attempts={0: 2})
    assert call.acked(2) == {6, 7} and seen[-1] == (0, ["b", "c"])


def test_files_keep_the_limits():
    limits = {"stream_controller.py": 100, "kafka_producer.py": 150}
    for path in [*(CLIENT / "src").rglob("*.py"), *(CLIENT / "examples").rglob("*.py"), CLIENT / "setup.py"]:
        if "_pb2" in path.name:
            continue
        count = len(path.read_text(encoding="utf-8").splitlines())
        assert count <= limits.get(path.name, 200), f"{path}: {count} lines"


def test_what_failed_before_a_stop_reaches_the_daemon_ahead_of_it() -> None:
    outbox = Outbox(pb.Start())
    frames = iter(outbox)
    assert next(frames).WhichOneof("frame") == "start"
    outbox.begin_run(1)
    outbox.done = 1
    outbox.nack(2, "boom", pb.NACK_REASON_FAILED)
    outbox.request_stop("SIGTERM")
    ack, stop = next(frames), next(frames)
    assert [one.delivery_id for one in ack.ack.nacks] == [2]
    assert stop.stop.reason == "SIGTERM"


def test_acks_of_one_moment_travel_together(monkeypatch):
    pauses = []
    monkeypatch.setattr(_acks.time, "sleep", pauses.append)
    outbox = Outbox(pb.Start())
    outbox.window = _acks._SMALL_WINDOW
    frames = iter(outbox)
    next(frames)
    outbox.begin_run(1)
    outbox.done = 1
    assert next(frames).ack.ranges[0].first_id == 1 and not pauses  # A lone ack leaves at once.
    outbox.done = 5
    ack = next(frames).ack
    assert [(one.first_id, one.last_id) for one in ack.ranges] == [(2, 5)] and pauses == [_acks._PAUSE_S]


def test_a_small_window_is_acked_without_a_pause(monkeypatch):
    pauses = []
    monkeypatch.setattr(_acks.time, "sleep", pauses.append)
    outbox = Outbox(pb.Start())
    outbox.window = _acks._SMALL_WINDOW - 1
    frames = iter(outbox)
    next(frames)
    outbox.begin_run(1)
    for done in (1, 2):
        outbox.done = done
        next(frames)
    assert not pauses


@pytest.mark.parametrize("mode, eager", [(pb.FAILURE_MODE_RETRY, _acks._EAGER_FRAMES), (pb.FAILURE_MODE_CONTINUE, 0)])
def test_after_a_failure_that_is_retried_acks_leave_without_a_pause(monkeypatch, mode, eager):
    pauses = []
    monkeypatch.setattr(_acks.time, "sleep", pauses.append)
    outbox = Outbox(pb.Start(failure_policy=pb.FailurePolicy(mode=mode)))
    outbox.window = _acks._SMALL_WINDOW
    frames = iter(outbox)
    next(frames)
    outbox.nack(1, "boom", pb.NACK_REASON_FAILED)
    next(frames)
    outbox.begin_run(2)
    unpaused = 0
    while not pauses:  # The pause after a frame is made when the next one is asked for.
        outbox.done += 1
        next(frames)
        unpaused += not pauses
    assert unpaused == eager


def test_grpc_s_poller_is_chosen_for_this_process_alone():
    code = ("import datapy_kafka, grpc, os; grpc.insecure_channel('localhost:1').close(); "
            "print(os.environ.get('GRPC_EXPERIMENTS'))")
    env = {name: value for name, value in os.environ.items() if name != "GRPC_EXPERIMENTS"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=env, check=True)
    assert (done.stdout, done.stderr) == ("None\n", "")


@pytest.mark.parametrize(("version", "present", "setting", "chosen"), [
    ("1.80.0", False, None, True), ("1.85.3", False, None, True),
    ("1.78.0", False, None, False), ("1.86.0", False, None, False), ("2.0.0", False, None, False),
    ("unknown", False, None, False), ("1.85.3", True, None, False), ("1.85.3", False, "", False)])
def test_grpc_s_poller_is_left_where_it_is_chosen_or_not_known(monkeypatch, version, present, setting, chosen):
    monkeypatch.setattr("importlib.metadata.version", lambda _name: version)
    if not present:
        monkeypatch.delitem(sys.modules, "grpc")
    if setting is None:
        monkeypatch.delenv("GRPC_EXPERIMENTS", raising=False)
    else:
        monkeypatch.setenv("GRPC_EXPERIMENTS", setting)
    assert _grpc._reads_on_another_thread() is chosen
