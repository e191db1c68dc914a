//! Volumes and networks.

use crate::error::engine_error;
use crate::{DockerEngine, label_filter, sorted};
use aicockpit_engine::{EngineError, NetworkSpec, NetworkSummary, Result, check_name};
use bollard::models::{Ipam, IpamConfig, Network, NetworkCreateRequest, VolumeCreateRequest};
use bollard::query_parameters as query;

impl DockerEngine {
    pub(crate) async fn make_volume(&self, name: &str, labels: &[(String, String)]) -> Result<()> {
        let request = VolumeCreateRequest {
            name: Some(check_name(name)?.to_owned()),
            labels: Some(labels.iter().cloned().collect()),
            ..VolumeCreateRequest::default()
        };
        self.client().await?.create_volume(request).await.map_err(engine_error)?;
        Ok(())
    }

    pub(crate) async fn volumes(&self, labels: &[(&str, &str)]) -> Result<Vec<String>> {
        let options = query::ListVolumesOptionsBuilder::new().filters(&label_filter(labels)).build();
        let answer = self.client().await?.list_volumes(Some(options)).await.map_err(engine_error)?;
        Ok(answer.volumes.unwrap_or_default().into_iter().map(|volume| volume.name).collect())
    }

    pub(crate) async fn forget_volume(&self, name: &str) -> Result<()> {
        let options = None::<query::RemoveVolumeOptions>;
        match self.client().await?.remove_volume(check_name(name)?, options).await.map_err(engine_error) {
            Err(EngineError::NotFound(_)) => Ok(()),
            other => other,
        }
    }

    pub(crate) async fn make_network(&self, spec: &NetworkSpec) -> Result<()> {
        let name = check_name(&spec.name)?;
        // Docker before 25 makes a second network of the same name without a word.
        if self.networks().await?.iter().any(|network| network.name == name) {
            return Err(EngineError::Conflict(format!("a network named {name} already exists")));
        }
        let request = NetworkCreateRequest {
            name: name.to_owned(),
            driver: Some("bridge".to_owned()),
            ipam: spec.subnet.map(|subnet| Ipam {
                config: Some(vec![IpamConfig { subnet: Some(subnet.to_string()), ..IpamConfig::default() }]),
                ..Ipam::default()
            }),
            labels: Some(spec.labels.iter().cloned().collect()),
            ..NetworkCreateRequest::default()
        };
        self.client().await?.create_network(request).await.map_err(engine_error)?;
        Ok(())
    }

    pub(crate) async fn networks(&self) -> Result<Vec<NetworkSummary>> {
        let options = None::<query::ListNetworksOptions>;
        let answer = self.client().await?.list_networks(options).await.map_err(engine_error)?;
        Ok(answer.into_iter().map(summary).collect())
    }

    pub(crate) async fn forget_network(&self, name: &str) -> Result<()> {
        match self.client().await?.remove_network(check_name(name)?).await.map_err(engine_error) {
            Err(EngineError::NotFound(_)) => Ok(()),
            other => other,
        }
    }
}

fn summary(network: Network) -> NetworkSummary {
    let ranges = network.ipam.and_then(|ipam| ipam.config).unwrap_or_default();
    NetworkSummary {
        name: network.name.unwrap_or_default(),
        subnets: ranges.iter().filter_map(|range| range.subnet.as_deref()?.parse().ok()).collect(),
        labels: sorted(network.labels),
    }
}
