use super::*;

fn term(months: u16) -> Term {
    Term::of_months(months).unwrap()
}

#[test]
fn codes_are_one_to_six_and_read_back() {
    let codes: Vec<u16> = RetentionClass::ALL
        .iter()
        .map(|class| class.code())
        .collect();
    assert_eq!(codes, [1, 2, 3, 4, 5, 6]);
    for class in RetentionClass::ALL {
        assert_eq!(RetentionClass::try_from(class.code()), Ok(class));
    }
}

#[test]
fn an_unknown_class_code_is_refused() {
    for code in [0, 7, u16::MAX] {
        assert_eq!(
            RetentionClass::try_from(code),
            Err(ClassError::UnknownCode { code })
        );
    }
}

#[test]
fn the_default_terms_are_those_of_the_law_and_of_the_contract() {
    let months = RetentionClass::ALL.map(|class| Policy::default().term(class).months());
    assert_eq!(months, [30, 30, 60, 30, 30, 120]);
}

#[test]
fn a_term_under_the_floor_names_the_article() {
    let refused = |class, months| {
        Policy::default()
            .with(class, term(months))
            .unwrap_err()
            .to_string()
    };
    assert_eq!(
        refused(RetentionClass::Trace, 29),
        "term of 29 months for class trace is under the floor of 30 months set by DPR 68/2005 \
         art. 11(2)"
    );
    assert_eq!(
        refused(RetentionClass::Infected, 1),
        "term of 1 month for class infected is under the floor of 30 months set by DPR 68/2005 \
         art. 12(1) and (2)"
    );
    assert_eq!(
        refused(RetentionClass::Justice, 59),
        "term of 59 months for class justice is under the floor of 60 months set by DM 44/2011 \
         art. 4(3)"
    );
}

#[test]
fn a_longer_term_is_accepted_and_changes_only_its_class() {
    for changed in RetentionClass::ALL {
        let policy = Policy::default().with(changed, term(121)).unwrap();
        for class in RetentionClass::ALL {
            let expected = if class == changed {
                term(121)
            } else {
                Policy::default().term(class)
            };
            assert_eq!(policy.term(class), expected);
        }
    }
}

#[test]
fn a_class_without_a_floor_takes_a_single_month() {
    for class in [
        RetentionClass::Receipt,
        RetentionClass::Content,
        RetentionClass::Custody,
    ] {
        assert_eq!(
            Policy::default().with(class, term(1)).unwrap().term(class),
            term(1)
        );
    }
}
