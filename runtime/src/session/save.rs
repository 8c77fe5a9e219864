//! Sequences in files, to go on with later or elsewhere.
//!
//! ```text
//! "dram-seq"  version u32  format of keys and values u32
//! fingerprint of the model u64  layers u32  kv_heads u32  head_len u32  tokens u32
//! tokens × u32
//! pages × (layers × (kv_heads × (keys  their scales  values  their scales)))
//! FNV-1a of all of it u64
//! ```
//!
//! Numbers are little-endian. Keys and values are as in memory (`pages::store`), in the order of
//! their positions; of a last page that is not full, only the positions that there are. All kernel
//! tables compute the same bits, so that a sequence saved on one machine goes on on any other.

use super::{KvFormat, Sequence, Session};
use crate::error::{Error, SavedFault};
use crate::hash::Fnv;
use std::io::{self, Read, Write};
use std::vec::Vec;

const MAGIC: [u8; 8] = *b"dram-seq";
const VERSION: u32 = 1;

impl Session<'_> {
    /// Writes a sequence: `tokens`, which it has read, and what the model has made of them. `model` is
    /// the model's [`fingerprint`](crate::Gguf::fingerprint).
    ///
    /// It writes in pieces down to some bytes: a file is best given in a `BufWriter`, and flushed.
    ///
    /// # Errors
    ///
    /// [`SessionFault::Closed`](crate::SessionFault::Closed) if the sequence is not open;
    /// [`SavedFault::Tokens`] if the tokens are not as many as it has; [`Error::Io`] if writing fails.
    pub fn save(
        &mut self,
        sequence: Sequence,
        model: u64,
        tokens: &[u32],
        to: &mut impl Write,
    ) -> Result<(), Error> {
        let (found, must) = (tokens.len(), self.position(sequence)?);
        if found != must {
            return Err(SavedFault::Tokens { found, must }.into());
        }
        let mut to = Hashed { stream: to, hash: Fnv::new() };
        to.write(&MAGIC)?;
        to.write(&VERSION.to_le_bytes())?;
        to.write(&kv_id(self.limits.kv).to_le_bytes())?;
        to.write(&model.to_le_bytes())?;
        self.shape().iter().try_for_each(|size| to.write(&size.to_le_bytes()))?;
        to.write(&(found as u32).to_le_bytes())?;
        tokens.iter().try_for_each(|token| to.write(&token.to_le_bytes()))?;
        self.pages.walk(sequence, |cells| to.write(cells))?;
        let sum = to.hash.finish();
        to.write(&sum.to_le_bytes())
    }

    /// Opens a sequence as [`Self::save`] wrote it, and appends its tokens to `tokens`. The logits
    /// after them are not saved: to have them, rewind by a token and give it again.
    ///
    /// # Errors
    ///
    /// An [`Error::Saved`] if the bytes are not those of a sequence of this model and this format of
    /// keys and values, [`SessionFault::Pages`](crate::SessionFault::Pages) if too few are free,
    /// [`SessionFault::Sequences`](crate::SessionFault::Sequences) if all are open, [`Error::Io`] if
    /// reading fails. Then no sequence is open that was not before, and `tokens` are as they were.
    pub fn load(
        &mut self,
        model: u64,
        from: &mut impl Read,
        tokens: &mut Vec<u32>,
    ) -> Result<Sequence, Error> {
        let (sequence, before) = (self.open()?, tokens.len());
        let mut from = Hashed { stream: from, hash: Fnv::new() };
        let loaded = self.read(sequence, model, &mut from, tokens);
        if let Err(error) = loaded {
            tokens.truncate(before);
            self.close(sequence)?;
            return Err(error);
        }
        Ok(sequence)
    }

    /// Reads a saved sequence to an empty one.
    fn read(
        &mut self,
        sequence: Sequence,
        model: u64,
        from: &mut Hashed<'_, impl Read>,
        tokens: &mut Vec<u32>,
    ) -> Result<(), Error> {
        let count = self.read_header(model, from)?;
        for position in 0..count {
            let (token, tokens_of_model) = (from.u32()?, self.plan.tokens());
            if token as usize >= tokens_of_model {
                return Err(SavedFault::Token { position, token, tokens: tokens_of_model }.into());
            }
            tokens.push(token);
        }
        self.pages.fill(sequence, count)?;
        self.pages.walk(sequence, |cells| from.read(cells))?;
        let sum = from.hash.finish();
        match from.array().map(u64::from_le_bytes)? == sum {
            true => Ok(()),
            false => Err(SavedFault::Checksum.into()),
        }
    }

    /// Checks everything before the tokens, and returns how many those are.
    fn read_header(&self, model: u64, from: &mut Hashed<'_, impl Read>) -> Result<usize, Error> {
        if from.array()? != MAGIC {
            return Err(SavedFault::Magic.into());
        }
        let version = from.u32()?;
        if version != VERSION {
            return Err(SavedFault::Version { found: version, must: VERSION }.into());
        }
        let kv = from.u32()?;
        let found = u64::from_le_bytes(from.array()?);
        if found != model {
            return Err(SavedFault::Model { found, must: model }.into());
        }
        if kv != kv_id(self.limits.kv) {
            return Err(SavedFault::KvFormat { must: self.limits.kv.name() }.into());
        }
        for must in self.shape() {
            let found = from.u32()?;
            if found != must {
                return Err(SavedFault::Shape { found, must }.into());
            }
        }
        let (tokens, context) = (from.u32()? as usize, self.limits.context);
        if tokens > context {
            return Err(SavedFault::Long { tokens, context }.into());
        }
        Ok(tokens)
    }

    /// Layers, KV heads and numbers in a head.
    fn shape(&self) -> [u32; 3] {
        let config = &self.plan.config;
        [config.layers, config.kv_heads, config.head_len].map(|size| size as u32)
    }
}

const fn kv_id(kv: KvFormat) -> u32 {
    match kv {
        KvFormat::F16 => 0,
        KvFormat::Q8_0 => 1,
    }
}

/// A stream, and the hash of what has gone through it.
struct Hashed<'s, S> {
    stream: &'s mut S,
    hash: Fnv,
}

impl<S: Write> Hashed<'_, S> {
    fn write(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.hash.write(bytes);
        let written = self.stream.write_all(bytes);
        written.map_err(|error| Error::Io { doing: "write", reason: error.kind() })
    }
}

impl<S: Read> Hashed<'_, S> {
    fn read(&mut self, bytes: &mut [u8]) -> Result<(), Error> {
        self.stream.read_exact(bytes).map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => SavedFault::Truncated.into(),
            reason => Error::Io { doing: "read", reason },
        })?;
        self.hash.write(bytes);
        Ok(())
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Error> {
        let mut bytes = [0; N];
        self.read(&mut bytes).map(|()| bytes)
    }

    fn u32(&mut self) -> Result<u32, Error> {
        self.array().map(u32::from_le_bytes)
    }
}
