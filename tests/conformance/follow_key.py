#!/usr/bin/env python3
"""Follows a log's key through its rotations (docs/formats.md 8): Python 3.9, openssl 3, and verify_proof.py beside it.

    follow_key.py VKEY ROTATION...

VKEY is the key that was pinned, each ROTATION a .tlog-proof file, in order. Ends with "OK <current key>" and status 0,
or "FAIL: reason" and status 1.
"""
import base64, json, pathlib, struct, subprocess, sys

VERIFIER = pathlib.Path(__file__).with_name("verify_proof.py")

def check(true, statement):
    if not true: raise ValueError("not so: " + statement)
    print("ok:", statement)

def verifies(vkey, file):
    done = subprocess.run([sys.executable, str(VERIFIER), vkey, file], capture_output=True, text=True)
    last = (done.stdout.splitlines() or [""])[-1]
    check(done.returncode == 0 and last.startswith("OK "), f"{file} verifies under {vkey}")

def follow(pinned, files):
    keys, before = [pinned], 0
    check(len(files) <= 1000, "at most 1000 rotations")
    for file in files:
        verifies(keys[-1], file)
        text = pathlib.Path(file).read_text("utf-8")
        head, note = text.split("\n\n", 1)
        block = base64.b64decode(head.split("\n")[1][len("extra "):], validate=True)
        kind, cls = block[4 + 5], struct.unpack_from(">H", block, 4 + 28)[0]
        length, form = struct.unpack_from(">Q", block, 100)[0], block[172]
        check((kind, cls, length, form) == (9, 6, 0, 1), "a key event of class 6, without content, to be read")
        said = json.loads(block[173:])
        exact = json.dumps(said, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
        names = sorted(said) == ["new", "old", "schema", "type"] and exact == block[173:]
        check(names and (said["schema"], said["type"]) == (1, "key-rotation"), "its metadata is that of a rotation")
        check(said["old"] == keys[-1], "it retires the key trusted so far")
        (name, key_id), mine = said["new"].split("+")[:2], [key.split("+")[:2] for key in keys]
        check(name == mine[0][0] and [name, key_id] not in mine, "the next key is of this log, with an id of its own")
        size = int(note.split("\n")[1])
        check(size > before, f"its checkpoint of {size} leaves comes after that of {before}")
        verifies(said["new"], file)
        keys, before = keys + [said["new"]], size
    print("OK", keys[-1])

try:
    if len(sys.argv) < 2: raise ValueError("usage: follow_key.py VKEY ROTATION...")
    follow(sys.argv[1], sys.argv[2:])
except (ValueError, OSError, KeyError, TypeError, struct.error) as error:
    print("FAIL:", error)
    sys.exit(1)
