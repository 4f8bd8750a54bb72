#!/usr/bin/python3
"""Recomputes every golden vector without the archive's own code, from what docs/formats.md draws.

    check_vectors.py PATH_OF_REPO

The vectors are the files of formats/vectors and tests/vectors and the values docs/formats.md shows.
SHA-256 and JSON are Python's, BLAKE3 is the b3sum command's, AES-256-GCM and Ed25519 are those of
python3-cryptography, proofs are verified by verify_proof.py beside this file. Prints one line per
check, then "N passed, N failed"; status 1 if any failed.
"""
import base64
import hashlib
import json
import os
import shutil
import struct
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

try:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
except ImportError:
    AESGCM = None

LOG = "pec.example.test/log"
VKEY = "pec.example.test/log+b0b5d5af+AYqI4910CfGV/VLbLTy6XXLKZwm/HZQSG/N0iAG0D29c"
WITNESS = "witness.example.test/w1"
VERIFIER = Path(__file__).resolve().with_name("verify_proof.py")
TIME, DAY = 1763700000000, 1763683200000  # an instant of 21 November 2025, and its midnight, UTC
DOCUMENT = ""  # docs/formats.md without white space
passed = failed = 0


def check(what, good, detail=""):
    global passed, failed
    passed, failed = passed + bool(good), failed + (not good)
    print(("ok    " if good else "FAIL  ") + what + ("" if good or not detail else ": " + detail))


def same(what, found, stated):
    """Checks that what was recomputed is what the vector states."""
    found, stated = (v.hex() if isinstance(v, bytes) else str(v) for v in (found, stated))
    check(what, found == stated, f"recomputed {found!a}, stated {stated!a}")


def sha256(*parts):
    return hashlib.sha256(b"".join(parts)).digest()


def b64(data):
    return base64.b64encode(data).decode()


def run(command, data=b"", folder=None):
    return subprocess.run(command, input=data, cwd=folder, capture_output=True, check=True).stdout


def blake3(data):
    return run(["b3sum", "--raw"], data)


def blake3_derive(context, secret):
    return run(["b3sum", "--raw", "--derive-key", context], secret)


def blake3_keyed(key, data):
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "data").write_bytes(data)
        return run(["b3sum", "--raw", "--keyed", "data"], key, folder)


def two_columns(path):
    """Lines `name value`; the name may have spaces, the value has none."""
    return dict(line.rsplit(" ", 1) for line in path.read_text("ascii").splitlines())


def shown(what, *values):
    """Checks that docs/formats.md shows these values; spaces and line breaks in it are for the eye."""
    missing = [value for value in values if "".join(value.split()) not in DOCUMENT]
    check(f"docs/formats.md shows {what}", not missing, f"not there: {missing!a}")


def compare(path, recomputed):
    """Checks a file of `name value` lines: each value, and that there is nothing else in it."""
    stated = two_columns(path)
    for name, value in recomputed.items():
        same(f"{path.name}: {name}", value, stated.get(name, "nothing"))
    shown(path.name, *stated.values())
    lines = "".join(f"{name} {value.hex()}\n" for name, value in recomputed.items())
    check(f"{path.name}: nothing else in the file", path.read_bytes() == lines.encode())


# The formats, as docs/formats.md draws them.


def commitment(opening, kind, content, metadata_sha256):
    digests = struct.pack(">BQ", kind, len(content)) + sha256(content) + blake3(content)
    return sha256(b"PEC-ARCHIVE-COMMIT-v1\0", opening, digests, metadata_sha256)


def leaf_bytes(kind, seq, time, retention, sealed, epoch=1):
    head = struct.pack(">4sBBHIQQHH", b"PECL", 1, kind, 0, epoch, seq, time, retention, 0)
    return head + sealed


def leaf_hash(leaf):
    return sha256(b"\0", leaf)


def node_hash(left, right):
    return sha256(b"\1", left, right)


def note_key(name, seed, kind=b"\1"):
    """The signing key of this seed, its key id, and its vkey."""
    key = Ed25519PrivateKey.from_private_bytes(seed)
    public = kind + key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    key_id = sha256(name.encode(), b"\n", public)[:4]
    return key, key_id, f"{name}+{key_id.hex()}+{b64(public)}"


def checkpoint(size, root, seed=b"\1" * 32):
    """The signed checkpoint; Ed25519 signatures are deterministic."""
    text = f"{LOG}\n{size}\n{b64(root)}\n"
    key, key_id, _ = note_key(LOG, seed)
    return f"{text}\n\u2014 {LOG} {b64(key_id + key.sign(text.encode()))}\n"


def record_block(leaf, opening, content, metadata):
    digests = struct.pack(">Q", len(content)) + sha256(content) + blake3(content)
    return b"CLX1" + leaf + opening + digests + metadata


def proof_file(block, index, path, note):
    hashes = "".join(b64(node) + "\n" for node in path)
    return f"c2sp.org/tlog-proof@v1\nextra {b64(block)}\nindex {index}\n{hashes}\n{note}"


# The vectors.


def leaf_vector(_):
    content = b"Subject: ACCETTAZIONE: prova\r\n\r\nricevuta di test\r\n"
    sealed = commitment(bytes(range(32)), 2, content, sha256(b""))
    leaf = leaf_bytes(2, 7, TIME, 1, sealed)
    stated = {
        "SHA-256": "a44db05c6599fff8dc9fe2bf962d4c81f53a0ab78ffb472386cf495694495e19",
        "BLAKE3": "b72ea6beea6003047de36c203b44dfddd328c9613ea8bf31dd5232ad39ba794e",
        "commitment": "85adcb0f99e39c5376e39eaeb6bc2ced0e2ae3c0bc3e89bd8d08b0f1aca07d30",
        "leaf": "5045434c010200000000000100000000000000070000019aa4b645000001000085adcb0f99e39c53"
        "76e39eaeb6bc2ced0e2ae3c0bc3e89bd8d08b0f1aca07d30",
        "leaf hash": "61452e6207c059f8a469bfede917bca3b17b4828fe3bd8aff10651134b0a6c41",
    }
    recomputed = sha256(content), blake3(content), sealed, leaf, leaf_hash(leaf)
    for (name, value), found in zip(stated.items(), recomputed):
        same(f"commitment and leaf: {name}", found, value)
    shown("commitment and leaf", *stated.values())


def metadata_vector(_):
    facts = {
        "identificativo": "opec21.20261121101500.1.2.3@pec.example.test",
        "event_ms": TIME,
        "event_offset_min": 60,
        "sender": "Mittente@pec.example.test",
        "recipients": [{"address": "destinatario@pec.example.org", "kind": "certificato"}],
        "subject": {"base64": b64("Prova citt\u00e0".encode("latin-1"))},
        "event": "accettazione",
        "message_ids": ["<r1@pec.example.test>"],
        "provider": "Gestore Esempio S.p.A.",
        "msgid": "<m1@client.example>",
        "schema": 1,
        "type": "trace",
    }
    canonical = json.dumps(facts, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    stated = "bf10a86c5e76bbbd5c02fd2928837e70b3f124ff03faab78a0f377f8dde100b3"
    same("canonical metadata: SHA-256", sha256(canonical.encode()), stated)
    shown("canonical metadata", canonical, stated)
    line = {
        "event": "accettazione",
        "findings": ["year-from-file"],
        "identificativo": "alfa.1@pec.example.test",
        "migrated": {"accuracy_ms": 1500, "declaration": 4, "gen_ms": 1178575501000, "token": 6},
        "schema": 1,
        "source": {
            "from": 480,
            "label": "Accettazione",
            "leaf": 7,
            "queue_id": "l47AB",
            "tipo": "accettazione",
            "until": 960,
        },
        "type": "trace",
    }
    canonical = json.dumps(line, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    stated = "538ef2fd6f2d21f9da828a171ff0e3892c9c0dfd90205f9772b258e510439205"
    same("canonical metadata of a migrated line: SHA-256", sha256(canonical.encode()), stated)
    shown("canonical metadata of a migrated line", canonical, stated)


# The leaves of the Certificate Transparency reference tree, their hashes, the roots of the first 1 to 8.
TREE = """
-                                6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d
00                               96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7
10                               0298d122906dcfc10892cb53a73992fc5b9f493ea4c9badb27b791b4127a7fe7
2021                             07506a85fd9dd2f120eb694f86011e5bb4662e5c415a62917033d4a9624487e7
3031                             bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b
40414243                         4271a26be0d8a84f0bd54c8c302e7cb3a3b5d1fa6780a40bcce2873477dab658
5051525354555657                 b08693ec2e721597130641e8211e7eedccb4c26413963eee6c1e2ed16ffb1a5f
606162636465666768696a6b6c6d6e6f 46f6ffadd3d06a09ff3c5860d2755c8b9819db7df44251788c7d8e3180de8eb1
"""
ROOTS = """
6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d
fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125
aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77
d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7
4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4
76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef
ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c
5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328
"""


def mth(hashes):
    """RFC 9162 section 2.1.1, over leaf hashes."""
    if len(hashes) < 2:
        return hashes[0] if hashes else sha256(b"")
    left = 1 << (len(hashes) - 1).bit_length() - 1
    return node_hash(mth(hashes[:left]), mth(hashes[left:]))


def inclusion(index, hashes):
    """RFC 9162 section 2.1.3.1: the leaf's sibling first."""
    if len(hashes) == 1:
        return []
    left = 1 << (len(hashes) - 1).bit_length() - 1
    if index < left:
        return inclusion(index, hashes[:left]) + [mth(hashes[left:])]
    return inclusion(index - left, hashes[left:]) + [mth(hashes[:left])]


def consistency(first, hashes, known=True):
    """RFC 9162 section 2.1.4.1."""
    if first == len(hashes):
        return [] if known else [mth(hashes)]
    left = 1 << (len(hashes) - 1).bit_length() - 1
    if first <= left:
        return consistency(first, hashes[:left], known) + [mth(hashes[left:])]
    return consistency(first - left, hashes[left:], False) + [mth(hashes[:left])]


def tree_vector(_):
    rows, roots = [row.split() for row in TREE.split("\n") if row], ROOTS.split()
    same("tree: root of no leaves", mth([]), sha256(b""))
    hashes = []
    for (data, stated), root in zip(rows, roots):
        hashes.append(leaf_hash(bytes.fromhex(data.strip("-"))))
        same(f"tree: hash of leaf {len(hashes) - 1}", hashes[-1], stated)
        same(f"tree: root of {len(hashes)}", mth(hashes), root)
        shown(f"tree of {len(hashes)}", stated, root)
    n46 = "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a"
    n68 = "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0"
    proofs = {
        "inclusion of leaf 5 in 8": (inclusion(5, hashes), [rows[4][1], n68, roots[3]]),
        "consistency of 6 and 8": (consistency(6, hashes), [n46, n68, roots[3]]),
    }
    for name, (found, stated) in proofs.items():
        same(f"tree: {name}", b"".join(found), "".join(stated))
    shown("inner nodes", n46, n68)


def checkpoint_vector(_):
    root, seconds = bytes.fromhex(ROOTS.split()[7]), 1763700000
    note = checkpoint(8, root)
    text = note.split("\n\n")[0] + "\n"
    key, key_id, vkey = note_key(WITNESS, b"\2" * 32, b"\4")
    signed = key.sign(f"cosignature/v1\ntime {seconds}\n{text}".encode())
    line = f"\u2014 {WITNESS} {b64(key_id + struct.pack('>Q', seconds) + signed)}\n"
    stated = {
        "root": "XcnaeacGWamtVZy3Ad7ZoqudgjqtL0lgz+Nw7/RgQyg=",
        "signature": "sLXVr6s8zYAcEl4EoFTxsSGY1/HoFIUeMVFjg6s5pXip8pWOymIew5jp3RdSI9BOC5RBJKGeY5ED36Dx"
        "HsZ2ueKsAw4=",
        "witness vkey": WITNESS + "+b4f59ab9+BIE5dw6ofRdfVqNUZsNMfszLjYqRtO43ol32D1uPybOU",
        "cosignature": "tPWauQAAAABpH+0gWRhTLqZNd4KFogXFj+XJABDt32oGXGBZCtjd9dnkbSjB6QpyESg5d9kW5ktHip3i"
        "Kpcu85SEdeaQw1P55yIvCQ==",
    }
    recomputed = b64(root), note.split(" ")[-1].strip(), vkey, line.split(" ")[-1].strip()
    for (name, value), found in zip(stated.items(), recomputed):
        same(f"checkpoint: {name}", found, value)
    shown("checkpoint", VKEY, vkey, note + line)
    # The example of C2SP signed-note: another's key and signature.
    vkey = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"
    signature = "Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1"
    signature += "Yu72IneyaQM="
    (name, key_id, public), data = vkey.split("+", 2), base64.b64decode(signature)
    public = base64.b64decode(public)
    same("signed note: key id of the vkey", sha256(name.encode(), b"\n", public)[:4], key_id)
    same("signed note: key id of the signature", data[:4], key_id)
    verifier = Ed25519PublicKey.from_public_bytes(public[1:])
    verifier.verify(data[4:], b"This is an example message.\n")
    check("signed note: signature", True)
    shown("the signed note", vkey, signature)


def sample(path):
    """Which leaves a seed names in a tree of some size."""
    for line in path.read_text("ascii").splitlines():
        seed, size, count, *stated = line.split(" ")
        seed, size, count, named, counter = bytes.fromhex(seed), int(size), int(count), [], 0
        while len(named) < count:
            numbers = struct.pack(">QH", size, len(seed)), seed, struct.pack(">Q", counter)
            draw = int.from_bytes(sha256(b"ceralacca v1 sample\0", *numbers)[:8], "big")
            if draw < 2**64 - 2**64 % size and draw % size not in named:
                named.append(draw % size)
            counter += 1
        same(f"sample.txt: {count} of {size}", named, [int(index) for index in stated])
    shown("sample.txt: first line", path.read_text("ascii").splitlines()[0])


def interval_map(path):
    empty = [bytes(32)]
    for _ in range(256):
        empty.append(sha256(b"\3", empty[-1], empty[-1]))

    def node(depth, keys):
        if not keys:
            return empty[256 - depth]
        if depth == 256:
            return sha256(b"\2", *keys[0])
        halves = [[k for k in keys if k[0][depth // 8] >> 7 - depth % 8 & 1 == side] for side in (0, 1)]
        return sha256(b"\3", *(node(depth + 1, half) for half in halves))

    keys = sorted((sha256(bytes([i])), sha256(b"v", bytes([i]))) for i in range(3))
    halves = [[k for k in keys if k[0][0] >> 7 == side] for side in (0, 1)]
    salt = b"\7" * 32
    file = b"CLXMAP1\n" + b"\1" + bytes(7) + sha256(salt) + b"".join(k + v for k, v in keys)
    file += node(0, keys) + node(1, halves[0]) + node(1, halves[1]) + struct.pack(">QQQ", 0, len(halves[0]), 3)
    found = {
        "key": sha256(b"PEC-DAYMAP-v1\0", salt, b"\1", b"opec1.20261121@pec.example.test"),
        "value": sha256(struct.pack(">I", 2), b"\1" * 32, b"\2" * 32),
        "salt digest": sha256(salt),
        "EMPTY[256]": empty[256],
        "root": node(0, keys),
        "file of the three keys, bits 1, SHA-256": sha256(file),
    }
    lines = path.read_text("ascii").splitlines()
    for name, value in found.items():
        check(f"map.txt: {name}", f"{name} {value.hex()}" in lines)


def log_file(path):
    """Head, a record, a record with a content, a bare leaf: the commitments of the second and third are recomputed."""
    head, *lines = path.read_text("ascii").splitlines()
    keys = ["class", "first", "format", "interval", "origin", "part", "salt"]
    check("log-file.jsonl: head", list(json.loads(head)) == keys)
    for number, line in enumerate(lines[:2]):
        record = json.loads(line)
        leaf, opening = bytes.fromhex(record["leaf"]), bytes.fromhex(record["opening"])
        metadata = line[line.index('"metadata":') + 11 : -1].encode()
        content = b"a trust item" if "content" in record else b""
        digests = len(content).to_bytes(8, "big") + sha256(content) + blake3(content)
        if content:
            said = record["content"]
            same("log-file.jsonl: content", digests[8:].hex(), said["sha256"] + said["blake3"])
        opened = b"PEC-ARCHIVE-COMMIT-v1\0" + opening + leaf[5:6] + digests + sha256(metadata)
        same(f"log-file.jsonl: commitment {number}", sha256(opened).hex(), leaf[32:].hex())
    same("log-file.jsonl: bare leaf", json.loads(lines[2])["leaf"], json.loads(lines[0])["leaf"])


def canonical(path):
    """Canonical JSON (RFC 8785), of texts and integers alone, in one line."""
    text = path.read_text("utf-8")
    again = json.dumps(json.loads(text), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    same(f"{path.name}: canonical", again + "\n", text)


def absence(path):
    """Canonical lines: a closed interval with three classes, an open one."""
    for line in path.read_text("utf-8").splitlines():
        told = json.loads(line)
        same(f"{path.name}: canonical", json.dumps(told, sort_keys=True, separators=(",", ":")), line)
        closed = told["state"] == "closed"
        same(f"{path.name}: members", list(told), ["classes", "closing"] * closed + ["end", "interval", "state"])
        for answer in told.get("classes", []):
            same(f"{path.name}: class", "disposed" in answer, not {"proof", "salt"} <= set(answer))


def catalogue(path):
    canonical(path)
    for file in json.loads(path.read_text("utf-8"))["files"]:
        same(f"{path.name}: {file['path']}", sha256(file["path"].encode()).hex(), file["sha256"])


def file_of_rows(_):
    row = struct.pack(">BHI", 5, 1, 4) + b"\1" + b"\1\xcc\xcc\xcc"
    shown("a row of a file of rows", row.hex())
    restored = {"known": 69990, "packages": 2, "schema": 1, "size": 70000, "type": "restored"}
    shown("the metadata of a restore", json.dumps(restored, separators=(",", ":")))


def evidence_tree(_):
    leaves = [sha256(text) for text in (b"alpha", b"beta", b"gamma")]
    root = sha256(*sorted([sha256(*sorted(leaves[:2])), leaves[2]]))
    rows = b"".join(struct.pack(">Q", id) + leaf for id, leaf in zip((4, 7, 2**64 - 1), leaves))
    shown("the evidence tree", (b"CLXERT1\n\1" + bytes(7) + rows + root + struct.pack(">Q", 3)).hex())


def families(path):
    """One row of every family and kind of row: `family: key => value`."""
    record, unit = struct.Struct(">QHQ").pack, struct.Struct(">QH").pack
    first, size, nonce, note = 258, 259, b"\x22" * 16, b"note\n"
    identity = struct.pack(">BBIB", 1, 1, 1, 9) + b"gestore-1" + LOG.encode()
    leaf = leaf_bytes(3, first, TIME, 1, b"\x44" * 32, epoch=3)
    part = struct.pack(">BH", 1, 1) + b"\xaa" * 5
    posting = unit(DAY, 1) + b"\4" + b"\x66" * 8 + struct.pack(">Q", first)
    cut = struct.pack(">BBQ32sQ", 1, 2, size, b"\x33" * 32, TIME) + note
    erased = struct.pack(">BBQQBQQQQB", 1, 2, 262, TIME, 2, 260, 259, 3, 1, 1)
    held = struct.pack(">BBBQQI", 1, 1, 1, TIME, 1863700000000, 2) + struct.pack(">QQQQ", 7, 9, 11, 11) + b"\x88" * 3
    carried = unit(DAY, 4) + struct.pack(">I", 1)
    copied = carried + struct.pack(">Q", first)
    rows = [
        ("state", b"\1", identity),
        ("state", b"\2", struct.pack(">BBQ32sIQ", 1, 2, size, b"\x33" * 32, 3, TIME)),
        ("state", b"\3", b"\1\3" + note),
        ("state", b"\4", struct.pack(">BBQ", 1, 4, size)),
        ("state", struct.pack(">BI", 5, 2), struct.pack(">BBIQ", 1, 5, 2, first) + VKEY.encode()),
        ("state", b"\6", struct.pack(">BBQQQ", 1, 6, 3, 1, first)),
        ("state", b"\7", b"\1\7\1"),
        ("state", b"\x08", struct.pack(">BBQQB", 1, 8, TIME, 259200000, 0)),
        ("state", b"\x08", struct.pack(">BBQQBq", 1, 8, TIME, 1, 1, -2500)),
        ("leaf", struct.pack(">Q", first), b"\1" + leaf),
        ("tile", struct.pack(">BQ", 1, 2), b"\1" + b"".join(bytes([i]) * 32 for i in range(256))),
        ("metadata", record(DAY, 4, first), struct.pack(">BBBH", 1, 1, 2, 1) + nonce + b"\xbb" * 20),
        ("metadata", record(DAY, 1, first), struct.pack(">BBBH", 1, 2, 0, 1) + nonce + b"\xbb" * 20),
        ("content", record(DAY, 4, first) + struct.pack(">I", 1), part),
        ("chunk", unit(DAY, 5) + nonce + struct.pack(">I", 2), part),
        ("staging", unit(DAY, 5) + nonce, b"\1"),
        ("secret", b"\1", b"\1" + b"\xcc" * 3),
        ("secret", b"\2", b"\1" + b"\xcc" * 3),
        ("secret", b"\3" + unit(DAY, 1), b"\1" + b"\xcc" * 3),
        ("secret", b"\4" + record(DAY, 4, first), b"\1" + b"\xcc" * 3),
        ("secret", b"\5", b"\1" + b"\xcc" * 3),
        ("idempotency", struct.pack(">Q", DAY) + b"\x55" * 32, struct.pack(">BQ", 1, first)),
        ("index", posting, b""),
        ("leaf-hash", struct.pack(">BQ", 0x44, 2), b"\1" + struct.pack(">HHHH", 0x102, 3, 0x405, 6)),
        ("interval", struct.pack(">QB", DAY, 1), struct.pack(">BBQQ", 1, 1, DAY + 86400000, first)),
        ("interval", struct.pack(">QB", DAY, 2), cut),
        ("interval", struct.pack(">QB", DAY, 3), struct.pack(">BBQQ", 1, 3, first, TIME)),
        ("checkpoint", struct.pack(">Q", size), b"\1" + note),
        ("checkpoint", b"\xff" + struct.pack(">Q", size), b"\1" + note),
        ("dictionary", struct.pack(">H", 1), b"\1" + b"\x77" * 4),
        ("secret", b"\6" + carried, b"\1" + b"\x55" * 3),
        ("disposal", struct.pack(">BQ", 1, first), struct.pack(">BBBBQ", 1, 1, 1, 1, 260)),
        ("disposal", struct.pack(">BQ", 1, first), struct.pack(">BBBBQQQQ", 1, 1, 3, 2, 260, 262, 7, TIME)),
        ("disposal", b"\2" + carried, struct.pack(">BBBQQ", 1, 2, 2, first, 2**64 - 1) + b"{}"),
        ("disposal", b"\2" + carried, struct.pack(">BBBQQ", 1, 2, 10, first, 264) + b"{}"),
        ("disposal", b"\3" + carried, b"\1\3" + b"0" * 4),
        ("disposal", b"\4" + carried, struct.pack(">BBQQQQQ", 1, 4, TIME, 3, 4, 9, 9)),
        ("held", b"\1" + unit(DAY, 4), struct.pack(">BBI", 1, 1, 1)),
        ("held", b"\2" + copied, struct.pack(">BBBH", 1, 2, 1, 1) + nonce + b"\xbb" * 5),
        ("held", b"\3" + copied + struct.pack(">I", 1), struct.pack(">BBH", 1, 3, 1) + b"\xaa" * 5),
        ("held", b"\4" + carried + b"\3" + b"\x44" * 8 + struct.pack(">Q", first), b"\1\4"),
        ("hold", struct.pack(">QB", first, 1), held),
        ("hold", struct.pack(">QB", first, 2), struct.pack(">BBQQ", 1, 2, 260, TIME) + b"\x99" * 3),
        ("hold", struct.pack(">QB", first, 3), struct.pack(">BBQQ", 1, 3, 260, TIME) + b"\x99" * 3),
        ("erasure", struct.pack(">QB", first, 1), struct.pack(">BBQQB", 1, 1, 260, TIME, 2) + b"\x99" * 3),
        ("erasure", struct.pack(">QB", first, 2), erased + b"\x99" * 3),
        ("erasure", struct.pack(">QB", first, 3), b"\1\3" + b"\x99" * 3),
    ]
    stated = path.read_text("utf-8").splitlines()
    same("families.txt: rows", len(rows), len(stated))
    for (family, key, value), line in zip(rows, stated):
        text = value.hex()
        if len(text) > 400:
            text = f"{text[:64]}\u2026 {len(value)} bytes, SHA-256 {sha256(value).hex()}"
        same(f"families.txt: {family} {key.hex()[:20]}", f"{family}: {key.hex()} => {text}", line)
        shown(f"families.txt: {family} {key.hex()[:20]}", line)


def derivation(path):
    secret, nonce = b"\x11" * 32, b"\x22" * 16

    def subkey(use):
        return blake3_derive("ceralacca v1 class secret: " + use, secret)

    principal, client_key = b"p1", b"k1"
    client = struct.pack(">I", len(principal)) + principal + client_key
    recomputed = {
        "opening": blake3_keyed(subkey("opening"), nonce),
        "record key": blake3_keyed(subkey("record key"), nonce),
        "object wrap": blake3_keyed(subkey("object wrap"), nonce),
        "file key": blake3_keyed(subkey("file"), nonce),
        "map salt": subkey("map salt"),
        "token identificativo abc": blake3_keyed(subkey("token identificativo"), b"abc")[:8],
        "token event abc": blake3_keyed(subkey("token event"), b"abc")[:8],
        "client key": blake3_keyed(subkey("idempotency"), client),
    }
    compare(path, recomputed)


def encrypt(path):
    part, last, dictionary = 0, 0, 1
    place = sha256(LOG.encode()) + struct.pack(">QH", DAY, 1) + b"\x22" * 16
    data = b"\1" + place + struct.pack(">IBH", part, last, dictionary)
    stated = two_columns(path)
    same("encrypt.txt: data", data, stated["data"])
    gcm, nonce = AESGCM(b"\x33" * 32), bytes(7) + struct.pack(">IB", part, last)
    frame = gcm.decrypt(nonce, bytes.fromhex(stated["empty"]), data)
    check("encrypt.txt: empty decrypts under its key, nonce and associated data", True)
    # RFC 8878: magic; descriptor 20 = single segment, content size in 1 byte, no checksum, no
    # dictionary id; content size 0; one block: last, raw, size 0.
    same("encrypt.txt: empty is the zstd magic", frame[:4], "28b52ffd")
    same("encrypt.txt: empty is a zstd frame of no content", frame[4:], "2000010000")
    whole = f"data {data.hex()}\nempty {gcm.encrypt(nonce, frame, data).hex()}\n"
    check("encrypt.txt: nothing else in the file", path.read_bytes() == whole.encode())
    shown(path.name, *stated.values())


def wrap(path):
    def wrapped(context, wrapping, secret, use):
        nonce = b"\3" * 16
        key = blake3_keyed(blake3_derive(context, wrapping), nonce)
        data = b"ceralacca v1 secret\0" + sha256(b"o") + use
        return nonce + AESGCM(key).encrypt(bytes(12), secret, data)

    master, log, secret = b"\1" * 32, b"\2" * 32, b"\4" * 32
    use = b"\3" + struct.pack(">QH", 5, 1)
    recomputed = {
        "log key": wrapped("ceralacca v1 master key: log key wrap", master, log, b"\1"),
        "class secret": wrapped("ceralacca v1 log key: secret wrap", log, secret, use),
        "signing seed": wrapped("ceralacca v1 log key: secret wrap", log, secret, b"\2"),
    }
    compare(path, recomputed)


def hold_detail(path):
    nonce = b"\3" * 16
    key = blake3_keyed(blake3_derive("ceralacca v1 log key: secret wrap", b"\2" * 32), nonce)
    data = b"ceralacca v1 secret\0" + sha256(b"o") + b"\4" + struct.pack(">QB", 258, 1)
    compare(path, {"detail": nonce + AESGCM(key).encrypt(bytes(12), b"abc", data)})


def issue_tag(path):
    subkey = blake3_derive("ceralacca v1 log key: issue", b"\2" * 32)
    data = sha256(b"certificate")
    for name in b"001-accettazione.eml", b"LEGGIMI.txt":
        data += struct.pack(">I", len(name)) + name + sha256(b"abc")
    compare(path, {"issue tag": blake3_keyed(subkey, data)})


def object_wrap(path):
    nonce = b"\x22" * 16
    subkey = blake3_derive("ceralacca v1 class secret: object wrap", b"\5" * 32)
    place = sha256(LOG.encode()) + struct.pack(">QH", DAY, 1) + nonce
    own = b"\6" * 32 + b"\7" * 32
    gcm = AESGCM(blake3_keyed(subkey, nonce))
    compare(path, {"object": gcm.encrypt(bytes(12), own, b"ceralacca v1 object\0" + place)})


def dictionaries(path):
    trace_1 = path.parent.parent / "dict" / "trace-1.zdict"
    compare(path, {"0": sha256(b""), "1": sha256(trace_1.read_bytes())})


def acknowledgement(path):
    stored = path.read_bytes()
    stored = stored[:-1] if stored.endswith(b"\n") else stored
    said = json.loads(stored)
    spelled = json.dumps(said, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    check("acknowledgement.json: is canonical JSON", spelled.encode() == stored)
    # From its own members.
    for record in said["records"]:
        leaf, opening = bytes.fromhex(record["leaf"]), bytes.fromhex(record["opening"])
        content = struct.pack(">Q", int(record["content_bytes"]))
        content += bytes.fromhex(record["content_sha256"] + record["content_blake3"])
        metadata = bytes.fromhex(record["metadata_sha256"])
        sealed = sha256(b"PEC-ARCHIVE-COMMIT-v1\0", opening, leaf[5:6], content, metadata)
        same("acknowledgement.json: the leaf's commitment", sealed, leaf[32:])
    key, key_id, _ = note_key(LOG, b"\1" * 32)
    text, signature = said["checkpoint"].rsplit("\n\n", 1)
    text = (text + "\n").encode()
    signature = base64.b64decode(signature.split(" ")[2])
    same("acknowledgement.json: key id of the checkpoint", signature[:4], key_id)
    key.public_key().verify(signature[4:], text)
    check("acknowledgement.json: signature of the checkpoint", True)
    # From its inputs.
    opening, content, metadata = b"\5" * 32, b"ricevuta", sha256(b"{}")
    leaf = leaf_bytes(2, 7, TIME, 4, commitment(opening, 2, content, metadata))
    made = {
        "checkpoint": checkpoint(8, b"\3" * 32),
        "id": LOG + "/7",
        "level": "LOCAL",
        "origin": LOG,
        "received_sha256": sha256(content).hex(),
        "records": [
            {
                "content_blake3": blake3(content).hex(),
                "content_bytes": str(len(content)),
                "content_sha256": sha256(content).hex(),
                "leaf": leaf.hex(),
                "metadata_sha256": metadata.hex(),
                "opening": opening.hex(),
            }
        ],
        "repeated": "no",
        "schema": "ceralacca-acknowledgement/1",
        "time_ms": TIME,
    }
    for member in sorted(made.keys() | said.keys()):
        same(f"acknowledgement.json: {member}", made.get(member), said.get(member))


def add_checkpoint(path):
    rows = [row.split()[0].strip("-") for row in TREE.split("\n") if row]
    leaves = [leaf_hash(bytes.fromhex(row)) for row in rows]
    made = "old 3\n" + "".join(b64(node) + "\n" for node in consistency(3, leaves[:7]))
    same("add-checkpoint.txt", made + "\n" + checkpoint(7, mth(leaves[:7])), path.read_text("utf-8"))


def monitor_state(path):
    leaves = [leaf_hash(leaf_bytes(3, seq, TIME, 1, bytes([seq]) * 32)) for seq in range(5)]
    made = f"ceralacca-monitor/1\nsince {TIME}\nreplayed 5\n"
    made += mth(leaves[:4]).hex() + "\n" + leaves[4].hex() + "\n\n"
    same("monitor-state.txt", made + checkpoint(5, mth(leaves)), path.read_text("utf-8"))


def verifies(text, *content, vkey=VKEY):
    """Runs the verifier on a proof: whether it said OK, and all it said."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "proof").write_bytes(text if isinstance(text, bytes) else text.encode())
        command = [sys.executable, str(VERIFIER), vkey, "proof"]
        for data in content:
            Path(folder, "content").write_bytes(data)
            command.append("content")
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    last = (done.stdout.splitlines() or [""])[-1]
    good = done.returncode == 0 and last.startswith("OK ")
    bad = done.returncode == 1 and last.startswith("FAIL: ")
    if good == bad or done.stderr:
        raise ValueError(f"verifier is neither OK nor FAIL: {last} {done.stderr}")
    return good


def next_character(byte):
    """Another byte; in base64 the next digit, so that only the last bits of a group change."""
    digits = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    return digits[(digits.find(byte) + 1) % 64]


def altered(text):
    """(what, damaged twin): each character of each line altered, each line removed."""
    lines, start = text.splitlines(keepends=True), 0
    for number, line in enumerate(lines, 1):
        twins = []
        for at in range(start, start + len(line)):
            twins.append(text[:at] + bytes([next_character(text[at])]) + text[at + 1 :])
        start += len(line)
        yield f"line {number}, any character altered", twins
        yield f"line {number} removed", [b"".join(lines[: number - 1] + lines[number:])]


def proof(path):
    stored = path.read_bytes()
    check("record.tlog-proof: verifies", verifies(stored))
    check("record.tlog-proof: verifies with its content", verifies(stored, b""))
    # From its inputs: record 1 of three.
    opening, content = b"\5" * 32, b""
    metadata = json.dumps(
        {"event": "accettazione", "identificativo": "opec1.example", "schema": 1, "type": "trace"},
        separators=(",", ":"),
    ).encode()
    leaf = leaf_bytes(3, 1, TIME, 1, commitment(opening, 3, content, sha256(metadata)))
    first, last = leaf_hash(b"a"), leaf_hash(b"c")
    root = node_hash(node_hash(first, leaf_hash(leaf)), last)
    note = checkpoint(3, root)

    def made(metadata, leaf=leaf, index=1, path=(first, last), note=note):
        return proof_file(record_block(leaf, opening, content, metadata), index, path, note)

    check("record.tlog-proof: whole file recomputed", made(b"\1" + metadata).encode() == stored)
    digest = b"\0" + sha256(metadata)
    check("record.tlog-proof: verifies with the digest of its metadata", verifies(made(digest)))
    # Damaged twins.
    other = note_key(LOG, b"\2" * 32)[2]
    check("record.tlog-proof: another key refused", not verifies(stored, vkey=other))
    check("record.tlog-proof: other content refused", not verifies(stored, b"x"))
    signed_otherwise = checkpoint(3, root, b"\2" * 32)
    twins = {
        "an extra hash": made(digest, path=(first, last, last)),
        "a missing hash": made(digest, path=(first,)),
        "hashes in another order": made(digest, path=(last, first)),
        "another index": made(digest, index=0),
        "an index outside the tree": made(digest, index=3),
        "another record": made(digest, leaf=leaf[:24] + b"\0\5" + leaf[26:]),
        "other metadata": made(b"\1" + metadata + b" "),
        "another form of metadata": made(b"\2" + sha256(metadata)),
        "a digest too long": made(digest + b"\0"),
        "the signature of another key": made(digest, note=signed_otherwise),
        "a root without its signature": made(digest, note=note.replace("\n3\n", "\n4\n")),
        "carriage returns": made(digest).replace("\n", "\r\n"),
        "nothing in it": "",
    }
    cases = list(altered(stored)) + [(what, [twin]) for what, twin in twins.items()]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        found = [(what, [pool.submit(verifies, twin) for twin in twins]) for what, twins in cases]
    for what, results in found:
        accepted = sum(result.result() for result in results)
        detail = f"{accepted} of {len(results)} accepted"
        check(f"record.tlog-proof: {what} refused", accepted == 0, detail)


def rotation(path):
    """A key rotation: the key event is record 4 of five, under a checkpoint that both keys signed."""
    stored = path.read_bytes()
    keys = [note_key(LOG, bytes([seed]) * 32)[2] for seed in (1, 2)]
    metadata = json.dumps(
        {"new": keys[1], "old": keys[0], "schema": 1, "type": "key-rotation"}, separators=(",", ":")
    ).encode()
    opening = b"\5" * 32
    leaf = leaf_bytes(9, 4, TIME, 6, commitment(opening, 9, b"", sha256(metadata)))
    hashes = [leaf_hash(struct.pack(">Q", number)) for number in range(1, 5)] + [leaf_hash(leaf)]
    root = mth(hashes)
    second = checkpoint(5, root, b"\2" * 32).split("\n\n")[1]
    block = record_block(leaf, opening, b"", b"\1" + metadata)
    made = proof_file(block, 4, inclusion(4, hashes), checkpoint(5, root) + second)
    check("rotation.tlog-proof: whole file recomputed", made.encode() == stored)
    for number, key in enumerate(keys):
        check(f"rotation.tlog-proof: verifies under key {number}", verifies(stored, vkey=key))
    shown("rotation", metadata.decode())


VALUES = {
    "commitment and leaf": leaf_vector,
    "canonical metadata": metadata_vector,
    "tree": tree_vector,
    "checkpoint": checkpoint_vector,
    "evidence tree": evidence_tree,
    "file of rows": file_of_rows,
}
FILES = {
    "formats/vectors": {
        "derivation.txt": derivation,
        "encrypt.txt": encrypt,
        "wrap.txt": wrap,
        "object-wrap.txt": object_wrap,
        "hold-detail.txt": hold_detail,
        "issue-tag.txt": issue_tag,
        "dictionaries.txt": dictionaries,
        "acknowledgement.json": acknowledgement,
        "sample.txt": sample,
        "map.txt": interval_map,
        "log-file.jsonl": log_file,
        "closing.json": canonical,
        "absence-head.json": canonical,
        "absence.jsonl": absence,
        "disposal-certificate.json": canonical,
        "disposed-head.json": canonical,
        "erasure-certificate.json": canonical,
        "catalogue.json": catalogue,
        "export.json": catalogue,
        "add-checkpoint.txt": add_checkpoint,
        "monitor-state.txt": monitor_state,
        "record.tlog-proof": proof,
        "rotation.tlog-proof": rotation,
    },
    "tests/vectors": {"families.txt": families},
}


def tools():
    """Whether everything this needs is installed."""
    for command in "b3sum", "openssl":
        check(f"tool: {command}", shutil.which(command), f"missing, install Debian package {command}")
    check("tool: cryptography", AESGCM, "missing, install Debian package python3-cryptography")
    return failed == 0


def attempt(name, vector, path):
    """Runs the checks of one vector; whatever stops them is a failure, with its reason."""
    try:
        vector(path)
    except subprocess.CalledProcessError as error:
        check(name, False, f"{error} {error.stderr.decode(errors='replace').strip()}")
    except Exception as error:  # the next vector is checked all the same
        check(name, False, f"{type(error).__name__} {error}")


def main():
    global DOCUMENT
    if len(sys.argv) != 2:
        sys.exit("usage: check_vectors.py PATH_OF_REPO")
    repo = Path(sys.argv[1])
    if tools():
        DOCUMENT = "".join((repo / "docs" / "formats.md").read_text("utf-8").split())
        same("key of seed 01: vkey", note_key(LOG, b"\1" * 32)[2], VKEY)
        for name, vector in VALUES.items():
            attempt(name, vector, None)
        for folder, vectors in FILES.items():
            for name, vector in vectors.items():
                attempt(name, vector, repo / folder / name)
            there = sorted(path.name for path in (repo / folder).glob("*") if path.is_file())
            same(f"{folder}: every file is checked here", sorted(vectors), there)
    print(f"{passed} passed, {failed} failed")
    sys.exit(failed > 0)


main()
