//! A deployment to this machine itself, through a server of ssh with keys of its own.

use super::far::Far;
use super::{Deployment, MODELS};
use crate::step::{Outcome, cargo, require_flag, run, workspace};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::Duration;
use std::{env, fs, thread};

const SERVER: &str = "/usr/sbin/sshd";
const ADDRESS: Ipv4Addr = Ipv4Addr::LOCALHOST;

/// Deploys the program and a file as its model, twice, and shows that other bytes are noticed.
///
/// # Errors
///
/// If the server does not start, or the deployment does not do what it must.
pub(super) fn attempt() -> Outcome {
    let folder = workspace().join(format!("target/ssh-{}", std::process::id()));
    let server = Server::new(&folder)?;
    let far = Far::new("board", Some(folder.join("config")));
    let model = folder.join("a model.gguf");
    fs::write(&model, "weights").map_err(|reason| format!("{model:?}: {reason}"))?;
    let home = folder.to_string_lossy();
    let (programs, models) = (format!("{home}/bin"), format!("{home}/{MODELS}"));
    let deployment = Deployment {
        architecture: env::consts::ARCH,
        program: &program()?,
        model: Some(&model),
        programs: &programs,
        models: &models,
    };
    deployment.run(&far)?;
    deployment.run(&far)?;
    far.ask(&format!("echo more >> '{programs}/dram'"))?;
    let sum = "0".repeat(64);
    if far.verify(&sum, &format!("{programs}/dram")).is_ok() {
        return Err("other bytes were taken for the right ones".into());
    }
    deployment.run(&far)?;
    drop(server);
    Ok(())
}

/// This machine's own program, which lies beside this one.
fn program() -> Outcome<PathBuf> {
    run(&mut cargo("build --release -p dram-cli"))?;
    let here = env::current_exe().map_err(|reason| format!("where is this program? {reason}"))?;
    let built = here.ancestors().nth(2).ok_or("this program is in no folder of cargo's")?;
    Ok(built.join("release/dram"))
}

/// A server that ends, and whose files go, when this is dropped.
struct Server {
    process: Child,
    folder: PathBuf,
}

impl Server {
    fn new(folder: &Path) -> Outcome<Self> {
        require_flag(SERVER, "-V", "openssh-server")?;
        let create = |folder: &Path| {
            fs::create_dir_all(folder)
                .map_err(|reason| format!("cannot create {folder:?}: {reason}"))
        };
        create(folder)?;
        // Of root's server, which gives up its rights in it; others have none to give up.
        let _ = create(Path::new("/run/sshd"));
        for key in ["host", "user"] {
            let mut tool = Command::new("ssh-keygen");
            run(tool.args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(folder.join(key)))?;
        }
        let port = TcpListener::bind((ADDRESS, 0)).and_then(|socket| socket.local_addr());
        let port = port.map_err(|reason| format!("no port is free: {reason}"))?.port();
        let at = folder.display();
        write(
            &folder.join("sshd"),
            &format!(
                "ListenAddress {ADDRESS}:{port}\nHostKey {at}/host\nAuthorizedKeysFile {at}/user.pub\n\
             PidFile none\nUsePAM no\nStrictModes no\nPasswordAuthentication no\n\
             Subsystem sftp internal-sftp\n"
            ),
        )?;
        write(
            &folder.join("config"),
            &format!(
                "Host board\nHostName {ADDRESS}\nPort {port}\nIdentityFile {at}/user\n\
             IdentitiesOnly yes\nUserKnownHostsFile {at}/known\nStrictHostKeyChecking accept-new\n"
            ),
        )?;
        let mut process = Command::new(SERVER);
        let process = process.args(["-D", "-e", "-f"]).arg(folder.join("sshd")).spawn();
        let process = process.map_err(|reason| format!("cannot start {SERVER}: {reason}"))?;
        let server = Self { process, folder: folder.into() };
        for _ in 0..100 {
            if TcpStream::connect((ADDRESS, port)).is_ok() {
                return Ok(server);
            }
            thread::sleep(Duration::from_millis(50));
        }
        Err(format!("{SERVER} does not listen on port {port}"))
    }
}

impl Drop for Server {
    /// What cannot be ended or deleted has ended or is gone.
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

fn write(file: &Path, text: &str) -> Outcome {
    fs::write(file, text).map_err(|reason| format!("cannot write {file:?}: {reason}"))
}
