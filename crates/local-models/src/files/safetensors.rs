//! A folder of safetensors as on Hugging Face: heads of its files, and `config.json`.
//!
//! Format: the `safetensors` README. The crate of that name wants the whole file in memory, or mapped; here the head is
//! read as a stream.

use super::model::{Attention, Facts, every_other};
use super::{HeadError, chat, open};
use aicockpit_protocol::local_models::ChatTemplate;
use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::Value;
use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::io::{BufReader, Read};
use std::path::Path;

/// The format's own limit for a head.
const MAX_HEAD: u64 = 100_000_000;
/// Most bytes of `config.json` and of the list of parts.
const MAX_JSON: u64 = 32 << 20;
const MAX_TYPES: usize = 64;

/// The head of one file.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Head {
    /// Numbers by the name of their type.
    numbers: BTreeMap<String, u64>,
    end: u64,
    bytes: u64,
}

#[derive(Deserialize)]
struct Tensor {
    dtype: String,
    shape: Vec<u64>,
    data_offsets: (u64, u64),
}

impl<'de> Deserialize<'de> for Head {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Entries;
        impl<'de> Visitor<'de> for Entries {
            type Value = Head;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("tensors by name")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Head, A::Error> {
                let mut head = Head::default();
                while let Some(name) = map.next_key::<String>()? {
                    if name == "__metadata__" {
                        map.next_value::<IgnoredAny>()?;
                        continue;
                    }
                    let Tensor { dtype, shape, data_offsets } = map.next_value()?;
                    let count = shape.iter().fold(1u64, |product, length| product.saturating_mul(*length));
                    if head.numbers.len() < MAX_TYPES || head.numbers.contains_key(&dtype) {
                        let sum = head.numbers.entry(dtype).or_default();
                        *sum = sum.saturating_add(count);
                    }
                    head.end = head.end.max(data_offsets.1);
                }
                Ok(head)
            }
        }
        deserializer.deserialize_map(Entries)
    }
}

/// Reads the head of a file.
pub(crate) fn read(path: &Path) -> Result<Head, HeadError> {
    let (file, size) = open(path)?;
    parse(file, size)
}

/// Reads a head of a file of `size` bytes.
pub(crate) fn parse(mut file: impl Read, size: u64) -> Result<Head, HeadError> {
    if size < 8 {
        return Err(HeadError::Truncated { has: size, wants: 8 });
    }
    let mut length = [0; 8];
    file.read_exact(&mut length)?;
    let length = u64::from_le_bytes(length);
    if length > MAX_HEAD {
        return Err(HeadError::NotOfThisKind("safetensors"));
    }
    if length + 8 > size {
        return Err(HeadError::Truncated { has: size, wants: length + 8 });
    }
    let mut head: Head = serde_json::from_reader(BufReader::new(file.take(length)))
        .map_err(|error| HeadError::broken(error.to_string()))?;
    let wants = head.end.saturating_add(length + 8);
    if wants > size {
        return Err(HeadError::Truncated { has: size, wants });
    }
    head.bytes = size;
    Ok(head)
}

/// What has chat templates among other things: `tokenizer_config.json`, `chat_template.json`.
#[derive(Deserialize)]
struct Tokenizer {
    #[serde(default)]
    chat_template: Option<Templates>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Templates {
    One(String),
    /// Several, each for a way of use.
    Named(Vec<Named>),
}

#[derive(Deserialize)]
struct Named {
    template: String,
}

/// Reads what the chat templates of a JSON file provide for; `None` where it has none.
pub(crate) fn read_chat(path: &Path) -> Result<Option<ChatTemplate>, HeadError> {
    let Tokenizer { chat_template } = read_json(path)?;
    Ok(match chat_template {
        None => None,
        Some(Templates::One(template)) => Some(chat::of(&template)),
        Some(Templates::Named(named)) => {
            named.iter().fold(None, |all, one| chat::both(all, Some(chat::of(&one.template))))
        }
    })
}

/// Reads a JSON file that is not larger than such files are.
pub(crate) fn read_json<T: for<'de> Deserialize<'de>>(path: &Path) -> Result<T, HeadError> {
    let (file, size) = open(path)?;
    if size > MAX_JSON {
        return Err(HeadError::broken(format!("it has {size} bytes")));
    }
    serde_json::from_reader(BufReader::new(file.take(MAX_JSON)))
        .map_err(|error| HeadError::broken(error.to_string()))
}

/// Parts that the folder's list names and that are not among `there`.
pub(crate) fn missing(index: &Value, there: &HashSet<String>) -> Vec<String> {
    let named = index.get("weight_map").and_then(Value::as_object).into_iter().flatten();
    let files: HashSet<&str> = named.filter_map(|(_, file)| file.as_str()).collect();
    let mut missing: Vec<_> =
        files.into_iter().filter(|file| !there.contains(*file)).map(str::to_owned).collect();
    missing.sort();
    missing
}

/// What the folder tells.
pub(crate) fn facts(config: &Value, heads: &[Head]) -> Facts {
    // Models that also see keep the numbers of their language part apart.
    let text = ["text_config", "llm_config", "language_config"]
        .iter()
        .find_map(|key| config.get(key))
        .filter(|inner| inner.get("num_hidden_layers").is_some())
        .unwrap_or(config);
    let number = |keys: &[&str]| keys.iter().find_map(|key| text.get(key).and_then(Value::as_u64));
    let small = |keys: &[&str]| number(keys).and_then(|number| u32::try_from(number).ok());
    let word = |at: &Value, key: &str| at.get(key).and_then(Value::as_str).map(str::to_owned);
    let embedding = number(&["hidden_size", "n_embd", "d_model"]).unwrap_or(0);
    let attention = Attention {
        layers: small(&["num_hidden_layers", "n_layer", "num_layers"]).unwrap_or(0),
        embedding,
        heads: number(&["num_attention_heads", "n_head"]).unwrap_or(0),
        kv_heads: number(&["num_key_value_heads", "multi_query_group_num"]).into_iter().collect(),
        key_length: number(&["head_dim"]),
        value_length: number(&["head_dim"]),
    };
    Facts {
        architecture: word(config, "model_type"),
        name: None,
        parameters: Some(parameters(config, heads)),
        quantization: quantization(config, heads),
        context_length: small(&["max_position_embeddings", "n_positions", "seq_length", "max_seq_len"]),
        weights_bytes: heads.iter().fold(0u64, |sum, head| sum.saturating_add(head.bytes)),
        embedding,
        vocabulary: number(&["vocab_size"]).unwrap_or(0),
        chat: None,
        layers: attention.layers(windows(text)),
    }
}

fn windows(config: &Value) -> impl Fn(u32) -> Option<u32> + use<> {
    let number = |key: &str| {
        config
            .get(key)
            .and_then(Value::as_u64)
            .and_then(|number| u32::try_from(number).ok())
            .filter(|n| *n > 0)
    };
    let switched_off = config.get("use_sliding_window").and_then(Value::as_bool) == Some(false);
    let window = number("sliding_window").filter(|_| !switched_off);
    let period = number("sliding_window_pattern").unwrap_or(1);
    let types: Option<Vec<bool>> = config.get("layer_types").and_then(Value::as_array).map(|types| {
        types.iter().map(|kind| kind.as_str().is_some_and(|kind| kind == "sliding_attention")).collect()
    });
    move |layer| {
        let window = window?;
        match &types {
            Some(types) => {
                let slides = usize::try_from(layer).ok().and_then(|layer| types.get(layer));
                (slides == Some(&true)).then_some(window)
            }
            None => every_other(period, window)(layer),
        }
    }
}

/// Packed weights count as what they hold.
fn parameters(config: &Value, heads: &[Head]) -> u64 {
    let quantized = config.get("quantization_config");
    let bits = quantized
        .and_then(|one| one.get("bits").or_else(|| one.get("w_bit")))
        .and_then(Value::as_u64)
        .filter(|bits| (1..=8).contains(bits));
    let four = quantized.and_then(|one| one.get("load_in_4bit")).and_then(Value::as_bool) == Some(true);
    let in_one = |dtype: &str| match dtype {
        "I32" | "U32" => bits.map_or(1, |bits| 32 / bits),
        "U8" if four => 2,
        _ => 1,
    };
    let numbers = heads.iter().flat_map(|head| &head.numbers);
    numbers.fold(0u64, |sum, (dtype, count)| sum.saturating_add(count.saturating_mul(in_one(dtype))))
}

fn quantization(config: &Value, heads: &[Head]) -> Option<String> {
    let method = config.get("quantization_config").and_then(|one| one.get("quant_method"));
    if let Some(method) = method.and_then(Value::as_str) {
        return Some(method.to_uppercase());
    }
    let mut sums: BTreeMap<&str, u64> = BTreeMap::new();
    for (dtype, count) in heads.iter().flat_map(|head| &head.numbers) {
        let sum = sums.entry(dtype).or_default();
        *sum = sum.saturating_add(*count);
    }
    let most = sums.into_iter().max_by_key(|(_, count)| *count).map(|(dtype, _)| dtype.to_owned());
    let told = ["torch_dtype", "dtype"].iter().find_map(|key| config.get(key)).and_then(Value::as_str);
    most.or_else(|| match told? {
        "bfloat16" => Some("BF16".to_owned()),
        "float16" => Some("F16".to_owned()),
        "float32" => Some("F32".to_owned()),
        _ => None,
    })
}

#[cfg(test)]
#[path = "safetensors_tests.rs"]
mod tests;
