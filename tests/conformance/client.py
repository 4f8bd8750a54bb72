#!/usr/bin/python3
"""A client of the archive that trusts nothing it is told, and verifies everything by itself.

    client.py [OPTIONS] check ADDRESS VKEY MAILS              exercises every service, and checks all answers
    client.py [OPTIONS] duplicati ADDRESS VKEY MAILS INTO     archives each file of MAILS, has it given again

    --log LOG                          the log; needed where the caller knows more than one
    --ca FILE                          TLS: the authority of the service, PEM
    --certificate FILE --key FILE      TLS: the client's own certificate and key, PEM

ADDRESS is host:port. VKEY is the log's verifier key, had from elsewhere than the service: it is the one thing
believed here. MAILS is a folder of messages. The code made from proto/ must be on PYTHONPATH:

    protoc -Iproto --python_out=OUT --grpc_python_out=OUT \\
        --plugin=protoc-gen-grpc_python=/usr/bin/grpc_python_plugin proto/ceralacca/v1/*.proto

Everything else is docs/formats.md, to whose sections the comments refer, and RFC 9162. SHA-256, JSON, mail and
XML are Python's, BLAKE3 is the b3sum command's, Ed25519 is that of python3-cryptography.

Prints a line for each check, then "all N checks passed"; at the first that fails, "FAIL" and why, status 1.
"""
import argparse
import base64
import contextlib
import datetime
import email
import email.policy
import email.utils
import hashlib
import json
import pathlib
import random
import re
import secrets
import struct
import subprocess
import sys
import xml.etree.ElementTree

import grpc
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from google.protobuf import descriptor_pb2

from ceralacca.v1 import audit_pb2, audit_pb2_grpc, operations_pb2, operations_pb2_grpc, record_pb2
from ceralacca.v1 import reissue_pb2, reissue_pb2_grpc, submission_pb2, submission_pb2_grpc
from ceralacca.v1 import trace_pb2, trace_pb2_grpc

# Kinds of records (section 1), and the classes that each may be kept in.
MESSAGE, RECEIPT, TRACE, DISCLOSURE, ENVELOPE, INFECTED, UNCLASSIFIED = 1, 2, 3, 11, 19, 20, 21
CLASSES = {MESSAGE: [5], RECEIPT: [4], TRACE: [1, 3], ENVELOPE: [5], INFECTED: [2], UNCLASSIFIED: [5]}
PIECE_BYTES = 1 << 18
passed = 0


class Bad(Exception):
    """Something is not as it must be."""


def need(condition, what):
    if not condition:
        raise Bad(what)


def equal(what, found, expected):
    need(found == expected, f"{what}: found {found!a}, expected {expected!a}")


def check(what):
    """One check is done: all that it needed was so."""
    global passed
    passed += 1
    print("ok    " + what, flush=True)


# --- Digests, leaf and commitment (docs/formats.md, 1) -------------------------------------------------------


def sha256(*parts):
    return hashlib.sha256(b"".join(parts)).digest()


def blake3(data):
    return subprocess.run(["b3sum", "--raw"], input=data, capture_output=True, check=True).stdout


EMPTY = 0, sha256(b""), blake3(b"")


class Leaf:
    """The 64 bytes of a record in the tree. Every bit is read, or must be zero."""

    def __init__(self, data):
        need(len(data) == 64, "a leaf has 64 bytes")
        magic, version, self.kind, flags, self.epoch, self.index, self.time_ms, self.retention, zero = struct.unpack(
            ">4sBBHIQQHH", data[:32]
        )
        need((magic, version, flags, zero) == (b"PECL", 1, 0, 0), "a leaf begins in another way")
        need(1 <= self.kind <= 22 and 1 <= self.retention <= 6, "a leaf of unknown kind or class")
        self.commitment, self.hash = data[32:], sha256(b"\0", data)

    def commits(self, opening, content, metadata_sha256):
        """Whether it commits to a content (length, SHA-256, BLAKE3) and to metadata, under this opening."""
        length, sha, blake = content
        need([len(part) for part in (opening, sha, blake, metadata_sha256)] == [32] * 4, "a digest of another length")
        parts = opening, struct.pack(">BQ", self.kind, length), sha, blake, metadata_sha256
        return sha256(b"PEC-ARCHIVE-COMMIT-v1\0", *parts) == self.commitment


# --- Canonical metadata (2) ----------------------------------------------------------------------------------


def canonical(facts):
    """The one spelling of facts. Their keys are ASCII, their numbers integers, so this is RFC 8785."""
    return json.dumps(facts, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def text(octets):
    """Text as metadata has it: octets that are no UTF-8 stand in base64."""
    try:
        return octets.decode()
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(octets).decode()}


def shown(facts):
    """The same facts as messages show them: octets that are no UTF-8 are U+FFFD there."""
    if isinstance(facts, list):
        return [shown(fact) for fact in facts]
    if not isinstance(facts, dict):
        return facts
    if facts.keys() == {"base64"}:
        return unbase64(facts["base64"]).decode(errors="replace")
    return {name: shown(fact) for name, fact in facts.items()}


def read_metadata(data):
    """The facts of canonical metadata, which must be spelled in the one way."""
    facts = json.loads(data)
    equal("metadata, spelled again", canonical(facts), data)
    need(facts["schema"] == 1, "metadata of another schema")
    return facts


LEVELS = "integral-trusted", "integral-weak", "integral-untrusted", "broken", "absent"
FINDINGS = pathlib.Path(__file__).parents[2] / "docs" / "findings.md"


def judgement(facts):
    """Takes what the archive judged of a signature out of an object's facts, and checks its form; gives the
    level. Whether the judgement is right is for other programs to say: openssl does, in the same tests."""
    level, findings = facts.pop("signature", ""), facts.pop("findings", [])
    signing, chain = facts.pop("signing_ms", None), facts.pop("chain", [])
    received, trust = facts.pop("received_ms", None), facts.pop("trust", None)
    need((received is None) == (level == ""), f"level {level}, received {received}")
    need(trust is None or (level and trust >= 0), f"level {level}, trust set {trust}")
    need(level in ("", *LEVELS), f"level {level}")
    known = set(re.findall(r"^\| `([a-z0-9-]+)` \|", FINDINGS.read_text(), re.M))
    need(set(findings) <= known, f"findings {set(findings) - known} are not in docs/findings.md")
    equal("findings, each once", len(set(findings)), len(findings))
    need(level or (signing is None and not chain), "signing time or chain without a level")
    need(signing is None or isinstance(signing, int), f"signing time {signing}")
    need(all(re.fullmatch("[0-9a-f]{64}", digest) for digest in chain), f"chain {chain}")
    need(bool(chain) == (level in LEVELS[:2]), f"level {level} with a chain of {len(chain)}")
    return level


def facts_of_message(record, kind="trace"):
    """What the metadata of a TraceRecord (or ObjectFacts) must say, no more and no less. Empty is absent."""
    facts = {"schema": 1, "type": kind}
    for field, value in record.ListFields():
        if field.name == "recipients":
            value = [{k: v for k, v in (("address", r.address), ("kind", r.kind)) if v} for r in value]
        elif field.label == field.LABEL_REPEATED:
            value = list(value)
        if value != "" and value != []:
            facts[field.name] = value
    return facts


# --- Tree and proofs (3; RFC 9162 section 2.1) ---------------------------------------------------------------


def node_hash(left, right):
    return sha256(b"\1", left, right)


def verify_inclusion(leaf_hash, index, size, path, root):
    """RFC 9162, 2.1.3.2: the path leads from this leaf to this root. Size and root are of a signed checkpoint."""
    need(index < size, "the index is not below the size")
    fn, sn, r = index, size - 1, leaf_hash
    for p in path:
        need(len(p) == 32, "a hash of another length")
        need(sn != 0, "the path is too long")
        if fn & 1 or fn == sn:
            r = node_hash(p, r)
            while not fn & 1 and fn != 0:
                fn, sn = fn >> 1, sn >> 1
        else:
            r = node_hash(r, p)
        fn, sn = fn >> 1, sn >> 1
    need(sn == 0, "the path is too short")
    need(r == root, "the path leads to another root")


def verify_consistency(first, first_root, second, second_root, path):
    """RFC 9162, 2.1.4.2: the tree of the second size begins with that of the first."""
    need(first <= second, "the first size is above the second")
    if first in (0, second):
        need(not path, "a proof where none is needed")
        equal("first root", first_root, sha256(b"") if first == 0 else second_root)
        return
    need(path, "no proof")
    need(all(len(c) == 32 for c in path), "a hash of another length")
    if first & (first - 1) == 0:
        path = [first_root, *path]
    fn, sn = first - 1, second - 1
    while fn & 1:
        fn, sn = fn >> 1, sn >> 1
    fr = sr = path[0]
    for c in path[1:]:
        need(sn != 0, "the proof is too long")
        if fn & 1 or fn == sn:
            fr, sr = node_hash(c, fr), node_hash(c, sr)
            while not fn & 1 and fn != 0:
                fn, sn = fn >> 1, sn >> 1
        else:
            sr = node_hash(sr, c)
        fn, sn = fn >> 1, sn >> 1
    need(sn == 0, "the proof is too short")
    need(fr == first_root and sr == second_root, "the proof leads to other roots")


# --- Checkpoints: signed notes (7) ---------------------------------------------------------------------------


def unbase64(data):
    try:
        found = base64.b64decode(data, validate=True)
    except ValueError:
        raise Bad("bad base64") from None
    need(base64.b64encode(found).decode() == data, "base64 in another spelling")
    return found


class LogKey:
    """The log's verifier key: `<name>+<key id>+<base64 of type and public key>`."""

    def __init__(self, vkey):
        need(vkey.count("+") >= 2, "the verifier key is none")
        self.name, key_id, data = vkey.split("+", 2)
        data = unbase64(data)
        need(len(data) == 33 and data[0] == 1, "the verifier key is not of Ed25519")
        self.id = sha256(self.name.encode(), b"\n", data)[:4]
        need(self.id.hex() == key_id, "the verifier key's id is not that of its bytes")
        self.public = Ed25519PublicKey.from_public_bytes(data[1:])

    def verify(self, note):
        """Size and root of a checkpoint that this key signed."""
        parts = re.fullmatch("((?:[^\n]+\n)+)\n((?:\u2014 [^ \n]+ [^ \n]+\n)+)", note)
        need(parts and len(note.encode()) <= 65536, "the note has another form")
        signed, good = parts[1], False
        for line in parts[2][:-1].split("\n"):
            _, name, signature = line.split(" ")
            signature = unbase64(signature)
            if (name, signature[:4]) != (self.name, self.id):
                continue  # of a key we do not know
            try:
                self.public.verify(signature[4:], signed.encode())
            except InvalidSignature:
                raise Bad("the note's signature does not verify") from None
            good = True
        need(good, "the note has no signature of our key")
        body = re.fullmatch("([^\n]+)\n(0|[1-9][0-9]*)\n([^\n]+)\n(?:[^\n]+\n)*", signed)
        need(body, "the checkpoint has another form")
        origin, size, root = body[1], int(body[2]), unbase64(body[3])
        need(origin == self.name and size < 2**64 and len(root) == 32, "a checkpoint of another log")
        return size, root


class Proof:
    """A proof file (8), verified: a record, its leaf, and the signed tree it stands in."""

    FORM = (
        "c2sp[.]org/tlog-proof@v1\nextra ([^\n]+)\nindex (0|[1-9][0-9]*)\n((?:[A-Za-z0-9+/]{43}=\n){0,63})\n"
        "((?:.|\n)+)"
    )

    def __init__(self, key, data):
        parts = re.fullmatch(self.FORM, data)
        need(parts, "the proof file has another form")
        block, self.index, self.note = unbase64(parts[1]), int(parts[2]), parts[4]
        self.path = [unbase64(line) for line in parts[3].split()]
        self.size, self.root = key.verify(self.note)
        need(len(block) > 173 and block[:4] == b"CLX1" and block[172] in (0, 1), "the record block has another form")
        self.leaf, self.opening = Leaf(block[4:68]), block[68:100]
        self.content = struct.unpack(">Q32s32s", block[100:172])
        self.metadata = block[173:] if block[172] else None
        self.metadata_sha256 = sha256(self.metadata) if block[172] else block[173:]
        need(self.leaf.commits(self.opening, self.content, self.metadata_sha256), "the leaf commits to something else")
        need(self.leaf.index == self.index, "the leaf has another index")
        verify_inclusion(self.leaf.hash, self.index, self.size, self.path, self.root)


# --- The protocol buffers that are not ours: health, reflection, the details of an error ----------------------


def fields(data):
    """Decodes a message into (field number, value): lengths into bytes, numbers into int."""
    found, at = [], 0

    def varint():
        nonlocal at
        value = shift = 0
        while True:
            byte = data[at]
            value, at, shift = value | (byte & 127) << shift, at + 1, shift + 7
            if byte < 128:
                return value

    while at < len(data):
        tag = varint()
        need(tag & 7 in (0, 2), "a wire type that is not used here")
        value = varint()
        if tag & 7 == 2:
            value, at = data[at : at + value], at + value
        found.append((tag >> 3, value))
    return found


def first_field(data, number, default=b""):
    return next((value for n, value in fields(data) if n == number), default)


def error_info(error):
    """Reason and numbers of the google.rpc.ErrorInfo that a failed call carries in its trailing metadata."""
    trailing = dict(error.trailing_metadata() or ())
    status = trailing.get("grpc-status-details-bin", b"")  # a google.rpc.Status
    equal("code in the details", first_field(status, 1, 0), error.code().value[0])
    details = [value for number, value in fields(status) if number == 3]  # each a google.protobuf.Any
    infos = [first_field(d, 2) for d in details if first_field(d, 1).endswith(b"/google.rpc.ErrorInfo")]
    need(len(infos) == 1, "not one ErrorInfo")
    equal("domain", first_field(infos[0], 2), b"ceralacca")
    entries = [value for number, value in fields(infos[0]) if number == 3]
    return first_field(infos[0], 1).decode(), {first_field(e, 1).decode(): first_field(e, 2).decode() for e in entries}


def refused(code, reason, call):
    """Checks that a call fails with this code and this reason; gives the numbers that were wrong."""
    try:
        call()
    except grpc.RpcError as error:
        equal("code", error.code(), getattr(grpc.StatusCode, code))
        found, numbers = error_info(error)
        equal("reason", found, reason)
        return numbers
    raise Bad(f"{code} was expected, and the call succeeded")


# --- The client ----------------------------------------------------------------------------------------------


class Answer:
    """An acknowledgement, checked: its records by index, with the facts each one states."""

    def __init__(self, acknowledgement, records):
        self.acknowledgement, self.records = acknowledgement, records
        self.indexes = [record.index for record in acknowledgement.records]
        self.leaves = [record.leaf for record in acknowledgement.records]
        self.first = self.indexes[0]


class Client:
    """The services of one log, and what is known of the log: its key, and every checkpoint that was shown."""

    def __init__(self, options):
        self.key, self.log, self.has_tls = LogKey(options.vkey), options.log, options.ca is not None
        settings = [
            ("grpc.enable_http_proxy", 0),
            ("grpc.max_receive_message_length", 64 << 20),
            ("grpc.max_send_message_length", 64 << 20),
        ]
        if self.has_tls:
            files = options.ca, options.key, options.certificate
            files = [pathlib.Path(file).read_bytes() if file else None for file in files]
            credentials = grpc.ssl_channel_credentials(*files)
            self.channel = grpc.secure_channel(options.address, credentials, settings)
        else:
            self.channel = grpc.insecure_channel(options.address, settings)
        self.submission = submission_pb2_grpc.SubmissionStub(self.channel)
        self.audit = audit_pb2_grpc.AuditStub(self.channel)
        self.trace = trace_pb2_grpc.TraceStub(self.channel)
        self.reissue = reissue_pb2_grpc.ReissueStub(self.channel)
        self.operations = operations_pb2_grpc.OperationsStub(self.channel)
        self.roots = {}  # of every checkpoint shown to us, by size
        self.details = submission_pb2.AnswerOptions(metadata=True, proof=True)

    # What is known of the log.

    def note(self, note):
        """Size and root of a checkpoint, verified, and held beside all others that this log ever showed."""
        size, root = self.key.verify(note)
        need(self.roots.setdefault(size, root) == root, f"two checkpoints of size {size} with two roots")
        return size, root

    def proof(self, data):
        proof = Proof(self.key, data)
        self.note(proof.note)
        return proof

    def checkpoint(self):
        answer = self.audit.GetCheckpoint(audit_pb2.GetCheckpointRequest(log=self.log))
        size, root = self.note(answer.note)
        # It says a verifier key as well, which is not looked at: ours is from elsewhere.
        said = answer.origin, answer.tree_size, answer.root
        equal("the checkpoint, as it is said beside its note", said, (self.key.name, size, root))
        return size, root

    # Submitting, and what an acknowledgement must say (9).

    def acknowledged(self, acknowledgement, note, content, expected):
        """Checks an acknowledgement of what was sent.

        `content` is an object's bytes, None for a trace record; `expected` holds for each record, in order,
        its kind (None for any) and its facts (None for those that are not known here).
        """
        size, _ = self.note(note)
        records = acknowledgement.records
        equal("records", len(records), len(expected))
        equal("id", acknowledgement.id, f"{self.key.name}/{records[0].index}")
        equal("level", acknowledgement.level, submission_pb2.LEVEL_LOCAL)
        digests = EMPTY if content is None else (len(content), sha256(content), blake3(content))
        for place, (record, (kind, facts)) in enumerate(zip(records, expected)):
            leaf = Leaf(record.leaf)
            # An object comes first; the trace record of its facts, which has no content, after it.
            own = digests if place == 0 else EMPTY
            equal("leaf index", leaf.index, record.index)
            equal("leaf index", record.index, records[0].index + place)
            need(record.index < size, "the checkpoint does not cover the record")
            equal("leaf time", leaf.time_ms, acknowledgement.time_ms)
            need(kind in (None, leaf.kind), f"kind {leaf.kind} instead of {kind}")
            need(leaf.retention in CLASSES[leaf.kind], f"kind {leaf.kind} in class {leaf.retention}")
            equal("content length", record.content_bytes, own[0])
            # Where there is nothing to digest the digests are left out: they are known.
            said = record.content_sha256, record.content_blake3
            equal("content", said, own[1:] if own[0] else (b"", b""))
            equal("metadata digest", sha256(record.metadata), record.metadata_sha256)
            need(leaf.commits(record.opening, own, record.metadata_sha256), "the leaf commits to something else")
            if facts is None:
                read_metadata(record.metadata)
            else:
                said = read_metadata(record.metadata)
                if facts["type"] == "object":
                    level = judgement(said)
                    equal("signature in the acknowledgement", acknowledgement.signature, level)
                equal("metadata", canonical(said), canonical(facts))
            proof = self.proof(record.proof)
            equal("leaf in the proof file", (proof.index, proof.leaf.hash), (record.index, leaf.hash))
            equal("metadata in the proof file", proof.metadata, record.metadata)
        received = records[0].metadata if content is None else content
        equal("SHA-256 of what was received", acknowledgement.received_sha256, sha256(received))
        return Answer(acknowledgement, [read_metadata(record.metadata) for record in records])

    def submit(self, item, **options):
        return self.submission.Submit(
            submission_pb2.SubmitRequest(log=self.log, item=item, options=self.details), **options
        )

    def batch(self, items):
        return submission_pb2.SubmitBatchRequest(log=self.log, items=items, options=self.details)

    def trace_item(self, record, key=b""):
        return submission_pb2.SubmissionItem(client_key=key, trace=record)

    def object_item(self, content, key=b""):
        return submission_pb2.SubmissionItem(client_key=key, object=submission_pb2.Object(content=content))

    def submit_trace(self, record, key=b""):
        answer = self.submit(self.trace_item(record, key))
        return self.acknowledged(answer.acknowledgement, answer.checkpoint, None, [(TRACE, facts_of_message(record))])

    def submit_object(self, content, expected, key=b""):
        answer = self.submit(self.object_item(content, key))
        return self.acknowledged(answer.acknowledgement, answer.checkpoint, content, expected)

    def upload(self, content, key, digest):
        def pieces():
            start = submission_pb2.UploadStart(log=self.log, client_key=key, options=self.details, sha256=digest)
            yield submission_pb2.UploadRequest(start=start)
            for at in range(0, len(content), PIECE_BYTES):
                yield submission_pb2.UploadRequest(chunk=content[at : at + PIECE_BYTES])

        return self.submission.Upload(pieces())

    # Reading.

    def opened(self, record):
        """Checks a record as it is shown: its leaf commits to what is said beside it."""
        leaf = Leaf(record.leaf)
        said = leaf.index, leaf.kind, leaf.retention, leaf.time_ms
        equal("what the leaf says", said, (record.index, record.kind, record.retention_class, record.time_ms))
        content = record.content_bytes, record.content_sha256, record.content_blake3
        need(leaf.commits(record.opening, content, sha256(record.metadata)), "the leaf commits to something else")
        facts = read_metadata(record.metadata)
        companion = record.companion if record.HasField("companion") else None
        offset = facts.get("companion")
        equal("companion", companion, None if offset is None else record.index + offset)
        # The facts once more, read for us.
        which = record.WhichOneof("facts")
        need(which == facts["type"] or (which is None and facts["type"] not in ("trace", "object")), "no facts")
        if which is not None:
            again = facts_of_message(getattr(record, which), which)
            equal("facts", again, {k: v for k, v in shown(facts).items() if k != "companion"})
        return facts

    def record(self, index):
        answer = self.audit.GetRecord(audit_pb2.GetRecordRequest(log=self.log, index=index, proof=True))
        facts, proof = self.opened(answer.record), self.proof(answer.proof)
        equal("index", answer.record.index, index)
        equal("leaf in the proof file", proof.leaf.hash, Leaf(answer.record.leaf).hash)
        return answer.record, facts

    def inclusion(self, index, size=0):
        """A leaf, and the checkpoint under which its proof verifies; a size must be one that was shown."""
        request = audit_pb2.GetInclusionProofRequest(log=self.log, index=index, tree_size=size)
        answer = self.audit.GetInclusionProof(request)
        need(size in (0, answer.tree_size), "a proof in another tree")
        root = self.roots.get(answer.tree_size)
        if answer.checkpoint:
            signed, root = self.note(answer.checkpoint)
            equal("tree size", answer.tree_size, signed)
        need(root is not None, "a proof without a checkpoint")
        leaf = Leaf(answer.leaf)
        equal("index", leaf.index, index)
        verify_inclusion(leaf.hash, index, answer.tree_size, answer.path, root)
        return answer, root

    def consistency(self, first, second):
        """Verifies that the checkpoint of one size, shown before, is continued by that of another."""
        request = audit_pb2.GetConsistencyProofRequest(log=self.log, first_size=first, second_size=second)
        answer = self.audit.GetConsistencyProof(request)
        equal("sizes", (answer.first_size, answer.second_size), (first, second))
        if answer.checkpoint:
            self.note(answer.checkpoint)
        verify_consistency(first, self.roots[first], second, self.roots[second], answer.path)
        return list(answer.path)

    def search_page(self, token="", **terms):
        request = trace_pb2.SearchRequest(log=self.log, page_token=token, **terms)
        answer = self.trace.Search(request)
        return [(r.index, self.opened(r)) for r in answer.records], answer

    def search(self, **terms):
        """All that a search finds, page after page."""
        found, token = [], ""
        while True:
            page, answer = self.search_page(token, **terms)
            found += page
            token = answer.next_page_token
            if not token:
                return found

    def duplicato(self, index, infected=False):
        """An object's bytes, checked against its proof; and its head."""
        asked = reissue_pb2.GetDuplicatoRequest(log=self.log, index=index, infected=infected)
        answers = self.reissue.GetDuplicato(asked)
        head = next(answers).head
        need(head.HasField("record"), "the first answer is no head")
        pieces = []
        for answer in answers:
            need(answer.WhichOneof("part") == "chunk", "a second head")
            pieces.append(answer.chunk)
        content = b"".join(pieces)
        digests = len(content), sha256(content), blake3(content)
        proven = []
        for record, data in (head.record, head.proof), (head.facts, head.facts_proof):
            if not data:
                equal("facts without a proof", record, record_pb2.Record())
                continue
            self.opened(record)
            proof = self.proof(data)
            equal("leaf in the proof file", proof.leaf.hash, Leaf(record.leaf).hash)
            proven.append(proof)
        equal("content", proven[0].content, digests)
        if len(proven) == 2:
            indexes = head.record.companion, head.facts.companion
            equal("what object and facts name", indexes, (head.facts.index, head.record.index))
        return head, content


# --- What is submitted ---------------------------------------------------------------------------------------


def made_up(run, number, **facts):
    """One of the trace records of this run. People and domains are invented."""
    record = record_pb2.TraceRecord(
        identificativo=f"prova{run}.{number}@pec.gestore.example",
        event_ms=1_763_700_000_000 + number * 60_000,
        sender=f"Mittente.{run}@pec.ditta.example",
        recipients=[
            record_pb2.Recipient(address=f"protocollo{number % 4}.{run}@pec.comune.example", kind="certificato"),
            record_pb2.Recipient(address="ufficio@ordinaria.example", kind="esterno"),
        ],
        subject=f"Prova n. {number}",
        event=("accettazione", "avvenuta-consegna")[number % 2],
        message_ids=[f"<ricevuta{number}.{run}@pec.gestore.example>"],
        provider="Gestore di prova S.p.A.",
        msgid=f"<{number}.{run}@client.example>",
    )
    for name, value in facts.items():
        record.ClearField(name)
        if isinstance(value, list):
            getattr(record, name).extend(value)
        else:
            setattr(record, name, value)
    return record


def peculiar(run):
    """A trace record with every field, and with text that is easily spelled in another way."""
    return made_up(
        run,
        1000,
        event_ms=-1,
        event_offset_min=-90,
        event_text="31/12/1969 23:59:59 +0000",
        subject='perch\u00e9 "no"? \\ / <&> \u007f \u2028 \U0001f4ec \t\r\n\x00\x1b \u00e8 e\u0300',
        event="errore-consegna",
        message_ids=[f"<uno.{run}@pec.gestore.example>", f"due.{run}@pec.gestore.example"],
        point="consegna",
        direction="ricevuto",
        delivered_to=f"nessuno.{run}@pec.comune.example",
        receipt_form="completa",
        error="no-dest",
        error_detail=" 5.1.1 - spazi intorno ",
        taken_over=[f"a.{run}@pec.comune.example", f"b.{run}@pec.comune.example"],
    )


def large_message(run, size):
    """An ordinary message that is too large for one call."""
    noise = random.Random(run).randbytes(size * 3 // 4)
    head = f"From: a@example.test\r\nTo: b@example.test\r\nMessage-ID: <g.{run}@example.test>\r\n"
    head += "MIME-Version: 1.0\r\nContent-Type: application/octet-stream\r\nContent-Transfer-Encoding: base64\r\n\r\n"
    return head.encode() + base64.encodebytes(noise).replace(b"\n", b"\r\n")


EVENTS = {"accettazione", "non-accettazione", "presa-in-carico", "avvenuta-consegna", "errore-consegna"}
EVENTS |= {"preavviso-errore-consegna", "rilevazione-virus"}


def expected_of(content):
    """What the records of a PEC message must be, by its daticert, read here: kind and facts of each."""
    message = email.message_from_bytes(content, policy=email.policy.compat32)
    header = {name.lower(): value.encode("ascii", "surrogateescape").strip() for name, value in message.raw_items()}
    own = {"message_id": text(header["message-id"]), "schema": 1, "type": "object"}
    if message.get_content_type() != "multipart/signed":
        return [(MESSAGE, own)]
    facts = {"companion": -1, "message_ids": [own["message_id"]], "schema": 1, "type": "trace"}
    parts = message.get_payload()[0].get_payload()
    daticert = [part for part in parts if part.get_filename() == "daticert.xml"]
    if message["X-Trasporto"] == "errore":  # an anomaly envelope, which has none
        need(not daticert, "an anomaly envelope with a daticert")
        facts["event"], facts["event_text"] = "busta-anomalia", message["Date"].strip()
        moment = email.utils.parsedate_to_datetime(message["Date"])
    else:
        need(len(daticert) == 1, "not one daticert")
        root = xml.etree.ElementTree.fromstring(daticert[0].get_payload(decode=True))
        moment = read_daticert(root, facts)
    facts["event_ms"] = round(moment.timestamp() * 1000)
    facts["event_offset_min"] = round(moment.utcoffset().total_seconds() / 60)
    kind = RECEIPT if facts["event"] in EVENTS else ENVELOPE
    return [(kind, {**own, "companion": 1}), (TRACE, facts)]


def read_daticert(root, facts):
    """Adds what a daticert says (RFC 6109, 4.4) to the facts; gives its instant. Blank is absent."""

    def put(name, value):
        if value and value.strip(" \t\r\n"):
            facts[name] = value

    def all_of(path):
        texts = ("".join(element.itertext()) for element in root.findall(path))
        return [value for value in texts if value.strip(" \t\r\n")]

    put("event", root.get("tipo"))
    put("error", root.get("errore"))
    recipients = [(e.get("tipo"), "".join(e.itertext())) for e in root.findall("intestazione/destinatari")]
    facts["recipients"] = [{"address": a, **({"kind": kind} if kind else {})} for kind, a in recipients]
    for name, path in {
        "sender": "intestazione/mittente",
        "subject": "intestazione/oggetto",
        "provider": "dati/gestore-emittente",
        "identificativo": "dati/identificativo",
        "msgid": "dati/msgid",
        "delivered_to": "dati/consegna",
        "error_detail": "dati/errore-esteso",
    }.items():
        put(name, "".join(all_of(path)[:1]))
    if all_of("dati/ricezione"):
        facts["taken_over"] = all_of("dati/ricezione")
    form = root.find("dati/ricevuta")
    put("receipt_form", None if form is None else form.get("tipo"))
    data = root.find("dati/data")
    facts["event_text"] = f"{data.findtext('giorno')} {data.findtext('ora')} {data.get('zona')}"
    return datetime.datetime.strptime(facts["event_text"], "%d/%m/%Y %H:%M:%S %z")


# --- The checks ----------------------------------------------------------------------------------------------


def flips(data):
    """The same bytes with one bit changed: each of their bits."""
    for bit in range(len(data) * 8):
        twin = bytearray(data)
        twin[bit // 8] ^= 1 << bit % 8
        yield bytes(twin)


def all_refused(what, twins, verify):
    """Checks that not one of these verifies: a verifier that cannot say no has said nothing."""
    count = 0
    for twin in twins:
        with contextlib.suppress(Bad, UnicodeDecodeError):
            verify(twin)
            raise AssertionError(f"{what}: twin {count} verifies")
        count += 1
    need(count > 0, f"{what}: nothing was tried")
    check(f"{what}: {count} altered twins refused")


def check_services(client):
    def raw(path, kind="unary_unary"):
        return getattr(client.channel, kind)(path, lambda data: data, lambda data: data)

    equal("health", raw("/grpc.health.v1.Health/Check")(b""), b"\x08\x01")
    check("health: serving")
    files = audit_pb2, operations_pb2, record_pb2, reissue_pb2, submission_pb2, trace_pb2
    services = {f"ceralacca.v1.{name}" for file in files for name in file.DESCRIPTOR.services_by_name}
    for version in "v1", "v1alpha":
        ask = raw(f"/grpc.reflection.{version}.ServerReflection/ServerReflectionInfo", "stream_stream")
        (answer,) = ask(iter([b"\x3a\x01*"]))
        listed = {first_field(value, 1).decode() for _, value in fields(first_field(answer, 6))}
        need(services <= listed, f"reflection lists {sorted(listed)}")
        check(f"reflection {version}: lists {len(services)} services of ours")
        # The service was made from the same messages and calls as the code of this client.
        for file in files:
            name = file.DESCRIPTOR.name.encode()
            (answer,) = ask(iter([b"\x1a" + bytes([len(name)]) + name]))
            served = [descriptor_pb2.FileDescriptorProto.FromString(v) for _, v in fields(first_field(answer, 4))]
            served = next(one for one in served if one.name == file.DESCRIPTOR.name)
            own = descriptor_pb2.FileDescriptorProto()
            file.DESCRIPTOR.CopyToProto(own)
            for descriptor in served, own:
                descriptor.ClearField("source_code_info")
                for message in descriptor.message_type:
                    for field in message.field:
                        field.ClearField("json_name")
            equal(f"descriptor of {name}", served, own)
        check(f"reflection {version}: describes the messages this client was made from")


def check_status(client):
    status = client.operations.GetStatus(operations_pb2.GetStatusRequest())
    size, _ = client.checkpoint()
    logs = [log for log in status.logs if log.origin == client.key.name]
    need(len(logs) == 1 and logs[0].log in (client.log or logs[0].log), "the log is not in the status")
    need(logs[0].tree_size <= size and not logs[0].cuts_suspended, "the log does not fare well")
    equal("development", status.development, not client.has_tls)
    check(f"status: {status.software}, {logs[0].tree_size} leaves")


def check_traces(client, run):
    """Trace records one by one, in a batch, in a stream. Gives them with their answers."""
    done = []
    record = peculiar(run)
    done.append((record, client.submit_trace(record, f"p{run}".encode())))
    check("trace record with every field: acknowledged, its metadata is the very facts")
    empty = record_pb2.TraceRecord()
    client.submit_trace(empty)
    check("trace record without any fact: archived as it came")

    records = [made_up(run, number) for number in range(12)]
    keys = [f"b{run}.{number}".encode() for number in range(12)]
    items = [client.trace_item(*pair) for pair in zip(records, keys)]
    # Gzip is accepted, as zstd is.
    answer = client.submission.SubmitBatch(client.batch(items), compression=grpc.Compression.Gzip)
    equal("answers", len(answer.results), len(records))
    for record, result in zip(records, answer.results):
        expected = [(TRACE, facts_of_message(record))]
        done.append((record, client.acknowledged(result.acknowledgement, answer.checkpoint, None, expected)))
    check(f"batch of {len(records)} trace records: each acknowledged, in order")

    stands = made_up(run, 12)
    wrong = [
        client.trace_item(stands, f"b{run}.12".encode()),
        client.trace_item(made_up(run, 13, event_ms=1 << 60)),
        client.trace_item(made_up(run, 14), keys[0]),
        submission_pb2.SubmissionItem(client_key=b"x"),
    ]
    answer = client.submission.SubmitBatch(client.batch(wrong))
    outcomes = [(r.refusal.code, r.refusal.reason) for r in answer.results[1:]]
    codes = [(3, "OUT_OF_RANGE"), (6, "CLIENT_KEY_REUSED"), (3, "ITEM_NEEDED")]
    equal("refusals", outcomes, codes)
    result = answer.results[0].acknowledgement
    done.append((stands, client.acknowledged(result, answer.checkpoint, None, [(TRACE, facts_of_message(stands))])))
    check("batch with wrong items: each stands or falls by itself")

    groups = [[made_up(run, 100 + 6 * group + place) for place in range(6)] for group in range(5)]
    requests = (client.batch([client.trace_item(record) for record in group]) for group in groups)
    answers = list(client.submission.SubmitStream(requests))
    equal("answers", len(answers), len(groups))
    for group, answer in zip(groups, answers):
        for record, result in zip(group, answer.results):
            expected = [(TRACE, facts_of_message(record))]
            done.append((record, client.acknowledged(result.acknowledgement, answer.checkpoint, None, expected)))
    check(f"stream of {len(groups)} batches: each record acknowledged, in order")
    return done


def check_keys(client, run, content):
    """A client key names one submission."""
    record, key = made_up("k" + run, 1, subject="chiave"), f"k{run}".encode()
    once = client.submit_trace(record, key)
    again = client.submit_trace(record, key)
    equal("repeated", (once.acknowledgement.repeated, again.acknowledgement.repeated), (False, True))
    equal("leaf of a repeated trace record", (again.indexes, again.leaves), (once.indexes, once.leaves))
    check("same key, same trace record: the first leaf again, repeated")
    other = client.trace_item(made_up("k" + run, 1, subject="altro"), key)
    numbers = refused("ALREADY_EXISTS", "CLIENT_KEY_REUSED", lambda: client.submit(other))
    equal("numbers", numbers, {"first": str(once.first)})
    check("same key, other trace record: ALREADY_EXISTS, and where the first is")
    key = f"o{run}".encode()
    expected = expected_of(content)
    once, again = (client.submit_object(content, expected, key) for _ in range(2))
    equal("repeated", (once.acknowledgement.repeated, again.acknowledgement.repeated), (False, True))
    equal("leaves of a repeated object", (again.indexes, again.leaves), (once.indexes, once.leaves))
    check("same key, same object: the first leaves again, repeated")
    twin = client.object_item(content + b" ", key)
    refused("ALREADY_EXISTS", "CLIENT_KEY_REUSED", lambda: client.submit(twin))
    check("same key, other object: ALREADY_EXISTS")
    no_key = client.submit_object(content, expected)
    need(no_key.first != once.first, "without a key a record is new")
    check("no key, same object: a new record")


def check_objects(client, run, mails):
    """Messages: the facts of each are those its daticert states, as read here."""
    done, count = [], 0
    for name, content in mails.items():
        expected = expected_of(content)
        try:
            answer = client.submit_object(content, expected, f"{name}{run}".encode())
        except Bad as error:
            raise Bad(f"{name}: {error}") from None
        equal("why it was not understood", answer.acknowledgement.unclassified, "")
        if len(expected) == 2:
            own, facts = answer.records
            equal("companions", (own["companion"], facts["companion"]), (1, -1))
            count += 1
        done.append((content, answer))
    check(f"{len(mails)} messages archived: kinds and facts are those of their daticert")
    need(count, "no message of the PEC system among the mails")
    check(f"{count} messages have two leaves that name each other")
    for content, reason in (b"", "empty"), (b"\xff\0 non e' posta", "not-mail"):
        facts = {"schema": 1, "type": "object", "unclassified": reason}
        answer = client.submit_object(content, [(UNCLASSIFIED, facts)])
        equal("why it was not understood", answer.acknowledgement.unclassified, reason)
        done.append((content, answer))
    check("what is no message is archived all the same, and says why")
    latin = f"From: a@example.test\r\nMessage-ID: <citt\u00e0{run}@example.test>\r\n\r\nprova\r\n".encode("latin-1")
    expected = expected_of(latin)
    need("base64" in expected[0][1]["message_id"], "octets that are no UTF-8")
    done.append((latin, client.submit_object(latin, expected)))
    check("a Message-ID that is not UTF-8 is kept octet by octet")
    infected = submission_pb2.Object(content=latin, declared=submission_pb2.DECLARED_INFECTED)
    answer = client.submit(submission_pb2.SubmissionItem(object=infected))
    expected = [(INFECTED, expected[0][1])]
    done.append((latin, client.acknowledged(answer.acknowledgement, answer.checkpoint, latin, expected)))
    check("a message declared as infected is kept as such")
    return done


def check_upload(client, run):
    content, key = large_message(run, 9 << 20), f"u{run}".encode()
    refused("INVALID_ARGUMENT", "DIGEST_MISMATCH", lambda: client.upload(content, key, sha256(b"altro")))
    check("upload with another digest than announced: refused, nothing recorded")
    expected = expected_of(content)
    for repeated in False, True:
        answer = client.upload(content, key, sha256(content))
        result = client.acknowledged(answer.acknowledgement, answer.checkpoint, content, expected)
        equal("repeated", result.acknowledgement.repeated, repeated)
    check(f"upload of {len(content)} bytes in pieces: acknowledged, and again under its key")
    nothing = [submission_pb2.UploadRequest()]
    refused("INVALID_ARGUMENT", "START_NEEDED", lambda: client.submission.Upload(iter(nothing)))
    check("upload that does not begin with its start: refused")
    return content, result


def check_proofs(client, answers, first):
    """Leaves in the tree of several checkpoints, and every checkpoint continued by the last one."""
    for answer in answers:
        for index, leaf in zip(answer.indexes, answer.leaves):
            proven, _ = client.inclusion(index)
            equal("leaf", proven.leaf, leaf)
    last, _ = client.checkpoint()
    check(f"{sum(len(a.leaves) for a in answers)} acknowledged leaves are in the signed tree")
    known = [size for size in sorted(client.roots) if size < last]
    tried = 0
    for size in known[:: max(1, len(known) // 16)] + [last]:
        for index in {0, size // 2, size - 1}:
            client.inclusion(index, size)
            tried += 1
    check(f"{tried} leaves are in the trees of earlier checkpoints too")
    path = client.consistency(first, last)
    check(f"the tree of the last checkpoint, {last}, continues that of the first, {first}")
    for size in known:
        client.consistency(size, last)
    check(f"so do those of all {len(known)} checkpoints that were shown meanwhile")
    return first, last, path


def root_of(hashes):
    """The root over leaf hashes, from the definition (3): one stack, as RFC 9162, 2.1.2 has it."""
    stack = []
    for index, leaf_hash in enumerate(hashes):
        stack.append(leaf_hash)
        while index & 1:
            right = stack.pop()
            stack[-1] = node_hash(stack[-1], right)
            index >>= 1
    while len(stack) > 1:
        right = stack.pop()
        stack[-1] = node_hash(stack[-1], right)
    return stack[0] if stack else sha256(b"")


def sample(seed, size, count):
    """The leaves that a seed names (3)."""
    named, counter = [], 0
    while len(named) < count:
        numbers = struct.pack(">QH", size, len(seed)), seed, struct.pack(">Q", counter)
        draw = int.from_bytes(sha256(b"ceralacca v1 sample\0", *numbers)[:8], "big")
        if draw < 2**64 - 2**64 % size and draw % size not in named:
            named.append(draw % size)
        counter += 1
    return named


def check_audit(client):
    """The auditor's calls: the whole log once more, a sample, leaves by hash, checkpoints as they come."""
    size, root = client.checkpoint()
    leaves = []
    for piece in client.audit.GetLeaves(audit_pb2.GetLeavesRequest(log=client.log, tree_size=size)):
        equal("first index of a piece", piece.first_index, len(leaves))
        need(len(piece.leaves) <= 4096 * 64 and len(piece.leaves) % 64 == 0, "a piece of another length")
        leaves += [piece.leaves[at : at + 64] for at in range(0, len(piece.leaves), 64)]
    equal("indexes of the leaves", [Leaf(leaf).index for leaf in leaves], list(range(size)))
    equal("root of all leaves", root_of([sha256(b"\0", leaf) for leaf in leaves]), root)
    check(f"{size} leaves fetched again: they are all, and have the signed root")
    rest = client.audit.GetLeaves(audit_pb2.GetLeavesRequest(log=client.log, first_index=size // 2, tree_size=size))
    equal("the second half", b"".join(piece.leaves for piece in rest), b"".join(leaves[size // 2 :]))
    check("a replay goes on from any index")

    def proven(proofs):
        for proof in proofs:
            equal("leaf", proof.leaf, leaves[proof.index])
            verify_inclusion(sha256(b"\0", proof.leaf), proof.index, size, proof.path, root)
        return [proof.index for proof in proofs]

    seed, count = secrets.token_bytes(32), min(100, size)
    request = audit_pb2.GetSampleRequest(log=client.log, seed=seed, count=count, tree_size=size)
    named = sample(seed, size, count)
    equal("sample", proven(client.audit.GetSample(request).proofs), named)
    check(f"a sample of {count} leaves is the one that the seed names, and all are proven")
    hashes = [sha256(b"\0", leaves[index]) for index in named[:10]]
    indexes = sorted(named)
    request = audit_pb2.GetInclusionProofsRequest(
        log=client.log, indexes=indexes, leaf_hashes=hashes, tree_size=size
    )
    equal("many proofs", proven(client.audit.GetInclusionProofs(request).proofs), indexes + named[:10])
    request = audit_pb2.GetRecordRequest(log=client.log, leaf_hash=hashes[0])
    equal("record by the hash of its leaf", client.audit.GetRecord(request).record.index, named[0])
    check("leaves are found and proven by index and by hash, many in one call")
    watch = client.audit.WatchCheckpoints(audit_pb2.WatchCheckpointsRequest(log=client.log))
    seen, _ = client.note(next(watch).note)
    watch.cancel()
    need(seen >= size, "a watcher was shown an older checkpoint")
    client.consistency(size, seen)
    check("a watcher is shown the newest checkpoint at once")
    unknown = audit_pb2.GetRecordRequest(log=client.log, leaf_hash=bytes(32))
    refused("NOT_FOUND", "LEAF_UNKNOWN", lambda: client.audit.GetRecord(unknown))
    check("the hash of no leaf is refused")


def check_records(client, done):
    for _, answer in done:
        for index, leaf, facts in zip(answer.indexes, answer.leaves, answer.records):
            record, found = client.record(index)
            equal("record", (record.leaf, found), (leaf, facts))
    check(f"{len(done)} submissions read by index: the same leaves and facts, and a proof file each")


def check_search(client, run, traces, objects):
    sender = f"mittente.{run}@pec.ditta.example"
    ours = {answer.first: facts_of_message(record) for record, answer in traces}

    def finds(what, expected, **terms):
        expected = {index: ours[index] for index in expected}
        found = client.search(**terms)
        equal(f"search by {what}", dict(found), expected)
        equal(f"search by {what}: order", [i for i, _ in found], sorted(expected, reverse=True))
        check(f"search by {what}: the {len(expected)} that were submitted, newest first")

    record, answer = traces[5]
    bare = record.message_ids[0].strip("<>")
    finds("identificativo", [answer.first], identificativo=record.identificativo)
    finds("Message-ID in its brackets", [answer.first], message_id=record.message_ids[0])
    finds("Message-ID without them", [answer.first], message_id=bare)
    finds("Message-ID of the original", [answer.first], msgid=record.msgid)
    finds("sender in capitals", ours, sender=sender.upper())
    whom = f"Protocollo2.{run}@PEC.comune.example"
    second = [i for i, facts in ours.items() if facts["recipients"][0]["address"] == whom.lower()]
    finds("recipient", second, recipient=whom)
    whom = f"nessuno.{run}@pec.comune.example"
    finds("the recipient a failure speaks of", [traces[0][1].first], recipient=whom)
    odd = [i for i, facts in ours.items() if facts["event"] == "avvenuta-consegna"]
    finds("event and sender", odd, event="avvenuta-consegna", sender=sender)
    start, end = 1_763_700_000_000 + 3 * 60_000, 1_763_700_000_000 + 7 * 60_000
    within = [i for i, facts in ours.items() if start <= facts["event_ms"] < end]
    need(len(within) == 4, "four minutes")
    finds("event time", within, sender=sender, event_from_ms=start, event_until_ms=end)
    old = [i for i, facts in ours.items() if facts["event_ms"] < 0]
    finds("event time before 1970", old, sender=sender, event_until_ms=0)
    times = [answer.acknowledgement.time_ms for _, answer in traces]
    begin, middle = min(times), times[len(times) // 2]
    early = [a.first for _, a in traces if a.acknowledgement.time_ms < middle]
    finds("time of recording", early, sender=sender, recorded_from_ms=begin, recorded_until_ms=middle)
    finds("a sender nobody is", [], sender=f"nessuno.{run}@pec.ditta.example")

    # Pages, there and back.
    asked = {"sender": sender, "order": trace_pb2.ORDER_ASCENDING, "page_size": 7}
    pages, token = [], ""
    while True:
        page, answer = client.search_page(token, **asked)
        pages.append((page, answer))
        need(len(page) <= 7 and len(pages) < 100, "pages without end")
        token = answer.next_page_token
        if not token:
            break
    forward = [index for page, _ in pages for index, _ in page]
    equal("pages", forward, sorted(ours))
    check(f"{len(pages)} pages forward: every record once, oldest first")
    back, token = [], pages[-1][1].previous_page_token
    need(token, "no way back from the last page")
    for _ in range(100):
        page, answer = client.search_page(token, **asked)
        back = [index for index, _ in page] + back
        token = answer.previous_page_token
        if not token:
            break
    equal("pages back", back, forward[: -len(pages[-1][0]) or None])
    check("and back: the same records")
    token = pages[0][1].next_page_token
    refused("INVALID_ARGUMENT", "PAGE_TOKEN", lambda: client.search_page(token, sender="altro@pec.ditta.example"))
    check("the token of another search is refused")

    # Objects are found by the facts read from them.
    receipts = [(answer.first + 1, answer.records[1]) for _, answer in objects if len(answer.records) == 2]
    by_id = {}
    for index, facts in receipts:
        if "identificativo" in facts:
            by_id.setdefault(facts["identificativo"], set()).add(index)
    for identificativo, indexes in by_id.items():
        found = dict(client.search(identificativo=f"<{identificativo}>"))
        need(indexes <= found.keys(), "a receipt is not found by its identificativo")
        need(all(f["identificativo"] == identificativo for f in found.values()), "another transaction's is found")
    check(f"messages of {len(by_id)} transactions found by their identificativo")
    for index, facts in receipts:
        found = dict(client.search(message_id=facts["message_ids"][0]))
        equal("found by Message-ID", found.get(index), facts)
    check(f"{len(receipts)} messages found by their own Message-ID")


def check_disclosure(client, run):
    before, _ = client.checkpoint()
    client.search(sender=f"nessuno.{run}@pec.ditta.example")
    after, _ = client.checkpoint()
    kinds = [Leaf(client.inclusion(index)[0].leaf).kind for index in range(before, after)]
    # One says in which role, and of which leaves; the other to whom, and what was asked. Others may search too.
    need(kinds.count(DISCLOSURE) >= 2, f"leaves of a search: kinds {kinds}")
    check("a search, even in vain, is on record as a disclosure")


def check_duplicati(client, objects):
    bytes_again = 0
    isolated = 0
    for content, answer in objects:
        infected = Leaf(answer.leaves[0]).kind == INFECTED
        if infected:
            refused("FAILED_PRECONDITION", "INFECTED", lambda: client.duplicato(answer.first))
            isolated += 1
        else:
            refused("FAILED_PRECONDITION", "NOT_INFECTED", lambda: client.duplicato(answer.first, True))
        head, again = client.duplicato(answer.first, infected)
        need(again == content, "the duplicato is not the original")
        equal("record", head.record.leaf, answer.leaves[0])
        bytes_again += len(again)
    check(f"{len(objects)} objects given again: {bytes_again} bytes, the very same")
    need(isolated > 0, "no infected message among them")
    check(f"{isolated} infected ones only to who asks for them as such")
    ordinary = [(content, answer) for content, answer in objects if Leaf(answer.leaves[0]).kind != INFECTED]
    with_facts = [(content, answer) for content, answer in ordinary if len(answer.leaves) == 2]
    for content, answer in with_facts:
        head, again = client.duplicato(answer.indexes[1])
        need(again == content, "the duplicato is not the original")
        equal("records", [head.record.leaf, head.facts.leaf], answer.leaves)
    check(f"{len(with_facts)} of them by the index of their facts too")


def check_errors(client, trace_index):
    log, beyond = client.log, 1 << 60
    size, _ = client.checkpoint()
    for what, call in {
        "record": lambda: client.record(beyond),
        "leaf": lambda: client.inclusion(beyond),
        "duplicato": lambda: client.duplicato(beyond),
    }.items():
        numbers = refused("OUT_OF_RANGE", "BEYOND_TREE", call)
        need(numbers["index"] == str(beyond) and int(numbers["tree_size"]) >= size, f"numbers {numbers}")
        check(f"{what} past the end: OUT_OF_RANGE, with index and tree size")
    sizes = audit_pb2.GetConsistencyProofRequest(log=log, first_size=1, second_size=beyond)
    refused("OUT_OF_RANGE", "BEYOND_TREE", lambda: client.audit.GetConsistencyProof(sizes))
    check("consistency past the end: OUT_OF_RANGE")
    refused("FAILED_PRECONDITION", "NO_OBJECT", lambda: client.duplicato(trace_index))
    check("duplicato of a trace record without an object: FAILED_PRECONDITION")
    # Who has no role on a log is not told whether it exists; the development principal is.
    unknown = ("PERMISSION_DENIED", "DENIED") if client.has_tls else ("NOT_FOUND", "LOG_UNKNOWN")
    request = audit_pb2.GetCheckpointRequest(log="un-altro")
    refused(*unknown, lambda: client.audit.GetCheckpoint(request))
    check(f"unknown log: {unknown[0]}")
    refused("INVALID_ARGUMENT", "ITEM_NEEDED", lambda: client.submit(submission_pb2.SubmissionItem()))
    check("nothing submitted: INVALID_ARGUMENT")
    refused("INVALID_ARGUMENT", "TOO_LARGE", lambda: client.submit(client.object_item(b"x", b"k" * 257)))
    check("client key of 257 bytes: INVALID_ARGUMENT")


def check_verifier(client, vkey, content, answer, consistency):
    """The verifier above is able to say no: each bit of what it verified matters."""
    proven, root = client.inclusion(answer.first)
    size, path, leaf = proven.tree_size, list(proven.path), Leaf(proven.leaf)
    verify_inclusion(leaf.hash, leaf.index, size, path, root)
    verify = lambda data, path, root: verify_inclusion(sha256(b"\0", data), leaf.index, size, path, root)
    all_refused("leaf", flips(proven.leaf), lambda data: verify(data, path, root))
    altered = [[*path[:n], twin, *path[n + 1 :]] for n, node in enumerate(path) for twin in flips(node)]
    cut = [path[:n] + path[n + 1 :] for n in range(len(path))] + [[*path, root]]
    all_refused("path", altered + cut, lambda path: verify(proven.leaf, path, root))
    all_refused("root", flips(root), lambda root: verify(proven.leaf, path, root))
    others = [n for n in range(size) if n != leaf.index]
    all_refused("index", others, lambda index: verify_inclusion(leaf.hash, index, size, path, root))

    record = answer.acknowledgement.records[0]
    digests = len(content), sha256(content), blake3(content)
    commits = lambda opening, content, metadata: need(leaf.commits(opening, content, sha256(metadata)), "commitment")
    commits(record.opening, digests, record.metadata)
    all_refused("opening", flips(record.opening), lambda twin: commits(twin, digests, record.metadata))
    all_refused("metadata", flips(record.metadata), lambda twin: commits(record.opening, digests, twin))
    some = [content[:n] + bytes([content[n] ^ 1]) + content[n + 1 :] for n in range(0, len(content), 97)]
    some += [content[1:], content[:-1], content + b"\n"]
    # With BLAKE3 left as it was, so that SHA-256 alone must tell.
    twin_digests = [(len(twin), sha256(twin), digests[2]) for twin in some]
    all_refused("content", twin_digests, lambda twin: commits(record.opening, twin, record.metadata))

    note = client.audit.GetCheckpoint(audit_pb2.GetCheckpointRequest(log=client.log)).note
    client.key.verify(note)
    body, line = note.split("\n\n")
    start, _, signature = line.rstrip("\n").rpartition(" ")
    notes = [f"{body}\n\n{start} {base64.b64encode(twin).decode()}\n" for twin in flips(unbase64(signature))]
    all_refused("signature", notes, client.key.verify)
    twins = [twin + b"\n\n" + line.encode() for twin in flips(body.encode())]
    all_refused("checkpoint", twins, lambda twin: client.key.verify(twin.decode()))
    all_refused("verifier key", flips(vkey.encode()), lambda twin: LogKey(twin.decode()).verify(note))

    first, second, path = consistency
    roots = client.roots[first], client.roots[second]
    verify_consistency(first, roots[0], second, roots[1], path)
    altered = [[*path[:n], twin, *path[n + 1 :]] for n, node in enumerate(path) for twin in flips(node)]
    cut = [path[:n] + path[n + 1 :] for n in range(len(path))] + [[*path, roots[1]]]
    all_refused("consistency", altered + cut, lambda path: verify_consistency(first, roots[0], second, roots[1], path))
    twins = [(twin, roots[1]) for twin in flips(roots[0])] + [(roots[0], twin) for twin in flips(roots[1])]
    all_refused("roots", twins, lambda pair: verify_consistency(first, pair[0], second, pair[1], path))

    file = record.proof
    Proof(client.key, file)
    twins = []
    for at in range(0, len(file), 7):
        twins.append(file[:at] + ("A" if file[at] != "A" else "B") + file[at + 1 :])
    all_refused("proof file", twins, lambda twin: Proof(client.key, twin))


def check_all(client, options):
    run = secrets.token_hex(6)  # so that a log may be checked twice
    mails = read_mails(options.mails)
    check_services(client)
    first, _ = client.checkpoint()
    need(first > 0, "an open log has a leaf at least")
    check(f"checkpoint of {first} leaves, signed with the key that was given")
    check_status(client)
    traces = check_traces(client, run)
    objects = check_objects(client, run, mails)
    check_keys(client, run, next(iter(mails.values())))
    upload = check_upload(client, run)
    answers = [answer for _, answer in traces + objects + [upload]]
    check_records(client, traces[:10] + objects[:10] + [upload])
    check_search(client, run, traces, objects)
    check_disclosure(client, run)
    check_duplicati(client, objects + [upload])
    check_errors(client, traces[0][1].first)
    consistency = check_proofs(client, answers, first)
    check_audit(client)
    check_verifier(client, options.vkey, *objects[0], consistency)


def give_again(client, options):
    """Archives every file of a folder as it is, and writes its duplicato under the same name."""
    run = secrets.token_hex(6)
    for name, content in read_mails(options.mails).items():
        answer = client.submit(client.object_item(content, f"{name}{run}".encode()))
        unclassified = answer.acknowledgement.unclassified
        expected = None if unclassified else readable(content)
        compared = expected is not None
        if not compared:
            records = len(answer.acknowledgement.records)
            expected = [(None, None), (TRACE, None)][:records]
        result = client.acknowledged(answer.acknowledgement, answer.checkpoint, content, expected)
        _, again = client.duplicato(result.first, Leaf(result.leaves[0]).kind == INFECTED)
        need(again == content, f"{name}: the duplicato is not the original")
        (options.into / name).write_bytes(again)
        words = unclassified or ("facts as read here" if compared else "facts not compared")
        check(f"{name}: kind {Leaf(result.leaves[0]).kind}, {words}, {len(again)} bytes given again")


def readable(content):
    """What the records must be, where this program can tell; None of a message it cannot read."""
    try:
        return expected_of(content)
    except (Bad, AttributeError, LookupError, SyntaxError, TypeError, ValueError):
        return None  # a damaged message fails in as many ways as there are


def read_mails(folder):
    mails = {path.name: path.read_bytes() for path in sorted(folder.iterdir())}
    need(mails, "no mails")
    return mails


def main():
    parser = argparse.ArgumentParser(description="A client that trusts nothing.")
    parser.add_argument("--log", default="")
    for name in "--ca", "--certificate", "--key":
        parser.add_argument(name)
    commands = parser.add_subparsers(required=True)
    for name, act in ("check", check_all), ("duplicati", give_again):
        command = commands.add_parser(name)
        command.set_defaults(act=act)
        command.add_argument("address")
        command.add_argument("vkey")
        command.add_argument("mails", type=pathlib.Path)
        if act is give_again:
            command.add_argument("into", type=pathlib.Path)
    options = parser.parse_args()
    try:
        client = Client(options)
        options.act(client, options)
    except grpc.RpcError as error:
        print(f"FAIL  {error.code().name}: {error.details()}")
        sys.exit(1)
    except (Bad, AssertionError) as error:
        print(f"FAIL  {error}")
        sys.exit(1)
    except (LookupError, ValueError, struct.error) as error:
        print(f"FAIL  an answer of another form: {error!r}")
        sys.exit(1)
    print(f"all {passed} checks passed")


if __name__ == "__main__":
    main()
