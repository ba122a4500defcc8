//! The language: what is printed parses to the same, any bytes are survived, and an error says
//! where and what.

use finwait_model::release::Release;
use finwait_model::segment::Flags;
use finwait_sim::script::ast::{
    Action, BinaryOp, Body, Call, Code, Cond, Direction, Event, Expr, ExprKind, Icmp, IpInfo,
    OptionLine, Packet, Pos, Script, Shell, Statement, Tcp, TcpOption, Time, UnaryOp,
};
use finwait_sim::script::diagnostic::Kind;
use finwait_sim::script::{MAX_EVENTS, parse};
use proptest::collection::vec;
use proptest::option::of;
use proptest::prelude::*;

const POS: Pos = Pos { line: 0, column: 0, start: 0, end: 0 };

fn word() -> impl Strategy<Value = String> {
    "[a-zA-Z_][a-zA-Z0-9_]{0,10}"
}

fn free_text() -> impl Strategy<Value = String> {
    "[a-zA-Z0-9 =./;|-]{0,20}"
}

fn ns() -> impl Strategy<Value = u64> {
    prop_oneof![Just(0), (0u64..1_000_000_000_000).prop_map(|us| us * 1000)]
}

fn time_of_anything() -> impl Strategy<Value = Time> {
    prop_oneof![ns().prop_map(Time::Absolute), ns().prop_map(Time::Relative)]
}

fn time_of_outbound() -> impl Strategy<Value = Time> {
    prop_oneof![
        time_of_anything(),
        Just(Time::Any),
        (ns(), ns()).prop_map(|(a, b)| Time::AbsoluteRange(a, a + b)),
        (ns(), ns()).prop_map(|(a, b)| Time::RelativeRange(a, a + b)),
    ]
}

fn option() -> impl Strategy<Value = TcpOption> {
    prop_oneof![
        Just(TcpOption::Nop),
        Just(TcpOption::Eol),
        any::<u16>().prop_map(TcpOption::Mss),
        any::<u8>().prop_map(TcpOption::Wscale),
        Just(TcpOption::SackOk),
        vec((any::<u32>(), any::<u32>()), 1..2).prop_map(TcpOption::Sack),
        (any::<u32>(), any::<u32>()).prop_map(|(val, ecr)| TcpOption::Ts { val, ecr }),
        "([a-f]{2}){0,4}".prop_map(TcpOption::FastOpen),
    ]
}

fn tcp(direction: Direction) -> impl Strategy<Value = Tcp> {
    let options = vec(option(), 0..3).prop_map(Some).boxed();
    let options = match direction {
        Direction::In => options,
        Direction::Out => prop_oneof![3 => options, 1 => Just(None)].boxed(),
    };
    let numbers = (any::<u8>(), 0..=u32::MAX - 65535, any::<u16>());
    let fields = (of(any::<u32>()), of(any::<u16>()), of(any::<u16>()));
    (numbers, fields, options).prop_map(|((flags, seq, len), (ack, win, urg), options)| Tcp {
        flags: Flags(flags),
        seq,
        len,
        ack,
        win,
        urg,
        options,
    })
}

fn icmp() -> impl Strategy<Value = Icmp> {
    let echoed = of((0..=u32::MAX - 65535, any::<u16>()));
    (word(), of(word()), of(0i64..65536), of(0i64..65536), echoed)
        .prop_filter("words of the grammar", |(kind, code, ..)| {
            ["mtu", "id"].iter().all(|w| kind != w && code.as_deref() != Some(w))
        })
        .prop_map(|(kind, code, mtu, id, echoed)| Icmp { kind, code, mtu, id, echoed })
}

fn packet(direction: Direction) -> impl Strategy<Value = Packet> {
    let ip = prop_oneof![Just("ect0"), Just("tos 0x10"), Just("ttl 64")];
    let ip = of(ip.prop_map(|text| IpInfo { pos: POS, text: text.to_owned() }));
    let body = prop_oneof![
        8 => (of(any::<(u16, u16)>()), tcp(direction).prop_map(Body::Tcp)),
        1 => icmp().prop_map(|icmp| (None, Body::Icmp(icmp))),
        1 => (of(any::<(u16, u16)>()), any::<u16>().prop_map(Body::Udp)),
    ];
    (ip, body).prop_map(move |(ip, (ports, body))| Packet { pos: POS, direction, ip, ports, body })
}

fn expr() -> impl Strategy<Value = Expr> {
    let leaf = prop_oneof![
        Just(ExprKind::Ellipsis),
        any::<i64>().prop_map(ExprKind::Int),
        any::<u64>().prop_map(ExprKind::Hex),
        word().prop_map(ExprKind::Word),
        free_text().prop_map(ExprKind::Str),
        free_text().prop_map(ExprKind::StrPrefix),
    ]
    .prop_map(|kind| Expr { pos: POS, kind });
    leaf.prop_recursive(4, 24, 4, |inner| {
        let name = word().prop_map(|w| Expr { pos: POS, kind: ExprKind::Word(w) });
        let simple = word().prop_map(|w| Expr { pos: POS, kind: ExprKind::Word(w) });
        prop_oneof![
            (word(), vec(inner.clone(), 0..3)).prop_map(|(name, args)| ExprKind::Apply(name, args)),
            vec(inner.clone(), 0..3).prop_map(ExprKind::List),
            vec(inner.clone(), 0..3).prop_map(ExprKind::Brace),
            (name, inner.clone()).prop_map(|(n, v)| ExprKind::Assign(Box::new(n), Box::new(v))),
            (simple, inner).prop_map(|(a, b)| ExprKind::Or(Box::new(a), Box::new(b))),
        ]
        .prop_map(|kind| Expr { pos: POS, kind })
    })
}

fn call() -> impl Strategy<Value = Call> {
    let words = vec(word(), 0..4).prop_map(|words| words.join(" "));
    // A text directly before another would be one text.
    let result = any::<i64>().prop_map(|n| Expr { pos: POS, kind: ExprKind::Int(n) });
    (word(), vec(expr(), 0..4), result, of(word()), of(words)).prop_map(
        |(name, args, result, errno, note)| Call {
            pos: POS,
            end: None,
            name,
            args,
            result,
            errno,
            note,
        },
    )
}

fn cond() -> impl Strategy<Value = Cond> {
    let name = "tcpi_[a-z]{1,8}|x";
    let leaf = prop_oneof![
        any::<i64>().prop_filter("no literal is so small", |n| *n != i64::MIN).prop_map(Cond::Int),
        name.prop_map(|name| Cond::Name(POS, name)),
        "[a-z=%]{0,5}".prop_map(Cond::Text),
    ];
    let op = prop::sample::select(vec![
        BinaryOp::Or,
        BinaryOp::And,
        BinaryOp::Eq,
        BinaryOp::Ne,
        BinaryOp::Lt,
        BinaryOp::Le,
        BinaryOp::Gt,
        BinaryOp::Ge,
        BinaryOp::BitOr,
        BinaryOp::BitXor,
        BinaryOp::BitAnd,
        BinaryOp::Shl,
        BinaryOp::Shr,
        BinaryOp::Add,
        BinaryOp::Sub,
        BinaryOp::Mul,
        BinaryOp::Div,
        BinaryOp::FloorDiv,
        BinaryOp::Mod,
    ]);
    leaf.prop_recursive(4, 24, 3, move |inner| {
        let variable = name.prop_map(|name| Cond::Name(POS, name));
        prop_oneof![
            (op.clone(), inner.clone(), inner.clone()).prop_map(|(op, a, b)| Cond::Binary(
                op,
                Box::new(a),
                Box::new(b)
            )),
            inner.clone().prop_map(|a| Cond::Unary(UnaryOp::Not, Box::new(a))),
            variable.clone().prop_map(|a| Cond::Unary(UnaryOp::Minus, Box::new(a))),
            variable.prop_map(|a| Cond::Unary(UnaryOp::Invert, Box::new(a))),
            vec(inner, 0..3).prop_map(Cond::Tuple),
        ]
    })
}

fn statement() -> impl Strategy<Value = Statement> {
    let op = prop_oneof![Just(None), Just(Some(BinaryOp::Add)), Just(Some(BinaryOp::Sub))];
    prop_oneof![
        (cond(), of(cond())).prop_map(|(condition, message)| Statement::Assert {
            pos: POS,
            condition,
            message
        }),
        vec(cond(), 0..3).prop_map(|values| Statement::Print { pos: POS, values }),
        (Just("cwnd".to_owned()), op, cond()).prop_map(|(name, op, value)| Statement::Assign {
            pos: POS,
            name,
            op,
            value
        }),
    ]
}

fn shell() -> impl Strategy<Value = Shell> {
    free_text().prop_map(|text| Shell { pos: POS, text })
}

fn event() -> impl Strategy<Value = Event> {
    let code = vec(statement(), 0..3).prop_map(|statements| Code { pos: POS, statements });
    let at_once = prop_oneof![
        packet(Direction::In).prop_map(Action::Packet),
        call().prop_map(Action::Call),
        shell().prop_map(Action::Shell),
        code.prop_map(Action::Code),
    ];
    let blocking = (time_of_anything(), ns(), call()).prop_map(|(time, longer, mut call)| {
        if let Time::Absolute(from) | Time::Relative(from) = time {
            call.end = Some(from + longer);
        }
        (time, Action::Call(call))
    });
    prop_oneof![
        4 => (time_of_anything(), at_once),
        2 => (time_of_outbound(), packet(Direction::Out).prop_map(Action::Packet)),
        1 => blocking,
    ]
    .prop_map(|(time, action)| Event { pos: POS, time, action })
}

fn script() -> impl Strategy<Value = Script> {
    let about = vec("[a-zA-Z0-9,.]{1,8}( [a-zA-Z0-9,.]{1,8}){0,3}", 0..3);
    let kernel = of(prop::sample::select(Release::ALL.to_vec()));
    let option = ("[a-z_]{3,12}", of("[a-z0-9.]{1,8}"))
        .prop_filter("a definition has its own form", |(name, _)| name != "define")
        .prop_map(|(name, value)| OptionLine { pos: POS, name, value });
    let commands = (of(shell()), of(shell()));
    (about, kernel, vec(option, 0..3), commands, vec(event(), 1..8)).prop_map(
        |(about, kernel, options, (init, cleanup), events)| Script {
            about,
            kernel,
            options,
            init,
            events,
            cleanup,
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn what_is_printed_parses_to_the_same(script in script()) {
        let text = script.to_string();
        let again = parse(text.as_bytes()).map_err(|e| {
            TestCaseError::fail(format!("{}\n{text}", e.render("printed", &text)))
        })?;
        prop_assert_eq!(&again, &script, "{}", text);
        prop_assert_eq!(again.to_string(), text);
    }

    #[test]
    fn any_bytes_are_survived(bytes in vec(any::<u8>(), 0..200)) {
        survive(&bytes);
    }

    #[test]
    fn a_broken_script_is_survived(
        script in script(),
        at in any::<prop::sample::Index>(),
        with in vec(any::<u8>(), 0..4),
        cut in 0usize..4,
    ) {
        let mut text = script.to_string().into_bytes();
        let from = at.index(text.len());
        let to = (from + cut).min(text.len());
        text.splice(from..to, with);
        survive(&text);
    }
}

/// Parses and, if that fails, renders the error, which must not panic either.
fn survive(bytes: &[u8]) {
    if let Err(error) = parse(bytes) {
        let text = error.render("some.pkt", &String::from_utf8_lossy(bytes));
        assert!(text.starts_with("error: ") && text.contains("some.pkt:"), "{text}");
    }
}

/// Line, column, and the rendered error of a script that must not parse.
fn refused(text: &str) -> (u32, u32, String) {
    let error = parse(text.as_bytes()).expect_err(text);
    (error.pos.line, error.pos.column, error.render("x.pkt", text))
}

#[test]
fn errors_say_where_and_what() {
    for (text, line, column, words) in [
        ("0 < S 0:0(0) <wscal 7>", 1, 15, "did you mean `wscale`"),
        ("0 < S 0:0(0) wn 7", 1, 14, "did you mean `win`"),
        ("\n+0 > . 5:1(3)", 2, 8, "5:1 is not 3 bytes long"),
        ("+0 > . 1:5(3)", 1, 8, "write 1:5(4) or 1:4(3)"),
        ("+0 > Q 1:1(0)", 1, 6, "unknown flag `Q`"),
        ("+0 > . 1:1(0) <mss 1460", 1, 24, "to close the `<` at column 15"),
        ("socket(...) = 3", 1, 1, "every event begins with a time"),
        ("+0 socket(... = 3", 1, 15, "expected `)` to close the arguments"),
        ("+0~+1 close(3) = 0", 1, 1, "a time range is only for packets"),
        ("* < S 0:0(0)", 1, 1, "`*` is only for packets that the host sends"),
        ("0 `unclosed", 1, 3, "unclosed command"),
        ("0 %{ assrt x }%", 1, 6, "did you mean `assert`"),
        ("0 %{ import os }%", 1, 6, "Python's `import` is not supported"),
        ("// kernel: 2.6\n", 1, 1, "one of 3.10, 6.18"),
        ("/* never", 1, 1, "unclosed comment"),
        ("0 > . 1:1(0) ack 4294967296", 1, 18, "from 0 to 4294967295"),
        ("-0.1 close(3) = 0", 1, 1, "negative time"),
        ("+0 < ipv6 ::1 > ::2: S 0:0(0)", 1, 6, "encapsulation in `ipv6`"),
    ] {
        let (at_line, at_column, rendered) = refused(text);
        assert_eq!((at_line, at_column), (line, column), "{rendered}");
        assert!(rendered.contains(words), "{words:?} is not in\n{rendered}");
        assert!(rendered.contains(&format!("x.pkt:{line}:{column}")), "{rendered}");
    }
}

#[test]
fn limits_are_named() {
    let many = "+0 close(3) = 0\n".repeat(MAX_EVENTS + 1);
    let error = parse(many.as_bytes()).expect_err("too many events");
    assert_eq!(error.kind, Kind::Limit);
    assert!(error.message.contains("100000"), "{error}");
    let long = vec![b' '; (4 << 20) + 1];
    let error = parse(&long).expect_err("too long");
    assert_eq!(error.kind, Kind::Limit);
    assert!(error.message.contains("4194304"), "{error}");
    let deep = format!("0 f({}", "[".repeat(10_000));
    assert_eq!(parse(deep.as_bytes()).expect_err("too deep").kind, Kind::Limit);
    let deep = format!("0 %{{ assert {} }}%", "not ".repeat(10_000));
    assert_eq!(parse(deep.as_bytes()).expect_err("too deep").kind, Kind::Limit);
}

#[test]
fn comments_and_layout_mean_nothing() {
    let one = parse(b"// About.\n/* and\n * more */\n0 close(3) = 0 // why\n+0 > F. 1:1(0) ack 1");
    let two =
        parse(b"// About.\n//and\n// more\n   0    close( 3 )=0\n\n+0 >F. 1:1(0)ack 1/* . */");
    assert_eq!(one.expect("one"), two.expect("two"));
}

#[test]
fn definitions_stand_for_their_value() {
    let text = "--define=N=7\n--define=CMD=`sysctl -q a=1`\nCMD\n0 listen(3, N) = 0";
    let script = parse(text.as_bytes()).expect("parses");
    assert_eq!(script.init.map(|i| i.text).as_deref(), Some("sysctl -q a=1"));
    assert_eq!(script.events[0].to_string(), "0 listen(3, 7) = 0");
}

#[test]
fn the_fuzzers_corpus_is_survived() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../fuzz/corpus/parse");
    let mut count = 0;
    for entry in std::fs::read_dir(folder).expect("the corpus is there") {
        survive(&std::fs::read(entry.expect("it can be listed").path()).expect("it can be read"));
        count += 1;
    }
    assert!(count >= 8, "only {count} files in the corpus");
}
