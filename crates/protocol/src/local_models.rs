//! Model servers that the product starts itself on this machine, and the model files they can serve.

use crate::EngineId;
use serde::{Deserialize, Serialize};
use ts_rs::TS;

/// Minutes without a request after which a server's memory is given back, where the settings name none.
pub const IDLE_MINUTES: u32 = 15;

/// A program that serves models.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum Runtime {
    /// llama.cpp's `llama-server`, for GGUF files.
    LlamaCpp,
    /// vLLM, for folders of safetensors.
    Vllm,
}

/// A container that a model server runs in. It has no network, and of this machine it sees the model and files that its
/// arguments name by their whole path.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, TS)]
pub struct ServerContainer {
    /// An engine of this machine.
    pub engine: EngineId,
    /// The image, by reference. It is pulled where the engine has it not.
    pub image: String,
    /// Whether it gets the GPUs; absent for yes where the engine passes them on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub gpu: Option<bool>,
}

/// A model server that is started here.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, TS)]
pub struct LocalServerSettings {
    /// Its id, which never changes.
    pub id: String,
    /// The model's name that clients ask for.
    pub name: String,
    /// What serves it.
    pub runtime: Runtime,
    /// The container that it runs in; absent for a program of this machine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub container: Option<ServerContainer>,
    /// The GGUF file, or the folder of safetensors.
    pub model: String,
    /// Tokens of context; absent for what the model was trained with, or less where memory asks for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub context_length: Option<u32>,
    /// Requests at once, from 1; absent for the program's own choice.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub parallel: Option<u32>,
    /// Layers on the GPU; absent for as many as fit. llama.cpp only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub gpu_layers: Option<u32>,
    /// More arguments for the program, one each.
    #[serde(default)]
    pub arguments: Vec<String>,
    /// Minutes without a request until it is unloaded; 0 for never; absent for [`IDLE_MINUTES`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub idle_minutes: Option<u32>,
    /// False where it is not to be started, not even by a request.
    #[serde(default = "yes")]
    pub enabled: bool,
}

/// Models of this machine.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize, TS)]
#[serde(default)]
pub struct LocalModelSettings {
    /// Folders to look for models in, besides the usual ones.
    pub folders: Vec<String>,
    /// Path of `llama-server`; absent for the one found.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub llama_server: Option<String>,
    /// Path of a Python that has vLLM, or of a `vllm` program; absent for the one found.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub vllm: Option<String>,
    /// Servers to start.
    pub servers: Vec<LocalServerSettings>,
    /// Several may be loaded although together they would not fit.
    pub overcommit: bool,
}

/// How a model is stored.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum ModelFormat {
    /// llama.cpp's single file, or its parts.
    Gguf,
    /// A folder as on Hugging Face.
    Safetensors,
}

/// Where a model would run.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum Fit {
    /// Whole in the memory of the GPU.
    Gpu,
    /// Partly in the GPU's, the rest in main memory.
    Split,
    /// In main memory.
    Memory,
    /// In neither, as things are now: other programs use the memory.
    NotNow,
    /// Never on this machine.
    Never,
}

/// Whether a model fits, estimated from its file.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, TS)]
pub struct FitEstimate {
    /// Where.
    pub fit: Fit,
    /// Bytes of weights.
    pub weights_bytes: u64,
    /// Bytes of the KV cache at `context_length`.
    pub cache_bytes: u64,
    /// Bytes of all else that the program needs.
    pub other_bytes: u64,
    /// Tokens of context that the estimate is for.
    pub context_length: u32,
    /// For people: "Fits in main memory: about 0.4 GB of 7.1 GB free".
    pub sentence: String,
}

/// What a model's chat template provides for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize, TS)]
pub struct ChatTemplate {
    /// Calls of tools.
    pub tools: bool,
    /// Thinking before the answer.
    pub thinking: bool,
}

/// A model found on this machine.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, TS)]
pub struct LocalModel {
    /// The file, the first of several parts, or the folder.
    pub path: String,
    /// A name for people, from the file's own words or its name.
    pub name: String,
    /// How it is stored.
    pub format: ModelFormat,
    /// Bytes on disk.
    pub bytes: u64,
    /// Its architecture, as the file says: `llama`, `qwen2`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub architecture: Option<String>,
    /// Parameters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub parameters: Option<u64>,
    /// How its weights are stored: `Q4_K_M`, `BF16`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub quantization: Option<String>,
    /// Tokens of context that it was trained with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub context_length: Option<u32>,
    /// Its chat template; absent where its files hold none: it is then no model to chat with, or one whose server must
    /// be told a template.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub chat: Option<ChatTemplate>,
    /// What is wrong with it; then it cannot be served.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub problem: Option<String>,
    /// Whether it fits; absent where it has a problem.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub estimate: Option<FitEstimate>,
}

/// A GPU.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, TS)]
pub struct Gpu {
    /// Its name.
    pub name: String,
    /// Bytes of its memory.
    pub total_bytes: u64,
    /// Bytes of these that are free.
    pub free_bytes: u64,
}

/// What models can run on here.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize, TS)]
pub struct Hardware {
    /// Bytes of main memory.
    pub memory_bytes: u64,
    /// Bytes of it that programs can still have.
    pub available_bytes: u64,
    /// NVIDIA's GPUs.
    pub gpus: Vec<Gpu>,
}

/// How a program is brought up to date.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum UpdateWay {
    /// By `local_models.update`.
    Here {
        /// A version may be named, also an older one.
        versions: bool,
    },
    /// By the person.
    ByHand {
        /// A sentence that tells how, with the command where there is one.
        how: String,
    },
}

/// A program that serves models, as found here.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, TS)]
pub struct RuntimeFound {
    /// Which.
    pub runtime: Runtime,
    /// Its path; absent where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub path: Option<String>,
    /// Its version, as it says itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub version: Option<String>,
    /// Why it cannot be used, or is not found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub problem: Option<String>,
    /// How it is brought up to date; absent where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub update: Option<UpdateWay>,
}

/// An image that serves models.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, TS)]
pub struct ServerImage {
    /// Its reference.
    pub image: String,
    /// What is in it.
    pub runtime: Runtime,
    /// Bytes on disk, where the engine has it; absent for one that would be pulled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub bytes: Option<u64>,
}

/// An engine of this machine, as far as it can run model servers.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, TS)]
pub struct ContainerEngine {
    /// Its id.
    pub engine: EngineId,
    /// Its name for people.
    pub name: String,
    /// It passes GPUs on.
    pub gpu: bool,
    /// Images that it has, and the usual ones.
    pub images: Vec<ServerImage>,
    /// Why it cannot be used now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub problem: Option<String>,
}

/// What there is on this machine.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize, TS)]
pub struct LocalScan {
    /// Models, by name.
    pub models: Vec<LocalModel>,
    /// Folders that were looked at and are there.
    pub folders: Vec<String>,
    /// Folders of the settings that could not be read, with why.
    pub unreadable: Vec<String>,
    /// Programs.
    pub runtimes: Vec<RuntimeFound>,
    /// Engines whose containers can serve models too.
    pub engines: Vec<ContainerEngine>,
    /// Memory.
    pub hardware: Hardware,
}

/// What a server that is started here does now.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum LocalPhase {
    /// It does not run. A request starts it.
    #[default]
    Asleep,
    /// It waits until another one has given its memory back.
    Waiting {
        /// The name of the other.
        for_name: String,
    },
    /// It starts and reads the model.
    Loading {
        /// Part that is done, from 0 to 1, where it can be told.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[ts(optional)]
        progress: Option<f64>,
        /// What it does, as it says itself.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[ts(optional)]
        step: Option<String>,
    },
    /// It answers.
    Ready,
    /// It ends.
    Stopping,
    /// It ended by itself, or did not come up.
    Failed {
        /// What happened, with what to do.
        why: String,
        /// When it is tried again, milliseconds from now; absent where nothing is planned: a request tries again, unless
        /// the cause lasts or it ended too often.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[ts(optional)]
        retry_in_ms: Option<u64>,
    },
}

/// A server that is started here, as it is now.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, TS)]
pub struct LocalServer {
    /// Which.
    pub id: String,
    /// What it does.
    pub phase: LocalPhase,
    /// Since when, milliseconds since 1970.
    pub since_ms: i64,
    /// Its process.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub pid: Option<u32>,
    /// The name of its container, where it runs in one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub container: Option<String>,
    /// Bytes of main memory that it and its children use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub memory_bytes: Option<u64>,
    /// When it is unloaded if nobody asks, milliseconds from now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub idle_in_ms: Option<u64>,
    /// Times it ended by itself since it was last started by hand.
    pub restarts: u32,
}

/// Names a server that is started here.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, TS)]
pub struct LocalServerRef {
    /// The server's id.
    pub server: String,
}

/// What is brought up to date.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum UpdateOf {
    /// A program of this machine.
    Program {
        /// Which.
        runtime: Runtime,
    },
    /// An image.
    Image {
        /// The engine that keeps it.
        engine: EngineId,
        /// Its reference.
        image: String,
    },
}

/// An update to begin. Servers that run what is updated are stopped first, and start again when they are asked for.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, TS)]
pub struct UpdateRequest {
    /// What.
    pub of: UpdateOf,
    /// The version to have, also an older one; absent for the newest. For programs only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub version: Option<String>,
}

/// How far an update is.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum UpdatePhase {
    /// It is under way.
    Running {
        /// Part that is done, from 0 to 1, where it can be told.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[ts(optional)]
        progress: Option<f64>,
        /// What it does, as the program says that does it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[ts(optional)]
        step: Option<String>,
    },
    /// It is done; equal versions: it was up to date.
    Done {
        /// What was there before.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[ts(optional)]
        from: Option<String>,
        /// What is there now.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[ts(optional)]
        to: Option<String>,
    },
    /// It did not come about.
    Failed {
        /// What happened, with what to do.
        why: String,
    },
    /// It was called off.
    Cancelled,
}

/// An update that is under way, or the last of its kind since the start.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, TS)]
pub struct ProgramUpdate {
    /// Of what.
    pub of: UpdateOf,
    /// How far it is.
    pub phase: UpdatePhase,
    /// When it began, milliseconds since 1970.
    pub since_ms: i64,
}

fn yes() -> bool {
    true
}
