#!/usr/bin/env python3
"""Records which servers a running HAProxy chooses.

    record.py /path/to/haproxy > haproxy-<version>.txt

One HAProxy process plays the proxy under test and its own servers: every case is a `listen` section on a unix socket
whose response names the server that was chosen. One thread, so that turns are deterministic. Nothing of HAProxy is
copied; the file records observed behaviour only.

Lines of the output, separated by tabs:
    case NAME                   a new case, with a balancer in its initial state
    algorithm WORDS             as in a configuration
    hash WORDS                  as in a configuration; absent without `hash-type`
    option allbackups
    server NAME ID WEIGHT FLAGS ADDRESS KEY
    pick KEY... SERVER          what was asked and who answered; KEY is `-` or KIND VALUE
    weight SERVER WEIGHT        a change at run time, absolute
    down SERVER / up SERVER     maintenance at run time
"""
import os, re, socket, subprocess, sys, tempfile, time

URIS = (
    ["/", "/a", "/ab", "/abc", "/index.html", "/index.html?x=1", "/?x=1", "/a/b/c/d/e", "/a/b?c=/d/e", "//", "/%20"]
    + [f"/img/{n}.png" for n in range(20)]
    + [f"/api/v1/users/{n * 7919}?page={n}" for n in range(12)]
    + ["http://www.example.com/abs/path?q", "/" + "x" * 200]
)
HEADERS = ["a", "b", "abc", "user-1", "user-2", "user-3", "42", "0123456789" * 5] + [f"k{n}" for n in range(24)]
HOSTS = ["haproxy.1wt.eu", "www.example.com", "example.com", "localhost", "a.b.c.d.example.org", "10.0.0.1",
         "www.example.com:8080", "x.y", "one.two.three", "static.cdn.example.net"]
V4 = ["10.0.0.%d" % n for n in range(1, 13)] + ["192.168.%d.77" % n for n in range(0, 250, 50)] + ["1.2.3.4", "255.0.0.1"]
V6 = ["2001:db8::%x" % n for n in range(1, 9)] + ["fe80::1", "2001:db8:1:2:3:4:5:6", "::ffff:10.0.0.1"]
NUMBERS = ["0", "1", "2", "7", "4294967295", "4294967296", "-1", "12abc", "99999999999", "x"]
FUNCTIONS = ["sdbm", "djb2", "wt6", "crc32"]


class Case:
    def __init__(self, name, algorithm, weights, hash_type=None, steps=(), backups=(), all_backups=False, ids=None,
                 server_words="", addresses=None):
        self.name, self.algorithm, self.hash_type = name, algorithm, hash_type
        self.weights, self.steps, self.backups, self.all_backups = weights, list(steps), set(backups), all_backups
        self.ids = ids or list(range(1, len(weights) + 1))
        self.server_words, self.addresses = server_words, addresses

    def names(self):
        return [chr(ord("a") + n) for n in range(len(self.weights))]

    def config(self, socket_path, port):
        lines = [f"listen {self.name}", f"  bind unix@{socket_path} accept-proxy", f"  balance {self.algorithm}"]
        if self.hash_type:
            lines.append(f"  hash-type {self.hash_type}")
        if self.all_backups:
            lines.append("  option allbackups")
        lines.append("  http-response set-header x-server %[srv_name]")
        for n, (name, weight, ident) in enumerate(zip(self.names(), self.weights, self.ids)):
            address = self.addresses[n] if self.addresses else "127.0.0.1"
            flags = " backup" if name in self.backups else ""
            lines.append(f"  server {name} {address}:{port} weight {weight} id {ident}{flags} {self.server_words}")
        return "\n".join(lines) + "\n"


def picks(kind, values):
    return [("pick", kind, value) for value in values]


def turns(count):
    return [("pick", "-", "")] * count


def cases(modern):
    yield Case("rr-equal", "roundrobin", [1, 1, 1], steps=turns(9))
    yield Case("rr-321", "roundrobin", [3, 2, 1], steps=turns(24))
    yield Case("rr-511", "roundrobin", [5, 1, 1], steps=turns(28))
    yield Case("rr-wide", "roundrobin", [256, 100, 37, 9, 1], steps=turns(420))
    yield Case("rr-long", "roundrobin", [11, 15, 18], steps=turns(900))
    yield Case("rr-many", "roundrobin", [(n * 7) % 13 + 1 for n in range(20)], steps=turns(600))
    yield Case("rr-changes", "roundrobin", [3, 2, 1], steps=(
        turns(7) + [("weight", "c", 10)] + turns(30) + [("weight", "a", 1)] + turns(20) + [("down", "b", 0)] + turns(15)
        + [("up", "b", 0)] + turns(30) + [("weight", "a", 0)] + turns(10) + [("weight", "a", 3)] + turns(30)))
    yield Case("rr-storm", "roundrobin", [10, 20, 30, 40], steps=(
        turns(11) + [("down", "a", 0), ("down", "d", 0)] + turns(13) + [("up", "d", 0)] + turns(17) + [("weight", "d", 1)]
        + turns(50) + [("up", "a", 0), ("weight", "b", 100)] + turns(120)))
    yield Case("rr-backup", "roundrobin", [1, 1, 2, 1], backups="cd", steps=(
        turns(3) + [("down", "a", 0), ("down", "b", 0)] + turns(4) + [("down", "c", 0)] + turns(3) + [("up", "c", 0)]
        + turns(3) + [("up", "b", 0)] + turns(3)))
    yield Case("rr-allbackups", "roundrobin", [1, 1, 2, 1], backups="cd", all_backups=True, steps=(
        turns(3) + [("down", "a", 0), ("down", "b", 0)] + turns(9)))
    yield Case("static-321", "static-rr", [3, 2, 1], steps=turns(13))
    yield Case("static-wide", "static-rr", [12, 7, 5, 1], steps=(
        turns(30) + [("down", "a", 0)] + turns(20) + [("up", "a", 0)] + turns(30)))
    yield Case("static-gcd", "static-rr", [30, 20, 10], steps=turns(12))
    yield Case("first", "first", [1, 1, 1], ids=[30, 10, 20], steps=turns(2) + [("down", "b", 0)] + turns(2))
    if not modern:
        # Since 3.2 equal loads are shuffled.
        yield Case("lc", "leastconn", [1, 1, 1], steps=turns(7))
    for function in FUNCTIONS:
        for method in ("map-based", "consistent"):
            for modifier in ("", " avalanche"):
                name = f"uri-{method}-{function}{modifier.replace(' ', '-')}"
                yield Case(name, "uri", [3, 2, 1, 4], f"{method} {function}{modifier}", picks("uri", URIS))
    yield Case("uri-default", "uri", [1, 1, 1], None, picks("uri", URIS))
    yield Case("uri-consistent", "uri", [1, 1, 1, 1, 1], "consistent", picks("uri", URIS))
    yield Case("uri-ids", "uri", [1, 1, 1], "consistent", picks("uri", URIS), ids=[101, 7, 65000])
    yield Case("uri-whole", "uri whole", [1, 1, 1], None, picks("uri", URIS))
    yield Case("uri-len", "uri len 6", [1, 1, 1], None, picks("uri", URIS))
    yield Case("uri-depth", "uri depth 2", [1, 1, 1], None, picks("uri", URIS))
    yield Case("uri-both", "uri len 9 depth 1 whole", [1, 1, 1], None, picks("uri", URIS))
    yield Case("uri-path", "uri path-only", [1, 1, 1], None, picks("uri", URIS))
    yield Case("uri-map-changes", "uri", [3, 2, 1], None, (
        picks("uri", URIS) + [("down", "b", 0)] + picks("uri", URIS) + [("up", "b", 0)] + picks("uri", URIS)))
    yield Case("uri-ring-changes", "uri", [3, 2, 1], "consistent", (
        picks("uri", URIS) + [("weight", "c", 20)] + picks("uri", URIS) + [("down", "a", 0)] + picks("uri", URIS)
        + [("weight", "b", 1), ("up", "a", 0)] + picks("uri", URIS)))
    for method in ("map-based", "consistent", "map-based sdbm avalanche", "consistent djb2"):
        name = "source-" + method.replace(" ", "-")
        yield Case(name, "source", [3, 2, 1], method, picks("source", V4) + picks("source", V6))
    for method in ("map-based", "consistent"):
        yield Case(f"hdr-{method}", "hdr(x-key)", [2, 1, 1], method, picks("hdr", HEADERS) + turns(40))
        yield Case(f"host-{method}", "hdr(host) use_domain_only", [1, 1, 1], method, picks("host", HOSTS))
        params = [f"/p?id={k}" for k in HEADERS] + ["/p?x=1&id=z&y=2", "/p?id=", "/p?idx=1", "/p?id"]
        yield Case(f"param-{method}", "url_param id", [1, 2, 1], method, picks("param", params))
        yield Case(f"expr-{method}", "hash req.hdr(x-key)", [1, 2, 1], method, picks("hdr", HEADERS))
    if modern:
        yield Case("none-map", "hash req.hdr(x-key)", [1, 1, 1], "map-based none", picks("hdr", NUMBERS))
        yield Case("none-ring", "hash req.hdr(x-key)", [1, 1, 1], "consistent none", picks("hdr", NUMBERS))
        loop = ["127.0.0.1", "127.0.0.2", "127.1.2.3"]
        for key in ("addr", "addr-port", "id32"):
            yield Case(f"key-{key}", "uri", [1, 1, 1], "consistent", picks("uri", URIS), ids=[5, 6, 7],
                       server_words=f"hash-key {key}", addresses=loop)
        yield Case("key-guid", "uri", [1], "consistent", picks("uri", URIS[:3]))


def ask(path, kind, value, uri="/", source="10.9.8.7"):
    headers = []
    if kind in ("uri", "param"):
        uri = value
    elif kind == "hdr":
        headers.append(f"x-key: {value}")
    elif kind == "source":
        source = value
    host = value if kind == "host" else ("www.example.com" if uri.startswith("http:") else "h")
    family = "TCP6" if ":" in source else "TCP4"
    here = "::1" if family == "TCP6" else "127.0.0.1"
    request = "\r\n".join([f"PROXY {family} {source} {here} 1 2", f"GET {uri} HTTP/1.1", f"host: {host}",
                           "connection: close"] + headers) + "\r\n\r\n"
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(5)
        s.connect(path)
        s.sendall(request.encode())
        answer = b""
        while chunk := s.recv(65536):
            answer += chunk
    found = re.search(rb"x-server: (\S+)", answer, re.I)
    return found.group(1).decode() if found else "-"


def command(path, text):
    with socket.socket(socket.AF_UNIX) as s:
        s.connect(path)
        s.sendall(text.encode() + b"\n")
        answer = b""
        while chunk := s.recv(65536):
            answer += chunk
    if answer.strip():
        sys.exit(f"{text}: {answer.decode().strip()}")


def main():
    haproxy = sys.argv[1]
    version = re.search(r"version (\d+\.\d+\.\d+)", subprocess.run([haproxy, "-v"], capture_output=True, text=True).stdout)[1]
    modern = tuple(map(int, version.split("."))) >= (3, 2, 0)
    with socket.socket() as s:
        s.bind(("", 0))
        port = s.getsockname()[1]
    with tempfile.TemporaryDirectory() as home:
        ctl = f"{home}/ctl"
        everything = list(cases(modern))
        with open(f"{home}/cfg", "w") as cfg:
            cfg.write(f"global\n  nbthread 1\n  stats socket {ctl} level admin\n"
                      "defaults\n  mode http\n  timeout client 5s\n  timeout server 5s\n  timeout connect 5s\n"
                      f"listen servers\n  bind 0.0.0.0:{port}\n  http-request return status 200\n")
            for case in everything:
                cfg.write(case.config(f"{home}/{case.name}", port))
        process = subprocess.Popen([haproxy, "-db", "-f", f"{home}/cfg"], stderr=subprocess.PIPE, text=True)
        try:
            deadline = time.time() + 10
            while not os.path.exists(ctl):
                if process.poll() is not None or time.time() > deadline:
                    sys.exit(process.stderr.read())
                time.sleep(0.05)
            time.sleep(0.3)
            print(f"# Recorded from HAProxy {version} by record.py.")
            for case in everything:
                record(case, home, ctl, port)
        finally:
            process.terminate()
            process.wait()


def record(case, home, ctl, port):
    print(f"case\t{case.name}\nalgorithm\t{case.algorithm}")
    if case.hash_type:
        print(f"hash\t{case.hash_type}")
    if case.all_backups:
        print("option\tallbackups")
    key = case.server_words.split()[-1] if case.server_words else "id"
    for n, name in enumerate(case.names()):
        address = f"{case.addresses[n] if case.addresses else '127.0.0.1'}:{port}"
        flag = "backup" if name in case.backups else "active"
        print(f"server\t{name}\t{case.ids[n]}\t{case.weights[n]}\t{flag}\t{address}\t{key}")
    for verb, a, b in case.steps:
        if verb == "pick":
            server = ask(f"{home}/{case.name}", a, b)
            print("\t".join(["pick"] + ([a, b] if a != "-" else ["-"]) + [server]))
            continue
        target = f"{case.name}/{a}"
        if verb == "weight":
            command(ctl, f"set server {target} weight {b}")
            print(f"weight\t{a}\t{b}")
        else:
            command(ctl, f"set server {target} state {'maint' if verb == 'down' else 'ready'}")
            print(f"{verb}\t{a}")


main()
