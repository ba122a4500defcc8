//! Tests of the two arms; those that play on the live kernel skip with one line where that is not
//! permitted.

mod live;
mod pair;
mod recorded;
mod transitions;
mod views;
