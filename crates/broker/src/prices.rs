//! What a request costs, by the prices of the settings.

use crate::flight::Usage;
use aicockpit_protocol::broker::BackendSettings;
use aicockpit_protocol::usage::Price;
use std::sync::Arc;

/// Tokens that a price is for.
const PRICED: f64 = 1e6;

/// The prices, in the order in which they are looked at.
#[derive(Debug)]
pub(crate) struct Prices {
    all: Vec<Price>,
    currency: Arc<str>,
}

/// What a model on a server costs.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub(crate) struct Rate {
    input: f64,
    output: f64,
    cached_input: f64,
}

impl Prices {
    pub(crate) fn new(all: Vec<Price>, currency: &str) -> Self {
        Self { all, currency: currency.into() }
    }

    pub(crate) fn currency(&self) -> &Arc<str> {
        &self.currency
    }

    /// The first that fits; nothing where none does.
    pub(crate) fn of(&self, backend: &BackendSettings, model: &str) -> Rate {
        let fits = |price: &&Price| {
            let is_there =
                price.backend == "*" || price.backend == backend.id || price.backend == backend.name;
            is_there
                && match price.model.strip_suffix('*') {
                    Some(start) => model.starts_with(start),
                    None => price.model == model,
                }
        };
        self.all.iter().find(fits).map_or_else(Rate::default, |price| Rate {
            input: price.input,
            output: price.output,
            cached_input: price.cached_input.unwrap_or(price.input),
        })
    }
}

impl Rate {
    /// What these tokens cost.
    pub(crate) fn cost(self, usage: Usage) -> f64 {
        let cached = usage.cached_tokens.min(usage.input_tokens);
        let fresh = usage.input_tokens - cached;
        (fresh as f64 * self.input
            + cached as f64 * self.cached_input
            + usage.output_tokens as f64 * self.output)
            / PRICED
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn backend() -> BackendSettings {
        serde_json::from_str(r#"{"id":"b-1","name":"cloud","url":"https://a.example/v1"}"#).expect("settings")
    }

    fn price(backend: &str, model: &str, input: f64) -> Price {
        Price {
            backend: backend.to_owned(),
            model: model.to_owned(),
            input,
            output: 2.0 * input,
            cached_input: None,
        }
    }

    #[test]
    fn the_first_price_that_fits_counts() {
        let prices = Prices::new(
            vec![
                price("other", "*", 9.0),
                price("cloud", "gpt-mini", 1.0),
                price("b-1", "gpt-*", 2.0),
                price("*", "gpt-5", 3.0),
                price("*", "local*", 4.0),
            ],
            "EUR",
        );
        let input = |model: &str| prices.of(&backend(), model).input;
        assert_eq!(input("gpt-mini"), 1.0);
        assert_eq!(input("gpt-5"), 2.0, "the id fits too, and an earlier entry wins");
        assert_eq!(input("gpt-"), 2.0, "a star stands for nothing as well");
        assert_eq!(input("local-7b"), 4.0);
        assert_eq!(input("gpt"), 0.0);
        assert_eq!(Prices::new(Vec::new(), "EUR").of(&backend(), "gpt-5"), Rate::default());
    }

    #[test]
    fn cached_tokens_have_a_price_of_their_own() {
        let usage = Usage { input_tokens: 1_000_000, output_tokens: 500_000, cached_tokens: 400_000 };
        let plain = Prices::new(vec![price("*", "*", 3.0)], "EUR").of(&backend(), "m");
        assert_eq!(plain.cost(usage), 3.0 + 3.0);
        let cheap = Prices::new(vec![Price { cached_input: Some(0.5), ..price("*", "*", 3.0) }], "EUR")
            .of(&backend(), "m");
        assert!((cheap.cost(usage) - (0.6 * 3.0 + 0.4 * 0.5 + 3.0)).abs() < 1e-12);
        assert_eq!(Rate::default().cost(usage), 0.0);
    }
}
