//! What befalls the archive: records, clocks, authorities, holds, erasures.

use super::*;
use crate::gone::permit;
use ceralacca::access::{Erase, Hold, Release};
use ceralacca::custody::CustodyError;
use ceralacca::desk::{DeskError, HoldOrder, Scope, SearchQuery};
use ceralacca::seal::{Probe, SealError};
use ceralacca_formats::erasure::Ground;
use ceralacca_formats::hold::HoldAuthority;
use ceralacca_formats::metadata::{Field, Metadata, TraceRecord};
use std::sync::atomic::Ordering;

const CLASSES: [Class; 5] = [
    Class::Trace,
    Class::Infected,
    Class::Justice,
    Class::Receipt,
    Class::Content,
];

impl Decade {
    /// What is seen now is what leaves may say.
    pub(super) fn see_wall(&mut self) {
        self.peaks[0] = self.peaks[0].max(self.clock.now());
    }

    pub(super) fn are_silent(&self) -> [bool; 2] {
        let silent = |one: &Sealing| one.tsa.silent.load(Ordering::SeqCst);
        [silent(&self.sealings[0]), silent(&self.sealings[1])]
    }

    /// Authorities begin and cease to fail.
    pub(super) fn authorities_fail(&mut self) {
        for at in 0..2 {
            let is_silent = self.dice.percent(15);
            self.sealings[at]
                .tsa
                .silent
                .store(is_silent, Ordering::SeqCst);
        }
    }

    /// They answer again.
    pub(super) fn answer(&self) {
        for one in &self.sealings {
            one.tsa.silent.store(false, Ordering::SeqCst);
        }
    }

    /// Some records come.
    pub(super) fn bring(&mut self) {
        if self.dice.percent(25) {
            return;
        }
        let of_now = [self.dice.below(5), self.dice.below(5)];
        for _ in 0..1 + self.dice.below(7) {
            let class = CLASSES[of_now[self.dice.below(2) as usize] as usize];
            // Some share what they are found by.
            let group = self.model.records.len() as u64 / 2 + self.dice.below(2);
            let mark = format!("gruppo-{group}-{class}@pec.example.test");
            let (index, bytes) = match class {
                Class::Trace | Class::Justice => self.bring_facts(class, &mark),
                _ => self.bring_object(class, &mark),
            };
            let reader = self.log().reader();
            let state = reader.published();
            let known = Known {
                class,
                index,
                interval: state.interval_of(index),
                proof: reader.proof(&state, index).unwrap().to_text(),
                bytes,
                mark,
                came: self.now(),
                start: None,
                fate: Fate::There,
            };
            self.model.records.push(known);
        }
        self.see_wall();
    }

    fn bring_facts(&mut self, class: Class, mark: &str) -> (LeafIndex, Vec<u8>) {
        let number = self.model.records.len() as u64;
        let record = TraceRecord {
            identificativo: Some(mark.into()),
            ..traces(number, 1).remove(0)
        };
        let bytes = Metadata::from(record.clone()).to_bytes();
        let submission = Submission::trace(class, record, None);
        let acknowledged = ingest(self.log()).record(submission).unwrap();
        (acknowledged.records[0].leaf.seq, bytes)
    }

    fn bring_object(&mut self, class: Class, mark: &str) -> (LeafIndex, Vec<u8>) {
        let length = match self.dice.below(20) {
            0 => 2_200_000,
            1..=6 => 40_000,
            _ => 300,
        };
        let mut bytes = vec![0; length];
        self.dice.0.fill_bytes(&mut bytes);
        let kind = match class {
            Class::Receipt => Kind::Receipt,
            _ => Kind::Envelope,
        };
        (put(self.log(), class, kind, &bytes, mark), bytes)
    }

    /// The wall clock jumps, either way, a little or by years.
    pub(super) fn jump(&mut self) {
        self.tally.jumps += 1;
        let by = match self.dice.below(4) {
            0 => 3_652 * DAY_MS,
            1 => self.dice.between(1, 40) * DAY_MS,
            2 => self.dice.between(1, 30) * HOUR_MS,
            _ => self.dice.between(3_000, 280_000),
        };
        let now = self.clock.now();
        let to = match self.dice.percent(50) {
            true => now + by,
            false => now - by,
        };
        self.clock.step_to(to);
        self.is_off = true;
        self.see_wall();
        self.log().tick().unwrap();
        self.log().disposer().tick().unwrap();
        if self.dice.percent(50) {
            self.bring();
        }
        if self.dice.percent(50) {
            self.put_right();
        }
    }

    /// Somebody puts the wall clock right, and an authority says so.
    pub(super) fn put_right(&mut self) {
        self.clock.step_to(self.truth.now());
        self.is_off = false;
        self.log().tick().unwrap();
        self.log().disposer().tick().unwrap();
        let now = UtcMillis::new(self.truth.now());
        self.log().confirm_time(now).unwrap();
        self.see_wall();
        // What could not be cut meanwhile is closed: before that it shows no time.
        self.close();
    }

    pub(super) fn pass(&self, ms: u64) {
        self.clock.pass(ms);
        self.truth.pass(ms);
    }

    /// Days go by; what was cut is closed, as far as an authority answers.
    pub(super) fn pass_days(&mut self, days: u64) {
        let mut left = days;
        while left > 0 {
            let step = left.min(1 + self.dice.below(6));
            left -= step;
            self.pass(step * DAY_MS);
            self.log().tick().unwrap();
            self.see_wall();
            self.close();
        }
    }

    pub(super) fn close(&mut self) {
        let authorities = both(&self.sealings);
        loop {
            match self.log().close_next(&authorities, &Probe::default()) {
                Ok(Some(_)) => self.tally.closed += 1,
                Ok(None) => break,
                Err(error) => {
                    let is_told = match &error {
                        SealError::Stamp(_) => self.are_silent() == [true; 2],
                        SealError::Early { .. } => self.is_off,
                        _ => false,
                    };
                    assert!(is_told, "{error:?}");
                    self.tally.unclosed += 1;
                    return;
                }
            }
        }
        // All that was cut is closed now.
        let now = self.truth.now();
        let start = now.max(self.peaks[0]).max(self.peaks[1]);
        let state = self.log().reader().published();
        for known in &mut self.model.records {
            if known.start.is_none() {
                let mut spans = state.spans.iter();
                let span = spans.find(|span| span.id == known.interval).unwrap();
                known.start = span.closed.map(|_| start as i64);
            }
        }
        self.peaks = [self.clock.now(), self.peaks[0]];
    }

    /// Somebody orders a hold on what has a mark.
    pub(super) fn hold(&mut self) {
        let count = self.model.records.len() as u64;
        if count == 0 {
            return;
        }
        let which = self.dice.below(count) as usize;
        let (class, mark) = (
            self.model.records[which].class,
            self.model.records[which].mark.clone(),
        );
        let names = self.model.marked(&mark);
        let field = match class {
            Class::Trace | Class::Justice => Field::Identificativo,
            _ => Field::MessageId,
        };
        let days = self.dice.between(20, 900);
        let end = self.truth.now() + days * DAY_MS;
        // An end before the start is refused, which the wall clock may make of it.
        let end = (self.dice.percent(40) && !self.is_off).then_some(end);
        let order = HoldOrder {
            scope: Scope::Query(SearchQuery {
                terms: vec![(field, mark.into_bytes())],
                ..SearchQuery::default()
            }),
            authority: HoldAuthority::Judicial,
            act: "decreto 12/2026".to_owned(),
            start: (!self.is_off).then(|| UtcMillis::new(self.truth.now())),
            end: end.map(UtcMillis::new),
        };
        let carla = permit::<Hold>("carla", Role::Approver);
        let set = self.log().desk(&carla).unwrap().set_hold(order);
        self.see_wall();
        match set {
            Ok(held) => {
                assert!(!names.is_empty(), "a hold on what is not there");
                assert_eq!(held.leaves, names.len() as u64);
                self.model.holds.push(Held {
                    number: held.hold,
                    names,
                    end: end.map(|end| end as i64),
                    is_released: false,
                });
            }
            Err(DeskError::Custody(CustodyError::Nothing)) => {
                assert!(names.is_empty(), "{names:?} are there");
            }
            Err(other) => panic!("{other:?}"),
        }
    }

    /// Two different ones release a hold.
    pub(super) fn release(&mut self) {
        let mut holds = self.model.holds.iter_mut();
        let Some(hold) = holds.find(|hold| !hold.is_released) else {
            return;
        };
        hold.is_released = true;
        let number = hold.number;
        let [carla, dario] = ["carla", "dario"].map(|n| permit::<Release>(n, Role::Approver));
        let desk = || self.log().desk(&carla).unwrap();
        desk().propose_release(number, "revoca").unwrap();
        assert!(desk().release_hold(number, "revoca").is_err());
        let desk = self.log().desk(&dario).unwrap();
        desk.release_hold(number, "revoca").unwrap();
        self.see_wall();
    }

    /// Somebody asks for one record to be erased, which the law, a hold or the archive may forbid.
    pub(super) fn erase(&mut self) {
        let count = self.model.records.len() as u64;
        if count == 0 {
            return;
        }
        let which = self.dice.below(count) as usize;
        let known = &self.model.records[which];
        let record = known.index;
        let by_contract = matches!(known.class, Class::Receipt | Class::Content);
        let may = by_contract && known.fate == Fate::There && !self.model.is_named(which);
        let reader = self.log().reader();
        let opened = reader.record(&reader.published(), record);
        let is_carried_over = opened.is_ok_and(|opened| opened.is_carried_over());
        let erased = self.erase_record(record);
        self.see_wall();
        match erased {
            Ok(_) => {
                assert!(may, "{which} was erased");
                self.model.records[which].fate = Fate::Erased;
                match self.log().complete_erasure(record) {
                    Ok(()) => {}
                    Err(CustodyError::Sign(_)) => assert_eq!(self.are_silent(), [true; 2]),
                    Err(other) => panic!("{other:?}"),
                }
            }
            Err(DeskError::Custody(
                CustodyError::NotClosed { .. } | CustodyError::NotIndexed(_),
            )) => {}
            Err(DeskError::Custody(CustodyError::CarriedOver { .. })) if is_carried_over => {}
            Err(other) => {
                assert!(!may, "{which}: {other:?}");
                self.tally.refused_erasures += 1;
            }
        }
    }

    fn erase_record(&self, record: LeafIndex) -> Result<LeafIndex, DeskError> {
        let anna = permit::<Erase>("anna", Role::Provider);
        let bruno = permit::<Erase>("bruno", Role::Approver);
        let desk = self.log().desk(&anna).unwrap();
        desk.propose_erasure(record, Ground::DataSubject, "richiesta")?;
        self.log().desk(&bruno).unwrap().erase(record, "visto")
    }
}
