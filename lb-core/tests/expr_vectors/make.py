#!/usr/bin/env python3
"""Evaluates expressions with a running HAProxy and prints `expression<TAB>result` lines.

Usage: HAPROXY=/usr/sbin/haproxy ./make.py < expressions.txt > haproxy-3.4.tsv

The result is the value in hexadecimal as `hex` prints it (integers as eight bytes), or `-` where
nothing is found. Variables `txn.a` (the string abc) and `txn.n` (the integer 3) are set before.
"""
import os
import socket
import subprocess
import sys
import tempfile
import time

PORT = int(os.environ.get("PORT", "18999"))


def config(expressions):
    lines = ["defaults", "  mode http", "  timeout client 5s", "  timeout server 5s", "  timeout connect 5s"]
    lines += ["frontend f", f"  bind 127.0.0.1:{PORT}"]
    lines += ["  http-request set-var(txn.a) str(abc)", "  http-request set-var(txn.n) int(3)"]
    for number, text in enumerate(expressions):
        quoted = text.replace("\\", "\\\\").replace('"', '\\"').replace("$", "\\$")
        where = f"if {{ path /{number} }}"
        lines.append(f'  http-request set-var(txn.r{number}) "{quoted}" {where}')
        found = f"{where} {{ var(txn.r{number}) -m found }}"
        lines.append(
            f'  http-request return status 200 content-type text/plain lf-string "%[var(txn.r{number}),hex]" {found}'
        )
        lines.append(f"  http-request return status 404 content-type text/plain string none {where}")
    return "\n".join(lines) + "\n"


def ask(number):
    with socket.create_connection(("127.0.0.1", PORT)) as connection:
        connection.sendall(f"GET /{number} HTTP/1.0\r\nHost: x\r\n\r\n".encode())
        answer = b""
        while block := connection.recv(65536):
            answer += block
    head, _, body = answer.partition(b"\r\n\r\n")
    return body.decode() if b" 200 " in head.split(b"\r\n")[0] else "-"


def main():
    expressions = [line.rstrip("\n") for line in sys.stdin if line.strip() and not line.startswith("#")]
    with tempfile.NamedTemporaryFile("w", suffix=".cfg") as file:
        file.write(config(expressions))
        file.flush()
        process = subprocess.Popen([os.environ.get("HAPROXY", "haproxy"), "-f", file.name, "-db"])
        try:
            time.sleep(1)
            for number, text in enumerate(expressions):
                print(f"{text}\t{ask(number)}")
        finally:
            process.terminate()
            process.wait()


main()
