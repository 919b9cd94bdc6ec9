// SPDX-License-Identifier: MIT OR Apache-2.0
//! Bytes as the transcripts write them: `'text\n'` with C escapes, and for long ones `'a'*300 'b'`.

/// The bytes that `text` stands for, or what is wrong with it.
pub(super) fn parse(text: &str) -> Result<Vec<u8>, String> {
    let mut rest = text.trim();
    let mut bytes = Vec::new();
    if rest.is_empty() {
        return Err("bytes in quotes are missing".into());
    }
    while !rest.is_empty() {
        let (piece, after) = quoted(rest)?;
        let (times, after) = repeated(after)?;
        bytes.extend(std::iter::repeat_n(piece, times).flatten());
        rest = after.trim_start();
    }
    Ok(bytes)
}

/// One piece in quotes, and what follows it.
fn quoted(text: &str) -> Result<(Vec<u8>, &str), String> {
    let inner = text.strip_prefix('\'').ok_or_else(|| format!("`{text}` does not begin with a quote"))?;
    let mut bytes = Vec::new();
    let mut chars = inner.char_indices();
    while let Some((at, char)) = chars.next() {
        match char {
            '\'' => return Ok((bytes, &inner[at + 1..])),
            '\\' => bytes.push(escaped(&mut chars)?),
            _ => bytes.extend(char.encode_utf8(&mut [0; 4]).bytes()),
        }
    }
    Err(format!("`{text}` has no closing quote"))
}

fn escaped(chars: &mut std::str::CharIndices<'_>) -> Result<u8, String> {
    let mut next = || chars.next().map(|(_, char)| char);
    match next() {
        Some('n') => Ok(b'\n'),
        Some('r') => Ok(b'\r'),
        Some('t') => Ok(b'\t'),
        Some('\\') => Ok(b'\\'),
        Some('\'') => Ok(b'\''),
        Some('x') => {
            let digits: String = [next(), next()].into_iter().flatten().collect();
            u8::from_str_radix(&digits, 16).map_err(|_| format!("`\\x{digits}` is not a byte"))
        }
        other => Err(format!("`\\{}` is no escape", other.map(String::from).unwrap_or_default())),
    }
}

/// `*N` after a piece; once, if there is none.
fn repeated(text: &str) -> Result<(usize, &str), String> {
    let Some(rest) = text.strip_prefix('*') else { return Ok((1, text)) };
    let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    let times = rest[..end].parse().map_err(|_| format!("`{text}` does not say how often"))?;
    Ok((times, &rest[end..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_bytes() {
        assert_eq!(parse(r"'a\n\t\r\\\'\x00\xc3'").unwrap(), b"a\n\t\r\\'\x00\xc3");
        assert_eq!(parse("''").unwrap(), b"");
    }

    #[test]
    fn pieces_are_joined_and_repeated() {
        assert_eq!(parse("'add ' 'x'*3 '\\n'").unwrap(), b"add xxx\n");
    }

    #[test]
    fn what_is_no_literal_is_refused() {
        for bad in ["", "abc", "'abc", r"'\q'", r"'\x4'", "'a'*", "'a'b"] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }
}
