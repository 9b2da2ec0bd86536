"""The files in deploy/ are understood by the tools that read them, and speak of the program as it is."""

import configparser
import re
import shutil
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.cloud.servers import program
from watcher.settings import Settings

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
USER = "10001"


def tool(name: str, *arguments: str) -> None:
    done = subprocess.run([program(name), *arguments], capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def documents(name: str) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all((DEPLOY / "kubernetes" / name).read_text()))


def test_the_stack_is_what_cloudformation_reads() -> None:
    tool("cfn-lint", str(DEPLOY / "aws.yaml"))


def test_the_dockerfile_is_sound() -> None:
    tool("hadolint", str(DEPLOY / "Dockerfile"))


def test_what_the_image_is_built_from_reaches_the_builder() -> None:
    copied = re.findall(r"^COPY (.+) \S+$", (DEPLOY / "Dockerfile").read_text(), re.MULTILINE)
    sources = [source.removeprefix("./") for line in copied for source in line.split()]
    let_in = (DEPLOY / "Dockerfile.dockerignore").read_text().splitlines()
    assert sources
    for source in sources:
        assert (ROOT / source).exists()
        assert f"!{source}" in let_in


def test_the_compose_file_keeps_its_schema() -> None:
    tool("check-jsonschema", "--builtin-schema", "vendor.compose-spec", str(DEPLOY / "compose.yaml"))


def test_the_workers_of_kubernetes_keep_their_schema() -> None:
    tool("kubernetes-validate", "--strict", str(DEPLOY / "kubernetes" / "worker.yaml"))


def test_keda_scales_the_workers_that_there_are_and_never_to_none() -> None:
    deployment = next(one for one in documents("worker.yaml") if one["kind"] == "Deployment")
    scaled = next(one for one in documents("scaling.yaml") if one["kind"] == "ScaledObject")
    trust = next(one for one in documents("scaling.yaml") if one["kind"] == "TriggerAuthentication")
    assert scaled["spec"]["scaleTargetRef"]["name"] == deployment["metadata"]["name"]
    assert {one["metadata"]["namespace"] for one in (scaled, trust, deployment)} == {"imagegen"}
    assert scaled["spec"]["minReplicaCount"] >= 1
    assert scaled["spec"]["triggers"][0]["authenticationRef"]["name"] == trust["metadata"]["name"]


def test_the_configuration_of_the_workers_can_be_used() -> None:
    config = next(one for one in documents("worker.yaml") if one["kind"] == "ConfigMap")
    settings = Settings(**tomllib.loads(config["data"]["imagegen.toml"]))
    assert settings.inbox.startswith("s3://")
    scaled = next(one for one in documents("scaling.yaml") if one["kind"] == "ScaledObject")
    assert scaled["spec"]["triggers"][0]["metadata"]["queueURL"] in config["data"]["imagegen.toml"]


def test_no_variable_of_the_image_overrules_the_configuration_of_the_workers() -> None:
    config = next(one for one in documents("worker.yaml") if one["kind"] == "ConfigMap")
    configured = tomllib.loads(config["data"]["imagegen.toml"])
    set_in_image = re.findall(r"IMAGEGEN_(\w+)=(\S+)", (DEPLOY / "Dockerfile").read_text())
    assert set_in_image
    for name, value in set_in_image:
        assert configured.get(name.lower(), value) == value


def test_a_pod_runs_as_the_user_of_the_image() -> None:
    deployment = next(one for one in documents("worker.yaml") if one["kind"] == "Deployment")
    assert str(deployment["spec"]["template"]["spec"]["securityContext"]["runAsUser"]) == USER
    assert f"USER {USER}" in (DEPLOY / "Dockerfile").read_text()


def test_the_unit_of_systemd_is_sound() -> None:
    unit = configparser.ConfigParser(strict=False, interpolation=None)
    unit.optionxform = str  # type: ignore[assignment, method-assign]
    unit.read(DEPLOY / "imagegen.service")
    assert unit["Service"]["KillMode"] == "mixed"
    assert unit["Service"]["ExecStart"].endswith("imagegen run --workers auto --config /etc/imagegen/imagegen.toml")
    assert unit["Service"]["RestartPreventExitStatus"] == "2"


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="there is no systemd here")
def test_systemd_itself_has_nothing_to_say_against_the_unit() -> None:
    done = subprocess.run(
        ["systemd-analyze", "verify", str(DEPLOY / "imagegen.service")], capture_output=True, text=True, check=False
    )
    complaints = [line for line in done.stderr.splitlines() if "imagegen.service" in line and "executable" not in line]
    assert complaints == []
