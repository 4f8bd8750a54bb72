//! Objects: what their bytes say chooses kind and class, and becomes the trace record beside them.
//!
//! # Invariants
//! 1. Every complete byte string within the limit is archived; what is not understood is marked so (P2).
//! 2. An infected message is kept as such whatever its bytes say.
//! 3. A bad signature is a recorded fact, never a refusal; judging waits for nothing outside this process.

use super::{ClientKey, ContentUpload, INLINE_BYTES_MAX, Ingest, IngestError, Submission};
use ceralacca_formats::canonical::{Integer, Text};
use ceralacca_formats::leaf::{Class, Kind};
use ceralacca_formats::metadata::ObjectRecord;
use ceralacca_pec::judge::{Explanation, Level, Times, explain, judge, judge_at_hand};
use ceralacca_pec::{Finding, Reader, Reading, rem};

/// How an object is declared by who submits it.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Declared {
    /// As its bytes say.
    #[default]
    AsRead,
    /// It holds a virus: thirty months, apart (DPR 68/2005 art. 12).
    Infected,
}

/// Kind and class of an object.
fn place(reading: &Reading, declared: Declared) -> (Kind, Class) {
    let kind = match declared {
        Declared::AsRead => reading.kind,
        Declared::Infected => Kind::Infected,
    };
    let class = match kind {
        Kind::Receipt => Class::Receipt,
        Kind::Infected => Class::Infected,
        _ => Class::Content,
    };
    (kind, class)
}

/// What is remarked of an evidence, or why it was not read.
fn remarked_evidence(evidence: &Result<Box<rem::Evidence>, rem::Refusal>) -> Vec<Text> {
    match evidence {
        Ok(evidence) => evidence.findings.iter().map(|f| f.code().into()).collect(),
        Err(refusal) => vec![refusal.code().into()],
    }
}

/// What would make a broken signature match, if one known thing would; of an object that is not in memory, that
/// it was not tried. The level stays what it is.
fn diagnosis(reading: &Reading, bytes: Option<&[u8]>) -> Option<&'static str> {
    match bytes {
        Some(bytes) => explain(bytes, reading).map(Explanation::code),
        // Without readable octets of both parts nothing could be tried on any object.
        None => reading.p7s().map(|_| Finding::ExplanationNotTried.code()),
    }
}

impl Ingest {
    /// The submission of an object in memory.
    pub fn object(
        &self,
        bytes: Vec<u8>,
        declared: Declared,
        client_key: Option<ClientKey>,
    ) -> Result<Submission, IngestError> {
        if bytes.len() as u64 > self.policy.object_bytes_max {
            let limit = self.policy.object_bytes_max;
            return Err(IngestError::TooLarge { limit });
        }
        if bytes.len() > INLINE_BYTES_MAX {
            let mut upload = self.object_upload(declared);
            upload.write(&bytes)?;
            return upload.finish(client_key);
        }
        let reading = ceralacca_pec::read_at_hand(&bytes);
        let (_, class) = place(&reading, declared);
        let object = self.remarked(&reading, Some(&bytes));
        let content = self.content(class, bytes)?;
        Ok(self.submission(reading, object, declared, content, client_key))
    }

    /// Begins the upload of an object that need not fit in memory.
    pub fn object_upload(&self, declared: Declared) -> ObjectUpload<'_> {
        ObjectUpload {
            ingest: self,
            declared,
            reader: Reader::new(),
            first: Vec::new(),
            upload: None,
            bytes: 0,
        }
    }

    /// What is recorded of an object beside its bytes: what it is, and what its signature is worth now. `bytes` is
    /// the whole object where it is in memory: only then is it looked into why its signature does not match.
    fn remarked(&self, reading: &Reading, bytes: Option<&[u8]>) -> ObjectRecord {
        let mut object = ObjectRecord {
            unclassified: reading.unclassified.map(|reason| reason.code().into()),
            message_id: reading.message_id.clone(),
            findings: reading
                .findings
                .iter()
                .map(|finding| finding.code().into())
                .collect(),
            ..ObjectRecord::default()
        };
        let evidence = reading.evidence.as_ref();
        object
            .findings
            .extend(evidence.into_iter().flat_map(remarked_evidence));
        // Evidence that stands alone has no signature but its own, which is not evaluated.
        if let Some(Ok(evidence)) = evidence.filter(|_| reading.signed.is_none()) {
            let verdict = match evidence.signature {
                Some(_) => rem::Signature::VERDICT,
                None => Level::Absent.word(),
            };
            object.signature = Some(verdict.into());
            return object;
        }
        // Ordinary mail that nobody signed certifies nothing: there is nothing to judge.
        if reading.kind == Kind::Message && reading.signed.is_none() {
            return object;
        }
        let in_force = self.policy.trust.get();
        let received_ms = i64::try_from(self.policy.clock.wall().get()).ok();
        let times = Times { received_ms };
        let verdict = match bytes {
            Some(bytes) => judge_at_hand(bytes, reading, &in_force.trust, times),
            None => judge(reading, &in_force.trust, times),
        };
        (object.received_ms, object.trust) = in_force.named(received_ms);
        object.signature = Some(verdict.level.word().into());
        let grounds = verdict.grounds.iter().map(|ground| ground.code().into());
        object.findings.extend(grounds);
        if verdict.level == Level::Broken {
            object
                .findings
                .extend(diagnosis(reading, bytes).map(Text::from));
        }
        object.signing_ms = verdict.signing_ms.and_then(|at| Integer::try_from(at).ok());
        object.chain = verdict
            .chain
            .iter()
            .map(|digest| hex::encode(digest).into())
            .collect();
        object
    }

    fn submission(
        &self,
        reading: Reading,
        object: ObjectRecord,
        declared: Declared,
        content: super::ObjectContent,
        client_key: Option<ClientKey>,
    ) -> Submission {
        let (kind, class) = place(&reading, declared);
        let facts = reading.into_trace();
        let facts = facts.map(|facts| (self.policy.trace_class, facts));
        Submission::object(kind, class, object, content, facts, client_key)
    }
}

/// The upload of an object, read while it passes.
///
/// Chunks are encrypted under the secret of a class, which only the whole object tells: the first bytes give
/// a hint (a receipt says so in its header), and where it was wrong the content is staged again.
pub struct ObjectUpload<'a> {
    ingest: &'a Ingest,
    declared: Declared,
    reader: Reader,
    first: Vec<u8>,
    upload: Option<(Class, ContentUpload<'a>)>,
    bytes: u64,
}

impl ObjectUpload<'_> {
    /// Takes the next bytes.
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), IngestError> {
        self.bytes = self.bytes.saturating_add(bytes.len() as u64);
        if self.bytes > self.ingest.policy.object_bytes_max {
            let limit = self.ingest.policy.object_bytes_max;
            return Err(IngestError::TooLarge { limit });
        }
        self.reader.push(bytes);
        if let Some((_, upload)) = &mut self.upload {
            return upload.write(bytes);
        }
        self.first.extend_from_slice(bytes);
        if self.first.len() > INLINE_BYTES_MAX {
            let class = self.likely_class();
            let mut upload = self.ingest.upload(class);
            upload.write(&std::mem::take(&mut self.first))?;
            self.upload = Some((class, upload));
        }
        Ok(())
    }

    fn likely_class(&self) -> Class {
        let is_receipt = || {
            let lines = self.first.split(|byte| *byte == b'\n');
            let mut header = lines.take_while(|line| !line.trim_ascii().is_empty());
            let name = b"x-ricevuta:";
            header.any(|line| {
                line.get(..name.len())
                    .is_some_and(|start| start.eq_ignore_ascii_case(name))
            })
        };
        match self.declared {
            Declared::Infected => Class::Infected,
            Declared::AsRead if is_receipt() => Class::Receipt,
            Declared::AsRead => Class::Content,
        }
    }

    /// The object is whole.
    pub fn finish(self, client_key: Option<ClientKey>) -> Result<Submission, IngestError> {
        let reading = self.reader.finish();
        let (_, class) = place(&reading, self.declared);
        let whole = self.upload.is_none().then_some(self.first.as_slice());
        let object = self.ingest.remarked(&reading, whole);
        let content = match self.upload {
            None => self.ingest.content(class, self.first)?,
            Some((likely, upload)) if likely == class => upload.finish()?,
            Some((_, upload)) => self.ingest.reclass(upload.finish()?, class)?,
        };
        let submission =
            self.ingest
                .submission(reading, object, self.declared, content, client_key);
        Ok(submission)
    }

    /// Gives it up: what was staged is removed.
    pub fn abandon(self) -> Result<(), IngestError> {
        match self.upload {
            None => Ok(()),
            Some((_, upload)) => upload.abandon(),
        }
    }
}
