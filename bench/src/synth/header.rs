//! Writing the part of a GGUF file before its data.

use super::shape::Tensor;
use dram_quant::Order;

/// What offsets in a file are multiples of, unless it says otherwise.
pub(crate) const ALIGNMENT: usize = 32;

/// Value type ids.
const U32: u32 = 4;
const I32: u32 = 5;
const F32: u32 = 6;
const BOOL: u32 = 7;
const TEXT: u32 = 8;
const ARRAY: u32 = 9;

/// The keys of a file.
#[derive(Default)]
pub(crate) struct Header {
    count: u64,
    keys: Vec<u8>,
}

impl Header {
    pub(crate) fn u32(&mut self, key: &str, value: u32) {
        self.key(key, U32, &value.to_le_bytes());
    }

    pub(crate) fn f32(&mut self, key: &str, value: f32) {
        self.key(key, F32, &value.to_le_bytes());
    }

    pub(crate) fn bool(&mut self, key: &str, value: bool) {
        self.key(key, BOOL, &[u8::from(value)]);
    }

    pub(crate) fn text(&mut self, key: &str, value: &str) {
        self.key(key, TEXT, &string(value));
    }

    pub(crate) fn texts(&mut self, key: &str, values: &[Vec<u8>]) {
        self.array(key, TEXT, values.len(), &values.iter().flat_map(string).collect::<Vec<_>>());
    }

    pub(crate) fn integers(&mut self, key: &str, values: &[i32]) {
        let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        self.array(key, I32, values.len(), &bytes);
    }

    fn array(&mut self, key: &str, id: u32, count: usize, elements: &[u8]) {
        let head = [&id.to_le_bytes()[..], &(count as u64).to_le_bytes()].concat();
        self.key(key, ARRAY, &[&head, elements].concat());
    }

    fn key(&mut self, key: &str, id: u32, value: &[u8]) {
        self.count += 1;
        self.keys.extend(string(key));
        self.keys.extend(id.to_le_bytes());
        self.keys.extend(value);
    }

    /// Everything before the data of these tensors, which follow each other, each padded to
    /// [`ALIGNMENT`].
    pub(crate) fn bytes(&self, tensors: &[Tensor]) -> Vec<u8> {
        let mut file = b"GGUF".to_vec();
        file.extend(3_u32.to_le_bytes());
        file.extend((tensors.len() as u64).to_le_bytes());
        file.extend(self.count.to_le_bytes());
        file.extend(&self.keys);
        let mut offset = 0;
        for tensor in tensors {
            file.extend(string(&tensor.name));
            file.extend((tensor.dims.len() as u32).to_le_bytes());
            tensor.dims.iter().for_each(|&dim| file.extend((dim as u64).to_le_bytes()));
            file.extend(tensor.format.id(Order::Rows).to_le_bytes());
            file.extend((offset as u64).to_le_bytes());
            offset += tensor.bytes().next_multiple_of(ALIGNMENT);
        }
        file.resize(file.len().next_multiple_of(ALIGNMENT), 0);
        file
    }
}

/// A length and that many bytes.
fn string(text: impl AsRef<[u8]>) -> Vec<u8> {
    let text = text.as_ref();
    [&(text.len() as u64).to_le_bytes()[..], text].concat()
}
