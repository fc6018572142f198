//! The one loop that drives the session: hub, calls, timer, microphone.
//!
//! embassy's `select4` polls from left to right, so a flooding port could starve those to its right. Therefore the loop first takes at most
//! [`ITEMS_A_ROUND`] items from each port, and only waits when all were empty. Every port is a channel receive or a sleep: cancelling
//! one loses nothing.

use std::time::Duration;

use embassy_futures::select::{Either4, select4};
use jarvis_link::message::{Opened, SatMicros, ToDaemon, Utterance};
use tokio::sync::mpsc::Receiver;
use tokio::sync::mpsc::error::TryRecvError;

use super::{Button, Effect, Session, Speaker};
use crate::clock::Clock;
use crate::net::NetEvent;
use crate::sound::MicFrame;
use crate::sound::front::FrontEvent;
use crate::wake::listen::Woken;

/// Most items that one port is allowed in a round.
const ITEMS_A_ROUND: usize = 16;
/// Calls that wait for the session; more are lost, and told where they came from.
pub const CALLS_WAITING: usize = 32;
/// How often the loudspeaker is asked for reports while it plays.
const REPORT_EVERY: Duration = Duration::from_millis(10);
/// Longest sleep.
const NAP: Duration = Duration::from_secs(60);

/// Somebody wants something.
#[derive(Debug, Clone, PartialEq)]
pub enum Call {
    /// By the wake word.
    Woken(Woken),
    /// By a button.
    Button(Button),
}

/// Where things come from.
pub struct Ports {
    /// The link.
    pub hub: Receiver<NetEvent>,
    /// Wake words and buttons.
    pub calls: Receiver<Call>,
    /// The devices.
    pub front: Receiver<FrontEvent>,
}

/// Where effects go.
pub trait Outlet {
    /// The loudspeaker.
    fn speaker(&mut self) -> &mut Speaker;
    /// Opens an utterance and sends its pre-roll; `None` when the link refuses.
    fn open(&mut self, opened: Opened, preroll: &[MicFrame]) -> Option<Utterance>;
    /// Sends a message.
    fn control(&mut self, message: ToDaemon);
    /// Carries out any effect but [`Effect::Open`].
    fn carry_out(&mut self, effect: Effect, now: SatMicros);
}

/// Drives `session` until the link's or the devices' end is gone.
pub async fn drive(mut session: Session, mut ports: Ports, outlet: &mut impl Outlet, clock: Clock, sure: f32) {
    let mut driver = Driver { session: &mut session, outlet, clock, sure };
    driver.settle();
    loop {
        let mut busy = false;
        for _ in 0..ITEMS_A_ROUND {
            match ports.front.try_recv() {
                Ok(event) => driver.front(event),
                Err(TryRecvError::Empty) => break,
                Err(TryRecvError::Disconnected) => return,
            }
            busy = true;
        }
        for _ in 0..ITEMS_A_ROUND {
            match ports.calls.try_recv() {
                Ok(call) => driver.call(call),
                Err(TryRecvError::Empty) => break,
                Err(TryRecvError::Disconnected) => return,
            }
            busy = true;
        }
        for _ in 0..ITEMS_A_ROUND {
            match ports.hub.try_recv() {
                Ok(event) => driver.hub(event),
                Err(TryRecvError::Empty) => break,
                Err(TryRecvError::Disconnected) => return,
            }
            busy = true;
        }
        driver.due();
        if busy {
            tokio::task::yield_now().await;
            continue;
        }
        let timer = tokio::time::sleep(driver.nap());
        match select4(ports.hub.recv(), ports.calls.recv(), timer, ports.front.recv()).await {
            Either4::First(Some(event)) => driver.hub(event),
            Either4::Second(Some(call)) => driver.call(call),
            Either4::Third(()) => driver.due(),
            Either4::Fourth(Some(event)) => driver.front(event),
            Either4::First(None) | Either4::Second(None) | Either4::Fourth(None) => return,
        }
    }
}

struct Driver<'a, O> {
    session: &'a mut Session,
    outlet: &'a mut O,
    clock: Clock,
    sure: f32,
}

impl<O: Outlet> Driver<'_, O> {
    fn hub(&mut self, event: NetEvent) {
        let now = self.clock.now();
        match event {
            NetEvent::Answer(answer) => self.outlet.speaker().answer(answer, now),
            NetEvent::Up { new_daemon: true, .. } => {
                self.outlet.speaker().new_daemon(now);
                self.session.hub(event, now);
            }
            _ => self.session.hub(event, now),
        }
        self.settle();
    }

    fn call(&mut self, call: Call) {
        let now = self.clock.now();
        match call {
            Call::Woken(woken) => self.session.wake(woken, self.sure, now),
            Call::Button(button) => self.session.button(button, now),
        }
        self.settle();
    }

    fn front(&mut self, event: FrontEvent) {
        let now = self.clock.now();
        match event {
            FrontEvent::Frame(frame) => self.session.frame(frame, now),
            FrontEvent::Dropped(frames) => {
                tracing::error!(frames, "microphone frames were lost");
                self.session.trouble(format!("{frames} frames of the microphone were lost: this machine is too slow"));
            }
            FrontEvent::MicrophoneLost { reason } => self.session.microphone_lost(reason),
            FrontEvent::MicrophoneBack => self.session.microphone_back(),
            FrontEvent::Loudspeaker(mouth) => {
                self.outlet.speaker().attach(mouth, now);
                self.session.loudspeaker_back();
            }
            FrontEvent::LoudspeakerLost { reason } => {
                self.outlet.speaker().lost(now);
                self.session.loudspeaker_lost(reason);
            }
        }
        self.settle();
    }

    fn due(&mut self) {
        let now = self.clock.now();
        if self.session.poll_timeout().is_some_and(|due| now >= due) {
            self.session.timeout(now);
        }
        self.settle();
    }

    /// Carries out all that the session wants, and reports what was heard.
    fn settle(&mut self) {
        let now = self.clock.now();
        while let Some(effect) = self.session.poll_effect() {
            if let Effect::Open { opened, preroll } = effect {
                let by_button = opened == Opened::Button;
                let utterance = self.outlet.open(opened, &preroll);
                self.session.opened(utterance, by_button, now);
            } else {
                self.outlet.carry_out(effect, now);
            }
        }
        while let Some(message) = self.outlet.speaker().report(now) {
            self.outlet.control(message);
        }
        let speaking = self.outlet.speaker().is_speaking();
        if self.session.set_speaking(speaking, now) {
            self.settle();
        }
    }

    fn nap(&mut self) -> Duration {
        if self.outlet.speaker().is_speaking() {
            return REPORT_EVERY;
        }
        let now = self.clock.now();
        self.session.poll_timeout().map_or(NAP, |due| Duration::from_micros(due.0.saturating_sub(now.0)))
    }
}

#[cfg(test)]
mod tests;
