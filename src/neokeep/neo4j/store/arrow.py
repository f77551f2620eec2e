"""Batches of a graph as Arrow record batches, without loss. pyarrow is an extra: `pip install 'neokeep[export]'`.

Nodes come as id and labels; relationships as id, start, end and type; properties as id, key and value, a record batch
for each type of value, since a key may have values of several. What Arrow's own types are too narrow for (years,
seconds with nanoseconds, durations of four parts) comes as a struct of the fields of values.py.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np

from neokeep.errors import ConfigurationError
from neokeep.neo4j.store.values import DateTime, Point

try:
    import pyarrow as pa
except ImportError as missing:
    raise ConfigurationError(
        "this needs pyarrow, which is not installed", remedy="pip install 'neokeep[export]'"
    ) from missing

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from neokeep.neo4j.store.graph import NodeBatch, Properties, RelationshipBatch
    from neokeep.neo4j.store.pages import Numbers

_COORDINATES = pa.list_(pa.float64())


def nodes_to_arrow(batch: NodeBatch, labels: Mapping[int, str]) -> pa.RecordBatch:
    """Give `id` (int64) and `labels` (list of dictionary-encoded strings) of nodes; `labels` names them."""
    counts = np.bincount(batch.labels.rows, minlength=len(batch.ids))
    offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int32)
    lists = pa.ListArray.from_arrays(pa.array(offsets), _named(batch.labels.labels, labels))
    return pa.RecordBatch.from_arrays([pa.array(batch.ids), lists], ["id", "labels"])


def relationships_to_arrow(batch: RelationshipBatch, types: Mapping[int, str]) -> pa.RecordBatch:
    """Give `id`, `start`, `end` (int64) and `type` (dictionary-encoded string) of relationships."""
    columns = [pa.array(column) for column in (batch.ids, batch.start, batch.end)]
    return pa.RecordBatch.from_arrays([*columns, _named(batch.type, types)], ["id", "start", "end", "type"])


def properties_to_arrow(ids: Numbers, properties: Properties, keys: Mapping[int, str]) -> Iterator[pa.RecordBatch]:
    """Give `id` (int64, of the node or relationship), `key` (dictionary-encoded string) and `value`, type by type.

    `ids` are those of the batch that the properties are of.
    """
    for column in properties.columns:
        for rows, values in _typed(column.values):
            blocks = properties.blocks[column.rows[rows]]
            arrays = [pa.array(ids[blocks.chain]), _named(blocks.key, keys), values]
            yield pa.RecordBatch.from_arrays(arrays, ["id", "key", "value"])


def _named(tokens: Numbers, names: Mapping[int, str]) -> pa.DictionaryArray:
    """Encode tokens by their names; one that is damaged is `token N`."""
    distinct, places = np.unique(tokens, return_inverse=True)
    known = [names.get(token, f"token {token}") for token in distinct.tolist()]
    return pa.DictionaryArray.from_arrays(pa.array(places.astype(np.int32)), pa.array(known, pa.string()))


def _typed(values: Any) -> Iterator[tuple[Numbers, pa.Array]]:
    """Part the values of a column by their Arrow types: the rows of each, and its values."""
    if values.dtype != np.object_:
        yield np.arange(len(values)), pa.array(values)
        return
    parts: dict[pa.DataType, list[int]] = {}
    for row, value in enumerate(values):
        parts.setdefault(_type_of(value), []).append(row)
    for kind, rows in parts.items():
        yield np.array(rows, np.int64), pa.array([_plain(values[row]) for row in rows], kind)


def _type_of(value: Any) -> pa.DataType:
    if isinstance(value, str):
        return pa.string()
    if isinstance(value, np.ndarray):
        return pa.list_(pa.from_numpy_dtype(value.dtype))
    if isinstance(value, tuple):
        return pa.list_(_type_of(value[0]) if value else pa.null())
    if isinstance(value, Point):
        return pa.struct([("system", pa.int32()), ("coordinates", _COORDINATES)])
    names = [field.name for field in dataclasses.fields(value)]
    if isinstance(value, DateTime):
        numbers = [(name, pa.int64()) for name in names if name != "zone"]
        return pa.struct([*numbers, ("offset", pa.int64()), ("zone", pa.string())])
    return pa.struct([(name, pa.int64()) for name in names])


def _plain(value: Any) -> Any:
    """Give a value as Arrow takes it; of the zone of a time either `offset` or `zone` is null."""
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    if isinstance(value, DateTime):
        offset, zone = (None, value.zone) if isinstance(value.zone, str) else (value.zone, None)
        return {"seconds": value.seconds, "nanoseconds": value.nanoseconds, "offset": offset, "zone": zone}
    return dataclasses.asdict(value) if dataclasses.is_dataclass(value) and not isinstance(value, type) else value
