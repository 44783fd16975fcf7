"""Where the notifier delivers to: an SNS of one call, which keeps what was published."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs

TOPIC = "arn:aws:sns:us-east-1:123456789012:chaos"
CHANNEL = "topic"
CONFIG = """
channels:
  {channel}:
    kind: sns
    topic_arn: {topic}
    endpoint_url: {url}
    digest: 5s
    retry: {{first: 1s, longest: 2s}}
routes:
  - match: {{event: [completed, failed, lock_timeout, retry_scheduled]}}
    channels: {channel}
"""


@dataclass
class Sink:
    """The bodies of what arrived."""

    url: str = ""
    arrived: list[str] = field(default_factory=list)

    def config(self) -> str:
        return CONFIG.format(channel=CHANNEL, topic=TOPIC, url=self.url)


class _Server(ThreadingHTTPServer):
    def handle_error(self, request: object, client_address: object) -> None:
        """A notifier that was killed hears no answer."""


@contextmanager
def run_sink() -> Iterator[Sink]:
    sink = Sink()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
            sink.arrived.append(body)
            answer = (
                '<PublishResponse xmlns="http://sns.amazonaws.com/doc/2010-03-31/"><PublishResult>'
                f"<MessageId>{len(sink.arrived)}</MessageId></PublishResult><ResponseMetadata>"
                "<RequestId>r</RequestId></ResponseMetadata></PublishResponse>"
            ).encode()
            self.send_response(200)
            self.send_header("Content-Type", "text/xml")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: object) -> None:
            pass

    server = _Server(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    sink.url = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield sink
    finally:
        server.shutdown()
        server.server_close()


def field_of(body: str, name: str) -> str:
    """One form field of a Publish request, empty if it is not there."""
    return parse_qs(body).get(name, [""])[0]
