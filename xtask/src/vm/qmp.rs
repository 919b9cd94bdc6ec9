// SPDX-License-Identifier: MIT OR Apache-2.0
//! QEMU's control channel: one JSON object a line, a greeting first, events in between.

use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use miette::{miette, Context as _, IntoDiagnostic as _};
use serde_json::{json, Value};

/// How long QEMU may take to answer. Its main loop answers, so a busy guest does not count.
const PATIENCE: Duration = Duration::from_secs(60);

/// An open control channel.
#[derive(Debug)]
pub(crate) struct Qmp {
    reader: BufReader<UnixStream>,
}

impl Qmp {
    /// Waits for the greeting and leaves negotiation mode. Fails where QEMU ended instead.
    pub(crate) fn open(stream: UnixStream) -> miette::Result<Self> {
        stream.set_read_timeout(Some(PATIENCE)).into_diagnostic()?;
        let mut qmp = Self { reader: BufReader::new(stream) };
        qmp.message().wrap_err("QEMU did not greet on its control channel")?;
        qmp.execute("qmp_capabilities", json!({}))?;
        Ok(qmp)
    }

    /// Runs one command and returns its result; QEMU's own words are the error.
    pub(crate) fn execute(&mut self, command: &str, arguments: Value) -> miette::Result<Value> {
        let request = json!({ "execute": command, "arguments": arguments });
        writeln!(self.reader.get_mut(), "{request}")
            .into_diagnostic()
            .wrap_err_with(|| format!("cannot send {command} to QEMU"))?;
        loop {
            let mut answer = self.message().wrap_err_with(|| format!("no answer to {command} from QEMU"))?;
            if let Some(result) = answer.get_mut("return") {
                return Ok(result.take());
            }
            if let Some(error) = answer.get("error") {
                return Err(miette!("QEMU refused {command}: {}", error["desc"]));
            }
        }
    }

    fn message(&mut self) -> miette::Result<Value> {
        let mut line = String::new();
        let n = self.reader.read_line(&mut line).into_diagnostic()?;
        if n == 0 {
            return Err(miette!("QEMU closed its control channel"));
        }
        serde_json::from_str(&line).into_diagnostic().wrap_err_with(|| format!("not JSON: {line}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Answers like QEMU: one prepared line for each one that is read.
    fn qemu(answers: &'static [&'static str]) -> miette::Result<Qmp> {
        let (ours, theirs) = UnixStream::pair().unwrap();
        std::thread::spawn(move || {
            let mut reader = BufReader::new(theirs);
            reader.get_mut().write_all(b"{\"QMP\":{}}\n").unwrap();
            for answer in answers {
                reader.read_line(&mut String::new()).unwrap();
                reader.get_mut().write_all(answer.as_bytes()).unwrap();
            }
        });
        Qmp::open(ours)
    }

    #[test]
    fn events_before_an_answer_are_passed_over() {
        let answers = &["{\"return\":{}}\n", "{\"event\":\"STOP\"}\n{\"return\":{\"running\":false}}\n"];
        let mut qmp = qemu(answers).unwrap();
        assert_eq!(qmp.execute("query-status", json!({})).unwrap(), json!({ "running": false }));
    }

    #[test]
    fn a_refusal_carries_qemus_words() {
        let answers =
            &["{\"return\":{}}\n", "{\"error\":{\"class\":\"DeviceNotFound\",\"desc\":\"no x\"}}\n"];
        let error = qemu(answers).unwrap().execute("device_del", json!({ "id": "x" })).unwrap_err();
        assert_eq!(error.to_string(), "QEMU refused device_del: \"no x\"");
    }

    #[test]
    fn a_qemu_that_ended_is_an_error_and_not_a_wait() {
        assert!(qemu(&[]).is_err());
    }
}
