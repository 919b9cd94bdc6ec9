// SPDX-License-Identifier: MIT OR Apache-2.0
//! What is wrong with a profile: every finding of one run, each with file, line, column, cause and next step.

use miette::{Diagnostic, LabeledSpan, NamedSource, SourceCode};
use serde::{Serialize, Serializer};
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

/// Profile text that findings point into.
pub(crate) type Text = Arc<NamedSource<String>>;

/// A stretch of one profile's text.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    pub(crate) text: Text,
    pub(crate) span: Range<usize>,
}

impl PartialEq for Place {
    fn eq(&self, other: &Self) -> bool {
        self.span == other.span && Arc::ptr_eq(&self.text, &other.text)
    }
}

impl Place {
    /// The path of the profile, as the loader gave it.
    pub(crate) fn file(&self) -> &str {
        self.text.name()
    }

    /// Line and column of the start, both from 1; the column counts characters.
    fn line_column(&self) -> (usize, usize) {
        let before = self.text.inner().get(..self.span.start).unwrap_or(self.text.inner());
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
    }

    /// The line of the start, without its line end.
    fn line_text(&self) -> &str {
        let text = self.text.inner();
        let start = self.span.start.min(text.len());
        let from = text[..start].rfind('\n').map_or(0, |at| at + 1);
        let to = text[start..].find('\n').map_or(text.len(), |at| start + at);
        text[from..to].trim_end_matches('\r')
    }
}

/// One finding.
#[derive(Clone, Debug)]
pub struct Problem {
    message: String,
    help: Option<String>,
    place: Option<Place>,
    /// Another place that the finding speaks of, such as the first of two equal names.
    other: Option<(Place, String)>,
}

impl Problem {
    /// A finding without a place, such as a profile that does not exist.
    pub(crate) fn nowhere(message: impl Into<String>) -> Self {
        Problem { message: message.into(), help: None, place: None, other: None }
    }

    /// A finding at a place.
    pub(crate) fn at(place: &Place, message: impl Into<String>) -> Self {
        Problem { place: Some(place.clone()), ..Problem::nowhere(message) }
    }

    /// Adds the next step.
    pub(crate) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Adds the other place that the finding speaks of.
    pub(crate) fn other(mut self, place: &Place, label: impl Into<String>) -> Self {
        self.other = Some((place.clone(), label.into()));
        self
    }

    /// The cause, in one sentence without a full stop.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// The next step, where there is one to name.
    pub fn help_text(&self) -> Option<&str> {
        self.help.as_deref()
    }

    /// The profile's path as the loader gave it; none for a profile that could not be read.
    pub fn file(&self) -> Option<&str> {
        self.place.as_ref().map(Place::file)
    }

    /// The line, from 1.
    pub fn line(&self) -> Option<usize> {
        self.place.as_ref().map(|place| place.line_column().0)
    }

    /// The column in characters, from 1.
    pub fn column(&self) -> Option<usize> {
        self.place.as_ref().map(|place| place.line_column().1)
    }

    /// The other place, if it is in another file: labels point into one text only, so that one is put in words.
    fn elsewhere(&self) -> Option<(&Place, &str)> {
        let (other, words) = self.other.as_ref()?;
        let same = self.place.as_ref().is_some_and(|place| Arc::ptr_eq(&other.text, &place.text));
        (!same).then_some((other, words))
    }

    /// Where it is in the order of the report: the profile's own findings as they stand in its text.
    fn start(&self) -> usize {
        self.place.as_ref().map_or(0, |place| place.span.start)
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Problem {}

impl Diagnostic for Problem {
    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        let note = self.elsewhere().map(|(place, words)| note(place, words));
        let lines: Vec<&str> = self.help.as_deref().into_iter().chain(note.as_deref()).collect();
        (!lines.is_empty()).then(|| Box::new(lines.join("\n")) as Box<dyn fmt::Display>)
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        self.place.as_ref().map(|place| &place.text as &dyn SourceCode)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let place = self.place.as_ref()?;
        let mut labels = vec![LabeledSpan::new_with_span(None, place.span.clone())];
        let other = self.other.iter().filter(|_| self.elsewhere().is_none());
        labels.extend(
            other.map(|(other, words)| LabeledSpan::new_with_span(Some(words.clone()), other.span.clone())),
        );
        Some(Box::new(labels.into_iter()))
    }
}

/// For scripts: `{file, line, column, message, help}`; absent parts are null.
impl Serialize for Problem {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Row<'a> {
            file: Option<&'a str>,
            line: Option<usize>,
            column: Option<usize>,
            message: &'a str,
            help: Option<&'a str>,
        }
        Row {
            file: self.file(),
            line: self.line(),
            column: self.column(),
            message: &self.message,
            help: self.help_text(),
        }
        .serialize(serializer)
    }
}

/// Everything that one run found; never empty. As a miette diagnostic the findings are its related ones, as JSON
/// it is their list, and [`Problems::plain`] is the text for logs and consoles without colours.
#[derive(Clone, Debug, Serialize)]
#[serde(transparent)]
pub struct Problems {
    list: Vec<Problem>,
    /// What they are about, for the line that counts them.
    #[serde(skip)]
    subject: &'static str,
}

impl Problems {
    /// Orders findings by file, in the order in which the files were first named, then by place.
    pub(crate) fn new(mut list: Vec<Problem>) -> Self {
        let mut files: Vec<String> = Vec::new();
        for problem in &list {
            let file = problem.file().unwrap_or_default();
            if !files.iter().any(|known| known == file) {
                files.push(file.to_string());
            }
        }
        let rank = |problem: &Problem| {
            files.iter().position(|file| file == problem.file().unwrap_or_default()).unwrap_or_default()
        };
        list.sort_by_key(|problem| (rank(problem), problem.start()));
        Problems { list, subject: "the board profile" }
    }

    /// The same findings about something else, which has other words for some things.
    pub(crate) fn about(self, subject: &'static str, words: &[(&str, &str)]) -> Self {
        let said = |text: String| words.iter().fold(text, |text, (from, to)| text.replace(from, to));
        let list = self.list.into_iter().map(|problem| Problem {
            message: said(problem.message),
            help: problem.help.map(said),
            ..problem
        });
        Problems { list: list.collect(), subject }
    }

    /// The findings, by file and place.
    pub fn iter(&self) -> impl Iterator<Item = &Problem> {
        self.list.iter()
    }

    /// How many there are; at least one.
    #[expect(clippy::len_without_is_empty, reason = "there is always at least one")]
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// All findings as plain text with source lines and carets.
    pub fn plain(&self) -> String {
        let mut text = String::new();
        for problem in &self.list {
            text.push_str(&plain(problem));
            text.push('\n');
        }
        text.push_str(&self.to_string());
        text.push('\n');
        text
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.list.len() {
            1 => write!(f, "{} has 1 error", self.subject),
            count => write!(f, "{} has {count} errors", self.subject),
        }
    }
}

impl std::error::Error for Problems {}

impl Diagnostic for Problems {
    fn related<'a>(&'a self) -> Option<Box<dyn Iterator<Item = &'a dyn Diagnostic> + 'a>> {
        Some(Box::new(self.list.iter().map(|problem| problem as &dyn Diagnostic)))
    }
}

/// One finding as plain text.
fn plain(problem: &Problem) -> String {
    let mut text = format!("error: {}\n", problem.message);
    if let Some(place) = &problem.place {
        excerpt(&mut text, place);
    }
    if let Some((place, words)) = &problem.other {
        text.push_str(&format!("  note: {}\n", note(place, words)));
    }
    if let Some(help) = &problem.help {
        text.push_str(&format!("  help: {help}\n"));
    }
    text
}

/// Another place, in words.
fn note(place: &Place, words: &str) -> String {
    let (line, column) = place.line_column();
    format!("{words}: {}:{line}:{column}", place.file())
}

/// The source line with carets below it. Tabs are kept, so that carets stand right whatever their width is.
fn excerpt(text: &mut String, place: &Place) {
    let (line, column) = place.line_column();
    let source = place.line_text();
    let number = line.to_string();
    let margin = " ".repeat(number.len());
    let lead: String = source.chars().take(column - 1).map(|c| if c == '\t' { '\t' } else { ' ' }).collect();
    let marked = place.text.inner().get(place.span.clone()).unwrap_or_default();
    let width = marked.lines().next().map_or(0, |first| first.chars().count());
    let carets = "^".repeat(width.clamp(1, (source.chars().count() + 2).saturating_sub(column).max(1)));
    text.push_str(&format!("{margin}--> {}:{line}:{column}\n", place.file()));
    text.push_str(&format!("{number} | {source}\n"));
    text.push_str(&format!("{margin} | {lead}{carets}\n"));
}
