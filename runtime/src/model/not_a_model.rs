//! GGUF files that hold something else than a model which can be run.

use super::part::Part;
use super::{Gguf, Number};
use crate::error::{Contents, Error, KeyFault};

impl Gguf<'_> {
    /// Refuses what is no model by what the file says it is: an adapter, a projector and the like,
    /// a vocabulary alone, or a mixture of experts.
    ///
    /// # Errors
    ///
    /// [`Error::Contents`], or an [`Error::Key`] that tells of the experts.
    pub fn check_is_model(&self) -> Result<(), Error> {
        let of_architecture = match self.architecture() {
            "clip" => Some(Contents::Projector),
            "imatrix" => Some(Contents::ImportanceMatrix),
            "controlvector" => Some(Contents::ControlVector),
            _ => None,
        };
        let contents = of_part(self.first());
        let is_bare = self.tensors().next().is_none();
        let contents = contents.or(of_architecture).or(is_bare.then_some(Contents::Vocabulary));
        if let Some(contents) = contents {
            return Err(Error::Contents(contents));
        }
        let experts = self.hyper("expert_count");
        match self.value(experts).and_then(|value| value.unsigned()) {
            Some(found @ 1..) => {
                let found = Number::Unsigned(found);
                let must = "0; a mixture of experts is not supported, take a model without experts";
                Err(Error::key(experts, KeyFault::Number { found, must }))
            }
            _ => Ok(()),
        }
    }
}

/// What a file without `general.architecture` holds, as far as it says so in `general.type`.
pub(crate) fn of_part(part: &Part<'_>) -> Option<Contents> {
    let mut values = part.values();
    let value = values.find(|(key, _)| *key == "general.type").map(|(_, value)| value);
    value.and_then(|value| value.text()).and_then(of_type)
}

/// What `general.type` says. Source: `GGUFType` in `constants.py` of the package `gguf`.
fn of_type(name: &[u8]) -> Option<Contents> {
    match name {
        b"adapter" => Some(Contents::Adapter),
        b"mmproj" => Some(Contents::Projector),
        b"imatrix" => Some(Contents::ImportanceMatrix),
        b"control-vector" => Some(Contents::ControlVector),
        b"vocab" => Some(Contents::Vocabulary),
        _ => None,
    }
}

/// What the models of a foreign architecture are, where that tells why none of it runs.
///
/// Source of the names: `llama-arch.cpp` of llama.cpp, and for images `loader.py` of ComfyUI-GGUF.
pub(crate) fn kind_of(architecture: &str) -> Option<&'static str> {
    const EXPERTS: [&str; 12] = [
        "arctic",
        "dbrx",
        "deepseek",
        "deepseek2",
        "deepseek32",
        "gpt-oss",
        "grok",
        "jamba",
        "kimi-linear",
        "llama4",
        "minimax-m2",
        "dots1",
    ];
    const IMAGES: [&str; 12] = [
        "flux",
        "sd1",
        "sdxl",
        "sd3",
        "aura",
        "ltxv",
        "hyvid",
        "wan",
        "hidream",
        "cosmos",
        "lumina2",
        "qwen_image",
    ];
    const SOUND: [&str; 4] = ["wavtokenizer-dec", "whisper", "qwen3tts", "pockettts"];
    let has = |part| architecture.contains(part);
    Some(match architecture {
        _ if has("bert") || has("embed") && !has("pangu") => {
            "a model of embeddings, which writes no text"
        }
        _ if has("moe") || EXPERTS.contains(&architecture) => "a mixture of experts",
        _ if has("rwkv") || has("mamba") => "a recurrent model",
        _ if IMAGES.contains(&architecture) => "a model of images",
        _ if SOUND.contains(&architecture) => "a model of sound",
        "t5" | "t5encoder" => "an encoder of text",
        "dream" | "llada" => "a diffusion model",
        _ => return None,
    })
}
