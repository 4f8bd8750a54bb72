#!/usr/bin/python3
"""Reads a log through its static face, from the specifications alone, and verifies all of it.

verify_log.py VKEY PREFIX [--rotation FILE]... [--witness VKEY]... [--older FILE]... [--leaf INDEX HEX]... [--save DIR]
VKEY is the log's first key (name+id+base64), had from elsewhere; PREFIX a URL with `checkpoint` and `tile/...` below it
(C2SP tlog-tiles), fetched with curl; file:// does too. Every hash above the leaves is computed again (RFC 9162, 2.1), up
to the signed root. --rotation: the proof file of a change of the log's key, in their order, signed by the key before it
and by the next. --witness: must have cosigned (C2SP tlog-cosignature). --older: a checkpoint seen before, which the log
must continue. --leaf: 64 bytes, proven with the few tiles on its way to the root. --save keeps what was fetched.
Ends with "OK ..." and status 0, or "FAIL ..." and status 1. Ed25519 is that of python3-cryptography."""
import argparse, base64, hashlib, json, pathlib, re, subprocess, sys
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
def sha256(*parts): return hashlib.sha256(b"".join(parts)).digest()
def node(left, right): return sha256(b"\1", left, right)
def half(start, end): return start + (1 << (end - start - 1).bit_length() - 1)
def need(condition, what):
    if not condition: raise ValueError(what)
def decode(text):
    data = base64.b64decode(text, validate=True)
    need(base64.b64encode(data).decode() == text, "base64 is not canonical")
    return data

def tree(hashes):
    """MTH of leaf hashes or of roots of equal perfect subtrees: the same shape."""
    while len(hashes) > 1:
        pairs = [node(*hashes[i : i + 2]) for i in range(0, len(hashes) - 1, 2)]
        hashes = pairs + hashes[len(hashes) & ~1 :]
    return hashes[0] if hashes else sha256()

def root_over(leaf, index, start, end, sibling):
    """The root over D[start:end] from a leaf and its siblings (RFC 9162, 2.1.3), the one next to the root first."""
    if end - start == 1: return leaf
    middle = half(start, end)
    other = sibling(*((middle, end) if index < middle else (start, middle)))
    if index < middle: return node(root_over(leaf, index, start, middle, sibling), other)
    return node(other, root_over(leaf, index, middle, end, sibling))

class Key:
    def __init__(self, vkey, kind):
        self.vkey, self.kind, (self.name, key_id, key) = vkey, kind, vkey.split("+", 2)
        self.id, key = bytes.fromhex(key_id), decode(key)
        need(len(key) == 33 and key[0] == kind, f"{self.name} is a key of another kind")
        need(sha256(self.name.encode(), b"\n", key)[:4] == self.id, "the key has another id")
        self.public = Ed25519PublicKey.from_public_bytes(key[1:])
    def signatures(self, note):
        lines = re.fullmatch("(?s:.+\n)\n((?:\u2014 [^ +\n]+ [A-Za-z0-9+/=]+\n)+)", note)
        need(lines, "the note is malformed")
        signed = [(line.split(" ")[1], decode(line.split(" ")[2])) for line in lines[1].splitlines()]
        return [blob[4:] for name, blob in signed if (name, blob[:4]) == (self.name, self.id)]
    def signed(self, note):
        """Size and root of a checkpoint, which this key signed or cosigned."""
        text, signatures = note.rpartition("\n\n")[0] + "\n", self.signatures(note)
        need(signatures, f"{self.name} did not sign")
        for blob in signatures:
            seconds = f"cosignature/v1\ntime {int.from_bytes(blob[:8], 'big')}\n" if self.kind == 4 else ""
            self.public.verify(blob[8:] if seconds else blob, (seconds + text).encode())
        body = re.fullmatch("([^\n]+)\n(0|[1-9][0-9]*)\n([A-Za-z0-9+/]{43}=)\n", text)
        need(body and (self.kind == 4 or body[1] == self.name), "the checkpoint is malformed, or of another log")
        return int(body[2]), decode(body[3])
    def successor(self, proof, after):
        """The key that follows this one, and the size at which it does, out of the proof file of a rotation."""
        head, _, note = proof.partition("\n\n")
        magic, extra, index, *path = head.split("\n")
        need(magic == "c2sp.org/tlog-proof@v1" and extra[:6] == "extra " and index[:6] == "index ", "no proof file")
        block, index, path, (size, root) = decode(extra[6:]), int(index[6:]), [*map(decode, path)], self.signed(note)
        leaf, opening, content, metadata = block[4:68], block[68:100], block[100:172], block[173:]
        commitment = sha256(b"PEC-ARCHIVE-COMMIT-v1\0", opening, leaf[5:6], content, sha256(metadata))
        of_event = leaf[5] == 9 and int.from_bytes(leaf[12:20], "big") == index and after < size > index
        need(of_event and commitment == leaf[32:], "the leaf is not of a key event")
        found = root_over(sha256(b"\0", leaf), index, 0, size, lambda *_: path.pop())
        need(found == root and not path, "the key event is not in the log")
        facts = json.loads(metadata)
        need(facts["type"] == "key-rotation" and facts["old"] == self.vkey, "not a rotation of this key")
        new = Key(facts["new"], 1)
        need(new.name == self.name and new.signed(note) == (size, root), "the next key did not sign")
        return new, size

class Log:
    def __init__(self, key, prefix, save):
        self.prefix, self.save, self.tiles = prefix.rstrip("/"), save, {}
        self.note = self.fetch("checkpoint").decode()
        self.size, self.root = key.signed(self.note)
    def fetch(self, path):
        run = subprocess.run(["curl", "-sSf", f"{self.prefix}/{path}"], capture_output=True)
        need(run.returncode == 0, f"{path}: {run.stderr.decode(errors='replace').strip()}")
        if self.save:
            pathlib.Path(self.save, path).parent.mkdir(parents=True, exist_ok=True)
            pathlib.Path(self.save, path).write_bytes(run.stdout)
        return run.stdout
    def tile(self, level, number):
        """The hashes of a tile as far as the tree of the checkpoint fills it."""
        if (level, number) not in self.tiles:
            width = min((self.size >> 8 * level) - 256 * number, 256)
            groups = re.findall("...", str(number).zfill(-(-len(str(number)) // 3) * 3))
            path = "/".join(["x" + group for group in groups[:-1]] + groups[-1:])
            data = self.fetch(f"tile/{level}/{path}" + (f".p/{width}" if width < 256 else ""))
            need(len(data) == 32 * width, f"tile {level}/{path} has {len(data)} bytes")
            self.tiles[level, number] = [data[i : i + 32] for i in range(0, len(data), 32)]
        return self.tiles[level, number]
    def level(self, level):
        return [hash for number in range(-(-(self.size >> 8 * level) // 256)) for hash in self.tile(level, number)]
    def verify(self):
        """Recomputes everything above the leaves."""
        hashes = self.leaves = self.level(0)
        need(len(hashes) == self.size and tree(hashes) == self.root, "the leaves lead to another root")
        for level in range(1, 8):
            hashes = [tree(hashes[start : start + 256]) for start in range(0, len(hashes) & ~255, 256)]
            need(self.level(level) == hashes, f"level {level} has other hashes than the leaves")
    def subtree(self, start, end):
        """MTH(D[start:end]) of a subtree of the tree, from as few tiles as there can be."""
        level = 0
        while start % 256 ** (level + 1) == 0 and end - start >= 256 ** (level + 1):
            level += 1
        units = range(start // 256**level, min(start // 256**level + 256, end // 256**level))
        if units.stop * 256**level == end:
            return tree([self.tile(level, unit // 256)[unit % 256] for unit in units])
        return node(self.subtree(start, half(start, end)), self.subtree(half(start, end), end))

def main(asked):
    keys, size = [Key(asked.vkey, 1)], -1
    for proof in [pathlib.Path(file).read_text() for file in asked.rotation]:
        key, size = keys[-1].successor(proof, size)
        keys.append(key)
    log = Log(keys[-1], asked.prefix, asked.save)
    log.verify()
    for vkey in asked.witness:
        need(Key(vkey, 4).signed(log.note) == (log.size, log.root), "a witness cosigned something else")
    for note in [pathlib.Path(file).read_text() for file in asked.older]:
        by = [key for key in keys if key.signatures(note)]
        older, root = (by or keys)[0].signed(note)
        need(older <= log.size and tree(log.leaves[:older]) == root, f"the checkpoint of {older} is not continued")
    for index, leaf in [(int(index), bytes.fromhex(leaf)) for index, leaf in asked.leaf]:
        log.tiles.clear()
        need(len(leaf) == 64 and index < log.size, f"leaf {index} is none of this tree")
        found = root_over(sha256(b"\0", leaf), index, 0, log.size, log.subtree)
        need(found == log.root, f"leaf {index} is not in the log")
    print(f"OK {log.size} leaves, {len(asked.leaf)} proven, root {log.root.hex()}")

parser = argparse.ArgumentParser()
for name in ("vkey", "prefix", "--save"): parser.add_argument(name)
for name in ("--rotation", "--witness", "--older"): parser.add_argument(name, action="append", default=[])
parser.add_argument("--leaf", nargs=2, action="append", default=[])
try:
    main(parser.parse_args())
except (ValueError, OSError, LookupError, InvalidSignature) as error:
    print("FAIL", error or "a signature does not verify")
    sys.exit(1)
