//! `dram fit`: verdicts and predictions, beside what a run takes.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod program;
mod synth;

use program::{MODEL, dram, fetched, model, output, printed, scratch, told};
use serde_json::{Value, json};
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::sleep;
use std::time::Duration;
use synth::{Mix, write_begin};

fn fit(args: &[&str]) -> Value {
    let output = dram().args(["fit", MODEL, "--json"]).args(args).output().unwrap();
    serde_json::from_str(&printed(output)).unwrap()
}

fn number(value: &Value, path: &str) -> f64 {
    value.pointer(path).and_then(Value::as_f64).unwrap_or_else(|| panic!("{path}: {value}"))
}

#[test]
fn a_small_model_fits_everywhere() {
    let text = printed(output(&["fit", MODEL]));
    assert!(text.contains("free now   fits; up to --ctx 8192"), "{text}");
    let text = printed(output(&["fit", MODEL, "--board", "raspberry-pi-zero-2-w"]));
    assert!(text.contains("board      Raspberry Pi Zero 2 W\n"), "{text}");
    let told = fit(&["--board", "raspberry-pi-5"]);
    let sizes: Vec<_> = told["memory"].as_array().unwrap().iter().collect();
    assert_eq!(sizes.len(), 5);
    assert!(sizes.iter().all(|size| size["fits"] == true && size["longest_context"] == 8192));
}

#[test]
fn what_it_needs_is_what_the_parts_need() {
    let short = fit(&["--ctx", "1024", "--threads", "1"]);
    let long = fit(&["--ctx", "2048", "--threads", "1"]);
    let eight = fit(&["--ctx", "2048", "--threads", "1", "--kv", "q8_0"]);
    let [short, long, eight] = [short, long, eight].map(|told| number(&told, "/needed_bytes"));
    // 30 layers, 3 heads of 64 for keys and as many for values, two bytes each.
    let kv_bytes = (30 * 2 * 3 * 64 * 2 * 1024) as f64;
    let grown = (long - short) / kv_bytes;
    assert!((1.0..1.05).contains(&grown), "{grown}");
    let saved = (long - eight) / (2.0 * kv_bytes);
    assert!((0.46..0.48).contains(&saved), "{saved}");
    let file = fs::metadata(model()).unwrap().len() as f64;
    let weights = number(&fit(&[]), "/weights_bytes") / file;
    assert!((0.97..1.03).contains(&weights), "{weights}");
}

#[test]
fn the_longest_context_is_the_last_that_fits() {
    let board = |mib: u32| {
        let path = scratch("boards").join("own.toml");
        let text = format!("name = \"x\"\narchitecture = \"aarch64\"\nmemory_mib = [{mib}]\n");
        fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let board = board(450);
    let told = fit(&["--board", &board]);
    let longest = told["memory"][0]["longest_context"].as_u64().unwrap();
    assert!((32..8192).contains(&longest) && longest.is_multiple_of(32), "{told}");
    let usable = number(&told, "/memory/0/usable_bytes");
    let needs = |context: u64| {
        number(&fit(&["--board", &board, "--ctx", &context.to_string()]), "/needed_bytes")
    };
    assert!(needs(longest) <= usable && needs(longest + 32) > usable);
    let asked = fit(&["--board", &board, "--ctx", "8192"]);
    assert_eq!(asked["memory"][0]["fits"], false);
    let text = printed(output(&["fit", MODEL, "--board", &board, "--ctx", "8192"]));
    assert!(text.contains(&format!("fits with --ctx {longest}")), "{text}");
}

#[test]
fn what_fits_nowhere_ends_with_71_and_says_what_would() {
    let path = scratch("boards").join("tiny.toml");
    fs::write(&path, "name = \"x\"\narchitecture = \"aarch64\"\nmemory_mib = [300]\n").unwrap();
    let refused = output(&["fit", MODEL, "--board", path.to_str().unwrap()]);
    assert_eq!(refused.status.code(), Some(71));
    assert!(told(&refused).contains("needs at least") && told(&refused).contains("smaller model"));
    assert!(String::from_utf8(refused.stdout).unwrap().contains("does not fit"));
    assert_eq!(output(&["fit", MODEL, "--ctx", "8193"]).status.code(), Some(1));
    assert_eq!(output(&["fit", MODEL, "--board", "abacus"]).status.code(), Some(66));
}

#[test]
fn speed_follows_from_bandwidth_and_cores() {
    let told = fit(&["--board", "raspberry-pi-5"]);
    let bytes = number(&told, "/prediction/bytes_per_token");
    let decode = number(&told, "/prediction/decode_tokens_per_second");
    assert!((decode - 14.9e9 / bytes).abs() < 1e-6);
    // 106 million weights in the layers; four cores with 32 products in each of 2400 million cycles.
    let layers = f64::from(30 * (576 * 576 * 2 + 192 * 576 * 2 + 576 * 1536 * 3));
    let prefill = number(&told, "/prediction/prefill_tokens_per_second");
    assert!((prefill - 4.0 * 32.0 * 2.4e9 / layers).abs() < 1e-6);
    let generic = fit(&["--board", "generic-aarch64"]);
    assert_eq!(generic["prediction"]["decode_tokens_per_second"], json!(null));
}

#[test]
fn a_run_takes_what_was_told() {
    let limits = ["--ctx", "1024", "--threads", "2"];
    let told = number(&fit(&limits), "/needed_bytes");
    // The whole context is filled twice: the peak is reached well before the end.
    let mut bench = dram();
    bench.args(["bench", MODEL, "-p", "1024", "-n", "0", "-r", "1", "--weights", "tiles"]);
    let mut child = bench.args(limits).stdout(Stdio::null()).spawn().unwrap();
    let status = format!("/proc/{}/status", child.id());
    let mut peak = 0.0;
    while child.try_wait().unwrap().is_none() {
        let status = fs::read_to_string(&status).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kilobytes = line.and_then(|line| line.trim().strip_suffix(" kB")?.trim().parse().ok());
        peak = kilobytes.map_or(peak, |kilobytes: f64| kilobytes * 1024.0);
        sleep(Duration::from_millis(5));
    }
    assert!((0.97..1.03).contains(&(told / peak)), "told {told}, took {peak}");
}

/// Serves a file on this machine's loopback until the test ends; tells the address and how many
/// bytes were sent. A server that knows no ranges sends the whole file.
fn serve(file: PathBuf, knows_ranges: bool) -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}/model.gguf", listener.local_addr().unwrap());
    let sent = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&sent);
    let file = File::open(file).unwrap();
    let total = file.metadata().unwrap().len();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut request = BufReader::new(stream.try_clone().unwrap()).lines();
            let lines: Vec<_> = request
                .by_ref()
                .map_while(Result::ok)
                .take_while(|line| !line.is_empty())
                .collect();
            let range = lines.iter().find_map(|line| line.strip_prefix("Range: bytes="));
            let (first, last) = range.unwrap().split_once('-').unwrap();
            let (first, last): (u64, u64) = (first.parse().unwrap(), last.parse().unwrap());
            let last = last.min(total - 1);
            let (status, body) = match (lines[0].contains("/model.gguf"), knows_ranges) {
                (false, _) => ("404 Not Found".to_owned(), 0..0),
                (true, false) => ("200 OK".to_owned(), 0..total),
                (true, true) => {
                    let head = "206 Partial Content\r\nContent-Range: bytes";
                    (format!("{head} {first}-{last}/{total}"), first..last + 1)
                }
            };
            let length = body.end - body.start;
            let head = format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\n\r\n");
            let _ = stream.write_all(head.as_bytes());
            for start in body.clone().step_by(1 << 16) {
                let mut piece = vec![0; (body.end - start).min(1 << 16) as usize];
                file.read_exact_at(&mut piece, start).unwrap();
                if stream.write_all(&piece).is_err() {
                    break;
                }
                count.fetch_add(piece.len(), Ordering::Relaxed);
            }
        }
    });
    (address, sent)
}

#[test]
fn the_begin_of_a_remote_file_is_enough() {
    let (address, sent) = serve(model(), true);
    let temporary = scratch("temporary");
    let fit = |model: &str| {
        let args = ["fit", model, "--json", "--board", "raspberry-pi-4b"];
        let output = dram().env("TMPDIR", &temporary).args(args).output().unwrap();
        serde_json::from_str::<Value>(&printed(output)).unwrap()
    };
    assert_eq!(fit(&address), fit(MODEL));
    assert_eq!(fs::read_dir(&temporary).unwrap().count(), 0);
    assert!(sent.load(Ordering::Relaxed) < 16 << 20, "{sent:?}");
    let missing = output(&["fit", &address.replace("model.gguf", "other.gguf")]);
    assert_eq!(missing.status.code(), Some(66), "{}", told(&missing));
}

/// Answers as the model hub does: with a list of files, and with the way to where they are.
fn hub(target: String) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let request = BufReader::new(stream.try_clone().unwrap());
            let first = request.lines().next().unwrap().unwrap();
            let list =
                r#"{"siblings":[{"rfilename":"README.md"},{"rfilename":"small-q4_1.gguf"}]}"#;
            let (status, body) = match first.split(' ').nth(1).unwrap() {
                "/api/models/maker/small-GGUF" => ("200 OK".to_owned(), list),
                "/maker/small-GGUF/resolve/main/small-q4_1.gguf" => {
                    (format!("302 Found\r\nLocation: {target}"), "")
                }
                _ => ("404 Not Found".to_owned(), ""),
            };
            let length = body.len();
            let answer = format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\n\r\n{body}");
            let _ = stream.write_all(answer.as_bytes());
        }
    });
    address
}

#[test]
fn a_name_of_the_hub_is_a_remote_file() {
    let (address, sent) = serve(model(), true);
    let hub = hub(address);
    let fit = |name: &str| {
        let args = ["fit", name, "--json", "--board", "raspberry-pi-4b"];
        dram().env("HF_ENDPOINT", &hub).args(args).output().unwrap()
    };
    let local = printed(output(&["fit", MODEL, "--json", "--board", "raspberry-pi-4b"]));
    for name in ["hf.co/maker/small-GGUF:Q4_1", "huggingface.co/maker/small-GGUF/small-q4_1.gguf"] {
        assert_eq!(printed(fit(name)), local, "{name}");
    }
    assert!(sent.load(Ordering::Relaxed) < 2 * (16 << 20), "{sent:?}");
    let cases = [
        ("hf.co/maker/small-GGUF", 66, "there are small-q4_1.gguf"),
        ("hf.co/maker/other-GGUF", 66, "gives nothing"),
        ("hf.co/maker/small-GGUF/other.gguf", 66, "gives no file"),
        ("hf.co/maker", 2, "hf.co/USER/REPO:QUANT"),
    ];
    for (name, code, about) in cases {
        let refused = fit(name);
        assert_eq!(refused.status.code(), Some(code), "{}", told(&refused));
        assert!(told(&refused).contains(about), "{}", told(&refused));
    }
}

/// Its rotary factors lie wherever the file's maker has put them.
#[test]
fn the_factors_of_a_remote_llama_are_fetched_from_where_they_are() {
    let path = scratch("llama").join("model.gguf");
    write_begin("r1:8b", Mix::Q4_K_M, &fetched().join("vocab"), &path);
    let (address, sent) = serve(path.clone(), true);
    let fit = |model: &str| printed(output(&["fit", model, "--all"]));
    assert_eq!(fit(&address), fit(path.to_str().unwrap()));
    assert!(sent.load(Ordering::Relaxed) < 16 << 20, "{sent:?}");
}

#[test]
fn a_qwen3_of_the_hub_is_told_of() {
    let path = scratch("qwen3").join("model.gguf");
    write_begin("r1-0528:8b", Mix::Q4_K_M, &fetched().join("vocab"), &path);
    let (address, _) = serve(path.clone(), true);
    let hub = hub(address);
    let fit = |name: &str| {
        let args = ["fit", name, "--json", "--board", "raspberry-pi-5"];
        let output = dram().env("HF_ENDPOINT", &hub).args(args).output().unwrap();
        serde_json::from_str::<Value>(&printed(output)).unwrap()
    };
    let told = fit("hf.co/maker/small-GGUF:Q4_1");
    assert_eq!(told, fit(path.to_str().unwrap()));
    // All of the file but the embedding, which has 4.5 bits a weight, and the norms.
    let read = number(&told, "/prediction/bytes_per_token");
    let file = fs::metadata(&path).unwrap().len() as f64;
    let embedding = f64::from(151_936 * 4096) * 4.5 / 8.0;
    assert!((0.998..1.0).contains(&(read / (file - embedding))), "{told}");
    let fits: Vec<_> =
        told["memory"].as_array().unwrap().iter().map(|size| &size["fits"]).collect();
    assert_eq!(fits, [false, false, false, true, true], "1 to 16 GB: {told}");
}

#[test]
fn a_remote_file_that_tells_nothing_is_refused_before_it_is_all_here() {
    let folder = scratch("files");
    let (page, zeros) = (folder.join("page"), folder.join("zeros"));
    fs::write(&page, b"<!DOCTYPE html><title>404</title>").unwrap();
    File::create(&zeros).unwrap().set_len(40 << 20).unwrap();
    let cases = [
        (serve(model(), false), 1, "parts"),
        (serve(page, true), 65, "web page"),
        (serve(zeros, true), 65, "model.gguf"),
    ];
    for ((address, sent), code, about) in cases {
        let refused = output(&["fit", &address]);
        assert_eq!(refused.status.code(), Some(code), "{}", told(&refused));
        assert!(told(&refused).contains(about), "{}", told(&refused));
        assert!(sent.load(Ordering::Relaxed) < 16 << 20, "{sent:?}");
    }
    assert_eq!(output(&["fit", "http://127.0.0.1:9/none.gguf"]).status.code(), Some(66));
}

#[test]
fn all_boards_are_told_of_in_a_line_each() {
    let text = printed(output(&["fit", MODEL, "--all"]));
    assert_eq!(text.lines().count(), 15);
    let line = text.lines().find(|line| line.starts_with("Raspberry Pi 5 ")).unwrap();
    assert!(line.contains("fits 1 GB") && line.contains("tokens/s predicted"), "{line}");
    let one = fit(&["--board", "raspberry-pi-5"]);
    assert!(fit(&["--all"]).as_array().unwrap().contains(&one));
}
