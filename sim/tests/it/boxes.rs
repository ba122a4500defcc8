//! NATs and load balancers on the way.

use finwait_sim::run::Outcome;

use crate::any_scenario::parse;
use crate::stage::play;

/// Two hosts behind a NAT, and a server beyond it that closes first.
fn behind_nat(options: &str, client: &str) -> Outcome {
    play(&parse(&format!(
        "duration = \"30s\"\n\
         [hosts.one]\nkernel = \"6.18\"\n[hosts.two]\nkernel = \"6.18\"\nuptime = \"30s\"\n\
         [hosts.gate]\nkernel = \"6.18\"\n[hosts.peer]\nkernel = \"3.10\"\n\
         [[boxes]]\nkind = \"nat\"\nhost = \"gate\"\ninside = [\"one\", \"two\"]\n{options}\n\
         [[apps]]\nkind = \"client\"\nhost = \"one\"\nto = \"peer:80\"\n{client}\n\
         [[apps]]\nkind = \"client\"\nhost = \"two\"\nto = \"peer:80\"\n{client}\n\
         [[apps]]\nkind = \"server\"\nhost = \"peer\"\nport = 80\n"
    )))
}

#[test]
fn connections_pass_a_nat() {
    let outcome = behind_nat("", "rate = \"10/s\"\ncount = 100");
    for name in ["one", "two"] {
        let clients = outcome.host(name).expect("it is there").clients;
        assert_eq!((clients.finished, clients.broken, clients.not_connected), (100, 0, 0));
    }
    let passage = outcome.host("gate").expect("it is there").passage.expect("it is a box");
    assert_eq!((passage.flows, passage.refused, passage.dropped, passage.own), (200, 0, 0, 0));
    assert_eq!(outcome.rst_count(), 0);
    let gate = outcome.host("gate").expect("it is there");
    assert_eq!(gate.sockstat.inuse + gate.sockstat.tw, 0, "it has no sockets of its own");
    assert!(outcome.host("peer").expect("it is there").passage.is_none());
}

#[test]
fn a_nat_without_free_ports_refuses() {
    let outcome = behind_nat(
        "keep_ports = false\nports = \"2000-2009\"",
        "rate = \"10/s\"\ncount = 30\nhold = \"20s\"",
    );
    let passage = outcome.host("gate").expect("it is there").passage.expect("it is a box");
    assert_eq!(passage.peak, 10);
    assert!(passage.refused > 40, "{passage:?}");
}

/// A client that is silent for longer than a load balancer remembers.
fn behind_balancer(options: &str) -> Outcome {
    play(&parse(&format!(
        "duration = \"60s\"\n[hosts.web]\nkernel = \"6.18\"\n[hosts.lb]\nkernel = \"6.18\"\n\
         [hosts.a]\nkernel = \"6.18\"\n\
         [[boxes]]\nkind = \"balancer\"\nhost = \"lb\"\nport = 80\nto = \"a:8000-8003\"\n\
         idle = \"5s\"\n{options}\n\
         [[apps]]\nkind = \"openresty\"\nhost = \"web\"\nto = \"lb:80\"\nrate = \"1/10s\"\n\
         read_timeout = \"8s\"\n\
         [[apps]]\nkind = \"server\"\nhost = \"a\"\nport = \"8000-8003\"\n"
    )))
}

#[test]
fn a_balancer_that_forgets_resets_or_drops() {
    let outcome = behind_balancer("forgotten = \"reset\"");
    let web = outcome.host("web").expect("it is there");
    let pool = web.pool.as_ref().expect("it has a pool");
    assert_eq!((pool.answered, pool.failed_pooled), (3, 3), "each second one");
    let lb = outcome.host("lb").expect("it is there");
    assert_eq!(lb.rst_count(), 3);
    assert_eq!(lb.rst[0].because.name(), "flow-forgotten");
    assert_eq!(lb.passage.expect("it is a box").forgotten, 3);

    let outcome = behind_balancer("forgotten = \"drop\"");
    let web = outcome.host("web").expect("it is there");
    let pool = web.pool.as_ref().expect("it has a pool");
    assert_eq!((pool.answered, pool.errors.get("timeout")), (3, Some(&3)));
    let lb = outcome.host("lb").expect("it is there");
    assert_eq!(lb.rst_count(), 0);
    assert!(lb.passage.expect("it is a box").dropped > 10, "retransmissions, all of them");
}

#[test]
fn a_balancer_takes_its_backends_in_turn() {
    let outcome = play(&parse(
        "duration = \"5s\"\n[hosts.web]\nkernel = \"6.18\"\n[hosts.lb]\nkernel = \"3.10\"\n\
         [hosts.a]\nkernel = \"6.18\"\n\
         [[boxes]]\nkind = \"balancer\"\nhost = \"lb\"\nport = 80\nto = \"a:8000-8003\"\n\
         [[apps]]\nkind = \"client\"\nhost = \"web\"\nto = \"lb:80\"\nrate = \"10/s\"\ncount = 8\n\
         [[apps]]\nkind = \"server\"\nhost = \"a\"\nport = \"8000-8003\"\n",
    ));
    assert_eq!(outcome.host("web").expect("it is there").clients.finished, 8);
    assert_eq!(outcome.host("lb").expect("it is there").passage.expect("a box").flows, 8);
}
