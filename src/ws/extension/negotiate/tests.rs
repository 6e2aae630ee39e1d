use super::*;
use crate::event::Field;

fn header(values: &[&str]) -> Fields {
    let field = |value: &&str| Field {
        name: b"sec-websocket-extensions"[..].into(),
        value: value.as_bytes().into(),
    };
    Fields(values.iter().map(field).collect())
}

/// What comes of one offering header and one accepting header.
fn agree(offer: &str, answer: &str) -> Negotiation {
    negotiate(Some(&header(&[offer])), Some(&header(&[answer])))
}

fn codes(notes: &[Note]) -> Vec<(&'static str, Blame)> {
    notes.iter().map(|note| (note.code.as_str(), note.blame)).collect()
}

#[track_caller]
fn clean(offer: &str, answer: &str) -> Negotiation {
    let result = agree(offer, answer);
    assert_eq!(result.request_notes, [], "{offer} / {answer}");
    assert_eq!(result.response_notes, [], "{offer} / {answer}");
    result
}

/// The answer earns this one note, which says this.
#[track_caller]
fn faulty(offer: &str, answer: &str, code: &str, part: &str) -> Negotiation {
    let result = agree(offer, answer);
    assert_eq!(result.request_notes, []);
    assert_eq!(codes(&result.response_notes), [(code, Blame::Server)]);
    let text = &result.response_notes[0].text;
    assert!(text.contains(part), "{text}");
    result
}

fn side(context_takeover: bool, window_bits: u8) -> DeflateSide {
    DeflateSide { context_takeover, window_bits }
}

fn sides(result: &Negotiation) -> (DeflateSide, DeflateSide) {
    let sides = result.deflate.expect("an agreement").sides;
    (sides.to_server, sides.to_client)
}

const PMD: &str = "permessage-deflate";

mod rfc6455_section_9_1 {
    use super::*;

    #[test]
    fn nothing_offered_and_nothing_accepted() {
        let result = negotiate(Some(&Fields::default()), Some(&Fields::default()));
        assert_eq!(result, Negotiation::default());
    }

    #[test]
    fn an_offer_may_be_declined() {
        let result = negotiate(Some(&header(&[PMD])), Some(&Fields::default()));
        assert_eq!((result.deflate, result.response_notes.len()), (None, 0));
        assert_eq!(result.offers[0].name, PMD);
    }

    #[test]
    fn several_extensions_in_several_headers() {
        let request = header(&["x-mux; max=4, x-log", PMD]);
        let result = negotiate(Some(&request), Some(&header(&["x-log", PMD])));
        assert_eq!(result.response_notes, []);
        let taken: Vec<Option<usize>> = result.accepted.iter().map(|a| a.offer).collect();
        assert_eq!(taken, [Some(1), Some(2)]);
    }

    #[test]
    fn faults_of_grammar_blame_their_sender() {
        let result = agree("permessage-deflate;", "permessage-deflate; =1");
        assert_eq!(codes(&result.request_notes), [("extension-syntax", Blame::Client)]);
        assert_eq!(codes(&result.response_notes), [("extension-syntax", Blame::Server)]);
        assert_eq!(
            result.request_notes[0].text,
            "the client's Sec-WebSocket-Extensions \"permessage-deflate;\" ends at byte 19 where a \
             parameter name is wanted"
        );
        assert!(result.deflate.is_some(), "what can be read still counts");
    }

    #[test]
    fn white_space_commas_and_quotes_are_no_faults() {
        let result = clean(
            " permessage-deflate ; client_max_window_bits ,",
            "permessage-deflate;server_max_window_bits=\"10\"",
        );
        assert_eq!(sides(&result), (side(true, 15), side(true, 10)));
    }

    #[test]
    fn an_extension_that_was_not_offered() {
        faulty(
            PMD,
            "x-foo; level=9",
            "extension-unoffered",
            "\"x-foo\", but the client offered only \"permessage-deflate\"",
        );
        let result = negotiate(Some(&Fields::default()), Some(&header(&[PMD])));
        assert_eq!(codes(&result.response_notes), [("extension-unoffered", Blame::Server)]);
        assert!(result.response_notes[0].text.ends_with("the client offered none"));
        assert!(result.deflate.is_some(), "the server will compress all the same");
    }

    #[test]
    fn names_differ_by_letter_case() {
        faulty(PMD, "Permessage-Deflate", "extension-unoffered", "spelt it \"permessage-deflate\"");
    }

    #[test]
    fn without_the_request_nothing_is_known_of_offers() {
        let answer = header(&["permessage-deflate; client_max_window_bits=12"]);
        let result = negotiate(None, Some(&answer));
        assert_eq!(result.response_notes, []);
        assert_eq!(sides(&result), (side(true, 12), side(true, 15)));
        let answer = header(&["permessage-deflate; client_max_window_bits=7"]);
        let result = negotiate(None, Some(&answer));
        assert_eq!(codes(&result.response_notes), [("deflate-param-invalid", Blame::Server)]);
    }
}

mod rfc7692_section_5 {
    use super::*;

    #[test]
    fn accepted_twice() {
        let result = faulty(
            PMD,
            "permessage-deflate, permessage-deflate",
            "extension-duplicate",
            "more than once",
        );
        assert_eq!(sides(&result), (side(true, 15), side(true, 15)));
    }

    #[test]
    fn two_extensions_that_both_use_rsv1() {
        faulty(
            "permessage-deflate, x-webkit-deflate-frame",
            "x-webkit-deflate-frame, permessage-deflate",
            "extension-duplicate",
            "RSV1",
        );
    }

    #[test]
    fn offering_one_extension_twice_is_how_a_client_gives_a_choice() {
        // RFC 7692 section 7.1.3: the second is the fallback.
        let offer = "permessage-deflate; client_max_window_bits; server_max_window_bits=10, \
                     permessage-deflate; client_max_window_bits";
        let result = clean(offer, PMD);
        assert_eq!(result.accepted[0].offer, Some(1));
        let result = clean(offer, "permessage-deflate; server_max_window_bits=10");
        assert_eq!(result.accepted[0].offer, Some(0));
    }
}

mod rfc7692_section_7_1 {
    use super::*;

    #[test]
    fn unknown_parameter() {
        faulty(
            PMD,
            "permessage-deflate; fast=yes",
            "deflate-param-invalid",
            "no parameter \"fast\"",
        );
    }

    #[test]
    fn the_same_parameter_twice() {
        let answer = "permessage-deflate; server_no_context_takeover; server_no_context_takeover";
        let result = faulty(PMD, answer, "deflate-param-invalid", "more than once");
        assert_eq!(sides(&result), (side(true, 15), side(false, 15)));
    }

    #[test]
    fn a_faulty_offer_blames_the_client_and_the_server_when_it_was_taken() {
        let result = agree("permessage-deflate; fast", PMD);
        let code = "deflate-param-invalid";
        let both = [(code, Blame::Client), (code, Blame::Server)];
        assert_eq!(codes(&result.request_notes), both);
        assert!(result.request_notes[1].text.contains("which it has to decline"));
        let result = agree("permessage-deflate; fast, permessage-deflate", PMD);
        assert_eq!(result.accepted[0].offer, Some(1));
        assert_eq!(codes(&result.request_notes), [(code, Blame::Client)]);
    }
}

mod rfc7692_section_7_1_1_context_takeover {
    use super::*;

    #[test]
    fn the_answer_tells_who_must_forget() {
        let result = clean(PMD, "permessage-deflate; server_no_context_takeover");
        assert_eq!(sides(&result), (side(true, 15), side(false, 15)));
        let result = clean(PMD, "permessage-deflate; client_no_context_takeover");
        assert_eq!(sides(&result), (side(false, 15), side(true, 15)));
    }

    #[test]
    fn what_only_the_client_hints_at_itself_binds_nobody() {
        let result = clean("permessage-deflate; client_no_context_takeover", PMD);
        assert_eq!(sides(&result), (side(true, 15), side(true, 15)));
    }

    #[test]
    fn server_no_context_takeover_must_be_confirmed() {
        let offer = "permessage-deflate; server_no_context_takeover";
        clean(offer, offer);
        faulty(offer, PMD, "deflate-param-invalid", "lacks server_no_context_takeover");
    }

    #[test]
    fn a_flag_has_no_value() {
        let answer = "permessage-deflate; server_no_context_takeover=1";
        let result = faulty(PMD, answer, "deflate-param-invalid", "must not have a value");
        assert_eq!(sides(&result), (side(true, 15), side(false, 15)));
    }
}

mod rfc7692_section_7_1_2_window_bits {
    use super::*;

    const OFFER: &str = "permessage-deflate; client_max_window_bits";

    #[test]
    fn from_8_to_15_without_leading_zeros() {
        for bits in 8..=15 {
            let result =
                clean(OFFER, &format!("permessage-deflate; client_max_window_bits={bits}"));
            assert_eq!(sides(&result), (side(true, bits), side(true, 15)));
        }
        for bits in ["7", "16", "0", "010", "+9", "1e1", "256", "99999999999999999999"] {
            for name in ["client_max_window_bits", "server_max_window_bits"] {
                let result = faulty(
                    OFFER,
                    &format!("permessage-deflate; {name}={bits}"),
                    "deflate-param-invalid",
                    &format!("\"{name}={bits}\" is not a number from 8 to 15"),
                );
                assert_eq!(sides(&result), (side(true, 15), side(true, 15)));
            }
        }
    }

    #[test]
    fn only_an_offer_may_leave_the_value_out_and_only_the_clients() {
        faulty(OFFER, OFFER, "deflate-param-invalid", "lacks its value");
        let result = agree("permessage-deflate; server_max_window_bits", PMD);
        assert_eq!(codes(&result.request_notes)[0], ("deflate-param-invalid", Blame::Client));
    }

    #[test]
    fn the_servers_window_is_as_asked_for_or_smaller() {
        let offer = "permessage-deflate; server_max_window_bits=12";
        clean(offer, "permessage-deflate; server_max_window_bits=12");
        let result = clean(offer, "permessage-deflate; server_max_window_bits=9");
        assert_eq!(sides(&result), (side(true, 15), side(true, 9)));
        faulty(
            offer,
            "permessage-deflate; server_max_window_bits=13",
            "deflate-param-invalid",
            "server_max_window_bits=13 is more than the 12 asked for",
        );
        faulty(offer, PMD, "deflate-param-invalid", "asked to be 12 at most");
    }

    #[test]
    fn the_server_may_limit_itself_unasked_but_not_the_client() {
        clean(PMD, "permessage-deflate; server_max_window_bits=10");
        let answer = "permessage-deflate; client_max_window_bits=10";
        let result = faulty(PMD, answer, "deflate-param-unoffered", "client_max_window_bits");
        assert_eq!(sides(&result), (side(true, 10), side(true, 15)));
        clean("permessage-deflate; client_max_window_bits=12", answer);
    }
}

#[test]
fn an_answer_without_server_max_window_bits_stands_for_15() {
    // What Boost.Beast offers, and what it and others answer: RFC 7692 7.1.2.1.
    let offer = "permessage-deflate; server_max_window_bits=15; client_max_window_bits=15";
    let result = clean(offer, PMD);
    assert_eq!(sides(&result), (side(true, 15), side(true, 15)));
    assert_eq!(result.accepted[0].offer, Some(0));
    clean(offer, "permessage-deflate; client_max_window_bits=15");
    faulty(
        "permessage-deflate; server_max_window_bits=14",
        PMD,
        "deflate-param-invalid",
        "lacks server_max_window_bits",
    );
}

#[test]
fn extensions_that_are_not_known_here_are_told_from_those_that_are() {
    assert!(names_other("x-mux"));
    assert!(names_other("permessage-deflate, permessage-bzip2; server_max_compress_level=5"));
    for known in ["permessage-deflate; server_max_window_bits=9", "x-webkit-deflate-frame", ""] {
        assert!(!names_other(known), "{known}");
    }
}

mod x_webkit_deflate_frame {
    use super::*;

    #[test]
    fn it_is_deflate_frame_by_another_name() {
        let result = clean("deflate-frame; max_window_bits=11", "deflate-frame");
        assert!(result.deflate.unwrap().per_frame);
        assert_eq!(sides(&result), (side(true, 15), side(true, 11)));
        assert!(!names_other("deflate-frame"));
    }

    const WEBKIT: &str = "x-webkit-deflate-frame";

    #[test]
    fn each_end_limits_the_other() {
        let result = clean(
            "x-webkit-deflate-frame; max_window_bits=11",
            "x-webkit-deflate-frame; no_context_takeover",
        );
        assert!(result.deflate.unwrap().per_frame);
        assert_eq!(sides(&result), (side(false, 15), side(true, 11)));
    }

    #[test]
    fn it_has_other_parameters_than_permessage_deflate() {
        faulty(
            WEBKIT,
            "x-webkit-deflate-frame; server_no_context_takeover",
            "deflate-param-invalid",
            "x-webkit-deflate-frame has no parameter",
        );
        faulty(
            PMD,
            "permessage-deflate; no_context_takeover",
            "deflate-param-invalid",
            "no parameter",
        );
    }
}

mod without_an_answer {
    use super::*;

    #[test]
    fn the_widest_is_presumed_of_what_was_offered() {
        let offer = header(&["x-foo, permessage-deflate; server_max_window_bits=9"]);
        let presumed = presume(&offer).unwrap();
        assert!(presumed.presumed && !presumed.per_frame);
        assert_eq!(presumed.sides, PerDirection::default());
        assert_eq!(presumed.sides.to_client, side(true, 15));
        assert!(presume(&header(&["x-webkit-deflate-frame"])).unwrap().per_frame);
    }

    #[test]
    fn nothing_is_presumed_of_what_was_not_offered() {
        assert_eq!(presume(&header(&["x-foo"])), None);
        assert_eq!(presume(&Fields::default()), None);
    }
}
