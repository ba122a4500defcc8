//! Where the nodes, edges and labels of the machine stand: made by hand, so that nothing overlaps.
//! Places are of a sheet of 1152 × 680 pixels, and are stretched to the figure's body.

use finwait_model::state::TcpState;

use super::count::Node;
use crate::canvas::Place;
use crate::lettering::Anchor;

/// The sheet's size.
pub(super) const SHEET: (i32, i32) = (1152, 680);
/// A node's size.
pub(super) const BOX: (i32, i32) = (156, 38);

/// A node's middle.
pub(super) struct Spot {
    pub(super) node: Node,
    pub(super) at: Place,
    /// Where the ways on which connections leave it for nothing are listed, and how many lines
    /// have room there.
    pub(super) exits: Option<(Place, Anchor)>,
}

/// An edge, as a line through these places, and its label.
pub(super) struct Path {
    pub(super) from: Node,
    pub(super) to: Node,
    pub(super) through: Vec<Place>,
    pub(super) label: (Place, Anchor),
    /// How wide the label may be.
    pub(super) room: i32,
}

/// The bar at the bottom: nothing is left.
pub(super) const GROUND: i32 = 646;

pub(super) fn spots() -> Vec<Spot> {
    let sock = |state: TcpState| Node::from(state);
    let spot = |node, at, exits| Spot { node, at, exits };
    let (left, right) = (Anchor::End, Anchor::Start);
    vec![
        spot(Node::Closed, (576, 24), None),
        spot(sock(TcpState::SynSent), (250, 122), Some(((166, 122), left))),
        spot(Node::Request, (902, 110), Some(((988, 110), right))),
        spot(sock(TcpState::SynRecv), (902, 210), Some(((988, 210), right))),
        spot(sock(TcpState::Established), (576, 210), Some(((560, 250), left))),
        spot(sock(TcpState::FinWait1), (250, 312), Some(((166, 312), left))),
        spot(sock(TcpState::CloseWait), (902, 312), Some(((988, 312), right))),
        spot(sock(TcpState::FinWait2), (250, 422), Some(((166, 396), left))),
        spot(sock(TcpState::Closing), (576, 422), Some(((662, 422), right))),
        spot(sock(TcpState::LastAck), (902, 422), None),
        spot(Node::BucketFinWait2, (250, 540), None),
        spot(Node::BucketTimeWait, (576, 540), None),
        spot(Node::Refused, (78, 540), None),
    ]
}

pub(super) fn paths() -> Vec<Path> {
    let sock = |state: TcpState| Node::from(state);
    let (request, estab) = (Node::Request, sock(TcpState::Established));
    let (syn_sent, syn_recv) = (sock(TcpState::SynSent), sock(TcpState::SynRecv));
    let (fw1, fw2) = (sock(TcpState::FinWait1), sock(TcpState::FinWait2));
    let (closing, last_ack) = (sock(TcpState::Closing), sock(TcpState::LastAck));
    let (close_wait, closed) = (sock(TcpState::CloseWait), Node::Closed);
    let (bucket_fw2, bucket_tw) = (Node::BucketFinWait2, Node::BucketTimeWait);
    let start = |at: Place| (at, Anchor::Start);
    let path = |from, to, through: &[Place], label, room| Path {
        from,
        to,
        through: through.to_vec(),
        label,
        room,
    };
    vec![
        path(closed, syn_sent, &[(498, 24), (250, 24), (250, 103)], start((262, 42)), 230),
        path(closed, request, &[(654, 24), (902, 24), (902, 91)], start((668, 42)), 226),
        path(
            closed,
            syn_recv,
            &[(640, 43), (640, 150), (860, 150), (860, 191)],
            start((652, 132)),
            170,
        ),
        path(syn_sent, estab, &[(328, 122), (556, 122), (556, 191)], start((340, 140)), 206),
        path(
            syn_sent,
            syn_recv,
            &[(328, 112), (740, 112), (740, 200), (824, 200)],
            start((352, 96)),
            220,
        ),
        path(request, syn_recv, &[(902, 129), (902, 191)], start((914, 160)), 230),
        path(syn_recv, estab, &[(824, 210), (654, 210)], start((664, 228)), 150),
        path(estab, fw1, &[(498, 210), (250, 210), (250, 293)], start((262, 228)), 200),
        path(estab, close_wait, &[(640, 229), (640, 312), (824, 312)], start((652, 284)), 166),
        path(
            syn_recv,
            fw1,
            &[(840, 229), (840, 262), (290, 262), (290, 293)],
            start((300, 278)),
            160,
        ),
        path(fw1, fw2, &[(250, 331), (250, 403)], start((262, 366)), 230),
        path(fw1, closing, &[(328, 312), (576, 312), (576, 403)], start((340, 330)), 220),
        path(closing, bucket_tw, &[(576, 441), (576, 521)], start((588, 480)), 220),
        path(fw2, bucket_fw2, &[(250, 441), (250, 521)], start((262, 480)), 136),
        path(
            fw2,
            bucket_tw,
            &[(328, 422), (402, 422), (402, 530), (498, 530)],
            start((412, 480)),
            158,
        ),
        path(fw2, Node::Refused, &[(172, 422), (78, 422), (78, 521)], start((90, 480)), 148),
        path(bucket_fw2, bucket_tw, &[(328, 550), (498, 550)], start((336, 566)), 160),
        path(close_wait, last_ack, &[(902, 331), (902, 403)], start((914, 366)), 230),
        path(last_ack, closed, &[(902, 441), (902, GROUND - 15)], start((914, 540)), 230),
        path(bucket_fw2, closed, &[(250, 559), (250, GROUND - 15)], start((262, 602)), 230),
        path(bucket_tw, closed, &[(576, 559), (576, GROUND - 15)], start((588, 594)), 300),
        path(Node::Refused, closed, &[(78, 559), (78, GROUND - 15)], start((90, 602)), 150),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edges_begin_and_end_at_their_nodes() {
        let spots = spots();
        let touches = |node: Node, (x, y): Place| {
            let (w, h) = (BOX.0 / 2, BOX.1 / 2);
            // What ends, ends on the ground.
            if node == Node::Closed && y == GROUND - 15 {
                return true;
            }
            let spot = spots.iter().find(|spot| spot.node == node).expect("it has a spot");
            let (dx, dy) = ((x - spot.at.0).abs(), (y - spot.at.1).abs());
            (dx == w && dy <= h) || (dy == h && dx <= w)
        };
        for path in paths() {
            let (first, last) = (path.through[0], path.through[path.through.len() - 1]);
            assert!(touches(path.from, first), "{:?} → {:?}: {first:?}", path.from, path.to);
            assert!(touches(path.to, last), "{:?} → {:?}: {last:?}", path.from, path.to);
            for pair in path.through.windows(2) {
                assert!(pair[0].0 == pair[1].0 || pair[0].1 == pair[1].1, "it is upright");
            }
        }
    }

    #[test]
    fn nodes_do_not_overlap() {
        let spots = spots();
        for (n, a) in spots.iter().enumerate() {
            for b in &spots[n + 1..] {
                let apart = (a.at.0 - b.at.0).abs() >= BOX.0 || (a.at.1 - b.at.1).abs() >= BOX.1;
                assert!(apart, "{:?} and {:?}", a.node, b.node);
            }
        }
    }
}
