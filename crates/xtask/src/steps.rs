//! Steps with their time, and the table of them at the end.

use std::time::{Duration, Instant};

/// The steps of one command so far.
#[derive(Default)]
pub(crate) struct Steps {
    done: Vec<(String, Duration, bool)>,
}

impl Steps {
    /// Runs one step.
    pub(crate) fn step<T>(
        &mut self,
        name: &str,
        work: impl FnOnce() -> anyhow::Result<T>,
    ) -> anyhow::Result<T> {
        println!("\n── {name}");
        let started = Instant::now();
        let outcome = work();
        self.done.push((name.to_owned(), started.elapsed(), outcome.is_ok()));
        outcome.map_err(|error| error.context(format!("step \"{name}\"")))
    }
}

impl Drop for Steps {
    /// The table appears whether the last step succeeded or not.
    fn drop(&mut self) {
        println!("\n{}", table(&self.done));
    }
}

fn table(done: &[(String, Duration, bool)]) -> String {
    let width = done.iter().map(|(name, ..)| name.chars().count()).max().unwrap_or(0).max(5);
    let mut text = format!("{:width$}   minutes\n", "step");
    for (name, time, ok) in done {
        let mark = if *ok { "" } else { "   failed" };
        text.push_str(&format!("{name:width$}  {:8.1}{mark}\n", time.as_secs_f64() / 60.0));
    }
    let all: Duration = done.iter().map(|(_, time, _)| *time).sum();
    text.push_str(&format!("{:width$}  {:8.1}", "total", all.as_secs_f64() / 60.0));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_names_each_step_its_minutes_and_the_one_that_failed() {
        let done = [
            ("build".to_owned(), Duration::from_secs(90), true),
            ("tests".to_owned(), Duration::from_secs(30), false),
        ];
        assert_eq!(
            table(&done),
            "step    minutes\nbuild       1.5\ntests       0.5   failed\ntotal       2.0"
        );
    }
}
