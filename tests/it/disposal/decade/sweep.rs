//! A disposal from plan to certificate, with whatever comes between, and what must hold after it.

use super::*;
use ceralacca::audit::ReadError;
use ceralacca::record::open::RecordError;
use ceralacca_formats::proof::ProofFile;
use ceralacca_retention::Refusal;
use std::collections::BTreeSet;
use std::sync::atomic::Ordering;

impl Decade {
    /// Disposes of what is due, and looks at every record.
    pub(super) fn sweep(&mut self) {
        self.reopen();
        // What was cut while nobody answered is closed hourly: before that the chain proves less than the model takes.
        self.close();
        // What an earlier intent named, and a hold kept, goes on by itself once the hold is released.
        let [one, two] = self.are_silent();
        let is_well = !one && !two && !self.is_off;
        let heard = self.log().disposer().hear(&both(&self.sealings)).unwrap();
        assert!(heard || (one && two));
        let due = self.model.due(self.now());
        let permit = permit::<access::Dispose>("gestione", Role::Operator);
        let intended = self
            .log()
            .disposer()
            .intend(&permit, &both(&self.sealings), &[]);
        match intended {
            Err(DisposalError::NotProven(why)) => {
                assert!(!is_well, "{why}");
                self.tally.unproven += 1;
                return self.look(None);
            }
            Err(DisposalError::NothingSealed) => return self.look(None),
            Err(DisposalError::NothingDue) => {}
            Ok(intent) => {
                self.tally.intents += 1;
                if !self.approve(&intent) {
                    return self.look(None);
                }
                self.grace(&intent);
            }
            Err(other) => panic!("{other:?}"),
        }
        self.carry_out();
        // What an intent named that lapsed in this very sweep is intended anew.
        let authorities = both(&self.sealings);
        if let Ok(intent) = self.log().disposer().intend(&permit, &authorities, &[]) {
            self.tally.intents += 1;
            if !self.approve(&intent) {
                return self.look(None);
            }
            self.grace(&intent);
            self.carry_out();
        }
        self.log().complete_erasures().unwrap();
        // An archive whose clock was off may have seen less of it due.
        self.look(is_well.then_some(due));
    }

    /// Two approve it, or one who thinks better of it gives it up.
    fn approve(&mut self, intent: &Intended) -> bool {
        let is_given_up = self.dice.percent(15);
        let disposer = self.log().disposer();
        let approve = |name: &str| {
            let permit = super::permit::<access::Approve>(name, Role::Approver);
            disposer.approve(&permit, intent.intent, intent.hash)
        };
        approve("anna").unwrap();
        let twice = approve("Anna ");
        assert!(twice.is_err(), "one principal is not two");
        if is_given_up {
            let withdraw = super::permit::<access::Withdraw>("bruno", Role::Approver);
            disposer.withdraw(&withdraw, intent.intent).unwrap();
            return false;
        }
        assert_eq!(approve("bruno").unwrap().approvals, 2);
        true
    }

    /// The grace, in which much may happen; nothing of the intent goes. What a hold kept of an earlier one may.
    fn grace(&mut self, intended: &Intended) {
        let happens = self.dice.below(70);
        for hour in 0..80 {
            self.pass(HOUR_MS);
            self.log().disposer().tick().unwrap();
            if hour != happens {
                continue;
            }
            match self.dice.below(6) {
                0 | 1 => self.hold(),
                2 => self.release(),
                3 => self.erase(),
                4 => self.jump(),
                _ => self.authorities_fail(),
            }
            let before = self.past_grace(intended);
            let probe = DisposalProbe::default();
            let early = self.log().disposer().advance(&both(&self.sealings), &probe);
            match early {
                // What an intent of before names is held still.
                Ok(None) | Err(DisposalError::Refused(_)) => {}
                Err(DisposalError::NotProven(why)) => {
                    let is_well = self.are_silent() == [false; 2] && !self.is_off;
                    assert!(!is_well, "{why}");
                }
                // Approved by two and past its grace under an intent of before, which a hold kept open.
                Ok(Some((unit, _))) => assert!(
                    !intended.units.contains(&unit) || before.contains(&unit),
                    "{unit:?} in its grace"
                ),
                Err(other) => panic!("{other:?}"),
            }
        }
        self.log().tick().unwrap();
        self.see_wall();
    }

    /// What open intents but this one name, approved by two and past their grace.
    fn past_grace(&self, but: &Intended) -> Vec<DisposalUnit> {
        let intents = self.log().disposer().intents(None, 10_000).unwrap();
        let past = intents.iter().filter(|intent| {
            let is_past = matches!(intent.stage, ceralacca::disposal::IntentStage::InGrace(0));
            is_past && intent.intent != but.intent
        });
        past.flat_map(|intent| intent.units.iter().map(|intended| intended.unit))
            .collect()
    }

    /// The authorities answer and the clock is put right; then every step that is due.
    fn carry_out(&mut self) {
        self.answer();
        if self.is_off {
            self.put_right();
        }
        self.log().disposer().ask_again();
        self.log().disposer().hear(&both(&self.sealings)).unwrap();
        self.run();
    }

    /// Every step, ended before one of them as by a crash.
    fn run(&mut self) {
        let mut probe = match self.dice.percent(60) {
            true => {
                let step = self.dice.below(DisposalProbe::STEPS.len() as u64);
                DisposalProbe::before(DisposalProbe::STEPS[step as usize])
            }
            false => DisposalProbe::default(),
        };
        let mut fails = self.dice.percent(30);
        loop {
            let authorities = both(&self.sealings);
            match self.log().disposer().advance(&authorities, &probe) {
                Ok(None) => return,
                Ok(Some((_, step))) => {
                    // They fail when a certificate is to be stamped.
                    if step == Step::Certificate && std::mem::take(&mut fails) {
                        for one in &self.sealings {
                            one.tsa.silent.store(true, Ordering::SeqCst);
                        }
                    }
                }
                Err(DisposalError::Probed(_)) => {
                    self.tally.crashes += 1;
                    probe = DisposalProbe::default();
                    self.look(None);
                    self.reopen();
                    self.log().disposer().hear(&authorities).unwrap();
                }
                Err(DisposalError::Sign(_) | DisposalError::NotProven(_)) => {
                    assert_eq!(self.are_silent(), [true; 2]);
                    self.answer();
                    self.log().disposer().ask_again();
                }
                // What is left of intents is under hold; or a hold kept one open until who approved it was disposed of, and
                // its units are intended anew.
                Err(DisposalError::Refused(Refusal::NotOnRecord { .. })) => return,
                Err(DisposalError::Refused(why)) => {
                    let said = format!("{why:?}");
                    assert!(said.contains("Held"), "{said}");
                    return;
                }
                Err(other) => panic!("{other:?}, {:?}", self.log().disposer().look()),
            }
        }
    }

    /// Holds the archive against the model; after a completed disposal also that what was due is gone.
    pub(super) fn look(&mut self, due: Option<BTreeSet<usize>>) {
        let now = self.now();
        for which in 0..self.model.records.len() {
            let found = self.found(which);
            let known = &self.model.records[which];
            let keeps = self.model.keeps(which, now);
            let said = || {
                let (class, came, start) = (known.class, known.came, known.start);
                let months = self.model.contract;
                format!(
                    "{which}, {class}, came {came}, start {start:?}, now {now}, {keeps:?}, {months:?}"
                )
            };
            let proof = ProofFile::parse(known.proof.as_bytes()).unwrap();
            proof.verify(self.log().verifier()).unwrap();
            assert_eq!(proof.index, known.index);
            match (known.fate, found) {
                (Fate::There, Fate::There) => {
                    let is_due = due.as_ref().is_some_and(|due| due.contains(&which));
                    assert!(!is_due || keeps != Keeps::No, "not gone: {}", said());
                }
                (Fate::There, Fate::Gone) => {
                    assert!(self.model.may_go(which, now), "gone early: {}", said());
                    assert_ne!(keeps, Keeps::Yes, "gone under hold: {}", said());
                    self.model.records[which].fate = Fate::Gone;
                }
                (Fate::Gone, Fate::Gone) | (Fate::Erased, Fate::Erased | Fate::Gone) => {}
                (was, is) => panic!("{was:?}, {is:?}: {}", said()),
            }
        }
        if due.is_some() {
            self.certificates();
        }
    }

    /// What the archive has of a record, down to its octets.
    fn found(&mut self, which: usize) -> Fate {
        let log = self.log.as_ref().unwrap();
        let (reader, known) = (log.reader(), &self.model.records[which]);
        let opened = match reader.record(&reader.published(), known.index) {
            Ok(opened) => opened,
            Err(ReadError::Record(RecordError::Disposed { .. })) => return Fate::Gone,
            Err(ReadError::Record(RecordError::Erased { .. })) => return Fate::Erased,
            Err(other) => panic!("{which}: {other:?}"),
        };
        self.tally.carried += u64::from(opened.is_carried_over());
        let mut bytes = Vec::new();
        match known.class {
            Class::Trace | Class::Justice => bytes.clone_from(&opened.canonical),
            _ => opened
                .content(reader.store(), |piece| bytes.extend_from_slice(piece))
                .unwrap(),
        }
        assert!(bytes == known.bytes, "{which}: other octets");
        Fate::There
    }

    /// Whatever is gone is told of, certificate and all.
    fn certificates(&self) {
        let disposer = self.log().disposer();
        for known in &self.model.records {
            if known.fate != Fate::Gone {
                continue;
            }
            let gone = disposer.gone_of(known.interval, known.class).unwrap();
            assert!(!gone.is_empty());
            for unit in gone {
                assert_eq!(unit.step, Step::Done);
                assert!(unit.completed.is_some());
                assert!(disposer.certificate(unit.unit).unwrap().is_some());
            }
        }
    }
}
