#!/usr/bin/env python3
"""How long programs take to check a large haproxy.cfg, and how much memory: 1,000 backends of 20 servers, 100,000 map entries.

usage: benches/check_speed.py [--runs N] NAME=COMMAND...

A command checks the file whose name stands for `{}`; the last one is what the others are compared with:

    benches/check_speed.py 'lb=target/release/lb check -f {}' 'haproxy=haproxy -c -f {}'

Runs are interleaved; what is printed is the median of CPU time (user and system) and the largest resident size of a run.
"""
import argparse, os, shlex, statistics, sys, tempfile

PROXIES, SERVERS, ENTRIES = 1000, 20, 100_000


def write(directory):
    """The file and its map; answers the file's name."""
    table = os.path.join(directory, "hosts.map")
    with open(table, "w") as out:
        for i in range(ENTRIES):
            out.write(f"host{i:06d}.example.com be{i % PROXIES}\n")
    name = os.path.join(directory, "large.cfg")
    with open(name, "w") as out:
        out.write("global\n    maxconn 5000\ndefaults\n    mode http\n")
        out.write("    timeout connect 5s\n    timeout client 60s\n    timeout server 60s\n")
        out.write("frontend fe\n    bind 127.0.0.1:8000\n")
        out.write(f"    use_backend %[req.hdr(host),lower,map_str({table},be0)] if {{ path_beg /map }}\n")
        for i in range(PROXIES):
            out.write(f"    use_backend be{i} if {{ hdr(host) -i www{i}.example.com }}\n")
        for i in range(PROXIES):
            out.write(f"backend be{i}\n    balance roundrobin\n    option httpchk GET /health\n")
            for j in range(SERVERS):
                out.write(f"    server s{j} 10.{j}.{i // 250}.{i % 250 + 1}:80 weight 10 check inter 5s\n")
    return name


def run(command, name):
    """CPU seconds and megabytes of one run."""
    words = [word.replace("{}", name) for word in shlex.split(command)]
    null = os.open(os.devnull, os.O_RDWR)
    actions = [(os.POSIX_SPAWN_DUP2, null, fd) for fd in (0, 1, 2)]
    pid = os.posix_spawnp(words[0], words, os.environ, file_actions=actions)
    _, status, usage = os.wait4(pid, 0)
    os.close(null)
    if os.waitstatus_to_exitcode(status) != 0:
        sys.exit(f"`{command}` fails with status {os.waitstatus_to_exitcode(status)}")
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("commands", nargs="+", metavar="NAME=COMMAND")
    args = parser.parse_args()
    commands = dict(command.split("=", 1) for command in args.commands)
    results = {name: [] for name in commands}
    with tempfile.TemporaryDirectory() as directory:
        file = write(directory)
        for _ in range(args.runs):
            for name, command in commands.items():
                results[name].append(run(command, file))
    middle = {n: (statistics.median(r[0] for r in rs), max(r[1] for r in rs)) for n, rs in results.items()}
    reference = middle[list(commands)[-1]]
    print(f"{'':12s} {'CPU ms':>8s} {'MB':>8s} {'CPU x':>8s} {'MB x':>8s}")
    for name, (cpu, size) in middle.items():
        print(f"{name:12s} {cpu * 1000:8.0f} {size:8.1f} {cpu / reference[0]:8.2f} {size / reference[1]:8.2f}")


if __name__ == "__main__":
    main()
