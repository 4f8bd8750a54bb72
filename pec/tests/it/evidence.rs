//! Evidence of the European system in real messages, where a folder of them is named by
//! `CERALACCA_SAMPLES`; nothing of their contents is printed.

use ceralacca_pec::brief::Brief;
use ceralacca_pec::rem::{self, Finding};

#[test]
fn evidence_in_real_messages_is_read_and_their_copies_hold_no_hashes() {
    let Some(folder) = std::env::var_os("CERALACCA_SAMPLES") else {
        eprintln!("NOT RUN: CERALACCA_SAMPLES is not set");
        return;
    };
    let mut count = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if !path.is_file() {
            continue;
        }
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let bytes = std::fs::read(&path).unwrap();
        let reading = ceralacca_pec::read(&bytes);
        for found in rem::find(&bytes, &reading) {
            count += 1;
            let evidence = found
                .evidence
                .unwrap_or_else(|r| panic!("{name}: {}", r.code()));
            let signature = evidence.signature.map(|signature| signature.is_xades);
            eprintln!(
                "{name}: evidence, XAdES {signature:?}, {} recipients, {} reasons, {} policies, {} digests, \
                 message id {}, {:?}",
                evidence.recipients.len(),
                evidence.reasons.len(),
                evidence.policy_ids.len(),
                evidence.digests.len(),
                evidence.message_id.is_some(),
                evidence.findings
            );
            assert!(
                !evidence.findings.contains(&Finding::EventUnknown),
                "{name}"
            );
            assert!(
                evidence.event_ms.is_some() && evidence.trace().is_some(),
                "{name}"
            );
        }
        let Some(postacert) = reading.postacert else {
            continue;
        };
        let range = postacert.start as usize..postacert.end as usize;
        let brief = Brief::read(&bytes[range.clone()]);
        assert!(brief.hashes.is_empty() && brief.is_complete, "{name}");
        assert!(brief.compare(&bytes[range]).is_complete, "{name}");
    }
    eprintln!("{count} with evidence");
}
