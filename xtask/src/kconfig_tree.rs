// SPDX-License-Identifier: MIT OR Apache-2.0
//! As much of the kernel's Kconfig language as it takes to say why an option was dropped: which files define it,
//! and the `depends on` of the option itself and of every menu and `if` around it.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// The architecture's name in the kernel's own paths.
const SRCARCH: &str = "x86";

/// One place that defines an option.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Definition {
    /// The file, relative to the kernel's sources.
    pub(crate) file: String,
    /// The line, from 1.
    pub(crate) line: usize,
    /// Conditions that must all hold, outermost first.
    pub(crate) depends: Vec<String>,
    /// Whether a user may choose it.
    pub(crate) prompt: bool,
}

/// Every option of a kernel.
#[derive(Debug, Default)]
pub(crate) struct Tree(BTreeMap<String, Vec<Definition>>);

impl Tree {
    /// Reads the sources from their top `Kconfig` on. What cannot be read is left out: this only serves a message.
    pub(crate) fn read(source: &Path) -> Self {
        let mut reader = Reader { source, tree: Self::default() };
        reader.file("Kconfig", &[]);
        reader.tree
    }

    /// The places that define `symbol`.
    pub(crate) fn definitions(&self, symbol: &str) -> &[Definition] {
        self.0.get(symbol).map_or(&[], Vec::as_slice)
    }
}

struct Reader<'a> {
    source: &'a Path,
    tree: Tree,
}

/// What the lines after a keyword belong to.
enum Entry {
    /// An option, by name and index among its definitions.
    Option(String, usize),
    /// The innermost open block.
    Block,
    /// Nothing that this reader keeps.
    Other,
}

impl Reader<'_> {
    /// Reads one file whose content stands under the conditions `outer`.
    fn file(&mut self, name: &str, outer: &[String]) {
        let Ok(text) = fs::read_to_string(self.source.join(name)) else { return };
        let mut blocks: Vec<Vec<String>> = vec![outer.to_vec()];
        let mut entry = Entry::Other;
        let mut help_indent = None;
        for (line, text) in joined_lines(&text) {
            let indent = indent_of(&text);
            let words = text.trim();
            if words.is_empty() || words.starts_with('#') || in_help(&mut help_indent, indent) {
                continue;
            }
            let (keyword, rest) = words.split_once(char::is_whitespace).unwrap_or((words, ""));
            let rest = rest.trim();
            match keyword {
                "config" | "menuconfig" => entry = self.define(name, line, rest, &blocks),
                "if" => {
                    blocks.push(vec![rest.to_owned()]);
                    entry = Entry::Other;
                }
                "menu" | "choice" => {
                    blocks.push(Vec::new());
                    entry = Entry::Block;
                }
                "endif" | "endmenu" | "endchoice" => {
                    blocks.pop();
                    entry = Entry::Other;
                }
                "source" | "rsource" => {
                    let path = rest.trim_matches('"').replace("$(SRCARCH)", SRCARCH);
                    self.file(&path, &blocks.concat());
                    entry = Entry::Other;
                }
                "comment" | "mainmenu" => entry = Entry::Other,
                "depends" => self.depend(&entry, &mut blocks, rest.trim_start_matches("on").trim()),
                "help" => help_indent = Some(None),
                "bool" | "tristate" | "string" | "int" | "hex" | "prompt"
                    if rest.starts_with(['"', '\'']) =>
                {
                    self.prompt(&entry);
                }
                _ => {}
            }
        }
    }

    fn define(&mut self, file: &str, line: usize, symbol: &str, blocks: &[Vec<String>]) -> Entry {
        let definitions = self.tree.0.entry(symbol.to_owned()).or_default();
        definitions.push(Definition { file: file.into(), line, depends: blocks.concat(), prompt: false });
        Entry::Option(symbol.to_owned(), definitions.len() - 1)
    }

    fn depend(&mut self, entry: &Entry, blocks: &mut [Vec<String>], condition: &str) {
        match entry {
            Entry::Option(symbol, index) => {
                self.tree.0.get_mut(symbol).expect("it was defined")[*index]
                    .depends
                    .push(condition.to_owned());
            }
            Entry::Block => {
                if let Some(block) = blocks.last_mut() {
                    block.push(condition.to_owned());
                }
            }
            Entry::Other => {}
        }
    }

    fn prompt(&mut self, entry: &Entry) {
        if let Entry::Option(symbol, index) = entry {
            self.tree.0.get_mut(symbol).expect("it was defined")[*index].prompt = true;
        }
    }
}

/// Lines with their numbers; one that ends in a backslash goes on in the next.
fn joined_lines(text: &str) -> Vec<(usize, String)> {
    let mut lines: Vec<(usize, String)> = Vec::new();
    let mut open = false;
    for (index, line) in text.lines().enumerate() {
        let goes_on = line.ends_with('\\');
        let part = line.trim_end_matches('\\');
        match lines.last_mut() {
            Some((_, last)) if open => last.push_str(part.trim_start()),
            _ => lines.push((index + 1, part.to_owned())),
        }
        open = goes_on;
    }
    lines
}

/// Columns of leading white space, a tab being eight.
fn indent_of(line: &str) -> usize {
    let mut column = 0;
    for c in line.chars() {
        match c {
            ' ' => column += 1,
            '\t' => column = (column / 8 + 1) * 8,
            _ => break,
        }
    }
    column
}

/// Whether a line belongs to a help text: the first line after `help` sets the indent, a smaller one ends the text.
fn in_help(help: &mut Option<Option<usize>>, indent: usize) -> bool {
    match *help {
        None => false,
        Some(None) if indent > 0 => {
            *help = Some(Some(indent));
            true
        }
        Some(Some(first)) if indent >= first => true,
        _ => {
            *help = None;
            false
        }
    }
}

/// Those parts of `conditions` that do not hold, each with the symbols in it that are to blame.
pub(crate) fn unmet(conditions: &[String], value: &dyn Fn(&str) -> String) -> Vec<(String, Vec<String>)> {
    let mut unmet: Vec<(String, Vec<String>)> = Vec::new();
    for condition in conditions.iter().flat_map(|condition| conjuncts(condition)) {
        let holds = Expression { tokens: tokens(&condition), at: 0, value }.any() > 0;
        if !holds && !unmet.iter().any(|(seen, _)| *seen == condition) {
            let symbols = tokens(&condition).into_iter().filter(|token| is_symbol(token)).collect();
            unmet.push((condition, symbols));
        }
    }
    unmet
}

/// The parts of a condition between `&&` outside parentheses.
fn conjuncts(condition: &str) -> Vec<String> {
    let (mut parts, mut depth) = (vec![String::new()], 0);
    for token in tokens(condition) {
        depth += i32::from(token == "(") - i32::from(token == ")");
        if token == "&&" && depth == 0 {
            parts.push(String::new());
            continue;
        }
        let part = parts.last_mut().expect("there is always one");
        let glued = part.is_empty() || part.ends_with(['(', '!']) || token == ")";
        if !glued {
            part.push(' ');
        }
        part.push_str(&token);
    }
    // An alternative at the top level binds weaker than `&&`: such a condition is one part.
    match tokens_at_top(condition, "||") {
        true => vec![condition.trim().to_owned()],
        false => parts,
    }
}

fn tokens_at_top(condition: &str, wanted: &str) -> bool {
    let mut depth = 0;
    tokens(condition).iter().any(|token| {
        depth += i32::from(token == "(") - i32::from(token == ")");
        depth == 0 && token == wanted
    })
}

fn is_symbol(token: &str) -> bool {
    token.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_')
        && !["y", "m", "n", "if"].contains(&token)
}

/// Words, operators and parentheses; a macro call `$(…)` and a quoted text are one token each.
fn tokens(text: &str) -> Vec<String> {
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let length = match first {
            '$' => rest.find(')').map_or(rest.len(), |end| end + 1),
            '"' | '\'' => rest[1..].find(first).map_or(rest.len(), |end| end + 2),
            '#' => break,
            _ if rest.starts_with("&&") || rest.starts_with("||") || rest.starts_with("!=") => 2,
            _ if rest.starts_with("<=") || rest.starts_with(">=") => 2,
            c if c.is_alphanumeric() || c == '_' || c == '-' || c == '.' => {
                rest.find(|c: char| !(c.is_alphanumeric() || "_-.".contains(c))).unwrap_or(rest.len())
            }
            c => c.len_utf8(),
        };
        tokens.push(rest[..length].to_owned());
        rest = rest[length..].trim_start();
    }
    tokens
}

/// A condition being evaluated; 0, 1 and 2 are `n`, `m` and `y`.
struct Expression<'a> {
    tokens: Vec<String>,
    at: usize,
    value: &'a dyn Fn(&str) -> String,
}

impl Expression<'_> {
    fn take(&mut self, token: &str) -> bool {
        let found = self.tokens.get(self.at).is_some_and(|next| next == token);
        self.at += usize::from(found);
        found
    }

    fn any(&mut self) -> u8 {
        let mut result = self.all();
        while self.take("||") {
            result = result.max(self.all());
        }
        result
    }

    fn all(&mut self) -> u8 {
        let mut result = self.one();
        while self.take("&&") {
            result = result.min(self.one());
        }
        result
    }

    fn one(&mut self) -> u8 {
        if self.take("!") {
            return 2 - self.one();
        }
        if self.take("(") {
            let result = self.any();
            self.take(")");
            return result;
        }
        let left = self.word();
        for (operator, wanted) in [("=", true), ("!=", false)] {
            if self.take(operator) {
                return 2 * u8::from((self.word() == left) == wanted);
            }
        }
        match left.as_str() {
            "y" => 2,
            "m" => 1,
            _ => 0,
        }
    }

    /// A constant's or symbol's value. A macro cannot be evaluated here and passes for true.
    fn word(&mut self) -> String {
        let token = self.tokens.get(self.at).cloned().unwrap_or_default();
        self.at += 1;
        match token.as_str() {
            "y" | "m" | "n" => token,
            macro_call if macro_call.starts_with('$') => "y".into(),
            text if text.starts_with(['"', '\'']) => text.trim_matches(['"', '\'']).into(),
            number if number.starts_with(|c: char| c.is_ascii_digit()) && !number.contains('_') => {
                number.into()
            }
            symbol => (self.value)(symbol),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOP: &str =
        "mainmenu \"x\"\nsource \"arch/$(SRCARCH)/Kconfig\"\nif MISC\nsource \"fs/Kconfig\"\nendif\n";
    const FS: &str = "menuconfig EROFS\n\ttristate \"EROFS\"\n\tdepends on BLOCK && \\\n\t\t(A || B)\n\thelp\n\
                      \t  depends on NOTHING\n\n\t  config NOT_ONE\n\nmenu \"m\"\n\tdepends on NET\nconfig INNER\n\tbool\nendmenu\n\
                      config AFTER\n\tbool \"after\"\n";

    fn tree() -> Tree {
        let dir = tempfile::tempdir().unwrap();
        for (name, text) in
            [("Kconfig", TOP), ("fs/Kconfig", FS), ("arch/x86/Kconfig", "config 64BIT\n\tdef_bool y\n")]
        {
            let path = dir.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        Tree::read(dir.path())
    }

    #[test]
    fn conditions_are_collected_from_outside_in() {
        let tree = tree();
        let [erofs] = tree.definitions("EROFS") else { panic!("EROFS") };
        assert_eq!((erofs.file.as_str(), erofs.line, erofs.prompt), ("fs/Kconfig", 1, true));
        assert_eq!(erofs.depends, ["MISC", "BLOCK && (A || B)"]);
        assert_eq!(tree.definitions("INNER")[0].depends, ["MISC", "NET"]);
        assert!(!tree.definitions("INNER")[0].prompt);
        assert_eq!(tree.definitions("AFTER")[0].depends, ["MISC"]);
        assert_eq!(tree.definitions("NOT_ONE"), [], "a help text defines nothing");
        assert_eq!(tree.definitions("64BIT").len(), 1);
    }

    #[test]
    fn the_unmet_part_is_singled_out() {
        let value = |name: &str| if ["A", "BLOCK"].contains(&name) { "y" } else { "n" }.to_owned();
        let conditions =
            ["BLOCK && (B || C) && !A".to_owned(), "A || B".into(), "A=n".into(), "$(cc-option,-x)".into()];
        let told = unmet(&conditions, &value);
        let parts: Vec<_> = told.iter().map(|(condition, _)| condition.as_str()).collect();
        assert_eq!(parts, ["(B || C)", "!A", "A = n"]);
        assert_eq!(told[0].1, ["B", "C"]);
    }
}
