//! vLLM: `/metrics` says how busy it is, `/version` what it is. Its list of models holds the context's length.

use super::{TELL_WITHIN, count, metric};
use crate::backend::Backend;
use aicockpit_protocol::broker::{BackendAbilities, BackendLoad, ModelInfo};
use serde::Deserialize;

pub(super) async fn survey(backend: &Backend, models: &[ModelInfo]) -> BackendAbilities {
    #[derive(Deserialize)]
    struct Version {
        version: String,
    }
    let version = backend.read_json::<Version>(backend.beside("version"), TELL_WITHIN).await;
    BackendAbilities {
        version: version.ok().map(|version| version.version),
        context_length: models.iter().find_map(|model| model.context_length),
        ..BackendAbilities::default()
    }
}

pub(super) fn load(metrics: &str) -> Option<BackendLoad> {
    Some(BackendLoad {
        running: Some(count(metrics, "vllm:num_requests_running")?),
        waiting: count(metrics, "vllm:num_requests_waiting"),
        // Called gpu_cache_usage_perc before version 0.10.
        kv_cache: metric(metrics, "vllm:kv_cache_usage_perc")
            .or_else(|| metric(metrics, "vllm:gpu_cache_usage_perc")),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn load_is_read() {
        let text = "# TYPE vllm:num_requests_running gauge\n\
                    vllm:num_requests_running{engine=\"0\",model_name=\"m\"} 4.0\n\
                    vllm:num_requests_waiting{engine=\"0\",model_name=\"m\"} 7.0\n\
                    vllm:num_requests_waiting_by_reason{engine=\"0\",reason=\"capacity\"} 9.0\n\
                    vllm:kv_cache_usage_perc{engine=\"0\",model_name=\"m\"} 0.25\n";
        let read = load(text).expect("load");
        assert_eq!((read.running, read.waiting, read.kv_cache), (Some(4), Some(7), Some(0.25)));
    }
}
