//! Large contents pass through; they are not held.

use crate::support::*;
use ceralacca_evidence::asic::{ContainerWriter, Form, Part, measure};
use std::cell::Cell;
use std::io::{self, Read, Write};
use std::rc::Rc;

const LARGE: u64 = 100 * 1024 * 1024;

/// Octets that come and octets that went.
#[derive(Clone, Default)]
struct Held {
    read: Rc<Cell<u64>>,
    most: Rc<Cell<u64>>,
    written: Rc<Cell<u64>>,
}

struct Source {
    left: u64,
    held: Held,
}

impl Read for Source {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let length = usize::try_from(self.left.min(into.len() as u64)).unwrap();
        into[..length].fill(b'x');
        self.left -= length as u64;
        self.held.read.set(self.held.read.get() + length as u64);
        let inside = self.held.read.get().saturating_sub(self.held.written.get());
        self.held.most.set(self.held.most.get().max(inside));
        Ok(length)
    }
}

struct Drain(Held);

impl Write for Drain {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0
            .written
            .set(self.0.written.get() + bytes.len() as u64);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_hundred_megabytes_pass_with_a_hundred_kilobytes_held() {
    let source = |held: &Held| Source {
        left: LARGE,
        held: held.clone(),
    };
    let measured = measure(source(&Held::default())).unwrap();
    assert_eq!(measured.bytes, LARGE);
    let held = Held::default();
    let mut writer = ContainerWriter::begin(Drain(held.clone()), Form::AsicE).unwrap();
    let part = Part {
        name: "busta.eml",
        media_type: "message/rfc822",
        measured,
        content: Box::new(source(&held)),
    };
    writer.add(part).unwrap();
    writer.sign(|_| Ok::<_, Never>(SIGNATURE.to_vec())).unwrap();
    writer.finish().unwrap();
    assert!(held.written.get() > LARGE);
    assert!(
        held.most.get() < 100_000,
        "{} octets were held",
        held.most.get()
    );
}
