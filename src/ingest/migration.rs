//! An operator declares an interval of an older archive migrated: two leaves, what and by whom.
//!
//! ```text
//! leaf n    kind configuration, class custody           role, the interval
//! leaf n+1  kind configuration, class of the log's own  principal, what was stated
//!           trace records
//! ```
//! From then on, log files may be imported under leaf n: the term of what they hold of that interval runs from their
//! old time-stamps, where these are verified.

use super::{Ingest, IngestError, Submission};
use crate::access::{Migrate, Permit};
use crate::record::prepare::{Draft, DraftContent};
use ceralacca_formats::acknowledgement::Acknowledgement;
use ceralacca_formats::canonical::Integer;
use ceralacca_formats::leaf::{Class, Kind};
use ceralacca_formats::metadata::{CustodyRecord, Metadata, MigrationDetail};

impl Ingest {
    /// Records a declaration. The interval is not empty, in milliseconds since 1970.
    pub(crate) fn declare_migration(
        &self,
        permit: &Permit<Migrate>,
        (from_ms, until_ms): (Integer, Integer),
        statement: &str,
    ) -> Result<Acknowledgement, IngestError> {
        let custody = Metadata::Custody(CustodyRecord::MigrationDeclared {
            role: permit.role().word().into(),
            from_ms,
            until_ms,
        });
        let detail = Metadata::MigrationDetail(MigrationDetail {
            principal: permit.principal().into(),
            statement: statement.into(),
        });
        let draft =
            |class, metadata| Draft::new(Kind::Configuration, class, metadata, DraftContent::None);
        let drafts = vec![
            draft(Class::Custody, custody),
            draft(self.trace_class(), detail),
        ];
        self.record(Submission::of_acts(drafts))
    }
}
