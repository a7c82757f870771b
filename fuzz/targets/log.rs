//! Any bytes are a log that can be replayed, or are refused; compressed they are the same.
#![no_main]

use std::io::Read as _;

use flate2::Compression;
use flate2::bufread::GzEncoder;
use libfuzzer_sys::fuzz_target;
use scenarios::replay::{Limits, read_from};

fuzz_target!(|data: &[u8]| {
    let limits = Limits { records: 1000, bytes: 1 << 20, text: 1 << 18 };
    let plain = read_from(data, 7, &limits);
    if let Ok(log) = &plain {
        assert!(!log.records.is_empty() && log.records.is_sorted_by_key(|it| it.at));
        for it in &log.records {
            assert!((it.path as usize) < log.paths.len() && it.client < log.clients && it.query <= log.query_strings);
        }
        assert!(log.counts.broken <= log.counts.lines && log.counts.salvaged <= log.counts.broken);
        assert!(log.paths.iter().chain(&log.notes).all(|text| !text.contains(char::is_control)));
    }
    // What is gzip already stays so, whole or damaged; all else must not change by being compressed.
    if !data.starts_with(&[0x1f, 0x8b]) {
        let mut zipped = Vec::new();
        GzEncoder::new(data, Compression::fast()).read_to_end(&mut zipped).expect("memory is always readable");
        let unzipped = read_from(zipped.as_slice(), 7, &limits);
        match (plain, unzipped) {
            (Ok(a), Ok(b)) => assert_eq!((a.records, a.paths, a.counts), (b.records, b.paths, b.counts)),
            (Err(a), Err(b)) => assert_eq!(a.to_string(), b.to_string()),
            (a, b) => panic!("{a:?} {b:?}"),
        }
    }
});
