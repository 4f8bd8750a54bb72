//! The grounds of a verdict: a closed list of stable codes, each with its wording.
//!
//! The codes are written into reports and read in ten years: never renamed, never used again.

/// What a ground does to the verdict.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Effect {
    /// There is no signature.
    Absent,
    /// Integrity is not shown.
    Broken,
    /// Integrity is shown; whose signature it is, is not.
    Untrusted,
    /// Integrity rests on what is no longer strong.
    Weak,
    /// To be known; the level stays.
    Note,
}

/// Why a verdict is what it is, or what else was noticed.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Ground {
    /// The message is not signed.
    NoSignature,
    /// The signature part is empty.
    SignatureEmpty,
    /// The signature part is larger than what is read.
    SignatureTooLarge,
    /// The signature part is not in the encoding it states.
    SignatureEncoding,
    /// The signature is no readable CMS SignedData.
    CmsMalformed,
    /// The signature holds more certificates, signers or attributes than are read.
    CmsTooComplex,
    /// The CMS holds no signer.
    SignerMissing,
    /// The certificate of the signer is not found.
    CertificateMissing,
    /// The certificate of the signer cannot be read.
    CertificateMalformed,
    /// The signed attributes are incomplete, repeated or unreadable.
    AttributesMalformed,
    /// The signed content type is not that of the CMS.
    ContentTypeDiffers,
    /// The algorithms that the signature protects are not those stated.
    AlgorithmProtectionDiffers,
    /// The digest algorithm is none of those that can be verified.
    DigestUnsupported,
    /// The digest needed was not made while reading.
    DigestNotMade,
    /// The signature algorithm, the key or their parameters are none of those that can be verified.
    SignatureUnsupported,
    /// The content is not what was signed.
    DigestDiffers,
    /// The signature does not match the key of the signer.
    SignatureInvalid,
    /// No trusted authorities were handed in.
    AnchorsMissing,
    /// No chain leads to a trusted authority.
    IssuerUnknown,
    /// No time is known at which to judge.
    TimeUnknown,
    /// The certificate had expired when the signature was made.
    CertificateExpired,
    /// The certificate was not yet valid when the signature was made.
    CertificateNotYetValid,
    /// A certificate of an authority was not valid when the signature was made.
    IssuerOutOfDate,
    /// A certificate of the chain is not of an authority that may issue.
    IssuerNotAuthority,
    /// A certificate of the chain is not signed by its issuer.
    IssuerSignatureInvalid,
    /// A certificate of the chain is signed with an algorithm that cannot be verified.
    IssuerSignatureUnsupported,
    /// A name of the certificate is outside the constraints of the authority.
    NameConstraints,
    /// A certificate of the chain has an unknown critical extension.
    CriticalExtension,
    /// A certificate of the chain is not in the required form.
    PathRefused,
    /// The key usage does not include signing.
    KeyUsage,
    /// The extended key usage does not include mail.
    ExtendedKeyUsage,
    /// The certificate was revoked or suspended when the signature was made.
    Revoked,
    /// A certificate of an authority was revoked when the signature was made.
    IssuerRevoked,
    /// The digest of the message or of the attributes is SHA-1.
    Sha1,
    /// A certificate of the chain is signed with SHA-1.
    CertificateSha1,
    /// An RSA key of the signature or of the chain has less than 2048 bits.
    ShortKey,
    /// No data say whether the certificate was revoked.
    RevocationUnknown,
    /// No data say whether a certificate of an authority was revoked.
    IssuerRevocationUnknown,
    /// An OCSP response handed in is an error of the responder, or of a type that is not known.
    OcspNotEvaluated,
    /// An OCSP response of the certificate does not count.
    OcspRefused,
    /// The OCSP response of the certificate does not reach the time of the signature.
    OcspOutOfDate,
    /// The OCSP responder does not know the certificate.
    OcspUnknown,
    /// The certificate was revoked after the signature.
    RevokedLater,
    /// The certificate was revoked at receipt.
    RevokedAtReceipt,
    /// The certificate had expired at receipt.
    ExpiredAtReceipt,
    /// The stated signing time is after receipt.
    SignedAfterReceipt,
    /// The CMS has more than one signer.
    ExtraSigner,
    /// The CMS carries content of its own: that of the message was judged.
    ContentAttached,
    /// The signature is over the content alone, without signed attributes.
    NoSignedAttributes,
    /// The signature does not state when it was made.
    SigningTimeMissing,
    /// The signing time and that of daticert.xml differ by more than five seconds.
    SigningTimeDiffers,
    /// The micalg parameter is not the digest of the signature.
    MicalgDiffers,
    /// The message has no readable From.
    FromMissing,
    /// The address in From is not in the certificate.
    FromDiffers,
    /// The certificate has no mail address in subjectAltName.
    ProfileSubjectAltName,
    /// The keyUsage extension is missing or not critical.
    ProfileKeyUsage,
    /// The key identifiers are missing in the certificate.
    ProfileKeyIdentifiers,
    /// The certificate has the basicConstraints extension, which it should not have.
    ProfileBasicConstraints,
    /// The directory of providers was not handed in.
    DirectoryMissing,
    /// The directory of that day was not handed in; the nearest one was looked at.
    DirectoryOfAnotherDay,
    /// The certificate is not in the directory of providers.
    NotInDirectory,
    /// The domain of From is none of those managed by the signer.
    DomainNotManaged,
}

impl Ground {
    /// All of them.
    pub const ALL: [Self; 62] = [
        Self::NoSignature,
        Self::SignatureEmpty,
        Self::SignatureTooLarge,
        Self::SignatureEncoding,
        Self::CmsMalformed,
        Self::CmsTooComplex,
        Self::SignerMissing,
        Self::CertificateMissing,
        Self::CertificateMalformed,
        Self::AttributesMalformed,
        Self::ContentTypeDiffers,
        Self::AlgorithmProtectionDiffers,
        Self::DigestUnsupported,
        Self::DigestNotMade,
        Self::SignatureUnsupported,
        Self::DigestDiffers,
        Self::SignatureInvalid,
        Self::AnchorsMissing,
        Self::IssuerUnknown,
        Self::TimeUnknown,
        Self::CertificateExpired,
        Self::CertificateNotYetValid,
        Self::IssuerOutOfDate,
        Self::IssuerNotAuthority,
        Self::IssuerSignatureInvalid,
        Self::IssuerSignatureUnsupported,
        Self::NameConstraints,
        Self::CriticalExtension,
        Self::PathRefused,
        Self::KeyUsage,
        Self::ExtendedKeyUsage,
        Self::Revoked,
        Self::IssuerRevoked,
        Self::Sha1,
        Self::CertificateSha1,
        Self::ShortKey,
        Self::RevocationUnknown,
        Self::IssuerRevocationUnknown,
        Self::OcspNotEvaluated,
        Self::OcspRefused,
        Self::OcspOutOfDate,
        Self::OcspUnknown,
        Self::RevokedLater,
        Self::RevokedAtReceipt,
        Self::ExpiredAtReceipt,
        Self::SignedAfterReceipt,
        Self::ExtraSigner,
        Self::ContentAttached,
        Self::NoSignedAttributes,
        Self::SigningTimeMissing,
        Self::SigningTimeDiffers,
        Self::MicalgDiffers,
        Self::FromMissing,
        Self::FromDiffers,
        Self::ProfileSubjectAltName,
        Self::ProfileKeyUsage,
        Self::ProfileKeyIdentifiers,
        Self::ProfileBasicConstraints,
        Self::DirectoryMissing,
        Self::DirectoryOfAnotherDay,
        Self::NotInDirectory,
        Self::DomainNotManaged,
    ];

    const fn row(self) -> (&'static str, Effect, &'static str, &'static str) {
        match self {
            Self::NoSignature => (
                "no-signature",
                Effect::Absent,
                "Il messaggio non è firmato.",
                "The message is not signed.",
            ),
            Self::SignatureEmpty => (
                "signature-empty",
                Effect::Absent,
                "La parte della firma è vuota.",
                "The signature part is empty.",
            ),
            Self::SignatureTooLarge => (
                "signature-too-large",
                Effect::Broken,
                "La parte della firma supera la dimensione che si legge.",
                "The signature part is larger than what is read.",
            ),
            Self::SignatureEncoding => (
                "signature-encoding",
                Effect::Broken,
                "La parte della firma non è nella codifica che dichiara.",
                "The signature part is not in the encoding it states.",
            ),
            Self::CmsMalformed => (
                "cms-malformed",
                Effect::Broken,
                "La firma non è una struttura CMS SignedData leggibile.",
                "The signature is no readable CMS SignedData.",
            ),
            Self::CmsTooComplex => (
                "cms-too-complex",
                Effect::Broken,
                "La firma contiene più certificati, firmatari o attributi di quanti se ne leggono.",
                "The signature holds more certificates, signers or attributes than are read.",
            ),
            Self::SignerMissing => (
                "signer-missing",
                Effect::Broken,
                "La struttura CMS non contiene alcun firmatario.",
                "The CMS holds no signer.",
            ),
            Self::CertificateMissing => (
                "certificate-missing",
                Effect::Broken,
                "Il certificato del firmatario non si trova.",
                "The certificate of the signer is not found.",
            ),
            Self::CertificateMalformed => (
                "certificate-malformed",
                Effect::Broken,
                "Il certificato del firmatario non è leggibile.",
                "The certificate of the signer cannot be read.",
            ),
            Self::AttributesMalformed => (
                "attributes-malformed",
                Effect::Broken,
                "Gli attributi firmati sono incompleti, ripetuti o illeggibili.",
                "The signed attributes are incomplete, repeated or unreadable.",
            ),
            Self::ContentTypeDiffers => (
                "content-type-differs",
                Effect::Broken,
                "Il tipo di contenuto firmato non è quello della struttura CMS.",
                "The signed content type is not that of the CMS.",
            ),
            Self::AlgorithmProtectionDiffers => (
                "algorithm-protection-differs",
                Effect::Broken,
                "Gli algoritmi protetti dalla firma non sono quelli dichiarati.",
                "The algorithms that the signature protects are not those stated.",
            ),
            Self::DigestUnsupported => (
                "digest-unsupported",
                Effect::Broken,
                "L'algoritmo di impronta non è tra quelli verificabili.",
                "The digest algorithm is none of those that can be verified.",
            ),
            Self::DigestNotMade => (
                "digest-not-made",
                Effect::Broken,
                "L'impronta richiesta non è stata calcolata durante la lettura.",
                "The digest needed was not made while reading.",
            ),
            Self::SignatureUnsupported => (
                "signature-unsupported",
                Effect::Broken,
                "L'algoritmo di firma, la chiave o i loro parametri non sono tra quelli verificabili.",
                "The signature algorithm, the key or their parameters are none of those that can be verified.",
            ),
            Self::DigestDiffers => (
                "digest-differs",
                Effect::Broken,
                "Il contenuto non è quello firmato.",
                "The content is not what was signed.",
            ),
            Self::SignatureInvalid => (
                "signature-invalid",
                Effect::Broken,
                "La firma non corrisponde alla chiave del firmatario.",
                "The signature does not match the key of the signer.",
            ),
            Self::AnchorsMissing => (
                "anchors-missing",
                Effect::Untrusted,
                "Non sono state fornite autorità fidate.",
                "No trusted authorities were handed in.",
            ),
            Self::IssuerUnknown => (
                "issuer-unknown",
                Effect::Untrusted,
                "Nessuna catena porta a un'autorità fidata.",
                "No chain leads to a trusted authority.",
            ),
            Self::TimeUnknown => (
                "time-unknown",
                Effect::Untrusted,
                "Non è noto alcun istante a cui riferire il giudizio.",
                "No time is known at which to judge.",
            ),
            Self::CertificateExpired => (
                "certificate-expired",
                Effect::Untrusted,
                "Al momento della firma il certificato era scaduto.",
                "The certificate had expired when the signature was made.",
            ),
            Self::CertificateNotYetValid => (
                "certificate-not-yet-valid",
                Effect::Untrusted,
                "Al momento della firma il certificato non era ancora valido.",
                "The certificate was not yet valid when the signature was made.",
            ),
            Self::IssuerOutOfDate => (
                "issuer-out-of-date",
                Effect::Untrusted,
                "Al momento della firma un certificato di autorità non era valido.",
                "A certificate of an authority was not valid when the signature was made.",
            ),
            Self::IssuerNotAuthority => (
                "issuer-not-authority",
                Effect::Untrusted,
                "Un certificato della catena non è di un'autorità che può emetterne.",
                "A certificate of the chain is not of an authority that may issue.",
            ),
            Self::IssuerSignatureInvalid => (
                "issuer-signature-invalid",
                Effect::Untrusted,
                "Un certificato della catena non è firmato dal suo emittente.",
                "A certificate of the chain is not signed by its issuer.",
            ),
            Self::IssuerSignatureUnsupported => (
                "issuer-signature-unsupported",
                Effect::Untrusted,
                "Un certificato della catena è firmato con un algoritmo non verificabile.",
                "A certificate of the chain is signed with an algorithm that cannot be verified.",
            ),
            Self::NameConstraints => (
                "name-constraints",
                Effect::Untrusted,
                "Un nome del certificato è fuori dai limiti posti dall'autorità.",
                "A name of the certificate is outside the constraints of the authority.",
            ),
            Self::CriticalExtension => (
                "critical-extension",
                Effect::Untrusted,
                "Un certificato della catena ha un'estensione critica sconosciuta.",
                "A certificate of the chain has an unknown critical extension.",
            ),
            Self::PathRefused => (
                "path-refused",
                Effect::Untrusted,
                "Un certificato della catena non è nella forma richiesta.",
                "A certificate of the chain is not in the required form.",
            ),
            Self::KeyUsage => (
                "key-usage",
                Effect::Untrusted,
                "L'uso della chiave non comprende la firma.",
                "The key usage does not include signing.",
            ),
            Self::ExtendedKeyUsage => (
                "extended-key-usage",
                Effect::Untrusted,
                "L'uso esteso della chiave non comprende la posta elettronica.",
                "The extended key usage does not include mail.",
            ),
            Self::Revoked => (
                "revoked",
                Effect::Untrusted,
                "Al momento della firma il certificato era revocato o sospeso.",
                "The certificate was revoked or suspended when the signature was made.",
            ),
            Self::IssuerRevoked => (
                "issuer-revoked",
                Effect::Untrusted,
                "Al momento della firma un certificato di autorità era revocato.",
                "A certificate of an authority was revoked when the signature was made.",
            ),
            Self::Sha1 => (
                "sha1",
                Effect::Weak,
                "L'impronta del messaggio o degli attributi è SHA-1.",
                "The digest of the message or of the attributes is SHA-1.",
            ),
            Self::CertificateSha1 => (
                "certificate-sha1",
                Effect::Weak,
                "Un certificato della catena è firmato con SHA-1.",
                "A certificate of the chain is signed with SHA-1.",
            ),
            Self::ShortKey => (
                "short-key",
                Effect::Weak,
                "Una chiave RSA della firma o della catena ha meno di 2048 bit.",
                "An RSA key of the signature or of the chain has less than 2048 bits.",
            ),
            Self::RevocationUnknown => (
                "revocation-unknown",
                Effect::Note,
                "Non ci sono dati che dicano se il certificato era revocato.",
                "No data say whether the certificate was revoked.",
            ),
            Self::IssuerRevocationUnknown => (
                "issuer-revocation-unknown",
                Effect::Note,
                "Non ci sono dati che dicano se un certificato di autorità era revocato.",
                "No data say whether a certificate of an authority was revoked.",
            ),
            Self::OcspNotEvaluated => (
                "ocsp-not-evaluated",
                Effect::Note,
                "Una risposta OCSP fornita non è valutata: è un errore del servizio, o di un tipo sconosciuto.",
                "An OCSP response handed in is not evaluated: an error of the responder, or of an unknown type.",
            ),
            Self::OcspRefused => (
                "ocsp-refused",
                Effect::Note,
                "Una risposta OCSP sul certificato non vale: firma, risponditore o date non sono ammissibili.",
                "An OCSP response of the certificate does not count: its signature, responder or dates are not acceptable.",
            ),
            Self::OcspOutOfDate => (
                "ocsp-out-of-date",
                Effect::Note,
                "La risposta OCSP sul certificato non copre il momento della firma.",
                "The OCSP response of the certificate does not cover the time of the signature.",
            ),
            Self::OcspUnknown => (
                "ocsp-unknown",
                Effect::Note,
                "Il risponditore OCSP non conosce il certificato.",
                "The OCSP responder does not know the certificate.",
            ),
            Self::RevokedLater => (
                "revoked-later",
                Effect::Note,
                "Il certificato è stato revocato dopo la firma.",
                "The certificate was revoked after the signature.",
            ),
            Self::RevokedAtReceipt => (
                "revoked-at-receipt",
                Effect::Note,
                "Al ricevimento il certificato era revocato.",
                "The certificate was revoked at receipt.",
            ),
            Self::ExpiredAtReceipt => (
                "expired-at-receipt",
                Effect::Note,
                "Al ricevimento il certificato era scaduto.",
                "The certificate had expired at receipt.",
            ),
            Self::SignedAfterReceipt => (
                "signed-after-receipt",
                Effect::Note,
                "L'istante di firma dichiarato è successivo al ricevimento.",
                "The stated signing time is after receipt.",
            ),
            Self::ExtraSigner => (
                "extra-signer",
                Effect::Note,
                "La struttura CMS ha più di un firmatario.",
                "The CMS has more than one signer.",
            ),
            Self::ContentAttached => (
                "content-attached",
                Effect::Note,
                "La struttura CMS porta con sé un contenuto: si è giudicato quello del messaggio.",
                "The CMS carries content of its own: that of the message was judged.",
            ),
            Self::NoSignedAttributes => (
                "no-signed-attributes",
                Effect::Note,
                "La firma è sul solo contenuto, senza attributi firmati.",
                "The signature is over the content alone, without signed attributes.",
            ),
            Self::SigningTimeMissing => (
                "signing-time-missing",
                Effect::Note,
                "La firma non dichiara quando è stata fatta.",
                "The signature does not state when it was made.",
            ),
            Self::SigningTimeDiffers => (
                "signing-time-differs",
                Effect::Note,
                "L'istante di firma e quello di daticert.xml differiscono di più di cinque secondi.",
                "The signing time and that of daticert.xml differ by more than five seconds.",
            ),
            Self::MicalgDiffers => (
                "micalg-differs",
                Effect::Note,
                "Il parametro micalg non corrisponde all'impronta della firma.",
                "The micalg parameter is not the digest of the signature.",
            ),
            Self::FromMissing => (
                "from-missing",
                Effect::Note,
                "Il messaggio non ha un mittente leggibile.",
                "The message has no readable From.",
            ),
            Self::FromDiffers => (
                "from-differs",
                Effect::Note,
                "L'indirizzo del mittente non è nel certificato.",
                "The address in From is not in the certificate.",
            ),
            Self::ProfileSubjectAltName => (
                "profile-subject-alt-name",
                Effect::Note,
                "Il certificato non ha un indirizzo di posta in subjectAltName.",
                "The certificate has no mail address in subjectAltName.",
            ),
            Self::ProfileKeyUsage => (
                "profile-key-usage",
                Effect::Note,
                "L'estensione keyUsage manca o non è critica.",
                "The keyUsage extension is missing or not critical.",
            ),
            Self::ProfileKeyIdentifiers => (
                "profile-key-identifiers",
                Effect::Note,
                "Mancano gli identificativi delle chiavi nel certificato.",
                "The key identifiers are missing in the certificate.",
            ),
            Self::ProfileBasicConstraints => (
                "profile-basic-constraints",
                Effect::Note,
                "Il certificato ha l'estensione basicConstraints, che non dovrebbe avere.",
                "The certificate has the basicConstraints extension, which it should not have.",
            ),
            Self::DirectoryMissing => (
                "directory-missing",
                Effect::Note,
                "L'indice dei gestori non è stato fornito.",
                "The directory of providers was not handed in.",
            ),
            Self::DirectoryOfAnotherDay => (
                "directory-of-another-day",
                Effect::Note,
                "L'indice dei gestori di quel giorno non è stato fornito: si è guardato il più vicino.",
                "The directory of providers of that day was not handed in; the nearest one was looked at.",
            ),
            Self::NotInDirectory => (
                "not-in-directory",
                Effect::Note,
                "Il certificato non è nell'indice dei gestori.",
                "The certificate is not in the directory of providers.",
            ),
            Self::DomainNotManaged => (
                "domain-not-managed",
                Effect::Note,
                "Il dominio del mittente non è tra quelli gestiti da chi ha firmato.",
                "The domain of From is none of those managed by the signer.",
            ),
        }
    }

    /// The stable code.
    pub const fn code(self) -> &'static str {
        self.row().0
    }

    /// What it does to the verdict.
    pub const fn effect(self) -> Effect {
        self.row().1
    }

    /// In Italian.
    pub const fn italian(self) -> &'static str {
        self.row().2
    }

    /// In English.
    pub const fn english(self) -> &'static str {
        self.row().3
    }
}

impl std::fmt::Display for Ground {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_ground_has_a_code_and_words_of_its_own() {
        for words in [Ground::code, Ground::italian, Ground::english] {
            let all: BTreeSet<_> = Ground::ALL.iter().map(|ground| words(*ground)).collect();
            assert_eq!(all.len(), Ground::ALL.len());
        }
        for ground in Ground::ALL {
            let code = ground.code();
            let plain = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'-';
            assert!(code.bytes().all(plain), "{code}");
            assert!(ground.italian().ends_with('.') && ground.english().ends_with('.'));
        }
    }
}
