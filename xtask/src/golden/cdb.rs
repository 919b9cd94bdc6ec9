// SPDX-License-Identifier: MIT OR Apache-2.0
//! SCSI commands in transcripts: `sg0 12 00 … in=36   # remark`, and the data that came back.

/// Data that go with a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Transfer {
    /// None, and no direction.
    None,
    /// So many bytes from the device.
    In(usize),
    /// These to the device.
    Out(Vec<u8>),
}

/// A command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Cdb {
    /// The sg node's name.
    pub(super) node: String,
    /// The command descriptor block.
    pub(super) bytes: Vec<u8>,
    /// Its data.
    pub(super) transfer: Transfer,
}

/// Data from the device: the first bytes, and how many there were.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Dump {
    /// The beginning.
    pub(super) bytes: Vec<u8>,
    /// The whole length.
    pub(super) total: usize,
}

/// Parses what follows `CDB `.
pub(super) fn parse(text: &str) -> Result<Cdb, String> {
    let text = text.split("   #").next().unwrap_or(text).trim_end();
    let (command, data) = match text.split_once("  ") {
        Some((command, data)) => (command, data.trim()),
        None => (text, ""),
    };
    let (node, cdb) = command.split_once(' ').ok_or("a command needs a node and bytes")?;
    Ok(Cdb { node: node.into(), bytes: hex(cdb)?, transfer: transfer(data)? })
}

fn transfer(data: &str) -> Result<Transfer, String> {
    let number = |text: &str| text.parse().map_err(|_| format!("`{text}` is not a length"));
    if data.is_empty() {
        return Ok(Transfer::None);
    }
    if let Some(length) = data.strip_prefix("in=") {
        return Ok(Transfer::In(number(length)?));
    }
    let (length, bytes) = data
        .strip_prefix("out=")
        .and_then(|out| out.split_once(" ["))
        .and_then(|(length, bytes)| Some((length, bytes.strip_suffix(']')?)))
        .ok_or_else(|| format!("`{data}` is neither in=LENGTH nor out=LENGTH [BYTES]"))?;
    filled(bytes, number(length)?).map(Transfer::Out)
}

/// `length` bytes from runs such as `03 0a 11 ... @512 00 ...`: three dots go on in the steps of the last two bytes,
/// `@N` continues at that place.
fn filled(text: &str, length: usize) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    for (number, run) in text.split('@').enumerate() {
        let (place, run) = match number {
            0 => (0, run),
            _ => run.split_once(' ').ok_or("`@` needs a place and bytes")?.place()?,
        };
        let (given, goes_on) = match run.trim_end().strip_suffix("...") {
            Some(given) => (given, true),
            None => (run, false),
        };
        write_run(&mut bytes, place, &hex(given.trim())?, goes_on.then_some(length));
    }
    if bytes.len() != length {
        return Err(format!("there are {} bytes instead of {length}", bytes.len()));
    }
    Ok(bytes)
}

trait Place<'a> {
    fn place(self) -> Result<(usize, &'a str), String>;
}

impl<'a> Place<'a> for (&'a str, &'a str) {
    fn place(self) -> Result<(usize, &'a str), String> {
        Ok((self.0.parse().map_err(|_| format!("`@{}` is no place", self.0))?, self.1))
    }
}

/// Puts `run` at `place`, and lets it go on up to `end`.
fn write_run(bytes: &mut Vec<u8>, place: usize, run: &[u8], end: Option<usize>) {
    let last = run.last().copied().unwrap_or_default();
    let before = run.iter().rev().nth(1).copied().unwrap_or(last);
    let step = last.wrapping_sub(before);
    let more = end.unwrap_or(0).saturating_sub(place + run.len());
    let rest = (1..=more).map(|n| last.wrapping_add(step.wrapping_mul(n as u8)));
    for (offset, byte) in run.iter().copied().chain(rest).enumerate() {
        match bytes.get_mut(place + offset) {
            Some(old) => *old = byte,
            None => bytes.push(byte),
        }
    }
}

/// Bytes in hexadecimal, separated by blanks.
pub(super) fn hex(text: &str) -> Result<Vec<u8>, String> {
    let byte = |word: &str| u8::from_str_radix(word, 16).map_err(|_| format!("`{word}` is not a byte"));
    text.split_ascii_whitespace().map(byte).collect()
}

impl Dump {
    /// Bytes in a line of a dump.
    const LINE: usize = 16;

    /// Parses the lines of a dump, `0000  70 00 …  p.` and perhaps `... N bytes in total`.
    pub(super) fn parse(lines: &[&str]) -> Result<Self, String> {
        let mut dump = Self { bytes: Vec::new(), total: 0 };
        let mut total = None;
        for line in lines {
            let line = line.trim();
            if let Some(count) = line.strip_prefix("... ").and_then(|rest| rest.split_once(' ')) {
                total = Some(count.0.parse().map_err(|_| format!("`{line}` is no length"))?);
                continue;
            }
            let (_, rest) = line.split_once("  ").ok_or_else(|| format!("`{line}` is no line of a dump"))?;
            // The characters on the right begin after 16 places of three; in a short line, after more blanks.
            let digits = rest.get(..Self::LINE * 3 - 1).unwrap_or(rest);
            let digits = digits.split("  ").next().unwrap_or(digits);
            dump.bytes.extend(hex(digits)?);
        }
        dump.total = total.unwrap_or(dump.bytes.len());
        Ok(dump)
    }

    /// The lines in which the first `shown` bytes are compared, the whole length last.
    pub(super) fn lines(&self, shown: usize) -> Vec<String> {
        let shown = &self.bytes[..shown.min(self.bytes.len())];
        let line = |(number, bytes): (usize, &[u8])| {
            let words: Vec<_> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            format!("{:04x}  {}", number * Self::LINE, words.join(" "))
        };
        let mut lines: Vec<_> = shown.chunks(Self::LINE).enumerate().map(line).collect();
        if self.total > 0 {
            lines.push(format!("bytes {}", self.total));
        }
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_has_a_node_bytes_and_data() {
        let cdb = parse("sg9 12 00 00 00 24 00  in=36   # B INQUIRY").unwrap();
        assert_eq!((cdb.node.as_str(), cdb.bytes.len(), cdb.transfer), ("sg9", 6, Transfer::In(36)));
        assert_eq!(parse("sg0 00 00 00 00 00 00   # A").unwrap().transfer, Transfer::None);
        assert!(parse("sg0 28 zz  in=1").is_err());
        assert!(parse("sg0 28 00  out=2 [00]").is_err());
        assert!(parse("sg0 28 00  sideways=2").is_err());
    }

    #[test]
    fn three_dots_go_on_as_the_bytes_did() {
        assert_eq!(filled("03 0a ...", 5).unwrap(), [3, 10, 17, 24, 31]);
        assert_eq!(filled("00 00 ...", 4).unwrap(), [0; 4]);
        assert_eq!(filled("f8 ff ...", 3).unwrap(), [0xf8, 0xff, 6]);
        assert_eq!(filled("01 02 ... @3 ff", 5).unwrap(), [1, 2, 3, 0xff, 5]);
        assert_eq!(filled("01 02 ... @2 00 ...", 5).unwrap(), [1, 2, 0, 0, 0]);
    }

    #[test]
    fn a_dump_is_its_bytes_whatever_the_characters_beside_them() {
        let lines = [
            "      0000  00 00 06 22 3d 08 10 02 53 43 53 54 5f 46 49 4f  ...\"=  .SCST_FIO",
            "      0010  64 30                                            d0",
        ];
        let dump = Dump::parse(&lines).unwrap();
        assert_eq!((dump.bytes.len(), dump.total, dump.bytes[17]), (18, 18, 0x30));
        assert_eq!(dump.lines(17)[1..], ["0010  64".to_owned(), "bytes 18".to_owned()]);
        let dump = Dump::parse(&["      ... 512 bytes in total"]).unwrap();
        assert_eq!(dump, Dump { bytes: vec![], total: 512 });
        assert_eq!(Dump::parse(&[]).unwrap().lines(16), Vec::<String>::new());
    }
}
