//! Writes GGUF files field by field, so that a test can set any field to what it must not be.
#![allow(unreachable_pub, dead_code, reason = "each test takes what it needs")]

use dram_quant::Format;

/// Value type ids.
pub const U8: u32 = 0;
pub const U16: u32 = 2;
pub const U32: u32 = 4;
pub const I32: u32 = 5;
pub const F32: u32 = 6;
pub const BOOL: u32 = 7;
pub const TEXT: u32 = 8;
pub const ARRAY: u32 = 9;
pub const F64: u32 = 12;

/// A file to be written.
#[derive(Clone)]
pub struct File {
    pub version: u32,
    /// The number of tensors the header declares, if not the true one.
    pub tensor_count: Option<u64>,
    /// The number of keys the header declares, if not the true one.
    pub key_count: Option<u64>,
    /// What offsets are multiples of; says nothing of it in the file.
    pub alignment: usize,
    /// Each written out.
    pub keys: Vec<Vec<u8>>,
    pub tensors: Vec<Entry>,
}

/// A tensor to be written.
#[derive(Clone)]
pub struct Entry {
    pub name: Vec<u8>,
    /// The number of dimensions the entry declares, if not the true one.
    pub dimensions: Option<u32>,
    pub dims: Vec<u64>,
    pub id: u32,
    /// The offset the entry declares, if not the true one.
    pub offset: Option<u64>,
    pub data: Vec<u8>,
}

impl File {
    /// A file that says only that it is a Llama.
    pub fn new() -> Self {
        Self::bare().text("general.architecture", "llama")
    }

    /// A file without keys and tensors.
    pub fn bare() -> Self {
        let (tensor_count, key_count) = (None, None);
        let (keys, tensors) = (Vec::new(), Vec::new());
        Self { version: 3, tensor_count, key_count, alignment: 32, keys, tensors }
    }

    /// Adds a key whose value is written as given.
    pub fn key(mut self, name: impl AsRef<[u8]>, id: u32, value: impl AsRef<[u8]>) -> Self {
        self.keys.push([&string(name), &id.to_le_bytes()[..], value.as_ref()].concat());
        self
    }

    pub fn text(self, name: &str, text: impl AsRef<[u8]>) -> Self {
        self.key(name, TEXT, string(text))
    }

    pub fn u32(self, name: &str, number: u32) -> Self {
        self.key(name, U32, number.to_le_bytes())
    }

    /// Adds a key whose value is an array of `count` elements written as given.
    pub fn array(self, name: &str, id: u32, count: u64, elements: impl AsRef<[u8]>) -> Self {
        self.key(name, ARRAY, array(id, count, elements))
    }

    /// Adds a tensor in a format, its data derived from its name.
    pub fn tensor(self, name: &str, format: Format, dims: &[u64]) -> Self {
        let row = format.row_bytes(dims[0] as usize).expect("whole blocks");
        let size = row * dims[1..].iter().product::<u64>() as usize;
        let mut random = Random::named(name);
        let data = (0..size).map(|_| random.next() as u8).collect();
        self.entry(Entry { data, ..Entry::new(name, dims, format.id(dram_quant::Order::Rows)) })
    }

    pub fn entry(mut self, entry: Entry) -> Self {
        self.tensors.push(entry);
        self
    }

    /// The file's bytes; they end with the last tensor's, without padding.
    pub fn bytes(&self) -> Vec<u8> {
        let mut file = b"GGUF".to_vec();
        file.extend(self.version.to_le_bytes());
        file.extend(self.tensor_count.unwrap_or(self.tensors.len() as u64).to_le_bytes());
        file.extend(self.key_count.unwrap_or(self.keys.len() as u64).to_le_bytes());
        file.extend(self.keys.concat());
        let mut offset = 0;
        for entry in &self.tensors {
            entry.write(&mut file, offset);
            offset += entry.data.len().next_multiple_of(self.alignment) as u64;
        }
        for entry in &self.tensors {
            file.resize(file.len().next_multiple_of(self.alignment), 0);
            file.extend(&entry.data);
        }
        file
    }
}

impl Entry {
    /// A tensor without data.
    pub fn new(name: impl AsRef<[u8]>, dims: &[u64], id: u32) -> Self {
        let (name, dims) = (name.as_ref().to_vec(), dims.to_vec());
        Self { name, dimensions: None, dims, id, offset: None, data: Vec::new() }
    }

    fn write(&self, file: &mut Vec<u8>, offset: u64) {
        file.extend(string(&self.name));
        file.extend(self.dimensions.unwrap_or(self.dims.len() as u32).to_le_bytes());
        self.dims.iter().for_each(|dim| file.extend(dim.to_le_bytes()));
        file.extend(self.id.to_le_bytes());
        file.extend(self.offset.unwrap_or(offset).to_le_bytes());
    }
}

/// A length and that many bytes.
pub fn string(text: impl AsRef<[u8]>) -> Vec<u8> {
    let text = text.as_ref();
    [&(text.len() as u64).to_le_bytes()[..], text].concat()
}

/// The value of an array.
pub fn array(id: u32, count: u64, elements: impl AsRef<[u8]>) -> Vec<u8> {
    [&id.to_le_bytes()[..], &count.to_le_bytes(), elements.as_ref()].concat()
}

/// FNV-1a over numbers, as over bytes.
pub fn fnv(numbers: impl Iterator<Item = u64>) -> u64 {
    mixed(0xcbf2_9ce4_8422_2325, numbers)
}

/// FNV-1a from another start.
fn mixed(start: u64, numbers: impl Iterator<Item = u64>) -> u64 {
    numbers.fold(start, |hash, number| (hash ^ number).wrapping_mul(0x100_0000_01b3))
}

/// Xorshift.
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The numbers of a name.
    pub fn named(name: &str) -> Self {
        Self(mixed(1, name.bytes().map(u64::from)))
    }

    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// A number below `end`.
    pub fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }
}
