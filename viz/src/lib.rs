//! Pictures of finwait runs.
