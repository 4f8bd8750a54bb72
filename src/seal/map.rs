//! What the maps of a package say of one identificativo.

use super::scan::{map_name, salt_name};
use super::{Package, SealError};
use ceralacca_formats::leaf::Class;
use ceralacca_formats::map::{MapFile, MapFileError, MapKey, MapProof};

const SALT_BYTES: usize = 32;

fn failed(error: MapFileError<SealError>) -> SealError {
    match error {
        MapFileError::Storage(error) => error,
        other => SealError::Map(other.to_string()),
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
