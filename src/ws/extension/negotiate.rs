//! Which extensions were agreed, and whether the ends may (RFC 6455 section 9.1, RFC 7692).
//!
//! Gets: the header fields of both heads. Gives: a [`Negotiation`]. Keeps: nothing. Lenient in what
//! is agreed: parameters that break a rule get a note and still count for what they most likely mean.

use super::{Extension, Param, Parsed, parse};
use crate::event::{DeflateAgreement, DeflateSide, Fields};
use crate::note::{Blame, Note, NoteCode};
use crate::units::{Direction, PerDirection};
use crate::ws::handshake::words::{list, quote};

/// What was offered, what was taken, and what may be said against it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Negotiation {
    /// What the client offered, in its order of preference.
    pub offers: Vec<Extension>,
    /// What the server accepted.
    pub accepted: Vec<Accepted>,
    /// The compression that is in use from now on.
    pub deflate: Option<DeflateAgreement>,
    /// On the request's header.
    pub request_notes: Vec<Note>,
    /// On the response's header.
    pub response_notes: Vec<Note>,
}

/// An extension that the server accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accepted {
    /// As the server named it.
    pub extension: Extension,
    /// Index of the offer it takes, in [`Negotiation::offers`]; `None` where it fits none.
    pub offer: Option<usize>,
}

/// Judges the extensions of a handshake. `request` is `None` where the capture lacks it: then
/// nothing is said of what was offered. `response` is `None` unless it is a 101.
pub fn negotiate(request: Option<&Fields>, response: Option<&Fields>) -> Negotiation {
    let mut request_notes = Vec::new();
    let offers = request.map(|fields| read(fields, Blame::Client, &mut request_notes));
    // Where not all offers are kept, none can be said to be missing.
    let known = offers.as_ref().filter(|parsed| !parsed.more);
    let mut answer = Answer::to(known.map(|parsed| &*parsed.extensions));
    if let Some(response) = response {
        for element in read(response, Blame::Server, &mut answer.notes).extensions {
            answer.element(element);
        }
    }
    let Answer { accepted, agreed, notes: response_notes, .. } = answer;
    let offers = offers.unwrap_or_default().extensions;
    judge_offers(&offers, &accepted, &mut request_notes);
    let deflate = agreed.map(|(_, agreement)| agreement);
    Negotiation { offers, accepted, deflate, request_notes, response_notes }
}

/// What is most likely in use when the answer is missing from the capture: the first compression
/// offered, each side with takeover and the largest window, so that nothing can be held against it.
pub fn presume(request: &Fields) -> Option<DeflateAgreement> {
    let offers = parse(request.all(HEADER)).extensions;
    let compression = offers.iter().find_map(|offer| Compression::of(&offer.name))?;
    Some(DeflateAgreement {
        sides: PerDirection::default(),
        per_frame: compression == Compression::PerFrame,
        presumed: true,
    })
}

/// Does this value of the header name an extension whose bits and data are not known here.
pub fn names_other(value: &str) -> bool {
    parse([value.as_bytes()]).extensions.iter().any(|e| Compression::of(&e.name).is_none())
}

const HEADER: &str = "Sec-WebSocket-Extensions";

/// RFC 6455 9.1: a value that breaks the grammar must make its recipient fail the connection.
fn read(fields: &Fields, from: Blame, notes: &mut Vec<Note>) -> Parsed {
    let parsed = parse(fields.all(HEADER));
    if let Some(fault) = parsed.fault {
        let value = fields.all(HEADER).nth(fault.header).unwrap_or_default();
        // An empty one names no extension, which is what some clients mean by it. RFC 9110 5.6.1.2: empty
        // elements of a list are ignored.
        if value.trim_ascii().is_empty() {
            return parsed;
        }
        let text = format!("the {from}'s {HEADER} {} {fault}", quote(value));
        notes.push(Note::new(NoteCode::ExtensionSyntax, from, text));
    }
    parsed
}

/// RFC 7692 7.1: an offer with a faulty parameter must be declined.
fn judge_offers(offers: &[Extension], accepted: &[Accepted], notes: &mut Vec<Note>) {
    for (index, offer) in offers.iter().enumerate() {
        let Some(terms) = Terms::of(offer, Direction::ToServer) else { continue };
        let taken = accepted.iter().any(|a| a.offer == Some(index));
        for fault in terms.faults {
            let offer = quote(offer.to_string());
            let text = format!("the client offers {offer}: {fault}");
            notes.push(Note::new(NoteCode::DeflateParamInvalid, Blame::Client, text));
            // A note on the request, since a client has nothing against the answer by itself.
            if taken {
                let text =
                    format!("the server took the offer {offer}, which it has to decline: {fault}");
                notes.push(Note::new(NoteCode::DeflateParamInvalid, Blame::Server, text));
            }
        }
    }
}

/// The two extensions that compress with DEFLATE.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Compression {
    /// `permessage-deflate` (RFC 7692 section 7).
    PerMessage,
    /// `deflate-frame`, also known as `x-webkit-deflate-frame`
    /// (draft-tyoshino-hybi-websocket-perframe-deflate-06).
    PerFrame,
}

impl Compression {
    fn of(name: &str) -> Option<Self> {
        match name {
            "permessage-deflate" => Some(Self::PerMessage),
            "deflate-frame" | "x-webkit-deflate-frame" => Some(Self::PerFrame),
            _ => None,
        }
    }

    /// Whose sending a parameter limits, and the form of its value, in a head that goes this way.
    fn param(self, name: &str, from: Direction) -> Option<(Direction, Form)> {
        use Direction::{ToClient, ToServer};
        Some(match (self, name) {
            (Self::PerMessage, SERVER_NO_TAKEOVER) => (ToClient, Form::Flag),
            (Self::PerMessage, "client_no_context_takeover") => (ToServer, Form::Flag),
            // RFC 7692 7.1.2.1: always with a value.
            (Self::PerMessage, SERVER_BITS) => (ToClient, Form::Bits),
            // RFC 7692 7.1.2.2: in an offer the value may be left out.
            (Self::PerMessage, CLIENT_BITS) if from == ToServer => (ToServer, Form::MaybeBits),
            (Self::PerMessage, CLIENT_BITS) => (ToServer, Form::Bits),
            // The draft's parameters limit the end that receives them.
            (Self::PerFrame, "no_context_takeover") => (from.flip(), Form::Flag),
            (Self::PerFrame, "max_window_bits") => (from.flip(), Form::Bits),
            _ => return None,
        })
    }
}

/// RFC 7692 7.1.2: 32,768 bytes, the window where none is named.
const WIDEST: u8 = 15;
const SERVER_NO_TAKEOVER: &str = "server_no_context_takeover";
const SERVER_BITS: &str = "server_max_window_bits";
const CLIENT_BITS: &str = "client_max_window_bits";

/// The value that a parameter must have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// None.
    Flag,
    /// A decimal number from 8 to 15 without leading zeros.
    Bits,
    /// That, or none.
    MaybeBits,
}

impl Form {
    /// The window, where the value names one.
    ///
    /// # Errors
    /// What is wrong with the value.
    fn check(self, param: &Param) -> Result<Option<u8>, &'static str> {
        match (self, param.value.as_deref()) {
            (Self::Flag | Self::MaybeBits, None) => Ok(None),
            (Self::Flag, Some(_)) => Err("must not have a value"),
            (Self::Bits, None) => Err("lacks its value, a number from 8 to 15"),
            (Self::Bits | Self::MaybeBits, Some(value)) => {
                window(value).map(Some).ok_or("is not a number from 8 to 15 without leading zeros")
            }
        }
    }
}

fn window(value: &str) -> Option<u8> {
    let canonical = !value.starts_with('0') && value.bytes().all(|b| b.is_ascii_digit());
    value.parse().ok().filter(|bits| canonical && (8..=15).contains(bits))
}

/// What an offer or an acceptance of compression says, and what is wrong with it.
#[derive(Debug, Default)]
struct Terms {
    /// The sender of this direction must forget between messages.
    no_takeover: PerDirection<bool>,
    /// A parameter on this sender's window is there.
    bits_named: PerDirection<bool>,
    /// Its value, where it is a valid one.
    bits: PerDirection<Option<u8>>,
    faults: Vec<String>,
}

impl Terms {
    fn of(extension: &Extension, from: Direction) -> Option<Self> {
        let compression = Compression::of(&extension.name)?;
        let mut terms = Self::default();
        for (index, param) in extension.params.iter().enumerate() {
            // RFC 7692 7.1: only the parameters defined there, each once, with a valid value.
            let Some((sender, form)) = compression.param(&param.name, from) else {
                let fault = format!("{} has no parameter {}", extension.name, quote(&param.name));
                terms.faults.push(fault);
                continue;
            };
            if extension.params.iter().take(index).any(|p| p.name == param.name) {
                terms.faults.push(format!("{} is there more than once", param.name));
            }
            let bits = form.check(param).unwrap_or_else(|what| {
                terms.faults.push(format!("{} {what}", quote(param.to_string())));
                None
            });
            match form {
                Form::Flag => terms.no_takeover[sender] = true,
                Form::Bits | Form::MaybeBits => {
                    terms.bits_named[sender] = true;
                    // Of several, the widest: nobody is blamed for what one of them allows.
                    terms.bits[sender] = terms.bits[sender].max(bits);
                }
            }
        }
        Some(terms)
    }

    fn side(&self, sender: Direction) -> DeflateSide {
        DeflateSide {
            context_takeover: !self.no_takeover[sender],
            window_bits: self.bits[sender].unwrap_or(WIDEST),
        }
    }

    /// Why an answer with these terms does not take that offer of permessage-deflate.
    fn misfits(&self, offer: &Self) -> Misfits {
        let (server, client) = (Direction::ToClient, Direction::ToServer);
        let mut misfits = Vec::new();
        // RFC 7692 7.1.1.1: an offer with this is accepted by naming it too.
        if offer.no_takeover[server] && !self.no_takeover[server] {
            let text = format!("it lacks {SERVER_NO_TAKEOVER}, which was asked for");
            misfits.push((NoteCode::DeflateParamInvalid, text));
        }
        // RFC 7692 7.1.2.1: by naming it too, with the same value or a smaller one. An answer without it
        // stands for the largest window, so where no less was asked it says the same.
        match (offer.bits[server], self.bits[server]) {
            (Some(asked), None) if !self.bits_named[server] && asked < WIDEST => {
                let text = format!("it lacks {SERVER_BITS}, which was asked to be {asked} at most");
                misfits.push((NoteCode::DeflateParamInvalid, text));
            }
            (Some(asked), Some(got)) if got > asked => {
                let text = format!("{SERVER_BITS}={got} is more than the {asked} asked for");
                misfits.push((NoteCode::DeflateParamInvalid, text));
            }
            _ => {}
        }
        // RFC 7692 7.1.2.2: where the offer lacks this, the answer must not have it.
        if self.bits_named[client] && !offer.bits_named[client] {
            let text = format!("it names {CLIENT_BITS}, which the client did not offer");
            misfits.push((NoteCode::DeflateParamUnoffered, text));
        }
        misfits
    }
}

/// An answer while it is judged, element by element.
struct Answer<'a> {
    /// `None`: the request is not in the capture.
    offers: Option<&'a [Extension]>,
    accepted: Vec<Accepted>,
    /// The extension that compresses, by name: the first of its kind in the answer.
    agreed: Option<(String, DeflateAgreement)>,
    notes: Vec<Note>,
}

impl<'a> Answer<'a> {
    fn to(offers: Option<&'a [Extension]>) -> Self {
        Self { offers, accepted: Vec::new(), agreed: None, notes: Vec::new() }
    }

    fn element(&mut self, extension: Extension) {
        let again = self.accepted.iter().any(|a| a.extension.name == extension.name);
        if !again {
            self.unoffered(&extension.name);
        }
        self.duplicate(&extension.name, again);
        let offer = match Terms::of(&extension, Direction::ToClient) {
            Some(terms) => self.compression(&extension, &terms, again),
            None => self.first_offer(&extension.name),
        };
        self.accepted.push(Accepted { extension, offer });
    }

    fn first_offer(&self, name: &str) -> Option<usize> {
        self.offers?.iter().position(|offer| offer.name == name)
    }

    /// RFC 6455 4.1: only what the client offered.
    fn unoffered(&mut self, name: &str) {
        let Some(offers) = self.offers else { return };
        if offers.iter().any(|offer| offer.name == name) {
            return;
        }
        let but = match offers.iter().find(|o| o.name.eq_ignore_ascii_case(name)) {
            Some(offer) => format!("spelt it {}", quote(&offer.name)),
            None if offers.is_empty() => "offered none".to_owned(),
            None => format!("offered only {}", list(offers.iter().map(|o| &o.name))),
        };
        let text =
            format!("the server accepts the extension {}, but the client {but}", quote(name));
        self.notes.push(Note::new(NoteCode::ExtensionUnoffered, Blame::Server, text));
    }

    /// RFC 7692 5: extensions that compress use the same bit, so only one can be in use.
    fn duplicate(&mut self, name: &str, again: bool) {
        let text = match &self.agreed {
            _ if again => format!("the server accepts {} more than once", quote(name)),
            Some((other, _)) if Compression::of(name).is_some() => format!(
                "the server accepts both {} and {}, which use the same bit RSV1",
                quote(other),
                quote(name)
            ),
            _ => return,
        };
        self.notes.push(Note::new(NoteCode::ExtensionDuplicate, Blame::Server, text));
    }

    /// Which offer an acceptance of compression takes; notes what is wrong with it.
    fn compression(&mut self, extension: &Extension, terms: &Terms, again: bool) -> Option<usize> {
        let shown = quote(extension.to_string());
        for fault in &terms.faults {
            let text = format!("the server answers {shown}: {fault}");
            self.notes.push(Note::new(NoteCode::DeflateParamInvalid, Blame::Server, text));
        }
        let (offer, misfits) = self.fitting_offer(&extension.name, terms);
        if !again {
            for (code, why) in misfits {
                let text = format!("the server answers {shown}, which fits no offer: {why}");
                self.notes.push(Note::new(code, Blame::Server, text));
            }
        }
        if self.agreed.is_none() {
            let offered = offer.and_then(|index| self.offers?.get(index));
            let agreement = agreement(extension, terms, offered);
            self.agreed = Some((extension.name.clone(), agreement));
        }
        offer
    }

    /// The first offer that the answer takes in every parameter, one that must not be declined
    /// before one that must; where there is none, why the nearest does not fit.
    fn fitting_offer(&self, name: &str, terms: &Terms) -> (Option<usize>, Misfits) {
        let offers = self.offers.unwrap_or_default().iter().enumerate();
        let nearest = offers
            .filter(|(_, offer)| offer.name == name)
            .filter_map(|(index, offer)| {
                let offered = Terms::of(offer, Direction::ToServer)?;
                // The parameters of the frame-wise draft do not depend on each other.
                let misfits = match Compression::of(name)? {
                    Compression::PerMessage => terms.misfits(&offered),
                    Compression::PerFrame => Misfits::new(),
                };
                Some((index, misfits, !offered.faults.is_empty()))
            })
            .min_by_key(|(_, misfits, faulty)| (misfits.len(), *faulty));
        match nearest {
            None => (None, Misfits::new()),
            Some((index, misfits, _)) => (misfits.is_empty().then_some(index), misfits),
        }
    }
}

/// Why an answer does not take an offer.
type Misfits = Vec<(NoteCode, String)>;

/// What each side may do from now on.
fn agreement(
    extension: &Extension,
    terms: &Terms,
    offered: Option<&Extension>,
) -> DeflateAgreement {
    let (to_server, to_client) = (Direction::ToServer, Direction::ToClient);
    if Compression::of(&extension.name) == Some(Compression::PerFrame) {
        // The draft lets each end limit the other, so the server's limits stand in the offer.
        let offered = offered.and_then(|offer| Terms::of(offer, to_server)).unwrap_or_default();
        let sides =
            PerDirection { to_server: terms.side(to_server), to_client: offered.side(to_client) };
        return DeflateAgreement { sides, per_frame: true, presumed: false };
    }
    // RFC 7692 7.1.1.2, 7.1.2.2: what only the offer says of the client is a hint, no promise.
    let sides = PerDirection { to_server: terms.side(to_server), to_client: terms.side(to_client) };
    DeflateAgreement { sides, per_frame: false, presumed: false }
}

#[cfg(test)]
mod tests;
