#!/usr/bin/python3
"""Reads a log through its static face, from the specifications alone, and verifies all of it.

    read_tiles.py VKEY PREFIX [--save FOLDER] [--leaf INDEX HEX]...

VKEY is the log's key (name+id+base64), had from elsewhere; PREFIX a URL below which `checkpoint` and `tile/...` are
(C2SP tlog-tiles), fetched with curl; file:// does too. Every tile is fetched, every hash above the leaves is computed
again (RFC 9162, 2.1), and the root must be the signed one. Each --leaf, 64 bytes in hexadecimal, is then proven with
the few tiles on its way to the root. --save keeps what was fetched. Ends with "OK ..." and status 0, or "FAIL ..."
and status 1. Ed25519 is that of python3-cryptography.
"""
import argparse, base64, hashlib, pathlib, re, subprocess, sys

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey


def need(condition, what):
    if not condition:
        raise ValueError(what)


def sha256(*parts):
    return hashlib.sha256(b"".join(parts)).digest()


def node(left, right):
    return sha256(b"\1", left, right)


def tree(hashes):
    """MTH of leaf hashes or of roots of equal perfect subtrees: the same shape."""
    while len(hashes) > 1:
        pairs = [node(*hashes[i : i + 2]) for i in range(0, len(hashes) - 1, 2)]
        hashes = pairs + hashes[len(hashes) & ~1 :]
    return hashes[0] if hashes else sha256()


class Log:
    def __init__(self, vkey, prefix, save):
        self.prefix, self.save = prefix.rstrip("/"), save
        name, key_id, key = vkey.split("+", 2)
        key = base64.b64decode(key, validate=True)
        need(key[0] == 1 and len(key) == 33, "the key is not of a log")
        need(sha256(name.encode(), b"\n", key)[:4].hex() == key_id, "the key has another id")
        self.size, self.root = self.checkpoint(name, bytes.fromhex(key_id), key[1:])
        self.tiles = {}

    def fetch(self, path):
        command = ["curl", "--silent", "--show-error", "--fail", f"{self.prefix}/{path}"]
        run = subprocess.run(command, capture_output=True)
        need(run.returncode == 0, f"{path}: {run.stderr.decode(errors='replace').strip()}")
        if self.save:
            file = pathlib.Path(self.save, path)
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(run.stdout)
        return run.stdout

    def checkpoint(self, name, key_id, key):
        note = self.fetch("checkpoint").decode()
        text, _, signatures = note.rpartition("\n\n")
        text += "\n"
        good = False
        for line in signatures.splitlines():
            signed = re.fullmatch("\u2014 ([^ +]+) ([A-Za-z0-9+/=]+)", line)
            need(signed, "a signature line is malformed")
            blob = base64.b64decode(signed[2], validate=True)
            if (signed[1], blob[:4]) == (name, key_id):
                try:
                    Ed25519PublicKey.from_public_bytes(key).verify(blob[4:], text.encode())
                except InvalidSignature:
                    raise ValueError("the signature of the log does not verify") from None
                good = True
        need(good, "the log did not sign")
        body = re.fullmatch("([^\n]+)\n(0|[1-9][0-9]*)\n([A-Za-z0-9+/]{43}=)\n", text)
        need(body and body[1] == name, "the checkpoint is malformed, or of another log")
        return int(body[2]), base64.b64decode(body[3], validate=True)

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
        """All entries of a level."""
        entries = self.size >> 8 * level
        return [hash for number in range(-(-entries // 256)) for hash in self.tile(level, number)]

    def verify(self):
        """Recomputes everything above the leaves."""
        leaves = hashes = self.level(0)
        need(len(leaves) == self.size, "there are not as many leaves as signed")
        need(tree(leaves) == self.root, "the leaves lead to another root")
        for level in range(1, 8):
            full = range(0, len(hashes) & ~255, 256)
            hashes = [tree(hashes[start : start + 256]) for start in full]
            need(self.level(level) == hashes, f"level {level} has other hashes than the leaves")

    def subtree(self, start, end):
        """MTH(D[start:end]), from as few tiles as there can be."""
        level = 0
        while start % 256 ** (level + 1) == 0 and end - start >= 256 ** (level + 1):
            level += 1
        unit = 256**level
        hashes, at = [], start
        while at + unit <= end and len(hashes) < 256:
            hashes.append(self.tile(level, at // unit // 256)[at // unit % 256])
            at += unit
        if at == end:
            return tree(hashes)
        middle = start + (1 << (end - start - 1).bit_length() - 1)
        return node(self.subtree(start, middle), self.subtree(middle, end))

    def root_over(self, leaf, index, start, end):
        """The root over a leaf and its siblings (RFC 9162, 2.1.3)."""
        if end - start == 1:
            return leaf
        middle = start + (1 << (end - start - 1).bit_length() - 1)
        if index < middle:
            return node(self.root_over(leaf, index, start, middle), self.subtree(middle, end))
        return node(self.subtree(start, middle), self.root_over(leaf, index, middle, end))

    def prove(self, index, leaf):
        need(len(leaf) == 64 and index < self.size, f"leaf {index} is none of this tree")
        found = self.root_over(sha256(b"\0", leaf), index, 0, self.size)
        need(found == self.root, f"leaf {index} is not in the log")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("vkey")
    parser.add_argument("prefix")
    parser.add_argument("--save")
    parser.add_argument("--leaf", nargs=2, action="append", default=[])
    options = parser.parse_args()
    try:
        log = Log(options.vkey, options.prefix, options.save)
        log.verify()
        for index, leaf in options.leaf:
            log.tiles.clear()
            log.prove(int(index), bytes.fromhex(leaf))
    except ValueError as error:
        print(f"FAIL {error}")
        sys.exit(1)
    print(f"OK {log.size} leaves, {len(options.leaf)} proven, root {log.root.hex()}")


main()
