"""Whatever is wrong with Azure Blob is told clearly, by its kind, and never with a signature."""

from __future__ import annotations

import base64
import traceback
from typing import TYPE_CHECKING

import pytest

from helpers.canned import answering, xml_error
from neokeep.errors import AccessError, ClockError, CredentialsError, NeokeepError, SpaceError, UnreachableError
from neokeep.storage.address import parse_address
from neokeep.storage.base import TransientError
from neokeep.storage.clouds import open_bucket
from neokeep.storage.object_errors import explain
from neokeep.storage.place import StorageOptions

if TYPE_CHECKING:
    from collections.abc import Callable

    from neokeep.storage.base import Storage

SIGNATURE = "sig=bm9ib2R5IG1heSBzZWUgdGhpcw%3D%3D"

USES: tuple[Callable[[Storage], object], ...] = (
    lambda storage: storage.create("a/b", b"x"),
    lambda storage: storage.read("a/b"),
    lambda storage: storage.stat("a/b"),
    lambda storage: list(storage.list("a")),
    lambda storage: storage.prepare(),
)


def opened(container: str = "neokeep", endpoint: str | None = None) -> Storage:
    return open_bucket(parse_address(f"az://{container}/prefix"), StorageOptions(endpoint=endpoint, timeout=10))


@pytest.mark.usefixtures("container")
def test_a_wrong_key_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_KEY", base64.b64encode(b"wrong" * 12).decode())
    for use in USES:
        with pytest.raises(NeokeepError) as failure:
            use(opened())
        assert type(failure.value) in {CredentialsError, AccessError}


@pytest.mark.usefixtures("container")
def test_a_container_that_is_gone_is_told() -> None:
    for use in USES:
        with pytest.raises(UnreachableError, match="no such bucket or container") as failure:
            use(opened("gone"))
        assert not isinstance(failure.value, TransientError)


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (403, "AuthenticationFailed", CredentialsError),
        (403, "AuthorizationPermissionMismatch", AccessError),
        (404, "ContainerNotFound", UnreachableError),
        (503, "ServerBusy", TransientError),
        (507, "InsufficientStorage", SpaceError),
    ],
)
def test_each_answer_has_its_kind_and_a_signature_is_never_told(
    monkeypatch: pytest.MonkeyPatch, status: int, code: str, kind: type[NeokeepError]
) -> None:
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_NAME", "account")
    monkeypatch.setenv("AZURE_STORAGE_SAS_KEY", f"sv=2021-08-06&{SIGNATURE}")
    with answering(lambda _method, _path: xml_error(status, code)) as endpoint:
        for use in USES:
            with pytest.raises(kind) as failure:
                use(opened(endpoint=endpoint))
            assert "sig=" not in "".join(traceback.format_exception(failure.value))


def test_a_request_from_yesterday_is_the_fault_of_the_clock() -> None:
    text = (
        "Generic MicrosoftAzure error: Error performing PUT http://x - Server returned non-2xx status code: 403 "
        "Forbidden: <Error><Code>AuthenticationFailed</Code><AuthenticationErrorDetail>Request date header too old: "
        "'Mon, 23 Nov 2026 01:00:00 GMT'</AuthenticationErrorDetail></Error>"
    )
    assert isinstance(explain(OSError(text), "read a in", "az://c/p"), ClockError)
