//! Captures in every spelling, cut anywhere, and broken.

use super::*;
