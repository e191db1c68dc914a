//! The head of a GGUF file: names and numbers about the model, and its list of tensors.
//!
//! Format: ggml's `docs/gguf.md`. Crates that read it load the vocabulary or map the file; here a hostile file costs
//! [`MAX_HEAD`] bytes of reading and next to no memory.

mod types;

use super::model::{Attention, Facts, every_other};
use super::{HeadError, chat};
use aicockpit_protocol::local_models::ChatTemplate;
use std::collections::HashMap;
use std::io::{self, BufRead as _, BufReader, Read, Seek};
use std::path::Path;
use types::{file_type, tensor_type};

/// Most bytes that are read or stepped over. Vocabularies of 260,000 tokens take some 20 MB.
const MAX_HEAD: u64 = 256 << 20;
const MAX_VALUES: u64 = 65_536;
const MAX_TENSORS: u64 = 1 << 20;
/// Longest key, and longest text that is kept.
const MAX_TEXT: u64 = 4096;
/// Most values that are kept, and most numbers of one list.
const MAX_KEPT: usize = 512;
const MAX_LIST: u64 = 4096;
const MAX_DEPTH: u32 = 4;
/// Most templates that are read. Files have one, or one for each way of use.
const MAX_TEMPLATES: u32 = 32;
/// The number of the type of texts.
const TEXT: u32 = 8;
const MAX_DIMENSIONS: u32 = 8;
const ALIGNMENT: u64 = 32;

/// What is kept of the names and numbers, besides all that begins with `general.` or `split.`.
const KEPT: [&str; 11] = [
    ".context_length",
    ".block_count",
    ".embedding_length",
    ".vocab_size",
    ".attention.head_count",
    ".attention.head_count_kv",
    ".attention.key_length",
    ".attention.value_length",
    ".attention.sliding_window",
    ".attention.sliding_window_pattern",
    ".kv_lora_rank",
];

#[derive(Clone, PartialEq, Debug)]
enum Value {
    Number(u64),
    Text(String),
    List(Vec<u64>),
    /// Something of no use here: only that it is there, and how long it is.
    Other(u64),
}

/// The head of one file.
#[derive(Clone, PartialEq, Debug, Default)]
pub(crate) struct Head {
    values: HashMap<String, Value>,
    parameters: u64,
    /// Bytes of tensors by the number of their type.
    types: HashMap<u32, u64>,
    bytes: u64,
    chat: Option<ChatTemplate>,
}

/// Names of files of several parts: what is before `-00001-of-00003.gguf`, which one it is, and of how many.
pub(crate) fn part(name: &str) -> Option<(&str, u32, u32)> {
    let stem = name.strip_suffix(".gguf")?;
    let (rest, count) = stem.rsplit_once("-of-")?;
    let (prefix, number) = rest.rsplit_once('-')?;
    let digits = |text: &str| (text.len() == 5).then(|| text.parse::<u32>().ok()).flatten();
    let (number, count) = (digits(number)?, digits(count)?);
    (number >= 1 && number <= count).then_some((prefix, number, count))
}

/// Reads the head of a file.
pub(crate) fn read(path: &Path) -> Result<Head, HeadError> {
    let (file, size) = super::open(path)?;
    parse(file, size)
}

/// Reads a head of a file of `size` bytes.
pub(crate) fn parse(file: impl Read + Seek, size: u64) -> Result<Head, HeadError> {
    let mut reader = Reader { file: BufReader::with_capacity(1 << 16, file), at: 0, size };
    if size < 4 || reader.bytes::<4>()? != *b"GGUF" {
        return Err(HeadError::NotOfThisKind("GGUF"));
    }
    match reader.u32()? {
        2 | 3 => {}
        other if matches!(other.swap_bytes(), 1..=3) => return Err(HeadError::ByteOrder),
        other => return Err(HeadError::Version(other)),
    }
    let (tensors, values) = (reader.u64()?, reader.u64()?);
    if tensors > MAX_TENSORS || values > MAX_VALUES {
        return Err(HeadError::broken(format!("{tensors} tensors and {values} values")));
    }
    let mut head = Head { bytes: size, ..Head::default() };
    let mut templates = 0;
    for _ in 0..values {
        let key = reader.text()?;
        let kind = reader.u32()?;
        if kind == TEXT && is_template(&key) && templates < MAX_TEMPLATES {
            templates += 1;
            let template = reader.template()?;
            head.chat = chat::both(head.chat, template.as_deref().map(chat::of));
            continue;
        }
        let keep = wanted(&key);
        let value = reader.value(kind, keep, 0)?;
        if keep {
            if head.values.len() >= MAX_KEPT {
                return Err(HeadError::broken("it has too many values"));
            }
            head.values.insert(key, value);
        }
    }
    let mut end = 0u64;
    for _ in 0..tensors {
        end = end.max(head.tensor(&mut reader)?);
    }
    let alignment = head.number("general.alignment").filter(|one| one.is_power_of_two()).unwrap_or(ALIGNMENT);
    let start = reader.at.checked_next_multiple_of(alignment);
    let wants = start.and_then(|start| start.checked_add(end)).unwrap_or(u64::MAX);
    if tensors > 0 && wants > size {
        return Err(HeadError::Truncated { has: size, wants });
    }
    Ok(head)
}

fn wanted(key: &str) -> bool {
    key.starts_with("general.")
        || key.starts_with("split.")
        || key == "tokenizer.ggml.tokens"
        || KEPT.iter().any(|kept| key.ends_with(kept))
}

/// The template of a chat, or one for a way of use: `tokenizer.chat_template.tool_use`.
fn is_template(key: &str) -> bool {
    key.strip_prefix("tokenizer.chat_template").is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

impl Head {
    /// Reads one entry of the list of tensors; returns where its bytes end.
    fn tensor<R: Read + Seek>(&mut self, reader: &mut Reader<R>) -> Result<u64, HeadError> {
        let name = reader.u64()?;
        reader.skip(name)?;
        let dimensions = reader.u32()?;
        if dimensions > MAX_DIMENSIONS {
            return Err(HeadError::broken(format!("a tensor of {dimensions} dimensions")));
        }
        let mut numbers = 1u64;
        for _ in 0..dimensions {
            let length = reader.u64()?;
            numbers = numbers
                .checked_mul(length)
                .ok_or_else(|| HeadError::broken("a tensor is larger than can be"))?;
        }
        let (kind, offset) = (reader.u32()?, reader.u64()?);
        let bytes =
            tensor_type(kind).map_or(0, |(_, block, size)| numbers.div_ceil(block).saturating_mul(size));
        self.parameters = self.parameters.saturating_add(numbers);
        if self.types.len() < MAX_KEPT {
            let sum = self.types.entry(kind).or_default();
            *sum = sum.saturating_add(bytes);
        }
        Ok(offset.saturating_add(bytes))
    }

    fn number(&self, key: &str) -> Option<u64> {
        match self.values.get(key)? {
            Value::Number(number) => Some(*number),
            Value::List(list) => list.iter().max().copied(),
            Value::Text(_) | Value::Other(_) => None,
        }
    }

    fn list(&self, key: &str) -> Vec<u64> {
        match self.values.get(key) {
            Some(Value::Number(number)) => vec![*number],
            Some(Value::List(list)) => list.clone(),
            _ => Vec::new(),
        }
    }

    fn text(&self, key: &str) -> Option<&str> {
        match self.values.get(key)? {
            Value::Text(text) => Some(text.trim()).filter(|text| !text.is_empty()),
            _ => None,
        }
    }

    /// True for what only helps a model: adapters, and what reads pictures for it.
    pub(crate) fn is_helper(&self) -> bool {
        matches!(self.text("general.architecture"), Some("clip"))
            || matches!(self.text("general.type"), Some("mmproj" | "adapter" | "imatrix" | "vocab"))
            || self.parameters == 0
    }

    /// What the file and the other parts of the model tell.
    pub(crate) fn facts(&self, others: &[Self]) -> Facts {
        let architecture = self.text("general.architecture").unwrap_or_default();
        let number = |key: &str| self.number(&format!("{architecture}.{key}"));
        let layers = u32::try_from(number("block_count").unwrap_or(0)).unwrap_or(u32::MAX);
        let embedding = number("embedding_length").unwrap_or(0);
        let attention = Attention {
            layers,
            embedding,
            heads: number("attention.head_count").unwrap_or(0),
            kv_heads: self.list(&format!("{architecture}.attention.head_count_kv")),
            key_length: number("attention.key_length"),
            value_length: number("attention.value_length"),
        };
        let parts = || std::iter::once(self).chain(others);
        let vocabulary = match self.values.get("tokenizer.ggml.tokens") {
            Some(Value::Other(length)) => Some(*length),
            _ => number("vocab_size"),
        };
        Facts {
            architecture: Some(architecture).filter(|text| !text.is_empty()).map(str::to_owned),
            name: self.text("general.name").map(str::to_owned),
            parameters: Some(parts().fold(0u64, |sum, part| sum.saturating_add(part.parameters))),
            quantization: self.quantization(others),
            context_length: number("context_length").and_then(|tokens| u32::try_from(tokens).ok()),
            weights_bytes: parts().fold(0u64, |sum, part| sum.saturating_add(part.bytes)),
            embedding,
            vocabulary: vocabulary.unwrap_or(0),
            chat: parts().fold(None, |chat, part| chat::both(chat, part.chat)),
            layers: attention.layers(self.windows(architecture)),
        }
    }

    /// Which layers forget, as llama.cpp does it: it has no windows for architectures that are not named here.
    fn windows(&self, architecture: &str) -> impl Fn(u32) -> Option<u32> + use<> {
        let window = self.number(&format!("{architecture}.attention.sliding_window"));
        let window = window.and_then(|tokens| u32::try_from(tokens).ok()).filter(|tokens| *tokens > 0);
        let key = format!("{architecture}.attention.sliding_window_pattern");
        let (each, told) = match self.values.get(&key) {
            Some(Value::List(list)) => (list.clone(), None),
            _ => (Vec::new(), self.number(&key).and_then(|period| u32::try_from(period).ok())),
        };
        let known = match architecture {
            "gemma2" | "gpt-oss" => Some(2),
            "cohere2" | "olmo2" | "exaone4" => Some(4),
            "gemma3n" => Some(5),
            "gemma3" => Some(6),
            _ => None,
        };
        let period = told.or(known).unwrap_or(1);
        move |layer| {
            let window = window?;
            if each.is_empty() {
                return every_other(period, window)(layer);
            }
            let slides = usize::try_from(layer).ok().and_then(|layer| each.get(layer)).copied();
            (slides == Some(1)).then_some(window)
        }
    }

    fn quantization(&self, others: &[Self]) -> Option<String> {
        if let Some(name) = self.number("general.file_type").and_then(file_type) {
            return Some(name.to_owned());
        }
        let mut types: HashMap<u32, u64> = HashMap::new();
        for (kind, bytes) in std::iter::once(self).chain(others).flat_map(|head| &head.types) {
            let sum = types.entry(*kind).or_default();
            *sum = sum.saturating_add(*bytes);
        }
        let most = types.into_iter().max_by_key(|(kind, bytes)| (*bytes, *kind))?;
        tensor_type(most.0).map(|(name, _, _)| name.to_owned())
    }
}

struct Reader<R> {
    file: BufReader<R>,
    at: u64,
    size: u64,
}

impl<R: Read + Seek> Reader<R> {
    /// Notes that `length` bytes are taken.
    fn take(&mut self, length: u64) -> Result<(), HeadError> {
        let end = self.at.checked_add(length).ok_or_else(|| HeadError::broken("a length that cannot be"))?;
        if end > self.size {
            return Err(HeadError::Truncated { has: self.size, wants: end });
        }
        if end > MAX_HEAD {
            return Err(HeadError::broken(format!("it is longer than {MAX_HEAD} bytes")));
        }
        self.at = end;
        Ok(())
    }

    fn bytes<const N: usize>(&mut self) -> Result<[u8; N], HeadError> {
        self.take(N as u64)?;
        let mut bytes = [0; N];
        self.file.read_exact(&mut bytes)?;
        Ok(bytes)
    }

    fn skip(&mut self, length: u64) -> Result<(), HeadError> {
        self.take(length)?;
        let length = i64::try_from(length).map_err(io::Error::other)?;
        Ok(self.file.seek_relative(length)?)
    }

    fn u32(&mut self) -> Result<u32, HeadError> {
        Ok(u32::from_le_bytes(self.bytes()?))
    }

    fn u64(&mut self) -> Result<u64, HeadError> {
        Ok(u64::from_le_bytes(self.bytes()?))
    }

    fn text(&mut self) -> Result<String, HeadError> {
        let length = self.u64()?;
        if length > MAX_TEXT {
            return Err(HeadError::broken(format!("a name of {length} bytes")));
        }
        self.read_text(length)
    }

    /// A template; `None` for one that is longer than can be.
    fn template(&mut self) -> Result<Option<String>, HeadError> {
        let length = self.u64()?;
        if length <= chat::MAX_TEMPLATE {
            return self.read_text(length).map(Some);
        }
        self.skip(length)?;
        Ok(None)
    }

    fn read_text(&mut self, length: u64) -> Result<String, HeadError> {
        self.take(length)?;
        let mut bytes = Vec::new();
        Read::by_ref(&mut self.file).take(length).read_to_end(&mut bytes)?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    fn value(&mut self, kind: u32, keep: bool, depth: u32) -> Result<Value, HeadError> {
        match kind {
            TEXT if keep => {
                let length = self.peek_u64()?;
                if length <= MAX_TEXT { self.text().map(Value::Text) } else { self.long_text() }
            }
            TEXT => self.long_text(),
            9 => self.list(keep, depth),
            number => {
                let width =
                    width(number).ok_or_else(|| HeadError::broken(format!("a value of type {number}")))?;
                self.number(number, width)
            }
        }
    }

    /// The length of a text that is not yet taken.
    fn peek_u64(&mut self) -> Result<u64, HeadError> {
        let buffer = self.file.fill_buf()?;
        if let Some(bytes) = buffer.first_chunk::<8>() {
            return Ok(u64::from_le_bytes(*bytes));
        }
        // Across the edge of the buffer.
        let length = self.u64()?;
        self.file.seek_relative(-8)?;
        self.at -= 8;
        Ok(length)
    }

    fn long_text(&mut self) -> Result<Value, HeadError> {
        let length = self.u64()?;
        self.skip(length)?;
        Ok(Value::Other(length))
    }

    fn number(&mut self, kind: u32, width: u64) -> Result<Value, HeadError> {
        let mut bytes = [0; 8];
        let width = usize::try_from(width).map_err(io::Error::other)?;
        self.take(width as u64)?;
        self.file.read_exact(&mut bytes[..width])?;
        let number = u64::from_le_bytes(bytes);
        // Negative numbers and fractions mean nothing for what is asked here.
        let negative = match kind {
            1 => bytes[0] >> 7 == 1,
            3 => bytes[1] >> 7 == 1,
            5 => bytes[3] >> 7 == 1,
            11 => bytes[7] >> 7 == 1,
            6 | 12 => true,
            _ => false,
        };
        Ok(if negative { Value::Other(1) } else { Value::Number(number) })
    }

    fn list(&mut self, keep: bool, depth: u32) -> Result<Value, HeadError> {
        let (kind, length) = (self.u32()?, self.u64()?);
        if depth >= MAX_DEPTH {
            return Err(HeadError::broken("lists in lists in lists"));
        }
        if let Some(width) = width(kind) {
            if !keep || length > MAX_LIST {
                let bytes = length.checked_mul(width);
                self.skip(bytes.ok_or_else(|| HeadError::broken("a list that is too long"))?)?;
                return Ok(Value::Other(length));
            }
            let mut list = Vec::new();
            for _ in 0..length {
                list.push(match self.number(kind, width)? {
                    Value::Number(number) => number,
                    _ => 0,
                });
            }
            return Ok(Value::List(list));
        }
        for _ in 0..length {
            match kind {
                TEXT => self.long_text()?,
                9 => self.list(false, depth + 1)?,
                other => return Err(HeadError::broken(format!("a list of type {other}"))),
            };
        }
        Ok(Value::Other(length))
    }
}

/// Bytes of a number of this type.
fn width(kind: u32) -> Option<u64> {
    Some(match kind {
        0 | 1 | 7 => 1,
        2 | 3 => 2,
        4..=6 => 4,
        10..=12 => 8,
        _ => return None,
    })
}

#[cfg(test)]
#[path = "gguf_tests.rs"]
mod tests;
