//! A recording through the engine, in virtual time. Owns how a recording's lines become the engine's events: the same
//! way for `replay`, for the journal at a restart and for every test. Never reads a clock.

use std::io::BufRead;
use std::time::Duration;

use crate::domain::event::{Event, Hearing};
use crate::domain::{Effect, Timestamp};
use crate::engine::Engine;
use crate::render::points::Points;
use crate::wire::decode::Decoder;
use crate::wire::recording::{Line, ReadError, Reader, What};

use super::historian::Historian;

/// What a replay passed over, for the person who asked for it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Passed {
    pub lines: u64,
    /// Messages of units that are not in the fleet.
    pub unknown_units: u64,
    /// Messages that the door would have refused; the first with its reason.
    pub refused: u64,
    pub first_refusal: Option<String>,
    /// After `until`.
    pub later: u64,
}

/// Judges one line. The effects are the engine's answer.
pub fn judge_line(engine: &mut Engine, decoder: &Decoder, line: Line, passed: &mut Passed) -> Vec<Effect> {
    passed.lines += 1;
    match line.what {
        What::Publish { topic, payload, retained } => match decoder.decode(&topic, &payload) {
            Ok(decoded) => match engine.fleet().find(decoded.unit) {
                Some(unit) => engine.handle(line.at, Event::Message { unit, message: decoded.message, retained }),
                None => {
                    passed.unknown_units += 1;
                    engine.advance(line.at)
                }
            },
            Err(refusal) => {
                passed.refused += 1;
                passed.first_refusal.get_or_insert_with(|| format!("{}: {}", refusal.topic, refusal.why));
                engine.advance(line.at)
            }
        },
        What::Link(hearing) => engine.handle(line.at, Event::Hearing(hearing)),
        What::Do { action, by } => engine.handle(line.at, Event::Do { action, by }),
        What::Advance => engine.advance(line.at),
        What::Delivery { message_id, delivered, note } => {
            engine.handle(line.at, Event::Delivery { message_id, delivered, note })
        }
    }
}

/// As [`judge_line`], and writes down what a time series database would be told.
pub fn judge_line_telling(
    engine: &mut Engine,
    decoder: &Decoder,
    line: Line,
    passed: &mut Passed,
    historian: &mut Historian,
) -> Vec<Effect> {
    let said = match &line.what {
        What::Publish { topic, payload, .. } => decoder.decode(topic, payload).ok(),
        What::Link(_) | What::Do { .. } | What::Advance | What::Delivery { .. } => None,
    };
    let said = said.and_then(|said| Some((engine.fleet().find(said.unit)?, said.message)));
    let effects = judge_line(engine, decoder, line, passed);
    if let Some((unit, message)) = &said {
        historian.message(engine, *unit, message);
    }
    historian.effects(engine, &effects);
    effects
}

/// Runs a whole recording. `wake_every` wakes the engine in between, as a busy service would: it changes nothing.
/// `sink` gets effects in time order. Err: the first line that is no recording.
pub fn replay(
    engine: &mut Engine,
    decoder: &Decoder,
    recording: impl BufRead,
    until: Option<Timestamp>,
    wake_every: Option<Duration>,
    mut sink: impl FnMut(&[Effect]),
) -> Result<Passed, ReadError> {
    run(engine, decoder, recording, until, wake_every, None, |effects, _| sink(effects))
}

/// As often as a service's history needs to be looked at.
const TELL_EVERY: Duration = Duration::from_secs(60);

/// As [`replay`]; `sink` also gets what a time series database would have been told.
pub fn replay_telling(
    engine: &mut Engine,
    decoder: &Decoder,
    recording: impl BufRead,
    until: Option<Timestamp>,
    historian: &mut Historian,
    sink: impl FnMut(&[Effect], Points),
) -> Result<Passed, ReadError> {
    run(engine, decoder, recording, until, Some(TELL_EVERY), Some(historian), sink)
}

fn run(
    engine: &mut Engine,
    decoder: &Decoder,
    recording: impl BufRead,
    until: Option<Timestamp>,
    wake_every: Option<Duration>,
    mut historian: Option<&mut Historian>,
    mut sink: impl FnMut(&[Effect], Points),
) -> Result<Passed, ReadError> {
    let mut passed = Passed::default();
    for line in Reader::new(recording) {
        let line = line?;
        if until.is_some_and(|until| line.at > until) {
            passed.later += 1;
            continue;
        }
        // Before a (re)start nobody was there to wake up.
        let started = matches!(line.what, What::Link(Hearing::Start));
        if let (Some(every), Some(last), false) = (wake_every, engine.now(), started) {
            let mut wake = last + every;
            while wake < line.at {
                let effects = engine.advance(wake);
                let points = historian.as_deref_mut().map(|h| h.at(engine, wake, &effects)).unwrap_or_default();
                sink(&effects, points);
                wake = wake + every;
            }
        }
        match historian.as_deref_mut() {
            None => sink(&judge_line(engine, decoder, line, &mut passed), Points::default()),
            Some(historian) => {
                let at = line.at;
                let effects = judge_line_telling(engine, decoder, line, &mut passed, historian);
                sink(&effects, historian.at(engine, at, &[]));
            }
        }
    }
    if let Some(until) = until {
        let effects = engine.advance(until);
        let points = historian.map(|h| h.at(engine, until, &effects)).unwrap_or_default();
        sink(&effects, points);
    }
    Ok(passed)
}
