//! What passes between services in the same instant.

use std::collections::VecDeque;

use crate::ids::*;
use crate::request::*;
use crate::world::Control;

/// What one service has for another, without delay. What is more than a word of it lies in a queue of its own.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Note {
    /// A request is offered to a service.
    Offer(Endpoint, RequestKey),
    /// A request has its outcome: its top holder gets it back.
    Reply(RequestKey),
    /// Route 53 has an answer for a client: [`Outbox::answer`].
    Resolved(RequestKey),
    /// A service's control plane tells another's something: [`Outbox::told`].
    Control,
}
const _: () = assert!(size_of::<Option<Note>>() == 12, "whom it is for and what kind it is are one number");

/// Messages on their way, first in, first out. Most often there is one.
#[derive(Debug, Default)]
pub struct Outbox {
    /// The first, apart from the others: none only if there are no others.
    first: Option<Note>,
    /// Emptied before the next event, so what was taken out is dropped all at once.
    others: Vec<Note>,
    taken: usize,
    answers: VecDeque<Option<Endpoint>>,
    controls: VecDeque<Control>,
}

impl Outbox {
    /// Offers a request to a service.
    #[inline]
    pub fn offer(&mut self, to: Endpoint, key: RequestKey) {
        if self.first.is_none() {
            self.first = Some(Note::Offer(to, key));
        } else {
            self.offer_after_others(to, key);
        }
    }

    /// Gives a request back to its top holder.
    #[inline]
    pub fn reply(&mut self, key: RequestKey) {
        if self.first.is_none() {
            self.first = Some(Note::Reply(key));
        } else {
            self.reply_after_others(key);
        }
    }

    // With its parts as arguments: a note that is handed over whole is written and read in different pieces, for which processors wait.

    #[inline(never)]
    fn offer_after_others(&mut self, to: Endpoint, key: RequestKey) {
        self.others.push(Note::Offer(to, key));
    }

    #[inline(never)]
    fn reply_after_others(&mut self, key: RequestKey) {
        self.others.push(Note::Reply(key));
    }

    /// Tells a client what a name resolves to, if anything.
    #[inline]
    pub fn resolved(&mut self, key: RequestKey, answer: Option<Endpoint>) {
        self.answers.push_back(answer);
        self.push_back(Note::Resolved(key));
    }

    /// Tells a control plane something.
    pub fn control(&mut self, control: Control) {
        self.controls.push_back(control);
        self.push_back(Note::Control);
    }

    #[inline]
    fn push_back(&mut self, note: Note) {
        if self.first.is_none() {
            self.first = Some(note);
        } else {
            self.others.push(note);
        }
    }

    /// Takes out the first message.
    #[inline]
    pub(crate) fn pop_front(&mut self) -> Option<Note> {
        let note = self.first?;
        self.first = None;
        if !self.others.is_empty() {
            self.move_up();
        }
        Some(note)
    }

    #[inline(never)]
    fn move_up(&mut self) {
        self.first = self.others.get(self.taken).copied();
        self.taken += 1;
        if self.first.is_none() {
            self.others.clear();
            self.taken = 0;
        }
    }

    /// The answer of the [`Note::Resolved`] just taken out.
    #[inline]
    pub(crate) fn answer(&mut self) -> Option<Endpoint> {
        self.answers.pop_front().expect("each has its note")
    }

    /// What the [`Note::Control`] just taken out says.
    pub(crate) fn told(&mut self) -> Control {
        self.controls.pop_front().expect("each has its note")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sim_core::slab::Key;

    #[test]
    fn messages_keep_their_order_also_between_requests_and_controls() {
        let mut outbox = Outbox::default();
        let key = |slot| Key::new(slot, 0);
        let wanted = |count| Control::SetDesiredCount(Scalable::Ecs(EcsId(0)), count);
        outbox.reply(key(1));
        outbox.control(wanted(1));
        assert!(matches!(outbox.pop_front(), Some(Note::Reply(first)) if first == key(1)));
        outbox.offer(Endpoint::Ecs(EcsId(2)), key(2));
        outbox.control(wanted(2));
        assert!(matches!(outbox.pop_front(), Some(Note::Control)));
        assert_eq!(outbox.told(), wanted(1));
        assert!(matches!(outbox.pop_front(), Some(Note::Offer(Endpoint::Ecs(EcsId(2)), second)) if second == key(2)));
        assert!(matches!(outbox.pop_front(), Some(Note::Control)));
        assert_eq!(outbox.told(), wanted(2));
        assert!(outbox.pop_front().is_none() && outbox.pop_front().is_none());
        outbox.resolved(key(3), Some(Endpoint::Ecs(EcsId(4))));
        outbox.resolved(key(4), None);
        assert!(matches!(outbox.pop_front(), Some(Note::Resolved(third)) if third == key(3)));
        assert_eq!(outbox.answer(), Some(Endpoint::Ecs(EcsId(4))));
        assert!(matches!(outbox.pop_front(), Some(Note::Resolved(fourth)) if fourth == key(4)));
        assert_eq!(outbox.answer(), None);
    }
}
