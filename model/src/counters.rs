//! The host's counters: SNMP and TcpExt by nstat name, and segments by [`Cause`].

use crate::cause::Cause;

pub mod about;

macro_rules! mibs {
    ($($name:ident $nstat:literal;)*) => {
        /// A counter. `Tcp…` variants of the SNMP group stand first, then TcpExt in the order of
        /// /proc/net/netstat.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        #[repr(u8)]
        #[allow(missing_docs, reason = "the kernel's names; docs/generated describes them")]
        pub enum Mib { $($name,)* }

        impl Mib {
            /// Every counter, in order.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];
            /// As nstat prints it: `TcpOutRsts`, `TcpExtTCPTimeWaitOverflow`.
            pub const fn nstat_name(self) -> &'static str {
                match self { $(Self::$name => $nstat,)* }
            }
        }
    };
}

mibs! {
    ActiveOpens "TcpActiveOpens";
    PassiveOpens "TcpPassiveOpens";
    AttemptFails "TcpAttemptFails";
    EstabResets "TcpEstabResets";
    CurrEstab "TcpCurrEstab";
    InSegs "TcpInSegs";
    OutSegs "TcpOutSegs";
    RetransSegs "TcpRetransSegs";
    InErrs "TcpInErrs";
    OutRsts "TcpOutRsts";
    InCsumErrors "TcpInCsumErrors";
    SyncookiesSent "TcpExtSyncookiesSent";
    SyncookiesRecv "TcpExtSyncookiesRecv";
    SyncookiesFailed "TcpExtSyncookiesFailed";
    EmbryonicRsts "TcpExtEmbryonicRsts";
    OutOfWindowIcmps "TcpExtOutOfWindowIcmps";
    TW "TcpExtTW";
    TWRecycled "TcpExtTWRecycled";
    TWKilled "TcpExtTWKilled";
    PAWSPassive "TcpExtPAWSPassive";
    PAWSActive "TcpExtPAWSActive";
    PAWSEstab "TcpExtPAWSEstab";
    BeyondWindow "TcpExtBeyondWindow";
    TSEcrRejected "TcpExtTSEcrRejected";
    PAWSOldAck "TcpExtPAWSOldAck";
    PAWSTimewait "TcpExtPAWSTimewait";
    DelayedACKs "TcpExtDelayedACKs";
    DelayedACKLocked "TcpExtDelayedACKLocked";
    DelayedACKLost "TcpExtDelayedACKLost";
    ListenOverflows "TcpExtListenOverflows";
    ListenDrops "TcpExtListenDrops";
    TCPPureAcks "TcpExtTCPPureAcks";
    TCPHPAcks "TcpExtTCPHPAcks";
    TCPRenoRecovery "TcpExtTCPRenoRecovery";
    TCPSackRecovery "TcpExtTCPSackRecovery";
    TCPLostRetransmit "TcpExtTCPLostRetransmit";
    TCPFastRetrans "TcpExtTCPFastRetrans";
    TCPSlowStartRetrans "TcpExtTCPSlowStartRetrans";
    TCPTimeouts "TcpExtTCPTimeouts";
    TCPLossProbes "TcpExtTCPLossProbes";
    TCPLossProbeRecovery "TcpExtTCPLossProbeRecovery";
    TCPDSACKOldSent "TcpExtTCPDSACKOldSent";
    TCPDSACKOfoSent "TcpExtTCPDSACKOfoSent";
    TCPDSACKRecv "TcpExtTCPDSACKRecv";
    TCPDSACKOfoRecv "TcpExtTCPDSACKOfoRecv";
    TCPAbortOnData "TcpExtTCPAbortOnData";
    TCPAbortOnClose "TcpExtTCPAbortOnClose";
    TCPAbortOnMemory "TcpExtTCPAbortOnMemory";
    TCPAbortOnTimeout "TcpExtTCPAbortOnTimeout";
    TCPAbortOnLinger "TcpExtTCPAbortOnLinger";
    TCPAbortFailed "TcpExtTCPAbortFailed";
    TCPDeferAcceptDrop "TcpExtTCPDeferAcceptDrop";
    TCPTimeWaitOverflow "TcpExtTCPTimeWaitOverflow";
    TCPReqQFullDoCookies "TcpExtTCPReqQFullDoCookies";
    TCPReqQFullDrop "TcpExtTCPReqQFullDrop";
    TCPOFOQueue "TcpExtTCPOFOQueue";
    TCPOFOMerge "TcpExtTCPOFOMerge";
    TCPChallengeACK "TcpExtTCPChallengeACK";
    TCPSYNChallenge "TcpExtTCPSYNChallenge";
    TCPFromZeroWindowAdv "TcpExtTCPFromZeroWindowAdv";
    TCPToZeroWindowAdv "TcpExtTCPToZeroWindowAdv";
    TCPWantZeroWindowAdv "TcpExtTCPWantZeroWindowAdv";
    TCPSynRetrans "TcpExtTCPSynRetrans";
    TCPOrigDataSent "TcpExtTCPOrigDataSent";
    TCPACKSkippedSynRecv "TcpExtTCPACKSkippedSynRecv";
    TCPACKSkippedPAWS "TcpExtTCPACKSkippedPAWS";
    TCPACKSkippedSeq "TcpExtTCPACKSkippedSeq";
    TCPACKSkippedFinWait2 "TcpExtTCPACKSkippedFinWait2";
    TCPACKSkippedTimeWait "TcpExtTCPACKSkippedTimeWait";
    TCPACKSkippedChallenge "TcpExtTCPACKSkippedChallenge";
    TCPWinProbe "TcpExtTCPWinProbe";
    TCPKeepAlive "TcpExtTCPKeepAlive";
    TCPDelivered "TcpExtTCPDelivered";
    TCPZeroWindowDrop "TcpExtTCPZeroWindowDrop";
    TcpTimeoutRehash "TcpExtTcpTimeoutRehash";
}

/// The host's counters.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Counters {
    mib: [u64; Mib::ALL.len()],
    sent: [u64; Cause::COUNT],
    /// Ports that the search for an ephemeral port has looked at; what exhaustion costs.
    pub ports_tried: u64,
}

impl Default for Counters {
    fn default() -> Self {
        Self { mib: [0; Mib::ALL.len()], sent: [0; Cause::COUNT], ports_tried: 0 }
    }
}

impl Counters {
    /// The counter's value.
    pub const fn get(&self, mib: Mib) -> u64 {
        self.mib[mib as usize]
    }
    /// Every counter's value, in the order of [`Mib::ALL`].
    pub const fn all(&self) -> &[u64; Mib::ALL.len()] {
        &self.mib
    }
    /// How many segments left for this cause.
    pub const fn sent(&self, cause: Cause) -> u64 {
        self.sent[cause as usize]
    }
    /// Counters that are not zero, in order.
    pub fn non_zero(&self) -> impl Iterator<Item = (Mib, u64)> + '_ {
        Mib::ALL.iter().map(|&m| (m, self.get(m))).filter(|&(_, v)| v != 0)
    }
    #[inline]
    pub(crate) const fn inc(&mut self, mib: Mib) {
        self.mib[mib as usize] += 1;
    }
    #[inline]
    pub(crate) const fn add(&mut self, mib: Mib, n: u64) {
        self.mib[mib as usize] += n;
    }
    /// The same, where `n` may stand for so many fewer, modulo 2^64.
    pub(crate) const fn add_wrapping(&mut self, mib: Mib, n: u64) {
        self.mib[mib as usize] = self.mib[mib as usize].wrapping_add(n);
    }
    #[inline]
    pub(crate) const fn dec(&mut self, mib: Mib) {
        self.mib[mib as usize] = self.mib[mib as usize].saturating_sub(1);
    }
    #[inline]
    pub(crate) const fn note_sent(&mut self, cause: Cause) {
        self.sent[cause as usize] += 1;
    }
    pub(crate) const fn add_sent(&mut self, cause: Cause, n: u64) {
        self.sent[cause as usize] += n;
    }
}
