//! A network namespace of the calling thread's own, with a TUN device and the model's sysctls.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::AsFd as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::sync::OnceLock;

use finwait_model::flow::Addr;
use finwait_model::release::Release;
use finwait_model::sysctl::Sysctl;

use crate::sys;
use crate::talk::LOCAL;

const DEVICE: &str = "tun0";

/// May this process make network namespaces? Enters a user namespace if it takes that; must be
/// called while the process has one thread. The error is one line for the user.
pub fn permit() -> Result<(), String> {
    become_root().map_err(|what| format!("no user namespace: {what}"))?;
    permit_thread()
}

/// Who is not root becomes it in a user namespace of its own; the process must have one thread.
pub(crate) fn become_root() -> io::Result<()> {
    if sys::euid() == 0 {
        return Ok(());
    }
    let (uid, gid) = (sys::euid(), sys::egid());
    sys::unshare_user()?;
    std::fs::write("/proc/self/setgroups", "deny")?;
    std::fs::write("/proc/self/uid_map", format!("0 {uid} 1"))?;
    std::fs::write("/proc/self/gid_map", format!("0 {gid} 1"))
}

/// The same without trying a user namespace, which a process with several threads cannot enter.
pub fn permit_thread() -> Result<(), String> {
    let probe = std::thread::spawn(|| Namespace::enter().map(drop)).join();
    match probe {
        Ok(Ok(())) => Ok(()),
        Ok(Err(e)) => Err(format!("no network namespace with a TUN device: {e}")),
        Err(_) => Err("no network namespace: the probing thread panicked".to_owned()),
    }
}

/// The calling thread's own namespace. It goes when its threads have ended and this is dropped.
#[derive(Debug)]
pub struct Namespace {
    /// The TUN device, non-blocking: reading gets what the host sends, writing arrives there.
    pub tun: File,
}

impl Namespace {
    /// Puts the calling thread into a fresh one: local address, default route, sysctls.
    pub fn enter() -> io::Result<Self> {
        sys::unshare_net()?;
        set_defaults()?;
        let tun = OpenOptions::new()
            .read(true)
            .write(true)
            .custom_flags(libc::O_NONBLOCK | libc::O_CLOEXEC)
            .open("/dev/net/tun")?;
        sys::tun_attach(tun.as_fd(), DEVICE)?;
        sys::iface_up(DEVICE, LOCAL, 24, None)?;
        sys::iface_up("lo", Addr::v4(127, 0, 0, 1), 8, None)?;
        sys::default_route(DEVICE)?;
        Ok(Self { tun })
    }
}

/// Writes a sysctl of the calling thread's namespace.
pub fn set_sysctl(name: &str, value: &str) -> io::Result<()> {
    std::fs::write(path(name), value)
}

/// Where a sysctl is under /proc.
pub(crate) fn path(name: &str) -> String {
    format!("/proc/sys/{}", name.replace('.', "/"))
}

/// What upstream's defaults are where a machine's may differ, besides those that the model knows.
/// Reno has no pacing and no state of its own; IPv6 would talk on its own account.
const ALSO: [(&str, &str); 4] = [
    ("net.ipv4.tcp_congestion_control", "reno"),
    ("net.ipv6.conf.all.disable_ipv6", "1"),
    ("net.ipv6.conf.default.disable_ipv6", "1"),
    ("net.ipv4.tcp_no_metrics_save", "1"),
];

/// Gives the namespace the model's defaults. Which ones differ here is found out once.
pub(crate) fn set_defaults() -> io::Result<()> {
    static DIFFERENT: OnceLock<Vec<(&'static str, String)>> = OnceLock::new();
    for (name, value) in DIFFERENT.get_or_init(different) {
        set_sysctl(name, value)?;
    }
    for (name, value) in ALSO {
        match set_sysctl(name, value) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
            _ => {}
        }
    }
    Ok(())
}

fn different() -> Vec<(&'static str, String)> {
    let model = Sysctl::new(Release::V6_18);
    let mut out = Vec::new();
    for name in model.names() {
        let Some(want) = model.get(name) else { continue };
        // A name that a child namespace does not show is global; it is none of our business.
        let Ok(have) = std::fs::read_to_string(path(name)) else { continue };
        if have.trim_end() != want {
            out.push((name, want));
        }
    }
    out
}
