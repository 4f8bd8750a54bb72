//! `LEGGIMI.txt`: how to verify a package without us. It is itself a shell script: what is not a command is a comment.

use crate::error::PageError;
use crate::model::{Instant, Language, PackageFile};
use crate::texts::{Texts, fill, texts};

/// The program that verifies a proof of the log: Python and openssl, nothing of ours. It travels in the package, and
/// is public beside the formats.
pub const VERIFY_PROOF: &str = include_str!("../../tests/conformance/verify_proof.py");

/// Columns of the text.
const WIDTH: usize = 92;

/// How the package comes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Form<'a> {
    /// A ZIP or ASiC-E of this name.
    Archive(&'a str),
    /// A folder of this name.
    Folder(&'a str),
}

/// A message whose signature openssl can verify.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SignedObject {
    /// Its file in the package.
    pub file: String,
    /// The instant it is proven to have existed.
    pub proven: Option<Instant>,
    /// Whether lines end without carriage return: openssl would then change what was signed.
    pub has_bare_line_feeds: bool,
}

/// A time-stamp token and what it covers, both in the package.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct TokenFile {
    /// The token, DER.
    pub token: String,
    /// What it covers.
    pub covers: String,
}

/// A proof of the log in the package.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ProofFile {
    /// The leaf.
    pub leaf: u64,
    /// The `.tlog-proof`.
    pub proof: String,
    /// The content it is of, when it is handed out.
    pub content: Option<String>,
}

/// What the commands are made from.
#[derive(Clone, Debug)]
pub struct Package<'a> {
    /// Language of the comments.
    pub language: Language,
    /// How it comes.
    pub form: Form<'a>,
    /// File of certificates the reader trusts, PEM, beside the package: from another source.
    pub roots: &'a str,
    /// File with the log's verifier key, beside the package: from another source.
    pub log_key: &'a str,
    /// File of [`VERIFY_PROOF`] in the package.
    pub verify_proof: &'a str,
    /// Every file but the text itself and META-INF.
    pub files: &'a [PackageFile],
    /// Messages with their own signature.
    pub objects: &'a [SignedObject],
    /// Tokens.
    pub tokens: &'a [TokenFile],
    /// Certificates of disposals, CMS SignedData (DER) that holds what it is over.
    pub certificates: &'a [String],
    /// Proofs.
    pub proofs: &'a [ProofFile],
    /// Signed manifests in META-INF: two once a seal was added.
    pub signatures: u16,
    /// Whether anything is of development only.
    pub is_development: bool,
    /// Whether the seal is to follow.
    pub is_pending: bool,
}

/// The text.
///
/// # Errors
/// [`PageError::FileName`] for a name that a shell would read otherwise.
pub fn leggimi(package: &Package<'_>) -> Result<String, PageError> {
    let mut script = Script {
        text: String::new(),
        texts: texts(package.language),
    };
    script.opening(package)?;
    script.unpack(package)?;
    script.digests(package)?;
    script.manifests();
    script.signatures(package)?;
    script.tokens(package)?;
    script.objects(package)?;
    script.certificates(package)?;
    script.proofs(package)?;
    let meaning = script.texts.readme_meaning;
    script.blank();
    script.say(meaning);
    Ok(script.text)
}

struct Script {
    text: String,
    texts: &'static Texts,
}

impl Script {
    fn blank(&mut self) {
        self.text.push('\n');
    }

    /// A comment, broken into lines.
    fn say(&mut self, words: &str) {
        let mut line = "#".to_owned();
        for word in words.split_whitespace() {
            let longer = line.chars().count().saturating_add(word.chars().count());
            if longer >= WIDTH && line != "#" {
                self.put(&line);
                line = "#".to_owned();
            }
            line.push(' ');
            line.push_str(word);
        }
        self.put(&line);
    }

    /// What to do, then what it must answer.
    fn step(&mut self, title: &str) {
        self.blank();
        self.say(title);
    }

    fn expect(&mut self, answer: &str) {
        let text = fill(self.texts.readme_expect, &[answer]);
        self.say(&text);
    }

    fn put(&mut self, line: &str) {
        self.text.push_str(line);
        self.text.push('\n');
    }

    fn opening(&mut self, package: &Package<'_>) -> Result<(), PageError> {
        let texts = self.texts;
        self.say(texts.readme_title);
        self.put("#");
        if package.is_development {
            self.say(texts.readme_development);
        }
        if package.is_pending {
            self.say(texts.readme_pending);
        }
        self.say(texts.readme_intro);
        let (roots, key) = (plain(package.roots)?, plain(package.log_key)?);
        self.say(&fill(texts.readme_need, &[roots, key]));
        Ok(())
    }

    fn unpack(&mut self, package: &Package<'_>) -> Result<(), PageError> {
        self.step(self.texts.readme_unpack);
        match package.form {
            Form::Archive(name) => {
                let name = plain(name)?;
                self.put(&format!("unzip -t {name}"));
                self.put(&format!("unzip -o -q {name} -d {name}.d"));
                self.put(&format!("cd {name}.d"));
                self.expect(&format!("No errors detected in compressed data of {name}."));
            }
            Form::Folder(name) => self.put(&format!("cd {}", plain(name)?)),
        }
        Ok(())
    }

    fn digests(&mut self, package: &Package<'_>) -> Result<(), PageError> {
        self.step(self.texts.readme_digests);
        self.put("sha256sum -c - <<'FINE'");
        for file in package.files {
            let is_digest =
                file.sha256.len() == 64 && file.sha256.bytes().all(|c| c.is_ascii_hexdigit());
            if !is_digest {
                return Err(PageError::FileName(file.sha256.clone()));
            }
            self.put(&format!("{}  {}", file.sha256, plain(&file.name)?));
        }
        self.put("FINE");
        Ok(())
    }

    fn manifests(&mut self) {
        self.step(self.texts.readme_manifest);
        self.text.push_str(MANIFESTS);
    }

    fn signatures(&mut self, package: &Package<'_>) -> Result<(), PageError> {
        let roots = plain(package.roots)?;
        for number in 1..=package.signatures {
            self.step(self.texts.readme_signature);
            self.put(&format!(
                "openssl cms -verify -binary -inform DER -in META-INF/signature{number:03}.p7s \\\n  \
                 -content META-INF/ASiCManifest{number:03}.xml -CAfile ../{roots} -purpose any -out /dev/null"
            ));
            self.expect("CMS Verification successful");
        }
        Ok(())
    }

    fn tokens(&mut self, package: &Package<'_>) -> Result<(), PageError> {
        let roots = plain(package.roots)?;
        for TokenFile { token, covers } in package.tokens {
            let (token, covers) = (plain(token)?, plain(covers)?);
            self.step(&fill(self.texts.readme_token, &[covers]));
            self.put(&format!(
                "openssl ts -verify -token_in -in {token} -data {covers} -CAfile ../{roots}"
            ));
            self.expect("Verification: OK");
        }
        Ok(())
    }

    fn objects(&mut self, package: &Package<'_>) -> Result<(), PageError> {
        let roots = plain(package.roots)?;
        for object in package.objects {
            let file = plain(&object.file)?;
            if object.has_bare_line_feeds {
                self.step(&fill(self.texts.readme_object_lf, &[file]));
                continue;
            }
            let (at, when) = match object.proven {
                Some(at) => {
                    let seconds = at.millis().div_euclid(1000);
                    (format!(" -attime {seconds}"), at.rome_both())
                }
                None => (String::new(), self.texts.not_recorded.to_owned()),
            };
            self.step(&fill(self.texts.readme_object, &[file, &when]));
            self.put(&format!(
                "openssl cms -verify -in {file} -CAfile ../{roots}{at} -out /dev/null"
            ));
            self.expect("CMS Verification successful");
        }
        Ok(())
    }

    fn certificates(&mut self, package: &Package<'_>) -> Result<(), PageError> {
        let roots = plain(package.roots)?;
        for certificate in package.certificates {
            let file = plain(certificate)?;
            let (_, name) = file.rsplit_once('/').unwrap_or(("", file));
            let stem = name.strip_suffix(".p7m").unwrap_or(name);
            self.step(&fill(self.texts.readme_certificate, &[file]));
            self.put(&format!(
                "openssl cms -verify -binary -inform DER -in {file} \\\n  \
                 -CAfile ../{roots} -purpose any -out ../{stem}.json"
            ));
            self.expect("CMS Verification successful");
        }
        Ok(())
    }

    fn proofs(&mut self, package: &Package<'_>) -> Result<(), PageError> {
        let (key, program) = (plain(package.log_key)?, plain(package.verify_proof)?);
        for ProofFile {
            leaf,
            proof,
            content,
        } in package.proofs
        {
            let proof = plain(proof)?;
            let content = content.as_deref().map(plain).transpose()?;
            let content = content.map_or_else(String::new, |content| format!(" {content}"));
            self.step(&fill(self.texts.readme_proof, &[&leaf.to_string()]));
            self.put(&format!(
                "python3 {program} \"$(cat ../{key})\" {proof}{content}"
            ));
            self.expect(&format!("OK record {leaf} of …"));
        }
        Ok(())
    }
}

/// Digests in every manifest; the last one lists every file.
const MANIFESTS: &str = r"python3 - <<'FINE'
import base64, hashlib, os, xml.etree.ElementTree as xml
A, D = '{http://uri.etsi.org/02918/v1.2.1#}', '{http://www.w3.org/2000/09/xmldsig#}'
for name in sorted(n for n in os.listdir('META-INF') if 'Manifest' in n):
    root = xml.parse('META-INF/' + name).getroot()
    listed = {'META-INF/' + name, root.find(A + 'SigReference').get('URI')}
    for item in root.iter(A + 'DataObjectReference'):
        digest = hashlib.sha256()
        with open(item.get('URI'), 'rb') as file:
            for piece in iter(lambda: file.read(1 << 20), b''): digest.update(piece)
        if base64.b64decode(item.find(D + 'DigestValue').text) != digest.digest():
            raise SystemExit(item.get('URI') + ': ' + name)
        listed.add(item.get('URI'))
found = {os.path.relpath(os.path.join(d, f)).replace(os.sep, '/') for d, _, fs in os.walk('.') for f in fs}
if found - {'mimetype'} != listed: raise SystemExit(sorted(found ^ listed))
print('manifesti esatti')
FINE
";

/// A name that a shell reads as it stands, and that is no option.
fn plain(name: &str) -> Result<&str, PageError> {
    let is_plain = |c: u8| c.is_ascii_alphanumeric() || matches!(c, b'.' | b'-' | b'_' | b'/');
    let refused = || PageError::FileName(name.to_owned());
    let good = !name.is_empty() && !name.starts_with('-') && name.bytes().all(is_plain);
    good.then_some(name).ok_or_else(refused)
}
