#!/usr/bin/python3
"""Recomputes every golden vector of formats/vectors without the archive's own code.

    check_vectors.py PATH_OF_REPO

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
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
except ImportError:
    AESGCM = None

LOG = "pec.example.test/log"
VKEY = "pec.example.test/log+b0b5d5af+AYqI4910CfGV/VLbLTy6XXLKZwm/HZQSG/N0iAG0D29c"
VERIFIER = Path(__file__).resolve().with_name("verify_proof.py")
TIME = 1763700000000
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


def compare(path, recomputed):
    """Checks a file of `name value` lines: each value, and that there is nothing else in it."""
    stated = two_columns(path)
    for name, value in recomputed.items():
        same(f"{path.name}: {name}", value, stated.get(name, "nothing"))
    lines = "".join(f"{name} {value.hex()}\n" for name, value in recomputed.items())
    check(f"{path.name}: nothing else in the file", path.read_bytes() == lines.encode())


# The formats, as formats/src describes them.


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


def note_key(name, seed):
    """The signing key of this seed, its key id, and its vkey."""
    key = Ed25519PrivateKey.from_private_bytes(seed)
    public = b"\1" + key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
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
    place = sha256(LOG.encode()) + struct.pack(">QH", 1763683200000, 1) + b"\x22" * 16
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
    }
    compare(path, recomputed)


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


VECTORS = {
    "derivation.txt": derivation,
    "encrypt.txt": encrypt,
    "wrap.txt": wrap,
    "dictionaries.txt": dictionaries,
    "acknowledgement.json": acknowledgement,
    "record.tlog-proof": proof,
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
    if len(sys.argv) != 2:
        sys.exit("usage: check_vectors.py PATH_OF_REPO")
    folder = Path(sys.argv[1], "formats", "vectors")
    if tools():
        same("key of seed 01: vkey", note_key(LOG, b"\1" * 32)[2], VKEY)
        attempt("commitment and leaf", leaf_vector, None)
        for name, vector in VECTORS.items():
            attempt(name, vector, folder / name)
        there = sorted(path.name for path in folder.glob("*"))
        same("formats/vectors: every file is checked here", sorted(VECTORS), there)
    print(f"{passed} passed, {failed} failed")
    sys.exit(failed > 0)


main()
