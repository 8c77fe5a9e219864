//! Whether a word looks like a model's name, and which names are like it.
//!
//! Who asks for a model that is not there must not be answered by another one, and who begins a
//! prompt with "TCP/IP" or "10:30" means no model.

/// Families of models that people run, whose names are no words of a language.
const FAMILIES: [&str; 33] = [
    "aya-expanse",
    "baichuan",
    "chatglm",
    "codellama",
    "codestral",
    "deepseek",
    "devstral",
    "exaone",
    "gemma",
    "glm",
    "gpt-oss",
    "internlm",
    "llama",
    "magistral",
    "minicpm",
    "ministral",
    "mistral",
    "mixtral",
    "nemotron",
    "olmo",
    "openchat",
    "openhermes",
    "openthinker",
    "qwen",
    "qwq",
    "r1",
    "smollm",
    "stablelm",
    "starcoder",
    "tinyllama",
    "tulu",
    "vicuna",
    "wizardlm",
];

/// Families whose names are words, too: they mean a model where a number follows.
const WORDS: [&str; 13] = [
    "command-r",
    "dolphin",
    "falcon",
    "granite",
    "hermes",
    "hunyuan",
    "kimi",
    "orca",
    "phi",
    "reflection",
    "solar",
    "yi",
    "zephyr",
];

/// Parts of names that tell what was made of a model.
const MADE: [&str; 6] = ["bf16", "distill", "f16", "fp16", "gguf", "instruct"];

/// Least likeness of a name that is worth telling.
const NEAR: f64 = 0.6;

/// Whether a word can only be a file's: a path, or a name with an ending.
pub(crate) fn like_file(word: &str) -> bool {
    word.contains('/')
        || word.rsplit_once('.').is_some_and(|(name, end)| !name.is_empty() && !end.is_empty())
}

/// Whether a word looks like a model, as `next` comes behind it on the command line and there are
/// models of these `names`.
pub(crate) fn like_model(word: &str, next: Option<&str>, names: &[String]) -> bool {
    let low = word.to_lowercase();
    if low.ends_with(".gguf") {
        return true;
    }
    // More than one word is a prompt, and so is one that ends like a sentence.
    if word.contains(char::is_whitespace) || word.ends_with([',', ';', ':', '!', '?']) {
        return false;
    }
    let is_alone = next.is_none_or(|next| next.contains(char::is_whitespace));
    is_path(word)
        || is_tagged(&low)
        || is_version(&low)
        || is_family(&low)
        || names.iter().any(|name| is_like(&low, &name.to_lowercase(), is_alone))
        || is_named_beside_a_quote(word, next)
}

/// `./x`, `/x`, `~/x`, `../x`, or a name in a folder that is there.
fn is_path(word: &str) -> bool {
    let begins = ["/", "./", "../", "~/", "http://", "https://", "hf.co/", "huggingface.co/"];
    let folder = word.rsplit_once('/').map(|(folder, _)| folder);
    begins.iter().any(|begin| word.starts_with(begin))
        || folder.is_some_and(|folder| !folder.is_empty() && std::path::Path::new(folder).is_dir())
}

/// `llama3:8b`, but not `10:30` or `a::b`.
fn is_tagged(low: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-/".contains(c);
    low.split_once(':').is_some_and(|(name, tag)| {
        name.contains(|c: char| c.is_ascii_alphabetic())
            && !tag.is_empty()
            && [name, tag].iter().all(|part| part.chars().all(plain))
    })
}

/// A part of a name says how large the model is, or in what format.
fn is_version(low: &str) -> bool {
    let mut parts = low.split(['-', '_', '/', ':']);
    parts.next().is_some()
        && parts.any(|part| is_size(part) || is_quant(part) || MADE.contains(&part))
}

/// `7b`, `1.5b`, `135m`, `8x7b`.
fn is_size(part: &str) -> bool {
    let number = part.strip_suffix(['b', 'm']).unwrap_or_default();
    number.starts_with(|c: char| c.is_ascii_digit())
        && number.chars().all(|c| c.is_ascii_digit() || c == '.' || c == 'x')
}

/// `q4`, `q8`, `iq4`.
fn is_quant(part: &str) -> bool {
    let bits = part.trim_start_matches('i').strip_prefix('q').unwrap_or_default();
    bits.len() == 1 && bits.starts_with(|c: char| c.is_ascii_digit())
}

fn is_family(low: &str) -> bool {
    let low = low.rsplit('/').next().unwrap_or(low);
    let rest = |family: &&str| low.strip_prefix(family);
    let goes_on = |rest: &str| {
        rest.is_empty() || rest.starts_with(|c: char| c.is_ascii_digit() || "-_.".contains(c))
    };
    FAMILIES.iter().filter_map(rest).any(goes_on)
        || WORDS
            .iter()
            .filter_map(rest)
            .any(|rest| goes_on(rest) && rest.contains(|c: char| c.is_ascii_digit()))
}

/// Whether a word is the name of a model but for letters' cases, a slip, or its end.
fn is_like(low: &str, name: &str, is_alone: bool) -> bool {
    let begins = name.strip_prefix(low).is_some_and(|rest| rest.starts_with(['-', '_', '.', ':']));
    low == name || is_slip(low, name) || begins && low.len() > 2 && is_alone
}

/// Whether one letter is wrong, or two of a long name; the first one seldom is.
fn is_slip(low: &str, name: &str) -> bool {
    let most = match low.len() {
        ..4 => return false,
        4..9 => 1,
        _ => 2,
    };
    low.chars().next() == name.chars().next() && strsim::damerau_levenshtein(low, name) <= most
}

/// `mymodel "Why is the sky blue?"`: who quotes the prompt alone means the word before as something
/// else.
fn is_named_beside_a_quote(word: &str, next: Option<&str>) -> bool {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "._-".contains(c);
    word.chars().all(plain) && next.is_some_and(|next| next.contains(char::is_whitespace))
}

/// Up to three names that are like a word, the nearest first.
pub(crate) fn nearest(word: &str, names: &[String]) -> Vec<String> {
    let low = word.rsplit('/').next().unwrap_or(word).to_lowercase();
    let mut near: Vec<_> = names.iter().map(|name| (nearness(&low, name), name)).collect();
    near.retain(|(nearness, _)| *nearness >= NEAR);
    near.sort_by(|a, b| b.0.total_cmp(&a.0));
    near.into_iter().take(3).map(|(_, name)| name.clone()).collect()
}

/// As [`likeness`], but a name that holds the other one is near.
fn nearness(low: &str, name: &str) -> f64 {
    let name = name.to_lowercase();
    let low = low.trim_end_matches(".gguf");
    let holds = low.len() > 2 && name.contains(low) || name.len() > 2 && low.contains(&*name);
    let likeness = likeness(low, &name);
    if holds { likeness.max(NEAR) } else { likeness }
}

/// From 0 to 1, which is equal.
fn likeness(a: &str, b: &str) -> f64 {
    strsim::normalized_damerau_levenshtein(a, b)
}

#[cfg(test)]
mod tests {
    use super::{like_model, nearest};

    const THERE: [&str; 3] = ["DeepSeek-R1-Distill-Qwen-1.5B-Q4_0", "other", "smollm2:135m"];

    fn there() -> Vec<String> {
        THERE.map(String::from).to_vec()
    }

    #[test]
    fn words_that_look_like_models() {
        for word in [
            "deepseek-r1",
            "DeepSeek-R1:7b",
            "qwen2.5-1.5b",
            "llama3.2",
            "smollm2",
            "mistral",
            "my model.gguf",
            "./x",
            "/tmp/x",
            "hf.co/user/repo",
            "mystery:7b",
            "foo-7b",
            "mixtral-8x7b",
            "granite-3.1",
            "phi4",
            "model-q4_k_m",
            "bartowski/Some-Thing-GGUF",
            "Other",
            "othre",
            "tiny-instruct",
            "R1",
            "smollm2:135M",
            "src/nothing",
        ] {
            assert!(like_model(word, Some("hi"), &there()), "{word}");
        }
        assert!(like_model("foo", Some("Why is the sky blue?"), &there()));
        assert!(like_model("DeepSeek-R1-Distill", None, &there()));
    }

    #[test]
    fn words_that_begin_a_prompt() {
        for word in [
            "hi",
            "Why",
            "TCP/IP",
            "and/or",
            "10:30",
            "1/2",
            "e.g.",
            "Translate:",
            "Wi-Fi",
            "7b",
            "x86-64",
            "falcon",
            "Solar-powered",
            "a::b",
            "phi",
            "mother",
            "Qwen?",
            "x=y",
            "C++",
            "node.js",
            "3.14",
            "3-4",
            "well-known",
            "état",
            "日本",
            "deep",
            "the",
        ] {
            assert!(!like_model(word, Some("word"), &there()), "{word}");
        }
        for words in ["Which is larger, 9.9 or 9.11?", "llama3 or qwen2", "a/b is c", " "] {
            assert!(!like_model(words, None, &there()), "{words}");
        }
        assert!(!like_model("Summarize", Some("this long text"), &there()));
    }

    #[test]
    fn the_nearest_names_come_first() {
        assert_eq!(nearest("smollm2", &there()), ["smollm2:135m"]);
        assert_eq!(nearest("deepseek-r1", &there()), [THERE[0]]);
        assert_eq!(nearest("models/othr.gguf", &there()), ["other"]);
        assert!(nearest("zzz", &there()).is_empty());
    }
}
