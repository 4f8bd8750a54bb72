//! ASiCManifest and ASiCEvidenceRecordManifest (ETSI EN 319 162-1 annex A.4), one way of writing them.

use super::error::AsicError;
use super::name::FileName;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ceralacca_formats::digest::Sha256;

const ASIC: &str = "http://uri.etsi.org/02918/v1.2.1#";
const DS: &str = "http://www.w3.org/2000/09/xmldsig#";
const SHA256: &str = "http://www.w3.org/2001/04/xmlenc#sha256";

/// Media type of a CAdES signature.
pub(super) const CADES: &str = "application/pkcs7-signature";
/// Media type of an evidence record.
pub(super) const ERS: &str = "application/octet-stream";

/// A file as a manifest lists it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Listed {
    pub name: FileName,
    pub media_type: String,
    pub sha256: Sha256,
}

/// A manifest.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Manifest {
    /// The signature or evidence record it belongs to.
    pub target: FileName,
    /// That one's media type.
    pub target_type: String,
    /// What it lists.
    pub listed: Vec<Listed>,
}

impl Manifest {
    /// Its octets. Names and media types need no escaping: [`FileName`], [`is_media_type`].
    pub(super) fn write(&self) -> Vec<u8> {
        let mut xml = format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
             <asic:ASiCManifest xmlns:asic=\"{ASIC}\" xmlns:ds=\"{DS}\">\n  \
             <asic:SigReference URI=\"{}\" MimeType=\"{}\"/>\n",
            self.target, self.target_type
        );
        for file in &self.listed {
            xml.push_str(&format!(
                "  <asic:DataObjectReference URI=\"{}\" MimeType=\"{}\">\n    \
                 <ds:DigestMethod Algorithm=\"{SHA256}\"/>\n    \
                 <ds:DigestValue>{}</ds:DigestValue>\n  </asic:DataObjectReference>\n",
                file.name,
                file.media_type,
                STANDARD.encode(file.sha256.as_bytes())
            ));
        }
        xml.push_str("</asic:ASiCManifest>\n");
        xml.into_bytes()
    }

    /// Reads [`Manifest::write`], and nothing else.
    pub(super) fn read(name: &str, octets: &[u8]) -> Result<Self, AsicError> {
        let refused = |what: &str| AsicError::Manifest {
            name: name.to_owned(),
            what: what.to_owned(),
        };
        let text = std::str::from_utf8(octets).map_err(|_| refused("it is not UTF-8"))?;
        // Document types are refused by the parser's default.
        let xml = roxmltree::Document::parse(text).map_err(|error| refused(&error.to_string()))?;
        let attribute = |node: roxmltree::Node<'_, '_>, name: &str| {
            let value = node.attribute(name).map(str::to_owned);
            value.ok_or_else(|| refused("an attribute is missing"))
        };
        let mut children = xml
            .root_element()
            .children()
            .filter(|node| node.is_element());
        let target = children
            .next()
            .filter(|node| node.has_tag_name((ASIC, "SigReference")))
            .ok_or_else(|| refused("it names no signature"))?;
        let mut listed = Vec::new();
        for node in children {
            let digest = node
                .descendants()
                .find(|node| node.has_tag_name((DS, "DigestValue")))
                .and_then(|node| node.text())
                .and_then(|text| STANDARD.decode(text).ok())
                .and_then(|bytes| <[u8; 32]>::try_from(bytes).ok())
                .ok_or_else(|| refused("a digest is no SHA-256"))?;
            listed.push(Listed {
                name: FileName::new(&attribute(node, "URI")?)?,
                media_type: attribute(node, "MimeType")?,
                sha256: Sha256::from_bytes(digest),
            });
        }
        let manifest = Self {
            target: FileName::new(&attribute(target, "URI")?)?,
            target_type: attribute(target, "MimeType")?,
            listed,
        };
        if manifest.write() == octets {
            Ok(manifest)
        } else {
            Err(refused("it is not as written"))
        }
    }
}

/// Whether a media type can stand in an attribute as it is.
pub(super) fn is_media_type(text: &str) -> bool {
    let is_plain = |c: u8| c.is_ascii_alphanumeric() || matches!(c, b'.' | b'-' | b'+' | b'/');
    text.len() <= 127 && text.contains('/') && text.bytes().all(is_plain)
}
