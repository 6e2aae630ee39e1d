//! Which servers the TLS connections were to that could not be read.

use std::collections::BTreeMap;

use crate::units::FlowId;

/// Server names (RFC 6066 section 3) of the first such connections.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Sealed(BTreeMap<FlowId, String>);

/// Connections whose names are kept: more than anybody reads.
const KEPT: usize = 64;

impl Sealed {
    /// Adds a connection. Of too many the first ones are kept, in whatever order they are added.
    pub(super) fn add(&mut self, flow: FlowId, name: &str) {
        self.0.insert(flow, name.to_owned());
        self.shorten();
    }

    /// Adds those of another part of the connections.
    pub(crate) fn join(&mut self, other: &Self) {
        self.0.extend(other.0.iter().map(|(flow, name)| (*flow, name.clone())));
        self.shorten();
    }

    /// The names, each once, in the order of their first connections. They are the client's own words.
    pub fn names(&self) -> Vec<&str> {
        let mut names: Vec<&str> = Vec::new();
        for name in self.0.values() {
            if !names.contains(&name.as_str()) {
                names.push(name);
            }
        }
        names
    }

    fn shorten(&mut self) {
        while self.0.len() > KEPT {
            self.0.pop_last();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::PacketNo;

    #[test]
    fn the_first_names_are_kept_in_whatever_order_they_come() {
        let flow = |n| FlowId(PacketNo(n));
        let (mut all, mut even, mut odd) =
            (Sealed::default(), Sealed::default(), Sealed::default());
        for n in (0..200).rev() {
            let name = format!("host{}.example", n / 2);
            all.add(flow(n), &name);
            if n % 2 == 0 { &mut even } else { &mut odd }.add(flow(n), &name);
        }
        even.join(&odd);
        assert_eq!(even, all);
        assert_eq!(all.names().len(), KEPT / 2);
        assert_eq!(all.names()[..2], ["host0.example", "host1.example"]);
    }
}
