//! Which tensor has which format in the files people download.

use super::shape::{Part, Shape, Tensor};
use clap::ValueEnum;
use dram_quant::Format;

/// A mix of formats, by the name it is published under.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[allow(non_camel_case_types, reason = "names are those of the files")]
pub(crate) enum Mix {
    #[value(name = "q4_0")]
    Q4_0,
    #[value(name = "q4_k_m")]
    Q4_K_M,
    #[value(name = "q5_k_m")]
    Q5_K_M,
    #[value(name = "q6_k")]
    Q6_K,
    #[value(name = "q8_0")]
    Q8_0,
    #[value(name = "iq4_nl")]
    IQ4_NL,
}

impl Mix {
    /// `general.file_type`: `llama_ftype` of llama.cpp.
    pub(crate) const fn file_type(self) -> u32 {
        match self {
            Self::Q4_0 => 2,
            Self::Q8_0 => 7,
            Self::Q4_K_M => 15,
            Self::Q5_K_M => 17,
            Self::Q6_K => 18,
            Self::IQ4_NL => 25,
        }
    }

    /// The format of all matrices that are not told apart.
    const fn base(self) -> Format {
        match self {
            Self::Q4_0 => Format::Q4_0,
            Self::Q4_K_M => Format::Q4_K,
            Self::Q5_K_M => Format::Q5_K,
            Self::Q6_K => Format::Q6_K,
            Self::Q8_0 => Format::Q8_0,
            Self::IQ4_NL => Format::IQ4_NL,
        }
    }

    /// The tensors of a shape, each with the format llama.cpp gives it without an importance
    /// matrix.
    ///
    /// Source: `llama_tensor_get_type` in `llama-quant.cpp`.
    pub(crate) fn tensors(self, shape: &Shape) -> Vec<Tensor> {
        let outlines = shape.outlines().into_iter();
        outlines
            .map(|outline| {
                let format = self.format(shape, outline.part);
                Tensor { name: outline.name, dims: outline.dims, format }
            })
            .collect()
    }

    fn format(self, shape: &Shape, part: Part) -> Format {
        let (layers, grouped) = (shape.config.layers, shape.config.group() >= 4);
        match (self, part) {
            (_, Part::Vector) => Format::F32,
            (Self::Q8_0, _) => Format::Q8_0,
            (_, Part::Head) => Format::Q6_K,
            (Self::Q4_K_M | Self::Q5_K_M, Part::AttnV(i) | Part::FfnDown(i))
                if wants_more_bits(i, layers) =>
            {
                Format::Q6_K
            }
            // Only the 70B has 80 layers; llama.cpp knows it by that.
            (Self::Q4_K_M, Part::AttnV(_)) if layers == 80 => Format::Q5_K,
            (Self::IQ4_NL, Part::AttnV(_)) if grouped => Format::Q5_K,
            (Self::IQ4_NL, Part::FfnDown(i)) if i < layers / 8 => Format::Q5_K,
            _ => self.base(),
        }
    }
}

/// The first and last eighth of the layers, and every third between.
const fn wants_more_bits(layer: usize, layers: usize) -> bool {
    let eighth = layers / 8;
    layer < eighth || layer >= 7 * layers / 8 || (layer - eighth) % 3 == 2
}

#[cfg(test)]
mod tests {
    use super::Mix;
    use crate::synth::shape::Shape;

    fn tensor_bytes(shape: &str, mix: Mix) -> usize {
        mix.tensors(&Shape::named(shape).unwrap()).iter().map(|tensor| tensor.bytes()).sum()
    }

    /// Sizes of the published files without their headers.
    #[test]
    fn files_are_as_large_as_the_published_ones() {
        let sizes = [
            (Mix::Q4_0, 1_060_276_736),
            (Mix::IQ4_NL, 1_066_813_952),
            (Mix::Q4_K_M, 1_111_370_240),
            (Mix::Q5_K_M, 1_279_543_808),
            (Mix::Q6_K, 1_458_228_224),
            (Mix::Q8_0, 1_888_581_632),
        ];
        for (mix, bytes) in sizes {
            assert_eq!(tensor_bytes("r1:1.5b", mix), bytes, "{mix:?}");
        }
    }

    /// In MB.
    #[test]
    fn a_token_reads_what_it_reads_in_the_published_files() {
        let reads = [
            ("r1:1.5b", [980.1, 1640.6]),
            ("r1:7b", [4370.6, 7513.5]),
            ("r1:8b", [4617.4, 7974.8]),
            ("r1:14b", [8544.2, 14868.4]),
            ("r1:32b", [19407.0, 33988.0]),
            ("r1:70b", [41922.0, 73851.0]),
        ];
        for (shape, reads) in reads {
            for (mix, expected) in [Mix::Q4_K_M, Mix::Q8_0].into_iter().zip(reads) {
                let tensors = mix.tensors(&Shape::named(shape).unwrap());
                let read = tensors.iter().filter(|tensor| tensor.name != "token_embd.weight");
                let found = read.map(|tensor| tensor.bytes()).sum::<usize>() as f64 / 1e6;
                assert!((found / expected - 1.0_f64).abs() < 1e-4, "{shape} {mix:?}: {found}");
            }
        }
    }
}
