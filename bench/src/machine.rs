//! What a measurement must say of where it was made.

use sha2::{Digest, Sha256};
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader};
use std::path::Path;
use std::process::Command;

/// The output of a program, or why there is none.
pub(crate) fn output(program: &str, arguments: &[&str]) -> String {
    match Command::new(program).args(arguments).output() {
        Ok(output) => String::from_utf8_lossy(&output.stdout).trim_end().to_owned(),
        Err(error) => format!("{program}: {error}"),
    }
}

/// The CPU's model, from `/proc/cpuinfo` or, on boards, the device tree.
pub(crate) fn cpu() -> String {
    let cpuinfo = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let board = || fs::read_to_string("/proc/device-tree/model").ok();
    let model = cpu_of(&cpuinfo).or_else(board).unwrap_or_else(|| "unknown".into());
    model.trim_matches([' ', '\0', '\n']).to_owned()
}

/// The first CPU's name and, on x86, its numbers: a virtual machine may give CPUs of several
/// generations the same name.
fn cpu_of(cpuinfo: &str) -> Option<String> {
    let fields = || cpuinfo.lines().filter_map(|line| line.split_once(':'));
    let field = |name| Some(fields().find(|(key, _)| key.trim() == name)?.1.trim());
    let name = field("model name")?;
    let numbers = field("cpu family").zip(field("model"));
    let told = |(family, model)| format!("{name}, family {family} model {model}");
    Some(numbers.map_or_else(|| name.into(), told))
}

/// The load of the last minute and more, as the system says it.
pub(crate) fn load() -> String {
    fs::read_to_string("/proc/loadavg").unwrap_or_default().trim_end().to_owned()
}

/// A text as a folder's name: lower case letters and digits, all else one hyphen.
pub(crate) fn slug(text: &str) -> String {
    let lower = text.to_lowercase();
    let words = lower.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join("-")
}

/// The SHA-256 of a file, in hexadecimal.
pub(crate) fn sha256(path: &Path) -> io::Result<String> {
    let mut file = BufReader::with_capacity(1 << 20, File::open(path)?);
    let mut hash = Sha256::new();
    loop {
        let bytes = file.fill_buf()?;
        if bytes.is_empty() {
            return Ok(hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect());
        }
        let count = bytes.len();
        hash.update(bytes);
        file.consume(count);
    }
}

/// How a program built by CMake was built, if it still lies in its build folder's `bin`.
pub(crate) fn cmake_flags(program: &Path) -> String {
    let cache = program.parent().and_then(Path::parent).map(|folder| folder.join("CMakeCache.txt"));
    let cache = cache.and_then(|path| fs::read_to_string(path).ok()).unwrap_or_default();
    let names = ["CMAKE_BUILD_TYPE:", "CMAKE_CXX_FLAGS:", "GGML_NATIVE:", "GGML_OPENMP:"];
    let told = cache.lines().filter(|line| names.iter().any(|name| line.starts_with(name)));
    told.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::{cpu_of, sha256, slug};

    #[test]
    fn cpus_of_one_name_differ_in_their_numbers() {
        let zen5 = "processor\t: 0\ncpu family\t: 26\nmodel\t\t: 2\nmodel name\t: AMD EPYC\n";
        assert_eq!(cpu_of(zen5).unwrap(), "AMD EPYC, family 26 model 2");
        assert_eq!(
            cpu_of("model name\t: ARMv8 Processor rev 1\n").unwrap(),
            "ARMv8 Processor rev 1"
        );
        assert_eq!(cpu_of("processor\t: 0\nCPU part\t: 0xd0b\n"), None);
    }

    #[test]
    fn a_cpu_as_a_folder() {
        assert_eq!(slug("AMD EPYC 7B13 (Milan) @2.45 GHz"), "amd-epyc-7b13-milan-2-45-ghz");
    }

    #[test]
    fn the_hash_of_abc() {
        let path = std::env::temp_dir().join(format!("dram-bench-{}", std::process::id()));
        std::fs::write(&path, "abc").unwrap();
        let expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(sha256(&path).unwrap(), expected);
        std::fs::remove_file(&path).unwrap();
    }
}
