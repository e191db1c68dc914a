//! Whether a prompt fits. Ollama's OpenAI door cuts what is longer than the context without a word and cannot be told
//! otherwise; its own door says that it does not fit where it is asked not to cut. So a prompt that may be too long is
//! shown to that one first, and one token of an answer is asked for. What Ollama has read of the prompt by then it
//! need not read again for the answer.

use crate::backend::Backend;
use crate::flight::Endpoint;
use crate::refusal::Refusal;
use bytes::Bytes;
use http::{HeaderValue, Method, StatusCode, header};
use http_body_util::{BodyExt as _, Limited};
use serde_json::{Value, json};

/// What Ollama says of a prompt that is too long.
const TOO_LONG: &str = "exceeds the context length";
/// Most bytes of its answer.
const MOST_SAID: usize = 1 << 20;

/// Why a question is not passed on to this Ollama. None also where it cannot be told: then Ollama's own answer counts.
pub(crate) async fn refusal(
    backend: &Backend,
    model: &str,
    endpoint: Endpoint,
    body: &Bytes,
) -> Option<Refusal> {
    let context = context(backend, model);
    if context.is_some_and(|context| surely_fits(body.len(), context)) {
        return None;
    }
    let (path, question) = native(endpoint, model, &serde_json::from_slice(body).ok()?)?;
    let mut request = backend.request(Method::POST, backend.beside(path)?);
    request.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    *request.body_mut() = Some(question.to_string().into());
    let answer = backend.send(request).await?.ok()?;
    if answer.status() != StatusCode::BAD_REQUEST {
        return None;
    }
    let said = Limited::new(answer.into_body(), MOST_SAID).collect().await.ok()?.to_bytes();
    String::from_utf8_lossy(&said).contains(TOO_LONG).then(|| {
        let name = &backend.settings.name;
        let length = context.map(|length| format!(" ({length} tokens)")).unwrap_or_default();
        let message = format!(
            "The prompt is longer than the context{length} with which `{name}` runs `{model}`, and Ollama would cut it \
             without a word. Shorten it, set OLLAMA_CONTEXT_LENGTH for Ollama, or num_ctx in the model's Modelfile."
        );
        Refusal::invalid("context_length_exceeded", message)
    })
}

/// The context that it runs with, as far as that is known.
fn context(backend: &Backend, model: &str) -> Option<u32> {
    let told = backend.told();
    let is_meant = |id: &str| id == model || id.strip_suffix(":latest") == Some(model);
    told.models.iter().find(|listed| is_meant(&listed.id))?.context_length
}

/// No token is shorter than a byte. Half of the context is left to what Ollama adds: the template, a system prompt.
fn surely_fits(bytes: usize, context: u32) -> bool {
    bytes as u64 <= u64::from(context / 2)
}

/// The same question for Ollama's own door: where, and what. None for one that it would not understand either.
fn native(endpoint: Endpoint, model: &str, body: &Value) -> Option<(&'static str, Value)> {
    let mut question = json!({
        "model": model, "stream": false, "truncate": false, "options": { "num_predict": 1 },
    });
    let (path, name, content) = match endpoint {
        Endpoint::Chat => {
            add(&mut question, "tools", body.get("tools").cloned());
            ("api/chat", "messages", messages(body.get("messages")?)?)
        }
        Endpoint::Responses => {
            add(&mut question, "tools", body.get("tools").map(tools));
            ("api/chat", "messages", items(body)?)
        }
        Endpoint::Completions => {
            add(&mut question, "suffix", body.get("suffix").cloned());
            ("api/generate", "prompt", body.get("prompt").filter(|prompt| prompt.is_string())?.clone())
        }
        Endpoint::Embeddings => ("api/embed", "input", body.get("input")?.clone()),
    };
    add(&mut question, name, Some(content));
    Some((path, question))
}

fn add(question: &mut Value, name: &str, value: Option<Value>) {
    if let (Some(question), Some(value)) = (question.as_object_mut(), value.filter(|value| !value.is_null()))
    {
        question.insert(name.to_owned(), value);
    }
}

/// Messages as Ollama itself makes them of OpenAI's.
fn messages(messages: &Value) -> Option<Value> {
    let mut made = Vec::new();
    for message in messages.as_array()? {
        let role = message.get("role")?.as_str()?;
        match message.get("content") {
            Some(Value::Array(parts)) => made.extend(parts.iter().filter_map(|part| part_of(role, part))),
            content => made.push(
                json!({ "role": role, "content": content.and_then(Value::as_str).unwrap_or_default() }),
            ),
        }
        if let Some(calls) = message.get("tool_calls").and_then(Value::as_array)
            && let Some(last) = made.last_mut()
        {
            let calls = calls.iter().filter_map(|call| called(call.get("function")?)).collect();
            add(last, "tool_calls", Some(Value::Array(calls)));
        }
    }
    Some(Value::Array(made))
}

/// A part of a message as a message of its own.
fn part_of(role: &str, part: &Value) -> Option<Value> {
    if let Some(text) = part.get("text") {
        return Some(json!({ "role": role, "content": text.as_str()? }));
    }
    let image = part.get("image_url")?;
    let url = image.get("url").unwrap_or(image).as_str()?;
    // An image of another address is refused by Ollama.
    let (_, data) = url.strip_prefix("data:")?.split_once(";base64,")?;
    Some(json!({ "role": role, "content": "", "images": [data] }))
}

/// A call: the arguments are text for OpenAI, and an object for Ollama.
fn called(function: &Value) -> Option<Value> {
    let arguments: Value = serde_json::from_str(function.get("arguments")?.as_str()?).ok()?;
    Some(json!({ "function": { "name": function.get("name")?, "arguments": arguments } }))
}

/// What `/responses` is asked, as messages.
fn items(body: &Value) -> Option<Value> {
    let mut made = Vec::new();
    if let Some(text) = body.get("instructions").and_then(Value::as_str) {
        made.push(json!({ "role": "system", "content": text }));
    }
    match body.get("input")? {
        Value::String(text) => made.push(json!({ "role": "user", "content": text })),
        Value::Array(items) => {
            for item in items {
                made.extend(item_of(item).unwrap_or_default());
            }
        }
        _ => return None,
    }
    Some(Value::Array(made))
}

fn item_of(item: &Value) -> Option<Vec<Value>> {
    match item.get("type").and_then(Value::as_str).unwrap_or("message") {
        "message" => match messages(&json!([item]))? {
            Value::Array(made) => Some(made),
            _ => None,
        },
        "function_call" => {
            Some(vec![json!({ "role": "assistant", "content": "", "tool_calls": [called(item)?] })])
        }
        "function_call_output" => {
            Some(vec![json!({ "role": "tool", "content": item.get("output")?.as_str()? })])
        }
        _ => None,
    }
}

/// The tools of `/responses`, one level deeper.
fn tools(tools: &Value) -> Value {
    let functions = tools.as_array().into_iter().flatten().filter(|tool| tool["type"] == "function");
    functions.map(|tool| json!({ "type": "function", "function": tool })).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(endpoint: Endpoint, body: Value) -> (&'static str, Value) {
        native(endpoint, "m", &body).expect("a question")
    }

    #[test]
    fn a_chat_is_asked_as_ollama_itself_makes_it_of_openais() {
        let (path, question) = asked(
            Endpoint::Chat,
            json!({"model": "alias", "stream": true, "max_tokens": 900, "tools": [{"type": "function"}], "messages": [
                {"role": "system", "content": "be brief"},
                {"role": "user", "content": [
                    {"type": "text", "text": "what is it?"},
                    {"type": "image_url", "image_url": {"url": "data:image/png;base64,QUJD"}},
                ]},
                {"role": "assistant", "content": null, "tool_calls": [
                    {"id": "c", "type": "function", "function": {"name": "look", "arguments": "{\"at\":1}"}}]},
                {"role": "tool", "tool_call_id": "c", "content": "a cat"},
            ]}),
        );
        assert_eq!(path, "api/chat");
        assert_eq!(
            question,
            json!({"model": "m", "stream": false, "truncate": false, "options": {"num_predict": 1},
                "tools": [{"type": "function"}], "messages": [
                {"role": "system", "content": "be brief"},
                {"role": "user", "content": "what is it?"},
                {"role": "user", "content": "", "images": ["QUJD"]},
                {"role": "assistant", "content": "",
                 "tool_calls": [{"function": {"name": "look", "arguments": {"at": 1}}}]},
                {"role": "tool", "content": "a cat"},
            ]})
        );
    }

    #[test]
    fn the_other_doors_are_asked_too() {
        let (path, question) = asked(
            Endpoint::Responses,
            json!({"instructions": "be brief", "tools": [{"type": "function", "name": "f"}, {"type": "web_search"}],
                "input": [
                {"role": "user", "content": [{"type": "input_text", "text": "hi"},
                                             {"type": "input_image", "image_url": "data:image/png;base64,QUJD"}]},
                {"type": "reasoning", "summary": []},
                {"type": "function_call", "name": "f", "arguments": "{}", "call_id": "c"},
                {"type": "function_call_output", "call_id": "c", "output": "done"}]}),
        );
        assert_eq!(path, "api/chat");
        assert_eq!(
            question["tools"],
            json!([{"type": "function", "function": {"type": "function", "name": "f"}}])
        );
        assert_eq!(
            question["messages"],
            json!([
                {"role": "system", "content": "be brief"},
                {"role": "user", "content": "hi"},
                {"role": "user", "content": "", "images": ["QUJD"]},
                {"role": "assistant", "content": "", "tool_calls": [{"function": {"name": "f", "arguments": {}}}]},
                {"role": "tool", "content": "done"},
            ])
        );
        let (path, question) = asked(Endpoint::Completions, json!({"prompt": "a", "suffix": "b"}));
        assert_eq!(
            (path, &question["prompt"], &question["suffix"]),
            ("api/generate", &json!("a"), &json!("b"))
        );
        let (path, question) = asked(Endpoint::Embeddings, json!({"input": ["a", "b"]}));
        assert_eq!((path, &question["input"]), ("api/embed", &json!(["a", "b"])));
        for (endpoint, body) in
            [(Endpoint::Chat, json!({})), (Endpoint::Completions, json!({"prompt": [1, 2]}))]
        {
            assert!(native(endpoint, "m", &body).is_none(), "{body}");
        }
    }

    #[test]
    fn short_ones_are_not_asked_about() {
        assert!(surely_fits(2048, 4096) && !surely_fits(2049, 4096));
    }
}
