//! The loop of a model and its tools: it asks, runs what is called, gives the results back, until there is an end.
//!
//! A state machine without a network, a clock or a disk. [`Agent::poll_output`] gives effects in an order that is a promise: what
//! comes after an [`Effect::Write`] is not begun before that step is committed. Reads of one message run side by side; everything
//! else runs one by one, only once nobody can go on speaking, and never twice in a run.
//!
//! Whatever the model, the tools and the clock do, [`Effect::End`] comes: each waiting state has a deadline, and every count has a
//! limit ([`Limits`]).

mod calls;
mod handover;
mod limits;
mod mention;
mod message;
mod telling;

#[cfg(test)]
mod simulation;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;

use crate::ids::Millis;
use crate::mind::message::{CallId, Message, Reply, StopReason, ToolResult};
use crate::mind::trim::condense;
use crate::tools::{Call, Kind};

pub use calls::asks;
use calls::{Known, Verdict};
pub use handover::handed_over;
pub use limits::{CALLS_MAX, Limits};
pub use mention::mentioned;
pub use message::{Began, Effect, End, Input, Limit, Ran, Start, Step, When};
pub use telling::{SPOKEN_CHARS_MAX, SPOKEN_SENTENCES_MAX, Silence, Telling, Told};

/// One run of a model for one request. See the module.
#[derive(Debug)]
pub struct Agent {
    limits: Limits,
    when: When,
    messages: Vec<Message>,
    state: State,
    heard_out: bool,
    tainted: bool,
    described: bool,
    steps: u32,
    tokens: u64,
    result_bytes: usize,
    known: Known,
    ends_by: Millis,
    effects: VecDeque<Effect>,
}

#[derive(Debug)]
enum State {
    /// The model is not asked yet: somebody may go on speaking, and it would cost money.
    Holding,
    /// The model answers.
    Asking,
    /// Its calls run.
    Working(Work),
    /// [`Effect::End`] was given out.
    Over,
}

/// The calls of one message.
#[derive(Debug)]
struct Work {
    slots: Vec<Slot>,
    /// Those that go one by one, by their place in the message.
    queue: VecDeque<(usize, Call)>,
    /// Whether the model had read what strangers may have written when it proposed them.
    tainted: bool,
    /// Whether a result is of that kind.
    taints: bool,
}

#[derive(Debug)]
struct Slot {
    id: CallId,
    progress: Progress,
}

#[derive(Debug)]
enum Progress {
    Waits,
    /// A read, to be given up then.
    Reads {
        until: Millis,
    },
    /// A change; the run's own time alone bounds it, so that what becomes of it is not lost.
    Changes,
    Done(ToolResult),
}

impl Agent {
    /// Begins a run.
    pub fn new(start: Start, limits: Limits, now: Millis) -> Self {
        Self::still(start, limits, now).begun()
    }

    /// Goes on with somebody else's model where this run broke off: what was called is not called again, and the owner's limits hold for
    /// both together.
    pub fn successor(&self, start: Start, limits: Limits, now: Millis) -> Self {
        let still = Self::still(start, limits, now);
        let next = Self {
            steps: self.steps,
            tokens: self.tokens,
            result_bytes: self.result_bytes,
            known: self.known.clone(),
            ends_by: still.ends_by.min(self.ends_by),
            ..still
        };
        next.begun()
    }

    fn still(start: Start, limits: Limits, now: Millis) -> Self {
        Self {
            when: start.when,
            messages: start.messages,
            state: State::Holding,
            heard_out: false,
            tainted: start.tainted,
            described: start.described,
            steps: 0,
            tokens: 0,
            result_bytes: 0,
            known: Known::default(),
            ends_by: now.plus(limits.wall_ms),
            limits,
            effects: VecDeque::new(),
        }
    }

    fn begun(mut self) -> Self {
        if self.when == When::AtOnce {
            self.ask();
        }
        self
    }

    /// Takes something in; effects are then to be polled.
    pub fn handle(&mut self, input: Input, now: Millis) {
        if self.is_over() {
            return;
        }
        match input {
            Input::HeardOut => self.hear_out(),
            Input::Answered(reply) => self.answered(*reply, now),
            Input::Failed(error) => {
                if matches!(self.state, State::Asking) {
                    self.end(End::Broken { error });
                }
            }
            Input::Ran { at, ran } => self.ran(at, ran),
            Input::Cancel => self.end(End::Cancelled),
        }
    }

    /// The next effect.
    pub fn poll_output(&mut self) -> Option<Effect> {
        self.effects.pop_front()
    }

    /// When [`Self::handle_timeout`] is due; `None` once the run is over.
    pub fn poll_timeout(&self) -> Option<Millis> {
        let slots = match &self.state {
            State::Over => return None,
            State::Working(work) => work.slots.as_slice(),
            State::Holding | State::Asking => &[],
        };
        let reads = slots.iter().filter_map(|slot| match slot.progress {
            Progress::Reads { until } => Some(until),
            Progress::Waits | Progress::Changes | Progress::Done(_) => None,
        });
        reads.chain([self.ends_by]).min()
    }

    /// Time passed.
    pub fn handle_timeout(&mut self, now: Millis) {
        if self.is_over() {
            return;
        }
        if now >= self.ends_by {
            return self.end(End::Limit { limit: Limit::Time });
        }
        let State::Working(work) = &self.state else { return };
        let late = |slot: &Slot| matches!(slot.progress, Progress::Reads { until } if now >= until);
        let late: Vec<usize> = work.slots.iter().enumerate().filter(|(_, s)| late(s)).map(|(at, _)| at).collect();
        for at in late {
            self.effects.push_back(Effect::Abandon { at });
            self.told(at, "there was no answer in time; nothing is known of it".to_owned(), true, false);
        }
    }

    /// The conversation so far.
    pub fn messages(&self) -> &[Message] {
        &self.messages
    }

    /// How often the model was asked.
    pub fn steps(&self) -> u32 {
        self.steps
    }

    /// Tokens so far, as the provider counted them.
    pub fn tokens(&self) -> u64 {
        self.tokens
    }

    /// Whether the model has read what strangers may have written.
    pub fn is_tainted(&self) -> bool {
        self.tainted
    }

    /// Whether the model is told of tools of other servers, in those servers' words.
    pub fn is_told_of_servers(&self) -> bool {
        self.described
    }

    /// Whether [`Effect::End`] was given out.
    pub fn is_over(&self) -> bool {
        matches!(self.state, State::Over)
    }

    fn ask(&mut self) {
        self.steps += 1;
        self.state = State::Asking;
        self.effects.push_back(Effect::Write(Step::Asked { step: self.steps }));
        self.effects.push_back(Effect::Ask);
    }

    fn hear_out(&mut self) {
        if std::mem::replace(&mut self.heard_out, true) {
            return;
        }
        match self.state {
            State::Holding => self.ask(),
            State::Working(_) => self.next_change(),
            State::Asking | State::Over => {}
        }
    }

    fn answered(&mut self, reply: Reply, now: Millis) {
        if !matches!(self.state, State::Asking) {
            return;
        }
        let Reply { message, stop, usage, .. } = reply;
        self.tokens = self.tokens.saturating_add(usage.prompt()).saturating_add(usage.output);
        self.effects.push_back(Effect::Write(Step::Said { message: message.clone(), stop: stop.clone(), usage }));
        let calls: Vec<_> = message.calls().cloned().collect();
        if !message.blocks.is_empty() {
            self.messages.push(message);
        }
        match stop {
            StopReason::Refusal { why } => return self.end(End::Refused { why }),
            StopReason::ContextExceeded => return self.end(End::Limit { limit: Limit::Window }),
            // Whatever a provider calls its stop, calls are there to be answered.
            _ if calls.is_empty() => return self.end(End::Answered { cut: stop == StopReason::MaxTokens }),
            _ => {}
        }
        if self.tokens > self.limits.tokens {
            return self.end(End::Limit { limit: Limit::Tokens });
        }
        if self.steps >= self.limits.steps {
            return self.end(End::Limit { limit: Limit::Steps });
        }
        let slots = calls.iter().map(|call| Slot { id: call.id.clone(), progress: Progress::Waits }).collect();
        self.state = State::Working(Work { slots, queue: VecDeque::new(), tainted: self.tainted, taints: false });
        let (mut reads, mut changes, mut refused) = (Vec::new(), VecDeque::new(), Vec::new());
        for (at, call) in calls.iter().enumerate() {
            match self.known.judge(call, at, &self.limits) {
                Verdict::Run(call) if call.tool().kind() == Kind::Read => reads.push((at, call)),
                Verdict::Run(call) => changes.push_back((at, call)),
                Verdict::Tell(why) => refused.push((at, why)),
                Verdict::Stop => return self.end(End::Limit { limit: Limit::Repeats }),
            }
        }
        self.begin_reads(reads, now);
        if let State::Working(work) = &mut self.state {
            work.queue = changes;
        }
        for (at, why) in refused {
            self.told(at, why, true, false);
        }
        self.next_change();
    }

    fn begin_reads(&mut self, reads: Vec<(usize, Call)>, now: Millis) {
        let State::Working(work) = &mut self.state else { return };
        if reads.is_empty() {
            return;
        }
        let calls = reads.iter().map(|(at, call)| Began::new(*at, call)).collect();
        self.effects.push_back(Effect::Write(Step::Began { calls }));
        let until = now.plus(self.limits.read_ms);
        for (at, call) in reads {
            if let Some(slot) = work.slots.get_mut(at) {
                slot.progress = Progress::Reads { until };
            }
            self.effects.push_back(Effect::Read { at, call });
        }
    }

    /// Begins the next call of those that go one by one, where it may.
    fn next_change(&mut self) {
        let State::Working(work) = &mut self.state else { return };
        let busy = work.slots.iter().any(|slot| matches!(slot.progress, Progress::Changes));
        if busy || !self.heard_out {
            return;
        }
        let Some((at, call)) = work.queue.pop_front() else { return };
        if let Some(slot) = work.slots.get_mut(at) {
            slot.progress = Progress::Changes;
        }
        self.effects.push_back(Effect::Write(Step::Began { calls: vec![Began::new(at, &call)] }));
        let tainted = work.tainted || (self.described && call.tool().kind() != Kind::Foreign);
        self.effects.push_back(Effect::Change { at, call, tainted });
    }

    fn ran(&mut self, at: usize, ran: Ran) {
        let State::Working(work) = &self.state else { return };
        let runs =
            work.slots.get(at).is_some_and(|slot| matches!(slot.progress, Progress::Reads { .. } | Progress::Changes));
        // What was given up does not count any more.
        if !runs {
            return;
        }
        match ran {
            Ran::Told { text, is_error, untrusted } => {
                self.told(at, text, is_error, untrusted);
                self.next_change();
            }
            Ran::Asked { approval } => {
                let left = u32::try_from(work.queue.len()).unwrap_or(u32::MAX);
                self.end(End::HandedOver { approval, left });
            }
            Ran::Declined => self.end(End::Declined),
        }
    }

    /// A call is over; the model is asked again once all of its message are.
    fn told(&mut self, at: usize, text: String, is_error: bool, untrusted: bool) {
        let State::Working(work) = &mut self.state else { return };
        let Some(slot) = work.slots.get_mut(at) else { return };
        let content = condense(&text, self.limits.result_bytes);
        self.result_bytes = self.result_bytes.saturating_add(content.len());
        let result = ToolResult { id: slot.id.clone(), content, is_error };
        self.effects.push_back(Effect::Write(Step::Result { at, result: result.clone() }));
        slot.progress = Progress::Done(result);
        work.taints |= untrusted;
        if self.result_bytes > self.limits.results_bytes {
            return self.end(End::Limit { limit: Limit::Results });
        }
        let done = |slot: &Slot| match &slot.progress {
            Progress::Done(result) => Some(result.clone()),
            Progress::Waits | Progress::Reads { .. } | Progress::Changes => None,
        };
        let Some(results) = work.slots.iter().map(done).collect::<Option<Vec<_>>>() else { return };
        self.tainted |= work.taints;
        self.messages.push(Message::results(results));
        self.ask();
    }

    fn end(&mut self, end: End) {
        if let State::Working(work) = &self.state {
            for (at, slot) in work.slots.iter().enumerate() {
                if matches!(slot.progress, Progress::Reads { .. }) {
                    self.effects.push_back(Effect::Abandon { at });
                }
            }
        }
        self.state = State::Over;
        self.effects.push_back(Effect::Write(Step::Ended { end: end.clone() }));
        self.effects.push_back(Effect::End(end));
    }
}
