"""An HTTP proxy that stands before a store and fails on demand.

It forwards every request to one upstream (DynamoDB Local, moto, S3 of moto) until it is told to do
otherwise: a fault is a function of the exchange, for all requests or those of one operation, a number
of times or as long as a block lasts.

    with run_faulty_proxy(dynamodb_local.endpoint_url) as proxy:
        proxy.once(drop_answer, operation="TransactWriteItems")
        with proxy.away():
            ...
"""

import http.client
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Protocol
from urllib.parse import urlsplit

_NOT_FORWARDED = {"connection", "content-length", "host", "keep-alive", "transfer-encoding"}


@dataclass(frozen=True)
class Answer:
    """What the upstream said, or what is said in its place."""

    status: int
    headers: dict[str, str]
    body: bytes


@dataclass
class Exchange:
    """One request on its way. A fault forwards it, or answers, or does neither: then it is cut off."""

    operation: str
    path: str
    method: str
    headers: dict[str, str]
    body: bytes
    _upstream: str
    answer: Answer | None = None

    def forward(self) -> Answer:
        """The upstream's answer, kept to be sent back."""
        upstream = urlsplit(self._upstream)
        connection = http.client.HTTPConnection(upstream.hostname or "", upstream.port, timeout=60)
        try:
            connection.request(self.method, self.path, self.body, self.headers)
            response = connection.getresponse()
            headers = {
                name: value
                for name, value in response.getheaders()
                if name.lower() not in _NOT_FORWARDED
            }
            self.answer = Answer(response.status, headers, response.read())
        finally:
            connection.close()
        return self.answer


Fault = Callable[[Exchange], None]


class Watcher(Protocol):
    """Gets every request with what is to be done with it, and has to do that."""

    def __call__(self, exchange: Exchange, /, go_on: Fault) -> None: ...


def pass_on(exchange: Exchange) -> None:
    """No fault."""
    exchange.forward()


def drop_answer(exchange: Exchange) -> None:
    """The request takes effect; the connection breaks before the answer."""
    exchange.forward()
    exchange.answer = None


def drop_request(exchange: Exchange) -> None:
    """The connection breaks before the request takes effect; the client cannot tell."""


def delay(seconds: float) -> Fault:
    """The request takes effect so much later."""

    def fault(exchange: Exchange) -> None:
        time.sleep(seconds)
        exchange.forward()

    return fault


def hold(gate: threading.Event) -> Fault:
    """The request takes effect when the gate is opened."""

    def fault(exchange: Exchange) -> None:
        gate.wait(60)
        exchange.forward()

    return fault


def answer(status: int, code: str, message: str = "said the proxy") -> Fault:
    """DynamoDB's error of this code comes back; the request takes no effect."""

    def fault(exchange: Exchange) -> None:
        body = {"__type": f"com.amazonaws.dynamodb.v20120810#{code}", "message": message}
        exchange.answer = Answer(
            status, {"Content-Type": "application/x-amz-json-1.0"}, json.dumps(body).encode()
        )

    return fault


throttle = answer(400, "ProvisionedThroughputExceededException")
server_error = answer(500, "InternalServerError")


@dataclass
class _Rule:
    fault: Fault
    operation: str | None
    times: int | None

    def takes(self, operation: str) -> bool:
        return self.times != 0 and self.operation in {None, operation}


@dataclass
class FaultyProxy:
    """A running proxy. `operations` are the requests that reached it, in order."""

    upstream: str
    operations: list[str] = field(default_factory=list)
    _rules: list[_Rule] = field(default_factory=list)
    _watchers: list[Watcher] = field(default_factory=list)
    _changing: threading.Lock = field(default_factory=threading.Lock)
    _server: "_ProxyServer | None" = None
    _port: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    def once(self, fault: Fault, *, operation: str | None = None, times: int = 1) -> None:
        """The next `times` requests of the operation (None: of any) meet the fault."""
        with self._changing:
            self._rules.append(_Rule(fault, operation, times))

    @contextmanager
    def always(self, fault: Fault, *, operation: str | None = None) -> Iterator[None]:
        """Every request of the operation inside the block meets the fault."""
        rule = _Rule(fault, operation, None)
        with self._changing:
            self._rules.append(rule)
        try:
            yield
        finally:
            with self._changing:
                self._rules.remove(rule)

    @contextmanager
    def watched(self, watcher: Watcher) -> Iterator[None]:
        """Every request inside the block goes through the watcher, whatever else is wrong."""
        with self._changing:
            self._watchers.append(watcher)
        try:
            yield
        finally:
            with self._changing:
                self._watchers.remove(watcher)

    @contextmanager
    def away(self) -> Iterator[None]:
        """Connections are refused inside the block, and those that are open break."""
        self.stop()
        try:
            yield
        finally:
            self.start()

    def fault_for(self, operation: str) -> Fault:
        """What is to be done with a request that has come."""
        with self._changing:
            self.operations.append(operation)
            fault = self._ruled(operation)
            for watcher in self._watchers:
                fault = partial(watcher, go_on=fault)
        return fault

    def _ruled(self, operation: str) -> Fault:
        for rule in self._rules:
            if rule.takes(operation):
                if rule.times is not None:
                    rule.times -= 1
                return rule.fault
        return pass_on

    def start(self) -> None:
        self._server = _ProxyServer(self, self._port)
        self._port = self._server.server_port
        threading.Thread(
            target=self._server.serve_forever, args=(0.02,), name="proxy", daemon=True
        ).start()

    def stop(self) -> None:
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server.cut_off_all()
            self._server = None


@contextmanager
def run_faulty_proxy(upstream: str) -> Iterator[FaultyProxy]:
    """A proxy before `upstream` (a base URL), without faults at first."""
    proxy = FaultyProxy(upstream)
    proxy.start()
    try:
        yield proxy
    finally:
        proxy.stop()


class _ProxyServer(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, proxy: FaultyProxy, port: int) -> None:
        self.proxy = proxy
        self._open: set[socket.socket] = set()
        super().__init__(("127.0.0.1", port), _Handler)

    def process_request(
        self, request: socket.socket | tuple[bytes, socket.socket], client_address: object
    ) -> None:
        assert isinstance(request, socket.socket)
        self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: socket.socket | tuple[bytes, socket.socket]) -> None:
        assert isinstance(request, socket.socket)
        self._open.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: object, client_address: object) -> None:
        """Clients that give up are what this is for."""

    def cut_off_all(self) -> None:
        for connection in list(self._open):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # Head and body go in two sends: the second would wait 40 ms for the first to be acknowledged.
    disable_nagle_algorithm = True
    server: _ProxyServer

    def _exchange(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        exchange = Exchange(
            operation=self.headers.get("X-Amz-Target", "").rpartition(".")[2],
            path=self.path,
            method=self.command,
            headers={
                name: value
                for name, value in self.headers.items()
                if name.lower() not in _NOT_FORWARDED
            },
            body=self.rfile.read(length),
            _upstream=self.server.proxy.upstream,
        )
        self.server.proxy.fault_for(exchange.operation)(exchange)
        if exchange.answer is None:
            self.close_connection = True
            return
        self.send_response_only(exchange.answer.status)
        for name, value in exchange.answer.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(exchange.answer.body)))
        self.end_headers()
        self.wfile.write(exchange.answer.body)

    do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = _exchange  # noqa: N815 — http.server's names
