//! The outer header, which nobody signed: what of it is compared with the daticert.

use crate::reader::VALUE_BYTES_MAX;
use ceralacca_formats::canonical::Text;
use std::borrow::Cow;

/// Fields of the outer header, each unfolded and trimmed; absent where empty, or longer than what is kept.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Outer {
    pub ricevuta: Option<Text>,
    pub trasporto: Option<Text>,
    pub tipo_ricevuta: Option<Text>,
    pub verifica_sicurezza: Option<Text>,
    pub mittente: Option<Text>,
    pub riferimento: Option<Text>,
    pub message_id: Option<Text>,
    pub date: Option<Text>,
    pub from: Option<Text>,
    pub sender: Option<Text>,
    pub reply_to: Option<Text>,
    pub to: Option<Text>,
    pub subject: Option<Text>,
    /// Whether one of these fields stands more than once.
    pub has_repeated: bool,
    /// Whether the Message-ID was too long.
    pub message_id_too_long: bool,
    /// Whether a field other than that was: what was left out is not called different, nor missing.
    pub has_too_long: bool,
}

/// Which fields were there, empty ones too: a bit for each, in the order of [`Outer::take`].
#[derive(Clone, Copy, Default)]
pub(crate) struct Seen(u16);

impl Seen {
    /// `X-Ricevuta`, `X-Trasporto`.
    const PEC: u16 = 0b11;
    /// `Message-ID`, `Date`, `From`, `Subject`.
    const MAIL: u16 = 1 << 6 | 1 << 7 | 1 << 8 | 1 << 12;

    /// Whether there was a field that every message has some of.
    pub(crate) fn is_mail(self) -> bool {
        self.0 & Self::MAIL != 0
    }

    /// Whether there was a field of the PEC system.
    pub(crate) fn is_pec(self) -> bool {
        self.0 & Self::PEC != 0
    }
}

impl Outer {
    /// Takes a field of the header block of the message; of a repeated one the first counts.
    pub(crate) fn take(&mut self, name: &[u8], value: &[u8], Seen(seen): &mut Seen) {
        let is_message_id = name.eq_ignore_ascii_case(b"message-id");
        let slots: [(&str, &mut Option<Text>); 13] = [
            ("x-ricevuta", &mut self.ricevuta),
            ("x-trasporto", &mut self.trasporto),
            ("x-tiporicevuta", &mut self.tipo_ricevuta),
            ("x-verificasicurezza", &mut self.verifica_sicurezza),
            ("x-mittente", &mut self.mittente),
            ("x-riferimento-message-id", &mut self.riferimento),
            ("message-id", &mut self.message_id),
            ("date", &mut self.date),
            ("from", &mut self.from),
            ("sender", &mut self.sender),
            ("reply-to", &mut self.reply_to),
            ("to", &mut self.to),
            ("subject", &mut self.subject),
        ];
        let mut named = slots.into_iter().enumerate();
        let slot = named.find(|(_, (known, _))| name.eq_ignore_ascii_case(known.as_bytes()));
        let Some((at, (_, slot))) = slot else {
            return;
        };
        if *seen & (1 << at) != 0 {
            self.has_repeated = true;
            return;
        }
        *seen |= 1 << at;
        let value = crate::header::unfold(value);
        if value.len() > VALUE_BYTES_MAX {
            self.message_id_too_long |= is_message_id;
            self.has_too_long |= !is_message_id;
        } else if !value.is_empty() {
            *slot = Some(Text::from(value.as_ref()));
        }
    }
}

/// A value to keep: absent where empty, or longer than what is kept.
pub(crate) fn kept(value: Option<Cow<'_, [u8]>>) -> Option<Text> {
    let value = value?;
    let keep = !value.is_empty() && value.len() <= VALUE_BYTES_MAX;
    keep.then(|| Text::from(value.as_ref()))
}
