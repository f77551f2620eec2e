from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers.configuration import ONE, PATH, TWO, settled
from neokeep.config import Settings, load_settings, settle
from neokeep.config_file import EMPTY, ConfigurationFile, find_file, parse_file, read_file
from neokeep.errors import AccessError, ConfigurationError, UsageError
from neokeep.options import BY_NAME, OPTIONS, options_of


def test_a_flag_is_over_the_environment_is_over_the_file_is_over_the_default() -> None:
    text, environment = '[defaults]\nrate-limit = "1MB/s"\n', {"NEOKEEP_RATE_LIMIT": "2MB/s"}
    assert settled(text=text, environment=environment, rate_limit="3MB/s").number("rate_limit") == 3_000_000
    assert settled(text=text, environment=environment).number("rate_limit") == 2_000_000
    assert settled(text=text).number("rate_limit") == 1_000_000
    assert settled().number("rate_limit") is None


@given(st.none() | st.integers(1, 99), st.none() | st.integers(1, 99), st.none() | st.integers(1, 99))
def test_the_first_place_that_says_something_counts(flag: int | None, variable: int | None, key: int | None) -> None:
    text = "" if key is None else f"[defaults]\njobs = {key}\n"
    environment = {} if variable is None else {"NEOKEEP_JOBS": str(variable)}
    given_flag = None if flag is None else str(flag)
    wanted = next((number for number in (flag, variable, key) if number is not None), None)
    assert settled(text=text, environment=environment, jobs=given_flag).number("jobs") == wanted


def test_a_share_of_the_command_line_the_environment_and_the_file_is_a_fraction() -> None:
    text, environment = '[defaults]\nfull-at-log-share = "20%"\n', {"NEOKEEP_FULL_AT_LOG_SHARE": "30%"}
    assert settled(text=text, environment=environment, full_at_log_share="40%").share("full_at_log_share") == 0.4
    assert settled(text=text, environment=environment).share("full_at_log_share") == 0.3
    assert settled(text=text).share("full_at_log_share") == 0.2
    assert settled().share("full_at_log_share") == 1.0


def test_an_empty_variable_is_no_value() -> None:
    assert settled(environment={"NEOKEEP_JOBS": "", "NEO4J_HOME": ""}).number("jobs") is None


@pytest.mark.parametrize(("word", "on"), [("true", True), ("1", True), ("Yes", True), ("off", False), ("0", False)])
def test_a_switch_in_the_environment_takes_the_usual_words(word: str, on: bool) -> None:
    assert settled(environment={"NEOKEEP_NICE": word}).switch("nice") is on


def test_a_switch_can_be_turned_off_by_its_flag() -> None:
    assert settled(text="[defaults]\nquiet = true\n", quiet=False).switch("quiet") is False


@pytest.mark.parametrize("name", ["overwrite", "recover", "backup", "as", "from_source"])
def test_what_belongs_to_one_call_comes_from_its_flag_only(name: str) -> None:
    assert BY_NAME[name].variable is None
    with pytest.raises(ConfigurationError, match="is not known"):
        settled("restore", text=f'[defaults]\n{BY_NAME[name].key} = "x"\n')


def test_a_wrong_flag_is_a_usage_error_that_names_it() -> None:
    with pytest.raises(UsageError, match="--rate-limit: 'fast' is not a rate"):
        settled(rate_limit="fast")


def test_a_wrong_variable_is_a_configuration_error_that_names_it() -> None:
    with pytest.raises(
        ConfigurationError, match="the environment variable NEOKEEP_INDEXES: 'some' is none of copy, rebuild"
    ):
        settled(environment={"NEOKEEP_INDEXES": "some"})


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("[defaults]\n\njobz = 2\n", r"line 3: defaults\.jobz is not known"),
        ("[defaults]\nrate_limit = '1MB'\n", r"line 2: defaults\.rate_limit is not known"),
        ("[defaults]\njobs = '2'\n", r"line 2: defaults\.jobs must be a number"),
        ("[defaults]\njobs = true\n", r"line 2: defaults\.jobs must be a number"),
        ("[defaults]\nnice = 1\n", r"line 2: defaults\.nice must be true or false"),
        ("[defaults]\nbackup-every = 7\n", r"line 2: defaults\.backup-every must be text"),
        ("[defaults]\nbackup-every = 'soon'\n", r"line 2: defaults\.backup-every 'soon' is not a duration"),
        ("[defaults]\nfull-after = 0\n", r"line 2: defaults\.full-after '0' is not a number from 1 on"),
        ("[defaults]\nfull-at-log-share = 50\n", r"line 2: defaults\.full-at-log-share must be text"),
        ("[defaults]\nfull-at-log-share = '50'\n", r"line 2: defaults\.full-at-log-share '50' is not a percentage"),
        ("[defaults]\noutput = 'xml'\n", r"line 2: defaults\.output 'xml' is none of text, json"),
        ("[sources.prod]\nconf = '/c'\n", r"line 1: sources\.prod\.home is missing"),
        ("[sources.prod]\nhome = 7\n", r"line 2: sources\.prod\.home must be a directory"),
        ("[sources.prod]\nhome = ''\n", r"line 2: sources\.prod\.home must be a directory"),
        ("[sources.prod]\nhome = '/h'\nhaus = '/h'\n", r"line 3: sources\.prod\.haus is not known"),
        ("[sources]\nprod = '/h'\n", r"line 2: sources\.prod must be a table"),
        ("[repositories.main]\n", r"line 1: repositories\.main\.path is missing"),
        ("[repository.main]\npath = '/r'\n", r"line 1: repository is not known"),
        ("defaults = 3\n", r"line 1: defaults must be a table"),
        ("[defaults]\njobs = \n", r"is not valid TOML: .*line 2"),
        ("sources = {prod = {homes = '/h'}}\n", r"neokeep\.toml: sources\.prod\.homes is not known"),
    ],
)
def test_a_mistake_in_the_file_is_named_with_file_line_and_key(text: str, wrong: str) -> None:
    with pytest.raises(ConfigurationError, match=wrong) as caught:
        parse_file(text, PATH)
    assert str(PATH) in caught.value.message
    assert caught.value.remedy


def test_a_misspelt_key_is_answered_with_the_right_one() -> None:
    with pytest.raises(ConfigurationError) as caught:
        parse_file("[defaults]\nrate_limit = '1MB'\n", PATH)
    assert caught.value.remedy == "Did you mean 'rate-limit'?"


@given(st.text(max_size=60) | st.text(alphabet='[]={}."\n#sourcedfaultj x1', max_size=60))
def test_any_text_is_a_configuration_or_a_configuration_error(text: str) -> None:
    try:
        parsed = parse_file(text, PATH)
    except ConfigurationError as error:
        assert str(PATH) in error.message  # noqa: PT017
    else:
        assert isinstance(parsed, ConfigurationFile)


TOML_VALUES = st.recursive(
    st.booleans() | st.integers(-5, 5) | st.sampled_from(["''", "'x'", "'1MB/s'", "'/p'", "1.5", "[]", "2026-08-01"]),
    lambda inner: st.lists(inner, max_size=1),
    max_leaves=2,
)


@given(
    st.sampled_from(["sources.a", "repositories.a", "defaults", "other"]),
    st.sampled_from(["home", "conf", "path", "endpoint", "retries", "ca-file", *(option.key for option in OPTIONS)]),
    TOML_VALUES,
)
def test_any_value_under_any_key_is_taken_or_refused_with_its_line(table: str, key: str, value: object) -> None:
    written = (
        str(value).lower() if isinstance(value, bool) else str(value).replace("True", "true").replace("False", "false")
    )
    try:
        parse_file(f"[{table}]\n{key} = {written}\n", PATH)
    except ConfigurationError as error:
        assert "line" in error.message  # noqa: PT017


def test_relative_paths_of_the_file_are_relative_to_it() -> None:
    file = parse_file(
        '[sources.a]\nhome = "x/../h"\n[repositories.r]\npath = "r"\n[defaults]\nrepo = "../elsewhere"\n', PATH
    )
    assert file.sources["a"].home == Path("/etc/neokeep/h")
    assert file.repositories["r"].place == "/etc/neokeep/r"
    assert file.defaults["repo"] == "/etc/elsewhere"


def test_the_home_of_the_user_may_be_written_as_a_tilde(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/neo4j")
    assert parse_file('[sources.a]\nhome = "~/h"\n', PATH).sources["a"].home == Path("/home/neo4j/h")
    assert settled(home="~/h").path("home") == Path("/home/neo4j/h")
    assert settled(repo="~/r").text("repo") == "/home/neo4j/r"


def server(settings: Settings) -> tuple[str | None, str | None, str | None]:
    home, conf = settings.path("home"), settings.path("conf")
    return str(home) if home else None, str(conf) if conf else None, settings.text("source")


def test_the_only_source_and_repository_of_the_file_are_meant() -> None:
    settings = settled(text=ONE)
    assert server(settings) == ("/p", "/c", "prod")
    assert settings.text("repo") == "/backup/main"


def test_of_several_none_is_meant_by_itself() -> None:
    settings = settled(text=TWO)
    assert server(settings) == (None, None, None)
    for missing in (settings.needed_path, settings.needed_text):
        with pytest.raises(UsageError, match="it is not said which"):
            missing("home" if missing == settings.needed_path else "repo")


def test_a_source_and_a_repository_are_chosen_by_name() -> None:
    settings = settled(text=TWO, source="prod", repo="far")
    assert server(settings) == ("/var/lib/neo4j", "/etc/neo4j", "prod")
    assert settings.text("repo") == "s3://bucket/neo4j"
    assert server(settled(text=TWO, environment={"NEOKEEP_SOURCE": "test"})) == (
        "/etc/neokeep/homes/test",
        None,
        "test",
    )
    assert settled(text=TWO + '[defaults]\nrepo = "main"\n').text("repo") == "/backup/main"


def test_what_is_no_name_of_a_repository_is_a_place() -> None:
    assert settled(text=TWO, repo="./main").text("repo") == "main"
    assert settled(text=TWO, repo="/elsewhere").text("repo") == "/elsewhere"


def test_a_home_on_the_command_line_is_not_the_source_of_the_file() -> None:
    assert server(settled(text=ONE, home="/other")) == ("/other", None, None)
    assert server(settled(text=ONE + '[defaults]\nsource = "prod"\n', home="/other")) == ("/other", None, None)
    assert server(settled(text=ONE, home="/other", source="mine")) == ("/other", None, "mine")


def test_neo4j_home_is_over_the_file_but_not_over_a_source_that_is_asked_for() -> None:
    environment = {"NEO4J_HOME": "/env", "NEO4J_CONF": "/env/conf"}
    assert server(settled(text=ONE, environment=environment)) == ("/env", "/env/conf", None)
    assert server(settled(text=ONE, environment=environment, source="prod")) == ("/p", "/c", "prod")


def test_neo4j_conf_counts_only_for_the_server_that_it_belongs_to() -> None:
    environment = {"NEO4J_HOME": "/env", "NEO4J_CONF": "/env/conf"}
    assert server(settled(environment=environment, home="/other")) == ("/other", None, None)
    assert server(settled(environment=environment, home="/env/")) == ("/env", "/env/conf", None)
    assert server(settled(environment={"NEO4J_CONF": "/c"}, home="/other")) == ("/other", "/c", None)
    assert server(settled(environment=environment, home="/other", conf="/own")) == ("/other", "/own", None)


def test_a_source_that_is_not_in_the_file_is_an_error_that_lists_those_that_are() -> None:
    with pytest.raises(ConfigurationError, match="there is no source 'prdo'") as caught:
        settled(text=TWO, source="prdo", environment={"NEO4J_HOME": "/env"})
    assert caught.value.remedy == "Choose one of: prod, test."
    with pytest.raises(ConfigurationError, match=r"there is no neokeep\.toml"):
        settle("backup", {"source": "prod"}, {}, EMPTY)


def test_without_sources_in_a_file_the_name_is_a_label_for_the_home() -> None:
    assert server(settled(environment={"NEO4J_HOME": "/env"}, source="prod")) == ("/env", None, "prod")


def test_a_given_file_must_be_there() -> None:
    with pytest.raises(ConfigurationError, match="there is no configuration file /no/such"):
        find_file("/no/such", {})


def test_the_first_file_of_the_usual_places_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here, config = tmp_path / "here", tmp_path / "config"
    environment = {"XDG_CONFIG_HOME": str(config)}
    here.mkdir()
    monkeypatch.chdir(here)
    (config / "neokeep").mkdir(parents=True)
    (config / "neokeep" / "neokeep.toml").write_text("")
    assert find_file(None, environment) == config / "neokeep" / "neokeep.toml"
    (here / "neokeep.toml").write_text("")
    assert find_file(None, environment) == Path("neokeep.toml")
    assert find_file(None, {"HOME": str(tmp_path)}) == Path("neokeep.toml")


def test_the_file_of_the_flag_is_over_the_one_of_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, jobs in (("a", 1), ("b", 2)):
        (tmp_path / name).write_text(f"[defaults]\njobs = {jobs}\n")
    monkeypatch.setenv("NEOKEEP_CONFIG", str(tmp_path / "a"))
    monkeypatch.delenv("NEOKEEP_JOBS", raising=False)
    assert load_settings("verify", {}).number("jobs") == 1
    assert load_settings("verify", {"config": str(tmp_path / "b")}).number("jobs") == 2


def test_a_file_that_is_not_text_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigurationError, match="cannot be read"):
        read_file(tmp_path / "f")
    with pytest.raises(ConfigurationError, match="cannot be read"):
        read_file(tmp_path)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read_is_an_access_error(tmp_path: Path) -> None:
    (tmp_path / "f").write_text("")
    (tmp_path / "f").chmod(0)
    with pytest.raises(AccessError):
        read_file(tmp_path / "f")


def test_a_file_may_begin_with_a_byte_order_mark(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"\xef\xbb\xbf" + ONE.encode())
    assert list(read_file(tmp_path / "f").sources) == ["prod"]


@pytest.mark.parametrize("option", OPTIONS, ids=[option.name for option in OPTIONS])
def test_every_option_is_whole(option: Any) -> None:
    assert option.help.endswith(".")
    assert option.commands
    assert option.default is None or option.read(option.default) is not None
    assert option.is_switch or option.metavar


def test_no_two_options_of_a_command_share_a_flag_and_no_two_at_all_a_variable() -> None:
    for command in {command for option in OPTIONS for command in option.commands}:
        flags = [option.flag for option in options_of(command)]
        assert len(set(flags)) == len(flags)
    variables = [option.variable for option in OPTIONS if option.variable]
    assert len(set(variables)) == len(variables)


def test_every_command_can_be_asked_for_json_and_for_quiet() -> None:
    commands = {command for option in OPTIONS for command in option.commands}
    for command in commands:
        assert {"output", "quiet", "config"} <= {option.name for option in options_of(command)}


@pytest.mark.parametrize("text", ["0", "-1", "1.5", "many", "", "٣", "9999999"])
def test_a_count_is_a_whole_number_from_one_on(text: str) -> None:
    with pytest.raises(UsageError, match="is not a number from 1 on"):
        BY_NAME["jobs"].read(text)
