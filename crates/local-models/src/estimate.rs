//! What a model needs of memory, and where it fits. Estimates: the truth is known only once it is loaded.

use crate::files::model::Facts;
use aicockpit_protocol::local_models::{Fit, FitEstimate, Hardware, Runtime};

/// Where neither the file nor the settings name a context.
const DEFAULT_CONTEXT: u32 = 4096;
/// Less context than this is of little use: rather more memory is asked for.
const LEAST_CONTEXT: u32 = 2048;
/// A context for which it is worth to leave the GPU.
const USEFUL_CONTEXT: u32 = 8192;
/// Tokens that are worked on at once: llama.cpp's `--ubatch-size`.
const BATCH: u64 = 512;
const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;
/// vLLM's own choice for `--gpu-memory-utilization`.
const GPU_SHARE: f64 = 0.9;

/// How a model is to be served.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct Wanted {
    pub(crate) runtime: Runtime,
    pub(crate) context: Option<u32>,
    pub(crate) parallel: Option<u32>,
    pub(crate) gpu_layers: Option<u32>,
    /// vLLM's share of each GPU, where the arguments name one.
    pub(crate) gpu_share: Option<f64>,
    /// GPUs that vLLM uses.
    pub(crate) gpus: u32,
}

impl Wanted {
    pub(crate) fn new(runtime: Runtime) -> Self {
        Self { runtime, context: None, parallel: None, gpu_layers: None, gpu_share: None, gpus: 1 }
    }
}

/// Bytes that a model needs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Need {
    pub(crate) context: u32,
    pub(crate) weights: u64,
    pub(crate) cache: u64,
    pub(crate) other: u64,
}

impl Need {
    pub(crate) fn total(self) -> u64 {
        self.weights.saturating_add(self.cache).saturating_add(self.other)
    }
}

/// Where a model goes, and with what.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct Plan {
    pub(crate) fit: Fit,
    pub(crate) need: Need,
    /// Bytes of the GPUs' memory that it takes.
    pub(crate) gpu_bytes: u64,
    /// Bytes of main memory that it takes.
    pub(crate) main_bytes: u64,
    /// llama.cpp's `--n-gpu-layers`.
    pub(crate) gpu_layers: Option<u32>,
    /// vLLM's `--gpu-memory-utilization`, where its own choice would not do.
    pub(crate) gpu_share: Option<f64>,
}

/// Memory that one model may use.
#[derive(Clone, Copy)]
struct Space {
    /// Free, less some that stays free.
    free: u64,
    /// Ever.
    total: u64,
    /// Both as they are.
    whole: (u64, u64),
}

impl Space {
    fn new(free: u64, total: u64) -> Self {
        let kept = total / 20;
        Self { free: free.saturating_sub(kept), total: total.saturating_sub(kept), whole: (free, total) }
    }
}

fn gpu_space(hardware: &Hardware, wanted: &Wanted) -> Option<Space> {
    let mut gpus: Vec<_> = hardware.gpus.iter().collect();
    gpus.sort_by_key(|gpu| std::cmp::Reverse(gpu.free_bytes));
    if wanted.runtime == Runtime::Vllm {
        gpus.truncate(usize::try_from(wanted.gpus.max(1)).unwrap_or(usize::MAX));
    }
    let sum = |bytes: fn(&aicockpit_protocol::local_models::Gpu) -> u64| {
        gpus.iter().fold(0u64, |sum, gpu| sum.saturating_add(bytes(gpu)))
    };
    (!gpus.is_empty()).then(|| Space::new(sum(|gpu| gpu.free_bytes), sum(|gpu| gpu.total_bytes)))
}

/// Bytes of the keys and values of all layers.
fn cache(facts: &Facts, context: u32, parallel: u32) -> u64 {
    let (context, parallel) = (u64::from(context), u64::from(parallel.max(1)));
    let layer = |layer: &crate::files::model::Layer| {
        // A window is kept for each sequence, with what is worked on at once.
        let window = layer.window.map_or(u64::MAX, |window| u64::from(window) + BATCH);
        let tokens = context.min(window).saturating_mul(parallel);
        layer.per_token.saturating_mul(2).saturating_mul(tokens)
    };
    facts.layers.iter().map(layer).fold(0u64, u64::saturating_add)
}

/// What is needed at this context; `gpu` where it goes to one.
pub(crate) fn need(facts: &Facts, wanted: &Wanted, context: u32, gpu: bool) -> Need {
    let cache = cache(facts, context, wanted.parallel.unwrap_or(1));
    let (cache, other) = match wanted.runtime {
        Runtime::LlamaCpp => {
            // Scores of all words for each token of a batch, and the vectors between layers.
            let row = facts.vocabulary.saturating_add(facts.embedding.saturating_mul(8));
            let fixed = if gpu { 450 * MIB } else { 128 * MIB };
            (cache, row.saturating_mul(BATCH * 4).saturating_add(fixed))
        }
        Runtime::Vllm if gpu => (cache, 2 * GIB),
        // Python, torch and its kernels; the cache is set in whole GiB.
        Runtime::Vllm => (cache.div_ceil(GIB).max(1).saturating_mul(GIB), 3 * GIB),
    };
    Need { context, weights: facts.weights_bytes, cache, other }
}

/// Contexts worth a try, the longest first.
fn contexts(facts: &Facts, wanted: &Wanted) -> Vec<u32> {
    if let Some(context) = wanted.context {
        return vec![context];
    }
    let trained = facts.context_length.filter(|tokens| *tokens > 0).unwrap_or(DEFAULT_CONTEXT);
    let mut contexts = vec![trained];
    let mut next = 1u32 << trained.ilog2();
    while next >= LEAST_CONTEXT {
        if next < trained {
            contexts.push(next);
        }
        next /= 2;
    }
    contexts
}

/// Decides where a model goes.
pub(crate) fn plan(facts: &Facts, wanted: &Wanted, hardware: &Hardware) -> Plan {
    let contexts = contexts(facts, wanted);
    let useful = contexts.first().copied().unwrap_or(DEFAULT_CONTEXT).min(USEFUL_CONTEXT);
    let main = Space::new(hardware.available_bytes, hardware.memory_bytes);
    let gpu = gpu_space(hardware, wanted).filter(|_| wanted.gpu_layers != Some(0));
    if let Some(gpu) = gpu {
        let usable =
            |context: &&u32| wanted.gpu_layers.is_none() && (**context >= useful || wanted.context.is_some());
        for context in contexts.iter().filter(usable) {
            if let Some(plan) = on_gpu(need(facts, wanted, *context, true), wanted, gpu) {
                return plan;
            }
        }
    }
    let gpu = gpu.filter(|_| wanted.runtime == Runtime::LlamaCpp);
    // vLLM does not share a model between a GPU and main memory.
    let shared = wanted.runtime == Runtime::LlamaCpp || hardware.gpus.is_empty();
    for context in contexts.iter().filter(|_| shared) {
        let need = need(facts, wanted, *context, gpu.is_some());
        if let Some(plan) = within(need, facts, wanted, gpu, main) {
            return plan;
        }
    }
    let on_gpu = !hardware.gpus.is_empty() && (wanted.gpu_layers != Some(0) || !shared);
    let need = need(facts, wanted, contexts.last().copied().unwrap_or(DEFAULT_CONTEXT), on_gpu);
    let most = match wanted.runtime {
        Runtime::Vllm if on_gpu => gpu_space(hardware, wanted).map_or(0, |gpu| gpu.total),
        _ => main.total.saturating_add(gpu.map_or(0, |gpu| gpu.total)),
    };
    let fit = if need.total() > most { Fit::Never } else { Fit::NotNow };
    let layers = split_layers(need, facts, wanted, gpu);
    let gpu_bytes = match wanted.runtime {
        Runtime::Vllm if on_gpu => need.total(),
        _ => share(need, facts, layers),
    };
    let main_bytes = need.total().saturating_sub(gpu_bytes);
    Plan { fit, need, gpu_bytes, main_bytes, gpu_layers: layers, gpu_share: None }
}

fn on_gpu(need: Need, wanted: &Wanted, gpu: Space) -> Option<Plan> {
    let total = need.total();
    match wanted.runtime {
        Runtime::LlamaCpp => (total <= gpu.free).then_some(Plan {
            fit: Fit::Gpu,
            need,
            gpu_bytes: total,
            main_bytes: 0,
            // More than any model has: all.
            gpu_layers: Some(999),
            gpu_share: None,
        }),
        Runtime::Vllm => {
            let share = wanted.gpu_share.unwrap_or(GPU_SHARE);
            let (free_bytes, all) = gpu.whole;
            let free = free_bytes as f64 / all.max(1) as f64;
            // vLLM refuses to start where its share is not free. It takes two digits.
            let lowered =
                (wanted.gpu_share.is_none() && free < share).then(|| ((free - 0.01) * 100.0).floor() / 100.0);
            let taken = (all as f64 * lowered.unwrap_or(share)) as u64;
            (total <= taken && taken <= free_bytes).then_some(Plan {
                fit: Fit::Gpu,
                need,
                gpu_bytes: taken,
                main_bytes: 2 * GIB,
                gpu_layers: None,
                gpu_share: lowered,
            })
        }
    }
}

/// In main memory, or in both.
fn within(need: Need, facts: &Facts, wanted: &Wanted, gpu: Option<Space>, main: Space) -> Option<Plan> {
    let layers = split_layers(need, facts, wanted, gpu);
    let gpu_bytes = share(need, facts, layers);
    let main_bytes = need.total().saturating_sub(gpu_bytes);
    let enough = gpu_bytes <= gpu.map_or(0, |gpu| gpu.free) && main_bytes <= main.free;
    let all = layers.is_some_and(|layers| layers as usize > facts.layers.len());
    let fit = match gpu_bytes {
        0 => Fit::Memory,
        _ if all => Fit::Gpu,
        _ => Fit::Split,
    };
    enough.then_some(Plan { fit, need, gpu_bytes, main_bytes, gpu_layers: layers, gpu_share: None })
}

/// Layers for the GPU: those that were asked for, or as many as fit.
fn split_layers(need: Need, facts: &Facts, wanted: &Wanted, gpu: Option<Space>) -> Option<u32> {
    if wanted.runtime != Runtime::LlamaCpp {
        return None;
    }
    if wanted.gpu_layers.is_some() {
        return wanted.gpu_layers;
    }
    let layers = u64::try_from(facts.layers.len()).unwrap_or(0);
    let each = need.weights.saturating_add(need.cache).checked_div(layers)?;
    let fit = gpu?.free.saturating_sub(need.other).checked_div(each)?.min(layers);
    u32::try_from(fit).ok()
}

/// Bytes of so many layers.
fn share(need: Need, facts: &Facts, layers: Option<u32>) -> u64 {
    let (all, layers) = (facts.layers.len() as u64, u64::from(layers.unwrap_or(0)));
    if layers == 0 || all == 0 {
        return 0;
    }
    let moved = need.weights.saturating_add(need.cache);
    let part = u128::from(moved) * u128::from(layers.min(all)) / u128::from(all);
    u64::try_from(part).unwrap_or(u64::MAX).saturating_add(need.other)
}

/// As people see it.
pub(crate) fn estimate(facts: &Facts, wanted: &Wanted, hardware: &Hardware) -> FitEstimate {
    let plan = plan(facts, wanted, hardware);
    FitEstimate {
        fit: plan.fit,
        weights_bytes: plan.need.weights,
        cache_bytes: plan.need.cache,
        other_bytes: plan.need.other,
        context_length: plan.need.context,
        sentence: sentence(&plan, wanted, hardware),
    }
}

fn sentence(plan: &Plan, wanted: &Wanted, hardware: &Hardware) -> String {
    let total = plan.need.total();
    let sum = |bytes: fn(&aicockpit_protocol::local_models::Gpu) -> u64| {
        hardware.gpus.iter().fold(0u64, |sum, gpu| sum.saturating_add(bytes(gpu)))
    };
    let gpu_free = sum(|gpu| gpu.free_bytes);
    let only_gpu = wanted.runtime == Runtime::Vllm && !hardware.gpus.is_empty();
    match plan.fit {
        Fit::Gpu => format!("Fits in the GPU: about {} of {} free", gb(total), gb(gpu_free)),
        Fit::Memory => {
            format!("Fits in main memory: about {} of {} free", gb(total), gb(hardware.available_bytes))
        }
        Fit::Split => format!(
            "Fits partly in the GPU, and is slower than wholly in it: about {} of {} free there, {} of {} free in \
             main memory",
            gb(plan.gpu_bytes),
            gb(gpu_free),
            gb(plan.main_bytes),
            gb(hardware.available_bytes)
        ),
        Fit::NotNow => {
            let free = if only_gpu { gpu_free } else { gpu_free.saturating_add(hardware.available_bytes) };
            format!(
                "Does not fit now: about {} are needed and {} free. End other programs, or choose a shorter context",
                gb(total),
                gb(free)
            )
        }
        Fit::Never => {
            let all = sum(|gpu| gpu.total_bytes);
            let all = if only_gpu { all } else { all.saturating_add(hardware.memory_bytes) };
            format!(
                "Does not fit on this machine: about {} are needed, it has {}. Choose a smaller model, or one that is \
                 quantized more",
                gb(total),
                gb(all)
            )
        }
    }
}

/// Bytes for people.
pub(crate) fn gb(bytes: u64) -> String {
    format!("{:.1} GB", bytes as f64 / 1e9)
}

#[cfg(test)]
#[path = "estimate_tests.rs"]
mod tests;
