//! Why a program closes a connection, in its own terms: what no kernel knows.

use core::fmt;

use finwait_model::time::Span;

use crate::text::{grouped, seconds};

/// Why a program calls close(), with what it knows of the connection then.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Why {
    /// The reason.
    pub reason: Reason,
    /// How long ago the connection was opened; zero where nobody counts.
    pub age: Span,
    /// How many requests it has carried; of a script's close(), the line.
    pub uses: u32,
    /// Which of the program's connections it is, from 1 on; 0 where nobody counts.
    pub number: u32,
}

/// The reasons, with their names in JSON and what they mean.
macro_rules! reasons {
    ($($(#[$doc:meta])* $name:ident $slug:literal $text:literal;)*) => {
        /// A reason to call close().
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Debug)]
        pub enum Reason { $($(#[$doc])* $name,)* }

        impl Reason {
            /// All of them, in order.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];
            /// The name in JSON and measures.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$name => $slug,)* }
            }
            /// What it means, as the end of a sentence.
            pub const fn text(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }
        }
    };
}

reasons! {
    /// The program is done, or says nothing.
    #[default]
    Unsaid "done" "it is done";
    /// The process ends, and the kernel closes its descriptors.
    Exit "exit" "the process ends";
    /// A server that closes what has been idle for its `timeout`.
    IdleTimeout "idle-timeout" "nothing had come for as long as the server's timeout";
    /// A Redis that has `maxclients` of them.
    MaxClients "max-clients" "the server has as many clients as it takes (max number of clients reached)";
    /// A full pool makes room.
    PoolEviction "pool-eviction" "the pool was full, and this was the least recently used connection in it";
    /// Idle in the pool for too long.
    PoolIdle "pool-idle" "it had been idle in the pool for the keep-alive timeout";
    /// Something came, or the peer closed, while it lay in the pool.
    PoolReadable "pool-readable" "it became readable in the pool: the peer had closed, or sent what nobody had asked for";
    /// Readable when it should go into the pool.
    PoolDubious "dubious-state" "it was readable when it should go into the pool (connection in dubious state)";
    /// The pool itself ended.
    PoolGone "pool-gone" "its pool ended with the Lua VM of the request (lua_code_cache off)";
    /// A piece of code that closes what it might have kept.
    ShortCode "short-code" "short-connection code: close() where the others call setkeepalive()";
    /// More came than the code has read.
    UnreadInBuffer "unread-data" "there was more in the buffer than the code had read (unread data in buffer)";
    /// The peer had closed before it could go into the pool.
    Closed "closed" "the peer had closed (closed)";
    /// It broke.
    Failed "failed" "the connection had failed";
    /// connect() or the answer took too long.
    TimedOut "timed-out" "the program had waited long enough";
    /// nginx, towards a client: so many requests are enough.
    KeepaliveRequests "keepalive-requests" "keepalive_requests was reached";
    /// nginx, towards a client: too long between two requests.
    KeepaliveTimeout "keepalive-timeout" "nothing had come for keepalive_timeout";
    /// nginx, towards a client: none is kept.
    KeepaliveOff "keepalive-off" "keepalive_timeout is 0: no connection is kept";
    /// nginx, towards an upstream: old enough.
    KeepaliveTime "keepalive-time" "it was older than keepalive_time";
    /// nginx, towards an upstream: none is kept.
    NoKeepalive "no-keepalive" "the upstream has no keepalive: each connection carries one request";
    /// nginx: a client's request that does not come.
    HeaderTimeout "client-header-timeout" "no whole request had come for client_header_timeout";
    /// nginx: a client that takes nothing.
    SendTimeout "send-timeout" "the client had taken nothing of the answer for send_timeout";
    /// nginx: the client wants it so.
    ConnectionClose "connection-close" "the request said Connection: close";
    /// A client: the server wants it so.
    SaidClose "said-close" "the answer said Connection: close";
    /// nginx: it has read all that came.
    LingeringClose "lingering-close" "lingering_close: all was read, up to the client's end of file";
    /// nginx: nothing more came.
    LingeringTimeout "lingering-timeout" "lingering_close: nothing had come for lingering_timeout";
    /// nginx: more and more came.
    LingeringTime "lingering-time" "lingering_close: lingering_time was over";
    /// nginx: the client has closed a kept connection.
    ClientClosed "client-closed" "the client had closed the connection";
    /// nginx: the client is gone before the answer, status 499.
    ClientAborted "client-aborted" "the client had closed before the answer (499): its connection and the one to the upstream are closed";
    /// A line of a script.
    Script "script" "its script says so";
}

impl Why {
    /// For that reason, where nobody counts.
    pub const fn plain(reason: Reason) -> Self {
        Self { reason, age: Span::ZERO, uses: 0, number: 0 }
    }
    /// Is there anything to tell?
    pub const fn is_said(self) -> bool {
        !matches!(self.reason, Reason::Unsaid)
    }
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.reason == Reason::Script {
            return write!(
                f,
                "line {} of its script; age {} s",
                self.uses,
                seconds(self.age.ns, 3)
            );
        }
        f.write_str(self.reason.text())?;
        if self.age > Span::ZERO || self.uses > 0 {
            let uses = if self.uses == 1 {
                "1 request"
            } else {
                &format!("{} requests", grouped(u64::from(self.uses)))
            };
            f.write_str("; ")?;
            if self.number > 0 {
                write!(f, "connection #{}, ", self.number)?;
            }
            write!(f, "age {} s, {uses}", seconds(self.age.ns, 3))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_tells_what_the_program_knows() {
        let why = Why { reason: Reason::ShortCode, age: Span::millis(412), uses: 212, number: 17 };
        let text = why.to_string();
        assert!(
            text.ends_with("setkeepalive(); connection #17, age 0.412 s, 212 requests"),
            "{why}"
        );
        assert!(!Why { number: 0, ..why }.to_string().contains('#'), "nobody has counted");
        assert_eq!(Why::plain(Reason::Exit).to_string(), "the process ends");
        assert!(!Why::default().is_said());
    }
}
