//! Fill in the middle: a completion with a `suffix`, at a llama.cpp server. Its `/v1/completions` takes no suffix;
//! `/infill` does, in words of its own.

use crate::envelope::Envelope;
use crate::refusal::Refusal;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// Turns the server's answer into OpenAI's shape.
#[derive(Clone, Debug)]
pub(crate) struct Rewrite {
    id: String,
    created: u64,
    model: String,
    /// A last event with the tokens is wanted.
    tells_usage: bool,
}

#[derive(Deserialize)]
struct Told {
    content: String,
    #[serde(default)]
    stop: bool,
    stop_type: Option<String>,
    #[serde(default)]
    stopped_limit: bool,
    #[serde(default)]
    tokens_predicted: u64,
    #[serde(default)]
    tokens_evaluated: u64,
    /// How fast it went: llama.cpp's own addition, which its OpenAI answers carry too.
    timings: Option<Box<RawValue>>,
}

#[derive(Serialize)]
struct Completion<'a> {
    id: &'a str,
    object: &'static str,
    created: u64,
    model: &'a str,
    choices: &'a [Choice<'a>],
    #[serde(skip_serializing_if = "Option::is_none")]
    usage: Option<Tokens>,
    #[serde(skip_serializing_if = "Option::is_none")]
    timings: Option<&'a RawValue>,
}

#[derive(Serialize)]
struct Choice<'a> {
    index: u32,
    text: &'a str,
    logprobs: Option<()>,
    finish_reason: Option<&'static str>,
}

#[derive(Serialize)]
struct Tokens {
    prompt_tokens: u64,
    completion_tokens: u64,
    total_tokens: u64,
}

impl Told {
    fn tokens(&self) -> Tokens {
        Tokens {
            prompt_tokens: self.tokens_evaluated,
            completion_tokens: self.tokens_predicted,
            total_tokens: self.tokens_evaluated + self.tokens_predicted,
        }
    }

    fn finish_reason(&self) -> &'static str {
        match self.stopped_limit || self.stop_type.as_deref() == Some("limit") {
            true => "length",
            false => "stop",
        }
    }
}

/// True where a completion must go this way at a llama.cpp server.
pub(crate) fn applies(envelope: &Envelope<'_>) -> Result<bool, Refusal> {
    Ok(envelope.text("suffix")?.is_some_and(|suffix| !suffix.is_empty()))
}

/// The question in `/infill`'s words: fields of the same meaning are renamed, all others pass as they are.
///
/// # Errors
/// The prompt is not one text, or more than one answer is asked for.
pub(crate) fn question(envelope: &Envelope<'_>, model: &str) -> Result<Bytes, Refusal> {
    if envelope.get("n")?.is_some_and(|n| n.get() != "1") {
        return Err(Refusal::invalid(
            "unsupported",
            "With a suffix this server gives one answer: `n` must be 1.",
        )
        .about("n"));
    }
    let prompt = match envelope.get("prompt")? {
        None => "\"\"",
        Some(prompt) => one_text(prompt)?,
    };
    let mut out = String::from("{\"input_prefix\":");
    out.push_str(prompt);
    for (name, value) in envelope.fields() {
        let value = match &**name {
            "prompt" | "n" | "echo" | "best_of" => continue,
            "model" => &serde_json::Value::from(model).to_string(),
            _ => value.get(),
        };
        let name = match &**name {
            "suffix" => "input_suffix",
            "max_tokens" => "n_predict",
            "logprobs" => "n_probs",
            name => name,
        };
        out.push(',');
        out.push_str(&serde_json::Value::from(name).to_string());
        out.push(':');
        out.push_str(value);
    }
    out.push('}');
    Ok(out.into())
}

/// A text, or a list of one.
fn one_text(prompt: &RawValue) -> Result<&str, Refusal> {
    let prompt = prompt.get();
    if prompt.starts_with('"') {
        return Ok(prompt);
    }
    match serde_json::from_str::<Vec<&RawValue>>(prompt).as_deref() {
        Ok([one]) if one.get().starts_with('"') => Ok(one.get()),
        _ => {
            Err(Refusal::invalid("unsupported", "With a suffix, `prompt` must be one string.")
                .about("prompt"))
        }
    }
}

impl Rewrite {
    pub(crate) fn new(request: &str, model: &str, envelope: &Envelope<'_>) -> Result<Self, Refusal> {
        #[derive(Deserialize)]
        struct Options {
            #[serde(default)]
            include_usage: bool,
        }
        let options =
            envelope.get("stream_options")?.map(|options| serde_json::from_str::<Options>(options.get()));
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        Ok(Self {
            id: format!("cmpl-{}", request.trim_start_matches("req_")),
            created: now.map_or(0, |now| now.as_secs()),
            model: model.to_owned(),
            tells_usage: options.is_some_and(|options| options.is_ok_and(|options| options.include_usage)),
        })
    }

    /// Also tells the tokens where the client did not ask for them.
    pub(crate) fn telling_usage(self) -> Self {
        Self { tells_usage: true, ..self }
    }

    fn completion(
        &self,
        choices: &[Choice<'_>],
        usage: Option<Tokens>,
        timings: Option<&RawValue>,
    ) -> String {
        let completion = Completion {
            id: &self.id,
            object: "text_completion",
            created: self.created,
            model: &self.model,
            choices,
            usage,
            timings,
        };
        serde_json::to_string(&completion).unwrap_or_default()
    }

    /// A whole answer; what is no answer stays as it is.
    pub(crate) fn whole(&self, answer: Bytes) -> Bytes {
        let Ok(told) = serde_json::from_slice::<Told>(&answer) else { return answer };
        let choice = Choice {
            index: 0,
            text: &told.content,
            logprobs: None,
            finish_reason: Some(told.finish_reason()),
        };
        self.completion(&[choice], Some(told.tokens()), told.timings.as_deref()).into()
    }

    /// Whole lines of a stream; those that hold no piece of the answer stay as they are.
    pub(crate) fn lines(&self, whole: &[u8]) -> Bytes {
        let mut out = Vec::with_capacity(whole.len());
        for line in whole.split_inclusive(|byte| *byte == b'\n') {
            let told = line.strip_prefix(b"data:").and_then(|data| serde_json::from_slice::<Told>(data).ok());
            match told {
                Some(told) => self.piece(&told, &mut out),
                None => out.extend_from_slice(line),
            }
        }
        out.into()
    }

    fn piece(&self, told: &Told, out: &mut Vec<u8>) {
        let finish_reason = told.stop.then(|| told.finish_reason());
        let choice = Choice { index: 0, text: &told.content, logprobs: None, finish_reason };
        let mut data = |text: &str, end: &str| {
            out.extend_from_slice(b"data: ");
            out.extend_from_slice(text.as_bytes());
            out.extend_from_slice(end.as_bytes());
        };
        if !told.stop {
            return data(&self.completion(&[choice], None, None), "\n");
        }
        data(&self.completion(&[choice], None, told.timings.as_deref()), "\n\n");
        if self.tells_usage {
            data(&self.completion(&[], Some(told.tokens()), None), "\n\n");
        }
        data("[DONE]", "\n");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ASKED: &str = r#"{"model":"a","prompt":"fn main() {","suffix":"}","max_tokens":8,"temperature":0.10,
        "stream":true,"stream_options":{"include_usage":true},"n":1}"#;

    fn rewrite() -> Rewrite {
        let envelope = Envelope::read(ASKED.as_bytes()).expect("an object");
        Rewrite::new("req_1", "a", &envelope).expect("options")
    }

    #[test]
    fn the_question_is_put_in_the_servers_words() {
        let envelope = Envelope::read(ASKED.as_bytes()).expect("an object");
        assert!(applies(&envelope).expect("a text"));
        let question = question(&envelope, "b").expect("a question");
        assert_eq!(
            question,
            r#"{"input_prefix":"fn main() {","model":"b","input_suffix":"}","n_predict":8,"temperature":0.10,"stream":true,"stream_options":{"include_usage":true}}"#
        );
    }

    #[test]
    fn what_the_server_cannot_do_is_refused() {
        for (asked, param) in [
            (r#"{"prompt":["a","b"],"suffix":"c"}"#, "prompt"),
            (r#"{"prompt":"a","suffix":"c","n":2}"#, "n"),
        ] {
            let envelope = Envelope::read(asked.as_bytes()).expect("an object");
            assert_eq!(question(&envelope, "b").expect_err("refused").body.param.as_deref(), Some(param));
        }
    }

    #[test]
    fn the_answer_is_put_in_openais_words() {
        let answer =
            r#"{"content":"x","stop":true,"stop_type":"limit","tokens_predicted":2,"tokens_evaluated":5}"#;
        let whole: serde_json::Value = serde_json::from_slice(&rewrite().whole(answer.into())).expect("JSON");
        assert_eq!(whole["choices"][0]["text"], "x");
        assert_eq!(whole["choices"][0]["finish_reason"], "length");
        assert_eq!(whole["usage"]["total_tokens"], 7);
        assert_eq!(whole["object"], "text_completion");
        assert_eq!(rewrite().whole("{\"error\":1}".into()), "{\"error\":1}");
    }

    #[test]
    fn its_events_are_too() {
        let told = "data: {\"content\":\"x\",\"stop\":false}\n\n: ping\n\ndata: {\"content\":\"\",\"stop\":true,\
                    \"stop_type\":\"eos\",\"tokens_predicted\":1,\"tokens_evaluated\":2}\n\n";
        let out = rewrite().lines(told.as_bytes());
        let events: Vec<&str> = std::str::from_utf8(&out)
            .expect("text")
            .lines()
            .filter_map(|line| line.strip_prefix("data: "))
            .collect();
        let json = |at: usize| serde_json::from_str::<serde_json::Value>(events[at]).expect("JSON");
        assert_eq!(events.len(), 4, "{events:?}");
        assert_eq!(json(0)["choices"][0]["text"], "x");
        assert_eq!(json(0)["choices"][0]["finish_reason"], serde_json::Value::Null);
        assert_eq!(json(1)["choices"][0]["finish_reason"], "stop");
        assert_eq!(
            (&json(2)["usage"]["total_tokens"], json(2)["choices"].as_array().map(Vec::len)),
            (&3.into(), Some(0))
        );
        assert_eq!(events[3], "[DONE]");
    }
}
