// SPDX-License-Identifier: MIT OR Apache-2.0
//! Forms of text: what a name, a path or a pattern may look like, and what to say when it does not.

/// A form that text can have.
pub(crate) struct Format {
    /// With its article: `a device name`.
    pub(crate) what: &'static str,
    /// Cause and next step, if the text does not have the form.
    pub(crate) check: fn(&str) -> Result<(), Refusal>,
    /// The same for editors, as a regular expression; a little wider where that is simpler.
    #[cfg_attr(not(feature = "schema"), expect(dead_code, reason = "for the schema"))]
    pub(crate) pattern: &'static str,
}

/// Why a text is refused.
pub(crate) struct Refusal {
    pub(crate) cause: String,
    pub(crate) help: String,
}

/// A refusal.
fn refuse(cause: impl Into<String>, help: impl Into<String>) -> Result<(), Refusal> {
    Err(Refusal { cause: cause.into(), help: help.into() })
}

/// Any printable text on one line.
pub(crate) static LINE: Format = Format { what: "one line of text", check: line, pattern: r"^[^\n]*$" };
/// A target's comment: whatever the kernel keeps, and one line can say.
pub(crate) static COMMENT: Format = Format { what: "a comment", check: comment, pattern: r"^[^\n\uFFFD]+$" };
/// The name of a board or of a part that boards inherit.
pub(crate) static PROFILE: Format =
    Format { what: "a board's name", check: profile_name, pattern: "^[a-z0-9][a-z0-9_-]*$" };
/// A kernel module's name.
pub(crate) static MODULE: Format =
    Format { what: "a kernel module's name", check: module, pattern: "^-?[A-Za-z0-9_]+$" };
/// A Debian package's name.
pub(crate) static PACKAGE: Format =
    Format { what: "a Debian package's name", check: package, pattern: "^-?[a-z0-9][a-z0-9+.-]+$" };
/// A path inside the profile's folder.
pub(crate) static RELATIVE: Format =
    Format { what: "a path relative to the profile's folder", check: relative, pattern: "^[^/].*$" };
/// One word of the kernel command line.
pub(crate) static KERNEL_WORD: Format =
    Format { what: "a word of the kernel command line", check: kernel_word, pattern: r"^\S+$" };
/// A terminal.
pub(crate) static TTY: Format =
    Format { what: "a terminal", check: tty, pattern: "^-?(tty|hvc)[A-Z]*[0-9]+$" };
/// A disk's serial number.
pub(crate) static SERIAL: Format =
    Format { what: "a serial number", check: serial, pattern: "^[A-Za-z0-9_-]{1,20}$" };
/// An absolute path that the target stack's commands can carry.
pub(crate) static PATH: Format = Format { what: "an absolute path", check: path, pattern: "^/[ !#-~]*$" };
/// A device's name.
pub(crate) static DEVICE: Format =
    Format { what: "a device name", check: device, pattern: r"^[^\s=;/.]{1,64}$" };
/// The name of a device or target that is described elsewhere; whether it may be one is said there.
pub(crate) static REFERENCE: Format = Format { what: "a name", check: line, pattern: r"^[^\s=;/]+$" };
/// A target's name.
pub(crate) static TARGET: Format = Format { what: "a target name", check: target, pattern: r"^[^\s=;/]+$" };
/// A session's name.
pub(crate) static SESSION: Format =
    Format { what: "a session name", check: session, pattern: r"^[^\s=;/]+$" };
/// The name of a group of any kind.
pub(crate) static GROUP: Format = Format { what: "a group name", check: group, pattern: r"^[^\s=;/]+$" };
/// An initiator pattern.
pub(crate) static PATTERN: Format =
    Format { what: "an initiator pattern", check: pattern, pattern: r"^[^\s=;/]+$" };
/// One word of SCST's grammar, at most 25 characters: the T10 vendor's own part of the identification.
pub(crate) static T10_ID: Format =
    Format { what: "a T10 device identification", check: t10_id, pattern: r"^[^\s=;]{1,25}$" };
/// A unit serial number.
pub(crate) static USN: Format =
    Format { what: "a unit serial number", check: usn, pattern: r"^[!-~]{1,20}$" };
/// An NAA identifier.
pub(crate) static NAA: Format = Format {
    what: "an NAA identifier",
    check: naa,
    pattern: "^(0x)?([235][0-9a-fA-F]{15}|6[0-9a-fA-F]{31})$",
};
/// An EUI-64 identifier.
pub(crate) static EUI64: Format = Format {
    what: "an EUI-64 identifier",
    check: eui64,
    pattern: "^(0x)?([0-9a-fA-F]{16}|[0-9a-fA-F]{24}|[0-9a-fA-F]{32})$",
};
/// A CPU bitmap in the kernel's form.
pub(crate) static CPU_MASK: Format =
    Format { what: "a CPU bitmap", check: cpu_mask, pattern: "^[0-9a-fA-F]{1,8}(,[0-9a-fA-F]{8})*$" };
/// How sessions share threads.
pub(crate) static IO_GROUPING: Format = Format {
    what: "an I/O grouping",
    check: io_grouping,
    pattern: "^(auto|this_group_only|never|[1-9][0-9]*)$",
};

fn line(text: &str) -> Result<(), Refusal> {
    match text.chars().find(|c| c.is_control()) {
        Some(c) => {
            refuse(format!("it has the control character {c:?}"), "keep it to one line of printable text")
        }
        None => Ok(()),
    }
}

/// What a page of sysfs holds beside `[key]`.
const COMMENT_MAX: usize = 4080;

fn comment(text: &str) -> Result<(), Refusal> {
    if text.contains('\n') {
        return refuse("it has more than one line", "keep it to one line of any text");
    }
    if text.is_empty() {
        return refuse("it is empty", "leave the key out for none");
    }
    if text.contains(char::REPLACEMENT_CHARACTER) {
        let cause = "it has the character that stands for what is no text, so nobody could read it back";
        return refuse(cause, "write the character that was meant");
    }
    if text.len() > COMMENT_MAX {
        return refuse(format!("it has {} bytes", text.len()), format!("shorten it to {COMMENT_MAX}"));
    }
    Ok(())
}

fn profile_name(text: &str) -> Result<(), Refusal> {
    let good = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_';
    if text.is_empty() || text.len() > 64 || !text.chars().all(good) || text.starts_with(['-', '_']) {
        let help =
            "use up to 64 lower-case letters, digits, `-` and `_`, without `.toml` and without a folder";
        return refuse("it is not a file name that every build tool can carry", help);
    }
    Ok(())
}

fn module(text: &str) -> Result<(), Refusal> {
    let name = text.trim_end_matches(".ko").replace('-', "_");
    if text.contains('-') || text.ends_with(".ko") {
        return refuse("module names are written as `lsmod` prints them", format!("write `{name}`"));
    }
    if text.is_empty() || !text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
        return refuse("a module's name has letters, digits and `_` only", "`modinfo` prints the right name");
    }
    Ok(())
}

fn package(text: &str) -> Result<(), Refusal> {
    let good = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "+.-".contains(c);
    if text.len() < 2 || !text.chars().all(good) || text.starts_with(['+', '.', '-']) {
        let help =
            "use two or more lower-case letters, digits, `+`, `-` and `.`; `apt-cache search` finds names";
        return refuse("Debian has no such names", help);
    }
    Ok(())
}

fn relative(text: &str) -> Result<(), Refusal> {
    line(text)?;
    if text.is_empty() || text.starts_with('/') {
        return refuse(
            "it does not start in the profile's folder",
            "write it relative to the profile's folder",
        );
    }
    if text.split('/').any(|part| part.is_empty() || part == "." || part == "..") {
        return refuse(
            "it has an empty, `.` or `..` part",
            "write the plain path below the profile's folder",
        );
    }
    Ok(())
}

fn kernel_word(text: &str) -> Result<(), Refusal> {
    if text.is_empty() || text.contains(|c: char| c.is_whitespace() || c.is_control()) {
        return refuse(
            "it is not one word",
            "give each word as an item of its own: [\"quiet\", \"loglevel=4\"]",
        );
    }
    if text.starts_with("console=") {
        return refuse(
            "consoles are not set on the command line",
            "name the terminal in `[console] tty` instead",
        );
    }
    if !text.is_ascii() {
        return refuse("it has a character outside ASCII", "use plain ASCII");
    }
    Ok(())
}

fn tty(text: &str) -> Result<(), Refusal> {
    let prefix = text.trim_end_matches(|c: char| c.is_ascii_digit());
    if prefix == text || !["tty", "ttyS", "ttyAMA", "hvc"].contains(&prefix) {
        return refuse(
            "the kernel has no console of that name",
            "use ttyS0 for a serial line, tty0 for a screen, hvc0 for virtio",
        );
    }
    Ok(())
}

fn serial(text: &str) -> Result<(), Refusal> {
    let good = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if text.is_empty() || text.len() > 20 || !text.chars().all(good) {
        return refuse("disks carry at most 20 characters of it", "use 1 to 20 letters, digits, `-` and `_`");
    }
    Ok(())
}

fn path(text: &str) -> Result<(), Refusal> {
    if !text.starts_with('/') {
        return refuse("it is not absolute", format!("write it from the root, for example `/data/{text}`"));
    }
    if let Some(c) = text.chars().find(|c| c.is_control() || *c == '"' || !c.is_ascii()) {
        let what = format!("it has the character {c:?}, which the target stack's commands cannot carry");
        return refuse(what, "use ASCII letters, digits, `-`, `_` and the like; blanks are possible");
    }
    if text.ends_with(' ') {
        return refuse("it ends with a blank, which would be lost", "write the plain path");
    }
    if text.len() > 1 && text[1..].split('/').any(|part| part.is_empty() || part == "." || part == "..") {
        return refuse("it has an empty, `.` or `..` part", "write the plain path");
    }
    Ok(())
}

/// What SCST's command grammar cannot carry anywhere: it has no quoting, and words end at blanks and `=`.
fn grammar(text: &str) -> Result<(), Refusal> {
    let found =
        text.chars().find(|c| c.is_whitespace() || c.is_control() || "=;".contains(*c) || !c.is_ascii());
    let what = match found {
        None => return Ok(()),
        Some('\n') => "a line break".to_string(),
        Some(c) if c.is_whitespace() => "a blank".to_string(),
        Some(c) if c.is_control() => format!("the control character {c:?}"),
        Some(c) => format!("`{c}`"),
    };
    let help = "SCST's commands have no quoting: use ASCII letters, digits, `-`, `_` and the like, no blank, `=` or `;`";
    refuse(format!("it has {what}, which SCST's grammar cannot carry"), help)
}

/// What cannot be a name in SCST's tree: it would not pass the grammar, or not be a file name, or be taken.
fn name(text: &str, taken: &[&str]) -> Result<(), Refusal> {
    if text.is_empty() {
        return refuse("it is empty", "give it at least one character");
    }
    grammar(text)?;
    if text.contains('/') {
        return refuse("it has a `/`, and names are file names in sysfs", "use `-` or `_` instead");
    }
    if text == "." || text == ".." {
        return refuse("that is a folder of every file system", "use another name");
    }
    if text.len() > 255 {
        return refuse(format!("it has {} characters", text.len()), "file names in sysfs have at most 255");
    }
    if taken.contains(&text) {
        return refuse("SCST has a file of its own by that name in the same folder", "use another name");
    }
    Ok(())
}

fn device(text: &str) -> Result<(), Refusal> {
    // A device's name is also a link below its handler, beside the handler's own files.
    name(text, &["mgmt", "stats", "version", "type", "trace_level", "pr_dump_dir", "uevent", "module"])?;
    if text.contains('.') {
        return refuse("it has a `.`, which SCST refuses in device names", "use `-` or `_` instead");
    }
    if text.len() > 64 {
        return refuse(format!("it has {} characters", text.len()), "SCST takes at most 64 in a device name");
    }
    let numbers: Vec<&str> = text.split(':').collect();
    if numbers.len() == 4 && numbers.iter().all(|part| part.parse::<u64>().is_ok()) {
        return refuse("it reads as the address of a real SCSI device", "use a name that is not `H:C:I:L`");
    }
    Ok(())
}

fn target(text: &str) -> Result<(), Refusal> {
    let driver = ["mgmt", "stats", "version", "trace_level", "dif_capabilities", "allow_not_connected_copy"];
    name(text, &driver)
}

fn session(text: &str) -> Result<(), Refusal> {
    // A session is also a device below the driver's root device.
    name(text, &["mgmt", "stats", "version", "uevent", "power"])
}

fn group(text: &str) -> Result<(), Refusal> {
    name(text, &["mgmt", "stats", "version", "group_id", "preferred", "state"])
}

fn pattern(text: &str) -> Result<(), Refusal> {
    name(text, &["mgmt"])?;
    if text.matches('!').count() > 1 {
        return refuse("it has more than one `!`", "one `!` inverts the match; drop the others");
    }
    Ok(())
}

fn t10_id(text: &str) -> Result<(), Refusal> {
    grammar(text)?;
    at_most(text, 25)
}

fn usn(text: &str) -> Result<(), Refusal> {
    grammar(text)?;
    at_most(text, 20)
}

fn at_most(text: &str, max: usize) -> Result<(), Refusal> {
    match text.len() {
        0 => refuse("it is empty", "leave the key out for SCST's default"),
        length if length > max => {
            refuse(format!("it has {length} characters"), format!("SCST takes at most {max}"))
        }
        _ => Ok(()),
    }
}

/// Lower-case hexadecimal digits behind an optional `0x`.
fn hex_digits(text: &str) -> Result<&str, Refusal> {
    let digits = text.strip_prefix("0x").unwrap_or(text);
    if digits.is_empty() || !digits.chars().all(|c| c.is_ascii_hexdigit()) {
        let help = "write it in hexadecimal, with or without 0x".to_string();
        return Err(Refusal { cause: "it is not a hexadecimal number".into(), help });
    }
    Ok(digits)
}

fn naa(text: &str) -> Result<(), Refusal> {
    let digits = hex_digits(text)?;
    let good = match digits.as_bytes()[0] {
        b'2' | b'3' | b'5' => digits.len() == 16,
        b'6' => digits.len() == 32,
        _ => false,
    };
    if !good {
        let help = "use 16 digits that start with 2, 3 or 5, or 32 digits that start with 6";
        return refuse(
            format!("no NAA format has {} digits that start with {}", digits.len(), &digits[..1]),
            help,
        );
    }
    Ok(())
}

fn eui64(text: &str) -> Result<(), Refusal> {
    match hex_digits(text)?.len() {
        16 | 24 | 32 => Ok(()),
        length => refuse(format!("it has {length} digits"), "an EUI-64 identifier has 16, 24 or 32"),
    }
}

fn cpu_mask(text: &str) -> Result<(), Refusal> {
    let word = |part: &str| (1..=8).contains(&part.len()) && part.chars().all(|c| c.is_ascii_hexdigit());
    if !text.split(',').all(word) || text.chars().all(|c| c == '0' || c == ',') {
        return refuse(
            "it is not a bitmap with a CPU in it",
            "write hexadecimal words of up to 8 digits: `ff` or `1,00000000`",
        );
    }
    Ok(())
}

fn io_grouping(text: &str) -> Result<(), Refusal> {
    // The kernel takes a leading zero for an octal number, and has signed ones of 32 bits.
    let digits = text.chars().all(|c| c.is_ascii_digit()) && !text.starts_with('0');
    let number = digits && text.parse::<i32>().is_ok();
    if number || ["auto", "this_group_only", "never"].contains(&text) {
        return Ok(());
    }
    let help = format!("use `auto`, `this_group_only`, `never` or a number from 1 to {}", i32::MAX);
    refuse("SCST does not know it", help)
}
