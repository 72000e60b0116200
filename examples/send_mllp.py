"""Send HL7 v2 files over MLLP and print the acknowledgements: python3 send_mllp.py FILE... [--to HOST:PORT]"""

from __future__ import annotations

import argparse
import socket
from pathlib import Path

START, END = b"\x0b", b"\x1c\r"


def send(line: socket.socket, message: bytes) -> bytes:
    """One message, framed; the acknowledgement without its frame."""
    line.sendall(START + message.replace(b"\r\n", b"\r").replace(b"\n", b"\r") + END)
    answer = b""
    while not answer.endswith(END):
        received = line.recv(65536)
        if not received:
            raise ConnectionError("the hub closed the connection")
        answer += received
    return answer[len(START) : -len(END)]


def main() -> None:
    """Read the command line, send, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--to", default="127.0.0.1:2575", metavar="HOST:PORT")
    given = parser.parse_args()
    host, _, port = given.to.rpartition(":")
    with socket.create_connection((host, int(port)), timeout=30) as line:
        for file in given.files:
            print(send(line, file.read_bytes()).decode().replace("\r", "\n").rstrip())


if __name__ == "__main__":
    main()
