"""What the kernel says of a node, from files as kernels write them."""

from pathlib import Path

import pytest

from mpi_pgd.study.doctor import facts


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """In place of /."""
    monkeypatch.setattr(facts, "Path", lambda name: tmp_path / name.lstrip("/"))
    return tmp_path


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"{text}\n")


def test_hardware_threads_are_no_cores(root: Path) -> None:
    assert facts._physical() == 0
    for cpu, siblings in enumerate(["0,2", "1,3", "0,2", "1,3"]):
        write(root / f"sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list", siblings)
    assert facts._physical() == 2


@pytest.mark.parametrize(("text", "cores"), [("max 100000", 0.0), ("150000 100000", 1.5), ("", 0.0)])
def test_what_a_control_group_grants(root: Path, text: str, cores: float) -> None:
    write(root / "sys/fs/cgroup/cpu.max", text)
    assert facts._quota() == cores


def test_interfaces_that_are_hardware_and_up(root: Path) -> None:
    def interface(name: str, speed: str, state: str = "up", hardware: str = "device") -> None:
        write(root / f"sys/class/net/{name}/speed", speed)
        write(root / f"sys/class/net/{name}/operstate", state)
        (root / f"sys/class/net/{name}" / hardware).mkdir()

    interface("eth0", "10000")
    interface("bond0", "25000", hardware="bonding")
    interface("eth1", "100000", state="down")
    interface("eth2", "-1")
    interface("veth3", "40000")
    interface("br0", "40000", hardware="bridge")
    assert sorted(facts._ethernet()) == [1.25e9, 3.125e9]


def test_ports_of_infiniband_that_are_active(root: Path) -> None:
    def port(device: str, rate: str, state: str = "4: ACTIVE", layer: str = "InfiniBand") -> None:
        for name, text in (("rate", rate), ("state", state), ("link_layer", layer)):
            write(root / f"sys/class/infiniband/{device}/ports/1/{name}", text)

    port("mlx5_0", "100 Gb/sec (4X EDR)")
    port("mlx5_1", "200 Gb/sec (4X HDR)", state="1: DOWN")
    port("mlx5_2", "400 Gb/sec (4X NDR)", layer="Ethernet")
    assert list(facts._infiniband()) == [12.5e9]
