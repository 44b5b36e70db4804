"""A wire proxy in front of PostgreSQL that cuts connections where the outcome of a commit becomes unknown.

It reads the protocol just far enough to know which bytes commit: a COMMIT in an open transaction, or a statement that
writes outside of one (a checkpoint is such a statement). Such a batch is cut *before* it reaches the server (nothing
happened) or *after* the server has answered it (it happened, and the client is never told).
"""

import asyncio
import random
import re
import struct
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import quote

BEFORE, AFTER = "before", "after"
ENCRYPTION_REQUESTS = (80877103, 80877104)  # SSL, GSSAPI: answered with no, as on a Unix socket
CANCEL_REQUEST = 80877102
WRITES = re.compile(rb"\b(INSERT|UPDATE|DELETE|MERGE)\b", re.IGNORECASE)
COMMITS = re.compile(rb"\s*(COMMIT|END)\b", re.IGNORECASE)
BATCH_ENDS = b"SQHXdcfpF"  # messages after which a client expects the server to see what it sent
ANSWER_LIMIT_SECONDS = 30.0
CHUNK = 65_536

Upstream = str | Path | tuple[str, int]


@dataclass
class CuttingProxy:
    """Forwards `127.0.0.1:port` to a server's socket file or address; a context manager with a thread of its own.

    `rate` is the part of all commits that is cut, half before and half after; `latency_seconds` is the longest of the
    random delays in front of each batch. Both may be changed at any time.
    """

    upstream: Upstream
    seed: int = 0
    rate: float = 0.0
    latency_seconds: float = 0.0
    port: int = 0
    cuts: Counter[str] = field(default_factory=Counter)
    commits: int = 0
    connections: set["_Connection"] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)
        self._planned: list[tuple[str, re.Pattern[bytes]]] = []
        self._flowing = asyncio.Event()
        self._loop = asyncio.new_event_loop()
        self._listening = threading.Event()
        self._server: asyncio.Server | None = None
        self._thread = threading.Thread(target=self._serve, name="cutting-proxy", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        self._listening.wait(10)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.cut_all()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)

    def url(self, role: str, database: str) -> str:
        """Name a database behind the proxy, in the form of DATABASE_URL."""
        return f"postgresql://{quote(role)}@127.0.0.1:{self.port}/{quote(database)}"

    def cut_next(self, side: str, matching: str = "") -> None:
        """Cut the next commit whose text (the statement, or COMMIT itself) matches a pattern, `before` or `after`."""
        self._planned.append((side, re.compile(matching.encode(), re.IGNORECASE)))

    def cut_all(self) -> None:
        """Drop every open connection at once."""
        self._call(self._abort_all)

    def pause(self) -> None:
        """Let nothing through any more, without closing anything: a network that hangs."""
        self._call(self._flowing.clear)

    def resume(self) -> None:
        """Let through what has waited since `pause`."""
        self._call(self._flowing.set)

    def decide(self, text: bytes) -> str:
        """Choose what happens to a commit: `before`, `after`, or nothing."""
        self.commits += 1
        for plan in self._planned:
            if plan[1].search(text):
                self._planned.remove(plan)
                return self._count(plan[0])
        if self.rate and self.random.random() < self.rate:
            return self._count(self.random.choice((BEFORE, AFTER)))
        return ""

    async def delay(self) -> None:
        """Wait while the proxy is paused, and for the latency."""
        await self._flowing.wait()
        if self.latency_seconds:
            await asyncio.sleep(self.random.uniform(0, self.latency_seconds))

    def _count(self, side: str) -> str:
        self.cuts[side] += 1
        return side

    def _call(self, what: Callable[[], object]) -> None:
        if self._loop.is_running():
            done = threading.Event()
            self._loop.call_soon_threadsafe(what)
            self._loop.call_soon_threadsafe(done.set)
            done.wait(10)

    def _abort_all(self) -> None:
        for connection in tuple(self.connections):
            connection.abort()

    def _serve(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._listen())
        self._loop.call_soon(self._listening.set)
        self._loop.run_forever()
        for task in asyncio.all_tasks(self._loop):
            task.cancel()
        self._loop.run_until_complete(asyncio.sleep(0))
        self._loop.close()

    async def _listen(self) -> None:
        self._flowing.set()
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            server = await _connect(self.upstream)
        except OSError:
            writer.transport.abort()
            return
        connection = _Connection(self, reader, writer, *server)
        self.connections.add(connection)
        try:
            await connection.run()
        finally:
            self.connections.discard(connection)


async def _connect(upstream: Upstream) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    if isinstance(upstream, tuple):
        return await asyncio.open_connection(*upstream)
    return await asyncio.open_unix_connection(str(upstream))


@dataclass(eq=False)
class _Connection:
    """One client's connection and the one to the server that belongs to it."""

    proxy: CuttingProxy
    client_reader: asyncio.StreamReader
    client: asyncio.StreamWriter
    server_reader: asyncio.StreamReader
    server: asyncio.StreamWriter

    def __post_init__(self) -> None:
        self.status = b"I"  # of the transaction: idle, in one, or in a failed one
        self.muted = False
        self.answered = asyncio.Event()
        self.statements: dict[bytes, bytes] = {}  # the text of each prepared statement, by name

    async def run(self) -> None:
        """Forward until one side ends or the proxy cuts."""
        down = asyncio.create_task(self._forward_answers())
        try:
            if await self._start():
                await self._forward_batches()
        except (OSError, asyncio.IncompleteReadError):
            pass  # one side has gone: so does the other
        finally:
            self.abort()
            await asyncio.gather(down, return_exceptions=True)

    def abort(self) -> None:
        """Drop both sides without a word."""
        self.client.transport.abort()
        self.server.transport.abort()

    async def _start(self) -> bool:
        while True:
            head = await self.client_reader.readexactly(8)
            length, code = struct.unpack("!ii", head)
            if code in ENCRYPTION_REQUESTS:
                self.client.write(b"N")
                continue
            await self._send(head + await self.client_reader.readexactly(length - 8))
            return bool(code != CANCEL_REQUEST)

    async def _forward_batches(self) -> None:
        batch, text = b"", b""
        while True:
            head = await self.client_reader.readexactly(5)
            kind, length = head[:1], struct.unpack("!i", head[1:])[0]
            body = await self.client_reader.readexactly(length - 4)
            batch += head + body
            text += self._text(kind, body)
            if kind in BATCH_ENDS:
                await self.proxy.delay()
                if not await self._pass(batch, text):
                    return
                batch, text = b"", b""

    def _text(self, kind: bytes, body: bytes) -> bytes:
        """Give what a message executes, remembering what is prepared."""
        if kind == b"Q":
            return body
        if kind == b"P":
            name, text = body.split(b"\0", 2)[:2]
            self.statements[name] = text
        if kind == b"B":
            return self.statements.get(body.split(b"\0", 2)[1], b"")
        return b""

    async def _pass(self, batch: bytes, text: bytes) -> bool:
        """Send a batch on, unless it commits and is to be cut; return whether the connection lives."""
        side = self.proxy.decide(text) if self._commits(text) else ""
        if side == BEFORE:
            return False
        self.muted = side == AFTER
        self.answered.clear()
        await self._send(batch)
        if self.muted:
            await asyncio.wait([asyncio.create_task(self.answered.wait())], timeout=ANSWER_LIMIT_SECONDS)
        return not self.muted

    def _commits(self, text: bytes) -> bool:
        return bool(COMMITS.match(text) if self.status == b"T" else self.status == b"I" and WRITES.search(text))

    async def _send(self, data: bytes) -> None:
        self.server.write(data)
        await self.server.drain()

    async def _forward_answers(self) -> None:
        watched = b""
        try:
            while chunk := await self.server_reader.read(CHUNK):
                if not self.muted:
                    self.client.write(chunk)
                    await self.client.drain()
                watched = self._watch(watched + chunk)
        except OSError:
            pass  # the client has gone
        finally:
            self.answered.set()
            self.abort()

    def _watch(self, data: bytes) -> bytes:
        """Note the transaction's status in each ReadyForQuery; return the bytes of a message that is not whole yet."""
        at = 0
        while len(data) - at >= 5:
            end = at + 1 + int(struct.unpack_from("!i", data, at + 1)[0])
            if end > len(data):
                break
            if data[at : at + 1] == b"Z":
                self.status = data[end - 1 : end]
                self.answered.set()
            at = end
        return data[at:]
