//! A cluster against the suite that every engine passes.

use crate::common::{TestNamespace, image};
use aicockpit_engine::{Engine as _, Fixture, conformance_of};

#[tokio::test(flavor = "multi_thread")]
async fn kubernetes_passes_the_conformance_suite() {
    let namespace = TestNamespace::new(&[]).await;
    let engine = namespace.engine();
    let version = engine.probe().await.expect("the cluster answers");
    println!("Kubernetes {}, {:?}", version.version, version.capabilities);
    for note in &version.notes {
        println!("note: {note}");
    }
    let fixture = Fixture { image: image(), prefix: format!("aicockpit-test-k{}", std::process::id()) };
    let filter = std::env::var("AICOCKPIT_TEST_CASES").unwrap_or_default();
    let report = conformance_of(engine, &fixture, &filter).await;
    for name in &report.passed {
        println!("passed    {name}");
    }
    for (name, reason) in &report.declined {
        println!("declined  {name}: {reason}");
    }
    for (name, failure) in &report.failed {
        println!("FAILED    {name}: {failure}");
    }
    namespace.remove().await;
    assert!(report.failed.is_empty(), "{} cases failed", report.failed.len());
    assert!(!report.passed.is_empty(), "no case ran");
}
