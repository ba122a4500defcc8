//! smoltcp to smoltcp in one process, over its loopback device, with other sockets beside.

use smoltcp::iface::{Config, Interface, SocketHandle, SocketSet};
use smoltcp::phy::{Loopback, Medium};
use smoltcp::socket::tcp::{Socket, SocketBuffer, State};
use smoltcp::time::Instant;
use smoltcp::wire::{HardwareAddress, IpAddress, IpCidr};

use crate::Row;
use crate::world::cpu_ms;

pub(crate) fn row(others: usize, lifecycles: u64) -> Row {
    let cpu = cpu_ms();
    let done = run(others, lifecycles);
    let name = match others {
        0 => "smoltcp 0.14, one connection".to_owned(),
        n => format!("smoltcp 0.14, beside {n} idle sockets"),
    };
    Row {
        name,
        outcome: Ok((done, cpu_ms() - cpu)),
        note: "TIME-WAIT thrown away at once".to_owned(),
    }
}

/// Two ends on one interface.
struct Pair {
    device: Loopback,
    interface: Interface,
    sockets: SocketSet<'static>,
    /// Microseconds.
    now: i64,
}

impl Pair {
    fn new(others: usize) -> Self {
        let mut device = Loopback::new(Medium::Ip);
        let config = Config::new(HardwareAddress::Ip);
        let mut interface = Interface::new(config, &mut device, Instant::ZERO);
        interface.update_ip_addrs(|addrs| {
            // There is room for one address.
            let _ = addrs.push(IpCidr::new(IpAddress::v4(127, 0, 0, 1), 8));
        });
        let mut sockets = SocketSet::new(Vec::new());
        for n in 0..others {
            let mut other = socket();
            let listens = other.listen(20_000 + n as u16);
            debug_assert!(listens.is_ok(), "a fresh socket listens");
            sockets.add(other);
        }
        Self { device, interface, sockets, now: 0 }
    }
    /// Polls until the pair has come where it should.
    fn until(&mut self, mut there: impl FnMut(&mut SocketSet<'static>) -> bool) -> bool {
        for _ in 0..100 {
            if there(&mut self.sockets) {
                return true;
            }
            self.now += 1;
            self.interface.poll(
                Instant::from_micros(self.now),
                &mut self.device,
                &mut self.sockets,
            );
        }
        false
    }
    fn lifecycle(&mut self, number: u64) -> bool {
        let mut server = socket();
        let listens = server.listen(80);
        let server = self.sockets.add(server);
        let client = self.sockets.add(socket());
        let local = 49_152 + (number % 16_000) as u16;
        let to = (IpAddress::v4(127, 0, 0, 1), 80);
        let socket = self.sockets.get_mut::<Socket<'_>>(client);
        let connects = socket.connect(self.interface.context(), to, local);
        let done = listens.is_ok()
            && connects.is_ok()
            && self.until(|s| s.get_mut::<Socket<'_>>(client).send_slice(b"GET k\n").is_ok())
            && self.until(|s| takes(s, server) && answers(s, server))
            && self.until(|s| takes(s, client));
        self.sockets.get_mut::<Socket<'_>>(client).close();
        let done = done && self.until(|s| !s.get_mut::<Socket<'_>>(server).may_recv());
        self.sockets.get_mut::<Socket<'_>>(server).close();
        let done = done
            && self.until(|s| {
                s.get_mut::<Socket<'_>>(client).state() == State::TimeWait
                    && s.get_mut::<Socket<'_>>(server).state() == State::Closed
            });
        self.sockets.remove(client);
        self.sockets.remove(server);
        done
    }
}

/// Reads all six bytes once they are there.
fn takes(sockets: &mut SocketSet<'static>, handle: SocketHandle) -> bool {
    let socket = sockets.get_mut::<Socket<'_>>(handle);
    socket.recv_queue() >= 6 && socket.recv(|bytes| (bytes.len(), ())).is_ok()
}

fn answers(sockets: &mut SocketSet<'static>, handle: SocketHandle) -> bool {
    sockets.get_mut::<Socket<'_>>(handle).send_slice(b"value\n").is_ok()
}

fn socket() -> Socket<'static> {
    Socket::new(SocketBuffer::new(vec![0; 64]), SocketBuffer::new(vec![0; 64]))
}

fn run(others: usize, lifecycles: u64) -> u64 {
    let mut pair = Pair::new(others);
    (0..lifecycles).filter(|&n| pair.lifecycle(n)).count() as u64
}
