"""The packs: folders of data, loaded, checked and compiled; built-in ones and those of other folders count alike."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from functools import cache
from hashlib import sha256
from importlib.resources import files as resource_files
from pathlib import Path
from typing import Any, Final

import yaml
from jsonschema import Draft202012Validator

from adapters.codecs import csv as csv_codec
from adapters.codecs import er7
from adapters.codecs import json as json_codec
from adapters.codecs import xml as xml_codec
from adapters.errors import BrokenPack
from adapters.mapping import codes as code_maps
from adapters.mapping.bundles import bundle_pack
from adapters.mapping.engine import RowPack, broken_first
from adapters.mapping.grouping import Step, steps
from adapters.mapping.message import Codec, Dialect, HeadLeaf, Message
from adapters.mapping.rows import Row, parse_rows, texts
from adapters.mapping.schemas import Schema
from adapters.mapping.structure import Grammar, grammar
from adapters.pack import Pack
from consent.vocabulary import HUB_BASE, Event

BUILT_IN = Path(__file__).parent
_LARGEST_FILE = 8 * 1024 * 1024
_NAME = re.compile(r"\$\{([^}]*)\}")
_DATA = {".yaml", ".csv", ".xsd", ".json", ".hl7", ".xml", ".md", ".txt", ".zip"}


def load_packs(*folders: Path) -> dict[str, Pack]:
    """The built-in packs and those below `folders`, by id; two of one id are a :class:`BrokenPack`.

    Packs from elsewhere are compiled at once: a broken row shows when the hub starts, not at the first message.
    """
    packs: dict[str, Pack] = {}
    for folder in (BUILT_IN, *folders):
        if not folder.is_dir():
            raise BrokenPack(f"{folder.name}: there is no such folder of packs")
        for manifest in find_manifests(folder):
            try:
                pack = load_pack(read_folder(manifest.parent), lazy=folder == BUILT_IN)
            except BrokenPack as fault:
                raise BrokenPack(f"{manifest.parent.parent.name}/{manifest.parent.name}: {fault}") from None
            if pack.id in packs:
                raise BrokenPack(f"{pack.id}: two packs have this id")
            packs[pack.id] = pack
    return packs


def find_manifests(*folders: Path) -> Iterator[Path]:
    """Every manifest below the folders: a pack's own folder, or `<sector>/<pack>`."""
    for folder in folders:
        if (folder / "manifest.yaml").is_file():
            yield folder / "manifest.yaml"
        else:
            yield from sorted(folder.glob("*/manifest.yaml"))
            yield from sorted(folder.glob("*/*/manifest.yaml"))


def read_folder(folder: Path) -> dict[str, bytes]:
    """A pack's files by their path in it; links that lead out of the folder are not followed."""
    found: dict[str, bytes] = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if not path.is_file() or path.suffix not in _DATA or name.startswith("."):
            continue
        if not path.resolve().is_relative_to(folder.resolve()) or path.stat().st_size > _LARGEST_FILE:
            raise BrokenPack(f"{folder.name}/{name}: a pack's file lies in its folder and is no larger than 8 MiB")
        found[name] = path.read_bytes()
    return found


def load_pack(files: Mapping[str, bytes], *, lazy: bool = False) -> Pack:
    """A pack from its files (path in the pack -> bytes).

    A `lazy` one compiles the rows of a message type when the first such message comes, and a broken row shows then.
    The same files give the same pack, so that one process loads and compiles them once. Raises :class:`BrokenPack`,
    which names the file and the row.
    """
    digest = _digest(files)
    pack = _LOADED.get(digest)
    if pack is None:
        pack = _load(files, digest)
        while len(_LOADED) >= _MOST_LOADED:
            _LOADED.pop(next(iter(_LOADED)), None)
        _LOADED[digest] = pack
    if not lazy and isinstance(pack, RowPack):
        pack.compile()
    return pack


_LOADED: Final[dict[str, Pack]] = {}
"""Packs by the digest of what decides what they do."""
_MOST_LOADED: Final = 64


def _load(files: Mapping[str, bytes], digest: str) -> Pack:
    manifest = _yaml(files, "manifest.yaml")
    _validate("manifest", manifest, "manifest.yaml")
    if manifest["codec"] == "fhir":
        return bundle_pack(manifest, _bundle_data(manifest, files), digest)
    codes = {
        name: code_maps.load(name, raw)
        for name, raw in files.items()
        if name.startswith("codes/") and name.endswith(".csv")
    }
    dialects = {"": Dialect({}, _messages(manifest, files, codes, {}))}
    for name, dialect in manifest.get("dialects", {}).items():
        when = {place: texts(values) for place, values in dialect.get("when", {}).items()}
        dialects[name] = Dialect(when, _messages(manifest, files, codes, dialect.get("names", {})))
    head = manifest.get("head", {})
    return RowPack(
        id=manifest["id"],
        version=manifest["version"],
        hash=digest,
        media_types=tuple(manifest["media-types"]),
        titles=manifest["titles"],
        codec=_codec(manifest),
        versions=texts(manifest.get("versions")),
        key=tuple(head.get("key", ())),
        leaves=tuple(_head_leaf(name, leaf) for name, leaf in head.get("leaves", {}).items()),
        dialects=dialects,
        codes=codes,
    )


def _bundle_data(manifest: Mapping[str, Any], files: Mapping[str, bytes]) -> Any:
    """What a fhir pack says of bundles."""
    name = manifest.get("classes", "")
    if not name:
        raise BrokenPack("manifest.yaml: a fhir pack needs classes")
    data = _named(_yaml(files, name), {"hub": HUB_BASE, **manifest.get("names", {})}, name)
    _validate("bundle", data, name)
    return data


def _digest(files: Mapping[str, bytes]) -> str:
    """SHA-256 over the data that decides what the pack does."""
    whole = sha256()
    for name in sorted(files):
        if not name.startswith("samples/") and name != "README.md":
            whole.update(f"{name}\0{len(files[name])}\0".encode() + files[name])
    return whole.hexdigest()


def _yaml(files: Mapping[str, bytes], name: str) -> Any:
    """A YAML file, every scalar of which is a string."""
    if name not in files:
        raise BrokenPack(f"{name}: is missing")
    try:
        loader = _StringLoader(files[name].decode("utf-8"))
        node = loader.get_single_node()
        if node is None:
            return None
        if _size(node, {}) > _MOST_NODES:
            raise BrokenPack(f"{name}: is too large with its aliases (*name) written out")
        return loader.construct_document(node)
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        line = getattr(getattr(error, "problem_mark", None), "line", -1) + 1
        why = getattr(error, "problem", None)
        said = why if why == _TWICE else "cannot be read as YAML"
        raise BrokenPack(f"{name} line {line}: {said}") from None


_MOST_NODES: Final = 200_000
_TWICE: Final = "a key stands twice in one mapping"


def _size(node: Any, known: dict[int, int]) -> int:
    """How many nodes there are when every alias is written out; one that holds itself is too many."""
    if id(node) not in known:
        known[id(node)] = _MOST_NODES + 1
        below = node.value if isinstance(node, yaml.CollectionNode) else ()
        inner = [each for one in below for each in (one if isinstance(one, tuple) else (one,))]
        known[id(node)] = 1 + sum(_size(each, known) for each in inner)
    return known[id(node)]


class _StringLoader(yaml.CBaseLoader):
    """Every scalar a string; a key twice in one mapping is an error."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> Any:
        """Refuse a repeated key, which YAML would let win silently."""
        keys = [key.value for key, _ in node.value]
        if len(set(keys)) != len(keys):
            raise yaml.constructor.ConstructorError(None, None, _TWICE, node.start_mark)
        return super().construct_mapping(node, deep)


@cache
def _validator(name: str) -> Draft202012Validator:
    text = resource_files("adapters.mapping").joinpath("schema", f"{name}.schema.json").read_text("utf-8")
    return Draft202012Validator(json.loads(text))


def _validate(schema: str, data: Any, name: str) -> None:
    faults = sorted(_validator(schema).iter_errors(data), key=lambda fault: -len(fault.absolute_path))
    if faults:
        way = "".join(f"[{part + 1}]" if isinstance(part, int) else f".{part}" for part in faults[0].absolute_path)
        raise BrokenPack(f"{name}{way}: {faults[0].message[:200]}")


def _named(data: Any, names: Mapping[str, str], source: str) -> Any:
    """The data with every ``${name}`` said, in keys too."""

    def say(match: re.Match[str]) -> str:
        if match[1] not in names:
            raise BrokenPack(f"{source}: there is no name {match[1]}")
        return names[match[1]]

    if isinstance(data, str):
        return _NAME.sub(say, data)
    if isinstance(data, list):
        return [_named(item, names, source) for item in data]
    if isinstance(data, dict):
        return {_NAME.sub(say, key): _named(value, names, source) for key, value in data.items()}
    return data


def _codec(manifest: Mapping[str, Any]) -> Codec:
    charsets = texts(manifest.get("charset", "utf-8"))
    charset = charsets[0]
    name = manifest["codec"]
    if name == "er7":
        return Codec(name, er7.parse, lambda tree: er7.dump(tree, charset=charset))
    if name == "json":
        return Codec(name, json_codec.parse, json_codec.dump)
    if name == "csv":
        return Codec(name, lambda raw: csv_codec.parse(raw, charsets), csv_codec.dump)
    namespaces = manifest.get("namespaces", {})
    return Codec(name, lambda raw: xml_codec.parse(raw, namespaces), lambda tree: xml_codec.dump(tree, namespaces))


def _head_leaf(name: str, leaf: Any) -> HeadLeaf:
    if isinstance(leaf, str):
        return HeadLeaf(name, leaf)
    return HeadLeaf(name, leaf["place"], texts(leaf.get("date")))


def _messages(
    manifest: Mapping[str, Any],
    files: Mapping[str, bytes],
    codes: Mapping[str, code_maps.CodeMap],
    own: Mapping[str, str],
) -> tuple[Message, ...]:
    names = {"hub": HUB_BASE, **manifest.get("names", {}), **own}
    schemas: dict[str, Schema] = {}
    maps: dict[str, _Map] = {}
    found = tuple(_message(raw, names, files, codes, schemas, maps) for raw in manifest["messages"])
    broken_first(found)
    return found


def _message(
    raw: Mapping[str, Any],
    names: Mapping[str, str],
    files: Mapping[str, bytes],
    codes: Mapping[str, code_maps.CodeMap],
    schemas: dict[str, Schema],
    maps: dict[str, _Map],
) -> Message:
    said = _named(raw, names, "manifest.yaml")
    source = f"manifest.yaml message {said['type']}"
    if not said.get("when") and not said.get("root"):
        raise BrokenPack(f"{source}: needs when or root")
    event = said.get("event", "")
    at, event_codes = "", None
    if isinstance(event, dict):
        at, event_codes = event["at"], codes.get(event["codes"])
        if event_codes is None:
            raise BrokenPack(f"{source}: there is no code map {event['codes']}")
    elif event not in set(Event):
        raise BrokenPack(f"{source}: no event is called {event or 'nothing'}")
    rows, shapes = _map(said.get("map", ""), names, files, maps)
    schema = said.get("schema", "")
    if schema and schema not in schemas:
        schemas[schema] = Schema(schema, files)
    structure = said.get("structure")
    return Message(
        type=said["type"],
        when={place: texts(values) for place, values in said.get("when", {}).items()},
        root=said.get("root", ""),
        event=None if at else Event(event),
        event_at=at,
        event_codes=event_codes,
        where=said.get("where", {}),
        direction=said.get("direction", "both"),
        put=said.get("put", {}),
        grammar=_grammar(structure, source) if isinstance(structure, str) else None,
        order={name: tuple(said_.split()) for name, said_ in structure.items()} if isinstance(structure, dict) else {},
        strand=said.get("strand", ""),
        rows=rows,
        shapes=shapes,
        schema=schemas.get(schema),
        validate=said.get("validate", "out"),
        answer=said.get("answer", ""),
        loss=int(said["loss"]) if "loss" in said else None,
        map=said.get("map", ""),
        group=_group(said, source),
        refs=_refs(said, source),
    )


def _group(said: Mapping[str, Any], source: str) -> tuple[Step, ...]:
    if "group" in said and said.get("direction", "both") != "in":
        raise BrokenPack(f"{source}: grouped records are read only, so its direction is in")
    return steps(said.get("group", ()), source)


def _refs(said: Mapping[str, Any], source: str) -> tuple[str, str] | None:
    if "refs" not in said:
        return None
    if said.get("direction", "both") != "in":
        raise BrokenPack(f"{source}: what refers to content elsewhere is read only, so its direction is in")
    return said["refs"]["ref"], said["refs"]["id"]


def _grammar(text: str, source: str) -> Grammar:
    try:
        return grammar(text)
    except BrokenPack as broken:
        raise BrokenPack(f"{source}: {broken}") from None


_Map = tuple[tuple[Row, ...], dict[str, tuple[Row, ...]]]
"""A map's rows, and the shapes of it and of what it includes."""


def _map(name: str, names: Mapping[str, str], files: Mapping[str, bytes], known: dict[str, _Map]) -> _Map:
    """Read a map file once; `known` keeps what several messages share."""
    if not name:
        return (), {}
    if name not in known:
        raw: Any = _named(_yaml(files, name), names, name)
        _validate("map", raw, name)
        shapes: dict[str, tuple[Row, ...]] = {}
        for other in raw.get("include", ()):
            shapes |= _map(other, names, files, known)[1]
        for shape, rows in raw.get("shapes", {}).items():
            shapes[shape] = parse_rows(rows, f"{name} shape {shape}")
        known[name] = parse_rows(raw.get("rows", ()), f"{name} rows"), shapes
    return known[name]
