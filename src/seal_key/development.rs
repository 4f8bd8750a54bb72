//! The keys of a development installation: a root, a seal key and a time-stamping authority's, beside the master key.
//!
//! ```text
//! sviluppo/passphrase   64 hexadecimal digits     sviluppo/root.pem
//! sviluppo/seal.key, seal.pem                     sviluppo/tsa.key, tsa.pem
//! ```
//!
//! # Invariants
//! 1. Made once, never overwritten: the folder appears whole, under its name, or not at all.
//! 2. The root's key is not kept: nothing else can be issued under it.
//! 3. Every certificate says `SVILUPPO - NON QUALIFICATO` in its subject.

use super::{OpenError, Passphrase, Source};
use crate::ambient::{Entropy, draw};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair};
use base64::Engine as _;
use ceralacca_evidence::certificates::{Purpose, Wanted, make as certificate};
use ceralacca_evidence::software_key::PrivateKey;
use ceralacca_formats::id::UtcMillis;
use pkcs8::PrivateKeyInfoRef;
use pkcs8::der::pem::LineEnding;
use pkcs8::pkcs5::pbes2;
use std::fs::File;
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// The passphrase has 256 random bits: stretching it adds nothing, and the format wants a number.
const ROUNDS: u32 = 10_000;
/// How long the certificates are valid: ten years.
const VALID_MS: u64 = 3_652 * 86_400_000;
/// And since when: clocks differ.
const BACK_MS: u64 = 86_400_000;
/// Name of the folder, beside the master key.
const FOLDER: &str = "sviluppo";

type Boxed = Box<dyn std::error::Error + Send + Sync>;

/// Where development keys are.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct DevelopmentFiles(PathBuf);

impl DevelopmentFiles {
    /// Those beside a master key.
    pub fn beside(master_key: &Path) -> Self {
        let folder = master_key.parent().unwrap_or(Path::new(""));
        Self(folder.join(FOLDER))
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.0
    }

    /// The seal key.
    pub fn seal(&self) -> Source {
        let (key, certificates) = (self.0.join("seal.key"), self.0.join("seal.pem"));
        Source::File {
            key,
            certificates,
            passphrase: self.passphrase(),
        }
    }

    /// The key of the time-stamping authority, and its certificates.
    pub fn authority(&self) -> (PathBuf, PathBuf) {
        (self.0.join("tsa.key"), self.0.join("tsa.pem"))
    }

    /// The root of both.
    pub fn root(&self) -> PathBuf {
        self.0.join("root.pem")
    }

    /// What decrypts the keys.
    pub fn passphrase(&self) -> Passphrase {
        Passphrase::File(self.0.join("passphrase"))
    }
}

/// Makes development keys, if there are none yet; whether it did. Durable on return.
pub fn make(
    files: &DevelopmentFiles,
    now: UtcMillis,
    entropy: &dyn Entropy,
) -> Result<bool, OpenError> {
    if files.0.symlink_metadata().is_ok() {
        return Ok(false);
    }
    // A name of its own: what another process makes at the same time is not mixed with it.
    let partial: [u8; 8] = draw(entropy);
    let partial = files
        .0
        .with_extension(format!("{}.partial", hex::encode(partial)));
    let made = fill(&partial, now, entropy).and_then(|()| Ok(std::fs::rename(&partial, &files.0)?));
    let made = made.and_then(|()| {
        let parent = files.0.parent().filter(|parent| *parent != Path::new(""));
        Ok(File::open(parent.unwrap_or(Path::new(".")))?.sync_all()?)
    });
    match made {
        Ok(()) => Ok(true),
        Err(source) => {
            // Half a folder is of no use to anybody; if it cannot be removed its name says what it is.
            let _ = std::fs::remove_dir_all(&partial);
            // Somebody else was first: a folder with files in it is not replaced by a rename.
            if files.root().exists() {
                return Ok(false);
            }
            let path = files.0.clone();
            Err(OpenError::Make { path, source })
        }
    }
}

fn fill(folder: &Path, now: UtcMillis, entropy: &dyn Entropy) -> Result<(), Boxed> {
    std::fs::DirBuilder::new().mode(0o700).create(folder)?;
    let secret: Zeroizing<[u8; 32]> = Zeroizing::new(draw(entropy));
    let passphrase = Zeroizing::new(hex::encode(secret.as_slice()));
    write(
        &folder.join("passphrase"),
        format!("{}\n", *passphrase).as_bytes(),
    )?;
    let root_key = PrivateKey::from_pkcs8(generate()?.as_ref())?;
    let issue = |purpose, public_key: &[u8]| {
        let wanted = Wanted {
            purpose,
            public_key,
            serial: draw(entropy),
            from: UtcMillis::new(now.get().saturating_sub(BACK_MS)),
            until: UtcMillis::new(now.get().saturating_add(VALID_MS)),
        };
        certificate(&wanted, &root_key).map(|der| pem(&der))
    };
    let root = issue(Purpose::Root, &root_key.public_key())?;
    write(&folder.join("root.pem"), root.as_bytes())?;
    for (name, purpose) in [("seal", Purpose::Seal), ("tsa", Purpose::TimeStamping)] {
        let key = generate()?;
        let own = issue(purpose, &PrivateKey::from_pkcs8(key.as_ref())?.public_key())?;
        let encrypted = encrypt(key.as_ref(), passphrase.as_bytes(), entropy)?;
        write(&folder.join(format!("{name}.key")), encrypted.as_bytes())?;
        let chain = format!("{own}{root}");
        write(&folder.join(format!("{name}.pem")), chain.as_bytes())?;
    }
    File::open(folder)?.sync_all()?;
    Ok(())
}

fn generate() -> Result<impl AsRef<[u8]>, Boxed> {
    let made = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &SystemRandom::new());
    made.map_err(|_| "no key could be made".into())
}

/// PBES2 with PBKDF2-HMAC-SHA-256 and AES-256-CBC, which openssl reads.
fn encrypt(
    pkcs8: &[u8],
    passphrase: &[u8],
    entropy: &dyn Entropy,
) -> Result<Zeroizing<String>, Boxed> {
    let (salt, iv): ([u8; 16], [u8; 16]) = (draw(entropy), draw(entropy));
    let parameters = pbes2::Parameters::generate_pbkdf2_sha256_aes256cbc(ROUNDS, &salt, iv);
    let parameters = parameters.map_err(|error| error.to_string())?;
    let info = PrivateKeyInfoRef::try_from(pkcs8).map_err(|error| error.to_string())?;
    let encrypted = info.encrypt_with_params(parameters, passphrase);
    let encrypted = encrypted.map_err(|error| error.to_string())?;
    let pem = encrypted.to_pem("ENCRYPTED PRIVATE KEY", LineEnding::LF);
    Ok(pem.map_err(|error| error.to_string())?)
}

fn pem(der: &[u8]) -> String {
    let text = base64::engine::general_purpose::STANDARD.encode(der);
    let mut lines = String::from("-----BEGIN CERTIFICATE-----\n");
    for (place, digit) in text.chars().enumerate() {
        if place > 0 && place % 64 == 0 {
            lines.push('\n');
        }
        lines.push(digit);
    }
    lines + "\n-----END CERTIFICATE-----\n"
}

fn write(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut options = File::options();
    let mut file = options
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}
