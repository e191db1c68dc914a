//! llama.cpp's server: `/props` says how it runs, `/metrics` how busy it is where it was started with `--metrics`.

use super::{TELL_WITHIN, count, metric};
use crate::backend::Backend;
use aicockpit_protocol::broker::{BackendAbilities, BackendLoad, ModelInfo};
use serde::Deserialize;

#[derive(Deserialize)]
struct Props {
    total_slots: Option<u32>,
    build_info: Option<String>,
    chat_template: Option<String>,
    default_generation_settings: Option<Generation>,
    modalities: Option<Modalities>,
    chat_template_caps: Option<TemplateAbilities>,
}

#[derive(Deserialize)]
struct Generation {
    n_ctx: Option<u32>,
}

#[derive(Deserialize)]
struct Modalities {
    vision: Option<bool>,
}

#[derive(Deserialize)]
struct TemplateAbilities {
    supports_tools: Option<bool>,
}

/// What it can do. The context that it runs with is each model's, not the one that the model was trained with: a
/// prompt that is longer is refused by the server.
pub(super) async fn survey(backend: &Backend, models: &mut [ModelInfo]) -> BackendAbilities {
    let Ok(props) = backend.read_json::<Props>(backend.beside("props"), TELL_WITHIN).await else {
        return BackendAbilities::default();
    };
    let abilities = abilities(props);
    for model in models {
        model.context_length = abilities.context_length.or(model.context_length);
    }
    abilities
}

fn abilities(props: Props) -> BackendAbilities {
    let told = props.chat_template_caps.and_then(|abilities| abilities.supports_tools);
    // Older builds tell the template only. One that knows tools names them.
    let named = props.chat_template.map(|template| template.contains("tools"));
    BackendAbilities {
        version: props.build_info,
        slots: props.total_slots,
        context_length: props.default_generation_settings.and_then(|generation| generation.n_ctx),
        tools: told.or(named),
        vision: props.modalities.and_then(|modalities| modalities.vision),
    }
}

pub(super) fn load(metrics: &str) -> Option<BackendLoad> {
    Some(BackendLoad {
        running: Some(count(metrics, "llamacpp:requests_processing")?),
        waiting: count(metrics, "llamacpp:requests_deferred"),
        kv_cache: metric(metrics, "llamacpp:kv_cache_usage_ratio"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn props_are_read() {
        let props = serde_json::json!({
            "default_generation_settings": {"n_ctx": 2048, "params": {}}, "total_slots": 4, "build_info": "b6000",
            "chat_template": "{% for m in messages %}{% endfor %}", "modalities": {"vision": false, "audio": false},
        });
        let read = abilities(serde_json::from_value(props).expect("props"));
        assert_eq!((read.slots, read.context_length, read.tools), (Some(4), Some(2048), Some(false)));
        assert_eq!(read.version.as_deref(), Some("b6000"));
    }

    #[test]
    fn load_is_read() {
        let text = "llamacpp:requests_processing 2\nllamacpp:requests_deferred 3\n";
        let read = load(text).expect("load");
        assert_eq!((read.running, read.waiting, read.kv_cache), (Some(2), Some(3), None));
        assert!(load("nothing 1\n").is_none());
    }
}
