//! Packets of many connections in any order never make a wrong pair.

use proptest::prelude::*;

use super::*;

proptest! {
    /// Whatever way packets of proxied and direct connections interleave, a key that survives never
    /// leads to a wrong pair, and each proxied one is found.
    #[test]
    fn no_interleaving_makes_a_wrong_pair_while_keys_survive(
        order in prop::collection::vec(0_usize..40, 400),
        proxied in prop::collection::vec(any::<bool>(), 40),
    ) {
        let mut kit = Kit::new();
        let mut near: Vec<Option<Open>> = (0..40).map(|_| None).collect();
        let mut far: Vec<Option<Open>> = (0..40).map(|_| None).collect();
        let mut step = [0_u8; 40];
        let rounds = order.into_iter().chain((0..40).cycle().take(400));
        for n in rounds {
            let port = u16::try_from(n).unwrap();
            let key = key_of(n);
            match (step[n], proxied[n]) {
                (0, _) => near[n] = Some(kit.open(20000 + port, 80, &key, &[])),
                (1, true) => far[n] = Some(kit.open(30000 + port, 8088 + port % 2, &key, &[])),
                (2, true) => far[n].as_mut().unwrap().answered(&mut kit, 101, &[]),
                (3, _) => near[n].as_mut().unwrap().answered(&mut kit, 101, &[]),
                (4, _) => near[n].as_mut().unwrap().data(&mut kit, ToServer, MessageKind::Text, b"hi"),
                (5, true) => far[n].as_mut().unwrap().data(&mut kit, ToServer, MessageKind::Text, b"hi"),
                _ => {}
            }
            step[n] = step[n].saturating_add(1);
        }
        let pairs = pairs_of(vec![kit]);
        prop_assert!(pairs.iter().all(|p| p.1 == Some(p.0 + 10000)), "{pairs:?}");
        prop_assert_eq!(pairs.len(), proxied.iter().filter(|p| **p).count());
    }
}

/// Legs of proxied connections whose packets interleave at random; all heads and messages alike.
/// Gives wrong pairs and right ones.
fn alike_at_random(
    order: &[usize],
    near_key: impl Fn(usize) -> String,
    far_key: impl Fn(usize) -> String,
    (upstreams, paths): (u16, usize),
) -> (usize, usize) {
    let n = 12;
    let mut kit = Kit::new();
    let mut near: Vec<Option<Open>> = (0..n).map(|_| None).collect();
    let mut far: Vec<Option<Open>> = (0..n).map(|_| None).collect();
    let mut step = vec![0_u8; n];
    let rest = (0..n).flat_map(|at| std::iter::repeat_n(at, 12));
    for at in order.iter().copied().chain(rest) {
        let port = u16::try_from(at).unwrap();
        let path = format!("/{}", at % paths);
        let path = [(":path", path.as_str())];
        match (step[at], &mut near[at], &mut far[at]) {
            (0, near, _) => *near = Some(kit.open(20000 + port, 80, &near_key(at), &path)),
            (1, _, far) => {
                *far = Some(kit.open(30000 + port, 8088 + port % upstreams, &far_key(at), &path));
            }
            (2, _, Some(far)) => far.answered(&mut kit, 101, &[]),
            (3, Some(near), _) => near.answered(&mut kit, 101, &[]),
            (4 | 8, Some(near), _) => near.data(&mut kit, ToServer, MessageKind::Text, b"hi"),
            (5 | 9, _, Some(far)) => far.data(&mut kit, ToServer, MessageKind::Text, b"hi"),
            (6, _, Some(far)) => far.data(&mut kit, ToClient, MessageKind::Text, b"hi"),
            (7, Some(near), _) => near.data(&mut kit, ToClient, MessageKind::Text, b"hi"),
            (10, _, Some(far)) => far.end(&mut kit, EndHow::Fin, Some(ToServer)),
            (11, Some(near), _) => near.end(&mut kit, EndHow::Fin, Some(ToClient)),
            _ => {}
        }
        step[at] = step[at].saturating_add(1);
    }
    let pairs = pairs_of(vec![kit]);
    let right = pairs.iter().filter(|p| p.1 == Some(p.0 + 10000)).count();
    (pairs.len() - right, right)
}

proptest! {
    #[test]
    fn key_that_all_clients_share_never_makes_a_wrong_pair(
        order in prop::collection::vec(0_usize..12, 150),
    ) {
        let (wrong, _) = alike_at_random(&order, |_| KEY.to_owned(), |_| KEY.to_owned(), (1, 1));
        prop_assert_eq!(wrong, 0);
    }

    #[test]
    fn legs_alike_in_all_but_time_never_make_a_wrong_pair(
        order in prop::collection::vec(0_usize..12, 150),
    ) {
        let (wrong, _) = alike_at_random(&order, key_of, |n| key_of(n + 100), (1, 1));
        prop_assert_eq!(wrong, 0);
    }

    #[test]
    fn legs_of_several_targets_never_make_a_wrong_pair(
        order in prop::collection::vec(0_usize..12, 150),
        paths in 1_usize..13,
    ) {
        let (wrong, _) = alike_at_random(&order, key_of, |n| key_of(n + 100), (1, paths));
        prop_assert_eq!(wrong, 0);
    }

    #[test]
    fn legs_alike_over_several_upstreams_never_make_a_wrong_pair(
        order in prop::collection::vec(0_usize..12, 150),
    ) {
        let (wrong, _) = alike_at_random(&order, key_of, |n| key_of(n + 100), (3, 1));
        prop_assert_eq!(wrong, 0);
    }
}

proptest! {
    /// Clients of different servers, who all say the same and get the same answers: two of them look
    /// like a proxy's legs only where each message of the one lies within that of the other.
    #[test]
    fn clients_of_different_servers_are_paired_only_where_each_message_lies_within_its_twin(
        order in prop::collection::vec(0_usize..6, 60),
        joined in 0_usize..8,
    ) {
        let says = [b"one", b"two", b"six"];
        let mut kit = Kit::new();
        let mut legs: Vec<Option<Open>> = (0..6).map(|_| None).collect();
        let mut places: Vec<Vec<u64>> = vec![Vec::new(); 6];
        let rest = (0..6).flat_map(|at| std::iter::repeat_n(at, 8));
        for at in order.into_iter().chain(rest) {
            let port = u16::try_from(at).unwrap();
            match (places[at].len(), &mut legs[at]) {
                (0, leg) => *leg = Some(kit.open(20000 + port, 8080 + port, &key_of(at), &[])),
                (1, Some(leg)) if at == joined => leg.joined(&mut kit),
                (1, Some(leg)) => leg.answered(&mut kit, 101, &[]),
                (n @ 2..8, Some(leg)) => {
                    let dir = if n % 2 == 0 { ToServer } else { ToClient };
                    leg.data(&mut kit, dir, MessageKind::Text, says[n / 2 - 1]);
                }
                _ => continue,
            }
            places[at].push(kit.packet);
        }
        for (client, server, _) in pairs_of(vec![kit]) {
            let Some(server) = server else { continue };
            let [near, far] = [client, server].map(|port| &places[usize::from(port - 20000)]);
            let within = (2..8).all(|n| if n % 2 == 0 { near[n] < far[n] } else { far[n] < near[n] });
            prop_assert!(within, "{client} and {server}: {near:?}, {far:?}");
        }
    }
}
