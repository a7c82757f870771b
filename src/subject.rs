//! Finds the scenario that was asked for: a file, or one of the library.

use std::fs::{self, File};
use std::io::Read as _;
use std::path::{Path, PathBuf};

use scenarios::{LoadOptions, Override, Scenario, Source, library};

use crate::args::Subject;
use crate::failure::Failure;
use crate::terminal::colour_on_stderr;

/// Nobody writes a longer scenario; what is longer is some other file.
const LONGEST: u64 = 16 << 20;

/// Reads and validates a scenario with its changes.
pub fn load(subject: &Subject, more: impl IntoIterator<Item = (String, String)>) -> Result<Scenario, Failure> {
    let (source, folder) = find(&subject.scenario)?;
    todo!()
}

/// The text of a scenario, and the folder that the files it names are relative to.
fn find(name: &str) -> Result<(Source, PathBuf), Failure> {
    let path = Path::new(name);
    if fs::metadata(path).is_ok_and(|metadata| !metadata.is_dir()) {
        let folder = path.parent().unwrap_or(Path::new("")).to_owned();
        return Ok((Source { name: name.to_owned(), text: read(path)? }, folder));
    }
    if let Some(text) = library::get(name) {
        return Ok((Source { name: format!("{name}.toml"), text: text.to_owned() }, PathBuf::new()));
    }
    let looks_like_a_file = path.extension().is_some() || path.components().count() > 1;
    Err(if looks_like_a_file {
        Failure::Input(format!("there is no scenario file {name}"))
    } else {
        unknown(name)
    })
}

/// The library has no scenario of that name.
pub fn unknown(name: &str) -> Failure {
    let advice = match library::nearest(name).as_slice() {
        [] => "`stormglass list` prints the names of the library".to_owned(),
        [first, ..] => format!("did you mean `{first}`? (`stormglass list` prints all names of the library)"),
    };
    Failure::Input(format!("there is no scenario `{name}`, neither a file nor in the library: {advice}"))
}

fn read(path: &Path) -> Result<String, Failure> {
    let wrong = |why: String| Failure::Input(format!("{} {why}", path.display()));
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|file| file.take(LONGEST + 1).read_to_end(&mut bytes));
    read.map_err(|error| wrong(format!("cannot be read: {error}")))?;
    if bytes.len() as u64 > LONGEST {
        return Err(wrong(format!("is longer than {} MiB, which no scenario is", LONGEST >> 20)));
    }
    String::from_utf8(bytes).map_err(|error| {
        let before = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let line = before.iter().filter(|&&byte| byte == b'\n').count() + 1;
        wrong(format!("is no text in UTF-8: line {line} has other bytes"))
    })
}
