//! Which side cut: whose leg ended first, how, and how long it had been idle.
//!
//! Gets: the two legs of a pair. Gives: a [`Cut`] when both ends were captured.

use std::fmt::Write as _;

use super::collect::{Ending, Leg};
use crate::event::EndHow;
use crate::units::Direction;

/// Who ended a proxied connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cut {
    /// True: the client leg ended first.
    pub client_first: bool,
    /// Who did it.
    pub by: Party,
    /// How the leg that ended first ended.
    pub how: EndHow,
    /// Nanoseconds from one leg's end to the other's.
    pub between_ns: Option<i64>,
    /// Nanoseconds without a message before the first end.
    pub idle_ns: Option<i64>,
    /// One sentence.
    pub text: String,
}

/// Who of the three.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Party {
    /// The client.
    Client,
    /// The proxy.
    Proxy,
    /// The server.
    Server,
    /// The capture does not tell.
    Unknown,
}

impl Party {
    /// The name in JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Proxy => "proxy",
            Self::Server => "server",
            Self::Unknown => "unknown",
        }
    }
}

/// Finds who cut. `offset`: nanoseconds that the server leg's clock is ahead.
pub(crate) fn find(client: &Leg, server: &Leg, offset: i64) -> Option<Cut> {
    let seen = |leg: &'_ Leg| leg.end.clone().filter(|end| end.how != EndHow::CaptureEnd);
    let (near, far) = (seen(client), seen(server));
    let time = |end: &Ending, shift: i64| Some(end.origin.time?.0.saturating_sub(shift));
    let near_time = near.as_ref().and_then(|end| time(end, 0));
    let far_time = far.as_ref().and_then(|end| time(end, offset));
    let (client_first, first) = match (near, far) {
        (None, None) => return None,
        (Some(end), None) => (true, end),
        (None, Some(end)) => (false, end),
        (Some(near), Some(far)) => match near_time.zip(far_time) {
            Some((a, b)) if a > b => (false, far),
            _ => (true, near),
        },
    };
    let near_by = client.end.as_ref().and_then(|e| e.by);
    let far_by = server.end.as_ref().and_then(|e| e.by);
    let by = match (near_by, far_by) {
        // The end that the proxy holds of each leg.
        (Some(Direction::ToClient), Some(Direction::ToServer)) => Party::Proxy,
        (Some(Direction::ToServer), Some(Direction::ToClient)) => {
            if client_first {
                Party::Client
            } else {
                Party::Server
            }
        }
        (Some(Direction::ToServer), _) => Party::Client,
        (_, Some(Direction::ToClient)) => Party::Server,
        (Some(Direction::ToClient), None) if client_first => Party::Proxy,
        (None, Some(Direction::ToServer)) if !client_first => Party::Proxy,
        _ => Party::Unknown,
    };
    let said = client.last_message().or(server.last_message()).is_some();
    let ended = if client_first { near_time } else { far_time };
    let last = |leg: &Leg, shift: i64| {
        let quiet = |origin: crate::units::Origin| Some(origin.time?.0.saturating_sub(shift));
        leg.last_message()
            .and_then(|m| quiet(m.origin))
            .or_else(|| leg.response().and_then(|r| quiet(r.origin)))
    };
    let idle_ns = ended.zip(last(client, 0).max(last(server, offset)));
    let idle_ns = idle_ns.map(|(end, last)| end.saturating_sub(last).max(0));
    let between_ns = near_time.zip(far_time).map(|(a, b)| a.saturating_sub(b).saturating_abs());
    let since = if said { "the last message" } else { "the handshake" };
    let text = text(client_first, by, &first, between_ns, idle_ns.map(|ns| (ns, since)));
    Some(Cut { client_first, by, how: first.how, between_ns, idle_ns, text })
}

fn text(
    client_first: bool,
    by: Party,
    first: &Ending,
    between: Option<i64>,
    idle: Option<(i64, &str)>,
) -> String {
    let leg = if client_first { "client leg" } else { "server leg" };
    let how = match first.how {
        EndHow::Close => "with both Close frames",
        EndHow::HalfClose => "with one Close frame, unanswered",
        EndHow::Fin => "by FIN without a Close frame",
        EndHow::Rst => "by RST without a Close frame",
        EndHow::CaptureEnd => "with the capture",
    };
    let who = match by {
        Party::Client => "the client ended it",
        Party::Proxy => "the proxy ended it",
        Party::Server => "the server ended it",
        Party::Unknown => "the packets do not tell who ended it",
    };
    let closer = match by {
        Party::Client => "The client",
        Party::Proxy => "The proxy",
        Party::Server => "The server",
        Party::Unknown => "One side",
    };
    let mut text = if first.how == EndHow::Close {
        format!("{closer} closed the connection, with both Close frames on the {leg}")
    } else {
        format!("The {leg} ended first, {how}: {who}")
    };
    // A Close is the last message itself.
    if let Some((idle, since)) = idle.filter(|&(ns, _)| ns > 0) {
        let _ = write!(text, ", {} after {since}", human_ns(idle));
    }
    match between {
        Some(ns) => {
            let _ = write!(text, "; the other leg followed {} later.", human_ns(ns));
        }
        None => text.push_str("; the other leg's end is not in the capture."),
    }
    text
}

/// A duration in the unit that leaves one to three digits before the point.
pub(crate) fn human_ns(ns: i64) -> String {
    let units = [(1_000_000_000, "s"), (1_000_000, "ms"), (1_000, "µs")];
    for (size, unit) in units {
        if ns.saturating_abs() >= size {
            // Shown with a few digits: what is lost in a float of 53 bits is not seen.
            #[expect(clippy::cast_precision_loss, reason = "shown with few digits")]
            let value = ns as f64 / size as f64;
            let digits = if value.abs() >= 100.0 {
                0
            } else if value.abs() >= 10.0 {
                1
            } else {
                2
            };
            return format!("{value:.digits$} {unit}");
        }
    }
    format!("{ns} ns")
}

#[cfg(test)]
mod tests {
    use super::super::testkit::*;
    use super::*;

    fn cut_of(
        near: (EndHow, Option<Direction>, i64),
        far: (EndHow, Option<Direction>, i64),
    ) -> Cut {
        let mut kit = Kit::new();
        kit.at(0);
        let mut leg = kit.leg(40001, 80);
        leg.text(Direction::ToServer, "hello");
        leg.kit.at(near.2);
        leg.end(near.0, near.1);
        kit.at(0);
        let mut leg = kit.leg(50001, 8088);
        leg.text(Direction::ToServer, "hello");
        leg.kit.at(far.2);
        leg.end(far.0, far.1);
        let legs = kit.collected().legs;
        find(&legs[0], &legs[1], 0).unwrap()
    }

    #[test]
    fn proxy_that_ends_both_legs_is_named() {
        let cut = cut_of(
            (EndHow::Fin, Some(Direction::ToClient), 800 * MS),
            (EndHow::Fin, Some(Direction::ToServer), 801 * MS),
        );
        assert_eq!((cut.by, cut.client_first), (Party::Proxy, true));
        assert_eq!(cut.between_ns, Some(MS));
        assert!(cut.idle_ns.unwrap() > 700 * MS, "{cut:?}");
    }

    #[test]
    fn server_that_ends_its_leg_is_named_although_the_proxy_ends_the_other() {
        let cut = cut_of(
            (EndHow::Fin, Some(Direction::ToClient), 90 * MS),
            (EndHow::Rst, Some(Direction::ToClient), 80 * MS),
        );
        assert_eq!((cut.by, cut.client_first, cut.how), (Party::Server, false, EndHow::Rst));
    }

    #[test]
    fn client_that_goes_first_is_named() {
        let cut = cut_of(
            (EndHow::Rst, Some(Direction::ToServer), 80 * MS),
            (EndHow::Fin, Some(Direction::ToServer), 81 * MS),
        );
        assert_eq!((cut.by, cut.client_first), (Party::Client, true));
    }

    #[test]
    fn end_with_the_last_message_is_not_said_to_come_after_it() {
        let end = Ending {
            how: EndHow::Close,
            by: Some(Direction::ToServer),
            cause: String::new(),
            seen: crate::units::PerDirection { to_server: true, to_client: true },
            origin: crate::units::Origin::default(),
        };
        let text = text(true, Party::Client, &end, Some(1_000), Some((0, "the last message")));
        assert_eq!(
            text,
            "The client closed the connection, with both Close frames on the client leg; the other \
             leg followed 1.00 µs later."
        );
    }

    #[test]
    fn without_a_message_the_end_comes_after_the_handshake() {
        let mut kit = Kit::new();
        let legs = [(40001, 80), (50001, 8088)].map(|(client, server)| {
            let mut leg = kit.open(client, server, KEY, &[]);
            leg.answered(&mut kit, 101, &[]);
            leg
        });
        for mut leg in legs {
            leg.end(&mut kit, EndHow::Fin, Some(Direction::ToServer));
        }
        let legs = kit.collected().legs;
        let cut = find(&legs[0], &legs[1], 0).unwrap();
        assert!(cut.text.contains(" after the handshake; the other leg"), "{}", cut.text);
    }

    #[test]
    fn durations_read_well() {
        assert_eq!(human_ns(999), "999 ns");
        assert_eq!(human_ns(1_500), "1.50 µs");
        assert_eq!(human_ns(810_000_000), "810 ms");
        assert_eq!(human_ns(61_000_000_000), "61.0 s");
    }
}
