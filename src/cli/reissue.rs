//! `reissue`: the *duplicato* of an archived object (CAD art. 23-bis(1)), in a folder that explains itself.
//!
//! ```text
//! duplicato.eml            the exact bytes
//! duplicato.tlog-proof     proof of its record
//! facts.tlog-proof         proof of the trace record of its facts, where it has one
//! record.json              metadata and digests
//! LEGGIMI.txt              what each file is, what it proves, how to check it
//! ```
//!
//! # Invariants
//! 1. `duplicato.eml` appears only when the stream ended well and its bytes are those the leaf commits to.
//! 2. Nothing that is there is replaced: the folder is new or empty.

use super::gone::Gone;
use super::output::{Existing, Output, write};
use super::v1::get_duplicato_response::Part;
use super::{Answer, proven, remote, show, v1};
use anyhow::{Context as _, Result, bail, ensure};
use ceralacca_formats::digest::{ContentDigest, ContentHasher};
use ceralacca_formats::note::VerifierKey;
use ceralacca_formats::proof::ProvenRecord;
use remote::{Pieces, Remote};
use serde_json::json;
use std::collections::BTreeMap;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

/// What `reissue` is told.
#[derive(clap::Args)]
#[command(after_help = HELP)]
pub struct Arguments {
    #[command(flatten)]
    which: Which,
    /// The folder to write; new or empty
    #[arg(long, value_name = "DIR")]
    dir: PathBuf,
    /// Take an infected message out of its isolation: written as INFECTED.eml.quarantine, never opened here
    #[arg(long)]
    infected: bool,
    /// Answer as one JSON object
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    key: proven::KeyArguments,
    #[command(flatten)]
    remote: remote::Arguments,
}

/// Which object.
#[derive(clap::Args)]
#[group(required = true, multiple = false)]
struct Which {
    /// Index of the object, or of the trace record of its facts
    #[arg(long, value_name = "N")]
    index: Option<u64>,
    /// Its own Message-ID
    #[arg(long, value_name = "ID")]
    message_id: Option<String>,
}

/// The name of an infected message: none that a mail program opens.
const INFECTED: &str = "INFECTED.eml.quarantine";
/// The most records a Message-ID is looked up among.
const MATCHES_MAX: u32 = 1000;

const HELP: &str = "\
Status 0: written. 1: what came is not what was recorded; nothing is written. 5: the object was disposed of at its term;
its certificates are written into DIR. 2: it cannot be done.

--json: written, index, kind, content_bytes, content_sha256, dir, verified; where nothing is written why, or disposed
(interval_ms, class, carried, certificate: CMS in base64, or null).";

/// Why no object is written.
enum NotWritten {
    /// What the service gave is not what it says it is.
    Mismatch(anyhow::Error),
    /// It is gone.
    Disposed(Gone),
}

/// Fetches, checks, writes.
pub(super) fn run(arguments: &Arguments) -> Result<Answer> {
    let key = arguments.key.read()?;
    let made = prepare(&arguments.dir)?;
    let written = remote::run(async {
        let remote = arguments.remote.connect().await?;
        let index = match (&arguments.which.index, &arguments.which.message_id) {
            (Some(index), _) => *index,
            (None, Some(id)) => find(&remote, id).await?,
            (None, None) => bail!("--index or --message-id is needed"),
        };
        let name = match arguments.infected {
            true => INFECTED,
            false => "duplicato.eml",
        };
        fetch(&remote, index, (&arguments.dir, name), key.as_ref()).await
    });
    if made && !matches!(written, Ok(Ok(_) | Err(NotWritten::Disposed(_)))) {
        // Only ours, and only while it is empty.
        let _ = std::fs::remove_dir(&arguments.dir);
    }
    let mut out = std::io::stdout().lock();
    let duplicato = match written? {
        Ok(duplicato) => duplicato,
        Err(NotWritten::Disposed(gone)) => {
            gone.write(&arguments.dir)?;
            let dir = arguments.dir.display().to_string();
            if arguments.json {
                let answer = json!({ "written": false, "dir": dir, "disposed": gone.json() });
                writeln!(out, "{}", show::json(&answer))?;
            } else {
                let where_it_is = format!("its certificate is in {}", show::printable(&dir));
                gone.tell(&where_it_is, &mut out)?;
            }
            return Ok(Answer::Disposed);
        }
        Err(NotWritten::Mismatch(error)) => {
            let why = super::chain(&error);
            if arguments.json {
                let answer = json!({ "written": false, "why": why });
                writeln!(out, "{}", show::json(&answer))?;
            } else {
                writeln!(out, "NOT WRITTEN: {}.", show::printable(&why))?;
            }
            return Ok(Answer::No);
        }
    };
    if arguments.json {
        let (leaf, content) = (&duplicato.object.leaf, &duplicato.object.content);
        let answer = json!({
            "written": true,
            "index": leaf.seq.get(),
            "kind": leaf.kind.word(),
            "content_bytes": content.bytes,
            "content_sha256": content.sha256.to_string(),
            "dir": arguments.dir.display().to_string(),
            "verified": key.is_some(),
        });
        writeln!(out, "{}", show::json(&answer))?;
        return Ok(Answer::Yes);
    }
    let dir = show::printable(&arguments.dir.display().to_string());
    let (leaf, content) = (&duplicato.object.leaf, &duplicato.object.content);
    writeln!(
        out,
        "Object {}, kind {}, {} bytes, SHA-256 {}, in {dir}.",
        leaf.seq, leaf.kind, content.bytes, content.sha256
    )?;
    match key {
        Some(_) => writeln!(out, "VERIFIED. LEGGIMI.txt says how to check it again.")?,
        None => writeln!(
            out,
            "Not verified: no key was given. LEGGIMI.txt says how to do it."
        )?,
    }
    Ok(Answer::Yes)
}

/// A new folder, or an empty one; whether it was made.
fn prepare(dir: &Path) -> Result<bool> {
    let attempt = || format!("make folder {}", dir.display());
    match std::fs::create_dir(dir) {
        Ok(()) => return Ok(true),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
        Err(error) => return Err(error).with_context(attempt),
    }
    let mut entries = std::fs::read_dir(dir).with_context(attempt)?;
    if entries.next().is_some() {
        bail!("{} is not empty", dir.display());
    }
    Ok(false)
}

/// The object of a Message-ID. Copies of the same bytes are one; the first of them is taken.
async fn find(remote: &Remote, message_id: &str) -> Result<u64> {
    let mut request = v1::SearchRequest {
        message_id: message_id.to_owned(),
        order: v1::Order::Ascending.into(),
        page_size: MATCHES_MAX,
        ..v1::SearchRequest::default()
    };
    let mut found: BTreeMap<Vec<u8>, u64> = BTreeMap::new();
    let mut seen = 0u32;
    loop {
        let page = remote.search(request.clone()).await?;
        for record in &page.records {
            seen = seen.saturating_add(1);
            let Some(object) = proven::object_of(record) else {
                continue;
            };
            let sha256 = if object == record.index {
                record.content_sha256.to_vec()
            } else {
                match remote.record(object, false).await {
                    Ok(answer) => {
                        let record = answer.record.context("the answer has no record")?;
                        record.content_sha256.to_vec()
                    }
                    // Of one that is gone there is nothing to compare: it is an object of its own.
                    Err(error) if error.reason == "DISPOSED" => object.to_be_bytes().to_vec(),
                    Err(error) => return Err(error.into()),
                }
            };
            found.entry(sha256).or_insert(object);
        }
        if page.next_page_token.is_empty() {
            break;
        }
        if seen >= MATCHES_MAX {
            bail!("more than {MATCHES_MAX} records have this Message-ID: search for it");
        }
        request.page_token = page.next_page_token;
    }
    let mut indexes: Vec<u64> = found.into_values().collect();
    indexes.sort_unstable();
    match indexes.as_slice() {
        [] => bail!("no archived object has this Message-ID"),
        [only] => Ok(*only),
        several => {
            let several: Vec<String> = several.iter().map(u64::to_string).collect();
            let several = several.join(", ");
            bail!("different objects have this Message-ID, choose one by --index: {several}")
        }
    }
}

/// A *duplicato* that was written.
struct Duplicato {
    object: ProvenRecord,
}

async fn fetch(
    remote: &Remote,
    index: u64,
    (dir, name): (&Path, &str),
    key: Option<&VerifierKey>,
) -> Result<Result<Duplicato, NotWritten>> {
    let mut pieces = remote.duplicato(index, name == INFECTED).await?;
    let first = pieces.next().await?.and_then(|piece| piece.part);
    let head = match first {
        Some(Part::Head(head)) => head,
        Some(Part::Disposed(gone)) => {
            let gone = Gone::of(gone.units, gone.certificates)?;
            return Ok(Err(NotWritten::Disposed(gone)));
        }
        _ => bail!("the answer does not begin with the record"),
    };
    let checked = match check_head(&head, index, key) {
        Ok(checked) => checked,
        Err(error) => return Ok(Err(NotWritten::Mismatch(error))),
    };
    let mut output = Output::create(&dir.join(name), Existing::Keep)?;
    let limit = checked.object.content.bytes;
    let digest = take(&mut pieces, limit, &mut output).await?;
    if digest != checked.object.content {
        let error = anyhow::anyhow!("the bytes received are not those of record {index}");
        return Ok(Err(NotWritten::Mismatch(error)));
    }
    output.finish()?;
    write_beside(dir, name, &head, &checked)?;
    Ok(Ok(Duplicato {
        object: checked.object,
    }))
}

/// What a head says, checked.
struct Checked {
    object: ProvenRecord,
    facts: Option<ProvenRecord>,
}

fn check_head(head: &v1::DuplicatoHead, index: u64, key: Option<&VerifierKey>) -> Result<Checked> {
    let record = head.record.as_ref().context("the answer has no record")?;
    let object = proven::record(record)?;
    let facts = head.facts.as_ref().map(proven::record).transpose()?;
    let asked = |record: &ProvenRecord| record.leaf.seq.get() == index;
    ensure!(
        asked(&object) || facts.as_ref().is_some_and(asked),
        "the answer is another record than {index}"
    );
    proven::proof(&head.proof, &object, key)?;
    if let Some(facts) = &facts {
        proven::proof(&head.facts_proof, facts, key)?;
    }
    Ok(Checked { object, facts })
}

/// Writes the pieces to the end, and at most one beyond the length that the record says.
async fn take(
    pieces: &mut Pieces<v1::GetDuplicatoResponse>,
    limit: u64,
    output: &mut Output,
) -> Result<ContentDigest> {
    let bar = show::progress(limit, "receiving");
    let mut hasher = ContentHasher::default();
    while let Some(piece) = pieces.next().await? {
        let Some(Part::Chunk(bytes)) = piece.part else {
            bail!("the answer has something else among its bytes");
        };
        hasher.update(&bytes);
        if hasher.bytes() > limit {
            break;
        }
        output.write(&bytes)?;
        bar.set_position(hasher.bytes());
    }
    bar.finish_and_clear();
    Ok(hasher.finish())
}

fn write_beside(dir: &Path, name: &str, head: &v1::DuplicatoHead, checked: &Checked) -> Result<()> {
    let proof = head.proof.as_bytes();
    write(&dir.join("duplicato.tlog-proof"), proof, Existing::Keep)?;
    if checked.facts.is_some() {
        let proof = head.facts_proof.as_bytes();
        write(&dir.join("facts.tlog-proof"), proof, Existing::Keep)?;
    }
    let shown = |record: Option<&v1::Record>, proven: Option<&ProvenRecord>| {
        let (record, proven) = record.zip(proven)?;
        Some(proven::to_json(record, proven))
    };
    let json = json!({
        "object": shown(head.record.as_ref(), Some(&checked.object)),
        "facts": shown(head.facts.as_ref(), checked.facts.as_ref()),
    });
    let json = format!("{json:#}\n");
    write(&dir.join("record.json"), json.as_bytes(), Existing::Keep)?;
    let text = explanation(&head.proof, checked).replace("duplicato.eml", name);
    write(&dir.join("LEGGIMI.txt"), text.as_bytes(), Existing::Keep)
}

/// The origin that a note says, on the first line of its checkpoint.
fn origin_of(proof: &str) -> String {
    let note = proof.split_once("\n\n").map(|(_, note)| note);
    let line = note.and_then(|note| note.lines().next());
    show::printable(line.unwrap_or_default())
}

fn explanation(proof: &str, checked: &Checked) -> String {
    let (leaf, content) = (&checked.object.leaf, &checked.object.content);
    let (index, bytes, sha256) = (leaf.seq, content.bytes, content.sha256);
    let time = i64::try_from(leaf.time.get()).map_or_else(|_| show::utc(leaf.time), show::rome);
    let origin = origin_of(proof);
    let (fatti, facts) = match &checked.facts {
        None => (String::new(), String::new()),
        Some(facts) => (facts_it(facts), facts_en(facts)),
    };
    format!(
        "\
DUPLICATO INFORMATICO DI UN OGGETTO ARCHIVIATO

Registro:    {origin}
Indice:      {index}
Registrato:  {time} (orologio dell'archivio)
Lunghezza:   {bytes} byte
SHA-256:     {sha256}

I FILE

duplicato.eml
    L'oggetto, con gli stessi identici byte con cui fu archiviato (CAD, art. 23-bis, comma 1).
duplicato.tlog-proof
    La prova che il registro contiene l'impronta di questo oggetto all'indice {index}. Contiene
    anche i metadati del record: chi la riceve li può leggere.
{fatti}record.json
    Metadati e impronte in forma leggibile. Serve a chi legge: da solo non prova nulla.

CHE COSA È PROVATO

Un oggetto di esattamente questi byte è nel registro, sotto una radice firmata con la chiave del
registro: né l'oggetto né il suo posto sono stati cambiati da quando quella radice fu firmata.
L'ora è quella dell'orologio dell'archivio. La prova non dice che la firma del gestore PEC nel
messaggio è valida: quella si verifica sul messaggio stesso.

COME SI VERIFICA

La chiave pubblica del registro (VKEY) va presa da una fonte propria, non da chi consegna questi
file.

1. L'impronta del file è quella scritta sopra:

       sha256sum duplicato.eml
       openssl dgst -sha256 duplicato.eml

2. La prova è buona, e il file è quello di cui parla (senza rete):

       ceralacca verify duplicato.tlog-proof --key VKEY --content duplicato.eml

Il formato della prova è descritto byte per byte in docs/formats.md, sezione 8: si può verificare
anche senza questo programma.

------------------------------------------------------------------------------------------------

DUPLICATE OF AN ARCHIVED OBJECT

duplicato.eml
    The object, the same bytes that were archived.
duplicato.tlog-proof
    The proof that the log holds the digest of this object at index {index}. It also has the
    record's metadata: who receives it can read them.
{facts}record.json
    Metadata and digests to read. By itself it proves nothing.

What is proven: an object of exactly these bytes stands in the log, under a root signed with the
log's key; neither the object nor its place was changed since that root was signed. The time is
that of the archive's clock. The proof does not say that the PEC provider's signature inside the
message is valid: that is verified on the message.

To verify, with the log's key (VKEY) from a source of your own, that the digest is the one above,
and that the proof is good and over this file (offline):

       sha256sum duplicato.eml
       openssl dgst -sha256 duplicato.eml
       ceralacca verify duplicato.tlog-proof --key VKEY --content duplicato.eml

The proof is drawn byte by byte in docs/formats.md, section 8: it can be verified without this
program.
"
    )
}

fn facts_it(facts: &ProvenRecord) -> String {
    format!(
        "\
facts.tlog-proof
    La prova dei fatti letti dall'oggetto quando fu archiviato (mittente, destinatari, evento,
    ora), record {} del registro. Si verifica allo stesso modo, senza --content.
",
        facts.leaf.seq
    )
}

fn facts_en(facts: &ProvenRecord) -> String {
    format!(
        "\
facts.tlog-proof
    The proof of the facts read from the object when it was archived (sender, recipients, event,
    time), record {} of the log. Verified in the same way, without --content.
",
        facts.leaf.seq
    )
}
