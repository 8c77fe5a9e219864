//! Where files may be written, and how they come to be there, on a real file system.
#![allow(clippy::unwrap_used, missing_docs, reason = "a test fails by panicking")]

use dram_models::{Class, Destination, Draft, Error, replace};
use std::fs::{self, File, Permissions};
use std::io::Write;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

/// An empty folder of a test, without links in its path.
fn folder() -> PathBuf {
    let test = thread::current().name().unwrap_or_default().replace("::", "-");
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(test);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    fs::canonicalize(folder).unwrap()
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name());
    let mut names: Vec<_> = entries.map(|name| name.into_string().unwrap()).collect();
    names.sort();
    names
}

/// A draft of which nobody is told to wait.
fn draft(path: &Path) -> Draft {
    let draft = Destination::new(path).unwrap().draft(&mut |told| panic!("{told}"));
    draft.unwrap()
}

fn write(path: &Path, text: &str) {
    let draft = draft(path);
    draft.file().write_all(text.as_bytes()).unwrap();
    draft.finish().unwrap();
}

#[track_caller]
fn refused(path: &Path, class: Class, words: &str) {
    let error: Error = Destination::new(path).unwrap_err();
    assert!(error.to_string().starts_with(&path.display().to_string()), "{error}");
    assert!(error.to_string().contains(words), "{words:?} is not in: {error}");
    assert_eq!(error.class(), class, "{error}");
}

#[test]
fn what_is_no_regular_file_is_refused() {
    let folder = folder();
    let [pipe, socket, link] = ["pipe", "socket", "link"].map(|name| folder.join(name));
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let _listener = UnixListener::bind(&socket).unwrap();
    symlink("/dev/null", &link).unwrap();
    for path in [&pipe, &socket, &link, Path::new("/dev/null"), Path::new("/dev/full")] {
        refused(path, Class::Usage, "is a device, pipe or socket");
    }
    refused(&folder, Class::Usage, "is a directory");
    refused(Path::new("/"), Class::Usage, "is a directory");
}

#[test]
fn what_names_no_file_is_refused() {
    let folder = folder();
    for path in ["new/", "new/."].map(|name| folder.join(name)) {
        refused(&path, Class::Usage, "names no file");
    }
    refused(Path::new(""), Class::Usage, "names no file");
    refused(&folder.join("no/new"), Class::Missing, "there is no folder");
    fs::write(folder.join("file"), "").unwrap();
    refused(&folder.join("file/new"), Class::Failed, "cannot be written");
    symlink("circle", folder.join("circle")).unwrap();
    refused(&folder.join("circle"), Class::Failed, "cannot be written");
    refused(&folder.join("n".repeat(300)), Class::Failed, "cannot be written");
}

#[test]
fn the_file_behind_links_is_written_and_the_links_stay() {
    let folder = folder();
    let [here, there] = ["here", "there"].map(|name| folder.join(name));
    fs::create_dir(&here).unwrap();
    fs::create_dir(&there).unwrap();
    fs::write(there.join("old"), "old").unwrap();
    symlink("../there/old", here.join("to-old")).unwrap();
    // To another link, to a file that is not there yet.
    symlink("second", here.join("to-new")).unwrap();
    symlink(there.join("new"), here.join("second")).unwrap();
    symlink("there", folder.join("folder")).unwrap();
    for (link, file) in [
        ("here/to-old", "there/old"),
        ("here/to-new", "there/new"),
        ("folder/third", "there/third"),
        ("folder/../there/fourth", "there/fourth"),
    ] {
        let destination = Destination::new(&folder.join(link)).unwrap();
        assert_eq!(destination.path(), folder.join(file));
        write(&folder.join(link), link);
        assert_eq!(fs::read_to_string(folder.join(file)).unwrap(), link);
        assert!(destination.is(&folder.join(link)) && !destination.is(&here));
    }
    assert!(here.join("to-old").is_symlink() && here.join("second").is_symlink());
    assert_eq!(names(&here), ["second", "to-new", "to-old"]);
    assert_eq!(names(&there), ["fourth", "new", "old", "third"]);
}

#[test]
fn a_link_into_a_folder_that_is_not_there_says_which() {
    let folder = folder();
    symlink("no/file", folder.join("link")).unwrap();
    refused(&folder.join("link"), Class::Missing, &format!("{}/no", folder.display()));
}

#[test]
fn a_file_is_the_old_one_until_the_new_one_is_whole() {
    let folder = folder();
    let path = folder.join("file");
    fs::write(&path, "old").unwrap();
    fs::set_permissions(&path, Permissions::from_mode(0o640)).unwrap();
    let begun = draft(&path);
    begun.file().write_all(b"half").unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"old");
    drop(begun);
    assert_eq!(names(&folder), ["file"]);
    assert_eq!(fs::read(&path).unwrap(), b"old");
    let open = File::open(&path).unwrap();
    write(&path, "new");
    assert_eq!(names(&folder), ["file"]);
    assert_eq!(fs::read(&path).unwrap(), b"new");
    let about = fs::metadata(&path).unwrap();
    assert_eq!(about.mode() & 0o777, 0o640);
    assert_ne!(about.ino(), open.metadata().unwrap().ino(), "who has the old file open keeps it");
}

#[test]
fn what_the_dead_have_left_is_removed_and_nothing_else() {
    let folder = folder();
    let alive = draft(&folder.join("alive"));
    fs::create_dir(folder.join(".dead.dram.folder")).unwrap();
    for name in
        [".dead.dram.folder/wheel", ".dead.dram.part", ".file.dram.part", ".x.part", "x.part"]
    {
        fs::write(folder.join(name), "half of it, and longer than the new").unwrap();
    }
    write(&folder.join("file"), "new");
    assert_eq!(names(&folder), [".alive.dram.part", ".x.part", "file", "x.part"]);
    assert_eq!(fs::read(folder.join("file")).unwrap(), b"new");
    alive.finish().unwrap();
}

#[test]
fn two_who_write_one_file_do_so_one_after_the_other() {
    let path = &folder().join("file");
    let first = draft(path);
    first.file().write_all(b"first").unwrap();
    let (tell, told) = mpsc::channel();
    thread::scope(|scope| {
        let second = scope.spawn(move || {
            let draft = Destination::new(path).unwrap().draft(&mut |text| {
                tell.send(text.to_owned()).unwrap();
            });
            let found = fs::read(path).unwrap();
            draft.unwrap().file().write_all(b"never finished").unwrap();
            found
        });
        let text = told.recv_timeout(Duration::from_secs(10)).unwrap();
        assert!(text.contains("another program is writing") && text.contains("file"), "{text}");
        first.finish().unwrap();
        assert_eq!(second.join().unwrap(), b"first");
    });
    assert_eq!(fs::read(path).unwrap(), b"first");
    assert_eq!(names(path.parent().unwrap()), ["file"]);
}

#[test]
fn many_who_write_one_file_all_finish() {
    let path = &folder().join("file");
    thread::scope(|scope| {
        for i in 0..8 {
            scope.spawn(move || {
                for _ in 0..20 {
                    let draft = Destination::new(path).unwrap().draft(&mut |_| {}).unwrap();
                    assert_eq!(draft.file().metadata().unwrap().len(), 0);
                    draft.file().write_all(&[i; 1000]).unwrap();
                    draft.finish().unwrap();
                    let read = fs::read(path).unwrap();
                    assert!(read.len() == 1000 && read.iter().all(|byte| *byte == read[0]));
                }
            });
        }
    });
    assert_eq!(names(path.parent().unwrap()), ["file"]);
}

#[test]
fn nothing_is_written_through_what_lies_in_the_place_of_a_draft() {
    let folder = folder();
    let (path, part) = (folder.join("file"), folder.join(".file.dram.part"));
    fs::write(folder.join("victim"), "kept").unwrap();
    symlink("victim", &part).unwrap();
    let begin = || Destination::new(&path).unwrap().draft(&mut |_| {}).err().unwrap().to_string();
    let told = begin();
    assert!(told.contains(".file.dram.part") && told.contains("/file: "), "{told}");
    assert_eq!(fs::read(folder.join("victim")).unwrap(), b"kept");
    fs::remove_file(&part).unwrap();
    fs::create_dir_all(part.join("full")).unwrap();
    fs::write(part.join("full/file"), "").unwrap();
    let told = begin();
    assert!(told.contains("cannot make"), "{told}");
    assert_eq!(names(&part), ["full"]);
}

#[test]
fn a_name_as_long_as_names_may_be() {
    let folder = folder();
    let name = "n".repeat(255);
    write(&folder.join(&name), "text");
    assert_eq!(names(&folder), [name]);
}

#[test]
fn more_than_the_disk_has_is_refused_before() {
    let path = folder().join("file");
    let draft = draft(&path);
    draft.reserve(1).unwrap();
    let error = draft.reserve(1 << 60).unwrap_err();
    assert!(error.to_string().starts_with(&path.display().to_string()), "{error}");
    assert!(error.to_string().contains("needs 1152921504606.8 MB"), "{error}");
}

/// Its new name is safe a little later.
#[test]
fn a_folder_that_cannot_be_read_is_written_to() {
    let folder = folder();
    fs::set_permissions(&folder, Permissions::from_mode(0o333)).unwrap();
    write(&folder.join("file"), "text");
    fs::set_permissions(&folder, Permissions::from_mode(0o755)).unwrap();
    assert_eq!(names(&folder), ["file"]);
}

#[test]
fn a_small_file_is_replaced_unless_another_does_so() {
    let folder = folder().join("made/as/needed");
    let path = folder.join("file");
    replace(&path, b"first").unwrap();
    replace(&path, b"second").unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"second");
    let other = draft(&path);
    assert!(replace(&path, b"third").is_err());
    assert_eq!(fs::read(&path).unwrap(), b"second");
    drop(other);
    assert_eq!(names(&folder), ["file"]);
    assert!(replace(Path::new("/dev/null"), b"x").is_err());
}
