"""How repositories are reached, as files, environment and flags say it."""

from __future__ import annotations

from pathlib import Path

import pytest

from helpers.configuration import PATH, TWO, settled
from neokeep.config_file import parse_file
from neokeep.errors import ConfigurationError, UsageError
from neokeep.storage.place import Place, StorageOptions

FAR = """
[repositories.main]
path = "/backup/main"
[repositories.far]
path = "s3://bucket/neo4j"
endpoint = "https://store:9000/"
ca-file = "ca.pem"
retries = 2
timeout = "1m"
bandwidth = "20MB/s"
[defaults]
repo-retries = 9
repo-region = "eu-west-3"
"""


def test_how_a_repository_is_reached_stands_with_it_and_counts_before_the_defaults() -> None:
    place = settled(text=FAR, repo="far").place()
    assert place == Place(
        "s3://bucket/neo4j",
        StorageOptions(
            endpoint="https://store:9000", region="eu-west-3", ca_file=Path("/etc/neokeep/ca.pem"), retries=2,
            timeout=60, bandwidth=20_000_000,
        ),
    )  # fmt: skip
    assert settled(text=FAR, repo="main").place().options == StorageOptions(region="eu-west-3", retries=9)
    assert settled(text=FAR, repo="/else").place().options == StorageOptions(region="eu-west-3", retries=9)


def test_what_is_to_be_locked_is_for_commands_that_write() -> None:
    assert settled("backup", repo="s3://bucket/neo4j", immutable_for="30d").place().options.immutable_for == 30 * 86_400
    assert (
        settled("verify", environment={"NEOKEEP_IMMUTABLE_FOR": "30d"}, repo="/r").place().options.immutable_for is None
    )


def test_flag_and_environment_count_before_what_stands_with_a_repository() -> None:
    environment = {"NEOKEEP_REPO_RETRIES": "5"}
    assert settled(text=FAR, environment=environment, repo="far").place().options.retries == 5
    assert settled(text=FAR, environment=environment, repo="far", repo_retries="7").place().options.retries == 7


def test_without_anything_a_place_is_reached_by_the_defaults_of_the_python_api() -> None:
    assert settled(repo="/r").place() == Place("/r")


@pytest.mark.parametrize("endpoint", ["store:9000", "ftp://store", "https://key:secret@store", "https://", "http:// a"])
def test_an_endpoint_is_a_url_without_secrets(endpoint: str) -> None:
    with pytest.raises(UsageError, match="--repo-endpoint: the endpoint is not a URL") as failure:
        settled(repo="/r", repo_endpoint=endpoint)
    assert "secret" not in str(failure.value)


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        ('endpoint = "store"', "line 3: repositories.r.endpoint the endpoint is not a URL"),
        ('retries = "2"', "line 3: repositories.r.retries must be a number"),
        ('endpiont = "https://x"', "line 3: repositories.r.endpiont is not known"),
    ],
)
def test_a_mistake_at_a_repository_is_told_with_its_line(line: str, wanted: str) -> None:
    with pytest.raises(ConfigurationError, match=wanted):
        parse_file(f'[repositories.r]\npath = "/r"\n{line}\n', PATH)


def test_several_repositories_are_given_one_after_the_other_each_with_its_own_options() -> None:
    settings = settled(text=FAR, repo=("far", "main", "/else", "far"))
    assert [place.url for place in settings.several_places()] == ["s3://bucket/neo4j", "/backup/main", "/else"]
    far, main, _ = settings.several_places()
    assert (far.options.retries, main.options.retries) == (2, 9)
    assert settings.place_or_places() == settings.several_places()


def test_one_repository_alone_is_given_as_it_is() -> None:
    assert settled(repo=("/r",)).place_or_places() == Place("/r")


def test_several_repositories_may_stand_in_the_file_and_in_the_environment() -> None:
    text = TWO + '[defaults]\nrepo = ["main", "far", "else"]\n'
    wanted = ["/backup/main", "s3://bucket/neo4j", "/etc/neokeep/else"]
    assert [place.url for place in settled(text=text).several_places()] == wanted
    environment = {"NEOKEEP_REPO": "far, main,/mnt/third"}
    places = settled(text=text, environment=environment).several_places()
    assert [place.url for place in places] == ["s3://bucket/neo4j", "/backup/main", "/mnt/third"]


@pytest.mark.parametrize("path", ["/mnt/a,b", "./a,b c"])
def test_a_comma_in_a_path_makes_no_two_repositories(path: str) -> None:
    assert len(settled(environment={"NEOKEEP_REPO": path}).several_places()) == 1


def test_a_command_for_one_repository_refuses_several() -> None:
    with pytest.raises(UsageError, match="one repository at a time, but 2 are named: /a, /b"):
        settled(repo=("/a", "/b")).place()


def test_a_list_of_repositories_must_be_of_texts() -> None:
    with pytest.raises(ConfigurationError, match=r"line 2: defaults\.repo must be text"):
        parse_file('[defaults]\nrepo = ["/a", 3]\n', PATH)
