//! What few sockets have. A socket that never has any of it pays a pointer for it: of a million that
//! live, hardly one sets these options, loses a segment or meets a shut window.

use alloc::boxed::Box;

use crate::segment::SackBlock;
use crate::seq::Seq;
use crate::sock::Sock;

/// Options that few programs set.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RareOptions {
    /// SO_LINGER: seconds.
    pub(crate) linger: Option<u32>,
    /// TCP_LINGER2 as stored: -1, 0 (use the sysctl) or jiffies.
    pub(crate) linger2: i32,
    /// Milliseconds, 0: none.
    pub(crate) user_timeout: u32,
    /// Seconds, 0: the sysctl.
    pub(crate) keep_idle: u16,
    pub(crate) keep_intvl: u16,
    pub(crate) keep_cnt: u8,
    pub(crate) syn_cnt: u8,
    /// TCP_DEFER_ACCEPT in SYN-ACK retransmissions.
    pub(crate) defer_accept: u8,
    /// TCP_MAXSEG, bytes, 0: none.
    pub(crate) max_seg: u16,
    pub(crate) window_clamp: u32,
    pub(crate) rcv_lowat: u32,
}

/// All of it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rare {
    pub(crate) opt: RareOptions,
    /// The number of the first FIN, if a peer that does not stop sends more behind it: a reader
    /// stops there once.
    pub(crate) early_fin: Option<Seq>,
    /// In recovery: segments that arrived, and those that were sent. `[prr_delivered]`, `[prr_out]`
    pub(crate) prr_delivered: u32,
    pub(crate) prr_out: u32,
    /// Before a loss.
    pub(crate) prior_cwnd: u32,
    pub(crate) prior_ssthresh: u32,
    /// What came twice and is to be reported with the next ACK. `[duplicate_sack]`
    pub(crate) dsack: Option<SackBlock>,
    /// Copies that the peer reported as duplicates.
    pub(crate) dsack_dups: u32,
    /// Milliseconds when probing began; 0: no probe is out. `[icsk_probes_tstamp]`
    pub(crate) probes_stamp: u32,
}

impl RareOptions {
    const UNSET: Self = Self {
        linger: None,
        linger2: 0,
        user_timeout: 0,
        keep_idle: 0,
        keep_intvl: 0,
        keep_cnt: 0,
        syn_cnt: 0,
        defer_accept: 0,
        max_seg: 0,
        window_clamp: 0,
        rcv_lowat: 1,
    };
}

impl Rare {
    const NOTHING: Self = Self {
        opt: RareOptions::UNSET,
        early_fin: None,
        prr_delivered: 0,
        prr_out: 0,
        prior_cwnd: 0,
        prior_ssthresh: 0,
        dsack: None,
        dsack_dups: 0,
        probes_stamp: 0,
    };
}

static NOTHING: Rare = Rare::NOTHING;

impl Sock {
    /// What it has of that, or the defaults.
    #[inline]
    pub(crate) fn rare(&self) -> &Rare {
        self.rare.as_deref().unwrap_or(&NOTHING)
    }
    /// To change it. A socket that had nothing has a place for it from now on.
    pub(crate) fn rare_mut(&mut self) -> &mut Rare {
        self.rare.get_or_insert_with(|| Box::new(Rare::NOTHING))
    }
    /// A child has its listener's options and nothing else.
    pub(crate) fn inherited_rare(&self) -> Option<Box<Rare>> {
        self.rare.as_ref().map(|rare| Box::new(Rare { opt: rare.opt, ..Rare::NOTHING }))
    }
    /// A duplicate that is to be reported, which it then is.
    #[inline]
    pub(crate) fn take_dsack(&mut self) -> Option<SackBlock> {
        self.rare.as_mut()?.dsack.take()
    }
    /// The window is no longer probed.
    pub(crate) fn stop_probing(&mut self) {
        if let Some(rare) = &mut self.rare {
            rare.probes_stamp = 0;
        }
    }
}
