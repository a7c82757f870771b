//! Reads access logs in Apache's combined format, plain or gzipped, into requests that can be replayed.
//!
//! A log is a stranger's file: it is read line by line as bytes, with a bound on everything that grows (lines, records,
//! decompressed bytes, distinct text). A line that is not in the format is counted, not fatal; a file that plainly is no
//! access log is refused early. No message quotes the log, which holds people's addresses.
//!
//! The format is `%h %l %u %t "%r" %>s %b "%{Referer}i" "%{User-agent}i"` (Apache httpd, mod_log_config). Requests are
//! taken from what stands before the size; what follows it is only checked for an open quote, so the common format, which
//! ends there, and logs with fields added at the end are read as well.

use std::fmt;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Cursor, Read};
use std::path::Path;

use flate2::bufread::MultiGzDecoder;
use indexmap::IndexSet;
use models::request::Method;
use sim_core::random::{Source, Stream, Streams};

mod line;

use line::{Line, Mistake};

const NANOS_PER_SECOND: u64 = 1_000_000_000;
/// Longest line that is read, bytes. A longer one is a broken line.
const LONGEST_LINE: usize = 64 << 10;
/// Where it is decided whether the file is an access log at all: after this many lines, or bytes if they come first.
const JUDGED_AFTER_LINES: u64 = 100;
const JUDGED_AFTER_BYTES: u64 = 16 << 20;
/// What a distinct text costs in memory besides its bytes (about: table, header, allocation).
const COST_OF_A_TEXT: u64 = 64;
const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];

/// How much of a log is read before it is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Most requests.
    pub records: u64,
    /// Most bytes, after decompression.
    pub bytes: u64,
    /// Most bytes of memory for distinct paths, query strings and addresses.
    pub text: u64,
}

impl Default for Limits {
    /// Twenty million requests (640 MB of memory), 8 GiB of log, 1 GiB of distinct text.
    fn default() -> Self {
        Self { records: 20_000_000, bytes: 8 << 30, text: 1 << 30 }
    }
}

/// A request of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RawRecord {
    /// When, in nanoseconds since the beginning of the log's earliest second.
    pub at: u64,
    /// What: index into [`Replay::paths`].
    pub path: u32,
    /// Which query string: 0 = none, otherwise a number from 1 up to [`Replay::query_strings`], equal for equal strings.
    pub query: u32,
    /// Size of the answer, bytes; 0 where the log has `-`, `u32::MAX` where it was larger.
    pub bytes: u32,
    /// Who: a number below [`Replay::clients`], equal for equal addresses.
    pub client: u32,
    /// Status of the answer.
    pub status: u16,
    /// How.
    pub method: Method,
}
const _: () = assert!(size_of::<RawRecord>() <= 32);

/// What a log holds.
#[derive(Clone, Debug)]
pub struct Replay {
    /// The requests in order of time; those of one second in the order of the file. Never empty.
    pub records: Vec<RawRecord>,
    /// Distinct paths without query strings, in order of their first appearance in the file. Escapes (`\x22`, `%20`) stay
    /// as the log has them; control characters and what is not UTF-8 become U+FFFD.
    pub paths: Vec<String>,
    /// How many distinct query strings there are.
    pub query_strings: u32,
    /// How many distinct addresses there are.
    pub clients: u32,
    /// What a reader of the results must know of the reading.
    pub notes: Vec<String>,
    /// The same as numbers.
    pub counts: Counts,
}

/// How the reading went.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Lines read, without blank ones.
    pub lines: u64,
    /// Lines that break the format.
    pub broken: u64,
    /// Number of the first of them in the file, from 1; 0 if there is none.
    pub first_broken: u64,
    /// Broken lines that were used all the same: what stands before the size of the answer was whole.
    pub salvaged: u64,
    /// Requests with an earlier stamp than the one before them in the file.
    pub reordered: u64,
    /// Distinct seconds with at least one request.
    pub seconds: u64,
    /// Requests with a method that is not one of [`Method`]'s, taken for POST.
    pub other_methods: u64,
}

/// Why a log cannot be replayed. The messages complete "access log FILE ...".
#[derive(Debug)]
pub enum ReplayError {
    /// The file cannot be opened.
    Open(io::Error),
    /// The file cannot be read on, or its gzip data are damaged or cut off.
    Read {
        /// The line that was being read, from 1.
        line: u64,
        /// Why.
        error: io::Error,
    },
    /// There is not one line in it.
    Empty,
    /// It is something else.
    NotALog {
        /// The first line that shows it, from 1.
        line: u64,
        /// What is wrong with that line.
        why: &'static str,
    },
    /// No line has a request in it.
    NoUsableLine {
        /// How many lines were read.
        lines: u64,
        /// The first of them, from 1.
        line: u64,
        /// What is wrong with that line.
        why: &'static str,
    },
    /// More requests than [`Limits::records`].
    TooManyRecords(u64),
    /// More bytes than [`Limits::bytes`].
    TooLong(u64),
    /// More distinct text than [`Limits::text`].
    TooMuchText(u64),
}

impl fmt::Display for ReplayError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Open(error) => write!(f, "cannot be opened: {error}"),
            Self::Read { line, error } => write!(f, "cannot be read at line {line}: {error}"),
            Self::Empty => write!(f, "is empty"),
            Self::NotALog { line, why } => {
                write!(f, "is not an access log in combined format: line {line} {why}")
            }
            Self::NoUsableLine { lines, line, why } => {
                write!(f, "has no usable line among {lines}: line {line} {why}; combined format is expected")
            }
            Self::TooManyRecords(limit) => {
                write!(f, "holds more than {limit} requests, the most that can be replayed")
            }
            Self::TooLong(limit) => {
                write!(f, "is longer than {limit} bytes (after decompression), the most that is read")
            }
            Self::TooMuchText(limit) => {
                write!(
                    f,
                    "has more than {limit} bytes of distinct paths, query strings and addresses, the most that is kept"
                )
            }
        }
    }
}

impl std::error::Error for ReplayError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Open(error) | Self::Read { error, .. } => Some(error),
            _ => None,
        }
    }
}

/// Reads the log in a file; `seed` decides where inside its second each request falls.
///
/// # Errors
/// See [`ReplayError`].
pub fn read(path: &Path, seed: u64, limits: &Limits) -> Result<Replay, ReplayError> {
    let file = File::open(path).map_err(ReplayError::Open)?;
    read_from(BufReader::with_capacity(256 << 10, file), seed, limits)
}

/// Reads a log, which is taken for gzip (of any number of members) if it begins like it.
///
/// # Errors
/// See [`ReplayError`].
pub fn read_from(mut input: impl BufRead, seed: u64, limits: &Limits) -> Result<Replay, ReplayError> {
    let mut magic = Vec::with_capacity(2);
    input.by_ref().take(2).read_to_end(&mut magic).map_err(|error| ReplayError::Read { line: 1, error })?;
    let zipped = magic == GZIP_MAGIC;
    let input = Cursor::new(magic).chain(input);
    if zipped {
        Reader::new(limits).read(BufReader::with_capacity(256 << 10, MultiGzDecoder::new(input)), seed)
    } else {
        Reader::new(limits).read(input, seed)
    }
}

/// What has been read so far. A record's `at` is its stamp in seconds since 1970 until all are read.
struct Reader<'a> {
    limits: &'a Limits,
    records: Vec<RawRecord>,
    paths: IndexSet<Box<[u8]>>,
    queries: IndexSet<Box<[u8]>>,
    clients: IndexSet<Box<[u8]>>,
    text: u64,
    first_mistake: &'static str,
    counts: Counts,
}

impl<'a> Reader<'a> {
    fn new(limits: &'a Limits) -> Self {
        Self {
            limits,
            records: Vec::new(),
            paths: IndexSet::new(),
            queries: IndexSet::new(),
            clients: IndexSet::new(),
            text: 0,
            first_mistake: "",
            counts: Counts::default(),
        }
    }

    fn read(mut self, input: impl BufRead, seed: u64) -> Result<Replay, ReplayError> {
        let mut lines = Lines { input, number: 0, bytes: 0, limit: self.limits.bytes, line: Vec::new() };
        let mut judged = false;
        while let Some((number, text)) = lines.next()? {
            match text {
                Text::Line([]) => continue,
                Text::Line(text) => {
                    self.counts.lines += 1;
                    if !judged && text.contains(&0) {
                        return Err(ReplayError::NotALog { line: number, why: "has NUL bytes in it" });
                    }
                    match Line::parse(text) {
                        Ok(line) => {
                            if line.open_quote {
                                self.mark_broken(number, Mistake::OpenQuote);
                                self.counts.salvaged += 1;
                            }
                            self.keep(&line)?;
                        }
                        Err(mistake) => self.mark_broken(number, mistake),
                    }
                }
                Text::TooLong => {
                    self.counts.lines += 1;
                    self.mark_broken(number, Mistake::TooLong);
                }
            }
            if !judged && (self.counts.lines >= JUDGED_AFTER_LINES || lines.bytes >= JUDGED_AFTER_BYTES) {
                judged = true;
                if (self.counts.broken - self.counts.salvaged) * 2 > self.counts.lines {
                    return Err(ReplayError::NotALog { line: self.counts.first_broken, why: self.first_mistake });
                }
            }
        }
        if self.counts.lines == 0 {
            return Err(ReplayError::Empty);
        }
        if self.records.is_empty() {
            let Counts { lines, first_broken: line, .. } = self.counts;
            return Err(ReplayError::NoUsableLine { lines, line, why: self.first_mistake });
        }
        Ok(self.finish(seed))
    }

    fn mark_broken(&mut self, number: u64, mistake: Mistake) {
        self.counts.broken += 1;
        if self.counts.first_broken == 0 {
            self.counts.first_broken = number;
            self.first_mistake = mistake.in_words();
        }
    }

    fn keep(&mut self, line: &Line<'_>) -> Result<(), ReplayError> {
        if self.records.len() as u64 >= self.limits.records {
            return Err(ReplayError::TooManyRecords(self.limits.records));
        }
        if self.records.last().is_some_and(|before| line.second < before.at) {
            self.counts.reordered += 1;
        }
        let method = method(line.method).unwrap_or_else(|| {
            self.counts.other_methods += 1;
            Method::Post
        });
        let path = intern(&mut self.paths, printable(line.path).as_bytes(), &mut self.text);
        let query = match line.query {
            None => 0,
            Some(query) => intern(&mut self.queries, query, &mut self.text) + 1,
        };
        let client = intern(&mut self.clients, line.client, &mut self.text);
        if self.text > self.limits.text {
            return Err(ReplayError::TooMuchText(self.limits.text));
        }
        self.records.push(RawRecord {
            at: line.second,
            path: index(path),
            query: index(query),
            bytes: line.bytes,
            client: index(client),
            status: line.status,
            method,
        });
        Ok(())
    }

    fn finish(mut self, seed: u64) -> Replay {
        if self.counts.reordered > 0 {
            self.records.sort_by_key(|record| record.at);
        }
        self.counts.seconds = spread(&mut self.records, &mut Streams::new(seed, 0).stream("replay", "spread"));
        Replay {
            notes: notes(self.records.len(), &self.counts, self.first_mistake),
            paths: self.paths.iter().map(|path| String::from_utf8_lossy(path).into_owned()).collect(),
            query_strings: index(self.queries.len()),
            clients: index(self.clients.len()),
            records: self.records,
            counts: self.counts,
        }
    }
}

/// Turns stamps in whole seconds, which must be in order, into instants: the k requests of a second get k sorted uniform
/// draws, which is how the arrivals of a Poisson process lie in a second known to have k. Returns how many seconds there are.
fn spread(records: &mut [RawRecord], stream: &mut Stream) -> u64 {
    let first = records.first().map_or(0, |record| record.at);
    let mut inside = Vec::new();
    let mut seconds = 0;
    for second in records.chunk_by_mut(|a, b| a.at == b.at) {
        seconds += 1;
        inside.clear();
        inside.extend(second.iter().map(|_| stream.below(NANOS_PER_SECOND)));
        inside.sort_unstable();
        for (record, nanos) in second.iter_mut().zip(&inside) {
            record.at = (record.at - first) * NANOS_PER_SECOND + nanos;
        }
    }
    seconds
}

fn notes(requests: usize, counts: &Counts, first_mistake: &str) -> Vec<String> {
    let mut note = format!("replay: {requests} requests of {} lines", counts.lines);
    if counts.broken > 0 {
        let Counts { broken, first_broken, salvaged, .. } = counts;
        note += &format!(" ({broken} broken: ");
        note += if *broken > 1 { "the first, " } else { "" };
        note += &format!("line {first_broken}, {first_mistake}; ");
        note += &match (broken - salvaged, salvaged) {
            (0, _) => "used all the same, its request is whole)".to_owned(),
            (_, 0) => "left out)".to_owned(),
            (out, used) => format!("{out} left out, {used} used, whose requests are whole)"),
        };
    }
    note += "; stamps have one-second resolution and were spread evenly at random inside their second";
    if counts.reordered > 0 {
        let was = if counts.reordered == 1 { "request was" } else { "requests were" };
        note += &format!("; {} {was} out of order, earlier than the one before, and sorted", counts.reordered);
    }
    let mut notes = vec![note];
    if counts.other_methods > 0 {
        let have = if counts.other_methods == 1 { "request has" } else { "requests have" };
        notes.push(format!("replay: {} {have} an uncommon method and count as POST", counts.other_methods));
    }
    notes
}

fn method(name: &[u8]) -> Option<Method> {
    Some(match name {
        b"GET" => Method::Get,
        b"HEAD" => Method::Head,
        b"POST" => Method::Post,
        b"PUT" => Method::Put,
        b"PATCH" => Method::Patch,
        b"DELETE" => Method::Delete,
        b"OPTIONS" => Method::Options,
        _ => return None,
    })
}

/// Text fit for a terminal and a report.
fn printable(bytes: &[u8]) -> std::borrow::Cow<'_, str> {
    let text = String::from_utf8_lossy(bytes);
    if text.contains(char::is_control) { text.replace(char::is_control, "\u{fffd}").into() } else { text }
}

fn intern(set: &mut IndexSet<Box<[u8]>>, bytes: &[u8], text: &mut u64) -> usize {
    if let Some(index) = set.get_index_of(bytes) {
        return index;
    }
    *text += bytes.len() as u64 + COST_OF_A_TEXT;
    set.insert_full(bytes.into()).0
}

/// An index as kept in a record; the limit on text keeps it far below the type's.
fn index(index: usize) -> u32 {
    u32::try_from(index).unwrap_or(u32::MAX)
}

/// A line without its end.
enum Text<'a> {
    Line(&'a [u8]),
    TooLong,
}

/// Lines of bounded length out of an input of bounded length.
struct Lines<R> {
    input: R,
    number: u64,
    bytes: u64,
    limit: u64,
    line: Vec<u8>,
}

impl<R: BufRead> Lines<R> {
    /// The next line and its number from 1; none at the end. Of a line that is too long the rest is passed over.
    fn next(&mut self) -> Result<Option<(u64, Text<'_>)>, ReplayError> {
        self.line.clear();
        self.number += 1;
        let mut too_long = false;
        let mut any = false;
        loop {
            let chunk = match self.input.fill_buf() {
                Ok(chunk) => chunk,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(ReplayError::Read { line: self.number, error }),
            };
            if chunk.is_empty() {
                break;
            }
            any = true;
            let end = chunk.iter().position(|&byte| byte == b'\n');
            let text = &chunk[..end.unwrap_or(chunk.len())];
            if self.line.len() + text.len() > LONGEST_LINE {
                too_long = true;
                // What was not looked at must not pass for a log: a device of zeros never ends its first line.
                if self.number == 1 && text.contains(&0) {
                    return Err(ReplayError::NotALog { line: 1, why: "has NUL bytes in it" });
                }
            } else if !too_long {
                self.line.extend_from_slice(text);
            }
            let used = text.len() + usize::from(end.is_some());
            self.input.consume(used);
            self.bytes += used as u64;
            if self.bytes > self.limit {
                return Err(ReplayError::TooLong(self.limit));
            }
            if too_long && self.number == 1 && self.bytes > JUDGED_AFTER_BYTES {
                return Err(ReplayError::NotALog { line: 1, why: Mistake::TooLong.in_words() });
            }
            if end.is_some() {
                break;
            }
        }
        if too_long {
            return Ok(Some((self.number, Text::TooLong)));
        }
        if !any {
            return Ok(None);
        }
        let mut line = self.line.as_slice();
        if self.number == 1 {
            line = line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line);
        }
        Ok(Some((self.number, Text::Line(line.trim_ascii_end()))))
    }
}

#[cfg(test)]
mod tests;
