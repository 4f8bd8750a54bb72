//! UTCTime and GeneralizedTime.

use super::ber::{self, Value};
use chrono::{NaiveDate, NaiveDateTime};

/// The instant a time states, in milliseconds since 1970; `None` for what is no time.
///
/// DER wants seconds and `Z`; an offset, or no seconds, as BER allows them, are read too.
pub(crate) fn instant(value: Value<'_>) -> Option<i64> {
    let text = std::str::from_utf8(value.content).ok()?;
    let (year, rest) = match value.tag {
        ber::UTC_TIME => {
            let year = number(text.get(..2)?)?;
            // RFC 5280 section 4.1.2.5.1.
            let year = if year < 50 { 2000 + year } else { 1900 + year };
            (year, text.get(2..)?)
        }
        ber::GENERALIZED_TIME => (number(text.get(..4)?)?, text.get(4..)?),
        _ => return None,
    };
    let (digits, zone) = rest.split_at(rest.find(['Z', '+', '-'])?);
    let (digits, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
    let field = |at: usize| number(digits.get(at..at + 2)?);
    let second = match digits.len() {
        8 => 0,
        10 => field(8)?,
        _ => return None,
    };
    let date = NaiveDate::from_ymd_opt(i32::try_from(year).ok()?, field(0)?, field(2)?)?;
    let local: NaiveDateTime = date.and_hms_opt(field(4)?, field(6)?, second)?;
    number(fraction.get(..fraction.len().min(9))?)?;
    let offset_min = match zone.split_at(1) {
        ("Z", "") => 0,
        (sign, zone) if zone.len() == 4 => {
            let minutes = number(zone.get(..2)?)? * 60 + number(zone.get(2..)?)?;
            i64::from(minutes) * if sign == "-" { -1 } else { 1 }
        }
        _ => return None,
    };
    Some((local.and_utc().timestamp() - offset_min * 60) * 1000)
}

fn number(digits: &str) -> Option<u32> {
    let plain = !digits.is_empty() && digits.bytes().all(|c| c.is_ascii_digit());
    digits.parse().ok().filter(|_| plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(tag: u8, text: &str) -> Option<i64> {
        let length = u8::try_from(text.len()).unwrap();
        let bytes = [&[tag, length][..], text.as_bytes()].concat();
        instant(Value::first_of(&bytes).unwrap())
    }

    #[test]
    fn every_spelling_of_an_instant_is_read() {
        let expected = Some(1_715_065_811_000);
        for (tag, text) in [
            (ber::UTC_TIME, "240507071011Z"),
            (ber::UTC_TIME, "240507091011+0200"),
            (ber::UTC_TIME, "240507064011-0030"),
            (ber::GENERALIZED_TIME, "20240507071011Z"),
            (ber::GENERALIZED_TIME, "20240507071011.25Z"),
        ] {
            assert_eq!(at(tag, text), expected, "{text}");
        }
        assert_eq!(at(ber::UTC_TIME, "2405070710Z"), Some(1_715_065_800_000));
        assert_eq!(at(ber::UTC_TIME, "500101000000Z"), Some(-631_152_000_000));
        assert_eq!(at(ber::UTC_TIME, "491231235959Z"), Some(2_524_607_999_000));
    }

    #[test]
    fn what_is_no_time_is_none() {
        for (tag, text) in [
            (ber::UTC_TIME, ""),
            (ber::UTC_TIME, "240507071011"),
            (ber::UTC_TIME, "240231071011Z"),
            (ber::UTC_TIME, "24050707101Z"),
            (ber::UTC_TIME, "2405070710+1Z"),
            (ber::UTC_TIME, "240507071011+02"),
            (ber::OCTET_STRING, "240507071011Z"),
        ] {
            assert_eq!(at(tag, text), None, "{text}");
        }
    }
}
