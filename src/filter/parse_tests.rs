//! Tests of the language: what parses to what, and what does not parse, with the column.

use proptest::prelude::*;

use super::ast::{Expr, Item, Literal, Op, Test};
use super::field::{FieldRef, FieldType, Id, Param, fields};
use super::json::{Path, Step};
use super::literal::{Raw, read};
use super::parse::{MAX_DEPTH, MAX_LEN, parse};
use super::{Filter, fuzz_filter};

/// The expression as the parser understood it.
fn canonical(text: &str) -> String {
    match parse(text) {
        Ok(expr) => expr.to_string(),
        Err(error) => panic!("{error}"),
    }
}

/// Column and reason of an error.
fn fault(text: &str) -> (usize, String) {
    let error = parse(text).expect_err(text);
    (error.column(), error.reason().to_owned())
}

fn hint(text: &str) -> String {
    parse(text).expect_err(text).suggestion().unwrap_or("").to_owned()
}

#[test]
fn and_binds_tighter_than_or_and_not_tightest() {
    assert_eq!(canonical("fin or tcp and ws"), "fin or tcp and websocket");
    assert!(matches!(parse("fin or tcp and ws"), Ok(Expr::Or(parts)) if parts.len() == 2));
    assert!(matches!(parse("(fin or tcp) and ws"), Ok(Expr::And(parts)) if parts.len() == 2));
    assert_eq!(canonical("(fin or tcp) and ws"), "(fin or tcp) and websocket");
    assert!(matches!(parse("not fin and tcp"), Ok(Expr::And(_))));
    assert!(matches!(parse("not (fin and tcp)"), Ok(Expr::Not(_))));
    assert!(
        matches!(parse("not conn == 3"), Ok(Expr::Not(part)) if matches!(*part, Expr::Test(_)))
    );
    assert_eq!(canonical("((fin and (tcp and ws)))"), "fin and tcp and websocket");
}

#[test]
fn both_spellings_of_every_operator_mean_the_same() {
    for (symbols, words) in [
        ("len == 1", "len eq 1"),
        ("len == 1", "len any_eq 1"),
        ("len != 1", "len ne 1"),
        ("len != 1", "len all_ne 1"),
        ("len === 1", "len all_eq 1"),
        ("len !== 1", "len any_ne 1"),
        ("len>1", "len gt 1"),
        ("len<1", "len LT 1"),
        ("len>=1", "len ge 1"),
        ("len<=1", "len le 1"),
        ("text ~ \"a\"", "text matches a"),
        ("fin&&!tcp||ws", "fin AND NOT tcp OR ws"),
        ("len in{1,2,5..9}", "len in { 1 2 5 .. 9 }"),
        ("!len in {1}", "not len in {1}"),
    ] {
        assert_eq!(parse(symbols), parse(words), "{symbols} / {words}");
        assert!(parse(symbols).is_ok(), "{symbols}");
    }
    assert_eq!(canonical("len not in {1}"), "len not in {1}");
}

#[test]
fn names_of_wireshark_are_aliases() {
    for (theirs, ours) in [
        ("websocket.opcode == 1", "opcode == 1"),
        ("websocket.opcode == text", "opcode == 1"),
        ("websocket.payload.text contains \"x\"", "text contains \"x\""),
        ("websocket.payload_length > 4k", "len > 4096"),
        ("websocket.fin", "fin"),
        ("websocket.mask == 0", "masked == false"),
        ("tcp.stream eq 3", "tcp_stream == 3"),
        ("frame.number <= 0x10", "packet <= 16"),
        ("frame.time >= \"2026-11-22 16:01\"", "time >= 2026-11-22T16:01:00.000000000Z"),
        ("frame.time_relative > 1.5", "time_relative > 1.5"),
        ("HTTP.Host == x", "http.host == \"x\""),
        ("ipv6.addr == fe80::/10", "ip.addr == fe80::/10"),
        ("websocket", "websocket"),
    ] {
        assert_eq!(canonical(theirs), ours);
    }
}

#[test]
fn literals_are_read_as_their_field_wants_them() {
    for (typed, shown) in [
        ("payload contains 01:02:FF", "payload contains 01:02:ff"),
        ("payload contains \"ab\"", "payload contains 61:62"),
        ("payload == \"\"", "payload == \"\""),
        ("data == ff", "data == ff"),
        ("text contains 01:02", "text contains \"01:02\""),
        ("text == 'it\\'s \"x\"'", "text == \"it's \\\"x\\\"\""),
        ("text == \"\\x41\\u{1f600}\\u00e4\\n\"", "text == \"A😀ä\\n\""),
        ("text == r\"\\d\"", "text == \"\\\\d\""),
        ("text matches \"\\d+\\\\.\"", "text matches \"\\\\d+\\\\.\""),
        ("text matches \"a\\ \\\\.\"", "text matches \"a\\\\ \\\\.\""),
        ("text matches r\"\\d\"", "text matches \"\\\\d\""),
        ("duration > 20ms", "duration > 0.02"),
        ("time_relative < -1.000000001", "time_relative < -1.000000001"),
        ("client == [::1]:80", "client == [::1]:80"),
        ("client == ::ffff:10.0.0.1", "client == 10.0.0.1"),
        ("client in {10.0.0.0/8, 127.0.0.1:80}", "client in {10.0.0.0/8, 127.0.0.1:80}"),
        ("ip.addr in {10.0.0.1..10.0.0.9}", "ip.addr in {10.0.0.1..10.0.0.9}"),
        ("ip.addr in {::1..::5}", "ip.addr in {::1..::5}"),
        ("kind == \"Text\"", "kind == text"),
        ("note.severity >= Warning", "note.severity >= warning"),
        ("time_relative in {1.5..2.5}", "time_relative in {1.5..2.5}"),
        (
            "json.a == 7 or json.a == 7.5 or json.a == \"7\"",
            "json.a == 7 or json.a == 7.5 or json.a == \"7\"",
        ),
        ("json.a in {true, null, ack}", "json.a in {true, null, \"ack\"}"),
        ("http.request.version == \"HTTP/1.1\"", "http.request.version == \"1.1\""),
    ] {
        assert_eq!(canonical(typed), shown);
        assert_eq!(parse(typed), parse(shown), "{shown}");
    }
}

#[test]
fn names_take_headers_and_paths() {
    for (typed, shown) in [
        ("http.header.X-Forwarded-For", "http.header.x-forwarded-for"),
        ("http.request.header.x == a", "http.request.header.x == \"a\""),
        ("http.response.header[\"a!b\"]", "http.response.header[\"a!b\"]"),
        ("header.origin", "http.header.origin"),
        ("json", "json"),
        ("json.user.id == 7", "json.user.id == 7"),
        ("json.items[0].type==\"ack\"", "json.items[0].type == \"ack\""),
        ("json.items[*].x", "json.items[*].x"),
        ("json..x", "json..x"),
        ("json..[0]", "json..[0]"),
        ("json.*.x", "json[*].x"),
        ("json[\"odd key\"].größe", "json[\"odd key\"].größe"),
        ("json.\"a.b\"", "json[\"a.b\"]"),
        ("json.User", "json.User"),
        ("JSON[0]", "json[0]"),
    ] {
        assert_eq!(canonical(typed), shown);
        assert_eq!(parse(typed), parse(shown), "{shown}");
    }
}

#[test]
fn errors_point_at_the_column() {
    for (text, column, reason) in [
        ("", 0, "the filter is empty"),
        ("  ", 2, "the filter is empty"),
        ("con == 3", 0, "there is no field `con`"),
        ("fin and con == 3", 8, "there is no field `con`"),
        ("fin and", 7, "expected a field here"),
        ("fin and and fin", 8, "expected a field, found `and`"),
        ("conn ==", 7, "expected a value for `conn` (number), found the end"),
        ("conn == )", 8, "expected a value for `conn` (number), found )"),
        ("conn == x", 8, "`x` is not a number"),
        ("conn == 3 4", 10, "expected `and`, `or` or the end, found `4`"),
        ("conn = 3", 5, "expected an operator behind `conn`, found `=`"),
        ("conn is 3", 5, "expected an operator behind `conn`, found `is`"),
        ("conn contains 3", 5, "`contains` does not apply to `conn` (number)"),
        ("websocket == 3", 10, "`==` does not apply to `websocket` (presence)"),
        ("json == 3", 5, "`==` does not apply to `json` (JSON value)"),
        ("kind > text", 5, "`>` does not apply to `kind` (word)"),
        ("kind == txt", 8, "`kind` is never `txt`"),
        ("fin in {1}", 4, "`in` does not apply to `fin` (boolean)"),
        ("(fin", 0, "this `(` is not closed"),
        ("fin)", 3, "there is no `(` for this `)`"),
        ("(fin fin)", 5, "expected an operator behind `fin`, found `fin`"),
        ("conn in 3", 8, "expected `{` behind `in`"),
        ("conn in {}", 9, "the set is empty"),
        ("conn in {1, 2", 8, "this `{` is not closed"),
        ("conn in {9..1}", 9, "the range ends before it begins"),
        ("kind in {ping..text}", 13, "a range does not apply to `kind` (word)"),
        ("text == \"abc", 8, "this \" is not closed"),
        ("text == \"a\\d\"", 10, "`\\d` is no escape"),
        ("text == \"a\u{7}\"", 10, "a control character in a string"),
        ("text == \"\\xff\"", 8, "this text is not UTF-8"),
        ("text matches \"(\"", 13, "regular expression: unclosed group"),
        ("ip.addr == 10.0.0.0/33", 11, "`10.0.0.0/33` is not an IP address"),
        ("client == localhost", 10, "`localhost` is not an address"),
        ("payload contains hello", 17, "`hello` is not bytes"),
        ("len > 4x", 6, "`4x` is not a size"),
        ("time > yesterday", 7, "`yesterday` is not a time"),
        ("3 == conn", 0, "expected a field, found `3`"),
        ("\"x\"", 0, "expected a field, found `\"`"),
        ("http.header", 0, "`http.header` needs a header's name behind it"),
        ("http.header == x", 12, "`http.header` needs a header's name behind it"),
        ("json.", 5, "a name, `*` or `\"a name\"` must follow the dot"),
        ("json.a[-1]", 7, "expected a number from 0, `*` or `\"a name\"` in the brackets"),
        ("json.a[0", 8, "expected `]`"),
        (
            "http.host == http.origin",
            13,
            "`http.origin` is a field; fields are not compared with each other",
        ),
        ("text contains \"ü\" x", 18, "expected `and`, `or` or the end, found `x`"),
    ] {
        assert_eq!(fault(text), (column, reason.to_owned()), "{text}");
    }
}

#[test]
fn errors_say_what_may_have_been_meant() {
    for (text, suggestion) in [
        ("con == 3", "did you mean `conn`?"),
        ("uri == x", ""),
        ("websocket.opcod == 1", "did you mean `websocket.opcode`?"),
        ("conn = 3", "did you mean `==`?"),
        ("conn <> 3", "did you mean `!=`?"),
        ("text =~ x", "did you mean `matches`?"),
        ("text contain x", "did you mean `contains`?"),
        ("fin & tcp", "did you mean `&&`?"),
        ("fin == 1 & tcp", "did you mean `&&`?"),
        ("kind == txt", "did you mean `text`?"),
        ("kind == 9999", "it is one of: text, binary, ping, pong, close"),
        ("note.code == utf8-invald", "did you mean `utf8-invalid`?"),
        ("conn == 3 dir == c2s", "did you mean `and dir`?"),
        ("text contains foo bar", "text of several words needs quotes: \"a b\""),
    ] {
        if suggestion.is_empty() {
            assert!(parse(text).is_ok(), "{text}");
        } else {
            assert_eq!(hint(text), suggestion, "{text}");
        }
    }
}

#[test]
fn error_spans_whole_words() {
    let error = Filter::parse("fin and con == 3").unwrap_err();
    assert_eq!(error.span(), 8..11);
    assert_eq!(
        error.to_string(),
        "there is no field `con`\n  fin and con == 3\n          ^^^\ndid you mean `conn`?"
    );
}

#[test]
fn nesting_is_bounded() {
    let nested = |n: usize| format!("{}fin{}", "(".repeat(n), ")".repeat(n));
    assert!(parse(&nested(MAX_DEPTH)).is_ok());
    assert_eq!(fault(&nested(MAX_DEPTH + 1)), (64, "nested deeper than 64".to_owned()));
    assert_eq!(fault(&"(".repeat(60_000)).1, "nested deeper than 64");
    assert_eq!(fault(&"not ".repeat(16_000)).1, "nested deeper than 64");
    assert_eq!(fault(&"!".repeat(60_000)).1, "nested deeper than 64");
    let negated = format!("{}fin", "!".repeat(MAX_DEPTH));
    assert_eq!(parse(&canonical(&negated)), parse(&negated));
    assert_eq!(fault(&" ".repeat(MAX_LEN + 1)).0, MAX_LEN);
    let long = vec!["fin"; 8000].join(" and ");
    assert!(parse(&long).is_ok(), "length alone is no depth");
}

#[test]
fn regular_expressions_are_bounded() {
    assert_eq!(
        fault("text matches \"(\\\\w{500}){500}\"").1,
        "the regular expression is too large when compiled"
    );
    let many = vec!["text ~ a"; 65].join(" or ");
    assert_eq!(fault(&many).1, "more than 64 regular expressions");
    let deep = format!("text matches \"{}{}\"", "(".repeat(5000), ")".repeat(5000));
    assert!(fault(&deep).1.contains("nest"), "{:?}", fault(&deep));
}

fn name() -> impl Strategy<Value = String> {
    prop_oneof!["[a-zA-Z0-9_-]{1,6}", "\\PC{0,6}", any::<String>()]
}

fn step() -> impl Strategy<Value = Vec<Step>> {
    let one = prop_oneof![
        name().prop_map(Step::Key),
        any::<u64>().prop_map(Step::Index),
        Just(Step::Each)
    ];
    (any::<bool>(), one).prop_map(
        |(deep, step)| {
            if deep { vec![Step::Deep, step] } else { vec![step] }
        },
    )
}

fn field() -> impl Strategy<Value = FieldRef> {
    let path = prop::collection::vec(step(), 1..5).prop_map(|steps| Path(steps.concat()));
    (0..fields().len(), name(), path).prop_map(|(n, name, path)| {
        let spec = &fields()[n];
        let param = match spec.id {
            Id::Json => Param::Path(path),
            Id::AnyHeader(_) => Param::Header(format!("h{}", name.to_ascii_lowercase())),
            _ => Param::None,
        };
        FieldRef { spec, param }
    })
}

/// A literal that fits the field.
fn literal(spec: &'static super::FieldSpec) -> BoxedStrategy<Literal> {
    let net = (any::<std::net::IpAddr>(), prop::option::of(0..=32_u8));
    let net = net.prop_map(|(addr, prefix)| super::ast::Net {
        addr: if prefix.is_none() { addr.to_canonical() } else { addr },
        prefix,
    });
    match spec.kind {
        FieldType::Number | FieldType::Size => {
            any::<i64>().prop_map(|n| Literal::Int(n.into())).boxed()
        }
        FieldType::Duration => any::<i64>().prop_map(|n| Literal::Duration(n.into())).boxed(),
        FieldType::Time => {
            any::<i64>().prop_map(|n| Literal::Time(crate::units::Timestamp(n))).boxed()
        }
        FieldType::Boolean => any::<bool>().prop_map(Literal::Bool).boxed(),
        FieldType::Bytes => any::<Vec<u8>>().prop_map(Literal::Bytes).boxed(),
        FieldType::Word => prop::sample::select(spec.values()).prop_map(Literal::Word).boxed(),
        FieldType::Address => net.prop_map(Literal::Net).boxed(),
        FieldType::Endpoint => (net, any::<Option<u16>>())
            .prop_map(|(net, port)| Literal::Endpoint(net, port.filter(|_| net.prefix.is_none())))
            .boxed(),
        FieldType::Json => prop_oneof![
            any::<i64>().prop_map(|n| Literal::Int(n.into())),
            prop::num::f64::NORMAL.prop_map(Literal::Float),
            any::<bool>().prop_map(Literal::Bool),
            Just(Literal::Null),
            any::<String>().prop_map(Literal::Text),
        ]
        .boxed(),
        // A version loses its `HTTP/`; arbitrary text does not begin so.
        _ => any::<String>().prop_map(Literal::Text).boxed(),
    }
}

fn test() -> impl Strategy<Value = Expr> {
    let field = field().prop_filter("comparable", |f| f.spec.kind != FieldType::Presence);
    field.prop_flat_map(|field| {
        let ops = match field.spec.kind {
            FieldType::Boolean => vec![Op::Eq, Op::Ne],
            _ => vec![Op::Eq, Op::Ne, Op::AllEq, Op::AnyNe, Op::In, Op::NotIn],
        };
        let literals = prop::collection::vec(literal(field.spec), 1..4);
        (Just(field), prop::sample::select(ops), literals).prop_map(|(field, op, literals)| {
            let most = if matches!(op, Op::In | Op::NotIn) { usize::MAX } else { 1 };
            let items = literals.into_iter().take(most);
            let items = items.map(|low| Item { low, high: None }).collect();
            Expr::Test(Test { field, op, items })
        })
    })
}

fn matching() -> impl Strategy<Value = Expr> {
    let text =
        fields().iter().filter(|f| f.kind == FieldType::Text && !matches!(f.id, Id::AnyHeader(_)));
    (prop::sample::select(text.collect::<Vec<_>>()), "[a-z.\\\\\"' ]{0,8}").prop_filter_map(
        "a regular expression",
        |(spec, source)| {
            let field = FieldRef { spec, param: Param::None };
            let raw = Raw::Quoted(source.into_bytes());
            let low = read(&field, Op::Matches, &raw).ok()?;
            Some(Expr::Test(Test { field, op: Op::Matches, items: vec![Item { low, high: None }] }))
        },
    )
}

fn tree() -> impl Strategy<Value = Expr> {
    let leaf = prop_oneof![field().prop_map(Expr::Has), test(), matching()];
    leaf.prop_recursive(6, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 2..4).prop_map(Expr::or),
            prop::collection::vec(inner.clone(), 2..4).prop_map(Expr::and),
            inner.prop_map(|part| Expr::Not(Box::new(part))),
        ]
    })
}

/// Text that looks like the language.
fn likely() -> impl Strategy<Value = String> {
    let token = prop_oneof![
        (0..fields().len()).prop_map(|n| fields()[n].name.to_owned()),
        prop::sample::select(vec![
            "conn",
            "text",
            "json.a",
            "json..",
            "json[",
            "http.header.",
            "kind",
            "ip.addr",
            "==",
            "!=",
            "in",
            "{",
            "}",
            "..",
            ",",
            "(",
            ")",
            "not",
            "!",
            "and",
            "or",
            "&&",
            "\"",
            "'",
            "\\",
            "matches",
            "~",
            "contains",
            "1",
            "0x",
            "10.0.0.0/8",
            "01:02",
            "é",
            "\u{1b}",
            "*",
        ])
        .prop_map(str::to_owned),
    ];
    prop::collection::vec((token, prop::sample::select(vec!["", " "])), 0..14)
        .prop_map(|parts| parts.into_iter().map(|(token, space)| token + space).collect())
}

proptest! {
    #[test]
    fn what_is_displayed_parses_to_the_same(expr in tree()) {
        let shown = expr.to_string();
        let again = parse(&shown);
        prop_assert_eq!(again.as_ref(), Ok(&expr), "{}", shown);
    }

    #[test]
    fn arbitrary_text_does_not_panic(text in any::<String>(), cursor in any::<u8>()) {
        fuzz_filter(&[&[cursor], text.as_bytes()].concat());
    }

    #[test]
    fn likely_text_does_not_panic(text in likely(), cursor in any::<u8>()) {
        fuzz_filter(&[&[cursor], text.as_bytes()].concat());
    }

    #[test]
    fn arbitrary_bytes_do_not_panic(bytes in any::<Vec<u8>>()) {
        fuzz_filter(&bytes);
    }
}
