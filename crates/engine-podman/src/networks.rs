//! Volumes and networks.

use crate::error::within;
use crate::wire::{Call, label_filter, pairs, text};
use crate::{ORDINARY, PodmanEngine};
use aicockpit_engine::{EngineError, NetworkSpec, NetworkSummary, Result, check_name};
use hyper::Method;
use podman_api::opts::VolumeCreateOpts;
use serde_json::{Value, json};

impl PodmanEngine {
    pub(crate) async fn make_volume(&self, name: &str, labels: &[(String, String)]) -> Result<()> {
        let labels = labels.iter().map(|(key, value)| (key.as_str(), value.as_str()));
        let options = VolumeCreateOpts::builder().name(check_name(name)?).labels(labels).build();
        match within(ORDINARY, self.api()?.volumes().create(&options)).await {
            Ok(_) => Ok(()),
            // The one call where Podman minds what Docker does not.
            Err(EngineError::Conflict(message)) if message.contains("already exists") => Ok(()),
            Err(other) => Err(other),
        }
    }

    pub(crate) async fn volumes(&self, labels: &[(&str, &str)]) -> Result<Vec<String>> {
        let call = Call::get("/volumes/json").query("filters", &label_filter(labels));
        let answer = self.value(call).await?;
        let volumes = answer.as_array().into_iter().flatten();
        // Podman's filter passes a volume that carries one of the labels.
        let carries = |volume: &Value| labels.iter().all(|(key, value)| volume["Labels"][*key] == *value);
        Ok(volumes.filter(|volume| carries(volume)).map(|volume| text(&volume["Name"])).collect())
    }

    pub(crate) async fn forget_volume(&self, name: &str) -> Result<()> {
        let removed = within(ORDINARY, self.api()?.volumes().get(check_name(name)?).delete()).await;
        match removed {
            Err(EngineError::NotFound(_)) => Ok(()),
            other => other,
        }
    }

    pub(crate) async fn make_network(&self, spec: &NetworkSpec) -> Result<()> {
        let labels = spec.labels.iter().map(|(key, value)| (key.clone(), json!(value)));
        let mut body = json!({
            "name": check_name(&spec.name)?,
            "driver": "bridge",
            "dns_enabled": true,
            "labels": labels.collect::<serde_json::Map<_, _>>(),
        });
        if let Some(subnet) = spec.subnet {
            body["subnets"] = json!([{ "subnet": subnet.to_string() }]);
        }
        self.done(Call::post("/networks/create").json(&body)).await
    }

    pub(crate) async fn networks(&self) -> Result<Vec<NetworkSummary>> {
        let answer = self.value(Call::get("/networks/json")).await?;
        let networks = answer.as_array().into_iter().flatten();
        Ok(networks
            .map(|network| NetworkSummary {
                name: text(&network["name"]),
                subnets: network["subnets"]
                    .as_array()
                    .into_iter()
                    .flatten()
                    .filter_map(|range| range["subnet"].as_str()?.parse().ok())
                    .collect(),
                labels: pairs(&network["labels"]),
            })
            .collect())
    }

    pub(crate) async fn forget_network(&self, name: &str) -> Result<()> {
        let call = Call::new(Method::DELETE, format!("/networks/{}", check_name(name)?));
        match self.done(call).await {
            Err(EngineError::NotFound(_)) => Ok(()),
            other => other,
        }
    }
}
