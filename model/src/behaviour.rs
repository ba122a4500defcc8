//! What differs between kernel releases, each difference by name.
