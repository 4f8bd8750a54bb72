//! A disposal that ends before any step, as by a crash, goes on to the same end.

use super::*;
use ceralacca_formats::metadata::{CustodyRecord, Metadata};

/// Leaves that say that a unit is gone.
fn completed(log: &Log) -> usize {
    let reader = log.reader();
    let state = reader.published();
    let leaves = (0..state.tip.size.get()).map(LeafIndex::new);
    let completed = leaves.filter(|index| {
        let leaf = reader.leaf(&state, *index).unwrap();
        leaf.kind == Kind::DisposalCompleted && {
            let opened = reader.record(&state, *index).unwrap();
            matches!(
                opened.metadata().unwrap(),
                Metadata::Custody(CustodyRecord::DisposalCompleted(_))
            )
        }
    });
    completed.count()
}

#[test]
fn a_disposal_that_ends_before_any_step_goes_on_to_the_same_end() {
    for step in DisposalProbe::STEPS {
        let mut house = House::new();
        let held_index = house.known.receipts[2].0;
        held::hold(&house, held_index);
        house.ready();
        let probe = DisposalProbe::before(step);
        let ended = loop {
            match house.log.disposer().advance(&house.authorities(), &probe) {
                Ok(Some(_)) => {}
                other => break other,
            }
        };
        assert!(
            matches!(ended, Err(DisposalError::Probed(at)) if at == step),
            "{step}: {ended:?}"
        );
        let is_before_the_batch =
            ["secret of the held", "copy of the held", "batch"].contains(&step);
        if is_before_the_batch {
            // Nothing happened.
            for (index, bytes, _) in &house.known.receipts {
                assert_eq!(house.content(*index), *bytes, "{step}");
            }
        }
        house = house.reopen();
        house.run();
        let gone = house
            .log
            .disposer()
            .gone_of(house.known.interval, Class::Receipt)
            .unwrap();
        let [gone] = &gone[..] else {
            panic!("{step}: one unit")
        };
        assert_eq!((gone.step, gone.held), (Step::Done, 1), "{step}");
        assert_eq!(gone.records, RECEIPTS as u64 - 1, "{step}");
        assert_eq!(completed(&house.log), 1, "{step}");
        assert!(
            house
                .log
                .disposer()
                .certificate(house.unit())
                .unwrap()
                .is_some(),
            "{step}"
        );
        assert_eq!(
            house.content(held_index),
            house.known.receipts[2].1,
            "{step}"
        );
        let report = house.check();
        assert_eq!(report.disposed, RECEIPTS as u64 - 1, "{step}");
    }
}
