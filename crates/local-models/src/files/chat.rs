//! What a chat template provides for, told by what it refers to.
//!
//! llama.cpp renders it with and without a tool and compares. A template is a program, though, and one that doubles a
//! text forty times takes all memory whatever its steps are counted at: here its words are read and nothing is run.

use aicockpit_protocol::local_models::ChatTemplate;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

/// Most bytes of a template that are read. Long ones have some 20 KB.
pub(crate) const MAX_TEMPLATE: u64 = 1 << 20;

/// Variables by which a server hands over tools, and messages that call them.
const TOOLS: [&str; 4] = ["tools", "tool_calls", "available_tools", "functions"];
/// Variables and fields of thinking.
const THINKING: [&str; 7] = [
    "enable_thinking",
    "thinking",
    "thinking_budget",
    "reasoning",
    "reasoning_content",
    "reasoning_effort",
    "add_thoughts",
];
/// What stands around thoughts.
const MARKS: [&str; 6] =
    ["<think>", "</think>", "<thought>", "[THINK]", "<|START_THINKING|>", "<|channel|>analysis"];

/// What this template provides for.
pub(crate) fn of(template: &str) -> ChatTemplate {
    let mut chat = ChatTemplate { tools: false, thinking: MARKS.iter().any(|mark| template.contains(mark)) };
    names(template, |name| {
        chat.tools |= TOOLS.contains(&name);
        chat.thinking |= THINKING.contains(&name);
    });
    chat
}

/// Both of two templates: servers take the one that a request needs.
pub(crate) fn both(one: Option<ChatTemplate>, other: Option<ChatTemplate>) -> Option<ChatTemplate> {
    match (one, other) {
        (Some(one), Some(other)) => {
            Some(ChatTemplate { tools: one.tools || other.tools, thinking: one.thinking || other.thinking })
        }
        (one, other) => one.or(other),
    }
}

/// Reads a file that holds a template and nothing else.
pub(crate) fn read(path: &Path) -> io::Result<ChatTemplate> {
    let (file, _) = super::open(path)?;
    Ok(of(&text(file)?))
}

fn text(file: File) -> io::Result<String> {
    let mut bytes = Vec::new();
    file.take(MAX_TEMPLATE).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Goes through all names in expressions and statements: not those in comments, in the text around, or in prose that is
/// quoted. A quoted word alone is a field: `message['tool_calls']`.
fn names<'a>(template: &'a str, mut each: impl FnMut(&'a str)) {
    let mut rest = template;
    while let Some(start) = rest.find('{') {
        rest = &rest[start..];
        let end = match rest.as_bytes().get(1) {
            Some(b'#') => {
                rest = rest.find("#}").map_or("", |end| &rest[end..]);
                continue;
            }
            Some(b'{') => "}}",
            Some(b'%') => "%}",
            _ => {
                rest = &rest[1..];
                continue;
            }
        };
        rest = within(&rest[2..], end, &mut each);
    }
}

/// Goes through one expression or statement; returns what comes after it.
fn within<'a>(code: &'a str, end: &str, each: &mut impl FnMut(&'a str)) -> &'a str {
    let mut rest = code;
    while let Some(first) = rest.chars().next() {
        if let Some(after) = rest.strip_prefix(end) {
            return after;
        }
        if is_part(first) {
            let length = rest.find(|c| !is_part(c)).unwrap_or(rest.len());
            each(&rest[..length]);
            rest = &rest[length..];
        } else if matches!(first, '\'' | '"') {
            let quoted = &rest[1..];
            let length = quote(quoted, first);
            each(&quoted[..length]);
            rest = quoted.get(length + 1..).unwrap_or_default();
        } else {
            rest = &rest[first.len_utf8()..];
        }
    }
    ""
}

fn is_part(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// Bytes until the quote ends.
fn quote(text: &str, mark: char) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices() {
        if c == mark && !escaped {
            return at;
        }
        escaped = c == '\\' && !escaped;
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn told(template: &str) -> (bool, bool) {
        let chat = of(template);
        (chat.tools, chat.thinking)
    }

    /// The beginnings of Qwen 3's, Llama 3.1's and Gemma 3's, and the whole of ChatML's.
    const QWEN: &str = "{%- if tools %}\n    {{- '<|im_start|>system\\n' }}\n{%- endif %}\
        {%- if enable_thinking is defined and enable_thinking is false %}{{- '<think>\\n\\n</think>\\n\\n' }}{%- endif %}";
    const LLAMA: &str = "{{- bos_token }}\n{%- if custom_tools is defined %}\n    {%- set tools = custom_tools %}\n{%- endif %}\
        {%- if not tools_in_user_message is defined %}{%- set tools_in_user_message = true %}{%- endif %}";
    const GEMMA: &str = "{{ bos_token }}{%- if messages[0]['role'] == 'system' -%}{%- set first_user_prefix = \
        messages[0]['content'] -%}{%- endif -%}";
    const CHATML: &str = "{% for message in messages %}{{'<|im_start|>' + message['role'] + '\n' + message['content'] + \
        '<|im_end|>' + '\n'}}{% endfor %}";

    #[test]
    fn known_templates_are_told_apart() {
        assert_eq!(told(QWEN), (true, true));
        assert_eq!(told(LLAMA), (true, false));
        assert_eq!(told(GEMMA), (false, false));
        assert_eq!(told(CHATML), (false, false));
        // DeepSeek R1's distillates: messages call tools, and thoughts are cut away.
        let deepseek = "{% if message['tool_calls'] is defined %}{% endif %}{% set content = content.split('</think>')[-1] %}";
        assert_eq!(told(deepseek), (true, true));
        assert_eq!(told("{{ message.reasoning_content }}"), (false, true));
    }

    #[test]
    fn prose_and_comments_are_no_reference() {
        assert_eq!(
            told("{# tools and thinking #}{{ 'You have no tools, and thinking is fine.' }}"),
            (false, false)
        );
        assert_eq!(told("tools thinking {tools} {{ my_tools }}{{ x.toolset }}"), (false, false));
        assert_eq!(told("{{ 'it\\'s }} tools' }}{% if tools %}"), (true, false));
        assert_eq!(told("{{ \"%} tools \" }}"), (false, false));
        assert_eq!(told("{# never closed {{ tools }}"), (false, false));
        assert_eq!(told("{% if tools"), (true, false));
    }

    #[test]
    fn long_ones_take_no_time() {
        assert_eq!(told(&"{{'".repeat(300_000)), (false, false));
        assert_eq!(told(&"{#".repeat(500_000)), (false, false));
        assert_eq!(told(&"{".repeat(1_000_000)), (false, false));
    }

    proptest! {
        #[test]
        fn no_template_makes_it_panic(pieces in proptest::collection::vec(
            prop_oneof!["\\PC{0,6}", Just("{{".to_owned()), Just("%}".to_owned()), Just("'\\".to_owned()),
                Just("{#".to_owned()), Just(" tools ".to_owned())], 0..40)) {
            let _ = of(&pieces.concat());
        }
    }
}
