//! Input that is made to hurt: it costs no more than its size.

use crate::build::{Family, Pec, daticert};
use ceralacca_formats::leaf::Kind;
use ceralacca_pec::{Reader, Reason, read};

fn with_xml(xml: impl Into<Vec<u8>>) -> Option<Reason> {
    let xml = Some(xml.into());
    read(
        &Pec {
            xml,
            ..Pec::new(Family::C, "accettazione")
        }
        .bytes(),
    )
    .unclassified
}

#[test]
fn a_billion_laughs_are_not_laughed() {
    let mut dtd = "<!ENTITY l0 'ah'>".to_owned();
    for i in 1..10 {
        dtd += &format!("<!ENTITY l{i} '{}'>", format!("&l{};", i - 1).repeat(10));
    }
    let xml =
        format!("<!DOCTYPE postacert [{dtd}]><postacert tipo='accettazione'>&l9;</postacert>");
    assert_eq!(with_xml(xml), Some(Reason::DaticertDtd));
}

#[test]
fn one_large_entity_used_many_times_is_refused_unread() {
    let (large, uses) = ("x".repeat(50_000), "&e;".repeat(50_000));
    let xml = format!(
        "<!DOCTYPE p [<!ENTITY e '{large}'>]><postacert tipo='accettazione'>{uses}</postacert>"
    );
    assert_eq!(with_xml(xml), Some(Reason::DaticertDtd));
}

#[test]
fn an_external_entity_is_not_fetched() {
    let xml =
        "<!DOCTYPE p SYSTEM 'file:///etc/hostname'><postacert tipo='accettazione'>&e;</postacert>";
    assert_eq!(with_xml(xml), Some(Reason::DaticertMalformed));
    let xml = daticert("accettazione").replace(
        "<postacert",
        "<!DOCTYPE postacert SYSTEM 'daticert.dtd'><postacert",
    );
    assert_eq!(with_xml(xml), None);
}

#[test]
fn two_hundred_thousand_nested_elements_are_refused() {
    let xml = "<a>".repeat(200_000) + &"</a>".repeat(200_000);
    assert_eq!(with_xml(xml), Some(Reason::DaticertTooComplex));
}

#[test]
fn attributes_and_namespaces_without_end_are_refused() {
    let attributes: String = (0..500_000).map(|i| format!(" a{i}=''")).collect();
    let xml = format!("<postacert tipo='accettazione'{attributes}/>");
    assert_eq!(with_xml(xml), Some(Reason::DaticertTooComplex));
    let nested: String = (0..60_000)
        .map(|i| format!("<a xmlns:n{i}='urn:{i}'>"))
        .collect();
    assert_eq!(with_xml(nested), Some(Reason::DaticertTooComplex));
    // As many as pass, in as many elements as pass.
    let spaces: String = (0..15).map(|i| format!(" xmlns:n{i}='{i}'")).collect();
    let deep = format!("<b{spaces}>").repeat(14) + &format!("<c{spaces}/>").repeat(40_000);
    let xml = format!(
        "<postacert tipo='accettazione'>{deep}{}</postacert>",
        "</b>".repeat(14)
    );
    assert!(matches!(
        with_xml(xml),
        None | Some(Reason::DaticertMalformed | Reason::DaticertTooComplex)
    ));
}

#[test]
fn wrong_character_sets_are_refused_and_right_ones_read() {
    let text = daticert("accettazione").replace('–', "-");
    let latin = |text: &str| {
        text.chars()
            .map(|c| u8::try_from(u32::from(c)).unwrap())
            .collect::<Vec<u8>>()
    };
    let utf_16 = |text: &str| {
        let units = text.encode_utf16().flat_map(u16::to_le_bytes);
        [0xff, 0xfe].into_iter().chain(units).collect::<Vec<u8>>()
    };
    assert_eq!(with_xml(latin(&text)), Some(Reason::DaticertCharset));
    let subject = |xml: Vec<u8>| {
        let pec = Pec {
            xml: Some(xml),
            ..Pec::new(Family::B, "accettazione")
        };
        read(&pec.bytes()).facts.unwrap().subject.unwrap()
    };
    let expected = "Diffida n. 7/2024 - perché sì".into();
    assert_eq!(
        subject(latin(&text.replace("UTF-8", "ISO-8859-1"))),
        expected
    );
    assert_eq!(subject(utf_16(&text.replace("UTF-8", "UTF-16"))), expected);
    assert_eq!(subject(utf_16(&text)), expected);
    assert_eq!(
        subject(
            ["\u{feff}", &text.replace("UTF-8", "ISO-8859-1")]
                .concat()
                .into()
        ),
        expected
    );
}

#[test]
fn headers_made_of_parameters_comments_and_fields_are_read_in_one_pass() {
    for (piece, closing) in [
        ("; a=b", ""),
        ("(", ""),
        ("; a*1=b; c*1=d", ""),
        ("; \"", "\""),
        (";(\\", ")"),
    ] {
        let value = piece.repeat((1 << 19) / piece.len()) + closing;
        let mail = format!("From: a@example.test\nContent-Type: multipart/signed{value}\n\n--a\n");
        assert_eq!(read(mail.as_bytes()).kind, Kind::Message);
    }
    let mail = "X: y\n".repeat(100_000) + "From: a@example.test\n\n";
    assert_eq!(read(mail.as_bytes()).kind, Kind::Message);
}

#[test]
fn a_large_message_in_pieces_is_read_like_a_small_one() {
    let built = Pec::new(Family::D, "avvenuta-consegna").build();
    let original = crate::build::find(&built.bytes, "perché");
    let (before, after) = built.bytes.split_at(original);
    let line = [&[b'A'; 76][..], b"\r\n"].concat().repeat(1000);
    let mut reader = Reader::new();
    reader.push(before);
    let mut added = 0u64;
    while added < 150 << 20 {
        reader.push(&line);
        reader.push(&line[..40]);
        reader.push(b"\r\n");
        added += line.len() as u64 + 42;
    }
    reader.push(after);
    let (small, large) = (read(&built.bytes), reader.finish());
    assert_eq!((large.kind, &large.facts), (Kind::Receipt, &small.facts));
    assert_eq!(large.signed.unwrap().end, small.signed.unwrap().end + added);
    assert_eq!(
        large.signature.unwrap().end,
        small.signature.unwrap().end + added
    );
}
