//! Refuses limits and prices that mean nothing.

use crate::fleet::SettingsError;
use aicockpit_protocol::broker::BrokerSettings;
use aicockpit_protocol::usage::{Budget, KeyLimits};

/// Refuses limits and prices that mean nothing.
///
/// # Errors
/// [`SettingsError::Value`], with the setting's name.
pub(crate) fn check(settings: &BrokerSettings) -> Result<(), SettingsError> {
    limits("limits.each", &settings.limits.each)?;
    limits("limits.all", &settings.limits.all)?;
    for (owner, of) in &settings.limits.of {
        limits(&format!("limits.of.{owner}"), of)?;
    }
    for (at, price) in settings.prices.iter().enumerate() {
        let name = |field: &str| format!("prices[{at}].{field}");
        for (field, text) in [("backend", &price.backend), ("model", &price.model)] {
            if text.is_empty() {
                return wrong(name(field), "must not be empty; `*` stands for any");
            }
        }
        let amounts = [
            ("input", Some(price.input)),
            ("output", Some(price.output)),
            ("cached_input", price.cached_input),
        ];
        for (field, amount) in amounts {
            if amount.is_some_and(|amount| !amount.is_finite() || amount < 0.0) {
                return wrong(name(field), "must be a number from 0");
            }
        }
    }
    let currency = &settings.currency;
    if currency.len() != 3 || !currency.bytes().all(|byte| byte.is_ascii_uppercase()) {
        return wrong("currency".to_owned(), "must be three capital letters, for instance EUR");
    }
    for backend in &settings.backends {
        if backend.max_parallel == Some(0) {
            let setting = format!("max_parallel of the backend {}", backend.name);
            return wrong(setting, "must be 1 at least; leave it out for no limit");
        }
    }
    Ok(())
}

fn limits(at: &str, limits: &KeyLimits) -> Result<(), SettingsError> {
    let counts = [
        ("requests_per_minute", limits.requests_per_minute),
        ("tokens_per_minute", limits.tokens_per_minute),
        ("parallel", limits.parallel),
    ];
    for (field, count) in counts {
        if count == Some(0) {
            return wrong(format!("{at}.{field}"), "must be 1 at least; leave it out for no limit");
        }
    }
    budget(&format!("{at}.day"), &limits.day)?;
    budget(&format!("{at}.month"), &limits.month)
}

fn budget(at: &str, budget: &Budget) -> Result<(), SettingsError> {
    if budget.tokens == Some(0) {
        return wrong(format!("{at}.tokens"), "must be 1 at least; leave it out for no limit");
    }
    if budget.cost.is_some_and(|cost| !cost.is_finite() || cost <= 0.0) {
        return wrong(format!("{at}.cost"), "must be more than 0; leave it out for no limit");
    }
    Ok(())
}

fn wrong<T>(setting: String, why: &'static str) -> Result<T, SettingsError> {
    Err(SettingsError::Value { setting, why })
}

#[cfg(test)]
mod tests {
    use super::*;
    use aicockpit_protocol::usage::Price;

    #[test]
    fn what_means_nothing_is_refused_by_its_name() {
        let price = || Price {
            backend: "*".to_owned(),
            model: "*".to_owned(),
            input: 1.0,
            output: 1.0,
            cached_input: None,
        };
        type Change = Box<dyn Fn(&mut BrokerSettings)>;
        let with = |price: Price| -> Change { Box::new(move |settings| settings.prices.push(price.clone())) };
        let cases: Vec<(Change, &str)> = vec![
            (Box::new(|settings| settings.currency = String::new()), "currency"),
            (Box::new(|settings| settings.currency = "euro".to_owned()), "currency"),
            (Box::new(|settings| settings.limits.each.parallel = Some(0)), "limits.each.parallel"),
            (
                Box::new(|settings| settings.limits.all.requests_per_minute = Some(0)),
                "limits.all.requests_per_minute",
            ),
            (
                Box::new(|settings| {
                    settings.limits.of.entry("ws".to_owned()).or_default().tokens_per_minute = Some(0);
                }),
                "limits.of.ws.tokens_per_minute",
            ),
            (Box::new(|settings| settings.limits.each.day.tokens = Some(0)), "limits.each.day.tokens"),
            (Box::new(|settings| settings.limits.each.month.cost = Some(-1.0)), "limits.each.month.cost"),
            (Box::new(|settings| settings.limits.each.month.cost = Some(f64::NAN)), "limits.each.month.cost"),
            (with(Price { input: -0.1, ..price() }), "prices[0].input"),
            (with(Price { output: f64::INFINITY, ..price() }), "prices[0].output"),
            (with(Price { cached_input: Some(f64::NAN), ..price() }), "prices[0].cached_input"),
            (with(Price { model: String::new(), ..price() }), "prices[0].model"),
        ];
        for (change, name) in cases {
            let mut settings = BrokerSettings::default();
            assert_eq!(check(&settings), Ok(()));
            change(&mut settings);
            let said = check(&settings).expect_err(name).to_string();
            assert!(said.starts_with(&format!("`{name}` must ")), "{said}");
        }
    }
}
