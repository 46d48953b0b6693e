//! What is wrong with a config, said so that it can be put right.
//!
//! Owns: [`Diagnostic`] and how it is drawn: file, line, the span, what was expected, what to do.
//! Promises: a line of the config is shown with its secrets starred out.
//! Never: stops at the first error; the caller gathers all of them.

use std::ops::Range;

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};

use super::raw::ConfigFile;
use super::secret::mask;

/// A span of a config file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    /// The file's place in the list of files.
    pub(crate) file: usize,
    /// The first byte.
    pub(crate) start: usize,
    /// The byte after the last.
    pub(crate) end: usize,
}

impl Place {
    /// The span in this file.
    pub(crate) fn new(file: usize, span: Range<usize>) -> Self {
        Self { file, start: span.start, end: span.end }
    }
}

/// Whether a config with this diagnostic runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Severity {
    /// It does not.
    Error,
    /// It runs, but perhaps not as meant.
    Warning,
    /// It runs; only `check` tells this.
    Note,
}

/// One thing that is wrong with a config.
#[derive(Clone, Debug)]
pub(crate) struct Diagnostic {
    /// Whether the config runs all the same.
    pub(crate) severity: Severity,
    title: String,
    places: Vec<(Place, String)>,
    help: Option<String>,
}

impl Diagnostic {
    /// An error: what is wrong.
    pub(crate) fn error(title: impl Into<String>) -> Self {
        Self { severity: Severity::Error, title: title.into(), places: Vec::new(), help: None }
    }

    /// A warning: what may be wrong.
    pub(crate) fn warning(title: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::error(title) }
    }

    /// A note: what may surprise.
    pub(crate) fn note(title: impl Into<String>) -> Self {
        Self { severity: Severity::Note, ..Self::error(title) }
    }

    /// Where, and what was expected there. The first place is the main one.
    pub(crate) fn at(mut self, place: Place, label: impl Into<String>) -> Self {
        self.places.push((place, label.into()));
        self
    }

    /// What to do.
    pub(crate) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

/// All that is wrong with a config, and the files that it quotes.
#[derive(Debug, Default)]
pub(crate) struct Report {
    /// The files, by [`Place::file`].
    pub(crate) files: Vec<ConfigFile>,
    /// What is wrong.
    pub(crate) diagnostics: Vec<Diagnostic>,
}

impl Report {
    /// Diagnostics that keep the config from running.
    pub(crate) fn errors(&self) -> usize {
        self.diagnostics.iter().filter(|diagnostic| diagnostic.severity == Severity::Error).count()
    }

    /// Leaves the notes out.
    pub(crate) fn without_notes(mut self) -> Self {
        self.diagnostics.retain(|diagnostic| diagnostic.severity != Severity::Note);
        self
    }

    /// All diagnostics as text, in the order of their places, those without a place first.
    pub(crate) fn render(&self, coloured: bool) -> String {
        let renderer = if coloured { Renderer::styled() } else { Renderer::plain() };
        let masked = self.files.iter().map(|file| mask(&file.text)).collect::<Vec<_>>();
        let mut sorted = self.diagnostics.iter().collect::<Vec<_>>();
        sorted.sort_by_key(|diagnostic| diagnostic.places.first().map(|(place, _)| *place));
        let mut text = String::new();
        for diagnostic in sorted {
            text.push_str(&renderer.render(&[self.group(diagnostic, &masked)]));
            text.push_str("\n\n");
        }
        text
    }

    fn group<'a>(&'a self, diagnostic: &'a Diagnostic, masked: &'a [String]) -> Group<'a> {
        let level = match diagnostic.severity {
            Severity::Error => Level::ERROR,
            Severity::Warning => Level::WARNING,
            Severity::Note => Level::NOTE,
        };
        let mut group = Group::with_title(level.primary_title(diagnostic.title.as_str()));
        let mut places = diagnostic.places.as_slice();
        let mut kind = AnnotationKind::Primary;
        while let Some((first, _)) = places.first() {
            let same_file = places.iter().take_while(|(place, _)| place.file == first.file).count();
            let mut snippet = Snippet::source(masked[first.file].as_str())
                .path(self.files[first.file].path.display().to_string());
            for (place, label) in &places[..same_file] {
                snippet = snippet.annotation(kind.span(place.start..place.end).label(label.as_str()));
                kind = AnnotationKind::Context;
            }
            group = group.element(snippet);
            places = &places[same_file..];
        }
        match &diagnostic.help {
            Some(help) => group.element(Level::HELP.message(help.as_str())),
            None => group,
        }
    }
}
