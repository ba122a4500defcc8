//! Numbers and lines as people read them.

/// 1234567 as `1,234,567`.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// Nanoseconds as seconds with so many decimals (0 to 9), cut off.
pub fn seconds(ns: u64, decimals: u32) -> String {
    let whole = ns / 1_000_000_000;
    if decimals == 0 {
        return whole.to_string();
    }
    let part = ns % 1_000_000_000 / 10_u64.pow(9 - decimals);
    format!("{whole}.{part:0width$}", width = decimals as usize)
}

/// Nanoseconds as milliseconds with one decimal, cut off.
pub fn millis(ns: u64) -> String {
    format!("{}.{}", ns / 1_000_000, ns / 100_000 % 10)
}

/// The text in lines of at most `width` characters, broken at spaces; a longer word stands alone.
pub fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let last = lines.len() - 1;
        let line = &mut lines[last];
        if !line.is_empty() && line.chars().count() + 1 + word.chars().count() > width {
            lines.push(word.to_owned());
        } else {
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers() {
        assert_eq!(grouped(0), "0");
        assert_eq!(grouped(131_072), "131,072");
        assert_eq!(grouped(1_000_000), "1,000,000");
        assert_eq!(seconds(53_204_117_999, 6), "53.204117");
        assert_eq!(seconds(300_000_000_000, 0), "300");
        assert_eq!(millis(42_903_000), "42.9");
    }
    #[test]
    fn lines() {
        assert_eq!(wrapped("one two three", 7), ["one two", "three"]);
        assert_eq!(wrapped("a-word-that-is-long b", 7), ["a-word-that-is-long", "b"]);
        assert_eq!(wrapped("", 7), [""]);
    }
}
