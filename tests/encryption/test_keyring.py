"""Opening a repository and changing its keys: never a moment without a working key, and every failure told apart."""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from helpers.storages import Wrapped
from neokeep import api
from neokeep.encryption import keyring, sources
from neokeep.encryption.key_object import KeyObject
from neokeep.errors import (
    AccessError,
    ConfigurationError,
    IntegrityError,
    KeyNeededError,
    NotEncryptedError,
    RepositoryError,
    SpaceError,
    UsageError,
    WrongKeyError,
)
from neokeep.repository.repository import Repository, read_config
from neokeep.storage.local import LocalStorage
from neokeep.storage.place import KeySources, Place

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


def passphrase(path: Path, text: str) -> KeySources:
    path.write_text(text)
    return KeySources(passphrase_file=path)


@pytest.fixture
def first(tmp_path: Path) -> KeySources:
    return passphrase(tmp_path / "first", "one\n")


@pytest.fixture
def second(tmp_path: Path) -> KeySources:
    return passphrase(tmp_path / "second", "two\n")


@pytest.fixture
def place(tmp_path: Path, first: KeySources) -> Place:
    made = Place(str(tmp_path / "repository"), keys=first)
    api.init(made)
    return made


def keys_of(place: Place) -> list[Path]:
    return sorted((Path(place.url) / "keys").iterdir())


def opens(place: Place, keys: KeySources) -> bool:
    try:
        api.open_repository(replace(place, keys=keys))
    except WrongKeyError:
        return False
    return True


def pair(path: Path) -> KeySources:
    api.key_generate(path)
    return KeySources(identity_file=path)


@pytest.mark.parametrize(
    "given",
    [
        lambda path: KeySources(passphrase_file=path),
        lambda path: KeySources(passphrase_command=f"cat {path}"),
        lambda path: KeySources(passphrase="one"),
        lambda path: KeySources(ask=lambda _: "one"),
        lambda path: KeySources(prompt=True, ask=lambda _: "one"),
    ],
    ids=["file", "command", "text", "terminal", "prompt"],
)
def test_every_way_to_give_a_passphrase_opens_it(
    tmp_path: Path, place: Place, given: Callable[[Path], KeySources]
) -> None:
    assert opens(place, given(tmp_path / "first"))


def test_without_a_key_it_is_told_that_one_is_needed(place: Place) -> None:
    with pytest.raises(KeyNeededError, match="is encrypted and no key was given"):
        api.open_repository(place.url)


def test_a_wrong_passphrase_is_told_from_a_damaged_key(place: Place, second: KeySources) -> None:
    with pytest.raises(WrongKeyError, match="opens no key"):
        api.open_repository(replace(place, keys=second))
    (path,) = keys_of(place)
    path.chmod(0o600)
    path.write_bytes(path.read_bytes().replace(b"reader", b"writer"))
    with pytest.raises(IntegrityError, match=f"keys/{path.name} is damaged"):
        api.open_repository(place)
    assert [item.subject for item in api.key_list(place).damaged] == [path.name]


def test_a_repository_without_encryption_is_not_opened_with_a_key(tmp_path: Path, first: KeySources) -> None:
    plain = Place(str(tmp_path / "plain"), keys=first)
    api.init(plain.url)
    with pytest.raises(NotEncryptedError):
        api.open_repository(plain)
    with pytest.raises(NotEncryptedError):
        api.key_list(plain)
    api.open_repository(replace(plain, keys=KeySources(ask=lambda _: "never asked")))


def test_identities_and_their_openssl_like_files_open_what_was_made_for_them(tmp_path: Path, place: Place) -> None:
    identity, other = pair(tmp_path / "id.pem"), pair(tmp_path / "other.pem")
    with pytest.raises(WrongKeyError, match="is made for this identity"):
        api.open_repository(replace(place, keys=identity))
    api.key_add(place, recipient=tmp_path / "id.pem.pub")
    assert opens(place, identity)
    assert not opens(place, other)


def test_a_reader_s_key_is_taken_before_a_writer_s(tmp_path: Path, place: Place) -> None:
    identity = pair(tmp_path / "id.pem")
    api.key_add(place, role="writer", recipient=tmp_path / "id.pem.pub")
    as_writer = api.open_repository(replace(place, keys=identity))
    assert as_writer.storage.content_keys is not None
    assert not as_writer.storage.content_keys.can_open
    both = replace(identity, passphrase_file=tmp_path / "first")
    as_reader = api.open_repository(replace(place, keys=both))
    assert as_reader.storage.content_keys is not None
    assert as_reader.storage.content_keys.can_open


def test_a_writer_adds_writers_and_no_readers_and_removes_nobody(tmp_path: Path, place: Place) -> None:
    identity = pair(tmp_path / "w.pem")
    api.key_add(place, role="writer", recipient=tmp_path / "w.pem.pub")
    writer = replace(place, keys=identity)
    pair(tmp_path / "next.pem")
    with pytest.raises(KeyNeededError):
        api.key_add(writer, recipient=tmp_path / "next.pem.pub")
    added = api.key_add(writer, role="writer", recipient=tmp_path / "next.pem.pub")
    assert added.key is not None
    with pytest.raises(KeyNeededError):
        api.key_remove(writer, added.key.id)
    assert len(keys_of(place)) == 3


def test_a_passphrase_is_changed(place: Place, first: KeySources, second: KeySources) -> None:
    report = api.key_change_passphrase(place, second)
    assert report.key is not None
    assert (opens(place, first), opens(place, second)) == (False, True)
    assert [path.name for path in keys_of(place)] == [report.key.id]


def test_the_last_reader_key_stays(tmp_path: Path, place: Place, second: KeySources) -> None:
    pair(tmp_path / "w.pem")
    api.key_add(place, role="writer", recipient=tmp_path / "w.pem.pub")
    (reader,) = [key for key in api.key_list(place).keys if key.role == "reader"]
    with pytest.raises(UsageError, match="last reader key"):
        api.key_remove(place, reader.id)
    api.key_add(place, new=second)
    assert api.key_remove(place, reader.id[:8]).removed == reader.id
    assert opens(place, second)


def test_keys_that_are_not_there_or_not_named_clearly_are_not_removed(place: Place, second: KeySources) -> None:
    api.key_add(place, new=second)
    for identity in ("", "zz"):
        with pytest.raises(UsageError):
            api.key_remove(place, identity)
    assert len(keys_of(place)) == 2


@pytest.mark.slow
def test_a_change_that_fails_anywhere_leaves_a_passphrase_that_opens(
    tmp_path: Path, first: KeySources, second: KeySources, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in itertools.count():
        place = Place(str(tmp_path / str(number)), keys=first)
        api.init(place)
        left = iter(range(number))

        def fail(_operation: str, _name: str, left: Iterator[int] = left) -> None:
            if next(left, None) is None:
                raise SpaceError("no more")

        storage = Wrapped(LocalStorage(Path(place.url)), fail)
        try:
            with monkeypatch.context() as patch:
                patch.setattr("neokeep.repository.keys.open_storage", lambda _, storage=storage: storage)
                api.key_change_passphrase(place, second)
        except SpaceError:
            assert opens(place, first) or opens(place, second)
        else:
            break
    assert not opens(place, first)
    assert opens(place, second)
    assert number > 5


def test_a_key_that_does_not_open_what_it_should_is_not_kept(
    place: Place, first: KeySources, second: KeySources, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keyring, "_gives", lambda *_: False)
    with pytest.raises(IntegrityError, match="does not open"):
        api.key_change_passphrase(place, second)
    assert len(keys_of(place)) == 1
    assert opens(place, first)


def test_a_second_init_changes_nothing(place: Place, second: KeySources) -> None:
    before = keys_of(place)
    with pytest.raises(RepositoryError, match="holds a repository already"):
        api.init(replace(place, keys=second))
    assert keys_of(place) == before


def test_of_two_inits_at_once_the_second_takes_its_keys_back(tmp_path: Path, place: Place) -> None:
    from neokeep.encryption.creating import first_keys

    before = keys_of(place)
    with pytest.raises(RepositoryError):
        Repository.create(LocalStorage(Path(place.url)), first_keys(place.keys))
    assert keys_of(place) == before


def test_keys_of_another_repository_in_its_place_are_left_aside(tmp_path: Path, place: Place) -> None:
    other = Place(str(tmp_path / "other"), keys=place.keys)
    api.init(other)
    (strange,) = keys_of(other)
    (Path(place.url) / "keys" / strange.name).write_bytes(strange.read_bytes())
    assert len(api.key_list(place).keys) == 1
    assert opens(place, place.keys)


def test_only_writers_make_no_repository(tmp_path: Path) -> None:
    pair(tmp_path / "w.pem")
    with pytest.raises(UsageError, match="nobody could ever restore"):
        api.init(tmp_path / "repository", writer_recipients=[tmp_path / "w.pem.pub"])
    assert not (tmp_path / "repository").exists()


@pytest.mark.parametrize(
    ("text", "meant"), [("a\n", b"a"), ("a\r\n", b"a"), ("a", b"a"), ("a\n\n", b"a\n"), (" a ", b" a ")]
)
def test_one_line_end_does_not_count(tmp_path: Path, text: str, meant: bytes) -> None:
    path = tmp_path / "p"
    path.write_bytes(text.encode())
    assert sources.read_credentials(KeySources(passphrase_file=path), "").passphrase == meant


@pytest.mark.parametrize(
    ("given", "error"),
    [
        (KeySources(passphrase=""), UsageError),
        (KeySources(passphrase_command="printf ''"), UsageError),
        (KeySources(passphrase_command="false"), ConfigurationError),
        (KeySources(passphrase_command="/no/such/program"), ConfigurationError),
        (KeySources(passphrase_command="'"), ConfigurationError),
        (KeySources(passphrase_command=" "), ConfigurationError),
        (KeySources(passphrase_command="head -c 100000 /dev/zero"), UsageError),
        (KeySources(passphrase_file=Path("/no/such/file")), ConfigurationError),
        (KeySources(passphrase_file=Path("/")), ConfigurationError),
        (KeySources(identity_file=Path("/etc/hostname")), (ConfigurationError, AccessError)),
        (KeySources(prompt=True), ConfigurationError),
        (KeySources(passphrase="a", passphrase_command="echo a"), UsageError),
        (KeySources(passphrase="a", prompt=True, ask=lambda _: "a"), UsageError),
    ],
)
def test_what_gives_no_passphrase_is_told(given: KeySources, error: type[Exception]) -> None:
    with pytest.raises(error):
        sources.read_credentials(given, "")


def test_a_new_passphrase_is_typed_twice() -> None:
    answers = iter(["one", "two"])
    with pytest.raises(UsageError, match="differ"):
        sources.read_credentials(KeySources(ask=lambda _: next(answers)), "", twice=True)


@pytest.mark.parametrize("mode", [0o644, 0o660, 0o604, 0o606, 0o611])
def test_a_private_key_that_others_can_read_is_refused(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "id.pem"
    api.key_generate(path)
    path.chmod(mode)
    with pytest.raises(AccessError, match="can be read by others"):
        sources.read_identity(path)


def test_a_public_key_is_no_private_one_and_the_other_way_round(tmp_path: Path) -> None:
    api.key_generate(tmp_path / "id.pem")
    (tmp_path / "id.pem.pub").chmod(0o600)
    with pytest.raises(ConfigurationError, match="no X25519 private key"):
        sources.read_identity(tmp_path / "id.pem.pub")
    with pytest.raises(ConfigurationError, match="no X25519 public key"):
        sources.read_recipient(tmp_path / "id.pem")


def test_a_key_pair_is_never_overwritten(tmp_path: Path) -> None:
    api.key_generate(tmp_path / "id.pem")
    with pytest.raises(UsageError, match="never overwritten"):
        api.key_generate(tmp_path / "id.pem")
    assert (tmp_path / "id.pem").stat().st_mode & 0o777 == 0o600


def test_the_key_objects_are_whole(place: Place) -> None:
    config = read_config(LocalStorage(Path(place.url)))
    found = keyring.list_keys(LocalStorage(Path(place.url)), config.repository_id)
    assert [isinstance(key, KeyObject) for key in found] == [True]
