// SPDX-License-Identifier: MIT OR Apache-2.0
//! Tokens to nested statements: words, and what stands between braces behind them.

use super::tokens::{tokens, Placed, Token};
use crate::problem::{Place, Problem, Text};
use std::ops::Range;

/// The words of one line, and the statements of its section.
#[derive(Clone, Debug)]
pub(crate) struct Statement {
    /// At least one.
    pub(crate) words: Vec<Word>,
    /// None without braces.
    pub(crate) section: Option<Vec<Statement>>,
}

/// A word and its place.
#[derive(Clone, Debug)]
pub(crate) struct Word {
    pub(crate) text: String,
    pub(crate) place: Place,
}

impl Statement {
    /// The first word.
    pub(crate) fn head(&self) -> &Word {
        &self.words[0]
    }

    /// The second word.
    pub(crate) fn argument(&self) -> Option<&Word> {
        self.words.get(1)
    }

    /// The statements of the section; none where there is no section.
    pub(crate) fn body(&self) -> &[Statement] {
        self.section.as_deref().unwrap_or_default()
    }
}

/// All statements of a text. Mistakes of syntax go to `problems`; none is returned where the rest cannot be trusted
/// after them.
pub(crate) fn statements(text: &Text, problems: &mut Vec<Problem>) -> Option<Vec<Statement>> {
    if let Some(problem) = old_format(text) {
        problems.push(problem);
        return None;
    }
    let before = problems.len();
    let tokens = tokens(text, problems);
    let mut parser = Parser { text, open: Vec::new(), words: Vec::new(), levels: vec![Vec::new()], problems };
    for token in tokens {
        parser.take(token);
    }
    let statements = parser.finish();
    (problems.len() == before).then_some(statements)
}

/// The format before SCST 2.0 has its sections in brackets.
fn old_format(text: &Text) -> Option<Problem> {
    let mut start = 0;
    for line in text.inner().split_inclusive('\n') {
        let word = line.trim_start();
        if word.starts_with('[') {
            let from = start + (line.len() - word.len());
            let place = Place { text: text.clone(), span: from..from + word.trim_end().len() };
            let help =
                "write it as sections in braces, such as `HANDLER vdisk_fileio { DEVICE disk1 { ... } }`";
            return Some(Problem::at(&place, "this is the format of SCST before 2.0").help(help));
        }
        start += line.len();
    }
    None
}

struct Parser<'a> {
    text: &'a Text,
    /// Sections that are open, and where their braces stand.
    open: Vec<(Vec<Word>, Range<usize>)>,
    /// Words of the line so far.
    words: Vec<Word>,
    /// Statements so far: the text's own, then those of each open section.
    levels: Vec<Vec<Statement>>,
    problems: &'a mut Vec<Problem>,
}

impl Parser<'_> {
    fn place(&self, span: Range<usize>) -> Place {
        Place { text: self.text.clone(), span }
    }

    fn take(&mut self, (token, span): Placed) {
        match token {
            Token::Word(text) => {
                let place = self.place(span);
                self.words.push(Word { text, place });
            }
            Token::End => self.statement(),
            Token::Open => {
                if self.words.is_empty() {
                    let problem =
                        Problem::at(&self.place(span.clone()), "a section without a name starts here");
                    self.problems.push(problem.help("write what it is before the brace, on the same line"));
                }
                self.open.push((std::mem::take(&mut self.words), span));
                self.levels.push(Vec::new());
            }
            Token::Close => {
                self.statement();
                self.close(span);
            }
        }
    }

    /// Ends a statement that has no section.
    fn statement(&mut self) {
        let words = std::mem::take(&mut self.words);
        if !words.is_empty() {
            self.push(words, None);
        }
    }

    fn push(&mut self, words: Vec<Word>, section: Option<Vec<Statement>>) {
        if let Some(fourth) = words.get(3) {
            let message =
                format!("`{}` is one word too many, and SCST's reader drops it silently", fourth.text);
            self.problems.push(Problem::at(&fourth.place, message).help("put a value with blanks in quotes"));
        }
        if let Some(level) = self.levels.last_mut().filter(|_| !words.is_empty()) {
            level.push(Statement { words, section });
        }
    }

    fn close(&mut self, span: Range<usize>) {
        match (self.open.pop(), self.levels.len()) {
            (Some((words, _)), 2..) => {
                let body = self.levels.pop();
                self.push(words, body);
            }
            _ => {
                let problem =
                    Problem::at(&self.place(span), "no section is open that this brace could close");
                self.problems.push(problem.help("drop it, or look for one too many above"));
            }
        }
    }

    fn finish(mut self) -> Vec<Statement> {
        self.statement();
        while let Some((words, span)) = self.open.pop() {
            let place = words.first().map_or_else(|| self.place(span), |word| word.place.clone());
            let problem = Problem::at(&place, "the section that starts here is not closed");
            self.problems.push(problem.help("close it with `}` behind its last line"));
            self.levels.pop();
        }
        self.levels.pop().unwrap_or_default()
    }
}
