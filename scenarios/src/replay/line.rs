//! One line of a log: what it says, or what is wrong with it.

use std::net::IpAddr;

/// A line's request, as bytes of the line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Line<'a> {
    /// The client's address or name.
    pub client: &'a [u8],
    /// Seconds since 1970, UTC.
    pub second: u64,
    pub method: &'a [u8],
    /// Without the query string.
    pub path: &'a [u8],
    /// After the question mark.
    pub query: Option<&'a [u8]>,
    pub status: u16,
    pub bytes: u32,
    /// A quote after the size is never closed.
    pub open_quote: bool,
}

/// What is wrong with a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mistake {
    Host,
    ExtraField,
    Time,
    OpenRequest,
    Request,
    Target,
    Status,
    Size,
    OpenQuote,
    TooLong,
}

impl Mistake {
    /// As the end of a sentence that begins with "line 7".
    pub fn in_words(self) -> &'static str {
        match self {
            Self::Host => "does not begin with a client, an identity and a user",
            Self::ExtraField => {
                "has an address in the place of the identity (a virtual host or proxy before the client?)"
            }
            Self::Time => "has no time like [17/May/2015:10:05:03 +0000]",
            Self::OpenRequest => "has no quoted request",
            Self::Request => "has a request that is not METHOD PATH",
            Self::Target => "has a request whose target is not a path",
            Self::Status => "has no status of three digits",
            Self::Size => "has no size of the answer",
            Self::OpenQuote => "has a quote that never closes",
            Self::TooLong => "is longer than 64 KiB",
        }
    }
}

impl<'a> Line<'a> {
    /// Takes a line apart.
    pub fn parse(line: &'a [u8]) -> Result<Self, Mistake> {
        let (client, rest) = split_at_space(line).filter(|(client, _)| !client.is_empty()).ok_or(Mistake::Host)?;
        let (identity, rest) = split_at_space(rest).ok_or(Mistake::Host)?;
        if std::str::from_utf8(identity).is_ok_and(|identity| identity.parse::<IpAddr>().is_ok()) {
            return Err(Mistake::ExtraField);
        }
        let (second, rest) = time(rest)?;
        let rest = rest.strip_prefix(b" \"").ok_or(Mistake::OpenRequest)?;
        let end = closing_quote(rest).ok_or(Mistake::OpenRequest)?;
        let (method, target) = request(&rest[..end])?;
        let (path, query) = path_and_query(target)?;
        let rest = rest[end + 1..].strip_prefix(b" ").ok_or(Mistake::Status)?;
        let (status, rest) = token(rest);
        let status = number(status).filter(|_| status.len() == 3).ok_or(Mistake::Status)?;
        let rest = rest.strip_prefix(b" ").ok_or(Mistake::Size)?;
        let (bytes, rest) = token(rest);
        let bytes = if bytes == b"-" { 0 } else { number(bytes).ok_or(Mistake::Size)? };
        Ok(Self {
            client,
            second,
            method,
            path,
            query,
            status: status as u16,
            bytes: u32::try_from(bytes).unwrap_or(u32::MAX),
            open_quote: has_open_quote(rest),
        })
    }
}

fn split_at_space(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let space = text.iter().position(|&byte| byte == b' ')?;
    Some((&text[..space], &text[space + 1..]))
}

/// What stands before the next space or the end, and the rest with that space.
fn token(text: &[u8]) -> (&[u8], &[u8]) {
    text.split_at(text.iter().position(|&byte| byte == b' ').unwrap_or(text.len()))
}

/// A number of digits only; saturates.
fn number(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0u64, |value, digit| {
        digit.is_ascii_digit().then(|| value.saturating_mul(10).saturating_add(u64::from(digit - b'0')))
    })
}

/// Finds the time after a user name, which may hold spaces and brackets itself; returns what follows the bracket.
fn time(user_and_rest: &[u8]) -> Result<(u64, &[u8]), Mistake> {
    let mut from = 0;
    // A request is quoted: no user name reaches beyond the first quote.
    let until = user_and_rest.iter().position(|&byte| byte == b'"').unwrap_or(user_and_rest.len());
    while let Some(found) = user_and_rest[from..until].windows(2).position(|pair| pair == b" [") {
        let start = from + found + 2;
        let stamp = &user_and_rest[start..];
        if let Some(second) = stamp.get(..26).and_then(seconds_since_1970)
            && stamp.get(26) == Some(&b']')
        {
            return Ok((second, &stamp[27..]));
        }
        from = start;
    }
    Err(Mistake::Time)
}

/// `17/May/2015:10:05:03 +0000`, not before 1970 (in UTC) and not after 2500, so that any two stamps of a log lie within the
/// 584 years of simulated time. A leap second is the next minute's first.
fn seconds_since_1970(stamp: &[u8]) -> Option<u64> {
    const MONTHS: [&[u8; 3]; 12] =
        [b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec"];
    const DAYS: [u64; 12] = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let field = |from: usize, to: usize| number(&stamp[from..to]);
    let separators = [(2, b'/'), (6, b'/'), (11, b':'), (14, b':'), (17, b':'), (20, b' ')];
    if separators.iter().any(|&(at, separator)| stamp[at] != separator) {
        return None;
    }
    let month = MONTHS.iter().position(|name| stamp[3..6].eq_ignore_ascii_case(*name))?;
    let (day, year) = (field(0, 2)?, field(7, 11)?);
    let (hour, minute, second) = (field(12, 14)?, field(15, 17)?, field(18, 20)?);
    let (offset_hours, offset_minutes) = (field(22, 24)?, field(24, 26)?);
    let is_leap = |year: u64| year.is_multiple_of(4) && !year.is_multiple_of(100) || year.is_multiple_of(400);
    let days_of_month = DAYS[month] + u64::from(month == 1 && is_leap(year));
    let in_range = (1969..=2500).contains(&year)
        && (1..=days_of_month).contains(&day)
        && hour < 24
        && minute < 60
        && second <= 60
        && offset_hours < 24
        && offset_minutes < 60;
    if !in_range {
        return None;
    }
    // Days from 1 January 1969, so that 31 December 1969 in a zone west of Greenwich can be in 1970.
    let years = year - 1969;
    let leap_days = (year - 1) / 4 - (year - 1) / 100 + (year - 1) / 400 - (1968 / 4 - 1968 / 100 + 1968 / 400);
    let days_before_month: u64 = DAYS[..month].iter().sum::<u64>() + u64::from(month > 1 && is_leap(year));
    let days = years * 365 + leap_days + days_before_month + day - 1;
    let local = days * 86_400 + hour * 3600 + minute * 60 + second;
    let offset = offset_hours * 3600 + offset_minutes * 60;
    let utc = match stamp[21] {
        b'+' => local.checked_sub(offset)?,
        b'-' => local + offset,
        _ => return None,
    };
    utc.checked_sub(365 * 86_400)
}

/// Where the quoted text ends: the next quote that no backslash escapes.
fn closing_quote(text: &[u8]) -> Option<usize> {
    let mut escaped = false;
    text.iter().position(|&byte| {
        let closes = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        closes
    })
}

fn has_open_quote(mut text: &[u8]) -> bool {
    while let Some(open) = text.iter().position(|&byte| byte == b'"') {
        match closing_quote(&text[open + 1..]) {
            None => return true,
            Some(end) => text = &text[open + 1 + end + 1..],
        }
    }
    false
}

/// `METHOD TARGET` or `METHOD TARGET HTTP/1.1`, where the target may hold spaces that a careless client did not escape.
fn request(text: &[u8]) -> Result<(&[u8], &[u8]), Mistake> {
    let (method, target) = split_at_space(text).ok_or(Mistake::Request)?;
    // RFC 9110, 5.6.2: a method is a token.
    let is_token = |byte: &u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte);
    if method.is_empty() || !method.iter().all(is_token) {
        return Err(Mistake::Request);
    }
    let version = target.iter().rposition(|&byte| byte == b' ').filter(|&at| target[at + 1..].starts_with(b"HTTP/"));
    let target = target[..version.unwrap_or(target.len())].trim_ascii();
    if target.is_empty() || target.starts_with(b"HTTP/") { Err(Mistake::Request) } else { Ok((method, target)) }
}

/// Splits a request target (RFC 9112, 3.2): a path, the absolute form a proxy is sent, or `*`.
fn path_and_query(target: &[u8]) -> Result<(&[u8], Option<&[u8]>), Mistake> {
    let (path, query) = match target.iter().position(|&byte| byte == b'?') {
        None => (target, None),
        Some(mark) => (&target[..mark], Some(&target[mark + 1..])),
    };
    if path.starts_with(b"/") || target == b"*" {
        return Ok((path, query));
    }
    let scheme = path.windows(3).position(|three| three == b"://").ok_or(Mistake::Target)?;
    let is_scheme = |byte: &u8| byte.is_ascii_alphanumeric() || b"+-.".contains(byte);
    if scheme == 0 || !path[..scheme].iter().all(is_scheme) {
        return Err(Mistake::Target);
    }
    let authority = &path[scheme + 3..];
    match authority.iter().position(|&byte| byte == b'/') {
        None => Ok((b"/", query)),
        Some(slash) => Ok((&authority[slash..], query)),
    }
}
