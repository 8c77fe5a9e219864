//! Cutting text into words before merging, as the model was trained.
//!
//! Each way is one or several regular expressions in its publisher's tokenizer, each applied to what
//! the one before has cut. Here they are scanners by hand, because the patterns look ahead
//! (`\s+(?!\S)`) and must run in time linear in the text. A scanner tells the end of the first word of
//! what is left, so what a later pattern cuts must not depend on where an earlier one began.
//!
//! Source: `llm_tokenizer_bpe` and the names in `llama_vocab::impl::load` of llama.cpp's
//! `llama-vocab.cpp`.

mod deepseek;
mod gpt2;
mod llama3;
mod punctuation;
mod scan;
mod tekken;

/// A way to cut text into words, named by `tokenizer.ggml.pre`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PreTokenizer {
    /// `'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`
    Gpt2,
    /// First each `\p{N}` alone, then what lies between as GPT-2 does.
    Smollm,
    /// `(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}|`
    /// ` ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`
    Llama3,
    /// As Llama 3, with each `\p{N}` alone.
    Qwen2,
    /// As Qwen2, with marks (`\p{M}`) as letters.
    Qwen35,
    /// Line breaks, then cased letters, then punctuation, each of these with a space before them; then
    /// spaces at the end, ideographs and numbers.
    DeepSeekLlm,
    /// Line breaks, then `\s?\p{L}+`, then `\s?\p{P}+`, then ideographs and each `\p{N}`.
    DeepSeekCoder,
    /// `\p{N}{1,3}`, then runs of ideographs and kana, then much as Llama 3.
    DeepSeekV3,
    /// Runs of punctuation, then as GPT-2, then every three digits of a number.
    Falcon,
    /// As Llama 3 without contractions, each `\p{N}` alone, and a new word at a capital.
    Tekken,
    /// What llama.cpp takes where it does not know better: as Falcon, with a number apart from the
    /// space before it.
    Default,
}

/// A name of a way to cut.
#[derive(Clone, Copy)]
struct Named {
    name: &'static str,
    cut: PreTokenizer,
    /// Whether a word that is a token is this token without merging.
    takes_whole_words: bool,
    /// Whether texts begin with the first token where the file does not say.
    begins_texts: bool,
}

impl PreTokenizer {
    /// The way of a name in a file, if it is known.
    pub fn named(name: &str) -> Option<Self> {
        NAMES.iter().find(|known| known.name == name).map(|known| known.cut)
    }

    /// The way that a vocabulary of so many tokens was published with, as far as these and some of
    /// its marks tell.
    pub(crate) fn of_vocabulary(tokens: usize, has: impl Fn(&str) -> bool) -> Option<Self> {
        let near = |published: usize| (published..published + 512).contains(&tokens);
        let found = SIGNATURES.iter().find(|(size, mark, _)| near(*size) && has(mark));
        found.map(|(.., cut)| *cut)
    }

    /// Whether a word that is a token is this token without merging, by the name in the file.
    pub(crate) fn takes_whole_words(name: &str) -> bool {
        NAMES.iter().any(|known| known.name == name && known.takes_whole_words)
    }

    /// Whether texts begin with the first token where the file does not say, by the name in the file.
    pub(crate) fn begins_texts(name: &str) -> bool {
        NAMES.iter().any(|known| known.name == name && known.begins_texts)
    }

    /// Bytes of the first word of `text`, which starts where a word starts.
    ///
    /// At least one character, unless `text` is empty.
    pub(crate) fn word(self, text: &str) -> usize {
        match self {
            Self::Gpt2 => gpt2::word(text, false),
            Self::Smollm => gpt2::word(text, true),
            Self::Llama3 => llama3::word(text, 3),
            Self::Qwen2 => llama3::word(text, 1),
            Self::Qwen35 => llama3::word_with_marks(text, 1),
            Self::DeepSeekLlm => deepseek::llm(text),
            Self::DeepSeekCoder => deepseek::coder(text),
            Self::DeepSeekV3 => deepseek::v3(text),
            Self::Falcon => punctuation::word(text, true),
            Self::Tekken => tekken::word(text),
            Self::Default => punctuation::word(text, false),
        }
    }
}

const fn plain(name: &'static str, cut: PreTokenizer) -> Named {
    Named { name, cut, takes_whole_words: false, begins_texts: false }
}

const fn whole(name: &'static str, cut: PreTokenizer) -> Named {
    Named { takes_whole_words: true, begins_texts: true, ..plain(name, cut) }
}

/// The names that files of Llama's and Qwen's shapes use.
const NAMES: [Named; 48] = [
    plain("qwen2", PreTokenizer::Qwen2),
    plain("qwen35", PreTokenizer::Qwen35),
    plain("deepseek-r1-qwen", PreTokenizer::Qwen2),
    plain("f2llmv2", PreTokenizer::Qwen2),
    plain("grok-2", PreTokenizer::Qwen2),
    plain("hunyuan", PreTokenizer::Qwen2),
    plain("kormo", PreTokenizer::Qwen2),
    plain("megrez", PreTokenizer::Qwen2),
    plain("solar-open", PreTokenizer::Qwen2),
    plain("stablelm2", PreTokenizer::Qwen2),
    whole("llama-bpe", PreTokenizer::Llama3),
    whole("llama3", PreTokenizer::Llama3),
    whole("llama-v3", PreTokenizer::Llama3),
    whole("falcon3", PreTokenizer::Llama3),
    whole("falcon-h1", PreTokenizer::Llama3),
    whole("lfm2", PreTokenizer::Llama3),
    whole("midm-2.0", PreTokenizer::Llama3),
    whole("pixtral", PreTokenizer::Llama3),
    plain("chatglm-bpe", PreTokenizer::Llama3),
    plain("dbrx", PreTokenizer::Llama3),
    plain("smaug-bpe", PreTokenizer::Llama3),
    Named { begins_texts: false, ..whole("glm4", PreTokenizer::Llama3) },
    Named { begins_texts: false, ..whole("glm5", PreTokenizer::Llama3) },
    plain("smollm", PreTokenizer::Smollm),
    plain("codeshell", PreTokenizer::Smollm),
    plain("command-r", PreTokenizer::Smollm),
    plain("exaone", PreTokenizer::Smollm),
    plain("mellum2", PreTokenizer::Smollm),
    plain("minerva-7b", PreTokenizer::Smollm),
    plain("refact", PreTokenizer::Smollm),
    plain("starcoder", PreTokenizer::Smollm),
    plain("gpt-2", PreTokenizer::Gpt2),
    plain("gpt2", PreTokenizer::Gpt2),
    plain("a.x-4.0", PreTokenizer::Gpt2),
    plain("exaone4", PreTokenizer::Gpt2),
    plain("gigachat", PreTokenizer::Gpt2),
    plain("granite-docling", PreTokenizer::Gpt2),
    plain("jais", PreTokenizer::Gpt2),
    plain("mellum", PreTokenizer::Gpt2),
    plain("mpt", PreTokenizer::Gpt2),
    plain("olmo", PreTokenizer::Gpt2),
    plain("phi-2", PreTokenizer::Gpt2),
    plain("deepseek-llm", PreTokenizer::DeepSeekLlm),
    plain("deepseek-coder", PreTokenizer::DeepSeekCoder),
    plain("deepseek-v3", PreTokenizer::DeepSeekV3),
    plain("hunyuan-dense", PreTokenizer::DeepSeekV3),
    plain("falcon", PreTokenizer::Falcon),
    whole("tekken", PreTokenizer::Tekken),
];

/// Published vocabularies: at least so many tokens, and a mark that is among them.
const SIGNATURES: [(usize, &str, PreTokenizer); 10] = [
    (128_256, "<|begin_of_text|>", PreTokenizer::Llama3),
    (128_256, "<｜begin▁of▁sentence｜>", PreTokenizer::Llama3),
    (151_643, "<|endoftext|>", PreTokenizer::Qwen2),
    (151_643, "<｜begin▁of▁sentence｜>", PreTokenizer::Qwen2),
    (102_400, "<｜begin▁of▁sentence｜>", PreTokenizer::DeepSeekLlm),
    (32_013, "<｜begin▁of▁sentence｜>", PreTokenizer::DeepSeekCoder),
    (128_815, "<｜begin▁of▁sentence｜>", PreTokenizer::DeepSeekV3),
    (49_152, "<|endoftext|>", PreTokenizer::Smollm),
    (50_257, "<|endoftext|>", PreTokenizer::Gpt2),
    (131_072, "[INST]", PreTokenizer::Tekken),
];

#[cfg(test)]
mod tests {
    use super::*;
    extern crate std;
    use std::vec::Vec;

    fn words(pre: PreTokenizer, mut text: &str) -> Vec<&str> {
        let mut words = Vec::new();
        while !text.is_empty() {
            let (word, rest) = text.split_at(pre.word(text));
            words.push(word);
            text = rest;
        }
        words
    }

    #[test]
    fn spaces_before_a_word_leave_one_to_it() {
        assert_eq!(words(PreTokenizer::Gpt2, "a   b  "), ["a", "  ", " b", "  "]);
        assert_eq!(words(PreTokenizer::Qwen2, "a   b  "), ["a", "  ", " b", "  "]);
        assert_eq!(words(PreTokenizer::Gpt2, "a\t\tb"), ["a", "\t", "\t", "b"]);
        assert_eq!(words(PreTokenizer::Qwen2, "a\t\tb"), ["a", "\t", "\tb"]);
    }

    #[test]
    fn digits_stand_alone_or_by_three_or_together() {
        assert_eq!(words(PreTokenizer::Qwen2, "a 1234"), ["a", " ", "1", "2", "3", "4"]);
        assert_eq!(words(PreTokenizer::Llama3, "a 1234"), ["a", " ", "123", "4"]);
        assert_eq!(words(PreTokenizer::Gpt2, "a 1234"), ["a", " 1234"]);
        assert_eq!(words(PreTokenizer::Smollm, "a  12"), ["a", "  ", "1", "2"]);
    }

    #[test]
    fn newlines_close_what_is_before_them() {
        assert_eq!(words(PreTokenizer::Qwen2, "a \n \n  b"), ["a", " \n \n", " ", " b"]);
        assert_eq!(words(PreTokenizer::Qwen2, "!\n\nb"), ["!\n\n", "b"]);
        assert_eq!(words(PreTokenizer::Gpt2, "!\n\nb"), ["!", "\n", "\n", "b"]);
        assert_eq!(words(PreTokenizer::Llama3, "\na"), ["\n", "a"]);
    }

    #[test]
    fn no_name_stands_twice() {
        assert!(
            NAMES
                .iter()
                .all(|one| NAMES.iter().filter(|other| other.name == one.name).count() == 1)
        );
    }

    #[test]
    fn falcons_digits_and_punctuation() {
        assert_eq!(words(PreTokenizer::Falcon, "a 12345, ok"), ["a", " ", "123", "45", ",", " ok"]);
        assert_eq!(words(PreTokenizer::Falcon, "x 12 `y`"), ["x", " 12", " ", "`", "y", "`"]);
        assert_eq!(words(PreTokenizer::Default, "x 12 `y"), ["x", " ", "12", " `", "y"]);
        assert_eq!(words(PreTokenizer::Default, "1２34567"), ["1２", "345", "67"]);
        assert_eq!(words(PreTokenizer::Falcon, "it's"), ["it", "'", "s"]);
    }

    #[test]
    fn deepseeks_spaces_and_ideographs() {
        assert_eq!(
            words(PreTokenizer::DeepSeekLlm, "Hi  you!\n中文 12"),
            ["Hi", " ", " you", "!", "\n", "中文", " ", "12"]
        );
        assert_eq!(words(PreTokenizer::DeepSeekLlm, "☃  "), ["☃", "  "]);
        assert_eq!(words(PreTokenizer::DeepSeekCoder, "a 12+b"), ["a", " ", "1", "2", "+", "b"]);
        assert_eq!(
            words(PreTokenizer::DeepSeekV3, "x1234あ゛い.foo"),
            ["x", "123", "4", "あ", "゛", "い", ".foo"]
        );
    }

    #[test]
    fn tekkens_words_begin_at_capitals() {
        assert_eq!(words(PreTokenizer::Tekken, "fooBar HTTPServer"), ["foo", "Bar", " HTTPServer"]);
        assert_eq!(
            words(PreTokenizer::Tekken, "ABC éABC 12//\n"),
            ["ABC", " é", "ABC", " ", "1", "2", "//\n"]
        );
    }

    #[test]
    fn contractions_ignore_case_where_the_pattern_does() {
        assert_eq!(words(PreTokenizer::Qwen2, "I'LL'ſ'x"), ["I", "'LL", "'ſ", "'x"]);
        assert_eq!(words(PreTokenizer::Gpt2, "I'LL'll"), ["I", "'", "LL", "'ll"]);
        assert_eq!(words(PreTokenizer::Qwen2, "'"), ["'"]);
    }
}
