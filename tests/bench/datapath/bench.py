#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""bench: the datapath beside what one would use instead, in one run on one kernel. `make bench`.

Each peer has two hosts of its own, all of them there at once, so that rounds can take turns:

    NAME-a 192.0.2.1 ──────────── veth ──────────── 192.0.2.2 NAME-b
    inner 10.9.0.1                                  inner 10.8.0.1

plain is the same without any tunnel (inner addresses routed), fou and gre encapsulate and do not encrypt. Everything is bound to
one processor. What a packet or an octet costs is processor time of the kernel where that can be told (User-mode Linux, clock/),
so that a busy machine does not count, else time. Prints tables of medians and spreads, and ratios; figures go to
/results/datapath.json.

    bench.py [--rounds N] [--seconds S] [--only SCENARIO[,SCENARIO]] [--peers NAME[,NAME]] [--tunnels N]

With --peers only these take part, and nothing is judged.
"""
import argparse
import base64
import json
import os
import statistics
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.realpath(__file__))
TOP = os.path.realpath(f"{HERE}/../../..")
TOOL = f"{TOP}/build/userspace/bench/datapath"
HOLDER = f"{TOP}/tests/selftests/encap_hold.py"
TMP = "/run/bench"
CLOCK = "/proc/bench_clock"
RATE, STREAM = "one TCP stream, rate", "one TCP stream, cost"
UDP = {"UDP, 64 octets": 64, "UDP, 1400 octets": 1400}
UDP_TURNS = 4  # short ones, in each round
A, B = "10.9.0.1", "10.8.0.1"
GCM, CHACHA = "aes-gcm-256", "chacha20-poly1305"
XFRM = {GCM: "rfc4106(gcm(aes))", CHACHA: "rfc7539esp(chacha20,poly1305)"}


def run(command, **kw):
    words = command.split() if isinstance(command, str) else command
    done = subprocess.run(words, check=False, capture_output=True, text=True, **kw)
    if done.returncode:
        sys.exit(f"{' '.join(words)}: status {done.returncode}: {done.stderr or done.stdout}")
    return done.stdout


def batch(netns, lines):
    run(["ip", "-n", netns, "-batch", "-"], input=lines)


def key_file(name, octets):
    path = os.path.join(TMP, name)
    with open(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600), "wb") as file:
        file.write(os.urandom(octets))
    return path


class Peer:
    """Two hosts and what is between them; connect() is what differs."""

    kind = None  # of link it needs

    def __init__(self, name):
        self.name = name
        self.a, self.b = f"{name}-a", f"{name}-b"

    def links(self):
        for netns in self.a, self.b:
            run(f"ip netns add {netns}")
        batch(self.a, f"""link set lo up
            link add wan type veth peer name wan netns {self.b}
            addr add 192.0.2.1/24 dev wan
            link set wan up
            addr add {A}/32 dev lo""")
        batch(self.b, f"""link set lo up
            addr add 192.0.2.2/24 dev wan
            link set wan up
            addr add {B}/32 dev lo""")

    def set_up(self):
        self.links()
        self.connect()
        subprocess.Popen(["ip", "netns", "exec", self.b, "iperf3", "-s", "-B", B], stdout=subprocess.DEVNULL)
        run(f"ip netns exec {self.a} ping -c 1 -W 10 -I {A} {B}")

    def connect(self):
        self.routes("via 192.0.2.2", "via 192.0.2.1")

    def routes(self, to_b, to_a):
        run(f"ip -n {self.a} route add {B} {to_b} src {A}")
        run(f"ip -n {self.b} route add {A} {to_a} src {B}")


class Fou(Peer):
    kind = "ipip"

    def connect(self):
        for netns, own, other in (self.a, 1, 2), (self.b, 2, 1):
            run(f"ip -n {netns} fou add port 5555 ipproto 4")
            batch(netns, f"""link add t0 type ipip local 192.0.2.{own} remote 192.0.2.{other} ttl 64 encap fou """
                  """encap-sport 5555 encap-dport 5555
                link set t0 up""")
        self.routes("dev t0", "dev t0")


class Gre(Peer):
    kind = "gre"

    def connect(self):
        for netns, own, other in (self.a, 1, 2), (self.b, 2, 1):
            batch(netns, f"""link add t0 type gre local 192.0.2.{own} remote 192.0.2.{other} ttl 64
                link set t0 up""")
        self.routes("dev t0", "dev t0")


class WireGuard(Peer):
    def connect(self):
        public = {}
        for netns in self.a, self.b:
            private = run("wg genkey")
            with open(os.open(f"{TMP}/{netns}", os.O_WRONLY | os.O_CREAT, 0o600), "w", encoding="ascii") as file:
                file.write(private)
            public[netns] = run("wg pubkey", input=private).strip()
            run(f"ip -n {netns} link add wg0 type wireguard")
        for netns, other, inner, outer in (self.a, self.b, B, 2), (self.b, self.a, A, 1):
            run(f"ip netns exec {netns} wg set wg0 listen-port 51820 private-key {TMP}/{netns} peer {public[other]} "
                f"allowed-ips {inner}/32 endpoint 192.0.2.{outer}:51820")
            run(f"ip -n {netns} link set wg0 up")
        self.routes("dev wg0", "dev wg0")


class Xfrm(Peer):
    def __init__(self, name, cipher):
        super().__init__(name)
        self.cipher = cipher

    def connect(self):
        self.routes("via 192.0.2.2", "via 192.0.2.1")
        keys = [os.urandom(36).hex(), os.urandom(36).hex()]
        for netns in self.a, self.b:
            states = "".join(
                f"xfrm state add src 192.0.2.{src} dst 192.0.2.{3 - src} proto esp spi {0x1000 + src} reqid 1 mode tunnel "
                f"replay-window 64 flag af-unspec aead {XFRM[self.cipher]} 0x{keys[src - 1]} 128 encap espinudp 4500 4500 0.0.0.0\n"
                for src in (1, 2))
            near, far, own = (A, B, 1) if netns == self.a else (B, A, 2)
            batch(netns, states +
                  f"xfrm policy add dir out src {near}/32 dst {far}/32 tmpl src 192.0.2.{own} dst 192.0.2.{3 - own} proto esp reqid 1 mode tunnel\n"
                  f"xfrm policy add dir in src {far}/32 dst {near}/32 tmpl src 192.0.2.{3 - own} dst 192.0.2.{own} proto esp reqid 1 mode tunnel\n")
            holder = subprocess.Popen(["ip", "netns", "exec", netns, "python3", "-u", HOLDER, "4500"], stdout=subprocess.PIPE, text=True)
            if "ready" not in holder.stdout.readline():
                sys.exit(f"{netns}: nobody holds the port of xfrm's capsules")


class Shunt(Peer):
    def __init__(self, name, cipher):
        super().__init__(name)
        self.cipher = cipher

    def connect(self):
        up, down = key_file(f"{self.name}-up", 36), key_file(f"{self.name}-down", 36)
        ends = ((self.a, "near", 0x1001, 0x2001, down, up, "endpoint 192.0.2.2:4500"), (self.b, "far", 0x2001, 0x1001, up, down, ""))
        for netns, side, spi_in, spi_out, key_in, key_out, endpoint in reversed(ends):
            batch(netns, "link add shunt0 type shunt\nlink set shunt0 up\n")
            run(f"shunt -n {netns} tunnel add dev shunt0 side {side} spi-in {spi_in} spi-out {spi_out} cipher {self.cipher} "
                f"key-in file:{key_in} key-out file:{key_out} near {A} far {B} {endpoint}")
        self.routes("dev shunt0", "dev shunt0")


class Spread(Shunt):
    """Many tunnels between the two: from B to as many near addresses, all of which are A's in its LAN."""

    def __init__(self, name, n):
        super().__init__(name, CHACHA)
        self.n = n

    def set_up(self):
        self.links()
        keys = {way: key_file(f"{self.name}-{way}", 36) for way in ("up", "down")}
        near, far = [], []
        for i in range(self.n):
            host = f"{(i + 1) // 256}.{(i + 1) % 256}"
            near.append(f"tunnel add dev shunt0 side near spi-in {0x100000 + i} spi-out {0x200000 + i} cipher {CHACHA} key-in file:{keys['down']} "
                        f"key-out file:{keys['up']} near 10.64.{host} far {B} host {A} alias 10.65.{host} endpoint 192.0.2.2:4500\n")
            far.append(f"tunnel add dev shunt0 side far spi-in {0x200000 + i} spi-out {0x100000 + i} cipher {CHACHA} key-in file:{keys['up']} "
                       f"key-out file:{keys['down']} near 10.64.{host} far {B}\n")
        for netns, lines in (self.b, far), (self.a, near):
            batch(netns, "link add shunt0 type shunt\nlink set shunt0 up\n")
            run(["shunt", "-n", netns, "-batch", "-"], input="".join(lines))
        run(f"ip -n {self.b} route add 10.64.0.0/16 dev shunt0 src {B}")
        run(f"ip -n {self.a} route add 10.65.0.0/16 dev shunt0 src {A}")
        while any(line.split()[2] == "-" for line in run(f"shunt -n {self.b} -br tunnel show").splitlines()):
            time.sleep(0.1)  # the near side's first packets tell where it is

    def flood(self, size, count, spread):
        """Nanoseconds per packet, over so many of the tunnels."""
        return flood(self.b, self.a, "10.64.0.1", size, count, spread)


def peers():
    return [Peer("plain"), Fou("fou"), Gre("gre"), Shunt("shunt-chacha", CHACHA), WireGuard("wireguard"),
            Xfrm("xfrm-chacha", CHACHA), Shunt("shunt-gcm", GCM), Xfrm("xfrm-gcm", GCM)]


# ---- scenarios: each takes a peer ----

def load_clock():
    subprocess.run(["insmod", f"{TOP}/build/tests/bench/datapath/clock/{os.uname().release}/clock.ko"], check=False, capture_output=True)


def processor():
    """Nanoseconds of processor time that the kernel has used, or of time where it cannot tell."""
    try:
        with open(CLOCK, encoding="ascii") as file:
            return int(file.read())
    except FileNotFoundError:
        return time.monotonic_ns()


def iperf(peer, *words):
    """Nanoseconds, octets, bit/s."""
    start = processor()
    out = json.loads(run(["ip", "netns", "exec", peer.a, "iperf3", "-J", "-c", B, "-B", A, *words]))
    took = processor() - start
    return took, sum(i["sum"]["bytes"] for i in out["intervals"]), out["end"]["sum_received"]["bits_per_second"]


def stream(peer, seconds, start):
    """One TCP stream, bit/s and nanoseconds per 1,000 octets; @start is what starting the program takes."""
    took, octets, rate = iperf(peer, "-t", str(seconds))
    return rate, (took - start) / octets * 1000


def flood(sender, receiver, to, size, count, spread=1):
    """Nanoseconds per packet, both ends and all in between."""
    out = json.loads(run([TOOL, "flood", sender, receiver, to, str(size), str(count), str(spread)]))
    if out["lost"] * 100 > out["packets"]:
        sys.exit(f"{sender} to {receiver}: {out['lost']} of {out['packets']} packets lost")
    return out.get("processor", out["seconds"]) / out["packets"] * 1e9


def packets(peer, size, count):
    return flood(peer.a, peer.b, B, size, count)


class Figures:
    """What was measured: figures[scenario][peer] is a list, one entry a round."""

    def __init__(self):
        self.all = {}

    def add(self, scenario, peer, value):
        self.all.setdefault(scenario, {}).setdefault(peer, []).append(value)

    def median(self, scenario, peer):
        return statistics.median(self.all[scenario][peer])

    def ratio(self, scenario, peer, other, less=0):
        """The middle of the rounds' own ratios, each without what is in both."""
        return statistics.median((a - less) / (b - less) for a, b in zip(self.all[scenario][peer], self.all[scenario][other]))

    def table(self, scenario, unit, scale):
        print(f"\n{scenario} ({unit})\n  {'':14} {'median':>9} {'least':>9} {'most':>9}")
        for peer, values in self.all[scenario].items():
            print(f"  {peer:14} {statistics.median(values) / scale:9.2f} {min(values) / scale:9.2f} {max(values) / scale:9.2f}")


def cipher_alone():
    """Nanoseconds to encrypt and decrypt once, {(name, size): ns}."""
    subprocess.run(["insmod", f"{TOP}/build/tests/bench/datapath/cipher/{os.uname().release}/cipher.ko"], check=False, capture_output=True)
    found = {}
    for line in run("dmesg").splitlines():
        words = line.split("cipher: ")
        if len(words) == 2:
            name, size, ns = words[1].split()
            found[name, int(size)] = int(ns)
    return found


def has_link(kind):
    """Whether this kernel has such links."""
    found = subprocess.run(["ip", "link", "add", "probe0", "type", kind, *(("local", "192.0.2.1") if kind in ("ipip", "gre") else ())],
                           check=False, capture_output=True)
    subprocess.run(["ip", "link", "del", "probe0"], check=False, capture_output=True)
    return not found.returncode


def measure(figures, args):
    everyone = []
    for peer in peers():
        if args.peers and peer.name not in args.peers:
            continue
        if peer.kind and not has_link(peer.kind):
            print(f"{peer.name}: left out, this kernel has no {peer.kind} links")
            continue
        peer.set_up()
        everyone.append(peer)
    start = min(iperf(everyone[0], "-n", "1K")[0] for _ in range(3))
    for turn in range(args.rounds):
        if "stream" in args.only:
            for peer in everyone:
                rate, cost = stream(peer, args.seconds, start)
                figures.add(RATE, peer.name, rate)
                figures.add(STREAM, peer.name, cost)
        if "packets" in args.only:
            for _ in range(UDP_TURNS):
                for scenario, size in UDP.items():
                    for peer in everyone:
                        figures.add(scenario, peer.name, packets(peer, size, args.packets))
        print(f"round {turn + 1} of {args.rounds}", file=sys.stderr)
    return {peer.name: peer for peer in everyone}


# ---- many tunnels ----

def spread(figures, args):
    many = Spread("spread", args.tunnels)
    many.set_up()
    for _ in range(2 * args.rounds):
        for scenario, size in UDP.items():
            figures.add(f"{scenario}, shunt", "one tunnel", many.flood(size, 2 * args.tunnels, 1))
            figures.add(f"{scenario}, shunt", f"{args.tunnels} tunnels", many.flood(size, 2 * args.tunnels, args.tunnels))
    for netns in many.a, many.b:
        run(f"ip netns del {netns}")


def used_memory():
    with open("/proc/sys/vm/drop_caches", "w", encoding="ascii") as file:
        file.write("3")
    with open("/proc/meminfo", encoding="ascii") as file:
        info = {line.split(":")[0]: int(line.split()[1]) for line in file}
    return (info["MemTotal"] - info["MemFree"]) * 1024


def settled_memory():
    """A namespace that was deleted is taken apart behind our back: until nothing is given back any more."""
    before = used_memory()
    while True:
        time.sleep(0.3)
        now = used_memory()
        if now > before - 100000:
            return now
        before = now


def timed(command, **kw):
    start = time.monotonic()
    run(command, **kw)
    return time.monotonic() - start


def listed(command):
    """How long a list takes that nobody reads; the least of seven, as starting a program is much of it."""
    best = float("inf")
    for _ in range(7):
        start = time.monotonic()
        subprocess.run(command.split(), check=True, stdout=subprocess.DEVNULL)
        best = min(best, time.monotonic() - start)
    return best


def many_shunt(figures, n):
    run("ip netns add many")
    batch("many", "link set lo up\nlink add shunt0 type shunt\nlink set shunt0 up\n")
    show = "shunt -n many -br tunnel show dev shunt0"
    whole = "shunt -n many -j tunnel show dev shunt0"
    empty = listed(show)
    before = settled_memory()
    figures.add("create", "shunt", json.loads(run([TOOL, "create", "many", "shunt0", str(n)]))["seconds"])
    figures.add("memory", "shunt", (used_memory() - before) / n)
    figures.add("dump", "shunt", listed(show) - empty)
    figures.add("dump", "all of it, JSON", listed(whole) - empty)
    run("ip netns del many")


def many_wireguard(figures, n):
    run("ip netns add many")
    batch("many", "link add wg0 type wireguard\nlink set wg0 up\n")
    show = "ip netns exec many wg show all dump"
    empty = listed(show)
    private = run("wg genkey")
    conf = f"[Interface]\nPrivateKey = {private}" + "".join(
        f"[Peer]\nPublicKey = {base64.b64encode(os.urandom(32)).decode()}\nAllowedIPs = 10.9.{i // 256}.{i % 256}/32\n"
        for i in range(n))
    with open(os.open(f"{TMP}/many", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="ascii") as file:
        file.write(conf)
    before = settled_memory()
    figures.add("create", "wireguard", timed(f"ip netns exec many wg setconf wg0 {TMP}/many"))
    figures.add("memory", "wireguard", (used_memory() - before) / n)
    figures.add("dump", "wireguard", listed(show) - empty)
    run("ip netns del many")


def many_xfrm(figures, n):
    run("ip netns add many")
    show = "ip -n many -s xfrm state"
    empty = listed(show)
    lines = []
    for i in range(n):
        inner = f"10.9.{i // 256}.{i % 256}"
        for src, dst, way, spi in ("192.0.2.1", "192.0.2.2", "out", 0x100000 + i), ("192.0.2.2", "192.0.2.1", "in", 0x200000 + i):
            lines.append(f"xfrm state add src {src} dst {dst} proto esp spi {spi} reqid {i + 1} mode tunnel aead {XFRM[CHACHA]} "
                         f"0x{os.urandom(36).hex()} 128 encap espinudp 4500 4500 0.0.0.0\n")
            ends = f"src 10.8.0.1/32 dst {inner}/32" if way == "out" else f"src {inner}/32 dst 10.8.0.1/32"
            lines.append(f"xfrm policy add dir {way} {ends} tmpl src {src} dst {dst} proto esp reqid {i + 1} mode tunnel\n")
    text = "".join(lines)
    before = settled_memory()
    figures.add("create", "xfrm", timed("ip -n many -batch -", input=text))
    figures.add("memory", "xfrm", (used_memory() - before) / n)
    figures.add("dump", "xfrm", listed(show) - empty)
    run("ip netns del many")


# ---- the words ----

def verdict(what, value, least=None, most=None):
    goal = f">= {least}" if least is not None else f"<= {most}"
    holds = value >= least if least is not None else value <= most
    print(f"  {what:66} {value:6.2f}   goal {goal:8} {'met' if holds else 'MISSED'}")
    return {"what": what, "value": round(value, 3), "goal": goal, "met": holds}


def judge(figures, cipher, args):
    words = []
    print("\nratios")
    if "stream" in args.only:
        for name, own, other in (CHACHA, "shunt-chacha", "wireguard"), (CHACHA, "shunt-chacha", "xfrm-chacha"), (GCM, "shunt-gcm", "xfrm-gcm"):
            words.append(verdict(f"TCP, {name}: cost of {other} / shunt", figures.ratio(STREAM, other, own), 1.3))
            print(f"  {'  the same by rate':66} {figures.ratio(RATE, own, other):6.2f}")
    if "packets" in args.only:
        for scenario, size in UDP.items():
            alone = cipher.get((CHACHA, size + 32), 0)  # headers, trailer
            words.append(verdict(f"{scenario}, beyond the cipher ({alone} ns): shunt / wireguard",
                                 figures.ratio(scenario, "shunt-chacha", "wireguard", alone), most=0.5))
            plain = figures.median(scenario, "plain")
            print(f"  {f'  and beyond plain routing ({plain:.0f} ns)':66} "
                  f"{figures.ratio(scenario, 'shunt-chacha', 'wireguard', alone + plain):6.2f}")
    if "spread" in args.only:
        small, large = (figures.ratio(f"{scenario}, shunt", "one tunnel", f"{args.tunnels} tunnels") for scenario in UDP)
        words.append(verdict(f"throughput of {args.tunnels} tunnels / of one, 1400 octets", large, 0.95))
        print(f"  {'  64 octets':66} {small:6.2f}")
    if "many" in args.only:
        for what, other in ("create", "wireguard"), ("create", "xfrm"):
            words.append(verdict(f"rate of creation: shunt / {other}", figures.median(what, other) / figures.median(what, "shunt"), 2))
        words.append(verdict("memory of a tunnel: shunt / wireguard", figures.median("memory", "shunt") / figures.median("memory", "wireguard"), most=1))
        words.append(verdict("time of a dump: shunt / wireguard", figures.median("dump", "shunt") / figures.median("dump", "wireguard"), most=1))
    return words


def page(figures, args):
    """What Documentation/performance.md has a table of, in its form."""
    rows = []
    if "stream" in args.only:
        for cipher, name, others in (CHACHA, "chacha", ["wireguard", "xfrm-chacha", "plain"]), (GCM, "gcm", [None, "xfrm-gcm", None]):
            rows.append((f"one TCP stream, {cipher} (Mbit/s)", RATE, 1e6, 0, [f"shunt-{name}", *others]))
            rows.append((f"one TCP stream, {cipher} (us a KB)", STREAM, 1e3, 2, [f"shunt-{name}", *others]))
    if "packets" in args.only:
        rows += [(f"{scenario}, {CHACHA} (us)", scenario, 1e3, 2, ["shunt-chacha", "wireguard", "xfrm-chacha", "plain"]) for scenario in UDP]
    if "many" in args.only:
        rows += [(f"{args.tunnels} tunnels created (s)", "create", 1, 2, ["shunt", "wireguard", "xfrm", None]),
                 (f"memory of one, {CHACHA} (octets)", "memory", 1, 0, ["shunt", "wireguard", "xfrm", None]),
                 (f"{args.tunnels} listed (ms)", "dump", 1e-3, 0, ["shunt", "wireguard", "xfrm", None])]
    print("\n| | shunt | WireGuard | xfrm espinudp | plain |\n|---|---|---|---|---|")
    for what, scenario, scale, digits, names in rows:
        cells = []
        for name in names:
            values = figures.all[scenario].get(name, []) if name else []
            form = f"{{:,.{digits}f}}"
            cells.append("{} ({} to {})".format(*(form.format(f(values) / scale) for f in (statistics.median, min, max))) if values else "")
        print(f"| {what} | {' | '.join(cells)} |")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=int, default=2)
    parser.add_argument("--packets", type=int, default=8000)
    parser.add_argument("--tunnels", type=int, default=10000)
    parser.add_argument("--only", default="stream,packets,spread,many")
    parser.add_argument("--peers", type=lambda names: names.split(","))
    args = parser.parse_args()
    args.only = args.only.split(",")
    os.sched_setaffinity(0, {0})
    os.makedirs(TMP, mode=0o700, exist_ok=True)
    figures = Figures()
    load_clock()
    cipher = cipher_alone()
    print("the ciphers alone, encryption and decryption (ns)")
    for (name, size), ns in cipher.items():
        print(f"  {name:24} {size:5} octets {ns:8}")
    if {"stream", "packets"} & set(args.only):
        measure(figures, args)
        if "stream" in args.only:
            figures.table(RATE, "Mbit/s", 1e6)
            figures.table(STREAM, "us a KB", 1e3)
        if "packets" in args.only:
            for scenario in UDP:
                figures.table(scenario, "us a packet", 1e3)
    if "spread" in args.only:
        spread(figures, args)
        for scenario in UDP:
            figures.table(f"{scenario}, shunt", "us a packet", 1e3)
    if "many" in args.only:
        for _ in range(args.rounds if args.rounds < 3 else 3):
            many_shunt(figures, args.tunnels)
            many_wireguard(figures, args.tunnels)
            many_xfrm(figures, args.tunnels // 10)
        for what in "create", "dump":  # of a tenth as many
            figures.all[what]["xfrm"] = [t * 10 for t in figures.all[what]["xfrm"]]
        figures.table("create", f"s for {args.tunnels}", 1)
        figures.table("memory", "octets each", 1)
        figures.table("dump", f"ms for {args.tunnels}, without that of none", 1e-3)
    words = []
    if not args.peers:
        page(figures, args)
        words = judge(figures, cipher, args)
    with open("/results/datapath.json", "w", encoding="utf-8") as file:
        json.dump({"bench": "datapath", "kernel": os.uname().release, "cipher": {f"{n} {s}": v for (n, s), v in cipher.items()},
                   "figures": figures.all, "ratios": words}, file, indent=1)


if __name__ == "__main__":
    main()
