//! The result of a window as a document.
//!
//! Owns: [`Documents`].
//! Promises: one JSON object a line, in ECS: `@timestamp` is the end of the window, the fields of the group stand under their own
//! names, the results under `logweir.metrics`; counts are whole numbers and everything else has a fraction, so that a store
//! that guesses types guesses the same each time; what cannot be told, such as the mean of nothing, is left out.
//! Never: sends one.

use super::column::Cell;
use super::function::Formula;
use super::rows::Rows;
use super::samples::GROUP_END;
use crate::time::{SECOND, TimeText};
use crate::window::{Window, Windows};

/// Writes documents of one aggregate.
#[derive(Clone, Debug)]
pub(super) struct Documents {
    /// What stands before the times: nothing depends on the window.
    head: Vec<u8>,
    /// `,"name":` of each field of the group.
    group: Vec<Vec<u8>>,
    /// `,"logweir.metrics.name":` of each result.
    results: Vec<(Vec<u8>, Formula)>,
    /// Seconds of a window, for rates; `None` when each has a length of its own.
    seconds: Option<f64>,
}

/// What a result came to.
#[derive(Debug)]
enum Result<'a> {
    Whole(u64),
    Number(f64),
    Json(&'a [u8]),
    Top(&'a super::top::Top, usize),
}

impl Documents {
    pub(super) fn new(
        name: &str,
        windows: &Windows,
        group: &[String],
        results: Vec<(&str, Formula)>,
    ) -> Self {
        let kind = match windows {
            Windows::Grid(grid) if grid.is_tumbling() => "tumbling",
            Windows::Grid(_) => "hopping",
            Windows::Session { .. } => "session",
        };
        let head = format!(
            ",\"event.kind\":\"metric\",\"event.dataset\":\"logweir.aggregate\",\"logweir.aggregate.name\":{},\"logweir.window.type\":\"{kind}\"",
            text(name)
        );
        #[allow(clippy::cast_precision_loss)] // windows are far shorter than 2⁵³ ns, or it does not matter
        let seconds = match windows {
            Windows::Grid(grid) => Some(grid.size() as f64 / SECOND as f64),
            Windows::Session { .. } => None,
        };
        let label = |name: &str| format!(",{}:", text(name)).into_bytes();
        Self {
            head: head.into_bytes(),
            group: group.iter().map(|name| label(name)).collect(),
            results: results
                .into_iter()
                .map(|(name, formula)| (label(&format!("logweir.metrics.{name}")), formula))
                .collect(),
            seconds,
        }
    }

    /// Appends the document of a group in a window, without a line end.
    pub(super) fn write(
        &self,
        window: Window,
        rows: &Rows,
        row: usize,
        time: &mut TimeText,
        out: &mut Vec<u8>,
    ) {
        out.extend_from_slice(b"{\"@timestamp\":\"");
        let end = out.len();
        out.extend_from_slice(time.render(window.end));
        let end = end..out.len();
        out.push(b'"');
        out.extend_from_slice(&self.head);
        out.extend_from_slice(b",\"logweir.window.start\":\"");
        out.extend_from_slice(time.render(window.start));
        out.extend_from_slice(b"\",\"logweir.window.end\":\"");
        out.extend_from_within(end);
        out.push(b'"');
        let values = rows.group(row).split(|byte| *byte == GROUP_END);
        for (label, value) in self.group.iter().zip(values) {
            out.extend_from_slice(label);
            out.extend_from_slice(value);
        }
        for (label, formula) in &self.results {
            if let Some(result) = self.result(formula, window, rows, row) {
                out.extend_from_slice(label);
                result.write(out);
            }
        }
        out.push(b'}');
    }

    fn result<'a>(
        &self,
        formula: &Formula,
        window: Window,
        rows: &'a Rows,
        row: usize,
    ) -> Option<Result<'a>> {
        match *formula {
            Formula::Whole(column) | Formula::Number(column) | Formula::Value(column) => {
                match rows.cell(column, row) {
                    Cell::Whole(count) => Some(Result::Whole(count)),
                    Cell::Number(number) => number.map(Result::Number),
                    Cell::Value(json) => json.map(Result::Json),
                    Cell::Percentiles(_) | Cell::Top(_) => None,
                }
            }
            Formula::Mean { sum, count } => Some(Result::Number(quotient(
                number(&rows.cell(sum, row))?,
                number(&rows.cell(count, row))?,
            )?)),
            Formula::Rate(count) => {
                let count = number(&rows.cell(count, row))?;
                Some(Result::Number(quotient(count, self.seconds.unwrap_or_else(|| window.seconds()))?))
            }
            Formula::Percentile { of, percent } => match rows.cell(of, row) {
                Cell::Percentiles(sketch) => sketch.at(percent).map(Result::Number),
                _ => None,
            },
            Formula::Top { of, values } => match rows.cell(of, row) {
                Cell::Top(top) => Some(Result::Top(top, values)),
                _ => None,
            },
            Formula::Ratio { of, to } => {
                let of = self.result(&self.results.get(of)?.1, window, rows, row)?.as_number()?;
                let to = self.result(&self.results.get(to)?.1, window, rows, row)?.as_number()?;
                Some(Result::Number(quotient(of, to)?))
            }
        }
    }
}

fn number(cell: &Cell<'_>) -> Option<f64> {
    match cell {
        #[allow(clippy::cast_precision_loss)] // nobody counts so far
        Cell::Whole(count) => Some(*count as f64),
        Cell::Number(number) => *number,
        _ => None,
    }
}

fn quotient(of: f64, to: f64) -> Option<f64> {
    Some(of / to).filter(|quotient| quotient.is_finite())
}

fn text(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

impl Result<'_> {
    fn as_number(&self) -> Option<f64> {
        match self {
            #[allow(clippy::cast_precision_loss)] // nobody counts so far
            Self::Whole(count) => Some(*count as f64),
            Self::Number(number) => Some(*number),
            Self::Json(_) | Self::Top(..) => None,
        }
    }

    fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::Whole(count) => out.extend_from_slice(itoa::Buffer::new().format(*count).as_bytes()),
            Self::Number(number) => out.extend_from_slice(zmij::Buffer::new().format(*number).as_bytes()),
            Self::Json(json) => out.extend_from_slice(json),
            Self::Top(top, values) => {
                out.push(b'[');
                for (place, (value, count)) in top.first(*values).into_iter().enumerate() {
                    out.extend_from_slice(if place == 0 { b"{\"value\":" } else { b",{\"value\":" });
                    out.extend_from_slice(value);
                    out.extend_from_slice(b",\"count\":");
                    out.extend_from_slice(itoa::Buffer::new().format(count).as_bytes());
                    out.push(b'}');
                }
                out.push(b']');
            }
        }
    }
}
