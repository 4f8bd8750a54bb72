//! Every word on the pages, one table for each language. A table that lacks an entry does not compile.
//!
//! Italian articles are cited, never quoted: not every official wording was at hand (pec.md 14).

mod en;
mod it;

use crate::model::{
    Capacity, CheckId, Development, FileRole, Language, Mailbox, Missing, Outcome, Reason, State,
    Step,
};

macro_rules! texts {
    ($($field:ident)*) => {
        /// The words of a language. `{}` stands for what is put in, in order.
        pub(crate) struct Texts {
            $(pub $field: &'static str,)*
            pub capacity: fn(Capacity) -> &'static str,
            pub development: fn(Development) -> &'static str,
            pub state: fn(State) -> &'static str,
            pub missing: fn(Missing) -> &'static str,
            pub mailbox: fn(Mailbox) -> &'static str,
            pub step: fn(Step) -> &'static str,
            pub outcome: fn(Outcome) -> &'static str,
            pub reason: fn(Reason) -> &'static str,
            pub renewal: fn(&str) -> &'static str,
            /// The word for a datum of a check, where there is a better one than its name.
            pub datum: fn(&str) -> Option<&'static str>,
            pub area: fn(u8) -> &'static str,
            pub check: fn(CheckId) -> &'static str,
            pub role: fn(FileRole) -> &'static str,
        }

        impl Texts {
            /// The plain entries by name.
            #[cfg(test)]
            fn entries(&self) -> Vec<(&'static str, &'static str)> {
                vec![$((stringify!($field), self.$field),)*]
            }
        }
    };
}

texts! {
    language
    title_relazione title_attestazione description
    page_of id_line made_line provider_line
    development_mark development_note seal_pending_mark seal_pending_note seal_expected
    sent_sentence sent_unknown_time accepted_none
    recipients_sentence recipients_more recipients_more_entry
    unknown not_recorded none
    timeline_note step_missing step_no_record step_none_expected
    from to concerns subject identificativo msgid message_id state_head recipient
    effective contradictory missing_of_message
    class_duplicato class_relazione class_attestazione class_copy_note
    custody chain_ingest chain_leaf chain_checkpoint chain_witnesses
    chain_interval chain_token chain_renewals chain_none chain_no_witness chain_qualified chain_not_qualified
    verified verified_none_failed verified_failed
    not_verified not_verified_other not_verified_entry
    not_proved not_proved_read not_proved_content not_proved_time not_proved_identity not_proved_record
    qr_note
    request requester capacity_label act purpose asked_at disclosure
    records record_of records_note event event_time ingest_time proven_time provider leaf leaf_hash sha256 blake3
    bytes object object_handed_out object_trace_only object_disposed object_erased object_isolated interval
    signature signature_none verdict signer issuer serial algorithm validity material
    grounds judged_at reproduced not_reproduced log_key certificate
    checks checks_note number check_head outcome_label answer whole_package leaf_one leaf_entry
    intervals interval_label interval_open origin tree_size root_hash covers authority
    disposed disposed_note disposed_no_file class certificate_file
    files files_note name size role_label embedded_here not_embedded
    attestazione_opening attestazione_trace attestazione_not_receipt attestazione_table attestazione_seal
    outcomes steps_on_record
    readme_title readme_intro readme_pending readme_development readme_need readme_unpack readme_digests
    readme_signature readme_manifest readme_token readme_object readme_object_lf readme_certificate readme_proof readme_expect
    readme_meaning
}

/// The words of a language.
pub(crate) const fn texts(language: Language) -> &'static Texts {
    match language {
        Language::It => &it::TEXTS,
        Language::En => &en::TEXTS,
    }
}

/// Puts values in the places of a text, in order.
pub(crate) fn fill(text: &str, values: &[&str]) -> String {
    let mut filled = String::with_capacity(text.len());
    let mut values = values.iter();
    let mut pieces = text.split("{}").peekable();
    while let Some(piece) = pieces.next() {
        filled.push_str(piece);
        if pieces.peek().is_some() {
            filled.push_str(values.next().copied().unwrap_or_default());
        }
    }
    filled
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_languages_say_the_same_things_in_the_same_places() {
        let (it, en) = (texts(Language::It), texts(Language::En));
        for ((name, italian), (_, english)) in it.entries().into_iter().zip(en.entries()) {
            assert!(!italian.is_empty() && !english.is_empty(), "{name}");
            let places = |text: &str| text.matches("{}").count();
            assert_eq!(places(italian), places(english), "{name}");
        }
        for &id in CheckId::ALL {
            assert_ne!((it.check)(id), (en.check)(id), "{}", id.number());
        }
    }

    #[test]
    fn every_word_has_its_glyphs() {
        let fonts = crate::fonts::fonts().unwrap();
        for language in [Language::It, Language::En] {
            for (name, text) in texts(language).entries() {
                let shown = fonts.shown(crate::fonts::Face::Bold, text);
                assert_eq!(shown, text, "{name}");
            }
        }
    }

    #[test]
    fn values_fill_their_places_in_order_and_are_not_filled_themselves() {
        assert_eq!(fill("a {} b {}.", &["{}", "2"]), "a {} b 2.");
    }
}
