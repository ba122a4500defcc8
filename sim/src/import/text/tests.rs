//! Texts are recognised by what stands in them.

use super::*;

#[test]
fn every_kind_is_recognised() {
    for (text, kind) in [
        ("abi.vsyscall32 = 1\n", Kind::Sysctl),
        ("# from /etc/sysctl.conf\nnet/ipv4/tcp_sack = 1\n", Kind::Sysctl),
        ("sysctl: permission denied on key 'a'\nnet.ipv4.tcp_sack = 1\n", Kind::Sysctl),
        ("#kernel\nIpInReceives 1 0.0\n", Kind::Nstat),
        ("TcpActiveOpens    201   0.0\n", Kind::Nstat),
        ("{\"kernel\":{}}", Kind::Nstat),
        ("Ip:\n    Forwarding: 2\n", Kind::Netstat),
        ("Tcp: RtoAlgorithm RtoMin\nTcp: 1 200\n", Kind::Mib),
        ("State Recv-Q Send-Q Local Address:Port\n", Kind::Ss),
        ("TIME-WAIT 0 0 10.0.0.1:1 10.0.0.2:2\n", Kind::Ss),
        ("Netid State Recv-Q\n", Kind::Ss),
        ("Total: 4\nTCP: 204 (estab 2)\n", Kind::SsSummary),
        ("sockets: used 3\n", Kind::Sockstat),
        ("  sl  local_address rem_address\n", Kind::ProcTcp),
        ("6.18.44-fc-v657\n", Kind::Uname),
        ("Linux vm 6.18.44 #1 SMP x86_64 GNU/Linux\n", Kind::Uname),
        ("123456.78 99.10\n", Kind::Uptime),
    ] {
        assert_eq!(recognise(text), Ok(kind), "{text}");
    }
}

#[test]
fn what_is_nothing_is_an_error_with_its_line() {
    for (text, at) in [("# only a comment\nhello world\n", (2, 1)), ("", (1, 1)), ("\n\n", (1, 1))]
    {
        assert_eq!(recognise(text).expect_err(text).position(text), Some(at), "{text:?}");
    }
}
