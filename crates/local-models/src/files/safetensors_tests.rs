use super::*;
use proptest::prelude::*;
use std::io::Cursor;

fn file(head: &str, data: usize) -> Vec<u8> {
    let mut bytes = u64::try_from(head.len()).unwrap().to_le_bytes().to_vec();
    bytes.extend_from_slice(head.as_bytes());
    bytes.resize(bytes.len() + data, 0);
    bytes
}

fn read_bytes(bytes: &[u8]) -> Result<Head, HeadError> {
    parse(Cursor::new(bytes), bytes.len() as u64)
}

const HEAD: &str = r#"{"__metadata__":{"format":"pt"},
    "a":{"dtype":"BF16","shape":[4,8],"data_offsets":[0,64]},
    "b":{"dtype":"F32","shape":[2],"data_offsets":[64,72]}}"#;

#[test]
fn numbers_are_counted_by_their_type() {
    let head = read_bytes(&file(HEAD, 72)).unwrap();
    assert_eq!(head.numbers, BTreeMap::from([("BF16".to_owned(), 32), ("F32".to_owned(), 2)]));
    let facts = facts(&serde_json::json!({"model_type": "llama"}), &[head]);
    assert_eq!((facts.parameters, facts.quantization.as_deref()), (Some(34), Some("BF16")));
    assert_eq!(facts.architecture.as_deref(), Some("llama"));
}

#[test]
fn a_download_that_broke_off_is_told_with_figures() {
    let whole = file(HEAD, 72);
    let cut = read_bytes(&whole[..whole.len() - 1]).unwrap_err();
    assert!(matches!(cut, HeadError::Truncated { has, wants } if wants == has + 1), "{cut}");
    let cut = read_bytes(&whole[..20]).unwrap_err();
    assert!(matches!(cut, HeadError::Truncated { has: 20, .. }), "{cut}");
}

#[test]
fn heads_that_cannot_be_are_refused() {
    let (open, close) = ("[".repeat(100_000), "]".repeat(100_000));
    let deep = format!(r#"{{"a":{{"dtype":"F32","shape":{open}1{close},"data_offsets":[0,4]}}}}"#);
    assert!(matches!(read_bytes(&file(&deep, 4)), Err(HeadError::Broken(_))));
    let stepped_over = format!(r#"{{"__metadata__":{open}1{close}}}"#);
    assert_eq!(read_bytes(&file(&stepped_over, 0)).unwrap().end, 0);
    assert!(matches!(read_bytes(&[0xff; 64]), Err(HeadError::NotOfThisKind(_))));
    assert!(matches!(read_bytes(b"short"), Err(HeadError::Truncated { .. })));
    let wide = r#"{"a":{"dtype":"F32","shape":[18446744073709551615,9],"data_offsets":[0,4]}}"#;
    let head = read_bytes(&file(wide, 4)).unwrap();
    assert_eq!(facts(&Value::Null, &[head]).parameters, Some(u64::MAX));
}

#[test]
fn packed_weights_count_as_what_they_hold() {
    let head = r#"{"q":{"dtype":"I32","shape":[16],"data_offsets":[0,64]},
        "s":{"dtype":"F16","shape":[4],"data_offsets":[64,72]}}"#;
    let config = serde_json::json!({"quantization_config": {"quant_method": "awq", "bits": 4}});
    let facts = facts(&config, &[read_bytes(&file(head, 72)).unwrap()]);
    assert_eq!((facts.parameters, facts.quantization.as_deref()), (Some(16 * 8 + 4), Some("AWQ")));
}

#[test]
fn parts_that_are_not_there_are_named() {
    let index = serde_json::json!({"weight_map": {"a": "m-00001.safetensors", "b": "m-00002.safetensors"}});
    let there = HashSet::from(["m-00001.safetensors".to_owned()]);
    assert_eq!(missing(&index, &there), ["m-00002.safetensors"]);
}

proptest! {
    #[test]
    fn no_bytes_make_the_reader_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let _ = read_bytes(&bytes);
    }

    #[test]
    fn no_tokenizer_makes_the_reader_panic(at in 0usize..100, byte in any::<u8>(), cut in 0usize..100) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tokenizer_config.json");
        let mut bytes = br#"{"x":[1,{"y":2}],"chat_template":[{"name":"a","template":"{{ tools }}"}]}"#.to_vec();
        let length = bytes.len();
        bytes[at % length] = byte;
        bytes.truncate(length - cut % length);
        std::fs::write(&path, &bytes).unwrap();
        let _ = read_chat(&path);
    }

    #[test]
    fn no_change_of_a_head_makes_the_reader_panic(at in 0usize..200, byte in any::<u8>(), cut in 0usize..300) {
        let mut bytes = file(HEAD, 72);
        let length = bytes.len();
        bytes[at % length] = byte;
        bytes.truncate(length - cut % length);
        if let Ok(head) = read_bytes(&bytes) {
            let _ = facts(&serde_json::json!({"num_hidden_layers": u64::MAX, "head_dim": u64::MAX}), &[head]);
        }
    }
}
