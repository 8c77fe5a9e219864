//! How far one next-token distribution is from another, over many positions.

/// What has been seen so far.
#[derive(Default)]
pub(crate) struct Divergence {
    /// Kullback-Leibler divergence of ours from the reference.
    pub kl: Mean,
    /// 1 where both find the same token most likely.
    pub same_top: Mean,
    /// Negative log-likelihood of the text's next token.
    pub ours: Mean,
    /// The same of the reference.
    pub reference: Mean,
}

impl Divergence {
    /// Adds a position, given the logits of both and the token that follows in the text.
    pub(crate) fn add(&mut self, ours: &[f32], reference: &[f32], next: u32) {
        self.same_top.add(f64::from(u8::from(top(ours) == top(reference))));
        let (ours, reference) = (log_softmax(ours), log_softmax(reference));
        self.kl.add(ours.iter().zip(&reference).map(|(q, p)| p.exp() * (p - q)).sum());
        self.ours.add(-ours[next as usize]);
        self.reference.add(-reference[next as usize]);
    }
}

/// A mean of numbers, and how sure it is.
#[derive(Default)]
pub(crate) struct Mean {
    count: f64,
    sum: f64,
    squares: f64,
}

impl Mean {
    pub(crate) fn add(&mut self, x: f64) {
        self.count += 1.0;
        self.sum += x;
        self.squares += x * x;
    }

    pub(crate) const fn count(&self) -> f64 {
        self.count
    }

    pub(crate) fn mean(&self) -> f64 {
        self.sum / self.count
    }

    /// The standard error of the mean.
    pub(crate) fn error(&self) -> f64 {
        let variance = self.squares / self.count - self.mean() * self.mean();
        (variance.max(0.0) / (self.count - 1.0)).sqrt()
    }
}

fn top(logits: &[f32]) -> Option<usize> {
    (0..logits.len()).max_by(|&a, &b| logits[a].total_cmp(&logits[b]))
}

fn log_softmax(logits: &[f32]) -> Vec<f64> {
    let largest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let shifted = logits.iter().map(|&x| f64::from(x - largest));
    let log_sum = shifted.clone().map(f64::exp).sum::<f64>().ln();
    shifted.map(|x| x - log_sum).collect()
}

#[cfg(test)]
mod tests {
    use super::Divergence;

    #[test]
    fn two_coins() {
        let mut divergence = Divergence::default();
        // Ours: 1/2, 1/2; the reference: 3/4, 1/4; a constant added to logits changes nothing.
        divergence.add(&[5.0, 5.0], &[3.0_f32.ln() - 1.0, -1.0], 1);
        let expected = 0.75 * 1.5_f64.ln() + 0.25 * 0.5_f64.ln();
        assert!((divergence.kl.mean() - expected).abs() < 1e-7);
        assert!((divergence.ours.mean() - 2.0_f64.ln()).abs() < 1e-7);
        assert!((divergence.reference.mean() - 4.0_f64.ln()).abs() < 1e-7);
    }

    #[test]
    fn the_error_of_a_mean() {
        let mut divergence = Divergence::default();
        for (ours, reference) in [([1.0, 0.0], [1.0, 0.0]), ([1.0, 0.0], [0.0, 1.0])] {
            divergence.add(&ours, &reference, 0);
        }
        assert_eq!(divergence.same_top.mean(), 0.5);
        assert_eq!(divergence.same_top.error(), 0.5);
    }
}
