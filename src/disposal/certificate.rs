//! The certificate of a disposal: canonical JSON in a CAdES signature of the seal key, time-stamped.

use super::steps::Step;
use super::{DisposalError, Disposer};
use crate::seal::Authorities;
use crate::store::cf::disposal::{DisposalKey, DisposalRow, Disposals, GoneRow};
use crate::store::{Batch, Rows};
use ceralacca_evidence::cades::{self, Content};
use ceralacca_formats::disposal::DisposalUnit;
use ceralacca_formats::disposal_certificate::DisposalCertificate;

/// What it proves, and what it cannot (evidence of the operator, not of the world).
pub(super) const STATEMENT: &str = "L'archivio dichiara di avere eliminato le registrazioni indicate: ha distrutto il \
segreto da cui dipendono le loro chiavi, rimosso le righe e i file che le contenevano e riscritto le tabelle che ne \
conservavano i byte. Le foglie del registro, i loro percorsi di inclusione e le marche temporali restano verificabili. \
Il certificato prova che cosa l'archivio dichiara e quando; non può provare che non esistano altrove altre copie: \
copie di riserva, esportazioni, riemissioni già consegnate, supporti sottratti.";

impl Disposer {
    /// Signs and stamps the certificate of a unit, and keeps it.
    pub(super) fn certify(
        &self,
        unit: DisposalUnit,
        row: GoneRow,
        facts: DisposalCertificate,
        authorities: &Authorities,
    ) -> Result<(), DisposalError> {
        let octets = facts.to_bytes();
        let (signer, stamper) = (&*authorities.signer, &*authorities.stamper);
        let at = self.clock.wall();
        let (signed, _) = cades::sign_stamped(Content::Enveloping(&octets), at, signer, stamper)?;
        let row = GoneRow {
            step: Step::Done.code(),
            ..row
        };
        let mut batch = Batch::new();
        let certificate = DisposalRow::Certificate(signed);
        batch.put::<Disposals>(&DisposalKey::Certificate(unit), &certificate);
        batch.put::<Disposals>(&DisposalKey::Gone(unit), &DisposalRow::Gone(row));
        Ok(self.reader.store().commit(&batch)?)
    }

    /// The certificate of a unit: CMS SignedData, DER; none where it is not issued.
    pub fn certificate(&self, unit: DisposalUnit) -> Result<Option<Vec<u8>>, DisposalError> {
        let key = DisposalKey::Certificate(unit);
        match self.reader.store().read::<Disposals>(&key)? {
            Some(DisposalRow::Certificate(octets)) => Ok(Some(octets)),
            _ => Ok(None),
        }
    }
}
