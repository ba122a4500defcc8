//! packetdrill's script language, and the runner that plays a script on the model.
//!
//! Read in this order: `ast` (what a script says), `lexer`, `parser`, `print`, `diagnostic`
//! (from text and back), `observe` (what playing a script leaves behind), `runner`.

pub mod ast;
pub mod observe;
