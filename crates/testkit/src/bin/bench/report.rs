//! Figures, and the table they are shown in.

use serde::Serialize;
use std::time::Duration;

/// All figures of a run.
#[derive(Default, Serialize)]
pub(crate) struct Report {
    rows: Vec<Row>,
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

impl Report {
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
        self.rows.push(Row {
            aim,
            what: what.to_owned(),
            unit,
            ours,
            peer: Some(Peer { name, figures, ratio }),
            goal,
        });
    }

    /// Notes figures that stand alone.
    pub(crate) fn alone(
        &mut self,
        (aim, what): (&'static str, &str),
        unit: &'static str,
        ours: &[f64],
        goal: &'static str,
    ) {
        self.rows.push(Row { aim, what: what.to_owned(), unit, ours: Spread::of(ours), peer: None, goal });
    }

    /// Prints the table.
    #[expect(clippy::print_stdout, reason = "the table is what the command is for")]
    pub(crate) fn print(&self) {
        println!(
            "{:<4} {:<42} {:>27}  {:<34} aim",
            "", "", "ours min / median / max", "peer, ratio min / median / max"
        );
        for row in &self.rows {
            let Spread { min, median, max } = row.ours;
            let ours = format!("{min:.2} / {median:.2} / {max:.2} {}", row.unit);
            let peer = row.peer.as_ref().map_or(String::new(), |peer| {
                let Spread { min, median, max } = peer.ratio;
                format!("{} {:.2}: {min:.2} / {median:.2} / {max:.2}", peer.name, peer.figures.median)
            });
            println!("{:<4} {:<42} {ours:>27}  {peer:<34} {}", row.aim, row.what, row.goal);
        }
    }
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
