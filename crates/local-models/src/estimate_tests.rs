use super::*;
use crate::files::model::{Attention, every_other};
use aicockpit_protocol::local_models::Gpu;

const GB: u64 = 1_000_000_000;

/// Numbers of meta-llama/Llama-3.1-8B's `config.json`; the size is that of its Q4_K_M file.
fn llama_8b() -> Facts {
    let attention =
        Attention { layers: 32, embedding: 4096, heads: 32, kv_heads: vec![8], ..Attention::default() };
    Facts {
        context_length: Some(131_072),
        weights_bytes: 4_920_739_232,
        embedding: 4096,
        vocabulary: 128_256,
        layers: attention.layers(|_| None),
        ..Facts::default()
    }
}

/// Numbers of google/gemma-3-27b-it's `text_config`; the size is that of its Q4_0 file.
fn gemma_27b() -> Facts {
    let attention = Attention {
        layers: 62,
        embedding: 5376,
        heads: 32,
        kv_heads: vec![16],
        key_length: Some(128),
        value_length: Some(128),
    };
    Facts {
        context_length: Some(131_072),
        weights_bytes: 17_200_000_000,
        embedding: 5376,
        vocabulary: 262_208,
        layers: attention.layers(every_other(6, 1024)),
        ..Facts::default()
    }
}

fn machine(memory: u64, available: u64, gpus: &[(u64, u64)]) -> Hardware {
    let gpu = |(total, free): &(u64, u64)| Gpu {
        name: "GPU".into(),
        total_bytes: total * GB,
        free_bytes: free * GB,
    };
    Hardware {
        memory_bytes: memory * GB,
        available_bytes: available * GB,
        gpus: gpus.iter().map(gpu).collect(),
    }
}

fn llama(context: Option<u32>) -> Wanted {
    Wanted { context, ..Wanted::new(Runtime::LlamaCpp) }
}

#[test]
fn the_cache_of_known_models_is_what_llama_cpp_says() {
    // llama.cpp: "KV self size = 1024.00 MiB" for Llama 3.1 8B at 8192.
    assert_eq!(cache(&llama_8b(), 8192, 1), 1024 * MIB);
    assert_eq!(cache(&llama_8b(), 8192, 3), 3 * 1024 * MIB);
    // Gemma 3 27B at 32768: ten layers see everything, 52 see 1024 tokens and a batch.
    let layer = 16 * 256 * 2;
    assert_eq!(cache(&gemma_27b(), 32_768, 1), layer * (10 * 32_768 + 52 * 1536));
}

#[test]
fn the_context_is_what_was_trained_where_that_fits() {
    let plan = plan(&llama_8b(), &llama(None), &machine(64, 60, &[]));
    assert_eq!((plan.fit, plan.need.context), (Fit::Memory, 131_072));
    assert_eq!((plan.gpu_bytes, plan.main_bytes), (0, plan.need.total()));
}

#[test]
fn the_context_is_lowered_to_a_power_of_two_that_fits() {
    // 4.9 GB of weights, and 128 KiB for each token.
    let plan = plan(&llama_8b(), &llama(None), &machine(16, 10, &[]));
    assert_eq!((plan.fit, plan.need.context), (Fit::Memory, 16_384));
    assert!(plan.need.total() <= 10 * GB);
    let odd = Facts { context_length: Some(40_960), ..llama_8b() };
    assert_eq!(contexts(&odd, &llama(None)), [40_960, 32_768, 16_384, 8192, 4096, 2048]);
    assert_eq!(contexts(&odd, &llama(Some(1000))), [1000]);
    let hostile = Facts { context_length: Some(u32::MAX), ..llama_8b() };
    assert_eq!(contexts(&hostile, &llama(None)).last(), Some(&2048));
}

#[test]
fn a_gpu_is_taken_where_a_useful_context_fits_in_it() {
    let plan = plan(&llama_8b(), &llama(None), &machine(64, 60, &[(12, 11)]));
    assert_eq!((plan.fit, plan.need.context, plan.gpu_layers), (Fit::Gpu, 32_768, Some(999)));
    assert_eq!(plan.main_bytes, 0);
}

#[test]
fn what_the_gpu_cannot_hold_goes_to_main_memory() {
    let hardware = machine(64, 60, &[(8, 8)]);
    let plan = plan(&gemma_27b(), &llama(Some(8192)), &hardware);
    assert_eq!(plan.fit, Fit::Split);
    let layers = plan.gpu_layers.unwrap();
    assert!((10..30).contains(&layers), "{layers}");
    assert!(plan.gpu_bytes <= 8 * GB && plan.gpu_bytes + plan.main_bytes == plan.need.total());
    let none = Wanted { gpu_layers: Some(0), ..llama(Some(8192)) };
    assert_eq!(super::plan(&gemma_27b(), &none, &hardware).fit, Fit::Memory);
}

#[test]
fn what_does_not_fit_now_is_told_from_what_never_will() {
    let now = estimate(&llama_8b(), &llama(None), &machine(16, 3, &[]));
    assert_eq!((now.fit, now.context_length), (Fit::NotNow, 2048));
    assert!(
        now.sentence.starts_with("Does not fit now: about 5.7 GB are needed and 3.0 GB free."),
        "{}",
        now.sentence
    );
    let never = estimate(&gemma_27b(), &llama(None), &machine(16, 12, &[]));
    assert_eq!(never.fit, Fit::Never);
    assert!(never.sentence.contains("it has 16.0 GB"), "{}", never.sentence);
    let fits = estimate(&llama_8b(), &llama(Some(8192)), &machine(16, 10, &[]));
    assert_eq!(fits.sentence, "Fits in main memory: about 6.5 GB of 10.0 GB free");
}

#[test]
fn vllm_takes_its_share_of_one_gpu() {
    // Llama 3.1 8B in BF16.
    let facts = Facts { weights_bytes: 16_060_522_496, ..llama_8b() };
    let wanted = Wanted { context: Some(16_384), ..Wanted::new(Runtime::Vllm) };
    let whole = plan(&facts, &wanted, &machine(64, 60, &[(24, 24), (24, 2)]));
    assert_eq!((whole.fit, whole.gpu_share), (Fit::Gpu, None));
    assert_eq!(whole.gpu_bytes, 21_600_000_000, "nine tenths, whatever the model needs");
    // A desktop holds some of it: the share is lowered to what is free.
    let busy = machine(64, 60, &[(24, 20)]);
    assert_eq!(plan(&facts, &wanted, &busy).fit, Fit::NotNow);
    let shorter = Wanted { context: Some(4096), ..wanted };
    let shared = plan(&facts, &shorter, &busy);
    assert_eq!((shared.fit, shared.gpu_share), (Fit::Gpu, Some(0.82)));
    let named = Wanted { gpu_share: Some(0.9), ..shorter };
    assert_eq!(plan(&facts, &named, &busy).fit, Fit::NotNow, "a share that is named stays");
}

#[test]
fn vllm_without_a_gpu_sets_its_cache_in_whole_gib() {
    let wanted = Wanted { context: Some(16_384), ..Wanted::new(Runtime::Vllm) };
    let need = need(&llama_8b(), &wanted, 16_384, false);
    assert_eq!((need.cache, need.other), (2 * GIB, 3 * GIB));
}

#[test]
fn hostile_numbers_overflow_nothing() {
    let attention = Attention {
        layers: u32::MAX,
        embedding: u64::MAX,
        heads: u64::MAX,
        kv_heads: vec![u64::MAX],
        key_length: Some(u64::MAX),
        value_length: Some(u64::MAX),
    };
    let facts = Facts {
        context_length: Some(u32::MAX),
        weights_bytes: u64::MAX,
        embedding: u64::MAX,
        vocabulary: u64::MAX,
        layers: attention.layers(|_| Some(u32::MAX)),
        ..Facts::default()
    };
    for runtime in [Runtime::LlamaCpp, Runtime::Vllm] {
        let wanted = Wanted { parallel: Some(u32::MAX), ..Wanted::new(runtime) };
        for hardware in [machine(16, 8, &[]), machine(16, 8, &[(24, 20)])] {
            assert_eq!(estimate(&facts, &wanted, &hardware).fit, Fit::Never);
        }
    }
}
