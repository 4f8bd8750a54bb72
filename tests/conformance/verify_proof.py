#!/usr/bin/env python3
"""Verifies the proof of one record without the archive: Python 3.9 and openssl 3, nothing else.

    verify_proof.py VKEY PROOF [CONTENT]

VKEY is the log's key (name+id+base64), PROOF a .tlog-proof file, CONTENT the record's own bytes.
Ends with "OK ..." and status 0, or "FAIL: reason" and status 1. BLAKE3 is taken as the proof has it.
"""
import base64, hashlib, pathlib, re, struct, subprocess, sys, tempfile

HASH, NUMBER = "([0-9A-Za-z+/]{43}=)", "(0|[1-9][0-9]{0,19})"
PROOF = rf"c2sp\.org/tlog-proof@v1\nextra (.+)\nindex {NUMBER}\n((?:{HASH}\n){{0,63}})\n((?s:.+))"
NOTE = r"([^\0-\t\v-\x1f\x7f]+\n)\n((?:\u2014 [^+\s\0-\x1f\x7f]+ [^=\n]{7}.*\n){1,64})"

def sha256(*parts): return hashlib.sha256(b"".join(parts)).digest()
def check(true, statement):
    if not true: raise ValueError("not so: " + statement)
    print("ok:", statement)

def match(pattern, text, what):
    found = re.fullmatch(pattern, text)
    if not found: raise ValueError(what + " is malformed")
    return found.groups()

def decode(text):  # base64; encoding it again finds every other spelling, a missing pad too
    data = base64.b64decode(text + "==")
    if base64.b64encode(data).decode() != text: raise ValueError(f"not canonical base64: {text[:44]!a}")
    return data

def signed(public, text, signature):  # Ed25519; the key as DER SubjectPublicKeyInfo
    files = {"key": bytes.fromhex("302a300506032b6570032100") + public, "text": text, "sig": signature}
    command = "openssl pkeyutl -verify -pubin -keyform DER -rawin -inkey key -in text -sigfile sig"
    with tempfile.TemporaryDirectory() as folder:
        for name, data in files.items(): pathlib.Path(folder, name).write_bytes(data)
        run = subprocess.run(command.split(), cwd=folder, capture_output=True)
    if b"Signature Verif" not in run.stdout: raise ValueError("openssl (version 3) does not take the key")
    return run.returncode == 0

def root_of(leaf, index, size, path):  # the tree's definition, from the root down (RFC 9162, 2.1)
    if (size == 1) != (not path): raise ValueError("path has a hash too few or too many")
    if size == 1: return leaf
    left = 1 << (size - 1).bit_length() - 1  # the largest power of two below size
    if index < left: return sha256(b"\1", root_of(leaf, index, left, path[:-1]), path[-1])
    return sha256(b"\1", path[-1], root_of(leaf, index - left, size - left, path[:-1]))

def verify(vkey, proof, content=None):
    name, key_id, key = match("([!-*,-~]+)[+]([0-9a-f]{8})[+](.+)", vkey, "vkey")
    key = decode(key)
    good = len(key) == 33 and key[0] == 1 and sha256(name.encode(), b"\n", key)[:4].hex() == key_id
    check(good, f"vkey is the Ed25519 key {key_id} of {name}")
    extra, index, path, _, note = match(PROOF, proof.decode(), "proof file")
    text, lines = match(NOTE, note, "note")
    signatures = [(line.split(" ")[1], decode(line.split(" ", 2)[2])) for line in lines.split("\n")[:-1]]
    ours = [sig[4:] for signer, sig in signatures if (signer, sig[:4].hex()) == (name, key_id)]
    good = len(note.encode()) <= 65536 and ours and all(signed(key[1:], text.encode(), sig) for sig in ours)
    check(good, "the checkpoint is signed with this key")
    origin, size, root = match(rf"(.+)\n{NUMBER}\n{HASH}\n(?:.+\n)*", text, "checkpoint")
    index, size, block = int(index), int(size), decode(extra)
    check(origin == name and index < size < 2**64, f"it is of this log, of {size} leaves, over index {index}")
    magic, leaf, opening, length, sha, blake3, form = struct.unpack_from(">4s64s32sQ32s32sB", block)
    metadata = sha256(block[173:]) if form == 1 else block[173:]
    check(magic == b"CLX1" and form < 2 and len(metadata) == 32, "metadata has SHA-256 " + metadata.hex())
    magic, version, kind, flags, _, seq, time, cls, zero, sealed = struct.unpack(">4sBBHIQQHH32s", leaf)
    fixed = (magic, version, flags, zero, seq) == (b"PECL", 1, 0, 0, index)
    check(fixed and 1 <= kind <= 22 and 1 <= cls <= 6, f"leaf: kind {kind}, class {cls}, time {time} ms")
    record = opening, struct.pack(">BQ", kind, length), sha, blake3, metadata
    check(sha256(b"PEC-ARCHIVE-COMMIT-v1\0", *record) == sealed, "the leaf commits to content and metadata")
    found = root_of(sha256(b"\0", leaf), index, size, [decode(line) for line in path.split()])
    check(found == decode(root), "the path leads from the leaf to the root " + found.hex())
    if content is not None:
        check((len(content), sha256(content)) == (length, sha), "the content has SHA-256 " + sha.hex())
    print(f"OK record {index} of {origin}" + (", without" if content is None else ", with") + " its content")

try:
    if len(sys.argv) not in (3, 4): raise ValueError("usage: verify_proof.py VKEY PROOF [CONTENT]")
    verify(sys.argv[1], *[pathlib.Path(file).read_bytes() for file in sys.argv[2:]])
except (ValueError, OSError, MemoryError, struct.error) as error:
    print("FAIL:", error)
    sys.exit(1)
