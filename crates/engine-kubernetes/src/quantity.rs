//! Quantities of Kubernetes.

/// A quantity of Kubernetes (`250m`, `12Mi`, `3e6`), times `scale`, rounded down.
pub(crate) fn quantity(text: &str, scale: f64) -> Option<u64> {
    const SUFFIXES: &[(&str, f64)] = &[
        ("Ki", 1024.0),
        ("Mi", 1_048_576.0),
        ("Gi", 1_073_741_824.0),
        ("Ti", 1_099_511_627_776.0),
        ("n", 1e-9),
        ("u", 1e-6),
        ("m", 1e-3),
        ("k", 1e3),
        ("M", 1e6),
        ("G", 1e9),
        ("T", 1e12),
    ];
    let found = SUFFIXES.iter().find_map(|(suffix, factor)| Some((text.strip_suffix(suffix)?, *factor)));
    let (number, factor) = found.unwrap_or((text, 1.0));
    let value = number.parse::<f64>().ok()? * factor * scale;
    (value.is_finite() && (0.0..1e19).contains(&value)).then_some((value + 1e-6) as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_are_read() {
        for (text, scale, value) in [
            ("12Ki", 1.0, 12_288),
            ("250m", 1e9, 250_000_000),
            ("1", 1e9, 1_000_000_000),
            ("1500n", 1e9, 1500),
            ("3e6", 1.0, 3_000_000),
            ("2G", 1.0, 2_000_000_000),
        ] {
            assert_eq!(quantity(text, scale), Some(value), "{text}");
        }
        for text in ["", "Mi", "-1", "x", "inf", "1e300"] {
            assert_eq!(quantity(text, 1.0), None, "{text}");
        }
    }
}
