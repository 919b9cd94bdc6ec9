// SPDX-License-Identifier: MIT OR Apache-2.0
//! Statements to the tree of a profile, section by section, so that one checker serves both forms.

use super::statements::{statements, Statement, Word};
use super::values::{number, Object};
use crate::check::suggest;
use crate::problem::{Place, Problem, Text};
use crate::spec::{Kind, Spec, ROOT};
use crate::stack::{whole, CORE_DRIVER};
use crate::tree::{Entry, Node, Table, Value};

/// Handlers of SCST that this target stack has no module for.
const PASS_THROUGH: &str = "dev_";

/// The tree of a text. None where it cannot be read at all.
pub(crate) fn read(text: &Text, problems: &mut Vec<Problem>) -> Option<Node> {
    let statements = statements(text, problems)?;
    let mut reader = Reader { problems, lists: Lists::default() };
    let mut scst = Table::default();
    for statement in &statements {
        reader.top(statement, &mut scst);
    }
    let Lists { devices, targets, device_groups } = reader.lists;
    let place = whole(text);
    let mut root = Table::default();
    let mut push = |key: &str, value: Value| {
        let node = Node { place: place.clone(), value };
        root.entries.push(Entry { key: key.to_string(), place: place.clone(), node });
    };
    push("schema", Value::Number(1));
    push("scst", Value::Table(scst));
    push("device", Value::List(devices));
    push("target", Value::List(targets));
    push("device_group", Value::List(device_groups));
    Some(Node { place, value: Value::Table(root) })
}

/// What the sections at the top become.
#[derive(Default)]
struct Lists {
    devices: Vec<Node>,
    targets: Vec<Node>,
    device_groups: Vec<Node>,
}

struct Reader<'a> {
    problems: &'a mut Vec<Problem>,
    lists: Lists,
}

/// The description of a repeated table by the names that lead to it.
fn spec(path: &[&str]) -> &'static Spec {
    path.iter().fold(&ROOT, |spec, name| match spec.key(name).map(|key| key.kind) {
        Some(Kind::Table(inner) | Kind::Tables(inner)) => inner,
        _ => spec,
    })
}

/// Adds text under a key.
fn text(table: &mut Table, key: &str, word: &Word) {
    let node = Node { place: word.place.clone(), value: Value::Text(word.text.clone()) };
    table.entries.push(Entry { key: key.to_string(), place: word.place.clone(), node });
}

/// Adds what a section becomes to a list under a key; no entry for an empty list.
fn list(table: &mut Table, key: &str, place: &Place, nodes: Vec<Node>) {
    if !nodes.is_empty() {
        let node = Node { place: place.clone(), value: Value::List(nodes) };
        table.entries.push(Entry { key: key.to_string(), place: place.clone(), node });
    }
}

/// A word as a node.
fn node(word: &Word) -> Node {
    Node { place: word.place.clone(), value: Value::Text(word.text.clone()) }
}

fn table_node(place: &Place, table: Table) -> Node {
    Node { place: place.clone(), value: Value::Table(table) }
}

impl Reader<'_> {
    fn problem(&mut self, word: &Word, message: impl Into<String>, help: impl Into<String>) {
        self.problems.push(Problem::at(&word.place, message).help(help));
    }

    /// The name behind a keyword, which must have as many words as `count`.
    fn name<'s>(&mut self, statement: &'s Statement, count: usize) -> Option<&'s Word> {
        let head = statement.head();
        match (statement.argument(), statement.words.get(count)) {
            (None, _) => {
                self.problem(head, format!("`{}` has no name", head.text), "write it behind the word");
            }
            (_, Some(extra)) => {
                let message = format!("`{}` takes no `{}`", head.text, extra.text);
                self.problem(extra, message, "drop it, or put a name with blanks in quotes");
            }
            _ => {}
        }
        statement.argument()
    }

    /// The same of a keyword that has no section.
    fn leaf<'s>(&mut self, statement: &'s Statement) -> Option<&'s Word> {
        let (head, name) = (statement.head(), self.name(statement, 2));
        if statement.section.is_some() {
            let message = format!("`{}` takes no section", head.text);
            self.problem(head, message, "drop the braces and what is between them");
        }
        name
    }

    /// Reports a word that no section has here.
    fn misplaced(&mut self, statement: &Statement, place: &str, known: &[&str]) {
        let head = statement.head();
        let known: Vec<String> = known.iter().map(|word| format!("`{word}`")).collect();
        let message = format!("`{}` does not belong {place}", head.text);
        self.problem(head, message, format!("here may stand {}", known.join(", ")));
    }

    fn top(&mut self, statement: &Statement, scst: &mut Table) {
        match statement.head().text.as_str() {
            "HANDLER" => self.handler(statement),
            "TARGET_DRIVER" => self.driver(statement),
            "DEVICE_GROUP" => self.device_group(statement),
            "ALUA" => {
                for inner in statement.body() {
                    let message = format!("there is no ALUA attribute `{}`", inner.head().text);
                    self.problem(inner.head(), message, "describe ALUA in a section `DEVICE_GROUP`");
                }
            }
            _ if keyword(statement) => {
                self.misplaced(statement, "here", &["HANDLER", "TARGET_DRIVER", "DEVICE_GROUP", "ALUA"]);
            }
            _ => Object { what: "the core", spec: spec(&["scst"]), table: scst }
                .attribute(statement, self.problems),
        }
    }

    fn handler(&mut self, statement: &Statement) {
        let Some(handler) = self.name(statement, 2) else { return };
        if !self.knows_handler(handler) {
            return;
        }
        for inner in statement.body() {
            if inner.head().text != "DEVICE" {
                let message =
                    format!("`{}` is no attribute of a handler that can be kept", inner.head().text);
                self.problem(inner.head(), message, "here may stand `DEVICE`");
            } else if let Some(name) = self.name(inner, 2) {
                let device = self.device(handler, name, inner.body());
                self.lists.devices.push(device);
            }
        }
    }

    fn knows_handler(&mut self, handler: &Word) -> bool {
        let names = crate::Handler::ALL.map(crate::Handler::as_str);
        if names.contains(&handler.text.as_str()) {
            return true;
        }
        let help = match handler.text.starts_with(PASS_THROUGH) {
            true => "pass-through handlers are not part of this target stack; use one of the vdisk handlers"
                .into(),
            false => suggest::help(&handler.text, names, ""),
        };
        self.problem(handler, format!("there is no handler `{}`", handler.text), help);
        false
    }

    fn device(&mut self, handler: &Word, name: &Word, body: &[Statement]) -> Node {
        let mut table = Table::default();
        text(&mut table, "name", name);
        text(&mut table, "handler", handler);
        let mut object = Object { what: "a device", spec: spec(&["device"]), table: &mut table };
        for statement in body {
            match mebibytes(statement) {
                Some(bytes) if handler.text != "vdisk_fileio" => {
                    object.renamed(statement, "size", bytes, self.problems);
                }
                _ if keyword(statement) => {
                    let message = format!("`{}` does not belong into a device", statement.head().text);
                    self.problems.push(
                        Problem::at(&statement.head().place, message).help("move it out of the section"),
                    );
                }
                _ => object.attribute(statement, self.problems),
            }
        }
        table_node(&name.place, table)
    }

    fn driver(&mut self, statement: &Statement) {
        let Some(driver) = self.name(statement, 2) else { return };
        if driver.text == CORE_DRIVER {
            self.core_driver(statement);
            return;
        }
        if driver.text != crate::Driver::ScstLocal.as_str() {
            let help = "this target stack has `scst_local`; drop the section";
            self.problem(driver, format!("there is no target driver `{}`", driver.text), help);
            return;
        }
        for inner in statement.body() {
            if inner.head().text != "TARGET" {
                let message =
                    format!("`{}` is no attribute of the driver that can be kept", inner.head().text);
                self.problem(inner.head(), message, "here may stand `TARGET`");
            } else if let Some(name) = self.name(inner, 2) {
                let target = self.target(driver, name, inner.body());
                self.lists.targets.push(target);
            }
        }
    }

    /// The core makes its own target, whose LUNs number themselves; what else stands there would be lost.
    fn core_driver(&mut self, statement: &Statement) {
        for inner in statement.body() {
            let lost = match inner.head().text.as_str() {
                "TARGET" => inner.body().iter().filter(|line| line.head().text != "LUN").collect(),
                _ => vec![inner],
            };
            for lost in lost {
                let message = format!("`{}` of {CORE_DRIVER} cannot be kept", lost.head().text);
                self.problem(lost.head(), message, "drop it, and write to the file on the running appliance");
            }
        }
    }

    fn target(&mut self, driver: &Word, name: &Word, body: &[Statement]) -> Node {
        let mut table = Table::default();
        text(&mut table, "name", name);
        text(&mut table, "driver", driver);
        let (mut sessions, mut luns, mut groups) = (Vec::new(), Vec::new(), Vec::new());
        for statement in body {
            match statement.head().text.as_str() {
                "session_name" => sessions.extend(self.leaf(statement).map(node)),
                "LUN" => luns.extend(self.lun(statement)),
                "GROUP" => groups.extend(self.group(statement)),
                "HW_TARGET" => {
                    let message = "a target of scst_local is no hardware";
                    self.problem(statement.head(), message, "drop the line");
                }
                _ if keyword(statement) => self.misplaced(statement, "into a target", &["LUN", "GROUP"]),
                _ => Object { what: "a target", spec: spec(&["target"]), table: &mut table }
                    .attribute(statement, self.problems),
            }
        }
        list(&mut table, "sessions", &name.place, sessions);
        list(&mut table, "lun", &name.place, luns);
        list(&mut table, "group", &name.place, groups);
        table_node(&name.place, table)
    }

    fn lun(&mut self, statement: &Statement) -> Option<Node> {
        let count = self.name(statement, 3)?;
        let Some(device) = statement.words.get(2) else {
            self.problem(count, "the LUN has no device", "write the device's name behind the number");
            return None;
        };
        let Some(lun) = number(&count.text) else {
            let message = format!("`{}` is no LUN", count.text);
            self.problem(count, message, "write a number from 0 to 16383, then the device");
            return None;
        };
        let mut table = Table::default();
        table.entries.push(Entry {
            key: "lun".into(),
            place: count.place.clone(),
            node: Node { place: count.place.clone(), value: Value::Number(lun) },
        });
        text(&mut table, "device", device);
        for inner in statement.body() {
            match inner.head().text.as_str() {
                "lun" | "device" => self.misplaced(inner, "into a LUN", &["read_only"]),
                _ => Object { what: "a LUN", spec: spec(&["target", "lun"]), table: &mut table }
                    .attribute(inner, self.problems),
            }
        }
        Some(table_node(&count.place, table))
    }

    fn group(&mut self, statement: &Statement) -> Option<Node> {
        let name = self.name(statement, 2)?;
        let mut table = Table::default();
        text(&mut table, "name", name);
        let (mut luns, mut initiators) = (Vec::new(), Vec::new());
        for inner in statement.body() {
            match inner.head().text.as_str() {
                "LUN" => luns.extend(self.lun(inner)),
                "INITIATOR" => initiators.extend(self.leaf(inner).map(node)),
                _ if keyword(inner) => self.misplaced(inner, "into a group", &["LUN", "INITIATOR"]),
                _ => {
                    Object {
                        what: "an initiator group",
                        spec: spec(&["target", "group"]),
                        table: &mut table,
                    }
                    .attribute(inner, self.problems);
                }
            }
        }
        list(&mut table, "initiators", &name.place, initiators);
        list(&mut table, "lun", &name.place, luns);
        Some(table_node(&name.place, table))
    }

    fn device_group(&mut self, statement: &Statement) {
        let Some(name) = self.name(statement, 2) else { return };
        let mut table = Table::default();
        text(&mut table, "name", name);
        let (mut devices, mut groups) = (Vec::new(), Vec::new());
        for inner in statement.body() {
            match inner.head().text.as_str() {
                "DEVICE" => devices.extend(self.leaf(inner).map(node)),
                "TARGET_GROUP" => groups.extend(self.target_group(inner)),
                _ => self.misplaced(inner, "into a device group", &["DEVICE", "TARGET_GROUP"]),
            }
        }
        list(&mut table, "devices", &name.place, devices);
        list(&mut table, "target_group", &name.place, groups);
        self.lists.device_groups.push(table_node(&name.place, table));
    }

    fn target_group(&mut self, statement: &Statement) -> Option<Node> {
        let name = self.name(statement, 2)?;
        let mut table = Table::default();
        text(&mut table, "name", name);
        let (mut local, mut remote) = (Vec::new(), Vec::new());
        for inner in statement.body() {
            match inner.head().text.as_str() {
                "TARGET" if inner.section.is_none() => local.extend(self.name(inner, 2).map(node)),
                "TARGET" => remote.extend(self.remote_target(inner)),
                _ if keyword(inner) => self.misplaced(inner, "into a target group", &["TARGET"]),
                _ => Object {
                    what: "a target group",
                    spec: spec(&["device_group", "target_group"]),
                    table: &mut table,
                }
                .attribute(inner, self.problems),
            }
        }
        list(&mut table, "targets", &name.place, local);
        list(&mut table, "remote_target", &name.place, remote);
        Some(table_node(&name.place, table))
    }

    fn remote_target(&mut self, statement: &Statement) -> Option<Node> {
        let name = self.name(statement, 2)?;
        let mut table = Table::default();
        text(&mut table, "name", name);
        let spec = spec(&["device_group", "target_group", "remote_target"]);
        for inner in statement.body() {
            Object { what: "a target of another box", spec, table: &mut table }
                .attribute(inner, self.problems);
        }
        Some(table_node(&name.place, table))
    }
}

/// Sections and their lines have names in capitals; SCST's attributes never are all capitals.
fn keyword(statement: &Statement) -> bool {
    let head = &statement.head().text;
    head.chars().all(|c| c.is_ascii_uppercase() || c == '_')
}

/// `size_mb` in bytes.
fn mebibytes(statement: &Statement) -> Option<i64> {
    let value = statement.argument().filter(|_| statement.head().text == "size_mb")?;
    number(&value.text)?.checked_mul(1 << 20)
}
