// SPDX-License-Identifier: GPL-2.0-only
//! Reservations as files and as text.

mod common;
#[path = "common/pr.rs"]
mod unit;

use common::{answer, hex};
use proto::pr::{Head, Kind, Registrant, View};
use proto::pr_file::{self, Broken, SIGNATURE};
use proto::pr_id::TransportId;
use proto::pr_text::{self, Malformed};
use unit::{initiator, Unit};

/// What the C implementation wrote for a registrant that holds Write Exclusive, and the same state as its text.
const FILE: &str = "77 dd bb ee aa ee ee bb 01 00 00 00 00 00 00 00 01 01 01 00 \
    01 06 00 00 00 5f ee de 40 1f ad e0 50 00 00 00 00 00 00 00 00 00 00 00 00 \
    00 00 00 00 00 00 00 a1 00 00";
const TEXT: &str = "version 1\ngeneration 30\nreservation 01 00\n\
    registrant 0 00000000000000a1 1 24 060000005feede401fade050000000000000000000000000\n";

fn read(file: &[u8]) -> Result<Unit, Broken> {
    let mut slots = vec![Registrant::NONE; pr_file::registrants(file)?];
    let head = pr_file::read(file, &mut slots)?;
    Ok(Unit { head, slots })
}

fn parse(text: &str) -> Result<Unit, Malformed> {
    let mut slots = vec![Registrant::NONE; pr_text::registrants(text)];
    let head = pr_text::parse(text, &mut slots)?;
    Ok(Unit { head, slots })
}

fn file_of(view: View<'_>) -> Vec<u8> {
    let mut file = answer(pr_file::len(view), |out| pr_file::write(view, out));
    assert_eq!(file[..8], [0; 8], "not valid before it is whole");
    file[..8].copy_from_slice(&SIGNATURE);
    file
}

fn text_of(view: View<'_>) -> String {
    let mut text = String::new();
    pr_text::print(view, &mut text).expect("a String takes everything");
    text
}

#[test]
fn the_c_files_are_read_and_written() {
    let unit = read(&hex(FILE)).expect("a file of C");
    assert_eq!(unit.head.reservation, Some(Kind::WriteExclusive));
    assert!(unit.head.aptpl && unit.slots[0].holder);
    assert_eq!((unit.slots[0].key, unit.slots[0].port), (0xA1, 0));
    assert_eq!(file_of(unit.view()), hex(FILE));
    let from_text = parse(TEXT).expect("a text of C");
    assert_eq!(from_text.slots, unit.slots);
    assert_eq!(
        from_text.head,
        Head {
            generation: 30,
            aptpl: false,
            ..unit.head
        }
    );
    assert_eq!(text_of(from_text.view()), TEXT);
    let nothing_reserved = "77 dd bb ee aa ee ee bb 01 00 00 00 00 00 00 00 01 00 ff 00";
    assert_eq!(
        file_of(read(&hex(nothing_reserved)).expect("a file").view()),
        hex(nothing_reserved)
    );
}

#[test]
fn long_names_too() {
    let name = [
        &[0x45, 0, 0, 36][..],
        b"iqn.2026-11.org.example,i,0x00023d01",
        &[0; 4],
    ]
    .concat();
    let mut bytes = name;
    bytes[3] = (bytes.len() - 4) as u8;
    let slots = vec![
        Registrant {
            id: TransportId::parse(&bytes).expect("iSCSI"),
            port: 0x102,
            key: 1,
            holder: true,
        },
        Registrant {
            id: initiator(2),
            port: 3,
            key: u64::MAX,
            holder: false,
        },
    ];
    let head = Head {
        generation: 7,
        aptpl: true,
        reservation: Some(Kind::ExclusiveAccess),
        used: 2,
    };
    let unit = Unit { head, slots };
    let back = read(&file_of(unit.view())).expect("as written");
    assert_eq!(
        (back.slots, back.head),
        (
            unit.slots.clone(),
            Head {
                generation: 0,
                ..head
            }
        )
    );
    let back = parse(&text_of(unit.view())).expect("as printed");
    assert_eq!(
        (back.slots, back.head),
        (
            unit.slots,
            Head {
                aptpl: false,
                ..head
            }
        )
    );
}

#[test]
fn broken_files_are_refused() {
    let good = hex(FILE);
    for len in 0..good.len() {
        if len != 20 {
            assert!(read(&good[..len]).is_err(), "cut to {len} bytes");
        }
    }
    let broken = |what: &str, change: &dyn Fn(&mut Vec<u8>)| {
        let mut file = good.clone();
        change(&mut file);
        assert!(read(&file).is_err(), "{what}");
    };
    // Without records the reservation has no holder.
    broken("no holder", &|file| file.truncate(20));
    broken("signature", &|file| file[0] = 0);
    broken("version", &|file| file[8] = 2);
    broken("type", &|file| file[18] = 2);
    broken("scope", &|file| file[19] = 1);
    broken("key 0", &|file| file[52] = 0);
    broken("a tail", &|file| file.push(0));
    broken("two of one", &|file| file.extend(good[20..].to_vec()));
    broken("not the holder", &|file| file[20] = 0);
}

#[test]
fn malformed_texts_are_refused() {
    for (from, to) in [
        ("version 1", "version 2"),
        ("generation 30", "generation -1"),
        ("generation 30\n", ""),
        ("reservation 01", "reservation 02"),
        ("reservation 01 00", "reservation 01 01"),
        ("reservation 01 00", "reservation 01"),
        ("reservation 01 00", "reservation 01 00 00"),
        ("reservation 01 00\n", ""),
        ("00a1 1 24", "00a1 0 24"),
        ("00a1 1 24", "00a1 2 24"),
        ("00a1 1 24", "00a1 1 23"),
        ("00a1 1 24", "0000 1 24"),
        ("registrant 0", "registrant 65536"),
        ("registrant 0", "stranger 0"),
        ("06000000", "0600000"),
        ("06000000", "0g000000"),
        ("\nregistrant", "\nreservation 01 00\nregistrant"),
    ] {
        let text = TEXT.replacen(from, to, 1);
        assert_ne!(text, TEXT);
        assert!(parse(&text).is_err(), "{from:?} as {to:?}");
    }
    assert!(parse("").is_err());
    assert!(
        parse(&format!("{TEXT}{}", TEXT.lines().last().expect("a line"))).is_err(),
        "two of one"
    );
    assert!(parse("version 1\ngeneration 0\n").is_ok());
}
