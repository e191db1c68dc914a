use super::*;
use proptest::prelude::*;
use std::io::Cursor;

/// Writes a head as ggml does.
#[derive(Default)]
struct Writer {
    values: Vec<u8>,
    count: u64,
    tensors: Vec<u8>,
    tensor_count: u64,
}

fn text(bytes: &mut Vec<u8>, text: &str) {
    bytes.extend_from_slice(&(text.len() as u64).to_le_bytes());
    bytes.extend_from_slice(text.as_bytes());
}

impl Writer {
    fn raw(mut self, key: &str, kind: u32, value: &[u8]) -> Self {
        text(&mut self.values, key);
        self.values.extend_from_slice(&kind.to_le_bytes());
        self.values.extend_from_slice(value);
        self.count += 1;
        self
    }
    fn number(self, key: &str, number: u32) -> Self {
        self.raw(key, 4, &number.to_le_bytes())
    }
    fn text(self, key: &str, value: &str) -> Self {
        let mut bytes = Vec::new();
        text(&mut bytes, value);
        self.raw(key, 8, &bytes)
    }
    fn list(self, key: &str, numbers: &[i32]) -> Self {
        let mut bytes = 5u32.to_le_bytes().to_vec();
        bytes.extend_from_slice(&(numbers.len() as u64).to_le_bytes());
        numbers.iter().for_each(|number| bytes.extend_from_slice(&number.to_le_bytes()));
        self.raw(key, 9, &bytes)
    }
    fn tensor(mut self, kind: u32, shape: &[u64], offset: u64) -> Self {
        text(&mut self.tensors, "t");
        self.tensors.extend_from_slice(&(shape.len() as u32).to_le_bytes());
        shape.iter().for_each(|length| self.tensors.extend_from_slice(&length.to_le_bytes()));
        self.tensors.extend_from_slice(&kind.to_le_bytes());
        self.tensors.extend_from_slice(&offset.to_le_bytes());
        self.tensor_count += 1;
        self
    }
    fn file(self, data: usize) -> Vec<u8> {
        let mut bytes = b"GGUF\x03\0\0\0".to_vec();
        bytes.extend_from_slice(&self.tensor_count.to_le_bytes());
        bytes.extend_from_slice(&self.count.to_le_bytes());
        bytes.extend(self.values);
        bytes.extend(self.tensors);
        bytes.resize(bytes.len().next_multiple_of(32) + data, 0);
        bytes
    }
}

/// Gemma 3 1B's numbers, with two tensors.
fn gemma() -> Writer {
    Writer::default()
        .text("general.architecture", "gemma3")
        .text("general.name", "Gemma 3 1b It")
        .number("general.file_type", 15)
        .number("gemma3.block_count", 26)
        .number("gemma3.context_length", 32768)
        .number("gemma3.embedding_length", 1152)
        .number("gemma3.attention.head_count", 4)
        .number("gemma3.attention.head_count_kv", 1)
        .number("gemma3.attention.key_length", 256)
        .number("gemma3.attention.value_length", 256)
        .number("gemma3.attention.sliding_window", 512)
        .tensor(12, &[256, 4], 0)
        .tensor(0, &[8], 576)
}

fn read_bytes(bytes: &[u8]) -> Result<Head, HeadError> {
    parse(Cursor::new(bytes), bytes.len() as u64)
}

#[test]
fn names_numbers_and_tensors_are_read() {
    let head = read_bytes(&gemma().file(608)).unwrap();
    let facts = head.facts(&[]);
    assert_eq!(facts.name.as_deref(), Some("Gemma 3 1b It"));
    assert_eq!(facts.architecture.as_deref(), Some("gemma3"));
    assert_eq!(facts.quantization.as_deref(), Some("Q4_K_M"));
    assert_eq!((facts.parameters, facts.context_length), (Some(1032), Some(32768)));
    assert_eq!(facts.layers.len(), 26);
    assert_eq!(facts.layers[0], crate::files::model::Layer { per_token: 512, window: Some(512) });
    assert_eq!(facts.layers[5].window, None, "every sixth layer sees everything");
    assert!(!head.is_helper());
}

#[test]
fn heads_may_differ_from_layer_to_layer() {
    let head = Writer::default()
        .text("general.architecture", "jamba")
        .number("jamba.block_count", 3)
        .number("jamba.embedding_length", 64)
        .number("jamba.attention.head_count", 4)
        .list("jamba.attention.head_count_kv", &[0, 2, -1])
        .tensor(0, &[1], 0)
        .file(4);
    let facts = read_bytes(&head).unwrap().facts(&[]);
    let kept: Vec<u64> = facts.layers.iter().map(|layer| layer.per_token).collect();
    assert_eq!(kept, [0, 2 * 32, 0]);
    assert_eq!(facts.quantization.as_deref(), Some("F32"), "by its tensors where the file says nothing");
}

#[test]
fn a_download_that_broke_off_is_told_with_figures() {
    let whole = gemma().file(608);
    let wants = whole.len() as u64;
    for length in [whole.len() - 1, whole.len() - 500, 300, 40, 5] {
        let told = read_bytes(&whole[..length]).unwrap_err();
        let HeadError::Truncated { has, wants: told } = told else { panic!("{told} at {length}") };
        assert!(has == length as u64 && told > has && told <= wants, "{has} {told} {wants}");
    }
}

#[test]
fn heads_that_cannot_be_are_refused() {
    let mut counts = b"GGUF\x03\0\0\0".to_vec();
    counts.extend_from_slice(&[0xff; 16]);
    assert!(matches!(read_bytes(&counts), Err(HeadError::Broken(_))));
    assert!(matches!(read_bytes(b"GGUF\0\0\0\x03 and more than this"), Err(HeadError::ByteOrder)));
    assert!(matches!(read_bytes(b"GGUF\x01\0\0\0 and more than this"), Err(HeadError::Version(1))));
    assert!(matches!(read_bytes(b"PK\x03\x04 and more than this"), Err(HeadError::NotOfThisKind(_))));
    let mut deep = Vec::new();
    for _ in 0..1000 {
        deep.extend_from_slice(&9u32.to_le_bytes());
        deep.extend_from_slice(&1u64.to_le_bytes());
    }
    let told = read_bytes(&Writer::default().raw("general.deep", 9, &deep).file(0)).unwrap_err();
    assert!(matches!(told, HeadError::Broken(_)), "{told}");
    let huge = Writer::default().tensor(0, &[u64::MAX, 2], 0).file(64);
    assert!(matches!(read_bytes(&huge), Err(HeadError::Broken(_))));
    let far = Writer::default().tensor(0, &[u64::MAX / 4], u64::MAX - 1).file(64);
    assert!(matches!(read_bytes(&far), Err(HeadError::Truncated { .. })));
    let long = Writer::default().raw("x", 9, &[0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]);
    assert!(matches!(read_bytes(&long.file(0)), Err(HeadError::Broken(_))));
}

#[test]
fn chat_templates_are_told_by_what_they_refer_to() {
    let of = |writer: Writer| {
        let chat = read_bytes(&writer.tensor(0, &[1], 0).file(4)).unwrap().facts(&[]).chat;
        chat.map(|chat| (chat.tools, chat.thinking))
    };
    let key = "tokenizer.chat_template";
    let plain = "{{ messages }}";
    assert_eq!(of(Writer::default()), None);
    assert_eq!(of(Writer::default().text(key, plain)), Some((false, false)));
    assert_eq!(of(Writer::default().text(key, "{% if tools %}<think>{% endif %}")), Some((true, true)));
    let named = Writer::default().text(key, plain).text("tokenizer.chat_template.tool_use", "{{ tools }}");
    assert_eq!(of(named), Some((true, false)), "one of several is enough");
    assert_eq!(of(Writer::default().text("tokenizer.chat_templates_of_mine", "{{ tools }}")), None);
    assert_eq!(of(Writer::default().list(key, &[1])), None, "a list is no template");
    // Longer than any is, it is stepped over.
    let long = "{{ tools }}".repeat(100_000);
    assert_eq!(of(Writer::default().text(key, &long)), None);
    let cut = Writer::default().text(key, "{{ tools }}").file(0);
    assert!(matches!(read_bytes(&cut[..cut.len() - 20]), Err(HeadError::Truncated { .. })));
}

#[test]
fn long_texts_are_stepped_over() {
    let head = Writer::default()
        .text("tokenizer.chat_template", &"x".repeat(2_000_000))
        .text("general.license", &"y".repeat(90_000))
        .text("general.name", "after them")
        .tensor(0, &[1], 0)
        .file(4);
    assert_eq!(read_bytes(&head).unwrap().facts(&[]).name.as_deref(), Some("after them"));
}

#[test]
fn names_of_parts_are_known() {
    assert_eq!(part("big-q4-00002-of-00003.gguf"), Some(("big-q4", 2, 3)));
    for other in
        ["big.gguf", "a-1-of-2.gguf", "a-00003-of-00002.gguf", "a-00000-of-00002.gguf", "a-00001-of-00002"]
    {
        assert_eq!(part(other), None, "{other}");
    }
}

/// The model of the other tests, where the set-up has put it.
#[test]
fn a_real_file_is_read() {
    let Some(path) = std::env::var_os("AICOCKPIT_TEST_GGUF") else {
        eprintln!("AICOCKPIT_TEST_GGUF names no model: not tested");
        return;
    };
    let path = Path::new(&path);
    let facts = read(path).unwrap().facts(&[]);
    assert_eq!(facts.architecture.as_deref(), Some("llama"));
    assert_eq!((facts.parameters, facts.context_length), (Some(134_515_008), Some(8192)));
    assert_eq!((facts.quantization.as_deref(), facts.vocabulary), (Some("Q4_1"), 49152));
    assert_eq!(facts.layers.len(), 30);
    assert_eq!(facts.layers[0].per_token, 3 * 128);
    let chat = facts.chat.map(|chat| (chat.tools, chat.thinking));
    assert_eq!(chat, Some((false, false)), "its template is ChatML's");
    // Its head with one byte changed, all along.
    let whole = std::fs::read(path).unwrap();
    let size = whole.len() as u64;
    let mut head = whole[..2_000_000].to_vec();
    for at in (0..4000).step_by(11).chain((1_700_000..1_790_000).step_by(997)) {
        let old = std::mem::replace(&mut head[at], 0xff);
        if let Ok(changed) = parse(Cursor::new(&head), size) {
            let _ = changed.facts(&[]);
        }
        head[at] = old;
    }
}

proptest! {
    #[test]
    fn no_bytes_make_the_reader_panic(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
        let mut headed = b"GGUF\x03\0\0\0".to_vec();
        headed.extend_from_slice(&bytes);
        let _ = read_bytes(&bytes);
        let _ = read_bytes(&headed);
    }

    #[test]
    fn no_change_of_a_head_makes_the_reader_panic(
        changes in proptest::collection::vec((0usize..1600, any::<u8>()), 1..6),
        cut in 0usize..1600,
    ) {
        let mut bytes = gemma()
            .list("gemma3.attention.sliding_window_pattern", &[1, 0, 1])
            .text("tokenizer.chat_template", "{% if tools %}{{ 'a' }}{% endif %}")
            .file(608);
        let length = bytes.len();
        for (at, byte) in changes {
            bytes[at % length] = byte;
        }
        bytes.truncate(length - cut % length);
        if let Ok(head) = read_bytes(&bytes) {
            let _ = head.facts(std::slice::from_ref(&head));
            let _ = head.is_helper();
        }
    }
}
