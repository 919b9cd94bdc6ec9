// SPDX-License-Identifier: MIT OR Apache-2.0
//! Text to words, braces and line ends, each with its place.

use crate::problem::{Place, Problem, Text};
use std::ops::Range;

/// What a line is made of.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Token {
    /// A word, without quotes and backslashes.
    Word(String),
    /// `{`
    Open,
    /// `}`
    Close,
    /// The end of a line.
    End,
}

/// A token and where it stands.
pub(crate) type Placed = (Token, Range<usize>);

/// All tokens of a text. What is no token goes to `problems`.
pub(crate) fn tokens(text: &Text, problems: &mut Vec<Problem>) -> Vec<Placed> {
    let mut all = Vec::new();
    let mut start = 0;
    for line in text.inner().split_inclusive('\n') {
        Line { text, start, line: line.trim_end_matches(['\n', '\r']) }.tokens(&mut all, problems);
        start += line.len();
        all.push((Token::End, start.saturating_sub(1)..start));
    }
    all
}

/// One line, and where it starts.
struct Line<'a> {
    text: &'a Text,
    start: usize,
    line: &'a str,
}

impl Line<'_> {
    fn tokens(&self, all: &mut Vec<Placed>, problems: &mut Vec<Problem>) {
        let mut at = 0;
        while let Some(c) = self.line[at..].chars().next() {
            let end = match c {
                '#' => return,
                '{' | '}' => {
                    let token = if c == '{' { Token::Open } else { Token::Close };
                    all.push((token, self.span(at..at + 1)));
                    at + 1
                }
                '"' => self.quoted(at, all, problems),
                c if c.is_whitespace() => at + c.len_utf8(),
                _ => self.bare(at, all, problems),
            };
            at = end;
        }
    }

    fn span(&self, range: Range<usize>) -> Range<usize> {
        self.start + range.start..self.start + range.end
    }

    fn problem(&self, range: Range<usize>, message: impl Into<String>) -> Problem {
        Problem::at(&Place { text: self.text.clone(), span: self.span(range) }, message)
    }

    /// A word without quotes; gives back where it ends.
    fn bare(&self, from: usize, all: &mut Vec<Placed>, problems: &mut Vec<Problem>) -> usize {
        let mut word = String::new();
        let mut letters = self.line[from..].char_indices();
        let mut end = self.line.len();
        while let Some((offset, c)) = letters.next() {
            match c {
                '\\' => word.extend(letters.next().map(|(_, c)| c)),
                c if c.is_whitespace() || "{}".contains(c) => {
                    end = from + offset;
                    break;
                }
                '#' => {
                    problems.push(self.comment_in_word(from + offset));
                    all.push((Token::Word(word), self.span(from..from + offset)));
                    return self.line.len();
                }
                c => word.push(c),
            }
        }
        all.push((Token::Word(word), self.span(from..end)));
        end
    }

    fn comment_in_word(&self, at: usize) -> Problem {
        let message = "`#` starts a comment here, and SCST's reader cuts the letter before it, too";
        self.problem(at..at + 1, message).help("write `\\#` for the sign itself, or a blank before a comment")
    }

    /// A word in quotes. The closing quote is the one that a blank, a brace or the line's end follows, since values
    /// are written with their own quotes as they are.
    fn quoted(&self, from: usize, all: &mut Vec<Placed>, problems: &mut Vec<Problem>) -> usize {
        let mut word = String::new();
        let mut letters = self.line[from + 1..].char_indices().peekable();
        while let Some((offset, c)) = letters.next() {
            let at = from + 1 + offset;
            match c {
                '\\' => word.extend(letters.next().map(|(_, c)| c)),
                '"' if letters.peek().is_none_or(|(_, c)| c.is_whitespace() || "{}".contains(*c)) => {
                    all.push((Token::Word(word), self.span(from..at + 1)));
                    return at + 1;
                }
                '{' | '}' => {
                    let message =
                        format!("SCST's reader takes `{c}` for the edge of a section even in quotes");
                    problems.push(
                        self.problem(at..at + 1, message).help("leave it out, or write `\\` before it"),
                    );
                }
                '#' => {
                    problems.push(self.comment_in_word(at));
                    return self.line.len();
                }
                c => word.push(c),
            }
        }
        let message = "the quote that starts here does not end on this line";
        problems.push(self.problem(from..from + 1, message).help("close it with `\"` behind the last word"));
        self.line.len()
    }
}
