//! What passes between services in the same instant.

use std::collections::VecDeque;

use crate::ids::*;
use crate::request::*;
use crate::world::Control;

/// What one service has for another, without delay.
#[derive(Clone, Copy, Debug)]
pub enum Message {
    /// A request is offered to a service.
    Offer(Endpoint, RequestKey),
    /// A request has its outcome: its top holder gets it back.
    Reply(RequestKey),
    /// Route 53's answer to a client: what the name resolves to, or nothing.
    Resolved(RequestKey, Option<Endpoint>),
    /// A service's control plane tells another's something.
    Control(Control),
}

/// A message as it lies in the queue: small, since most are about requests. What control planes say lies in a queue of its own.
#[derive(Clone, Copy, Debug)]
enum Note {
    Offer(Endpoint, RequestKey),
    Reply(RequestKey),
    Resolved(RequestKey, Option<Endpoint>),
    Control,
}
const _: () = assert!(size_of::<Note>() <= 16);

/// Messages on their way, first in, first out.
#[derive(Debug, Default)]
pub struct Outbox {
    /// Emptied before the next event, so what was taken out is dropped all at once.
    notes: Vec<Note>,
    taken: usize,
    controls: VecDeque<Control>,
}

impl Outbox {
    /// Adds a message at the end.
    #[inline]
    pub fn push_back(&mut self, message: Message) {
        self.notes.push(match message {
            Message::Offer(to, key) => Note::Offer(to, key),
            Message::Reply(key) => Note::Reply(key),
            Message::Resolved(key, answer) => Note::Resolved(key, answer),
            Message::Control(control) => {
                self.controls.push_back(control);
                Note::Control
            }
        });
    }

    /// Takes out the first message.
    #[inline]
    pub fn pop_front(&mut self) -> Option<Message> {
        let Some(&note) = self.notes.get(self.taken) else {
            self.notes.clear();
            self.taken = 0;
            return None;
        };
        self.taken += 1;
        Some(match note {
            Note::Offer(to, key) => Message::Offer(to, key),
            Note::Reply(key) => Message::Reply(key),
            Note::Resolved(key, answer) => Message::Resolved(key, answer),
            Note::Control => Message::Control(self.controls.pop_front().expect("each has its note")),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sim_core::slab::Key;

    #[test]
    fn messages_keep_their_order_also_between_requests_and_controls() {
        let mut outbox = Outbox::default();
        let key = |slot| Key { slot, generation: 0 };
        outbox.push_back(Message::Reply(key(1)));
        outbox.push_back(Message::Control(Control::SetDesiredCount(Scalable::Ecs(EcsId(0)), 1)));
        assert!(matches!(outbox.pop_front(), Some(Message::Reply(first)) if first == key(1)));
        outbox.push_back(Message::Offer(Endpoint::Ecs(EcsId(2)), key(2)));
        outbox.push_back(Message::Control(Control::SetDesiredCount(Scalable::Ecs(EcsId(0)), 2)));
        assert!(matches!(outbox.pop_front(), Some(Message::Control(Control::SetDesiredCount(_, 1)))));
        assert!(
            matches!(outbox.pop_front(), Some(Message::Offer(Endpoint::Ecs(EcsId(2)), second)) if second == key(2))
        );
        assert!(matches!(outbox.pop_front(), Some(Message::Control(Control::SetDesiredCount(_, 2)))));
        assert!(outbox.pop_front().is_none() && outbox.pop_front().is_none());
        outbox.push_back(Message::Resolved(key(3), None));
        assert!(matches!(outbox.pop_front(), Some(Message::Resolved(third, None)) if third == key(3)));
    }
}
