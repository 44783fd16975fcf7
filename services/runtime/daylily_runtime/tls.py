"""TLS and mutual TLS from files, read again when they change.

Core asks for the certificate at each handshake, so a new one counts from the next connection on, and
connections that exist go on as they are. Files that do not fit each other are passed over: while they
are being replaced one after the other, the ones before stay in use.
"""

import ssl
from pathlib import Path
from typing import Final

import grpc
import structlog

from daylily_runtime.access.watched import signature
from daylily_runtime.settings import ServerSettings

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

_READ_TRIES: Final = 3


class TlsFilesError(Exception):
    """The files are no certificate with its key, or no authorities. Says which."""


class TlsFiles:
    """The files of one server.

    Raises:
        TlsFilesError: they cannot be used.
    """

    def __init__(self, cert: Path, key: Path, client_ca: Path | None) -> None:
        self._cert = cert
        self._key = key
        self._client_ca = client_ca
        self._seen = self._signature()
        self.first = self._read()

    def newer(self) -> grpc.ServerCertificateConfiguration | None:
        """What the files say if they changed since the last look, else None.

        Called by core in a thread of its own; it must not raise.
        """
        now = self._signature()
        if now == self._seen:
            return None
        try:
            found = self._read()
        except TlsFilesError as error:
            _log.error("tls_files_not_reloaded", error=str(error))
            return None
        finally:
            self._seen = now
        _log.info("tls_files_reloaded", certificate=str(self._cert))
        return found

    def _signature(self) -> tuple[object, ...]:
        paths = (self._cert, self._key, self._client_ca)
        return tuple(signature(path) for path in paths if path is not None)

    def _read(self) -> grpc.ServerCertificateConfiguration:
        """The files, checked as they are read: another may be written in between."""
        for _ in range(_READ_TRIES):
            before = self._signature()
            try:
                pair = (self._key.read_bytes(), self._cert.read_bytes())
                roots = self._client_ca.read_bytes() if self._client_ca else None
            except OSError as error:
                raise TlsFilesError(
                    f"{error.filename} cannot be read: {error.strerror}."
                ) from error
            check_pem(self._cert, self._key, self._client_ca)
            if self._signature() == before:
                return grpc.ssl_server_certificate_configuration([pair], root_certificates=roots)
        raise TlsFilesError(f"{self._cert} and the files beside it are being written.")


def server_credentials(settings: ServerSettings) -> grpc.ServerCredentials | None:
    """The credentials that the settings name; None without TLS.

    Raises:
        TlsFilesError: the files cannot be used.
    """
    if settings.tls_cert is None or settings.tls_key is None:
        return None
    files = TlsFiles(settings.tls_cert, settings.tls_key, settings.tls_client_ca)
    return grpc.dynamic_ssl_server_credentials(
        files.first,
        files.newer,  # type: ignore[arg-type]  # None stands for no change, as core's docs say
        require_client_authentication=settings.tls_client_ca is not None,
    )


def check_pem(cert: Path, key: Path, client_ca: Path | None) -> None:
    """Let Python's ssl read the files first: core says no more than that it cannot bind.

    Raises:
        TlsFilesError: they cannot be used.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.load_cert_chain(cert, key, password="")  # an empty one, so that nobody is asked
    except (OSError, ValueError) as error:
        raise TlsFilesError(
            f"DAYLILY_TLS_CERT {cert} and DAYLILY_TLS_KEY {key} are no certificate with its key, "
            f"in PEM and without a passphrase: {error}."
        ) from error
    try:
        if client_ca is not None:
            context.load_verify_locations(client_ca)
    except (OSError, ValueError) as error:
        raise TlsFilesError(
            f"DAYLILY_TLS_CLIENT_CA {client_ca} holds no certificates in PEM: {error}."
        ) from error
