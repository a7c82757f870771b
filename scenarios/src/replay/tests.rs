use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;

use super::*;

/// A whole line with the given stamp (within 10:05 on 17 May 2015) and target.
fn line(second: u32, client: &str, target: &str) -> String {
    format!(
        "{client} - - [17/May/2015:10:05:{second:02} +0000] \"GET {target} HTTP/1.1\" 200 512 \"http://example.com/\" \"Test/1.0\"\n"
    )
}

fn read_text(text: impl AsRef<[u8]>) -> Result<Replay, ReplayError> {
    read_from(text.as_ref(), 7, &Limits::default())
}

fn gzip(text: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

/// The one request of a log with this line alone.
fn only(text: &str) -> (RawRecord, Replay) {
    let replay = read_text(text).unwrap();
    assert_eq!(replay.records.len(), 1, "{text}");
    (replay.records[0], replay)
}

fn stamp(text: &str) -> Option<u64> {
    Line::parse(format!("h - - [{text}] \"GET / HTTP/1.1\" 200 1").as_bytes()).ok().map(|line| line.second)
}

#[test]
fn a_line_gives_all_its_fields() {
    let (record, replay) = only(
        "192.0.2.7 - frank [10/Oct/2000:13:55:36 -0700] \"HEAD /a.gif?x=1 HTTP/1.0\" 304 2326 \"-\" \"Mozilla/4.08\"\n",
    );
    assert!(record.at < NANOS_PER_SECOND);
    assert_eq!(
        record,
        RawRecord { at: record.at, path: 0, query: 1, bytes: 2326, client: 0, status: 304, method: Method::Head }
    );
    assert_eq!(
        (replay.paths.as_slice(), replay.query_strings, replay.clients),
        (["/a.gif".to_owned()].as_slice(), 1, 1)
    );
    assert_eq!(replay.counts, Counts { lines: 1, seconds: 1, ..Counts::default() });
}

#[test]
fn paths_queries_and_clients_are_numbered_in_order_of_appearance() {
    let text = [
        line(1, "192.0.2.1", "/a?x"),
        line(1, "192.0.2.2", "/b"),
        line(2, "192.0.2.1", "/b?y"),
        line(3, "192.0.2.3", "/a?x"),
        line(3, "192.0.2.3", "/a?"),
    ];
    let replay = read_text(text.concat()).unwrap();
    assert_eq!(replay.paths, ["/a", "/b"]);
    assert_eq!((replay.query_strings, replay.clients), (3, 3));
    let seen: Vec<_> = replay.records.iter().map(|record| (record.path, record.query, record.client)).collect();
    assert_eq!(seen, [(0, 1, 0), (1, 0, 1), (1, 2, 0), (0, 1, 2), (0, 3, 2)]);
}

#[test]
fn stamps_know_zones_leap_years_and_the_epoch() {
    assert_eq!(stamp("10/Oct/2000:13:55:36 -0700"), Some(971_211_336));
    assert_eq!(stamp("17/May/2015:10:05:03 +0000"), Some(1_431_857_103));
    assert_eq!(stamp("17/May/2015:15:35:03 +0530"), Some(1_431_857_103));
    assert_eq!(stamp("29/Feb/2000:00:00:00 +0000"), Some(951_782_400));
    assert_eq!(stamp("29/Feb/2100:00:00:00 +0000"), None);
    assert_eq!(stamp("01/Mar/2100:00:00:00 +0000"), Some(4_107_542_400));
    assert_eq!(stamp("31/Dec/2016:23:59:60 +0000"), stamp("01/Jan/2017:00:00:00 +0000"));
    assert_eq!(stamp("01/Jan/1970:00:00:00 +0000"), Some(0));
    assert_eq!(stamp("31/Dec/1969:23:59:59 -0001"), Some(59));
    assert_eq!(stamp("01/Jan/1970:00:00:00 +0001"), None);
    assert_eq!(stamp("31/Dec/1969:23:59:59 +0000"), None);
    for wrong in [
        "32/May/2015:10:05:03 +0000",
        "00/May/2015:10:05:03 +0000",
        "31/Jun/2015:10:05:03 +0000",
        "17/Mai/2015:10:05:03 +0000",
        "17/May/2015:24:05:03 +0000",
        "17/May/2015:10:60:03 +0000",
        "17/May/2015:10:05:61 +0000",
        "17/May/2015:10:05:03 +2400",
        "17/May/2015:10:05:03 +0060",
        "17/May/2015:10:05:03 00000",
        "17/May/2015:10:05:03",
        "17/May/2501:10:05:03 +0000",
        "7/May/2015:10:05:03 +0000",
        "17-May-2015 10:05:03 +0000",
        "\u{e4}7/May/2015:10:05:03 +0000",
    ] {
        assert_eq!(stamp(wrong), None, "{wrong}");
    }
}

#[test]
fn every_day_since_1970_follows_the_one_before() {
    const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let mut expected = 0;
    for year in 1970..=2500 {
        for month in MONTHS {
            let days = (1..=31).filter_map(|day| stamp(&format!("{day:02}/{month}/{year}:00:00:00 +0000")));
            for second in days {
                assert_eq!(second, expected, "{month} {year}");
                expected += 86_400;
            }
        }
    }
    assert_eq!(expected, 193_944 * 86_400);
}

#[test]
fn requests_without_version_with_spaces_and_in_absolute_form_are_read() {
    let path = |request: &str| {
        let replay = read_text(format!("h - - [17/May/2015:10:05:03 +0000] \"{request}\" 200 1\n"));
        replay.map(|replay| (replay.paths[0].clone(), replay.query_strings)).ok()
    };
    let is = |path: &str, queries| Some((path.to_owned(), queries));
    assert_eq!(path("GET /a"), is("/a", 0));
    assert_eq!(path("GET /a b.html HTTP/1.0"), is("/a b.html", 0));
    assert_eq!(path("GET http://example.com/a?b HTTP/1.1"), is("/a", 1));
    assert_eq!(path("GET http://example.com HTTP/1.1"), is("/", 0));
    assert_eq!(path("GET http://example.com?b=/c HTTP/1.1"), is("/", 1));
    assert_eq!(path("GET /redirect?to=http://example.com/ HTTP/1.1"), is("/redirect", 1));
    assert_eq!(path("GET //a HTTP/2.0"), is("//a", 0));
    assert_eq!(path("OPTIONS * HTTP/1.1"), is("*", 0));
    assert_eq!(path(r#"GET /say-\"hi\" HTTP/1.1"#), is(r#"/say-\"hi\""#, 0));
    assert_eq!(path("GET /\u{1b}[31m HTTP/1.1"), is("/\u{fffd}[31m", 0));
    for wrong in [
        "-",
        "",
        " ",
        "GET",
        "GET ",
        "GET HTTP/1.1",
        "CONNECT example.com:443 HTTP/1.1",
        "GET a HTTP/1.1",
        r"\x16\x03\x01",
    ] {
        assert_eq!(path(wrong), None, "{wrong}");
    }
}

#[test]
fn uncommon_methods_count_as_post() {
    let text = line(1, "h", "/").replace("GET", "PROPFIND") + &line(2, "h", "/");
    let replay = read_text(text).unwrap();
    assert_eq!(replay.records[0].method, Method::Post);
    assert_eq!(replay.counts.other_methods, 1);
    assert_eq!(replay.notes[1], "replay: 1 request has an uncommon method and count as POST");
}

#[test]
fn a_broken_line_is_counted_and_left_out() {
    let text = [
        line(1, "h", "/a"),
        "rubbish\n".into(),
        line(2, "h", "/b"),
        line(2, "h", "/c").replace("200", "OK"),
        line(2, "h", "/c").replace(" 512", " some"),
        line(2, "h", "/c").replace("\" 200", "200"),
        line(2, "198.51.100.1 192.0.2.1", "/c"),
    ];
    let replay = read_text(text.concat()).unwrap();
    assert_eq!(replay.paths, ["/a", "/b"]);
    assert_eq!(replay.counts, Counts { lines: 7, broken: 5, first_broken: 2, seconds: 2, ..Counts::default() });
    assert_eq!(
        replay.notes,
        [
            "replay: 2 requests of 7 lines (5 broken: the first, line 2, does not begin with a client, an identity and a user; \
          left out); stamps have one-second resolution and were spread evenly at random inside their second"
        ]
    );
}

#[test]
fn a_quote_that_never_closes_after_the_size_spoils_nothing() {
    let whole = line(1, "h", "/a");
    let open = whole.trim_end().trim_end_matches('"').to_owned() + "\n";
    let replay = read_text(open.clone() + &whole).unwrap();
    assert_eq!(replay.records.len(), 2);
    assert_eq!(
        replay.counts,
        Counts { lines: 2, broken: 1, first_broken: 1, salvaged: 1, seconds: 1, ..Counts::default() }
    );
    assert!(
        replay.notes[0]
            .starts_with("replay: 2 requests of 2 lines (1 broken: line 1, has a quote that never closes; used"),
        "{}",
        replay.notes[0]
    );
    let (_, escaped) = only(&whole.replace("Test/1.0", r#"say \"hi\" \\"#));
    assert_eq!(escaped.counts.broken, 0);
    // Before the size it does: nobody knows where the request ends.
    let replay = read_text(whole.clone() + "h - - [17/May/2015:10:05:03 +0000] \"GET / 200 512\n").unwrap();
    assert_eq!((replay.records.len(), replay.counts.broken, replay.counts.salvaged), (1, 1, 0));
}

#[test]
fn common_format_and_added_fields_are_read() {
    only("h - - [17/May/2015:10:05:03 +0000] \"GET / HTTP/1.1\" 200 -\n");
    only("h - a user [x] y [17/May/2015:10:05:03 +0000] \"GET / HTTP/1.1\" 200 1 \"-\" \"-\" 0.003 \"more\"\r\n");
    only("\u{feff}h - - [17/May/2015:10:05:03 +0000] \"GET / HTTP/1.1\" 200 1");
    let (record, _) = only("h - - [17/May/2015:10:05:03 +0000] \"GET / HTTP/1.1\" 200 99999999999999999999999\n");
    assert_eq!(record.bytes, u32::MAX);
}

#[test]
fn times_out_of_order_are_sorted_and_seconds_keep_the_order_of_the_file() {
    let text = [line(9, "h", "/c"), line(9, "h", "/d"), line(1, "h", "/a"), line(9, "h", "/e"), line(1, "h", "/b")];
    let replay = read_text(text.concat()).unwrap();
    let order: Vec<_> = replay.records.iter().map(|record| replay.paths[record.path as usize].as_str()).collect();
    assert_eq!(order, ["/a", "/b", "/c", "/d", "/e"]);
    assert_eq!((replay.counts.reordered, replay.counts.seconds), (2, 2));
    assert!(replay.records.is_sorted_by_key(|record| record.at));
    assert!(replay.records[1].at < NANOS_PER_SECOND);
    assert!((8 * NANOS_PER_SECOND..9 * NANOS_PER_SECOND).contains(&replay.records[2].at));
    let note = &replay.notes[0];
    assert!(note.ends_with("; 2 requests were out of order, earlier than the one before, and sorted"), "{note}");
}

#[test]
fn stamps_are_spread_evenly_and_as_the_seed_has_it() {
    let text = line(1, "h", "/").repeat(10_000);
    let at = |seed| -> Vec<u64> {
        read_from(text.as_bytes(), seed, &Limits::default()).unwrap().records.iter().map(|record| record.at).collect()
    };
    let first = at(1);
    assert_eq!(first, at(1));
    assert_ne!(first, at(2));
    // Kolmogorov-Smirnov: the largest distance from the uniform distribution; 1.95 / sqrt(n) is exceeded once in a thousand.
    let n = first.len() as f64;
    let distance = first
        .iter()
        .enumerate()
        .map(|(index, &at)| {
            let share = at as f64 / NANOS_PER_SECOND as f64;
            (share - index as f64 / n).abs().max(((index + 1) as f64 / n - share).abs())
        })
        .fold(0.0, f64::max);
    assert!(distance < 1.95 / n.sqrt(), "{distance}");
}

#[test]
fn gzip_is_known_by_its_first_bytes_whatever_its_members() {
    let (a, b) = (line(1, "h", "/a"), line(2, "h", "/b"));
    let plain = read_text(a.clone() + &b).unwrap();
    for zipped in [gzip((a.clone() + &b).as_bytes()), [gzip(a.as_bytes()), gzip(b.as_bytes())].concat()] {
        let replay = read_text(&zipped).unwrap();
        assert_eq!((replay.records, replay.paths), (plain.records.clone(), plain.paths.clone()));
        // Whatever the size of the reads.
        let replay = read_from(BufReader::with_capacity(1, zipped.as_slice()), 7, &Limits::default()).unwrap();
        assert_eq!(replay.records, plain.records);
        assert!(matches!(read_text(&zipped[..zipped.len() - 9]), Err(ReplayError::Read { .. })));
    }
}

#[test]
fn what_is_no_access_log_is_refused_early() {
    let refusal = |text: &[u8]| read_text(text).unwrap_err().to_string();
    assert_eq!(refusal(b""), "is empty");
    assert_eq!(refusal(b"\n\r\n  \n"), "is empty");
    assert_eq!(refusal(b"\x7fELF\0\0\0"), "is not an access log in combined format: line 1 has NUL bytes in it");
    assert_eq!(refusal(&vec![0; 1 << 20]), "is not an access log in combined format: line 1 has NUL bytes in it");
    assert_eq!(
        refusal("time,path\n".repeat(200).as_bytes()),
        "is not an access log in combined format: line 1 does not begin with a client, an identity and a user"
    );
    assert_eq!(
        refusal(b"\nrubbish\n"),
        "has no usable line among 1: line 2 does not begin with a client, an identity and a user; combined format is expected"
    );
    assert!(matches!(read_text(gzip(b"")), Err(ReplayError::Empty)));
    let secret = "198.51.100.77 192.0.2.78 - - nonsense\n".repeat(200);
    assert!(!refusal(secret.as_bytes()).contains("198.51"));
    // Rubbish further down, where it is clear that the file is a log, is only counted.
    let replay = read_text(line(1, "h", "/").repeat(100) + &"\0rubbish\n".repeat(300)).unwrap();
    assert_eq!((replay.records.len(), replay.counts.broken), (100, 300));
}

#[test]
fn everything_that_grows_has_its_limit() {
    let text: String = (0..10).map(|n| line(n, &format!("192.0.2.{n}"), &format!("/{n}"))).collect();
    let with = |limits: Limits| read_from(text.as_bytes(), 7, &limits);
    let most = Limits { records: 10, bytes: text.len() as u64, text: 2000 };
    assert!(with(most).is_ok());
    assert!(matches!(with(Limits { records: 9, ..most }), Err(ReplayError::TooManyRecords(9))));
    assert!(matches!(with(Limits { bytes: text.len() as u64 - 1, ..most }), Err(ReplayError::TooLong(_))));
    assert!(matches!(with(Limits { text: 1000, ..most }), Err(ReplayError::TooMuchText(1000))));
    // An archive that expands a thousandfold.
    let bomb = gzip(line(1, "h", "/").repeat(1 << 16).as_bytes());
    let limits = Limits { bytes: 1 << 20, ..Limits::default() };
    assert!(matches!(read_from(bomb.as_slice(), 7, &limits), Err(ReplayError::TooLong(_))));
    let bomb = gzip(&vec![b'a'; 32 << 20]);
    assert!(matches!(read_text(bomb), Err(ReplayError::NotALog { line: 1, .. })));
}

/// Gives the same bytes over and over.
struct Endless {
    bytes: Vec<u8>,
    at: usize,
}

impl Read for Endless {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        let length = to.len().min(self.bytes.len() - self.at);
        to[..length].copy_from_slice(&self.bytes[self.at..self.at + length]);
        self.at = (self.at + length) % self.bytes.len();
        Ok(length)
    }
}

/// Each case would never end without its limit.
#[test]
fn an_archive_without_end_is_cut_off() {
    let limits = Limits { records: 30_000, bytes: 4 << 20, text: 1 << 20 };
    let endless = |bytes: Vec<u8>| read_from(BufReader::new(Endless { bytes, at: 0 }), 7, &limits).map(|_| ());
    let lines = line(1, "h", "/").repeat(100);
    assert!(matches!(
        endless(lines.clone().into_bytes()),
        Err(ReplayError::TooLong(_) | ReplayError::TooManyRecords(_))
    ));
    for (member, expected) in [
        // Every line a request.
        (gzip(lines.as_bytes()), "holds more than 30000 requests"),
        // Blank lines only: nothing is kept, so nothing but the length can end it.
        (gzip(&vec![b'\n'; 1 << 16]), "is longer than 4194304 bytes"),
        // One line that never ends, behind enough others to pass for a log.
        (gzip((lines.repeat(3) + &"a".repeat(1 << 20)).as_bytes()), "is longer than 4194304 bytes"),
    ] {
        let error = endless(member).unwrap_err().to_string();
        assert!(error.contains(expected), "{error} instead of {expected}");
    }
}

#[test]
fn a_line_longer_than_the_limit_is_broken_and_the_next_is_read() {
    let long = line(1, "h", &format!("/{}", "a".repeat(LONGEST_LINE)));
    let replay = read_text(line(1, "h", "/a") + &long + &line(2, "h", "/b")).unwrap();
    assert_eq!(replay.paths, ["/a", "/b"]);
    assert_eq!((replay.counts.broken, replay.counts.first_broken), (1, 2));
    let fits = line(1, "h", "/");
    let fits = fits.replace("/ HTTP", &format!("/{} HTTP", "a".repeat(LONGEST_LINE - fits.len() + 1)));
    assert_eq!(fits.len(), LONGEST_LINE + 1);
    only(&fits);
}

#[test]
fn any_damage_to_a_line_is_survived() {
    let whole = line(1, "192.0.2.1", "/a?b").into_bytes();
    for at in 0..whole.len() {
        for byte in [0, b' ', b'"', b'\\', b'[', b'\n', 0xff] {
            let mut damaged = whole.clone();
            damaged[at] = byte;
            let _ = read_text([line(1, "h", "/").as_bytes(), &damaged].concat());
            let _ = Line::parse(&damaged[..at]);
        }
    }
}

#[test]
fn a_missing_file_and_a_directory_are_told() {
    let missing = read(Path::new("no/such/file.log"), 7, &Limits::default()).unwrap_err();
    assert!(missing.to_string().starts_with("cannot be opened: "), "{missing}");
    let directory = read(Path::new("."), 7, &Limits::default()).unwrap_err();
    assert!(matches!(directory, ReplayError::Open(_) | ReplayError::Read { .. }), "{directory}");
}

/// The real log beside the workspace, where there is one. No line of it stands here.
#[test]
fn a_real_log_is_read_whole() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data/elastic_apache_combined.log.gz");
    if !path.exists() {
        return;
    }
    let replay = read(&path, 7, &Limits::default()).unwrap();
    assert_eq!(replay.records.len(), 10_000);
    assert_eq!((replay.counts.lines, replay.counts.broken, replay.counts.salvaged), (10_000, 1, 1));
    assert_eq!(replay.counts.seconds, 4_362);
    assert!(replay.counts.reordered > 0);
    assert!(replay.records.is_sorted_by_key(|record| record.at));
}
