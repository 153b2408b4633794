"""The OpenShift manifests: against the schemas, the restricted policy, and each other's arithmetic."""

from __future__ import annotations

import copy
import json
import re
import subprocess
from pathlib import Path
from typing import Any

import grpc
import kubernetes_validate
import pytest
import yaml
from support.paths import ROOT
from support.sidecar import Sidecar, sidecar_binary

from image.tools import OPENSHIFT, OVERLAYS, manifests, one

# The oldest Kubernetes that each overlay is for, and the newest whose schemas there are.
VERSIONS = {"native-sidecar": ("1.33", "1.37"), "two-containers": ("1.28", "1.37")}
CUSTOM = {"PodMonitor", "PrometheusRule", "ScaledObject", "TriggerAuthentication", "Kustomization", "Component"}
# What a stop may take after the drain when the broker is down: the last commit,
# leaving the group, the flush of the producers, the open calls.
CLOSING_S = 10 + 10 + 5 + 5
SOCKET = "unix:///run/datapy-kafka/socket/sidecar.sock"


def pod(overlay: str) -> dict[str, Any]:
    """The pod's specification."""
    spec: dict[str, Any] = one("Deployment", overlay)["spec"]["template"]["spec"]
    return spec


def containers(spec: dict[str, Any]) -> list[dict[str, Any]]:
    """All containers of a pod."""
    return [*spec.get("initContainers", []), *spec["containers"]]


def sidecar(overlay: str) -> dict[str, Any]:
    """The daemon's container."""
    return next(each for each in containers(pod(overlay)) if each["name"] == "kafka-sidecar")


def breaches(spec: dict[str, Any]) -> list[str]:
    """What the restricted policy (restricted-v2, Pod Security "restricted") refuses in a pod."""
    found = []
    if spec.get("securityContext", {}).get("runAsNonRoot") is not True:
        found.append("runAsNonRoot")
    if spec.get("securityContext", {}).get("seccompProfile", {}).get("type") != "RuntimeDefault":
        found.append("seccompProfile")
    found += [key for key in ("hostNetwork", "hostPID", "hostIPC") if spec.get(key)]
    allowed = {"configMap", "emptyDir", "secret", "projected", "downwardAPI", "persistentVolumeClaim", "csi"}
    found += [f"volume {each['name']}" for each in spec.get("volumes", []) if not (set(each) - {"name"}) <= allowed]
    for each in containers(spec):
        context = each.get("securityContext", {})
        if context.get("allowPrivilegeEscalation") is not False:
            found.append(f"{each['name']}: allowPrivilegeEscalation")
        if context.get("capabilities") != {"drop": ["ALL"]}:
            found.append(f"{each['name']}: capabilities")
        if context.get("readOnlyRootFilesystem") is not True:
            found.append(f"{each['name']}: readOnlyRootFilesystem")
        if context.get("privileged"):
            found.append(f"{each['name']}: privileged")
        # restricted-v2 gives the namespace's own ids and refuses others.
        found += [f"{each['name']}: {key}" for key in ("runAsUser", "runAsGroup") if key in context]
        if any("hostPort" in port for port in each.get("ports", [])):
            found.append(f"{each['name']}: hostPort")
    found += [key for key in ("runAsUser", "runAsGroup", "fsGroup") if key in spec.get("securityContext", {})]
    return found


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_manifests_fit_the_schemas(overlay: str) -> None:
    for version in VERSIONS[overlay]:
        for each in manifests(overlay):
            if each["kind"] not in CUSTOM:
                kubernetes_validate.validate(each, version, strict=True)


def test_the_schemas_refuse_what_is_wrong() -> None:
    broken = copy.deepcopy(one("Deployment", "native-sidecar"))
    # Where the documents' example has it: in the container.
    broken["spec"]["template"]["spec"]["containers"][0]["terminationGracePeriodSeconds"] = 60
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(broken, "1.33", strict=True)


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_the_pod_is_restricted(overlay: str) -> None:
    assert breaches(pod(overlay)) == []
    assert pod(overlay)["automountServiceAccountToken"] is False


@pytest.mark.parametrize("change", [
    lambda spec: spec.update(hostNetwork=True),
    lambda spec: spec["volumes"].append({"name": "host", "hostPath": {"path": "/"}}),
    lambda spec: spec["containers"][0]["securityContext"].update(privileged=True),
    lambda spec: spec["containers"][0]["securityContext"].update(runAsUser=0),
    lambda spec: spec["initContainers"][0]["securityContext"]["capabilities"].update(add=["NET_ADMIN"]),
    lambda spec: spec["initContainers"][0].pop("securityContext"),
    lambda spec: spec["securityContext"].pop("seccompProfile"),
])
def test_a_breach_is_found(change: Any) -> None:
    spec = copy.deepcopy(pod("native-sidecar"))
    change(spec)
    assert breaches(spec)


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_the_times_add_up(overlay: str) -> None:
    grace = pod(overlay)["terminationGracePeriodSeconds"]
    job = next(each for each in containers(pod(overlay)) if each["name"] == "consumer")
    pre_stop = int(job["lifecycle"]["preStop"]["exec"]["command"][1])
    drain = int(next(each for each in sidecar(overlay)["args"] if "drain_timeout" in each).split("=")[1])
    assert pre_stop + drain + CLOSING_S < grace
    liveness = sidecar(overlay)["livenessProbe"]
    # A drain answers NOT_SERVING: it must not look like a dead daemon.
    assert liveness["failureThreshold"] * liveness["periodSeconds"] > drain + CLOSING_S
    # --health waits 3 s at most for its answer.
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        assert sidecar(overlay)[probe]["timeoutSeconds"] > 3
        assert sidecar(overlay)[probe]["exec"]["command"] == ["/usr/bin/datapy-kafka-sidecar", "--health"]


def test_one_is_a_native_sidecar_and_the_other_is_not() -> None:
    assert [each["name"] for each in pod("native-sidecar")["initContainers"]] == ["kafka-sidecar"]
    assert sidecar("native-sidecar")["restartPolicy"] == "Always"
    assert "initContainers" not in pod("two-containers")
    assert {each["name"] for each in pod("two-containers")["containers"]} == {"consumer", "kafka-sidecar"}
    native, plain = copy.deepcopy(sidecar("native-sidecar")), sidecar("two-containers")
    del native["restartPolicy"]
    assert native == plain


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_job_and_daemon_meet_at_the_socket(overlay: str) -> None:
    spec = pod(overlay)
    addresses = {each["name"]: each["value"] for container in containers(spec) for each in container["env"]
                 if "value" in each}
    assert addresses == {"DATAPY_KAFKA_ADDRESS": SOCKET, "DATAPY_KAFKA_LISTEN": SOCKET}
    for container in containers(spec):
        mounts = {each["name"]: each["mountPath"] for each in container["volumeMounts"]}
        assert mounts["sidecar-socket"] == "/run/datapy-kafka"
    # The job sees no credential of Kafka.
    job = next(each for each in containers(spec) if each["name"] == "consumer")
    assert "secret" not in json.dumps(job).lower()


def image_environment() -> dict[str, str]:
    """What the daemon's image sets; test_image.py looks at the image itself."""
    block = re.search(r"^ENV ((?:.*\\\n)*.*)$", (ROOT / "deploy/Dockerfile").read_text().split("\nFROM ")[-1], re.MULTILINE)
    assert block is not None
    return dict(each.split("=", 1) for each in block[1].replace("\\\n", " ").split())


def describes_itself(value: str, arguments: list[str]) -> bool:
    """Whether a daemon with DATAPY_KAFKA_REFLECTION of that value answers a call of reflection."""
    settings = {"DATAPY_KAFKA_REFLECTION": value}
    with Sidecar("reflection", None, ["--dev_broker", *arguments], settings) as daemon, daemon.api() as api:
        ask = api.channel.stream_stream("/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo")
        try:
            return b"datapy_kafka.v1.KafkaSidecar" in next(ask(iter([b"\x3a\x01*"]), timeout=10))
        except grpc.RpcError as error:
            assert error.code() == grpc.StatusCode.UNIMPLEMENTED
            return False


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_reflection_is_off_until_the_environment_turns_it_on(overlay: str) -> None:
    """By the image alone: an argument would win over the variable that docs/grpcurl.md says to set."""
    arguments = [each for each in sidecar(overlay)["args"] if "reflection" in each]
    assert not [each for each in sidecar(overlay)["env"] if each["name"] == "DATAPY_KAFKA_REFLECTION"]
    assert not describes_itself(image_environment()["DATAPY_KAFKA_REFLECTION"], arguments)
    assert describes_itself("true", arguments)


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_every_container_is_bounded_and_every_image_is_pinned(overlay: str) -> None:
    for each in containers(pod(overlay)):
        for kind in ("requests", "limits"):
            assert {"cpu", "memory"} <= set(each["resources"][kind]), each["name"]
        assert each["image"].endswith(":1.0.0"), each["image"]


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_selectors_match_the_pods(overlay: str) -> None:
    labels = one("Deployment", overlay)["spec"]["template"]["metadata"]["labels"]
    assert labels, overlay
    for selector in (one("Deployment", overlay)["spec"]["selector"]["matchLabels"],
                     one("PodDisruptionBudget", overlay)["spec"]["selector"]["matchLabels"],
                     one("NetworkPolicy", overlay)["spec"]["podSelector"]["matchLabels"],
                     one("PodMonitor", overlay)["spec"]["selector"]["matchLabels"]):
        assert selector and selector.items() <= labels.items()
    port = one("PodMonitor", overlay)["spec"]["podMetricsEndpoints"][0]["port"]
    declared, = (each for each in sidecar(overlay)["ports"] if each["name"] == port)
    allowed = one("NetworkPolicy", overlay)["spec"]["ingress"][0]["ports"]
    assert [each["port"] for each in allowed] == [declared["containerPort"]]
    assert f"--metrics_listen=0.0.0.0:{declared['containerPort']}" in sidecar(overlay)["args"]


def test_the_rules_in_the_cluster_are_the_tested_ones() -> None:
    tested = yaml.safe_load((ROOT / "deploy/prometheus/alerts.yaml").read_text())
    assert one("PrometheusRule", "native-sidecar")["spec"] == tested


def test_the_secrets_that_are_named_are_in_the_example() -> None:
    example = {each["metadata"]["name"]: each for each in
               yaml.safe_load_all((OPENSHIFT / "secret.example.yaml").read_text())}
    for each in example.values():
        kubernetes_validate.validate(each, "1.33", strict=True)
    wanted = [(each["valueFrom"]["secretKeyRef"]["name"], each["valueFrom"]["secretKeyRef"]["key"])
              for each in sidecar("native-sidecar")["env"] if "secretKeyRef" in each.get("valueFrom", {})]
    wanted += [(each["secret"]["secretName"], "ca.crt") for each in pod("native-sidecar")["volumes"] if "secret" in each]
    assert len(wanted) == 3
    for name, key in wanted:
        assert key in example[name]["stringData"]


def test_scaling_uses_what_is_there() -> None:
    scaled, trigger = yaml.safe_load_all((OPENSHIFT / "components/keda/scaledobject.yaml").read_text())
    assert scaled["spec"]["scaleTargetRef"]["name"] == one("Deployment", "native-sidecar")["metadata"]["name"]
    kafka, = scaled["spec"]["triggers"]
    assert kafka["type"] == "kafka"
    assert kafka["authenticationRef"]["name"] == trigger["metadata"]["name"]
    assert all(isinstance(value, str) for value in kafka["metadata"].values())
    config = yaml.safe_load((OPENSHIFT / "base/kafka-config.yaml").read_text())
    assert kafka["metadata"]["bootstrapServers"] == config["data"]["bootstrap_servers"]
    example = {each["metadata"]["name"]: each for each in
               yaml.safe_load_all((OPENSHIFT / "secret.example.yaml").read_text())}
    for each in trigger["spec"]["secretTargetRef"]:
        assert each["key"] in example[each["name"]]["stringData"]


@pytest.mark.parametrize("file", ["deploy/openshift/base/sidecar.json", "deploy/config/sidecar.example.json",
                                  "deploy/config/local.json"])
def test_the_daemon_takes_the_configuration(file: str, tmp_path: Path) -> None:
    """With each file that it names in a place of the test's own."""
    text = (ROOT / file).read_text()
    for source in _files(json.loads(text)):
        pem = "-----BEGIN CERTIFICATE-----\nMA==\n-----END CERTIFICATE-----\n"
        (tmp_path / Path(source).name).write_text(pem if source.endswith((".crt", ".key")) else "secret")
        text = text.replace(source, str(tmp_path / Path(source).name))
    (tmp_path / "config.json").write_text(text)
    done = subprocess.run(
        [sidecar_binary(), "--check", f"--config={tmp_path / 'config.json'}"], capture_output=True, text=True,
        check=False, env={"KAFKA_BOOTSTRAP_SERVERS": "b:9092", "KAFKA_USERNAME": "u", "KAFKA_PASSWORD": "p",
                          "KAFKA_KEY_PASSWORD": "k"})
    assert done.returncode == 0, done.stderr
    assert "default" in done.stdout


def test_a_configuration_with_a_wrong_key_is_refused(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"connexions": {}}')
    done = subprocess.run([sidecar_binary(), "--check", f"--config={tmp_path / 'config.json'}"], capture_output=True,
                          text=True, check=False)
    assert done.returncode == 2
    assert "connexions" in done.stderr


def test_compose_runs_the_images_as_one_user() -> None:
    compose = yaml.safe_load((ROOT / "deploy/compose.yaml").read_text())
    daemon, job = compose["services"]["sidecar"], compose["services"]["job"]
    assert daemon["user"] == job["user"] == "65532:0"
    for each in (daemon, job):
        assert each["read_only"] is True and each["cap_drop"] == ["ALL"]
        assert (ROOT / "deploy" / each["build"]["context"] / each["build"]["dockerfile"]).is_file()
        assert "socket:/run/datapy-kafka" in each["volumes"]
    assert daemon["environment"]["KAFKA_BOOTSTRAP_SERVERS"] == "kafka:9092"
    listeners = compose["services"]["kafka"]["environment"]["KAFKA_ADVERTISED_LISTENERS"]
    assert listeners == "PLAINTEXT://kafka:9092"
    script = Path(job["command"][1]).name
    assert (ROOT / "client-python/examples" / script).is_file()


def _files(value: Any) -> list[str]:
    if isinstance(value, dict):
        own = [value["file"]] if set(value) == {"file"} else []
        return own + [file for each in value.values() for file in _files(each)]
    return []
