//! A model, as far as its memory and its name need it.

use aicockpit_protocol::local_models::ChatTemplate;

/// Most layers that are believed of a file.
pub(crate) const MAX_LAYERS: u32 = 4096;

/// What is known of a model.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Facts {
    pub(crate) architecture: Option<String>,
    pub(crate) name: Option<String>,
    pub(crate) parameters: Option<u64>,
    pub(crate) quantization: Option<String>,
    /// Tokens of context that it was trained with.
    pub(crate) context_length: Option<u32>,
    /// Bytes of all its files.
    pub(crate) weights_bytes: u64,
    /// Length of the vector that goes from layer to layer.
    pub(crate) embedding: u64,
    /// Tokens that it knows.
    pub(crate) vocabulary: u64,
    /// What its chat template provides for, where there is one.
    pub(crate) chat: Option<ChatTemplate>,
    /// What each layer keeps for tokens that were seen.
    pub(crate) layers: Vec<Layer>,
}

/// What one layer keeps.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Layer {
    /// Numbers kept for each token: keys and values of all heads.
    pub(crate) per_token: u64,
    /// Tokens after which older ones are forgotten.
    pub(crate) window: Option<u32>,
}

/// Heads of attention, as a model's description gives them.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Attention {
    pub(crate) layers: u32,
    pub(crate) embedding: u64,
    pub(crate) heads: u64,
    /// One for all layers, or one each. Without them, each head has its own.
    pub(crate) kv_heads: Vec<u64>,
    pub(crate) key_length: Option<u64>,
    pub(crate) value_length: Option<u64>,
}

impl Attention {
    /// What each layer keeps; `window` tells which of them forget.
    pub(crate) fn layers(&self, window: impl Fn(u32) -> Option<u32>) -> Vec<Layer> {
        let head = self.embedding.checked_div(self.heads).unwrap_or(0);
        let lengths = self.key_length.unwrap_or(head).saturating_add(self.value_length.unwrap_or(head));
        let layer = |index: u32| {
            let own = usize::try_from(index).ok().and_then(|index| self.kv_heads.get(index));
            let kv_heads = match self.kv_heads.as_slice() {
                [] => self.heads,
                [one] => *one,
                more => own.or(more.last()).copied().unwrap_or(0),
            };
            Layer { per_token: kv_heads.saturating_mul(lengths), window: window(index) }
        };
        (0..self.layers.min(MAX_LAYERS)).map(layer).collect()
    }
}

/// Which layers forget what is older than `window`, for a model of which every `period`-th layer sees everything.
pub(crate) fn every_other(period: u32, window: u32) -> impl Fn(u32) -> Option<u32> {
    move |layer| (period > 1 && (layer + 1) % period != 0).then_some(window)
}
