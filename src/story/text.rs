//! Numbers and lines as people read them.

pub(super) use finwait_sim::text::{grouped, millis, seconds, wrapped};

/// A number of things: `1 bucket`, `2,000 buckets`.
pub(crate) fn counted(number: u64, thing: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{} {thing}{plural}", grouped(number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_things() {
        assert_eq!(counted(1, "bucket"), "1 bucket");
        assert_eq!(counted(2000, "bucket"), "2,000 buckets");
    }
}
