//! What the maps of a package say of one identificativo.

use super::scan::{map_name, salt_name};
use super::{Package, SealError, Sealer};
use crate::store::Rows;
use crate::store::cf::secret::{SecretKey, Secrets};
use ceralacca_formats::id::IntervalId;
use ceralacca_formats::leaf::Class;
use ceralacca_formats::map::{MapFile, MapFileError, MapKey, MapProof};

const SALT_BYTES: usize = 32;

fn failed(error: MapFileError<SealError>) -> SealError {
    match error {
        MapFileError::Storage(error) => error,
        other => SealError::Map(other.to_string()),
    }
}

impl Sealer {
    /// Whether what an interval held of a class was disposed of: its secret is gone.
    pub fn is_disposed(&self, interval: IntervalId, class: Class) -> Result<bool, SealError> {
        let key = SecretKey::Class(interval, class);
        let secret = self.reader.store().read::<Secrets>(&key)?;
        Ok(secret.is_none())
    }
}

impl Package {
    /// The salt of the map of a class, and what the map says of an identificativo: a bucket of it is read. `None` where
    /// the package has no map of the class.
    pub fn map_proof(
        &self,
        class: Class,
        identificativo: &[u8],
    ) -> Result<Option<([u8; SALT_BYTES], MapProof)>, SealError> {
        let files = self
            .file(&salt_name(class))?
            .zip(self.file(&map_name(class))?);
        let Some((mut salt, mut map)) = files else {
            return Ok(None);
        };
        let salt = salt.read_at(0, SALT_BYTES)?;
        let salt = <[u8; SALT_BYTES]>::try_from(salt);
        let salt = salt.map_err(|_| SealError::Corrupt("the salt of a map"))?;
        let bytes = map.bytes();
        let mut read_at =
            |offset: u64, bytes: usize| map.read_at(offset, bytes).map_err(SealError::from);
        let file = MapFile::open(bytes, &mut read_at).map_err(failed)?;
        let key = MapKey::of_identificativo(&salt, identificativo);
        let proof = file.prove(&key, &mut read_at).map_err(failed)?;
        Ok(Some((salt, proof)))
    }
}
