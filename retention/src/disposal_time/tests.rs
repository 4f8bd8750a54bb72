//! The attacker's list, as far as it is about time: each is refused, and says why.

use proptest::prelude::*;

use super::*;
use crate::authority::{AuthorityClock, AuthorityGrade, Nonce};
use crate::chain::Closing;

const DAY: i64 = 86_400_000;
const TEN_YEARS: i64 = 3_652 * DAY;
/// The last sealed interval ends here; it is a noon later now.
const SEALED: i64 = 20_000 * DAY;
const NOW: i64 = SEALED + DAY / 2;

fn at(millis: i64) -> UtcMillis {
    UtcMillis::new(millis)
}

fn proven(millis: i64) -> ProvenTime {
    ProvenTime::from_token(at(millis), 0).unwrap()
}

fn nonce(byte: u8) -> Nonce {
    Nonce::new([byte; 16])
}

fn token(authority: &str, gen_time: i64) -> FreshToken {
    FreshToken {
        authority: AuthorityId::new(authority),
        gen_time: at(gen_time),
        accuracy_ms: Some(1_000),
        nonce: Some(nonce(7)),
        clock: AuthorityClock::Own,
        grade: AuthorityGrade::Chosen,
    }
}

fn embedded(gen_time: i64) -> FreshToken {
    FreshToken {
        clock: AuthorityClock::OfTheArchive,
        grade: AuthorityGrade::Development,
        ..token("embedded", gen_time)
    }
}

/// A thousand days without a gap.
fn chain() -> Chain {
    let closing = |day: i64, previous| Closing {
        start: at(day * DAY),
        end: at(day * DAY + DAY),
        previous,
        token: proven(day * DAY + DAY),
    };
    let mut chain = Chain::begin(closing(19_000, None)).unwrap();
    for day in 19_001..20_000 {
        let previous = Some(at((day - 1) * DAY));
        chain = chain.then(closing(day, previous)).unwrap();
    }
    chain
}

fn clock(reading: i64) -> SoftClock {
    SoftClock::initialise(0, at(reading), proven(reading))
}

/// What is proven by these tokens, everything else being as it should.
fn proved(kind: StoreKind, tokens: &[FreshToken]) -> Result<DisposalTime, NotProven> {
    prove(&Grounds {
        kind,
        inquiry: &Inquiry {
            nonce: nonce(7),
            age_ms: 1_000,
        },
        tokens,
        chain: &chain(),
        clock: &clock(NOW),
    })
}

fn refused(tokens: &[FreshToken]) -> Vec<Doubt> {
    let refusal = proved(StoreKind::Production, tokens).unwrap_err();
    assert!(refusal.to_string().starts_with("no time is proven: "));
    assert!(refusal.italian().starts_with("Tempo non provato: "));
    refusal.doubts().to_vec()
}

fn too_few(found: usize) -> Doubt {
    Doubt::TooFewAuthorities { found, needed: 2 }
}

#[test]
fn two_authorities_the_chain_and_the_clock_prove_the_earliest_of_them() {
    let time = proved(
        StoreKind::Production,
        &[token("a", NOW), token("b", NOW + 5_000)],
    )
    .unwrap();
    // The chain speaks of whole intervals: half a day behind.
    assert_eq!(time.proven().instant(), at(SEALED));
    assert_eq!(time.limited_by(), Witness::Chain);
    assert_eq!(time.testimonies().len(), 2);
    assert!(time.holds_for(at(19_000 * DAY)) && time.holds_for(at(19_500 * DAY)));
    assert!(!time.holds_for(at(18_999 * DAY)));
}

#[test]
fn the_witness_that_is_behind_is_the_one_believed() {
    let with_clock = |reading| {
        let tokens = [token("a", NOW), token("b", NOW)];
        prove(&Grounds {
            kind: StoreKind::Production,
            inquiry: &Inquiry {
                nonce: nonce(7),
                age_ms: 0,
            },
            tokens: &tokens,
            chain: &chain(),
            clock: &clock(reading),
        })
        .unwrap()
    };
    let behind = with_clock(SEALED - 40 * DAY);
    assert_eq!(behind.proven().instant(), at(SEALED - 40 * DAY));
    assert_eq!(behind.limited_by(), Witness::Clock);
    assert_eq!(
        behind.to_string(),
        "proven time 2024-08-25T00:00:00.000Z, by the software clock"
    );
    let ahead = with_clock(NOW + TEN_YEARS);
    assert_eq!(ahead.limited_by(), Witness::Chain);
}

#[test]
fn tokens_ten_years_ahead_prove_no_more_than_the_chain_has_lived_through() {
    let lying = [token("a", NOW + TEN_YEARS), token("b", NOW + TEN_YEARS)];
    let time = proved(StoreKind::Production, &lying).unwrap();
    assert_eq!(time.proven().instant(), at(SEALED));
}

#[test]
fn everything_ten_years_ahead_at_once_counts_for_a_day() {
    // Both authorities lie, the clock was replaced, and the intervening closing was forged with a token of its own.
    let ahead = NOW + TEN_YEARS;
    let forged = Closing {
        start: at(SEALED + TEN_YEARS - DAY),
        end: at(SEALED + TEN_YEARS),
        previous: Some(at(SEALED - DAY)),
        token: proven(SEALED + TEN_YEARS),
    };
    let time = prove(&Grounds {
        kind: StoreKind::Production,
        inquiry: &Inquiry {
            nonce: nonce(7),
            age_ms: 0,
        },
        tokens: &[token("a", ahead), token("b", ahead)],
        chain: &chain().then(forged).unwrap(),
        clock: &clock(ahead),
    })
    .unwrap();
    assert_eq!(time.proven().instant(), at(SEALED + DAY));
}

#[test]
fn a_replayed_token_does_not_count() {
    let replayed = FreshToken {
        nonce: Some(nonce(6)),
        ..token("b", NOW)
    };
    let without_nonce = FreshToken {
        nonce: None,
        ..token("b", NOW)
    };
    for token_of_b in [replayed, without_nonce] {
        let doubts = refused(&[token("a", NOW), token_of_b]);
        let set_aside = Doubt::SetAside {
            authority: AuthorityId::new("b"),
            why: SetAside::Replayed,
        };
        assert_eq!(doubts, [too_few(1), set_aside]);
    }
}

#[test]
fn one_authority_twice_is_one_authority() {
    let doubts = refused(&[token("tsa.example", NOW), token(" TSA.example", NOW + 1)]);
    assert_eq!(doubts, [too_few(1)]);
    assert_eq!(refused(&[]), [too_few(0)]);
}

#[test]
fn of_one_authority_the_earliest_token_counts() {
    let early = SEALED + 1_000;
    let tokens = [token("a", NOW), token("a", early), token("b", NOW)];
    let time = proved(StoreKind::Production, &tokens).unwrap();
    let of_a = &time.testimonies()[0];
    assert_eq!((of_a.gen_time, of_a.proven), (at(early), proven(SEALED)));
}

#[test]
fn a_token_older_than_the_last_sealed_interval_is_refused() {
    let old = SEALED - 2 * Chain::TOLERANCE_MS;
    let doubts = refused(&[token("a", NOW), token("b", old)]);
    let behind = Doubt::BehindTheChain {
        authority: AuthorityId::new("b"),
        gen_time: at(old),
        sealed: at(SEALED),
    };
    assert_eq!(doubts, [behind]);
}

#[test]
fn authorities_more_than_a_day_apart_are_refused() {
    let apart = |ms| {
        proved(
            StoreKind::Production,
            &[token("a", NOW), token("b", NOW + ms)],
        )
    };
    assert!(apart(AGREEMENT_MS).is_ok());
    let refusal = apart(AGREEMENT_MS + 1).unwrap_err();
    assert!(matches!(
        refusal.doubts(),
        [Doubt::Disagreement { earliest, latest }]
            if (*earliest, *latest) == (at(NOW), at(NOW + AGREEMENT_MS + 1))
    ));
}

#[test]
fn an_authority_that_reads_the_clock_of_the_archive_does_not_count() {
    let dependent = FreshToken {
        clock: AuthorityClock::OfTheArchive,
        ..token("b", NOW)
    };
    let doubts = refused(&[token("a", NOW), dependent]);
    assert!(matches!(
        doubts.as_slice(),
        [
            Doubt::TooFewAuthorities { found: 1, .. },
            Doubt::SetAside {
                why: SetAside::ClockOfTheArchive,
                ..
            }
        ]
    ));
}

#[test]
fn with_the_embedded_authority_alone_nothing_is_proven_and_it_says_why() {
    let refusal = proved(StoreKind::Production, &[embedded(NOW)]).unwrap_err();
    assert_eq!(
        refusal.to_string(),
        "no time is proven: different time-stamp authorities that count: 0, needed: 2; only the \
         embedded development authority answered, which proves nothing in a store that was not \
         initialised as a development one; embedded: it is the embedded development authority, and \
         the store is not a development one"
    );
    assert!(
        refusal
            .italian()
            .contains("autorità di sviluppo incorporata")
    );
}

#[test]
fn the_embedded_authority_is_no_second_one_beside_a_chosen_one() {
    let doubts = refused(&[token("a", NOW), embedded(NOW)]);
    assert!(doubts.contains(&too_few(1)) && !doubts.contains(&Doubt::OnlyDevelopment));
}

#[test]
fn in_a_development_store_the_embedded_authority_is_enough_but_chain_and_clock_still_bind() {
    let time = proved(StoreKind::Development, &[embedded(NOW + TEN_YEARS)]).unwrap();
    assert_eq!(time.proven().instant(), at(SEALED));
    assert!(proved(StoreKind::Development, &[]).is_err());
}

#[test]
fn answers_of_an_hour_ago_are_refused() {
    let tokens = [token("a", NOW), token("b", NOW)];
    let of_age = |age_ms| {
        prove(&Grounds {
            kind: StoreKind::Production,
            inquiry: &Inquiry {
                nonce: nonce(7),
                age_ms,
            },
            tokens: &tokens,
            chain: &chain(),
            clock: &clock(NOW),
        })
    };
    assert!(of_age(Inquiry::AGE_MAX_MS).is_ok());
    let age_ms = Inquiry::AGE_MAX_MS + 1;
    let refusal = of_age(age_ms).unwrap_err();
    assert_eq!(refusal.doubts(), [Doubt::OldInquiry { age_ms }]);
}

#[test]
fn a_wall_clock_that_stepped_is_refused_until_a_token_agrees_with_it() {
    let mut clock = clock(NOW);
    clock.tick(1_000, at(NOW + TEN_YEARS));
    let tokens = [token("a", NOW), token("b", NOW)];
    let judged = |clock: &SoftClock| {
        prove(&Grounds {
            kind: StoreKind::Production,
            inquiry: &Inquiry {
                nonce: nonce(7),
                age_ms: 0,
            },
            tokens: &tokens,
            chain: &chain(),
            clock,
        })
    };
    let step_ms = TEN_YEARS - 1_000;
    assert_eq!(
        judged(&clock).unwrap_err().doubts(),
        [Doubt::ClockStepped { step_ms }]
    );
    clock.tick(2_000, at(NOW + 2_000));
    clock.verified(proven(NOW + 1_000), at(NOW + 2_000));
    assert!(judged(&clock).is_ok());
}

#[test]
fn an_accuracy_not_stated_is_a_minute_and_a_senseless_one_counts_for_nothing() {
    let unstated = FreshToken {
        accuracy_ms: None,
        ..token("a", NOW)
    };
    let time = proved(StoreKind::Production, &[unstated, token("b", NOW)]).unwrap();
    assert_eq!(time.testimonies()[0].proven, proven(NOW - 60_000));
    let senseless = FreshToken {
        accuracy_ms: Some(u64::MAX),
        ..token("a", NOW)
    };
    assert!(refused(&[senseless, token("b", NOW)]).contains(&too_few(1)));
}

proptest! {
    #[test]
    fn one_more_token_never_makes_the_proven_time_later(
        times in prop::collection::vec((0u8..4, -2 * DAY..2 * DAY), 2..8),
        reading in -40 * DAY..40 * DAY,
    ) {
        let tokens: Vec<FreshToken> = times
            .iter()
            .map(|(name, off)| token(&format!("tsa-{name}"), NOW + off))
            .collect();
        let judged = |tokens: &[FreshToken]| {
            prove(&Grounds {
                kind: StoreKind::Production,
                inquiry: &Inquiry { nonce: nonce(7), age_ms: 0 },
                tokens,
                chain: &chain(),
                clock: &clock(NOW + reading),
            })
        };
        let (fewer, all) = (judged(&tokens[1..]), judged(&tokens));
        if let (Ok(fewer), Ok(all)) = (fewer, all) {
            prop_assert!(all.proven() <= fewer.proven());
            prop_assert!(all.proven().instant() <= chain().proven_through());
            prop_assert!(all.proven().instant() <= at(NOW + reading));
        }
    }
}
