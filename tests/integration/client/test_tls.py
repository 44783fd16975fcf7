"""Encrypted connections, and servers that want to know who calls."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address

import grpc
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from daylily.state.v1 import state_pb2

from daylily_client import AsyncStateClient, StateClient, TlsFiles, Unavailable
from tests.support.scripted_server import QUICK, ScriptedServer, answers

STATE = state_pb2.DESCRIPTOR.services_by_name["StateService"]


def self_signed(folder, name):
    """A certificate that vouches for itself, as its own authority, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False
        )
        .sign(key, hashes.SHA256())
    )
    cert_file, key_file = folder / f"{name}.pem", folder / f"{name}.key"
    cert_file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    key_file.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return cert_file, key_file


@pytest.fixture
async def secured(tmp_path):
    """A server with TLS that asks for a client's certificate; and the files a client needs."""
    server_cert, server_key = self_signed(tmp_path, "server")
    client_cert, client_key = self_signed(tmp_path, "client")
    server = ScriptedServer(STATE, {"GetWorkset": [answers(state_pb2.GetWorksetResponse())]})
    await server.start(
        grpc.ssl_server_credentials(
            [(server_key.read_bytes(), server_cert.read_bytes())],
            root_certificates=client_cert.read_bytes(),
            require_client_auth=True,
        )
    )
    yield server, TlsFiles(ca=server_cert, cert=client_cert, key=client_key)
    await server.stop()


async def test_a_client_with_its_certificate_gets_in(secured):
    server, files = secured
    async with AsyncStateClient(server.address, replace(QUICK, tls=files)) as client:
        await client.get_workset(workset_id="ws-1")


@pytest.mark.parametrize("without", ["certificate", "tls"])
async def test_a_client_without_it_stays_outside(secured, without):
    server, files = secured
    tls = TlsFiles(ca=files.ca) if without == "certificate" else None
    async with AsyncStateClient(server.address, replace(QUICK, tls=tls, timeout=1)) as client:
        with pytest.raises(Unavailable):
            await client.get_workset(workset_id="ws-1")
    assert server.seen == []


def test_a_file_that_is_not_there_is_said_at_once(tmp_path):
    options = replace(QUICK, tls=TlsFiles(ca=tmp_path / "missing.pem"))
    with pytest.raises(FileNotFoundError):
        StateClient("127.0.0.1:1", options)
