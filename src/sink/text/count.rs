//! Counts and sizes as people write them.

/// A number of bytes in at most 7 columns: exact below 10,000, then three digits in kB, MB, GB (powers of
/// 1000).
pub(crate) fn bytes(n: u64) -> String {
    let mut text = String::new();
    push_bytes(&mut text, n);
    text
}

/// The same, appended.
pub(crate) fn push_bytes(out: &mut String, n: u64) {
    let mut digits = itoa::Buffer::new();
    if n < 10_000 {
        out.push_str(digits.format(n));
        return out.push_str(" B");
    }
    let mut unit = 1000;
    let mut names = ["kB", "MB", "GB", "TB", "PB"].into_iter();
    let mut name = names.next().unwrap_or("");
    while n / unit >= 1000
        && let Some(larger) = names.next()
    {
        unit *= 1000;
        name = larger;
    }
    let whole = n / unit;
    out.push_str(digits.format(whole));
    if whole < 100 {
        out.push('.');
        out.push_str(digits.format(n % unit / (unit / 10)));
    }
    out.push(' ');
    out.push_str(name);
}

/// `1 packet`, `2 packets`.
pub(crate) fn counted(n: u64, what: &str) -> String {
    if n == 1 { format!("1 {what}") } else { format!("{} {what}s", grouped(n)) }
}

/// A number with its thousands apart: `1,204,000`.
pub(crate) fn grouped(n: u64) -> String {
    let digits = n.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_fit_their_column() {
        let cases = [
            (0, "0 B"),
            (9999, "9999 B"),
            (10_000, "10.0 kB"),
            (99_999, "99.9 kB"),
            (100_000, "100 kB"),
            (3_012_860, "3.0 MB"),
            (u64::MAX, "18446 PB"),
        ];
        for (n, text) in cases {
            assert_eq!(bytes(n), text);
            assert!(n == u64::MAX || text.len() <= 7);
        }
    }

    #[test]
    fn counts_have_their_plural() {
        assert_eq!(counted(1, "packet"), "1 packet");
        assert_eq!(counted(0, "packet"), "0 packets");
        assert_eq!(counted(999, "packet"), "999 packets");
        assert_eq!(counted(1_204_000, "packet"), "1,204,000 packets");
    }
}
