"""The other files of a server, made up: configuration with secrets, certificates with keys, plugins, licences."""

from __future__ import annotations

import random
import zipfile
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from helpers.backups import SILENT
from neokeep.capture.backup import back_up
from neokeep.capture.options import CaptureOptions
from neokeep.repository.contents import server_file_list
from neokeep.repository.reader import BlockReader

if TYPE_CHECKING:
    from pathlib import Path

    from helpers.database import Synthetic
    from neokeep.reports import BackupInfo
    from neokeep.repository.manifest import ServerFile
    from neokeep.repository.repository import Repository

SECRETS = (b"hunter2-of-the-key", b"the-ldap-password", b"changeit-please", b"jdbc-topsecret")
CONF = """# Settings of a test
server.directories.plugins=plugins
dbms.ssl.policy.bolt.enabled=true
dbms.ssl.policy.bolt.base_directory=certificates/bolt
dbms.ssl.policy.bolt.private_key_password=hunter2-of-the-key
#dbms.security.ldap.authorization.system_password=the-ldap-password
server.jvm.additional=-XX:+UseG1GC
server.jvm.additional=-Djavax.net.ssl.keyStorePassword=changeit-please
server.bolt.listen_address=:7687
"""
APOC = "apoc.jdbc.shop.url=jdbc:mysql://u:jdbc-topsecret@h/db\napoc.import.file.enabled=true\n"


def certificate(name: str = "db1.example.com", days: float = 400) -> tuple[bytes, bytes]:
    """A self-signed certificate and its key, both PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    now = datetime.now(UTC)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=500))
        .not_valid_after(now + timedelta(days=days))
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return made.public_bytes(serialization.Encoding.PEM), private


def put(home: Path, path: str, content: bytes | str, mode: int = 0o640) -> Path:
    target = home / path
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(content.encode() if isinstance(content, str) else content)
    target.chmod(mode)
    return target


def put_plugin(home: Path, name: str = "apoc-5.26.0-core.jar", version: str = "5.26.0", size: int = 300_000) -> Path:
    target = home / "plugins" / name
    target.parent.mkdir(exist_ok=True)
    with zipfile.ZipFile(target, "w") as jar:
        jar.writestr(
            "META-INF/MANIFEST.MF",
            f"Manifest-Version: 1.0\r\nImplementation-Title: APOC\r\nImplementation-Version: {version}\r\n\r\n",
        )
        jar.writestr("data.bin", random.Random(version).randbytes(size))
    return target


def furnish(home: Path, *, days: float = 400) -> None:
    """Put such files into a home; the certificates end after so many days."""
    public, private = certificate(days=days)
    put(home, "conf/neo4j.conf", CONF)
    put(home, "conf/apoc.conf", APOC)
    put(home, "conf/server-logs.xml", "<Configuration/>\n", 0o644)
    put(home, "certificates/bolt/public.crt", public, 0o644)
    put(home, "certificates/bolt/private.key", private, 0o600)
    put(home, "certificates/bolt/trusted/ca.crt", certificate("ca")[0])
    put(home, "licenses/gds.license", "a licence\n")
    put_plugin(home)


def take(made: Synthetic, repository: Repository, *, type: str = "full", server_files: str = "config") -> BackupInfo:  # noqa: A002
    """Back up with the server's other files."""
    options = CaptureOptions(type=type, jobs=1, gentle=False, server_files=server_files)
    (info,) = back_up(made.source, repository, [made.database], options=options, progress=SILENT).backups
    return info


def files_in(repository: Repository, label: str) -> dict[str, ServerFile]:
    """The server's other files of a backup, by area and path."""
    found = server_file_list(BlockReader.of(repository), repository.manifest(label))
    return {f"{file.area}/{file.path}": file for file in found}


def everything_in(repository: Repository) -> bytes:
    """The content of every block that the packs of a repository hold, and every manifest."""
    reader = BlockReader.of(repository)
    blocks = [
        reader.fetch(entry["id"].tobytes(), int(entry["size"]))
        for pack in repository._known_packs()
        for entry in pack.entries
    ]
    return b"\n".join([*blocks, *(str(item).encode() for item in repository.manifests())])
