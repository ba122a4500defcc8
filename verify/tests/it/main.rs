//! Tests that play on the live kernel; each skips with one line where that is not permitted.

mod live;
mod pair;
mod recorded;
mod views;
