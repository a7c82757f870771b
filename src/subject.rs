//! Finds the scenario that was asked for: a file, or one of the library.

use std::fs::{self, File};
use std::io::Read as _;
use std::path::{Path, PathBuf};

use scenarios::{Diagnostics, LoadOptions, Override, Scenario, Source, library, load_with};

use crate::args::Subject;
use crate::failure::Failure;
use crate::terminal::{colour_on_stderr, tell};

/// What is longer is some other file: no scenario language would read it.
const LONGEST: u64 = 16 << 20;

/// Reads and validates a scenario, or its variant, with its changes. Warnings go to standard error.
pub fn load(subject: &Subject, more: impl IntoIterator<Item = String>) -> Result<Scenario, Failure> {
    let (source, folder) = find(&subject.scenario)?;
    let overrides: Vec<Override> = subject.overrides().into_iter().chain(more).map(Override).collect();
    let options = LoadOptions {
        base_dir: folder.as_deref(),
        check_metric: Some(&reports::check_metric),
        variant: subject.variant.as_deref(),
        ..LoadOptions::default()
    };
    let scenario = load_with(&source, &overrides, &options)
        .map_err(|diagnostics| refused(subject, folder.is_none(), &diagnostics))?;
    warn(&scenario);
    for range in &scenario.ranges {
        tell(format_args!(
            "warning: {} is a range from {} to {}: here it is {}; `stormglass sweep` gives figures as ranges",
            range.key, range.low, range.high, range.mid
        ));
    }
    Ok(scenario)
}

/// Tells what is odd about a scenario.
pub fn warn(scenario: &Scenario) {
    for warning in &scenario.warnings {
        tell(format_args!("warning: {warning}"));
    }
}

/// What is wrong with a scenario, for standard error.
pub fn refused(subject: &Subject, of_library: bool, diagnostics: &Diagnostics) -> Failure {
    let mut text = diagnostics.render(colour_on_stderr());
    if of_library && subject.scenario == library::REPLAY {
        text += &format!(
            "\n{} replays an access log of yours: give it with --set {}=FILE\n",
            library::REPLAY,
            library::REPLAY_LOG
        );
    }
    Failure::Diagnostics(text)
}

/// The text of a scenario, and the folder that the files it names are relative to: none for one of the library.
pub fn find(name: &str) -> Result<(Source, Option<PathBuf>), Failure> {
    let path = Path::new(name);
    if fs::metadata(path).is_ok_and(|metadata| !metadata.is_dir()) {
        let folder = path.parent().map(Path::to_owned);
        return Ok((Source { name: name.to_owned(), text: read(path)? }, folder));
    }
    if let Some(text) = library::get(name) {
        return Ok((Source { name: format!("{name}.toml"), text: text.to_owned() }, None));
    }
    let looks_like_a_file = path.extension().is_some() || path.components().count() > 1;
    Err(Failure::Input(if looks_like_a_file {
        format!("there is no scenario file {name}")
    } else {
        format!("there is neither a file `{name}` nor a scenario of that name in the library: {}", advice(name))
    }))
}

/// The library has no scenario of that name.
pub fn unknown(name: &str) -> Failure {
    Failure::Input(format!("there is no scenario `{name}` in the library: {}", advice(name)))
}

fn advice(name: &str) -> String {
    match library::nearest(name).as_slice() {
        [] => "`stormglass list` prints the names it has".to_owned(),
        [first, ..] => format!("did you mean `{first}`? (`stormglass list` prints all names)"),
    }
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
