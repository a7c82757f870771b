//! What is wrong with a scenario, and where.

use std::fmt;

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet, normalize_untrusted_str};

use crate::Source;
use crate::tree::Span;

/// How many mistakes are shown in full.
const MAX_SHOWN: usize = 40;

/// One mistake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    pub(crate) title: String,
    pub(crate) span: Span,
    pub(crate) label: String,
    pub(crate) also: Vec<(Span, String)>,
    pub(crate) help: Vec<String>,
}

impl Diagnostic {
    /// A mistake at a place; `label` stands beside the caret.
    pub(crate) fn error(span: Span, title: impl Into<String>, label: impl Into<String>) -> Self {
        Self { title: title.into(), span, label: label.into(), also: Vec::new(), help: Vec::new() }
    }
    /// Adds what to do about it.
    #[must_use]
    pub(crate) fn help(mut self, text: impl Into<String>) -> Self {
        self.help.push(text.into());
        self
    }
    /// Adds a second place that has to do with it.
    #[must_use]
    pub(crate) fn also(mut self, span: Span, label: impl Into<String>) -> Self {
        if span != Span::NOWHERE {
            self.also.push((span, label.into()));
        }
        self
    }
    /// What is wrong, in one sentence.
    #[must_use]
    pub fn title(&self) -> &str {
        &self.title
    }
    /// What to do about it.
    #[must_use]
    pub fn help_texts(&self) -> &[String] {
        &self.help
    }
}

/// Everything that is wrong with a scenario; never empty.
#[derive(Clone, Debug)]
pub struct Diagnostics {
    texts: Vec<Source>,
    list: Vec<Diagnostic>,
}

impl Diagnostics {
    /// `texts[n]` is text number `n` of the spans.
    pub(crate) fn new(texts: Vec<Source>, mut list: Vec<Diagnostic>) -> Self {
        assert!(!list.is_empty(), "diagnostics say what is wrong");
        list.sort_by_key(|diagnostic| diagnostic.span);
        list.dedup();
        Self { texts, list }
    }

    /// How many mistakes there are.
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "never empty")]
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// The mistakes, in order of their places.
    pub fn iter(&self) -> impl Iterator<Item = &Diagnostic> {
        self.list.iter()
    }

    /// Line and column (both from 1) of a mistake.
    #[must_use]
    pub fn line_and_column(&self, diagnostic: &Diagnostic) -> (usize, usize) {
        line_and_column(&self.texts, diagnostic.span)
    }

    /// All of it as text for a terminal: each mistake with file, line, column and a caret under it.
    #[must_use]
    pub fn render(&self, colour: bool) -> String {
        let renderer = if colour { Renderer::styled() } else { Renderer::plain() };
        let mut out = String::new();
        for diagnostic in self.list.iter().take(MAX_SHOWN) {
            out.push_str(&renderer.render(&[self.group(diagnostic)]));
            out.push_str("\n\n");
        }
        let name = self.texts.first().map_or("the scenario", |source| source.name.as_str());
        let rest = self.list.len().saturating_sub(MAX_SHOWN);
        if rest > 0 {
            out.push_str(&format!("... and {rest} more mistakes\n\n"));
        }
        let summary = match self.list.len() {
            1 => format!("{name}: 1 mistake"),
            n => format!("{name}: {n} mistakes"),
        };
        out.push_str(&renderer.render(&[Group::with_title(Level::ERROR.primary_title(clean(&summary)))]));
        out.push('\n');
        out
    }

    fn group<'a>(&'a self, diagnostic: &'a Diagnostic) -> Group<'a> {
        let mut group = Group::with_title(Level::ERROR.primary_title(clean(&diagnostic.title)));
        let mut numbers: Vec<u16> = diagnostic.also.iter().map(|(span, _)| span.text).collect();
        numbers.retain(|number| *number != diagnostic.span.text);
        numbers.sort_unstable();
        numbers.dedup();
        numbers.insert(0, diagnostic.span.text);
        for number in numbers {
            let Some(source) = self.texts.get(number as usize) else { continue };
            let mut snippet = Snippet::source(source.text.as_str()).path(source.name.as_str());
            if diagnostic.span.text == number {
                let range = within(&source.text, diagnostic.span);
                snippet = snippet.annotation(AnnotationKind::Primary.span(range).label(clean(&diagnostic.label)));
            }
            for (span, label) in diagnostic.also.iter().filter(|(span, _)| span.text == number) {
                let range = within(&source.text, *span);
                snippet = snippet.annotation(AnnotationKind::Context.span(range).label(clean(label)));
            }
            group = group.element(snippet);
        }
        for help in &diagnostic.help {
            group = group.element(Level::HELP.message(clean(help)));
        }
        group
    }
}

impl fmt::Display for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(false))
    }
}

impl std::error::Error for Diagnostics {}

/// Names come from a file that nobody trusts: control characters do not reach the terminal.
fn clean(text: &str) -> String {
    let text: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    normalize_untrusted_str(&text)
}

/// A span as a range of a text, on character boundaries whatever the span says.
fn within(text: &str, span: Span) -> std::ops::Range<usize> {
    let mut start = (span.start as usize).min(text.len());
    let mut end = (span.end as usize).clamp(start, text.len());
    while !text.is_char_boundary(start) {
        start -= 1;
    }
    while !text.is_char_boundary(end) {
        end += 1;
    }
    start..end
}

/// Line and column of a span's start, from 1.
pub(crate) fn line_and_column(texts: &[Source], span: Span) -> (usize, usize) {
    let Some(source) = texts.get(span.text as usize) else { return (1, 1) };
    let before = &source.text[..within(&source.text, span).start];
    let line_start = before.rfind('\n').map_or(0, |at| at + 1);
    (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
}
