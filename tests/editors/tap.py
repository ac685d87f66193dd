"""Stands between an editor and the server, and writes down what goes over the wire.

    python tap.py LOG COMMAND…

LOG gets one JSON object a line, `{"at": seconds, "from": "client" | "server", "message": …}`, before
the other side has the message, and first `{"pid": …}` of the server. Bytes are passed on as they come.
"""

import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import IO


def main(log: Path, command: list[str]) -> int:
    server = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert server.stdin is not None
    assert server.stdout is not None
    with log.open("a", encoding="utf-8") as file:
        lock = threading.Lock()

        def write(entry: dict[str, object]) -> None:
            with lock:
                file.write(json.dumps({"at": time.time(), **entry}) + "\n")
                file.flush()

        def copy(source: int, target: IO[bytes], name: str) -> None:
            unread = b""
            while chunk := os.read(source, 1 << 16):
                unread += chunk
                while (frame := _frame(unread)) is not None:
                    body, unread = frame
                    write({"from": name, "message": json.loads(body)})
                try:
                    target.write(chunk)
                    target.flush()
                except OSError:
                    return  # the other side is gone
            target.close()

        write({"pid": server.pid})
        client = threading.Thread(target=copy, args=(0, server.stdin, "client"), daemon=True)
        answers = threading.Thread(target=copy, args=(server.stdout.fileno(), sys.stdout.buffer, "server"))
        client.start()
        answers.start()
        status = server.wait()
        answers.join()
    return status if status >= 0 else 128 - status


def _frame(data: bytes) -> tuple[bytes, bytes] | None:
    """The body of the first whole message, and what is behind it."""
    head, found, rest = data.partition(b"\r\n\r\n")
    if not found:
        return None
    length = next(
        int(line.partition(b":")[2])
        for line in head.split(b"\r\n")
        if line.lower().startswith(b"content-length")
    )
    return (rest[:length], rest[length:]) if len(rest) >= length else None


if __name__ == "__main__":
    # The client's thread may still read: nothing of it is worth waiting for.
    code = main(Path(sys.argv[1]), sys.argv[2:])
    sys.stdout.flush()
    os._exit(code)
