"""What a jar says of itself, and that no jar can do harm by it."""

from __future__ import annotations

import io
import zipfile

from hypothesis import given
from hypothesis import strategies as st

from neokeep.repository.manifest import Plugin
from neokeep.server_files.plugins import parse_manifest, plugin_of


def jar(**files: str) -> io.BytesIO:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as opened:
        for name, text in files.items():
            opened.writestr(name, text)
    return made


def manifest(text: str) -> io.BytesIO:
    return jar(**{"META-INF/MANIFEST.MF": text})


def test_the_manifest_counts_then_maven_then_the_file_name() -> None:
    told = manifest("Manifest-Version: 1.0\r\nImplementation-Title: APOC\r\nImplementation-Version: 5.26.0\r\n")
    assert plugin_of("apoc-1.0.jar", told) == Plugin(name="APOC", version="5.26.0")
    pom = {"META-INF/maven/org.x/gds/pom.properties": "artifactId=gds\nversion=2.13.1\n"}
    assert plugin_of("some.jar", jar(**pom)) == Plugin(name="gds", version="2.13.1")
    assert plugin_of("neo4j-graph-data-science-2.13.1.jar", jar()) == Plugin(
        name="neo4j-graph-data-science", version="2.13.1"
    )
    assert plugin_of("mine.jar", jar()) == Plugin(name="mine", version="")


def test_a_long_value_goes_on_in_the_next_line_and_other_sections_do_not_count() -> None:
    text = "Bundle-Name: a very long\r\n  name\r\n\r\nName: other\r\nBundle-Version: 9\r\n"
    assert parse_manifest(text) == {"Bundle-Name": "a very long name"}


@given(st.binary(max_size=300), st.data())
def test_a_jar_of_any_bytes_is_called_by_its_file_name_or_what_it_says(noise: bytes, data: st.DataObject) -> None:
    assert plugin_of("x-1.jar", io.BytesIO(noise)) == Plugin(name="x", version="1")
    whole = bytearray(manifest("Implementation-Title: A\nImplementation-Version: 2\n" * 3).getvalue())
    at = data.draw(st.integers(0, len(whole) - 1))
    whole[at] = data.draw(st.integers(0, 255))
    assert plugin_of("x-1.jar", io.BytesIO(bytes(whole))).name


def test_a_manifest_that_never_ends_is_read_only_in_part() -> None:
    told = manifest("Implementation-Title: A\nImplementation-Version: 2\n" + "X: y\n" * 10_000_000)
    assert plugin_of("x-1.jar", told) == Plugin(name="A", version="2")
