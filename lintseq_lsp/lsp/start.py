"""Starts the server: its arguments, and one client over standard streams or a loopback socket."""

import argparse
import asyncio
import contextlib
import ipaddress
import logging
import os
import sys
import threading
from collections.abc import Sequence

from pygls.io_ import StdoutWriter

from lintseq_lsp.errors import SettingsError
from lintseq_lsp.lsp.server import Server

_log = logging.getLogger(__name__)

_LEVELS = ("debug", "info", "warning", "error")


def serve(arguments: Sequence[str]) -> int:
    """The server as `arguments` want it; returns the exit status."""
    parser = argparse.ArgumentParser(prog="lintseq-lsp", description="Serves an editor until it says exit.")
    way = parser.add_mutually_exclusive_group()
    way.add_argument("--stdio", action="store_true", help="over standard input and output (the default)")
    way.add_argument("--tcp", metavar="HOST:PORT", help="over a loopback socket, for one client (debugging)")
    parser.add_argument("--log-level", choices=_LEVELS, default="warning", help="what goes to standard error")
    parser.add_argument("--clientProcessId", help=argparse.SUPPRESS)  # VS Code's; `initialize` says it, too
    chosen = parser.parse_args(arguments)
    try:
        return _serve(parser, chosen)
    except KeyboardInterrupt:
        return 130


def _serve(parser: argparse.ArgumentParser, chosen: argparse.Namespace) -> int:
    if chosen.tcp is None:
        return serve_stdio(log_level=chosen.log_level)
    host, _, port = chosen.tcp.rpartition(":")
    if not port.isdecimal() or not 0 <= int(port) < 65536:
        parser.error("--tcp takes HOST:PORT")
    try:
        return serve_tcp(host.strip("[]"), int(port), log_level=chosen.log_level)
    except (SettingsError, OSError) as error:
        parser.error(str(error))


def serve_stdio(*, log_level: str = "warning") -> int:
    """Serves the client at the other end of standard input and output; returns the exit status."""
    log_to_stderr(log_level)
    incoming, outgoing = take_descriptors()

    async def main() -> int:
        stream = asyncio.StreamReader()
        loop = asyncio.get_running_loop()
        threading.Thread(target=_feed, args=(incoming, stream, loop), name="stdin", daemon=True).start()
        return await Server().serve(stream, StdoutWriter(os.fdopen(outgoing, "wb")))

    return asyncio.run(main())


def serve_tcp(host: str, port: int, *, log_level: str = "warning") -> int:
    """Serves one client that connects to a loopback address. Raises `SettingsError` for any other."""
    log_to_stderr(log_level)
    address = loopback(host)

    async def main() -> int:
        connected = asyncio.get_running_loop().create_future()

        def on_connect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            if connected.done():
                writer.close()
            else:
                connected.set_result((reader, writer))

        listener = await asyncio.start_server(on_connect, address, port)
        _log.warning("listening on %s:%d", *listener.sockets[0].getsockname()[:2])
        reader, writer = await connected
        listener.close()
        try:
            return await Server().serve(reader, writer)
        finally:
            writer.close()

    return asyncio.run(main())


def loopback(host: str) -> str:
    """The address to listen on. Raises `SettingsError` unless other machines cannot reach it."""
    if host == "localhost":
        return "127.0.0.1"
    try:
        if ipaddress.ip_address(host).is_loopback:
            return host
    except ValueError:
        pass
    raise SettingsError(
        f"{host} is not a loopback address: anyone who reaches the port could read and edit your files"
    )


def log_to_stderr(level: str) -> None:
    logging.basicConfig(
        stream=sys.stderr, level=level.upper(), format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    if level != "debug":
        logging.getLogger("pygls").setLevel(logging.CRITICAL)  # it logs whole messages as information


def take_descriptors() -> tuple[int, int]:
    """Descriptors of our own for the protocol's input and output.

    What else writes to descriptor 1, llama.cpp for one, writes to standard error from now on; children
    inherit neither of the two, and find an empty standard input. One that is closed counts as empty.
    """
    for descriptor in (0, 1, 2):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free
    incoming, outgoing = os.dup(0), os.dup(1)
    os.dup2(2, 1)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    if sys.platform == "win32":
        import msvcrt

        for descriptor in (incoming, outgoing):
            msvcrt.setmode(descriptor, os.O_BINARY)
    return incoming, outgoing


def _feed(descriptor: int, stream: asyncio.StreamReader, loop: asyncio.AbstractEventLoop) -> None:
    """Reads in a thread of its own, which nothing else can keep waiting."""
    try:
        with contextlib.suppress(OSError):  # a broken input is at its end
            while chunk := os.read(descriptor, 1 << 16):
                loop.call_soon_threadsafe(stream.feed_data, chunk)
        loop.call_soon_threadsafe(stream.feed_eof)
    except RuntimeError:
        _log.debug("input came after the end")
