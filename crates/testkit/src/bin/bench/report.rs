//! Figures, and the table they are shown in.

use serde::Serialize;
use std::time::Duration;

/// All figures of a run. Each row is printed when it is noted.
#[derive(Serialize)]
pub(crate) struct Report {
    machine: String,
    /// Load average of one minute when the run began and ended: figures of a busy machine are to be taken again.
    load: [f64; 2],
    rows: Vec<Row>,
    growth: Vec<Growth>,
    /// What was not measured, and why.
    notes: Vec<Note>,
    #[serde(skip)]
    headed: bool,
}

#[derive(Serialize)]
struct Row {
    aim: &'static str,
    what: String,
    unit: &'static str,
    ours: Spread,
    peer: Option<Peer>,
    goal: &'static str,
}

#[derive(Serialize)]
struct Peer {
    name: &'static str,
    figures: Spread,
    /// Ours divided by the peer's: of the medians, and the smallest and largest of the pairs.
    ratio: Spread,
}

/// How a figure grows with the work.
#[derive(Serialize)]
struct Growth {
    aim: &'static str,
    what: String,
    unit: &'static str,
    /// Size of the work, and the figure.
    points: Vec<(f64, f64)>,
    /// Of the power law that fits best: 1 is linear, 0 constant.
    exponent: f64,
}

#[derive(Serialize)]
struct Note {
    aim: &'static str,
    text: String,
}

#[derive(Clone, Copy, Serialize)]
struct Spread {
    min: f64,
    median: f64,
    max: f64,
}

impl Spread {
    fn of(values: &[f64]) -> Self {
        let mut sorted = values.to_vec();
        sorted.sort_by(f64::total_cmp);
        let at = |index: usize| sorted.get(index).copied().unwrap_or(f64::NAN);
        Self { min: at(0), median: at(sorted.len() / 2), max: at(sorted.len().saturating_sub(1)) }
    }
}

impl std::fmt::Display for Spread {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} / {} / {}", short(self.min), short(self.median), short(self.max))
    }
}

#[expect(clippy::print_stdout, reason = "the table is what the command is for")]
impl Report {
    pub(crate) fn begin(machine: String) -> Self {
        let load = load_average();
        println!("{machine}; load average {load:.2}");
        Self { machine, load: [load, load], rows: vec![], growth: vec![], notes: vec![], headed: false }
    }

    /// Notes figures measured in pairs with a peer's.
    pub(crate) fn pair(
        &mut self,
        (aim, what): (&'static str, &str),
        unit: &'static str,
        ours: &[f64],
        (name, theirs): (&'static str, &[f64]),
        goal: &'static str,
    ) {
        let ratios: Vec<f64> = ours.iter().zip(theirs).map(|(ours, theirs)| ours / theirs).collect();
        let (ours, figures) = (Spread::of(ours), Spread::of(theirs));
        let ratio = Spread { median: ours.median / figures.median, ..Spread::of(&ratios) };
        let peer = Some(Peer { name, figures, ratio });
        self.row(Row { aim, what: what.to_owned(), unit, ours, peer, goal });
    }

    /// Notes figures that stand alone.
    pub(crate) fn alone(
        &mut self,
        (aim, what): (&'static str, &str),
        unit: &'static str,
        ours: &[f64],
        goal: &'static str,
    ) {
        self.row(Row { aim, what: what.to_owned(), unit, ours: Spread::of(ours), peer: None, goal });
    }

    /// Notes how a figure grows: pairs of a size and the figure at that size.
    pub(crate) fn growth(
        &mut self,
        (aim, what): (&'static str, &str),
        unit: &'static str,
        points: &[(f64, f64)],
    ) {
        let exponent = exponent(points);
        let shown: Vec<_> =
            points.iter().map(|(size, figure)| format!("{size:.0}: {}", short(*figure))).collect();
        println!("{aim:<4} growth of {what} ({unit}): {}; exponent {exponent:.2}", shown.join(", "));
        self.growth.push(Growth { aim, what: what.to_owned(), unit, points: points.to_vec(), exponent });
    }

    /// Notes what the figures do not show.
    pub(crate) fn note(&mut self, aim: &'static str, text: impl Into<String>) {
        let text = text.into();
        println!("{aim:<4} note: {text}");
        self.notes.push(Note { aim, text });
    }

    pub(crate) fn end(&mut self) {
        self.load[1] = load_average();
        println!("load average {:.2} at the begin, {:.2} at the end", self.load[0], self.load[1]);
    }

    fn row(&mut self, row: Row) {
        if !self.headed {
            let (ours, peer) = ("ours: min / median / max", "peer: median; ratio: of medians (min – max)");
            println!("{:<4} {:<44} {ours:<36} {peer:<62} aim", "", "");
            self.headed = true;
        }
        let ours = format!("{} {}", row.ours, row.unit);
        let peer = row.peer.as_ref().map_or(String::new(), |peer| {
            let Spread { min, median, max } = peer.ratio;
            let [min, median, max] = [min, median, max].map(short);
            format!("{} {}; {median} ({min} – {max})", peer.name, short(peer.figures.median))
        });
        println!("{:<4} {:<44} {ours:<36} {peer:<62} {}", row.aim, row.what, row.goal);
        self.rows.push(row);
    }
}

/// Three significant digits, as few characters as that takes.
fn short(value: f64) -> String {
    match value.abs() {
        size if size >= 100.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        size if size >= 1.0 => format!("{value:.2}"),
        _ => format!("{value:.3}"),
    }
}

/// The slope of the straight line through the logarithms.
fn exponent(points: &[(f64, f64)]) -> f64 {
    let logs: Vec<(f64, f64)> =
        points.iter().filter(|(_, figure)| *figure > 0.0).map(|(x, y)| (x.ln(), y.ln())).collect();
    let count = logs.len() as f64;
    let mean = |of: fn(&(f64, f64)) -> f64| logs.iter().map(of).sum::<f64>() / count;
    let (mean_x, mean_y) = (mean(|point| point.0), mean(|point| point.1));
    let covariance: f64 = logs.iter().map(|(x, y)| (x - mean_x) * (y - mean_y)).sum();
    let variance: f64 = logs.iter().map(|(x, _)| (x - mean_x).powi(2)).sum();
    covariance / variance
}

fn load_average() -> f64 {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').next().and_then(|first| first.parse().ok()).unwrap_or(f64::NAN)
}

/// Milliseconds of a duration.
pub(crate) fn ms(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

/// The value below which `share` (0 to 1) of the values lie.
pub(crate) fn percentile(values: &[f64], share: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "an index within the sorted values"
    )]
    let index = (share * (sorted.len().saturating_sub(1)) as f64).round() as usize;
    sorted.get(index).copied().unwrap_or(f64::NAN)
}

pub(crate) fn median(values: &[f64]) -> f64 {
    Spread::of(values).median
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_exponent_is_that_of_the_power() {
        for wanted in [0.0, 1.0, 2.0] {
            let points = [1.0_f64, 10.0, 100.0].map(|size| (size, 3.0 * size.powf(wanted)));
            assert!((exponent(&points) - wanted).abs() < 1e-9, "{wanted}");
        }
    }

    #[test]
    fn percentiles_are_values_that_were_measured() {
        let values: Vec<f64> = (1..=100).rev().map(f64::from).collect();
        assert_eq!([0.0, 0.5, 0.99, 1.0].map(|share| percentile(&values, share)), [1.0, 51.0, 99.0, 100.0]);
    }
}
