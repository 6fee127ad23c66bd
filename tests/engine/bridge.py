"""A network bridge of our own, so that docker0 stays the user's."""

from __future__ import annotations

import hashlib
import ipaddress
import struct
from pathlib import Path

from .errors import EngineError
from .shell import run
from .state import State

NETS = Path("/sys/class/net")
SUBNETS = [ipaddress.ip_network(f"10.{number}.0.0/16") for number in range(230, 200, -1)]


def bridge_name(state: State) -> str:
    """Give a name that is the folder's own; Linux allows 15 characters."""
    return "mlpk" + hashlib.sha256(str(state.root).encode()).hexdigest()[:8]


def keep_bridge(state: State) -> str:
    """Make the bridge unless it is there; give its name."""
    name, address = bridge_name(state), _own_address(state)
    if not (NETS / name).exists():
        taken = [network for network, _ in _routes()]
        subnet = next((net for net in SUBNETS if not any(map(net.overlaps, taken))), None)
        if subnet is None:
            raise EngineError("No subnet of 10.201-230.0.0/16 is free.", "Free one.")
        # In one go, so that no bridge without an address is left when we are interrupted.
        steps = (
            f"link add {name} address {address} type bridge",
            f"addr add {subnet[1]}/{subnet.prefixlen} dev {name}",
            f"link set {name} up",
        )
        run(["ip", "-batch", "-"], stdin="\n".join(steps))
    elif (NETS / name / "address").read_text().strip() != address:  # one that an earlier version made
        run(["ip", "link", "set", "dev", name, "address", address])
    return name


def remove_bridge(state: State) -> None:
    """Take our bridge away."""
    if (NETS / bridge_name(state)).exists():
        run(["ip", "link", "delete", bridge_name(state)])


def _own_address(state: State) -> str:
    """Give the bridge's own hardware address.

    Without one a bridge takes the lowest of its ports', which changes as containers come and go: those that stay send to
    the old one until their kernel asks again, and hang for a minute.
    """
    digest = hashlib.sha256(str(state.root).encode()).digest()
    return ":".join(f"{byte:02x}" for byte in (0x02, *digest[:5]))  # 02: given here, not by a maker


def outer_mtu() -> int:
    """Give the way out's packet size: a container that sends larger ones is heard by nobody."""
    for network, device in _routes(default=True):
        if network.prefixlen == 0:
            return int((NETS / device / "mtu").read_text())
    return 1500


def _routes(*, default: bool = False) -> list[tuple[ipaddress.IPv4Network, str]]:
    """Read the kernel's routes: network and device; the default route only when asked for."""
    found = []
    for line in Path("/proc/net/route").read_text().splitlines()[1:]:
        device, target, *rest = line.split()
        network = ipaddress.IPv4Network((_address(target), _address(rest[5])))
        if default or network.prefixlen:
            found.append((network, device))
    return found


def _address(word: str) -> str:
    """Read the kernel's way to write an address: hexadecimal, in the machine's byte order."""
    return str(ipaddress.IPv4Address(struct.pack("=L", int(word, 16))))
