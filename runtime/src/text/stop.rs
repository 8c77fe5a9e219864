//! Ending a text where it says what it should end at.

/// Looks for stop texts in a stream, also where one arrives in pieces.
///
/// Only what may be the start of a stop text is held back, so no part of one is ever passed on. Of
/// stop texts that are complete at the same character the longest counts. Empty ones never do.
///
/// The stop texts are not kept here: what is held back is the start of one of them, so that a number
/// and a length are all there is to remember. They must be the same at every call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StopMatcher {
    /// What is held back: the first `held` bytes of this stop text.
    text: usize,
    held: usize,
}

impl StopMatcher {
    /// Takes a piece of text and passes on what is known to be no part of a stop text. Returns
    /// whether a stop text is complete; the text is over then, and what follows it is dropped.
    pub fn push<'t>(
        &mut self,
        stop_text: impl Fn(usize) -> Option<&'t str>,
        text: &str,
        mut sink: impl FnMut(&str),
    ) -> bool {
        let mut pass = |text: &str| {
            if !text.is_empty() {
                sink(text);
            }
        };
        let mut from = 0;
        for (at, c) in text.char_indices() {
            let held = self.held(&stop_text);
            let end = at + c.len_utf8();
            let longest = all(&stop_text).filter_map(|(_, stop)| before(stop, held, c)).min();
            if let Some(keep) = longest {
                pass(&text[from..at]);
                pass(&held[..keep]);
                *self = Self::default();
                return true;
            }
            let next = all(&stop_text)
                .filter_map(|(i, stop)| Some((start(stop, held, c)?, i)))
                .min_by_key(|(keep, _)| *keep);
            if let Some((keep, i)) = next {
                pass(&text[from..at]);
                pass(&held[..keep]);
                *self = Self { text: i, held: held.len() - keep + c.len_utf8() };
                from = end;
            } else if !held.is_empty() {
                pass(held);
                *self = Self::default();
                from = at;
            }
        }
        pass(&text[from..]);
        false
    }

    /// Ends the text: passes on what is held back, which is no stop text.
    pub fn finish<'t>(
        &mut self,
        stop_text: impl Fn(usize) -> Option<&'t str>,
        mut sink: impl FnMut(&str),
    ) {
        let held = self.held(&stop_text);
        if !held.is_empty() {
            sink(held);
        }
        *self = Self::default();
    }

    fn held<'t>(&self, stop_text: impl Fn(usize) -> Option<&'t str>) -> &'t str {
        stop_text(self.text).and_then(|text| text.get(..self.held)).unwrap_or("")
    }
}

fn all<'t>(
    stop_text: &impl Fn(usize) -> Option<&'t str>,
) -> impl Iterator<Item = (usize, &'t str)> {
    (0..).map_while(|i| Some((i, stop_text(i)?)))
}

/// The bytes of `held` before `stop`, if `held` and `c` end in it.
fn before(stop: &str, held: &str, c: char) -> Option<usize> {
    let rest = stop.strip_suffix(c)?;
    held.ends_with(rest).then(|| held.len() - rest.len())
}

/// The bytes of `held` that are dropped so that the rest and `c` are the longest start of `stop`.
fn start(stop: &str, held: &str, c: char) -> Option<usize> {
    let ends = held.char_indices().map(|(at, _)| at).chain([held.len()]);
    ends.into_iter().find(|at| {
        let rest = stop.strip_prefix(&held[*at..]);
        rest.is_some_and(|rest| rest.starts_with(c))
    })
}

#[cfg(test)]
mod tests {
    use super::StopMatcher;
    use std::string::String;
    use std::vec::Vec;

    /// The text before the first stop text, found by looking at all of it; and whether there is one.
    fn expected(stops: &[&str], text: &str) -> (String, bool) {
        let stops = stops.iter().filter(|stop| !stop.is_empty());
        let ends = stops.flat_map(|stop| {
            text.char_indices()
                .filter(move |(at, _)| text[*at..].starts_with(stop))
                .map(move |(at, _)| (at + stop.len(), at))
        });
        match ends.min() {
            Some((_, at)) => (text[..at].into(), true),
            None => (text.into(), false),
        }
    }

    fn found(stops: &[&str], pieces: &[&str]) -> (String, bool) {
        let (mut matcher, mut out) = (StopMatcher::default(), String::new());
        let stop_text = |i: usize| stops.get(i).copied();
        for piece in pieces {
            if matcher.push(stop_text, piece, |text| out.push_str(text)) {
                return (out, true);
            }
            // Nothing that is passed on may have to be taken back.
            for stop in stops.iter().filter(|stop| !stop.is_empty()) {
                assert!(!out.contains(stop), "{out:?} {stops:?}");
            }
        }
        matcher.finish(stop_text, |text| out.push_str(text));
        (out, false)
    }

    #[test]
    fn every_text_is_cut_alike_wherever_it_is_in_pieces() {
        let stops: [&[&str]; 9] = [
            &[],
            &[""],
            &["ab"],
            &["aab", "ba"],
            &["abab", "bb", "a\n"],
            &["é", "èb"],
            &["aaa"],
            &["abcé", "bc"],
            &["b", "ab", "aab"],
        ];
        let letters = ['a', 'b', 'c', '\n', 'é', 'è'];
        let mut random = 1_u64;
        for round in 0..4_000 {
            let text: String = (0..round % 12)
                .map(|_| letters[(crate::random::uniform(&mut random) * 6.0) as usize])
                .collect();
            let bounds: Vec<usize> = text.char_indices().map(|(at, _)| at).collect();
            for stops in stops {
                for &a in &bounds {
                    for &b in bounds.iter().filter(|b| **b >= a) {
                        let pieces = [&text[..a], &text[a..b], &text[b..]];
                        assert_eq!(
                            found(stops, &pieces),
                            expected(stops, &text),
                            "{stops:?} {pieces:?}"
                        );
                    }
                }
            }
        }
    }
}
