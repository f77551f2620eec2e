"""From a place to its storage: decorated as its options say, and with a clear word about what is missing."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from neokeep.errors import ConfigurationError
from neokeep.storage.layer import innermost
from neokeep.storage.local import LocalStorage
from neokeep.storage.open import open_storage
from neokeep.storage.place import Place, StorageOptions
from neokeep.storage.retrying import Retrying
from neokeep.storage.throttled import Throttled

if TYPE_CHECKING:
    from pathlib import Path


def test_a_directory_is_used_as_it_is(tmp_path: Path) -> None:
    assert isinstance(open_storage(Place(str(tmp_path))), LocalStorage)


def test_a_bandwidth_holds_for_any_place_and_servers_are_tried_again(tmp_path: Path) -> None:
    limited = StorageOptions(bandwidth=1_000)
    assert isinstance(open_storage(Place(str(tmp_path), limited)), Throttled)
    assert isinstance(innermost(open_storage(Place(str(tmp_path), limited))), LocalStorage)
    assert isinstance(open_storage(Place("sftp://host/path")), Retrying)
    assert open_storage(Place("sftp://me@host/path", limited)).url == "sftp://me@host/path"


@pytest.mark.parametrize(
    ("url", "module", "extra"), [("s3://bucket", "obstore", "cloud"), ("sftp://host/path", "asyncssh", "sftp")]
)
def test_a_library_that_is_missing_is_named_with_what_to_install(
    monkeypatch: pytest.MonkeyPatch, url: str, module: str, extra: str
) -> None:
    for name in [name for name in sys.modules if name.startswith(("neokeep.storage.", module))]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ConfigurationError, match=f"needs {module}, which is not installed") as failure:
        open_storage(Place(url))
    assert f"neokeep[{extra}]" in failure.value.remedy


def test_no_library_is_imported_before_its_kind_of_place_is_used(tmp_path: Path) -> None:
    program = (
        "import sys\nfrom neokeep import api\n"
        f"api.init({str(tmp_path / 'r')!r})\napi.collect({str(tmp_path / 'r')!r})\n"
        "print(sorted({'asyncssh', 'obstore', 'asyncio', 'ssl'} & set(sys.modules)))"
    )
    printed = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True).stdout
    assert printed == b"[]\n"


def test_an_account_is_needed_for_azure() -> None:
    with pytest.raises(ConfigurationError, match="which account"):
        open_storage(Place("az://container/prefix"))


def test_a_certificate_file_that_is_none_is_told(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("-----BEGIN CERTIFICATE-----\nnonsense\n-----END CERTIFICATE-----\n")
    with pytest.raises(ConfigurationError, match="cannot be opened with these options"):
        open_storage(Place("s3://bucket", StorageOptions(ca_file=tmp_path / "ca.pem")))
