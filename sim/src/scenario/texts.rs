//! What applications say, word for word: `request = "PING\r\n"`. Lengths are enough for a simulated
//! peer; a real one wants to understand.

use toml::Spanned;

use super::Text;
use super::build::MESSAGE_BYTES;
use super::error::Error;
use crate::world::HostId;

/// How long a message is: its text, or the number that is given.
pub(super) fn length(
    text: Option<&Spanned<String>>,
    bytes: Option<u32>,
    what: &str,
) -> Result<u32, Error> {
    let Some(text) = text else { return Ok(bytes.unwrap_or(MESSAGE_BYTES)) };
    let wrong = |message: String, expected: &str| {
        Err(Error::new(text.span(), message, expected.to_owned()))
    };
    if bytes.is_some() {
        let message = format!("`{what}` and `{what}_bytes` both say how long it is");
        return wrong(message, "expected one of the two");
    }
    match u32::try_from(text.get_ref().len()) {
        Ok(0) => wrong(format!("the {what} is empty"), "expected some text"),
        Ok(length) => Ok(length),
        Err(_) => wrong(format!("the {what} is too long"), "expected less than 4 GiB"),
    }
}

/// The text of an application, if it has one.
pub(super) fn text(
    text: Option<Spanned<String>>,
    host: HostId,
    ports: (u16, u16),
    serves: bool,
) -> Option<Text> {
    let bytes = text?.into_inner().into_bytes();
    Some(Text { host, ports, serves, bytes })
}
