//! The same script on the live kernel and on the model.
