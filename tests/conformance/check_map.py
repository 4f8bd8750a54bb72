#!/usr/bin/python3
"""Checks an interval map with Python alone, as docs/formats.md section 14 draws it.

    check_map.py MAP ROOT [KEY PROOF]...

Recomputes every node from the entries; each PROOF (a file) of KEY (hexadecimal) must say what they say.
"""
import hashlib
import sys
def fail(why):
    print("FAIL:", why)
    sys.exit(1)


def bit(key, depth):
    return key[depth // 8] >> 7 - depth % 8 & 1


def sha256(*parts):
    return hashlib.sha256(b"".join(parts)).digest()


EMPTY = [bytes(32)]
for _ in range(256):
    EMPTY.append(sha256(b"\3", EMPTY[-1], EMPTY[-1]))


def nodes(entries, depth, path, top):
    """The node over these entries; every one that has any is kept in `top`."""
    if not entries:
        node = EMPTY[256 - depth]
    elif depth == 256:
        node = sha256(b"\2", *entries[0])
    else:
        sides = [[e for e in entries if bit(e[0], depth) == side] for side in (0, 1)]
        node = sha256(b"\3", *(nodes(sides[s], depth + 1, 2 * path + s, top) for s in (0, 1)))
    top[depth, path] = node
    return node


def verify(key, proof, root):
    """The value the proof gives, or None for absence."""
    version, present, rest = proof[0], proof[1], proof[2:]
    value, rest = (rest[:32], rest[32:]) if present else (None, rest)
    bitmap, siblings = rest[:32], [rest[i:i + 32] for i in range(32, len(rest), 32)]
    node = sha256(b"\2", key, value) if present else EMPTY[0]
    for depth in reversed(range(256)):
        sibling = siblings.pop() if bit(bitmap, depth) else EMPTY[255 - depth]
        if bit(bitmap, depth) and sibling == EMPTY[255 - depth]:
            fail("proof lists a default")
        node = sha256(b"\3", sibling, node) if bit(key, depth) else sha256(b"\3", node, sibling)
    if version != 1 or present > 1 or siblings or node != root:
        fail("proof is of another version, or leads to another root")
    return value


def main(path, root, *proofs):
    data, root = open(path, "rb").read(), bytes.fromhex(root)
    bits = data[8]
    if data[:8] != b"CLXMAP1\n" or bits > 20 or any(data[9:16]):
        fail("not a map file")
    end = len(data) - 32 * (2 ** (bits + 1) - 1) - 8 * (2 ** bits + 1)
    entries = [(data[i:i + 32], data[i + 32:i + 64]) for i in range(48, end, 64)]
    if any(a[0] >= b[0] for a, b in zip(entries, entries[1:])) or (end - 48) % 64:
        fail("entries are not in order")
    top = {}
    nodes(entries, 0, 0, top)
    stored = b"".join(top.get((d, p), EMPTY[256 - d]) for d in range(bits + 1) for p in range(2 ** d))
    starts = [sum(int.from_bytes(k[:4], "big") >> 32 - bits < b for k, _ in entries) for b in range(2 ** bits + 1)]
    if stored + b"".join(s.to_bytes(8, "big") for s in starts) != data[end:] or top[0, 0] != root:
        fail("nodes do not follow from the entries")
    for key, proof in zip(map(bytes.fromhex, proofs[::2]), proofs[1::2]):
        if verify(key, open(proof, "rb").read(), root) != dict(entries).get(key):
            fail("proof and entries differ")
    print(f"OK: {len(entries)} keys, {len(proofs) // 2} proofs")


if __name__ == "__main__":
    main(*sys.argv[1:])
