// SPDX-License-Identifier: MIT OR Apache-2.0
//! `inherit`: several texts become one tree. Parents come first, in the order in which they are named, then the
//! profile's own keys. A profile that is reached twice is refused by name, since whose keys win would then depend on
//! the way.

use crate::check::{shape, suggest};
use crate::problem::{Place, Problem, Text};
use crate::source::Loader;
use crate::spec::{Kind, Spec, ROOT};
use crate::tree::{self, Entry, Node, Table, Value};
use miette::NamedSource;
use std::collections::HashSet;
use std::sync::Arc;

/// The flattened tree and the text that it was asked for by.
pub(crate) struct Flattened {
    pub(crate) root: Node,
    pub(crate) top: Text,
    /// The name that the board must have, where its file gives one.
    pub(crate) file_name: Option<String>,
}

/// One run of flattening.
struct Flattener<'a> {
    loader: &'a dyn Loader,
    problems: &'a mut Vec<Problem>,
    /// Paths from the asked-for profile down to the one at hand.
    stack: Vec<String>,
    /// Every path read so far, and who inherits it.
    seen: Vec<(String, String)>,
}

/// Reads `name` and all that it inherits. None if the result cannot be checked any further.
pub(crate) fn flatten(name: &str, loader: &dyn Loader, problems: &mut Vec<Problem>) -> Option<Flattened> {
    let source = match loader.load(name) {
        Ok(source) => source,
        Err(why) => {
            let names = loader.names();
            let help =
                suggest::help(name, names.iter().map(String::as_str), "name a board, or a profile's path");
            problems.push(Problem::nowhere(format!("there is no board `{name}`: {why}")).help(help));
            return None;
        }
    };
    let mut flattener = Flattener { loader, problems, stack: Vec::new(), seen: Vec::new() };
    let top: Text = Arc::new(NamedSource::new(source.path, source.text).with_language("TOML"));
    flattener.seen.push((top.name().to_string(), String::new()));
    let root = flattener.profile(&top)?;
    Some(Flattened { root, top, file_name: None })
}

impl Flattener<'_> {
    /// One profile with everything that it inherits.
    fn profile(&mut self, text: &Text) -> Option<Node> {
        let mut own = tree::parse(text, self.problems);
        if let Some(own) = &mut own {
            shape::file(own, self.problems);
        }
        self.stack.push(text.name().to_string());
        let parents = own.as_ref().map(inherited).unwrap_or_default();
        let mut merged = Some(Node { place: whole(text), value: Value::Table(Table::default()) });
        for (name, place) in parents {
            let parent = self.parent(&name, &place);
            merged = match (merged, parent) {
                (Some(below), Some(above)) => Some(merge_tables(&ROOT, below, above, self.problems)),
                _ => None,
            };
        }
        self.stack.pop();
        Some(merge_tables(&ROOT, merged?, own?, self.problems))
    }

    /// A profile that the one on top of the stack inherits, unless it is there already.
    fn parent(&mut self, name: &str, place: &Place) -> Option<Node> {
        let source = match self.loader.load(name) {
            Ok(source) => source,
            Err(why) => {
                let names = self.loader.names();
                let help =
                    suggest::help(name, names.iter().map(String::as_str), "name a profile that exists");
                let message = format!("`{name}` cannot be inherited: {why}");
                self.problems.push(Problem::at(place, message).help(help));
                return None;
            }
        };
        if let Some(at) = self.stack.iter().position(|path| *path == source.path) {
            let way: Vec<&str> = self.stack[at..].iter().map(String::as_str).chain([&*source.path]).collect();
            let message = format!("`{name}` inherits itself: {}", way.join(" -> "));
            self.problems.push(Problem::at(place, message).help("take one `inherit` of that circle away"));
            return None;
        }
        let heir = self.stack.last().cloned().unwrap_or_default();
        if let Some((_, first)) = self.seen.iter().find(|(path, _)| *path == source.path) {
            let message = format!("`{name}` is inherited twice, by {first} and by {heir}");
            self.problems.push(Problem::at(place, message).help(format!("take `{name}` out of one of them")));
            return None;
        }
        self.seen.push((source.path.clone(), heir));
        self.profile(&Arc::new(NamedSource::new(source.path, source.text).with_language("TOML")))
    }
}

/// The start of a text, for what is said of the whole.
fn whole(text: &Text) -> Place {
    Place { text: text.clone(), span: 0..0 }
}

/// The names in `inherit`.
fn inherited(root: &Node) -> Vec<(String, Place)> {
    let Value::Table(table) = &root.value else { return Vec::new() };
    let Some(Node { value: Value::List(items), .. }) = table.get("inherit") else { return Vec::new() };
    let name = |item: &Node| match &item.value {
        Value::Text(text) => Some((text.clone(), item.place.clone())),
        _ => None,
    };
    items.iter().filter_map(name).collect()
}

/// Lays `over` on `below`, both tables of the same kind.
fn merge_tables(spec: &'static Spec, below: Node, over: Node, problems: &mut Vec<Problem>) -> Node {
    let (Value::Table(mut table), Value::Table(own)) = (below.value, over.value) else {
        return Node { place: over.place, value: Value::Other("something else") };
    };
    for entry in own.entries {
        let kind = spec.key(&entry.key).map(|key| key.kind);
        let old =
            table.entry_mut(&entry.key).map(|old| std::mem::replace(&mut old.node.value, Value::Flag(false)));
        let new = Entry { node: merge_value(kind, &entry.key, old, entry.node, problems), ..entry };
        match table.entry_mut(&new.key) {
            Some(old) => *old = new,
            None => table.entries.push(new),
        }
    }
    Node { place: over.place, value: Value::Table(table) }
}

/// Lays a value on the inherited one, if there is one.
fn merge_value(
    kind: Option<Kind>,
    key: &str,
    below: Option<Value>,
    over: Node,
    problems: &mut Vec<Problem>,
) -> Node {
    match (kind, below, over.value) {
        (Some(Kind::Table(spec)), below, value @ Value::Table(_)) => {
            let below = below
                .filter(|below| matches!(below, Value::Table(_)))
                .unwrap_or(Value::Table(Table::default()));
            let below = Node { place: over.place.clone(), value: below };
            merge_tables(spec, below, Node { place: over.place, value }, problems)
        }
        (Some(Kind::List(_)), below, Value::List(items)) if key != "inherit" => {
            let inherited = match below {
                Some(Value::List(inherited)) => inherited,
                _ => Vec::new(),
            };
            Node { place: over.place, value: Value::List(join(key, inherited, items, problems)) }
        }
        (Some(Kind::Tables(spec)), below, Value::List(items)) => {
            let inherited = match below {
                Some(Value::List(inherited)) => inherited,
                _ => Vec::new(),
            };
            Node { place: over.place, value: Value::List(merge_repeated(spec, inherited, items, problems)) }
        }
        (_, _, value) => Node { place: over.place, value },
    }
}

/// Joins lists: inherited items first, doubles once, and `-x` takes an inherited `x` away.
fn join(key: &str, inherited: Vec<Node>, own: Vec<Node>, problems: &mut Vec<Problem>) -> Vec<Node> {
    let mut all = inherited;
    let mut known: HashSet<String> = all.iter().map(|item| word(item).to_string()).collect();
    for item in own {
        let word = word(&item).to_string();
        if let Some(unwanted) = word.strip_prefix('-') {
            all.retain(|old| self::word(old) != unwanted);
            if !known.remove(unwanted) {
                let message = format!("`{key}` takes `{unwanted}` away, but does not inherit it");
                problems.push(Problem::at(&item.place, message).help("drop this item, or correct its name"));
            }
        } else if known.insert(word) {
            all.push(item);
        }
    }
    all
}

/// The text of a list's item; empty for one of the wrong type, which was reported.
fn word(item: &Node) -> &str {
    match &item.value {
        Value::Text(text) => text,
        _ => "",
    }
}

/// Lays repeated tables on inherited ones: one with an inherited one's identity changes that one.
fn merge_repeated(
    spec: &'static Spec,
    inherited: Vec<Node>,
    own: Vec<Node>,
    problems: &mut Vec<Problem>,
) -> Vec<Node> {
    let mut all: Vec<Option<Node>> = inherited.into_iter().map(Some).collect();
    // Two own entries with one identity must both be seen, so an inherited one is changed at most once.
    let mut open = vec![true; all.len()];
    for item in own {
        let place = item.place.clone();
        let at = (0..open.len()).find(|&at| open[at] && same_identity(spec, all[at].as_ref(), &item));
        let below = at.and_then(|at| all[at].take());
        let below = below.unwrap_or(Node { place, value: Value::Table(Table::default()) });
        let merged = merge_tables(spec, below, item, problems);
        match at {
            Some(at) => (all[at], open[at]) = (Some(merged), false),
            None => all.push(Some(merged)),
        }
    }
    all.into_iter().flatten().collect()
}

fn same_identity(spec: &Spec, left: Option<&Node>, right: &Node) -> bool {
    let identity = |node: &Node| match &node.value {
        Value::Table(table) => match &table.get(spec.id?)?.value {
            Value::Text(text) => Some(text.clone()),
            Value::Number(number) => Some(number.to_string()),
            _ => None,
        },
        _ => None,
    };
    let left = left.and_then(identity);
    left.is_some() && left == identity(right)
}
