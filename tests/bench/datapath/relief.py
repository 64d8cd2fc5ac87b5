#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""relief: what a GB costs the gateway as a direct connection, beside the same GB through a tunnel. Part of `make bench`.

Two User-mode Linux kernels, joined by two wires that this program makes (pairs of sockets: a frame of 1,514 octets each):

    hosts: device 192.168.1.10 ──lan── 192.168.1.1 gateway 192.0.2.1 ──wan── 192.0.2.2 cloud: hosts

The gateway is a kernel of its own and does nothing but forward, so its processor time is that of its process, read from outside:
user time is the kernel's own work, system time what the machine below does in place of network cards (it copies each frame).
Direct connections are masqueraded and, where the port says so, in an nftables flowtable. Figures go to relief.json in DIR.

    relief.py [--rounds N] [--results DIR]
    relief.py gateway | hosts          inside the machines
"""
import argparse
import fcntl
import json
import os
import socket
import statistics
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))
from bench import CHACHA, GCM, TOP, batch, key_file, run, verdict  # noqa: E402

KEYS = "build/results/relief-keys"  # in the repository, which both machines see
CLOUD, FAR = "192.0.2.2", "100.64.0.1"
DIRECT_PORT, FLOWTABLE_PORT = 5201, 5202
TUNNELS = {CHACHA: 5, GCM: 6}  # by the last octet of their addresses
GOALS = {"direct": 0.15, "flowtable": 0.10}
MB = 1000000
WINDOW = "50K"  # TCP's, less than a wire holds: the driver asks over and over where it is full, which costs time
FREE_FD = 20  # scripts/vm has uses of its own for those below
WAYS = {f"tunnel {CHACHA}": 150 * MB, f"tunnel {GCM}": 60 * MB, "direct": 800 * MB, "flowtable": 800 * MB}  # what each carries


# ---- in the machines ----

def wire(number, name, address, netns=None):
    """The link to the other machine; a network card's checksums are not to be had."""
    into = f"netns {netns}" if netns else ""
    run(f"ip link set vec{number} name {name} {into}")
    where = ["-n", netns] if netns else []
    run(["ip", *where, "link", "set", name, "mtu", "1500", "up"])
    run(["ip", *where, "addr", "add", address, "dev", name])


def tunnels(netns, side, addresses):
    """The far end listens, the near end opens."""
    for cipher, n in TUNNELS.items():
        up, down = f"{TOP}/{KEYS}/{cipher}-up", f"{TOP}/{KEYS}/{cipher}-down"
        near = side == "near"
        spi_in, spi_out = (0x1000 + n, 0x2000 + n) if near else (0x2000 + n, 0x1000 + n)
        where = ["-n", netns] if netns else []
        run(["shunt", *where, "tunnel", "add", "dev", "shunt0", "side", side, "spi-in", hex(spi_in), "spi-out", hex(spi_out), "cipher", cipher,
             "key-in", f"file:{down if near else up}", "key-out", f"file:{up if near else down}",
             "near", f"100.64.0.{n}", "far", FAR, *addresses(n)])


def gateway():
    wire(0, "lan", "192.168.1.1/24")
    wire(1, "wan", "192.0.2.1/24")
    run("ip link add shunt0 type shunt")
    run("ip link set shunt0 up")
    run("ip route add 100.65.0.0/24 dev shunt0")
    tunnels(None, "near", lambda n: ["host", "192.168.1.10", "alias", f"100.65.0.{n}", "endpoint", f"{CLOUD}:4500"])
    run(["sysctl", "-qw", "net.ipv4.ip_forward=1"])
    run("nft -f -", input=f"""
        table inet router {{
            flowtable quick {{ hook ingress priority filter; devices = {{ lan, wan }}; }}
            counter plain {{ }}
            counter quick {{ }}
            chain forward {{
                type filter hook forward priority filter; policy drop;
                tcp sport {DIRECT_PORT} counter name plain
                tcp sport {FLOWTABLE_PORT} counter name quick
                ct state established tcp dport {FLOWTABLE_PORT} flow add @quick
                ct state established,related accept
                iifname "lan" accept
                iifname "shunt0" accept
            }}
        }}
        table ip nat {{
            chain postrouting {{
                type nat hook postrouting priority srcnat;
                oifname "wan" masquerade
            }}
        }}""")
    print("ready", flush=True)
    while not os.path.exists("/results/done"):
        time.sleep(0.1)
    passed = {c["counter"]["name"]: c["counter"]["packets"] for c in json.loads(run("nft -j list counters"))["nftables"] if "counter" in c}
    print(passed["plain"], passed["quick"], flush=True)


def told(what):
    """Say what comes, and wait until the machine below has read the clock."""
    print(what, flush=True)
    while not os.path.exists(f"/results/{what}"):
        time.sleep(0.01)


def carry(way, octets):
    """From the cloud to the device, as a print job."""
    if way.startswith("tunnel"):
        at, to, words = "cloud", f"100.64.0.{TUNNELS[way.split()[1]]}", []
    else:
        at, to, words = "device", CLOUD, ["-R", "-p", str(DIRECT_PORT if way == "direct" else FLOWTABLE_PORT)]
    out = json.loads(run(["ip", "netns", "exec", at, "iperf3", "-J", "-c", to, "-n", str(octets), "-w", WINDOW, *words]))
    return out["end"]["sum_received"]["bytes"]


def reach(address):
    """Until it answers: on a busy machine the other kernel may not have begun to read its wire."""
    for _ in range(30):
        done = subprocess.run(["ip", "netns", "exec", "device", "ping", "-c", "1", "-W", "2", address], check=False, capture_output=True)
        if not done.returncode:
            return
    sys.exit(f"{address} does not answer")


def hosts(rounds):
    for netns in "device", "cloud":
        run(f"ip netns add {netns}")
        run(f"ip -n {netns} link set lo up")
    wire(0, "lan", "192.168.1.10/24", "device")
    run("ip -n device route add default via 192.168.1.1")
    wire(1, "wan", f"{CLOUD}/24", "cloud")
    batch("cloud", f"""link add shunt0 type shunt
        link set shunt0 up
        addr add {FAR}/32 dev shunt0
        route add 100.64.0.0/24 dev shunt0""")
    tunnels("cloud", "far", lambda n: [])
    for netns, port in ("device", DIRECT_PORT), ("cloud", DIRECT_PORT), ("cloud", FLOWTABLE_PORT):
        subprocess.Popen(["ip", "netns", "exec", netns, "iperf3", "-s", "-p", str(port)], stdout=subprocess.DEVNULL)
    told("set-up")
    reach(CLOUD)
    for n in TUNNELS.values():  # from the device, as the far end knows no endpoint before
        reach(f"100.65.0.{n}")
    for turn in range(rounds):
        for number, (way, octets) in enumerate(WAYS.items()):
            told(f"begin-{turn}-{number}")
            octets = carry(way, octets)
            told(f"end-{turn}-{number}-{octets}")


# ---- the machine below ----

class Machine:
    """One kernel of scripts/vm, with an end of each wire."""

    def __init__(self, role, wires, results, rounds):
        self.results = f"{results}/{role}"
        os.makedirs(self.results, exist_ok=True)
        for name in os.listdir(self.results):
            os.remove(f"{self.results}/{name}")
        ends = [fcntl.fcntl(end, fcntl.F_DUPFD, FREE_FD) for end in wires]
        cards = " ".join(f"vec{n}:transport=fd,fd={end},mtu=1500" for n, end in enumerate(ends))
        self.vm = subprocess.Popen(
            [f"{TOP}/scripts/vm", "--kernel", "uml", "--mem", "512", "--timeout", "900", "--results", self.results, "--append", cards, "--",
             "sh", "-c", f"/shunt/scripts/guest load && exec python3 /shunt/tests/bench/datapath/relief.py {role} --rounds {rounds}"],
            pass_fds=ends, stdout=subprocess.PIPE, text=True)

    def end(self):
        self.vm.terminate()
        self.vm.wait()

    def line(self):
        text = self.vm.stdout.readline().strip()
        if not text:
            sys.exit(f"the machine ended (status {self.vm.wait()}), see {self.results}")
        return text

    def tell(self, what):
        with open(f"{self.results}/{what}", "w", encoding="ascii"):
            pass

    def kernel(self):
        """The process that is the kernel: the oldest program called linux below scripts/vm."""
        below = [self.vm.pid]
        while below:
            pid = below.pop(0)
            with open(f"/proc/{pid}/comm", encoding="ascii") as file:
                if file.read().startswith("linux"):
                    return pid
            with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
                below += [int(child) for child in file.read().split()]
        return sys.exit("there is no kernel among the machine's processes")


def processor_time(pid):
    """Seconds, user and system."""
    with open(f"/proc/{pid}/stat", encoding="ascii") as file:
        words = file.read().rsplit(")", 1)[1].split()
    return tuple(int(word) / os.sysconf("SC_CLK_TCK") for word in words[11:13])


def make_keys():
    os.makedirs(f"{TOP}/{KEYS}", mode=0o700, exist_ok=True)
    for cipher in TUNNELS:
        for way in "up", "down":
            key_file(f"{TOP}/{KEYS}/{cipher}-{way}", 36)


def measure(rounds, results, machines):
    """{way: [(user, system) seconds a GB, ...]}"""
    make_keys()
    pairs = [socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET) for _ in ("lan", "wan")]
    gw = Machine("gateway", [a for a, _ in pairs], results, rounds)
    machines.append(gw)
    if gw.line() != "ready":
        sys.exit(f"the gateway did not come up, see {gw.results}")
    ends = Machine("hosts", [b for _, b in pairs], results, rounds)
    machines.append(ends)
    pid = gw.kernel()
    found = {way: [] for way in WAYS}
    while len(found["flowtable"]) < rounds:
        said = ends.line()
        now = processor_time(pid)
        words = said.split("-")
        if words[0] == "begin":
            start = now
        elif words[0] == "end":
            found[list(WAYS)[int(words[2])]].append(tuple((b - a) / int(words[3]) * 1e9 for a, b in zip(start, now)))
        elif said != "set-up":
            sys.exit(f"hosts: {said}")
        ends.tell(said)
    gw.tell("done")
    plain, quick = map(int, gw.line().split())
    if quick * 10 > plain:
        sys.exit(f"the flowtable left {quick} packets to the ruleset, which saw {plain} without it")
    for machine in machines:
        if machine.vm.wait():
            sys.exit(f"a machine ended with status {machine.vm.returncode}, see {machine.results}")
    return found


def report(found):
    print("\nrelief: the gateway's processor time (s a GB, from the cloud to the device)")
    print(f"  {'':26} {'kernel':>8} {'least':>8} {'most':>8} {'cards':>8}")
    for way, rounds in found.items():
        user = [u for u, _ in rounds]
        print(f"  {way:26} {statistics.median(user):8.2f} {min(user):8.2f} {max(user):8.2f} {statistics.median(s for _, s in rounds):8.2f}")
    words = []
    print("\nratios")
    for cipher in TUNNELS:
        tunnel = found[f"tunnel {cipher}"]
        for way, goal in GOALS.items():
            for what, cost in ("", lambda r: r[0]), (", cards included", sum):
                value = statistics.median(map(cost, found[way])) / statistics.median(map(cost, tunnel))
                words.append(verdict(f"relief: {way} / tunnel, {cipher}{what}", value, most=goal))
    return words


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("role", nargs="?", choices=["gateway", "hosts"])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--results", default=f"{TOP}/build/results/relief")
    args = parser.parse_args()
    if args.role == "gateway":
        gateway()
    elif args.role == "hosts":
        hosts(args.rounds)
    else:
        machines = []
        try:
            found = measure(args.rounds, args.results, machines)
        finally:
            for machine in machines:
                machine.end()
        with open(f"{args.results}/relief.json", "w", encoding="utf-8") as file:
            json.dump({"bench": "relief", "seconds a GB, kernel and cards": found, "ratios": report(found)}, file, indent=1)


main()
