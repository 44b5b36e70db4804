"""The sandbox process: evaluates jq texts that reach it over one socket, with nothing else within reach.

Run as `python -I sandbox_worker.py MEMORY_MIB` with the socket as standard input and an empty environment. After the
imports it may not open a file, write one, start a process or use more memory than given; a crash or an abort ends only
this process, and so does an alarm when it has used up its processor time. It imports nothing of the project.

Request:  operation, program length, document length, limit in ms; program; document.  Answer: status, length; text.
"""

import functools
import os
import resource
import signal
import struct
import sys
from typing import Any

import jq

CHANNEL = 0
REQUEST = struct.Struct("<cIII")
ANSWER = struct.Struct("<cI")
COMPILE = b"c"
VALUE, FAILURE, MISFORMED = b"v", b"e", b"m"
LARGEST_RESULT = 1 << 20


def confine(memory_mib: int) -> None:
    """Give up every resource that evaluating does not need, for good."""
    limits = {
        resource.RLIMIT_AS: memory_mib << 20,
        resource.RLIMIT_NOFILE: 0,
        resource.RLIMIT_FSIZE: 0,
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_NPROC: 0,
    }
    for which, limit in limits.items():
        resource.setrlimit(which, (limit, limit))
    # Ctrl-C goes to the whole process group; the parent still needs answers while it drains.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGPROF, signal.SIG_DFL)


@functools.lru_cache(1024)
def compiled(program: str) -> Any:
    return jq.compile(program)


def answer(operation: bytes, program: str, document: str) -> tuple[bytes, str]:
    """Return a status, and the outputs as the text of one JSON array or what went wrong."""
    try:
        ready = compiled(program)
    except ValueError as error:
        return MISFORMED, str(error)
    if operation == COMPILE:
        return VALUE, "[]"
    try:
        return outputs(iter(ready.input_text(document)))
    except ValueError as error:
        return FAILURE, str(error)


def outputs(found: Any) -> tuple[bytes, str]:
    """Join the outputs, each of them JSON text already."""
    texts, size = [], 0
    for text in found:
        if not isinstance(text, str):
            return FAILURE, "the program does not write its outputs as text"
        size += len(text) + 1
        if size > LARGEST_RESULT:
            return FAILURE, f"the result is larger than {LARGEST_RESULT} bytes"
        texts.append(text)
    return VALUE, f"[{','.join(texts)}]"


def receive(count: int) -> bytes:
    """Read exactly `count` bytes; leave when the parent is gone."""
    parts = []
    while count:
        part = os.read(CHANNEL, min(count, 1 << 16))
        if not part:
            os._exit(0)
        parts.append(part)
        count -= len(part)
    return b"".join(parts)


def send(status: bytes, text: str) -> None:
    body = text.encode(errors="replace")
    rest = memoryview(ANSWER.pack(status, len(body)) + body)
    while rest:
        rest = rest[os.write(CHANNEL, rest) :]


def serve() -> None:
    """Answer requests until the parent closes the socket."""
    send(VALUE, "")
    while True:
        operation, program_size, document_size, limit_ms = REQUEST.unpack(receive(REQUEST.size))
        program, document = receive(program_size).decode(), receive(document_size).decode()
        signal.setitimer(signal.ITIMER_PROF, limit_ms / 1000)
        try:
            status, text = answer(operation, program, document)
        except MemoryError:
            os._exit(1)
        signal.setitimer(signal.ITIMER_PROF, 0)
        send(status, text)


if __name__ == "__main__":
    confine(int(sys.argv[1]))
    serve()
