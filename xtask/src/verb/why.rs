// SPDX-License-Identifier: MIT OR Apache-2.0
//! `why`: which input makes a stage run, or made it run the last time.

use std::process::ExitCode;

use serde::Serialize;

use crate::board::Boards;
use crate::cli::{StageName, Why};
use crate::ctx::{Ctx, Records};
use crate::pipeline;
use crate::stamp::Stamp;
use crate::step::WouldRun;

/// One stage's answer.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct Answer {
    stage: String,
    up_to_date: bool,
    /// Why it would run now; if it would not, why it ran the last time.
    reason: String,
    /// How long it took the last time, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    took_ms: Option<u64>,
}

/// Goes through the stages without running any, up to the one that is asked about.
pub(crate) fn run(ctx: &Ctx, args: &Why) -> miette::Result<ExitCode> {
    let records = Records::default();
    let ctx = Ctx { dry_run: Some(records.clone()), ..ctx.clone() };
    let board = Boards::new(&ctx).load(&args.board.board)?;
    let last = args.stage.unwrap_or(StageName::Image);
    let would = match pipeline::build_until(&ctx, &board, args.board.flavor, last) {
        Ok(_) => None,
        Err(report) => Some(report.downcast::<WouldRun>()?),
    };
    let records = records.lock().expect("nothing panics with it");
    let answers = answers(&records, would.as_ref(), args.stage);
    match args.json {
        true => println!("{}", serde_json::to_string_pretty(&answers).expect("plain data")),
        false => answers.iter().for_each(tell),
    }
    Ok(ExitCode::SUCCESS)
}

/// The answer for one stage, or for all as far as they are known.
fn answers(records: &[(String, Stamp)], would: Option<&WouldRun>, asked: Option<StageName>) -> Vec<Answer> {
    let fresh = records.iter().map(|(stage, stamp)| Answer {
        stage: stage.clone(),
        up_to_date: true,
        reason: stamp.reason.clone(),
        took_ms: Some(stamp.took_ms),
    });
    let stale = would.map(|would| {
        let stage = asked.map_or(would.stage.clone(), |asked| asked.name().to_owned());
        let reason = match stage == would.stage {
            true => would.reason.to_string(),
            false => format!("{} runs first, because {}", would.stage, would.reason),
        };
        Answer { stage, up_to_date: false, reason, took_ms: None }
    });
    let wanted = |answer: &Answer| asked.is_none_or(|asked| asked.name() == answer.stage);
    fresh.chain(stale).filter(wanted).collect()
}

fn tell(answer: &Answer) {
    let Answer { stage, reason, .. } = answer;
    match answer.took_ms {
        None => println!("{stage:>9}: would run, because {reason}"),
        Some(ms) => {
            let seconds = ms as f64 / 1000.0;
            println!("{stage:>9}: up to date; last ran for {seconds:.1} s, because {reason}");
        }
    }
}
