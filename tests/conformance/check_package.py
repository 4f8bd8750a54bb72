#!/usr/bin/python3
"""Checks leaves, log files and maps of a package with Python alone, as docs/formats.md draws them.

    check_package.py DIR

From the frontier and the leaves it recomputes the root of the checkpoint; from the lines of the log files the leaves;
from their identificativi and the salt (salt-CLASS.bin, where it is handed out) the maps; from all of it the counts of
contents.json. BLAKE3 is taken as given. Signatures and time-stamps are for openssl.
"""
import base64
import hashlib
import json
import pathlib
import sys

from check_map import EMPTY, fail, nodes, sha256

directory = pathlib.Path(sys.argv[1])
catalogue = json.loads((directory / "catalogue.json").read_bytes())
for file in catalogue["files"]:
    data = (directory / file["path"]).read_bytes()
    if len(data) != file["bytes"] or sha256(data).hex() != file["sha256"]:
        fail(f"{file['path']} is not what the catalogue says")

frontier = (directory / "frontier.bin").read_bytes()
size = int.from_bytes(frontier[:8], "big")
stack = [frontier[i : i + 32] for i in range(8, len(frontier), 32)]
if len(stack) != bin(size).count("1"):
    fail("the frontier has not one node for each bit of its size")
data = (directory / "leaves.bin").read_bytes()
leaves = {}
for at in range(0, len(data), 64):
    leaf = data[at : at + 64]
    if int.from_bytes(leaf[12:20], "big") != size:
        fail(f"leaf {size} says another index")
    leaves[size] = leaf
    node, merges = sha256(b"\0", leaf), size
    while merges & 1:
        node, merges = sha256(b"\1", stack.pop(), node), merges >> 1
    stack.append(node)
    size += 1
root = stack.pop() if stack else sha256()
while stack:
    root = sha256(b"\1", stack.pop(), root)
note = (directory / "checkpoint").read_text().split("\n")
if int(note[1]) != size or base64.b64decode(note[2]) != root:
    fail("the leaves do not give the root of the checkpoint")

contents = json.loads((directory / "contents.json").read_bytes())
seen = set()
for held in contents.get("classes", []):
    word = {1: "trace", 2: "infected", 3: "justice", 4: "receipt", 5: "content", 6: "custody"}[held["class"]]
    hashes, ids = [], {}
    for part, digest in enumerate(held["files"], 1):
        lines = (directory / f"log-{word}-{part:04}.jsonl").read_bytes()
        if sha256(lines).hex() != digest:
            fail(f"part {part} of class {word} has another digest")
        head, *lines = lines.splitlines()
        if json.loads(head)["class"] != held["class"] or len(json.loads(head)["salt"]) != 64:
            fail("the head of a log file")
        for line in lines:
            record = json.loads(line)
            leaf = bytes.fromhex(record["leaf"])
            index = int.from_bytes(leaf[12:20], "big")
            if leaves.get(index) != leaf or index in seen:
                fail(f"leaf {index} is another, or comes twice")
            seen.add(index)
            hashes.append(sha256(b"\0", leaf))
            if "opening" not in record:
                continue
            metadata = line[line.index(b'"metadata":') + 11 : -1]
            content = record.get("content") or {
                "bytes": 0,
                "sha256": sha256().hex(),
                "blake3": "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262",
            }
            digests = bytes.fromhex(content["sha256"]) + bytes.fromhex(content["blake3"])
            opened = leaf[5:6] + content["bytes"].to_bytes(8, "big") + digests + sha256(metadata)
            if sha256(b"PEC-ARCHIVE-COMMIT-v1\0", bytes.fromhex(record["opening"]), opened) != leaf[32:]:
                fail(f"leaf {index} does not commit to its line")
            pec_id = record["metadata"].get("identificativo")
            if pec_id is not None:
                octets = pec_id.encode() if isinstance(pec_id, str) else base64.b64decode(pec_id["base64"])
                term = octets.strip(b" \t\r\n\f")
                term = term[1:-1] if term[:1] == b"<" and term[-1:] == b">" else term
                ids.setdefault(term, []).append(hashes[-1])
    if len(hashes) != held["records"] or sha256(*hashes).hex() != held["leaf_hashes"]:
        fail(f"class {word} has other records")
    salt = directory / f"salt-{word}.bin"
    if salt.exists():
        salt = salt.read_bytes()
        if sha256(salt).hex() != held["salt"]:
            fail("another salt than was fixed")
        value = lambda found: sha256(len(found).to_bytes(4, "big"), *sorted(found))
        entries = [(sha256(b"PEC-DAYMAP-v1\0", salt, b"\1", i), value(f)) for i, f in ids.items()]
        if nodes(sorted(entries), 0, 0, {}).hex() != held["map_root"] or len(entries) != held["keys"]:
            fail(f"the map of class {word} is of other records")
if seen != set(leaves):
    fail("leaves without a line")
if sum(count["count"] for count in contents.get("counts", [])) != len(leaves):
    fail("counts and leaves")
print("OK", len(leaves), "leaves")
