//! What can be chosen, driven by actions, as a terminal would show it.

use ratatui::Terminal;
use ratatui::backend::TestBackend;

use super::*;

fn interface(name: &str, loopback: bool, problem: bool) -> InterfaceInfo {
    let ip = if loopback { [127, 0, 0, 1] } else { [10, 0, 0, 7] };
    InterfaceInfo {
        name: name.into(),
        description: None,
        addresses: vec![(ip.into(), Some(8))],
        up: true,
        running: true,
        loopback,
        wireless: false,
        problem: problem.then(|| format!("no permission to capture on {name}")),
        remedy: problem.then(|| "run once: sudo setcap cap_net_raw=eip /usr/bin/wstap".into()),
    }
}

fn port(number: u16, who: &str) -> Port {
    let process = Some((format!("{who}[{number}]"), format!("{who} server\x1b.js")));
    Port { number, addresses: vec![SocketAddr::from(([127, 0, 0, 1], number))], process }
}

fn picker() -> Picker {
    let interfaces = vec![
        interface("lo", true, false),
        interface("eth0", false, false),
        interface("x", false, true),
    ];
    let ports = vec![port(3000, "node"), port(8088, "python3")];
    let mut picker = Picker::new(Offer { interfaces, ports }, Palette::Plain, None);
    let traffic = |packets: u64, bytes: u64| Traffic {
        received: packets,
        sent: packets,
        received_bytes: bytes,
        sent_bytes: bytes,
    };
    let at = |lo, eth0| HashMap::from([("lo".to_owned(), lo), ("eth0".to_owned(), eth0)]);
    picker.count(at(traffic(100, 1000), traffic(5, 500)), Duration::ZERO);
    picker.count(at(traffic(2508, 21_000), traffic(8, 860)), Duration::from_secs(2));
    picker
}

fn screen(picker: &mut Picker, width: u16, height: u16) -> String {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    terminal.draw(|frame| crate::tui::view::pick::draw(frame, picker)).unwrap();
    terminal.backend().to_string()
}

fn keys(picker: &mut Picker, text: &str) {
    for c in text.chars() {
        assert_eq!(picker.update(Action::Edit(Edit::Insert(c))), Next::Stay);
    }
}

#[test]
fn loopback_is_selected_and_started() {
    let mut picker = picker();
    let choice = Choice { interfaces: vec!["lo".into()], filter: None };
    assert_eq!(picker.update(Action::Enter), Next::Start(choice));
}

#[test]
fn several_interfaces_and_ports_are_marked() {
    let mut picker = picker();
    picker.update(Action::Mark);
    picker.update(Action::Mark);
    picker.update(Action::NextPane);
    picker.update(Action::Mark);
    picker.update(Action::Mark);
    let Next::Start(choice) = picker.update(Action::Enter) else { panic!("not started") };
    assert_eq!(choice.interfaces, ["eth0", "lo"]);
    assert_eq!(choice.filter.as_deref(), Some("tcp port 3000 or tcp port 8088"));
    picker.update(Action::Filter);
    keys(&mut picker, "host 10.0.0.7");
    picker.update(Action::Accept);
    assert_eq!(
        picker.filter().as_deref(),
        Some("(tcp port 3000 or tcp port 8088) and (host 10.0.0.7)")
    );
    picker.update(Action::ClearFilter);
    assert_eq!(picker.filter(), None);
}

#[test]
fn at_a_port_it_is_the_one_that_is_captured() {
    let mut picker = picker();
    picker.update(Action::NextPane);
    picker.update(Action::Move(Motion::Down));
    let Next::Start(choice) = picker.update(Action::Enter) else { panic!("not started") };
    assert_eq!(choice.filter.as_deref(), Some("tcp port 8088"));
}

#[test]
fn what_can_not_be_opened_is_not_started_and_says_what_to_run() {
    let mut picker = picker();
    picker.update(Action::Move(Motion::Bottom));
    assert_eq!(picker.update(Action::Enter), Next::Stay);
    let (text, _) = picker.message.clone().unwrap();
    assert_eq!(
        text,
        "no permission to capture on x: run once: sudo setcap cap_net_raw=eip /usr/bin/wstap"
    );
}

#[test]
fn a_filter_that_is_none_is_not_taken() {
    let mut picker = picker();
    picker.update(Action::Filter);
    keys(&mut picker, "tcp prot 80");
    picker.update(Action::Accept);
    assert!(picker.typing());
    let drawn = screen(&mut picker, 120, 24);
    assert!(drawn.contains("Capture filter: tcp prot 80") && drawn.contains("prot"), "{drawn}");
    // Where there is no room behind it, what is wrong is told below.
    for width in [80, 120] {
        let drawn = screen(&mut picker, width, 24);
        assert!(drawn.contains("syntax error"), "{drawn}");
    }
    picker.update(Action::Back);
    assert_eq!((picker.typing(), picker.filter()), (false, None));
    assert_eq!(picker.update(Action::Back), Next::Leave);
}

#[test]
fn what_there_is_no_room_for_is_cut_with_a_sign() {
    let mut picker = picker();
    let many = (1..40).map(|n| (std::net::IpAddr::from([10, 0, 0, n]), None));
    picker.offer.interfaces[0].addresses = many.collect();
    picker.offer.ports[0].process = Some(("node[7]".into(), "a long command ".repeat(20)));
    for width in [40, 80, 200] {
        let drawn = screen(&mut picker, width, 24);
        let ends = |line: &&str| line.contains("up, loopback") || line.contains("3000");
        let lines: Vec<&str> = drawn.lines().filter(ends).collect();
        assert_eq!(lines.len(), 2, "{drawn}");
        assert!(lines.iter().all(|line| line.contains("…│")), "{drawn}");
    }
}

#[test]
fn what_comes_and_goes_changes_neither_selection_nor_marks() {
    let mut picker = picker();
    picker.update(Action::Move(Motion::Down));
    picker.update(Action::Mark);
    picker.update(Action::Move(Motion::Up));
    let mut offer = picker.offer.clone();
    offer.interfaces.insert(0, interface("docker0", false, false));
    picker.renew(offer.clone());
    assert_eq!(picker.selected().unwrap().name, "eth0");
    assert!(picker.marks.contains("eth0"));
    offer.interfaces.retain(|i| i.name == "lo");
    picker.renew(offer);
    assert_eq!(picker.selected().unwrap().name, "lo");
    assert!(picker.marks.is_empty());
}

#[test]
fn the_wheel_and_a_click_select() {
    let mut picker = picker();
    screen(&mut picker, 80, 24);
    let (interfaces, ports) = picker.areas;
    picker.update(Action::Mouse(Mouse::Click(5, interfaces.y + 3)));
    assert_eq!(picker.selected().unwrap().name, "eth0");
    picker.update(Action::Mouse(Mouse::Click(5, ports.y + 3)));
    assert_eq!((picker.pane, picker.selected_port().unwrap().number), (Pane::Ports, 8088));
    picker.update(Action::Mouse(Mouse::Click(5, ports.y + 9)));
    assert_eq!(picker.selected_port().unwrap().number, 8088, "there is no such line");
    picker.update(Action::Mouse(Mouse::WheelUp(5, interfaces.y + 3)));
    assert_eq!(picker.selected().unwrap().name, "lo");
}

#[test]
fn screens() {
    let mut picker = picker();
    picker.update(Action::Mark);
    for (width, height) in [(80, 24), (120, 40), (40, 10)] {
        insta::assert_snapshot!(
            format!("picker_{width}x{height}"),
            screen(&mut picker, width, height)
        );
    }
    picker.update(Action::Move(Motion::Bottom));
    insta::assert_snapshot!("picker_refused", screen(&mut picker, 80, 24));
    picker.update(Action::Help);
    insta::assert_snapshot!("picker_help", screen(&mut picker, 80, 24));
}

#[test]
fn every_size_is_survived() {
    let mut picker = picker();
    for pane in 0..2 {
        for (width, height) in [(1, 1), (20, 5), (5, 20), (40, 6), (300, 3)] {
            screen(&mut picker, width, height);
            picker.update(Action::Filter);
            screen(&mut picker, width, height);
            picker.update(Action::Back);
        }
        assert!(pane < 2);
        picker.update(Action::NextPane);
    }
}
