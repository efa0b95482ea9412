#!/usr/bin/env python3
"""Adverts every 10 ms on a processor that two fully loaded proxies share, for as long as you like.

    benches/vrrp_hour.py --program target/release/lb [--seconds 3600] [--core 1] [--failovers 5]

Two nodes in network namespaces, version 3, an advert every 10 ms; each runs the balancer as well, and `wrk` keeps both busy.
Everything runs on one core. Nothing may change its state meanwhile; at the end the master's processes are frozen and its link
is cut, and the other node must hold the address within 50 ms. Printed are the changes of state, the longest pause between two
adverts of the master on the wire, the load, and each failover. Exit status: 0 if all of it is as it has to be. Needs root,
iproute2 and wrk.
"""

import argparse
import ctypes
import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time

ADDRESS = "10.0.10.200"
SO_TIMESTAMPNS = 35
LIBC = ctypes.CDLL(None, use_errno=True)
HAPROXY = """global
 nbthread 1
defaults
 mode http
 timeout client 5s
 timeout server 5s
 timeout connect 5s
frontend f
 bind :8080
 http-request return status 200 content-type text/plain string hello
"""
KEEPALIVED = """vrrp_instance V {
 version 3
 state BACKUP
 interface eth0
 virtual_router_id 7
 priority %d
 advert_int 0.01
 virtual_ipaddress {
  10.0.10.200/32
 }
}
"""


def ip(*words, check=True):
    return subprocess.run(["ip", *words], check=check, capture_output=True, text=True).stdout


def inside(namespace, work):
    """Runs `work` in a thread inside a namespace; sockets made there stay in it."""
    result = []

    def enter():
        with open(f"/run/netns/{namespace}") as handle:
            if LIBC.setns(handle.fileno(), 0x40000000):
                raise OSError(ctypes.get_errno(), "setns")
        result.append(work())

    thread = threading.Thread(target=enter)
    thread.start()
    thread.join()
    return result[0]


class Wire(threading.Thread):
    """Hears adverts in the switch: who sends them, and the longest pauses between two of the same sender."""

    def __init__(self, namespace):
        super().__init__(daemon=True)
        self.socket = inside(namespace, lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3)))
        self.socket.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 24)
        # Protocol 112 alone, and at its arrival from a node alone, not when the bridge forwards it.
        code = [(0x28, 0, 0, 12), (0x15, 0, 5, 0x800), (0x30, 0, 0, 23), (0x15, 0, 3, 112), (0x28, 0, 0, 0xfffff004),
                (0x15, 1, 0, 4), (0x6, 0, 0, 96), (0x6, 0, 0, 0)]
        packed = b"".join(struct.pack("HBBI", *line) for line in code)
        buffer = ctypes.create_string_buffer(packed)
        program = struct.pack("HL", len(code), ctypes.addressof(buffer))
        self.socket.setsockopt(socket.SOL_SOCKET, 26, program)
        self.last, self.counts, self.gaps = {}, {}, []

    def run(self):
        while True:
            frame, ancillary, _, origin = self.socket.recvmsg(96, 64)
            if origin[2] == socket.PACKET_OUTGOING or not origin[0].startswith("p"):
                continue
            stamp = next((struct.unpack("qq", data[:16]) for _, kind, data in ancillary if kind == SO_TIMESTAMPNS), None)
            now = stamp[0] + stamp[1] / 1e9 if stamp else time.time()
            source, priority = frame[29], frame[36]
            self.counts[source] = self.counts.get(source, 0) + 1
            if source in self.last:
                self.gaps.append((now - self.last[source], source, now))
                if len(self.gaps) > 20000:
                    self.gaps = sorted(self.gaps, reverse=True)[:10]
            self.last[source] = now
            if priority == 0:
                del self.last[source]

    def worst(self):
        return sorted(self.gaps, reverse=True)[:5]


class Lab:
    def __init__(self, args):
        self.args = args
        prefix = f"vh{os.getpid()}"
        self.switch, self.client = prefix + "sw", prefix + "c"
        self.nodes = [prefix + "n1", prefix + "n2"]
        self.dir = tempfile.mkdtemp(prefix="vrrp-hour")
        self.processes = []

    def build(self):
        for name in (self.switch, *self.nodes, self.client):
            ip("netns", "add", name)
            ip("-n", name, "link", "set", "lo", "up")
        ip("-n", self.switch, "link", "add", "br0", "type", "bridge")
        ip("-n", self.switch, "link", "set", "br0", "up")
        for at, name in enumerate((*self.nodes, self.client), 1):
            ip("-n", name, "link", "add", "eth0", "type", "veth", "peer", "name", f"p{at}", "netns", self.switch)
            ip("-n", self.switch, "link", "set", f"p{at}", "master", "br0", "up")
            ip("-n", name, "addr", "add", f"10.0.10.{at}/24", "dev", "eth0")
            ip("-n", name, "link", "set", "eth0", "up")

    def start(self):
        haproxy = os.path.join(self.dir, "haproxy.cfg")
        with open(haproxy, "w") as file:
            file.write(HAPROXY)
        for at, (name, priority) in enumerate(zip(self.nodes, (150, 100)), 1):
            conf = os.path.join(self.dir, f"keepalived{at}.conf")
            with open(conf, "w") as file:
                file.write(KEEPALIVED % priority)
            self.run(name, f"log{at}", self.args.program, "run", "-f", haproxy, "-k", conf, "--vrrp-socket",
                     os.path.join(self.dir, f"socket{at}"))
        for at in (1, 2):
            self.run(self.client, f"wrk{at}", "wrk", "-t1", "-c32", f"-d{self.args.seconds + 600}s",
                     f"http://10.0.10.{at}:8080/")

    def run(self, namespace, log, *words):
        with open(os.path.join(self.dir, log), "w") as out:
            self.processes.append(subprocess.Popen(
                ["ip", "netns", "exec", namespace, "taskset", "-c", str(self.args.core), *words], stdin=subprocess.DEVNULL,
                stdout=out, stderr=subprocess.STDOUT))

    def changes(self):
        """Lines of the logs about states."""
        found = []
        for at in (1, 2):
            with open(os.path.join(self.dir, f"log{at}"), errors="replace") as log:
                found += [f"n{at}: {line.strip()}" for line in log if "STATE" in line]
        return found

    def owners(self):
        return [at for at, name in enumerate(self.nodes, 1) if ADDRESS in ip("-n", name, "-4", "addr")]

    def pids(self, namespace):
        return [int(pid) for pid in ip("netns", "pids", namespace, check=False).split()]

    def busy(self):
        """Processor time used so far, by name of process."""
        used = {}
        for namespace in (*self.nodes, self.client):
            for pid in self.pids(namespace):
                try:
                    with open(f"/proc/{pid}/stat") as stat:
                        name, _, rest = stat.read().partition("(")[2].rpartition(")")
                    fields = rest.split()
                    used[name] = used.get(name, 0) + (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
                except OSError:
                    pass
        return used

    def failover(self):
        """Milliseconds from the death of node 1 to the address on node 2; then everything is as before."""
        monitor = inside(self.nodes[1], watch_addresses)
        frozen = self.pids(self.nodes[0])
        begin = time.time()
        for pid in frozen:
            os.kill(pid, signal.SIGSTOP)
        ip("-n", self.switch, "link", "set", "p1", "down")
        monitor.settimeout(10)
        while True:
            message = monitor.recv(65536)
            if socket.inet_aton(ADDRESS) in message and message[4:6] == struct.pack("H", 20):
                break
        took = (time.time() - begin) * 1000
        monitor.close()
        ip("-n", self.switch, "link", "set", "p1", "up")
        for pid in frozen:
            os.kill(pid, signal.SIGCONT)
        deadline = time.time() + 20
        while self.owners() != [1] and time.time() < deadline:
            time.sleep(0.2)
        time.sleep(1)
        return took

    def remove(self):
        for name in (*self.nodes, self.client, self.switch):
            for pid in self.pids(name):
                try:
                    os.kill(pid, signal.SIGKILL)
                except OSError:
                    pass
        for process in self.processes:
            process.kill()
            process.wait()
        for name in (*self.nodes, self.client, self.switch):
            ip("netns", "del", name, check=False)
        shutil.rmtree(self.dir, ignore_errors=True)


def watch_addresses():
    """A socket that hears of new IPv4 addresses."""
    monitor = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)
    monitor.bind((0, 0x10))
    return monitor


def measure(lab, args):
    lab.build()
    wire = Wire(lab.switch)
    lab.start()
    time.sleep(6)
    wire.start()
    if lab.owners() != [1]:
        print(f"node 1 should hold the address, owners are {lab.owners()}: {lab.changes()}")
        return 1
    known, used, begin = len(lab.changes()), lab.busy(), time.time()
    print(f"begin, one owner: node 1; {args.seconds} s on processor {args.core}", flush=True)
    told = 0
    while (left := begin + args.seconds - time.time()) > 0:
        time.sleep(min(left, 5))
        if news := lab.changes()[known + told:]:
            told += len(news)
            print(f"after {time.time() - begin:.0f} s: " + "; ".join(news), flush=True)
    seconds = time.time() - begin
    share = {name: 100 * (cpu - used.get(name, 0)) / seconds for name, cpu in lab.busy().items()}
    print(f"changes of state in {seconds:.0f} s: {told}; owners now: {lab.owners()}")
    print("adverts heard: " + ", ".join(f"node {s}: {n}" for s, n in sorted(wire.counts.items())))
    print("longest pauses between two adverts: "
          + ", ".join(f"{gap * 1000:.1f} ms (node {source}, at {at - begin:.0f} s)" for gap, source, at in wire.worst()))
    print("processor: " + ", ".join(f"{name} {percent:.0f}%" for name, percent in sorted(share.items()) if percent >= 1))
    times = [lab.failover() for _ in range(args.failovers)]
    print("failovers: " + ", ".join(f"{took:.1f} ms" for took in times))
    return int(told > 0 or any(took >= 50 for took in times))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--program", required=True, help="the lb to measure, an optimised build")
    parser.add_argument("--seconds", type=int, default=3600)
    parser.add_argument("--core", type=int, default=1, help="the processor everything runs on")
    parser.add_argument("--failovers", type=int, default=5)
    args = parser.parse_args()
    args.program = os.path.abspath(args.program)
    lab = Lab(args)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        return measure(lab, args)
    finally:
        lab.remove()


if __name__ == "__main__":
    sys.exit(main())
