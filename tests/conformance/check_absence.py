#!/usr/bin/python3
"""Checks that intervals do not hold an identificativo, with Python and openssl alone (docs/formats.md sections 14, 24).

    check_absence.py VKEY HEAD LINES...

VKEY is the log's key (name+id+base64), HEAD proof/assenza.json, LINES proof/assenza-*.jsonl in order. Ends with
"OK: N of M intervals" and status 0, or "FAIL: reason" and status 1. The proof of each closing leaf is verified by
verify_proof.py, which lies beside this program.
"""
import base64
import hashlib
import json
import pathlib
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from check_map import fail, verify  # noqa: E402


def closing_of(vkey, text):
    """The leaf that is proven, and what it closes."""
    program = pathlib.Path(__file__).with_name("verify_proof.py")
    with tempfile.NamedTemporaryFile(suffix=".tlog-proof") as file:
        file.write(text.encode())
        file.flush()
        run = subprocess.run([sys.executable, program, vkey, file.name], capture_output=True, text=True)
    if run.returncode:
        fail("closing leaf: " + run.stdout)
    extra, index = (line.split(" ", 1)[1] for line in text.split("\n")[1:3])
    closing = json.loads(base64.b64decode(extra)[173:])
    if closing["type"] != "interval-closed":
        fail("a leaf that closes nothing")
    return int(index), closing


def main(vkey, head, *files):
    head = json.loads(pathlib.Path(head).read_text())
    lines = [line for name in files for line in pathlib.Path(name).read_text().splitlines()]
    if head["format"] != "ceralacca absence 1" or head["intervals"] != len(lines):
        fail("head and lines differ")
    term = head["identificativo"].encode()
    proven, before, ended = 0, None, 0
    for line in map(json.loads, lines):
        if line["interval"] < ended or line["interval"] >= line["end"]:
            fail("intervals are not in order")
        ended = line["end"]
        if line["state"] != "closed":
            before = "open"
            continue
        leaf, closing = closing_of(vkey, line["closing"])
        if before == "open" or (closing["interval_ms"], closing["end_ms"]) != (line["interval"], line["end"]):
            fail("the closing leaf is of another interval")
        if before and (closing.get("previous"), closing["first"]) != before:
            fail("an interval is left out")
        before = leaf, closing["size"]
        closed = {c["class"]: c for c in closing.get("classes", [])}
        if sorted(closed) != [c["class"] for c in line.get("classes", [])]:
            fail("a class has no answer, or too many")
        absent = True
        for answer in line.get("classes", []):
            if answer.get("disposed"):
                absent = False
                continue
            salt, named = bytes.fromhex(answer["salt"]), closed[answer["class"]]
            if hashlib.sha256(salt).hexdigest() != named["salt"]:
                fail("another salt")
            key = hashlib.sha256(b"PEC-DAYMAP-v1\0" + salt + b"\1" + term).digest()
            root = bytes.fromhex(named["map_root"])
            if verify(key, bytes.fromhex(answer["proof"]), root) is not None:
                fail("the interval holds it")
        proven += absent
    print(f"OK: {proven} of {len(lines)} intervals do not hold it")


if __name__ == "__main__":
    main(*sys.argv[1:])
