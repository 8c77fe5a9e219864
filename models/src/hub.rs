//! Names of files on the model hub: `hf.co/USER/REPO:QUANT` and `hf.co/USER/REPO/FILE.gguf`, as
//! Ollama and llama.cpp take them.

use crate::error::{Class, Error, Outcome};
use crate::remote;
use serde_json::Value;
use std::env;

/// Where the hub is, unless `$HF_ENDPOINT` names a mirror, as for the hub's own tools.
const HUB: &str = "https://huggingface.co";
/// What is meant where no quant is named.
const QUANT: &str = "Q4_K_M";

/// The address of a model that is not here: `name` if it is one, or that of the file which a name
/// of the hub means. None for any other name.
///
/// # Errors
///
/// If a name of the hub is not complete, or its repository has no such file.
pub fn address(name: &str) -> Outcome<Option<String>> {
    if ["http://", "https://"].iter().any(|scheme| name.starts_with(scheme)) {
        return Ok(Some(name.into()));
    }
    let hubs = ["hf.co/", "huggingface.co/"];
    let Some(path) = hubs.iter().find_map(|hub| name.strip_prefix(hub)) else { return Ok(None) };
    let hub = env::var("HF_ENDPOINT").unwrap_or_else(|_| HUB.into());
    let hub = hub.trim_end_matches('/');
    let parts: Vec<_> = path.splitn(3, '/').collect();
    let plain = |part: &&str| {
        let known = |c: char| c.is_ascii_alphanumeric() || "-_.:/".contains(c);
        !part.is_empty() && part.chars().all(known) && !part.contains("..")
    };
    let whole = parts.iter().all(plain);
    let file = |repository: String, file: &str| format!("{hub}/{repository}/resolve/main/{file}");
    match parts[..] {
        [user, repository] if whole => {
            let (repository, quant) = repository.split_once(':').unwrap_or((repository, QUANT));
            let repository = format!("{user}/{repository}");
            let files = files(&format!("{hub}/api/models/{repository}"))?;
            let chosen = choose(&files, quant).map_err(|error| error.about(name))?;
            Ok(Some(file(repository, chosen)))
        }
        [user, repository, path] if whole => Ok(Some(file(format!("{user}/{repository}"), path))),
        _ => {
            let message = "a name of the hub is hf.co/USER/REPO:QUANT or hf.co/USER/REPO/FILE.gguf";
            Err(Error::new(Class::Usage, message).about(name))
        }
    }
}

/// The names of a repository's model files.
fn files(address: &str) -> Outcome<Vec<String>> {
    let told: Value = serde_json::from_slice(&remote::page(address)?).map_err(|error| {
        Error::new(Class::Failed, format!("the hub's list is not JSON: {error}")).about(address)
    })?;
    let all = told["siblings"].as_array().into_iter().flatten();
    let names = all.filter_map(|file| file["rfilename"].as_str());
    Ok(names.filter(|name| name.ends_with(".gguf")).map(Into::into).collect())
}

/// The file whose name ends with the quant, in small letters or capitals; the shortest of many.
fn choose<'f>(files: &'f [String], quant: &str) -> Outcome<&'f str> {
    let quant = quant.to_ascii_lowercase();
    let is_it = |file: &&String| {
        let stem = file.trim_end_matches(".gguf").to_ascii_lowercase();
        let before = stem.strip_suffix(&quant);
        before.is_some_and(|before| before.is_empty() || before.ends_with(['-', '.', '_', '/']))
    };
    let chosen = files.iter().filter(is_it).min_by_key(|file| file.len());
    chosen.map(String::as_str).ok_or_else(|| {
        let all = if files.is_empty() { "no GGUF files".into() } else { files.join(", ") };
        Error::new(Class::Missing, format!("no file ends with {quant}.gguf; there are {all}"))
    })
}

#[cfg(test)]
mod tests {
    use super::{address, choose};

    #[test]
    fn the_quant_is_the_end_of_the_name() {
        let files = ["A-Q4_K_M.gguf", "A-Q4_K_M-long.gguf", "q8_0/A-iq4_nl.gguf", "B-xQ4_K_M.gguf"]
            .map(String::from);
        assert_eq!(choose(&files, "q4_k_m").ok(), Some("A-Q4_K_M.gguf"));
        assert_eq!(choose(&files, "IQ4_NL").ok(), Some("q8_0/A-iq4_nl.gguf"));
        assert!(choose(&files, "Q4_0").is_err() && choose(&[], "Q4_0").is_err());
    }

    #[test]
    fn names_that_are_none_of_the_hub() {
        assert_eq!(address("models/hf.co/a/b/c.gguf").ok(), Some(None));
        for name in
            ["hf.co/", "hf.co/a", "hf.co/a/", "hf.co//b", "hf.co/a/../b.gguf", "hf.co/a/b?c"]
        {
            assert!(address(name).is_err(), "{name}");
        }
    }
}
