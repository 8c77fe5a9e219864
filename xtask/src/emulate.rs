//! The program on the cores of all boards, emulated: the right kernels and the golden tokens.

use crate::board::Board;
use crate::program::{Linking, build, needs};
use crate::step::{Outcome, json, printed, require, workspace};
use crate::{arm, fetch};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The boards' cores, and what is emulated for each. The emulator has neither Carmel, which is of
/// ARMv8.2 without dot products, nor Cortex-A78AE, whose features Neoverse-N1 shares, nor V3AE.
const CORES: [(&str, &str); 7] = [
    ("Cortex-A53", "cortex-a53"),
    ("Cortex-A57", "cortex-a57"),
    ("Cortex-A72", "cortex-a72"),
    ("Cortex-A76", "cortex-a76"),
    ("Carmel", "cortex-a72"),
    ("Cortex-A78AE", "neoverse-n1"),
    ("Neoverse-V3AE", "max"),
];
/// An emulator that needs no library, so that it works in an empty root.
const STATIC_EMULATOR: &str = "qemu-aarch64-static";
/// Golden prompts whose first tokens are no near ties.
const PROMPTS: [usize; 2] = [1, 4];
const TOKENS: usize = 8;

/// Runs the program on every board's core: the static one answers on each, the dynamic one takes the
/// right kernels on each and answers on one.
///
/// # Errors
///
/// If the program answers other tokens than llama.cpp, takes other kernels than the board's file
/// says, or needs a library though it is static; or if a tool is missing.
pub(crate) fn emulate() -> Outcome {
    require(arm::EMULATOR, "qemu-user")?;
    require(STATIC_EMULATOR, "qemu-user-static")?;
    fetch::fetch()?;
    let triple = arm::triple()?;
    // The static one last: packages are made of it.
    let program = build(&triple, Linking::Dynamic)?;
    let root = Root::new(&build(&triple, Linking::Static)?)?;
    let boards = Board::all()?;
    for core in arm::CORES {
        let dynamic = || {
            let mut command = Command::new(arm::EMULATOR);
            command.args(&arm::emulator(core)[1..]).arg(&program);
            command
        };
        boards
            .iter()
            .filter(|board| board.is_emulated_by(core))
            .try_for_each(|board| board.check_kernels(dynamic()))?;
        // What is linked to it does not depend on the core.
        if core == arm::CORES[0] {
            check_answers(core, dynamic, &fetch::model())?;
        }
        check_answers(
            &format!("{core} in an empty root"),
            || root.command(core),
            Path::new(MODEL),
        )?;
    }
    Ok(())
}

impl Board {
    fn is_emulated_by(&self, emulated: &str) -> bool {
        let core = CORES.iter().find(|(core, _)| self.core.as_deref() == Some(core));
        core.is_some_and(|(_, core)| *core == emulated)
    }

    /// Asks that the program takes the kernels of the board's file.
    fn check_kernels(&self, mut dram: Command) -> Outcome {
        let told = printed(dram.args(["doctor", "--json", "--board", &self.id]))?;
        let found = &json(&told)?["kernels"]["name"];
        println!("{}: kernels {found}", self.id);
        let wanted = self.kernels.as_deref();
        if found.as_str() == wanted {
            return Ok(());
        }
        Err(format!("on {} the kernels are {found}, must be {wanted:?}", self.id))
    }
}

/// Asks for golden answers.
///
/// # Errors
///
/// If a token is another one than llama.cpp's.
pub(crate) fn check_answers(name: &str, dram: impl Fn() -> Command, model: &Path) -> Outcome {
    let golden = workspace().join("runtime/tests/golden/smollm2.json");
    let golden = fs::read_to_string(&golden).map_err(|reason| format!("{golden:?}: {reason}"))?;
    let golden = json(&golden)?;
    for prompt in PROMPTS {
        let text = golden[prompt]["prompt"].as_str().unwrap_or_default();
        let tokens = TOKENS.to_string();
        let mut dram = dram();
        dram.arg("run").arg(model).args(["--raw", "--temp", "0", "--json", "-n", &tokens, text]);
        let reply = json(&printed(&mut dram)?)?;
        let found = reply["tokens"].as_array().map_or(&[][..], Vec::as_slice);
        let wanted = golden[prompt]["greedy_tokens"].as_array().and_then(|all| all.get(..TOKENS));
        println!("{name}: {text:?} is answered {} with {}", reply["text"], reply["kernels"]);
        if Some(found) != wanted {
            return Err(format!("{name}: {text:?} has tokens {found:?}, must have {wanted:?}"));
        }
    }
    Ok(())
}

/// Where the model is in a root.
const MODEL: &str = "/model.gguf";

/// A root with the static program, an emulator and the model, and nothing else.
struct Root(PathBuf);

impl Root {
    fn new(program: &Path) -> Outcome<Self> {
        if !needs(program)?.libraries.is_empty() {
            return Err(format!("{program:?} is not static"));
        }
        let root = Self(workspace().join(format!("target/empty-root-{}", std::process::id())));
        let emulator = printed(Command::new("which").arg(STATIC_EMULATOR))?;
        let emulator = Path::new(emulator.trim());
        let model = fetch::model();
        let files = [(program, "dram"), (emulator, "emulator"), (model.as_path(), &MODEL[1..])];
        let copied = fs::create_dir_all(&root.0).and_then(|()| {
            files.iter().try_for_each(|(from, to)| fs::copy(from, root.0.join(to)).map(drop))
        });
        copied.map_err(|reason| format!("cannot fill {:?}: {reason}", root.0))?;
        Ok(root)
    }

    /// The program in this root, with nothing outside in sight, not even `/proc`.
    fn command(&self, core: &str) -> Command {
        let mut command = Command::new("unshare");
        command.arg("--map-root-user").arg("--root").arg(&self.0).env_clear();
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.args(["/emulator", "-cpu", core, "/dram"]);
        command
    }
}

impl Drop for Root {
    /// A folder that cannot be deleted costs space and nothing else.
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
