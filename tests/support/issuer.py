"""An OpenID Connect issuer for tests: real keys, real HTTP, on this machine."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

AUDIENCE = "daylily"

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey


class Issuer:
    """Publishes its keys and signs tokens."""

    def __init__(self) -> None:
        self.keys: dict[str, PrivateKey] = {"k1": _rsa()}
        self.fetches = 0
        self.down = False
        self.url = ""

    def rotate(self, kid: str, *, elliptic: bool = False) -> None:
        """Sign with a new key, and publish that one alone."""
        self.keys = {kid: ec.generate_private_key(ec.SECP256R1()) if elliptic else _rsa()}

    def token(self, *, kid: str = "", key: PrivateKey | None = None, **claims: Any) -> str:
        """A good token, but for what `claims` say; a claim of None is left out."""
        name = kid or next(iter(self.keys))
        signing = key or self.keys[name]
        content = {
            "iss": self.url,
            "aud": AUDIENCE,
            "sub": "ada",
            "exp": int(time.time()) + 300,
            "daylily_role": "operator",
            **claims,
        }
        given = {claim: value for claim, value in content.items() if value is not None}
        algorithm = "RS256" if isinstance(signing, rsa.RSAPrivateKey) else "ES256"
        return jwt.encode(given, signing, algorithm=algorithm, headers={"kid": name})

    def document(self, path: str) -> dict[str, Any] | None:
        """What is published at a path."""
        if path == "/.well-known/openid-configuration":
            return {"issuer": self.url, "jwks_uri": f"{self.url}/keys"}
        if path == "/keys":
            self.fetches += 1
            return {"keys": [_published(kid, key) for kid, key in self.keys.items()]}
        return None


def _rsa() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def _published(kid: str, key: PrivateKey) -> dict[str, Any]:
    if isinstance(key, rsa.RSAPrivateKey):
        found = RSAAlgorithm.to_jwk(key.public_key(), as_dict=True)
    else:
        found = ECAlgorithm.to_jwk(key.public_key(), as_dict=True)
    return {**found, "kid": kid, "use": "sig"}


@contextmanager
def issuing() -> Iterator[Issuer]:
    """An issuer that serves."""
    issuer = Issuer()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found = None if issuer.down else issuer.document(self.path)
            body = json.dumps(found or {}).encode()
            self.send_response(200 if found else 503)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    issuer.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield issuer
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


__all__ = ["AUDIENCE", "Issuer", "issuing"]
