from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from neokeep.errors import LockedError, SourceError
from neokeep.neo4j import server as server_module
from neokeep.neo4j.admin import Admin
from neokeep.neo4j.distribution import Distribution
from neokeep.neo4j.server import Server

if TYPE_CHECKING:
    from conftest import StartServer


def make_home(home: Path, settings: str = "") -> Server:
    for folder in ("conf", "run", "jre/bin"):
        (home / folder).mkdir(parents=True)
    (home / "conf" / "neo4j.conf").write_text(settings)
    (home / "jre" / "release").write_text('JAVA_VERSION="17.0.1"\n')
    return Server(Distribution("5.26.30", home, home / "jre" / "bin" / "java"), home)


def play_java(server: Server, script: str) -> None:
    server.distribution.java.write_text(f"#!/bin/sh\nexec sh -c '{script}' \"$@\"\n")
    server.distribution.java.chmod(0o755)


def test_the_bolt_address_is_the_one_of_the_configuration(tmp_path: Path) -> None:
    assert make_home(tmp_path / "a").bolt_uri == "bolt://127.0.0.1:7687"
    assert make_home(tmp_path / "b", "server.bolt.listen_address=0.0.0.0:7688\n").bolt_uri == "bolt://127.0.0.1:7688"
    assert make_home(tmp_path / "c", "dbms.connector.bolt.listen_address=:7689\n").bolt_uri == "bolt://127.0.0.1:7689"


LEADER_GONE = """
import ctypes, threading, time
threading.Thread(target=time.sleep, args=(60,), daemon=True).start()
print("ready", flush=True)
ctypes.CDLL(None).syscall(60 if __import__("platform").machine() == "x86_64" else 93, 0)
"""


def test_a_process_whose_first_thread_is_gone_and_others_are_not_still_has_its_files_open() -> None:
    with subprocess.Popen([sys.executable, "-c", LEADER_GONE], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        status, deadline = Path("/proc", str(process.pid), "stat"), time.monotonic() + 20
        while b") Z " not in status.read_bytes() and time.monotonic() < deadline:
            time.sleep(0.01)
        assert server_module._is_dying(process.pid)
        process.kill()
    assert not server_module._is_dying(process.pid)


def test_the_pid_of_a_stranger_is_not_believed_and_never_signalled(tmp_path: Path) -> None:
    server = make_home(tmp_path)
    (tmp_path / "run" / "neo4j.pid").write_text(str(os.getpid()))
    assert not server.is_running
    assert not server.stop()
    server.kill()


def test_a_server_that_was_never_started_is_not_running(tmp_path: Path) -> None:
    assert not make_home(tmp_path).is_running


def test_a_process_that_dies_while_starting_fails_at_once_with_its_last_words(tmp_path: Path) -> None:
    server = make_home(tmp_path)
    play_java(server, "echo the disk is on fire; exit 1")
    with pytest.raises(SourceError, match="the disk is on fire"):
        server.start(timeout=30)
    assert not server.is_running


@pytest.mark.slow
def test_a_process_that_never_gets_ready_is_ended_at_the_time_limit(tmp_path: Path) -> None:
    server = make_home(tmp_path)
    play_java(server, "sleep 5; :")
    with pytest.raises(SourceError, match="was not ready after 1 s"):
        server.start(timeout=1)
    assert not server.is_running


@pytest.mark.real
def test_servers_run_side_by_side_and_one_home_runs_only_once(start_server: StartServer) -> None:
    one = start_server("5.26.30", name="one")
    two = start_server("5.26.30", name="two")
    assert one.bolt_uri != two.bolt_uri
    with pytest.raises(LockedError, match="running already"):
        one.start()
    one.kill()
    assert not one.is_running
    assert two.is_running
    one.start()
    assert one.stop()
    assert two.stop()


@pytest.mark.real
def test_a_setting_that_neo4j_refuses_is_shown(start_server: StartServer) -> None:
    with pytest.raises(SourceError, match=r"db\.checkpoint\.intervall"):
        start_server("5.26.30", {"db.checkpoint.intervall": "1s"})


@pytest.mark.real
def test_a_dump_can_be_loaded_and_checks_clean(start_server: StartServer, version: str, tmp_path: Path) -> None:
    server = start_server(version)
    assert server.stop()
    admin = Admin(server.distribution, server.home)
    dump = admin.dump("neo4j", tmp_path / "dumps")
    assert dump.stat().st_size > 0
    with pytest.raises(SourceError, match="load"):
        admin.load("neo4j", dump)
    admin.load("neo4j", dump, overwrite=True)
    assert admin.check("neo4j").clean
