//! JSON merge patches (RFC 7386).

use serde_json::{Value, json};

/// Applies a patch.
pub(crate) fn merge(target: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = json!({});
    }
    for (key, value) in patch {
        match value {
            Value::Null => {
                if let Some(object) = target.as_object_mut() {
                    object.remove(key);
                }
            }
            value => merge(&mut target[key], value),
        }
    }
}

/// The patch that makes `to` of `from`. A patch cannot give a null, and an object of the cluster has none.
pub(crate) fn difference(from: &Value, to: &Value) -> Value {
    let (Value::Object(before), Value::Object(after)) = (from, to) else { return to.clone() };
    let gone = before.keys().filter(|key| !after.contains_key(*key)).map(|key| (key.clone(), Value::Null));
    let changed = after.iter().filter_map(|(key, value)| match before.get(key) {
        Some(same) if same == value => None,
        Some(other) => Some((key.clone(), difference(other, value))),
        None => Some((key.clone(), value.clone())),
    });
    gone.chain(changed).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_leads_there_and_back() {
        let states = [
            json!({}),
            json!({ "a": 1, "b": { "c": [1, 2], "d": {} } }),
            json!({ "a": { "x": 1 }, "b": { "c": [2], "e": false } }),
            json!({ "a": 1, "b": 2, "f": { "g": { "h": "i" } } }),
            json!({ "a": 1, "b": { "c": [1, 2], "d": { "k": [{ "deep": true }] } } }),
        ];
        for from in &states {
            for to in &states {
                let mut target = from.clone();
                merge(&mut target, &difference(from, to));
                assert_eq!(&target, to, "from {from}");
            }
            assert_eq!(difference(from, from), json!({}));
        }
        let (from, to) = (json!({ "a": { "x": 1, "y": [1] }, "b": 1 }), json!({ "a": { "x": 2, "y": [1] } }));
        assert_eq!(difference(&from, &to), json!({ "a": { "x": 2 }, "b": null }), "what stays is not named");
    }
}
