//! All that conditions ask of one field.
//!
//! Owns: [`FieldIndex`], its automaton and its tables.
//! Promises: for a value it hits each predicate that is true of it, and says of each hit whether it is sure; a text is
//! scanned once, however many literals there are.
//! Never: knows which conditions a predicate belongs to.

use std::collections::HashMap;

use aho_corasick::automaton::Automaton;
use aho_corasick::dfa::DFA;
use aho_corasick::nfa::contiguous::NFA;
use aho_corasick::{Anchored, MatchKind};
use foldhash::fast::RandomState;

use super::super::condition::Relation;
use super::super::network::{Address, Network};
use super::super::number::Number;
use super::super::text::{Text, fold};
use super::super::value::Scalar;
use super::{IndexError, PredicateId};

/// A predicate that a value hits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Hit {
    pub(super) predicate: PredicateId,
    /// Whether the predicate is true; otherwise it may be.
    pub(super) sure: bool,
}

/// Where a literal must stand in the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum At {
    Anywhere,
    Start,
    End,
}

/// What a literal hits by where it stands.
#[derive(Debug, Default)]
pub(super) struct Occurrences {
    len: usize,
    anywhere: Vec<Hit>,
    start: Vec<Hit>,
    end: Vec<Hit>,
}

impl Occurrences {
    pub(super) fn add(&mut self, at: At, hit: Hit) {
        match at {
            At::Anywhere => self.anywhere.push(hit),
            At::Start => self.start.push(hit),
            At::End => self.end.push(hit),
        }
    }
}

impl FieldTests {
    /// All literals together, in bytes.
    pub(super) fn literal_bytes(&self) -> usize {
        self.literals.keys().map(|literal| literal.len()).sum()
    }
}

/// A worker's memory for scanning.
#[derive(Debug)]
pub(super) struct Scratch {
    /// For texts that cannot be looked at as they stand.
    buffer: Vec<u8>,
    /// The number of the scan.
    scan: u32,
    /// By literal of the index: the scan in which it was last found.
    found: Vec<u32>,
}

impl Scratch {
    /// Memory for an index with so many literals.
    pub(super) fn new(literals: usize) -> Self {
        Self { buffer: Vec::new(), scan: 0, found: vec![0; literals] }
    }

    fn begin(&mut self) {
        self.scan = self.scan.wrapping_add(1);
        if self.scan == 0 {
            self.found.fill(0);
            self.scan = 1;
        }
    }
}

/// Something to look up and what it hits.
pub(super) type Table<K, V> = HashMap<K, V, RandomState>;

/// The tests of one field, as they are gathered.
#[derive(Debug, Default)]
pub(super) struct FieldTests {
    /// Hit when the event has the field.
    pub(super) present: Vec<Hit>,
    /// Hit by any text.
    pub(super) any_text: Vec<Hit>,
    /// Hit by a whole text, folded.
    pub(super) whole: Table<Box<[u8]>, Vec<Hit>>,
    /// Hit by a literal within a text, folded.
    pub(super) literals: Table<Box<[u8]>, Occurrences>,
    pub(super) numbers: Table<Number, Vec<Hit>>,
    pub(super) relations: Vec<(Relation, Number, Hit)>,
    pub(super) networks: Table<Network, Vec<Hit>>,
}

/// The tests of one field, compiled.
#[derive(Debug)]
pub(super) struct FieldIndex {
    tests: FieldTests,
    /// A bit for each length that a whole text has, in bytes; all that are longer share the last.
    whole_lengths: u64,
    /// The lengths of the networks' prefixes.
    prefixes: Vec<u8>,
    automaton: Option<Searcher>,
    /// By literal of the automaton.
    occurrences: Vec<Occurrences>,
    /// The number of the first literal among those of the index.
    first_literal: usize,
    /// Whether every literal is ASCII, so that a text need not be folded to look for them.
    is_ascii: bool,
    needs_number: bool,
    needs_text: bool,
}

#[derive(Debug)]
enum Searcher {
    Table(DFA),
    Compact(NFA),
}

impl FieldIndex {
    /// The index of these tests. `first_literal` is the number of literals of the fields before; `table` says whether
    /// the automaton may have a table of every state and byte.
    pub(super) fn new(mut tests: FieldTests, first_literal: usize, table: bool) -> Result<Self, IndexError> {
        let literals = std::mem::take(&mut tests.literals);
        let is_ascii = literals.keys().chain(tests.whole.keys()).all(|text| text.is_ascii());
        let mut prefixes = tests.networks.keys().map(Network::prefix).collect::<Vec<_>>();
        prefixes.sort_unstable();
        prefixes.dedup();
        let (literals, occurrences): (Vec<_>, Vec<_>) = literals
            .into_iter()
            .map(|(text, found)| (text.clone(), Occurrences { len: text.len(), ..found }))
            .unzip();
        let whole_lengths = tests.whole.keys().fold(0, |lengths, text| lengths | length_bit(text.len()));
        let automaton = searcher(&literals, table)?;
        Ok(Self {
            whole_lengths,
            prefixes,
            needs_number: !tests.numbers.is_empty() || !tests.relations.is_empty(),
            needs_text: whole_lengths != 0 || automaton.is_some() || !tests.networks.is_empty(),
            automaton,
            occurrences,
            first_literal,
            is_ascii,
            tests,
        })
    }

    /// How many literals its automaton has.
    pub(super) fn literals(&self) -> usize {
        self.occurrences.len()
    }

    /// What the field's presence hits.
    #[inline]
    pub(super) fn present(&self) -> &[Hit] {
        &self.tests.present
    }

    /// Tells each hit of a value.
    #[inline]
    pub(super) fn scan(&self, scalar: Scalar<'_>, scratch: &mut Scratch, hit: &mut impl FnMut(Hit)) {
        let Some(text) = scalar.text else { return };
        self.tests.any_text.iter().for_each(|any| hit(*any));
        if self.needs_number
            && let Some(number) = scalar.as_number()
        {
            self.scan_number(number, hit);
        }
        if self.needs_text {
            self.scan_text(text, scratch, hit);
        }
    }

    fn scan_number(&self, number: Number, hit: &mut impl FnMut(Hit)) {
        self.tests.numbers.get(&number).into_iter().flatten().for_each(|equal| hit(*equal));
        for (relation, wanted, of_relation) in &self.tests.relations {
            if relation.holds(number, *wanted) {
                hit(*of_relation);
            }
        }
    }

    fn scan_text(&self, text: Text<'_>, scratch: &mut Scratch, hit: &mut impl FnMut(Hit)) {
        if !self.prefixes.is_empty()
            && let Some(address) = Address::from_text(text)
        {
            for prefix in &self.prefixes {
                let networks = self.tests.networks.get(&address.network(*prefix));
                networks.into_iter().flatten().for_each(|network| hit(*network));
            }
        }
        scratch.begin();
        match text.plain() {
            Some(bytes) if self.is_ascii || bytes.is_ascii() => {
                if self.whole_lengths & length_bit(bytes.len()) != 0 {
                    scratch.buffer.clear();
                    scratch.buffer.extend_from_slice(bytes);
                    scratch.buffer.make_ascii_lowercase();
                    self.scan_whole(&scratch.buffer, hit);
                }
                self.search(bytes, scratch, hit);
            }
            _ => {
                let mut folded = std::mem::take(&mut scratch.buffer);
                folded.clear();
                for character in text.chars() {
                    folded.extend_from_slice(fold(character).encode_utf8(&mut [0; 4]).as_bytes());
                }
                self.scan_whole(&folded, hit);
                self.search(&folded, scratch, hit);
                scratch.buffer = folded;
            }
        }
    }

    fn scan_whole(&self, folded: &[u8], hit: &mut impl FnMut(Hit)) {
        self.tests.whole.get(folded).into_iter().flatten().for_each(|whole| hit(*whole));
    }

    fn search(&self, text: &[u8], scratch: &mut Scratch, hit: &mut impl FnMut(Hit)) {
        match &self.automaton {
            Some(Searcher::Table(automaton)) => self.search_with(automaton, text, scratch, hit),
            Some(Searcher::Compact(automaton)) => self.search_with(automaton, text, scratch, hit),
            None => {}
        }
    }

    /// Walks the automaton over the text, one state a byte, and tells what each match means.
    #[inline]
    fn search_with<A: Automaton>(
        &self,
        automaton: &A,
        text: &[u8],
        scratch: &mut Scratch,
        hit: &mut impl FnMut(Hit),
    ) {
        let Ok(mut state) = automaton.start_state(Anchored::No) else { return };
        for (place, &byte) in text.iter().enumerate() {
            state = automaton.next_state(Anchored::No, state, byte);
            if automaton.is_special(state) && automaton.is_match(state) {
                for number in 0..automaton.match_len(state) {
                    let literal = automaton.match_pattern(state, number).as_usize();
                    self.found(literal, place + 1, text.len(), scratch, hit);
                }
            }
        }
    }

    /// Tells what it means that a literal ends after `end` bytes of `len`. Many tests may share a literal, and a text
    /// may repeat it many times: each test is told of it once a scan.
    fn found(
        &self,
        literal: usize,
        end: usize,
        len: usize,
        scratch: &mut Scratch,
        hit: &mut impl FnMut(Hit),
    ) {
        let occurrences = &self.occurrences[literal];
        let last = &mut scratch.found[self.first_literal + literal];
        if *last != scratch.scan {
            *last = scratch.scan;
            occurrences.anywhere.iter().for_each(|anywhere| hit(*anywhere));
        }
        if end == occurrences.len {
            occurrences.start.iter().for_each(|start| hit(*start));
        }
        if end == len {
            occurrences.end.iter().for_each(|end| hit(*end));
        }
    }
}

/// The automaton of these literals, upper and lower case of ASCII aside.
fn searcher(literals: &[Box<[u8]>], table: bool) -> Result<Option<Searcher>, IndexError> {
    if literals.is_empty() {
        return Ok(None);
    }
    let failed = |error: aho_corasick::BuildError| IndexError::Automaton(error.to_string());
    let searcher = if table {
        let mut builder = DFA::builder();
        builder.match_kind(MatchKind::Standard).ascii_case_insensitive(true).prefilter(false);
        builder.start_kind(aho_corasick::StartKind::Unanchored);
        Searcher::Table(builder.build(literals).map_err(failed)?)
    } else {
        let mut builder = NFA::builder();
        builder.match_kind(MatchKind::Standard).ascii_case_insensitive(true).prefilter(false);
        Searcher::Compact(builder.build(literals).map_err(failed)?)
    };
    Ok(Some(searcher))
}

#[inline]
fn length_bit(len: usize) -> u64 {
    1 << len.min(63)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_literal_that_a_text_repeats_is_told_once_a_scan() {
        let hit = |predicate| Hit { predicate, sure: true };
        let mut tests = FieldTests::default();
        let occurrences = tests.literals.entry(b"a".as_slice().into()).or_default();
        for (predicate, at) in [(0, At::Anywhere), (1, At::Start), (2, At::End), (3, At::Anywhere)] {
            occurrences.add(at, hit(predicate));
        }
        let index = FieldIndex::new(tests, 5, true).unwrap();
        let mut scratch = Scratch::new(5 + index.literals());
        scratch.scan = u32::MAX - 1;
        for (text, expected) in [
            ("aAaAa", &[0, 1, 2, 3][..]),
            ("baab", &[0, 3]),
            ("ab", &[0, 1, 3]),
            ("ba", &[0, 2, 3]),
            ("", &[]),
        ] {
            let mut found = Vec::new();
            let scalar = Scalar { text: Some(Text::Plain(text.as_bytes())), number: None };
            index.scan(scalar, &mut scratch, &mut |hit| found.push(hit.predicate));
            found.sort_unstable();
            assert_eq!(found, expected, "{text}");
        }
    }
}
