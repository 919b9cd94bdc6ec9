// SPDX-License-Identifier: GPL-2.0-only
//! The lexer of management commands, and default identities.

use proto::id::{crc32c, t10_dev_id, usn};
use proto::mgmt::{flag, is, number, number_to, segments, signed, words, Error};

fn split(text: &str) -> Vec<Vec<&str>> {
    segments(text)
        .map(|segment| words(segment).collect())
        .collect()
}

#[test]
fn segments_and_words() {
    let device = vec!["add_device", "disk1"];
    let file = vec!["filename", "/data/disk1"];
    let cases = [
        (
            "add_device disk1 filename=/data/disk1",
            vec![[device.clone(), file.clone()].concat()],
        ),
        (
            "add_device disk1;filename=/data/disk1",
            vec![device.clone(), file.clone()],
        ),
        (
            "add_device disk1\nfilename = /data/disk1;\n",
            vec![device.clone(), file.clone()],
        ),
        (
            "\tadd_device  disk1 ; filename\t/data/disk1 ;",
            vec![device.clone(), file.clone()],
        ),
        (
            "add_device disk1;;filename=/data/disk1",
            vec![device.clone()],
        ),
        ("\nadd_device disk1", vec![]),
        (
            "add_device disk1; ;filename=/data/disk1",
            vec![device.clone()],
        ),
        ("", vec![]),
        ("  ", vec![]),
        ("=", vec![]),
        (
            "add_device \u{e9}\u{3000}x",
            vec![vec!["add_device", "\u{e9}\u{3000}x"]],
        ),
    ];
    for (text, expected) in cases {
        assert_eq!(split(text), expected, "{text:?}");
    }
}

#[test]
fn quotes_keep_a_value_together() {
    let cases = [
        (
            r#"add_device d filename="/a b"; tst=0"#,
            vec![
                vec!["add_device", "d", "filename", "/a b"],
                vec!["tst", "0"],
            ],
        ),
        (
            r#"filename = "/a;b=c";x=1"#,
            vec![vec!["filename", "/a;b=c"], vec!["x", "1"]],
        ),
        ("filename=\"/a\nb\"\n", vec![vec!["filename", "/a\nb"]]),
        // The quote that ends it is the first that a separator follows.
        (
            r#"filename="/a "b" c"; x=1"#,
            vec![vec!["filename", r#"/a "b"#, r#"c""#], vec!["x", "1"]],
        ),
        (
            r#"filename="/a "b"c" d"#,
            vec![vec!["filename", r#"/a "b"c"#, "d"]],
        ),
        (r#"filename=" ""#, vec![vec!["filename", " "]]),
    ];
    for (text, expected) in cases {
        assert_eq!(split(text), expected, "{text:?}");
    }
}

#[test]
fn quotes_that_scst_takes_for_characters_stay() {
    let cases = [
        (r#"t10_dev_id="abc""#, vec![vec!["t10_dev_id", r#""abc""#]]),
        (
            r#"t10_dev_id=a"b c"d"#,
            vec![vec!["t10_dev_id", r#"a"b"#, r#"c"d"#]],
        ),
        (
            r#"t10_dev_id="a; x=1"#,
            vec![vec!["t10_dev_id", r#""a"#], vec!["x", "1"]],
        ),
        (r#"t10_dev_id="""#, vec![vec!["t10_dev_id", r#""""#]]),
        (r#"create "g 1""#, vec![vec!["create", r#""g"#, r#"1""#]]),
        (r#"add "a;b""#, vec![vec!["add", r#""a"#], vec![r#"b""#]]),
    ];
    for (text, expected) in cases {
        assert_eq!(split(text), expected, "{text:?}");
    }
}

#[test]
fn words_one_by_one() {
    let mut segment = words("  add  disk1 5 read_only = 1 ");
    assert_eq!(segment.required(), Ok("add"));
    assert_eq!(segment.rest(), "disk1 5 read_only = 1");
    assert_eq!(segment.by_ref().skip(3).collect::<Vec<_>>(), ["1"]);
    assert_eq!(segment.rest(), "");
    assert_eq!(segment.required(), Err(Error::Inval));
    assert_eq!(words(" = ").end(), Ok(()));
    assert_eq!(words("more").end(), Err(Error::Inval));
}

#[test]
fn keywords_in_any_case() {
    assert!(is("Add_Device", "add_device"));
    assert!(!is("add_devic", "add_device"));
    assert!(!is("add_device ", "add_device"));
}

#[test]
fn numbers_in_base_0() {
    let good = [
        ("0", 0),
        ("00", 0),
        ("10", 10),
        ("+10", 10),
        ("010", 8),
        ("0x10", 16),
        ("0XfF", 255),
        ("18446744073709551615", u64::MAX),
        ("0xffffffffffffffff", u64::MAX),
        ("01777777777777777777777", u64::MAX),
    ];
    for (word, value) in good {
        assert_eq!(number(word), Ok(value), "{word}");
    }
    for word in [
        "", "+", "-1", "++1", "0x", "0x+1", "0x-1", "0+1", "08", "1k", "1 ", " 1", "0x1g", "x",
        "1_0", "\u{0661}",
    ] {
        assert_eq!(number(word), Err(Error::Inval), "{word:?}");
    }
    for word in [
        "18446744073709551616",
        "0x10000000000000000",
        "02000000000000000000000",
    ] {
        assert_eq!(number(word), Err(Error::Range), "{word}");
    }
}

#[test]
fn signed_numbers() {
    let good = [
        ("-1", -1),
        ("-0x10", -16),
        ("-010", -8),
        ("5", 5),
        ("-9223372036854775808", i64::MIN),
    ];
    for (word, value) in good {
        assert_eq!(signed(word), Ok(value), "{word}");
    }
    for word in ["-", "--1", "-+1", "+-1", ""] {
        assert_eq!(signed(word), Err(Error::Inval), "{word:?}");
    }
    for word in ["9223372036854775808", "-9223372036854775809"] {
        assert_eq!(signed(word), Err(Error::Range), "{word}");
    }
}

#[test]
fn limits_and_flags() {
    assert_eq!(number_to("16383", 16383), Ok(16383));
    assert_eq!(number_to("16384", 16383), Err(Error::Range));
    assert_eq!(
        (flag("0"), flag("1"), flag("0x1")),
        (Ok(false), Ok(true), Ok(true))
    );
    assert_eq!(
        (flag("2"), flag("yes"), flag("")),
        (Err(Error::Inval), Err(Error::Inval), Err(Error::Inval))
    );
}

#[test]
fn identities_are_as_captured() {
    let cases = [
        (0x10, "disk1", "10b8fdbd32", "10b8fdbd32-disk1"),
        (0x10, "null1", "10dba7df64", "10dba7df64-null1"),
        (0x10, "cd1", "10f5b29776", "10f5b29776-cd1"),
        (0, "disk1", "b8fdbd32", "b8fdbd32-disk1"),
        (0, "blk1", "a8c1657", "a8c1657-blk1"),
        (0, "d0", "f8b1cd54", "f8b1cd54-d0"),
        (0, "d9", "7607969b", "7607969b-d9"),
    ];
    for (setup_id, name, serial, id) in cases {
        assert_eq!(usn(setup_id, name).as_str(), serial);
        assert_eq!(t10_dev_id(setup_id, name).as_str(), id);
    }
}

#[test]
fn a_long_name_is_cut_in_the_identity() {
    let id = t10_dev_id(0xFFFF_FFFF, "a-name-that-is-much-too-long");
    assert_eq!(id.len(), 25);
    assert!(id.as_str().starts_with("ffffffff") && id.as_str().contains("-a-name"));
    // A character of two bytes that would end on the 26th is left out whole.
    let id = t10_dev_id(0xFFFF_FFFF, "1234567\u{e9}");
    assert_eq!(id.len(), 24, "{id}");
}

#[test]
fn checksum_by_its_definition() {
    let bitwise = |bytes: &[u8]| {
        bytes.iter().fold(0_u32, |crc, &byte| {
            (0..8).fold(crc ^ u32::from(byte), |crc, _| {
                (crc >> 1) ^ ((crc & 1) * 0x82F6_3B78)
            })
        })
    };
    let bytes: Vec<u8> = (0..=255).collect();
    for len in 0..bytes.len() {
        assert_eq!(crc32c(&bytes[..len]), bitwise(&bytes[..len]));
    }
}
