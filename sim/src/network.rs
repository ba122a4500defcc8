//! What lies between the hosts: the links, and what of all that is under way arrives next where.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use finwait_model::cause::Cause;
use finwait_model::errno::Errno;
use finwait_model::flow::Endpoint;
use finwait_model::segment::Segment;
use finwait_model::time::Instant;

use crate::agenda::{Agenda, NEVER};
use crate::app::AppId;
use crate::follow::{Begun, Followers, Ground, Then, Until};
use crate::link::{Fate, Link};
use crate::pairs::{Pairs, Scene};
use crate::step::Step;
use crate::watch::Watch;
use crate::world::HostId;

/// All links. Only the sending host's turn puts segments in, and only the receiving host's takes
/// them out.
#[derive(Debug)]
pub struct Network {
    links: Vec<Link>,
    /// By link: its place among those that lead to the same host.
    lanes: Vec<u32>,
    /// By host.
    inboxes: Vec<Inbox>,
    /// By host: what happens there next, an arrival or what it has planned by itself.
    agenda: Agenda,
    /// Connections whose segments are not on the links, because they follow a track.
    followers: Followers,
    /// The same, because it is known how they go on.
    pairs: Option<Box<Pairs>>,
}

/// The links that lead to one host.
#[derive(Default, Debug)]
struct Inbox {
    /// Indices of links, in the order in which equal arrival times are served.
    links: Vec<usize>,
    /// What arrives first: when, and on which lane.
    first: (Instant, u32),
    /// With several lanes, the first arrival of each; and some that are no longer the first.
    heap: BinaryHeap<Reverse<(Instant, u32)>>,
}

impl Network {
    pub(crate) fn new(hosts: usize, links: Vec<Link>) -> Self {
        let empty = || Inbox { first: (NEVER, 0), ..Inbox::default() };
        let mut inboxes: Vec<Inbox> = std::iter::repeat_with(empty).take(hosts).collect();
        let mut lanes = Vec::with_capacity(links.len());
        for (index, link) in links.iter().enumerate() {
            let inbox = &mut inboxes[usize::from(link.to.0)];
            lanes.push(inbox.links.len() as u32);
            inbox.links.push(index);
        }
        let (agenda, followers) = (Agenda::new(hosts), Followers::none(hosts));
        Self { links, lanes, inboxes, agenda, followers, pairs: None }
    }
    /// The same with connections that follow tracks.
    pub(crate) fn with_followers(self, mut followers: Followers) -> Self {
        followers.sort(&self.lanes);
        Self { followers, ..self }
    }
    /// The same with connections of which it is known how they go on.
    pub(crate) fn with_pairs(self, pairs: Pairs) -> Self {
        Self { pairs: Some(Box::new(pairs)), ..self }
    }
    /// Those, if there are any.
    #[inline(always)]
    pub(crate) fn pairs(&mut self) -> Option<&mut Pairs> {
        self.pairs.as_deref_mut()
    }
    /// How many have begun.
    pub(crate) fn pairs_begun(&self) -> u64 {
        self.pairs.as_ref().map_or(0, |pairs| pairs.begun())
    }
    /// Nothing happens any more.
    pub(crate) fn end_agenda(&mut self) {
        self.agenda = Agenda::new(self.inboxes.len());
    }
    /// Are they of no use any more?
    #[inline]
    pub(crate) fn gave_up(&self) -> Option<&'static str> {
        self.pairs.as_ref().and_then(|pairs| pairs.gave_up())
    }
    /// The same as [`Self::plan`] where it is known how connections go on.
    #[inline]
    pub(crate) fn plan_pairs(&mut self, id: HostId, own: Instant) {
        let Some(pairs) = &self.pairs else { return };
        let (arrival, fires) = pairs.upcoming(id);
        self.agenda.set(usize::from(id.0), own.min(arrival).min(fires));
    }
    /// Lets something happen to such connections; EBADF if there are none.
    #[inline]
    pub(crate) fn on_pairs<'a, W: Watch, T>(
        &'a mut self,
        now: Instant,
        ground: Ground<'a, W>,
        act: impl FnOnce(&mut Pairs, &mut Scene<'a, W>) -> Result<T, Errno>,
    ) -> Result<T, Errno> {
        let Self { pairs: Some(pairs), agenda, .. } = self else { return Err(Errno::EBADF) };
        act(pairs, &mut Scene { now, ground, agenda })
    }
    /// They who follow tracks.
    pub(crate) const fn followers(&self) -> &Followers {
        &self.followers
    }
    /// The same, to change them.
    pub(crate) const fn followers_mut(&mut self) -> &mut Followers {
        &mut self.followers
    }
    /// connect() by a connection that may follow a track; `None` if it must not.
    pub(crate) fn follow<W: Watch>(
        &mut self,
        (app, target): (AppId, usize),
        to: Endpoint,
        now: Instant,
        ground: &mut Ground<'_, W>,
    ) -> Option<Begun> {
        let Self { links, followers, agenda, .. } = self;
        let client = (ground.host, app, target);
        let begun = followers.begin(client, to, now, links, ground)?;
        if let Begun::Follows(server) = begun {
            let (at, server) = (followers.at_latest(server), usize::from(server.0));
            if at < agenda.at(server) {
                agenda.set(server, at);
            }
        }
        Some(begun)
    }
    /// Does anybody who follows a track do anything at that host before its own next step, or before
    /// `stop`?
    #[inline]
    pub(crate) fn is_behind(&self, host: HostId, at: Instant, stop: Instant) -> bool {
        let first = self.followers.first(host);
        first < stop && first <= at
    }
    /// Lets them do it. Says whether a bucket has come or waits anew.
    pub(crate) fn catch_up<W: Watch>(
        &mut self,
        (at, step): (Instant, Step),
        stop: Instant,
        ground: &mut Ground<'_, W>,
    ) -> bool {
        let Self { links, lanes, inboxes, followers, .. } = self;
        let inbox = &inboxes[usize::from(ground.host.0)];
        let then = match step {
            _ if at >= stop => Then::Nothing,
            Step::Timer | Step::App => Then::All,
            Step::Arrival => {
                let lane = inbox.first.1;
                let link = inbox.links[lane as usize];
                Then::Before { link, lane, behind: links[link].next_behind() }
            }
        };
        followers.catch_up(Until { at: at.min(stop), then }, links, lanes, ground)
    }
    /// What happens next, and where.
    #[inline]
    pub(crate) const fn agenda(&self) -> &Agenda {
        &self.agenda
    }
    /// That host has planned nothing by itself before `own`.
    #[inline]
    pub(crate) fn plan(&mut self, id: HostId, own: Instant) {
        let host = usize::from(id.0);
        let at = own.min(self.inboxes[host].first.0);
        let at = at.min(self.followers.at_latest(id));
        self.agenda.set(host, at);
    }
    /// When the next segment arrives at that host; [`NEVER`] if none is under way.
    #[inline]
    pub(crate) fn next_arrival(&self, host: HostId) -> Instant {
        self.inboxes[usize::from(host.0)].first.0
    }
    /// A segment enters a link.
    #[inline(always)]
    pub(crate) fn send(
        &mut self,
        link: usize,
        now: Instant,
        segment: &Segment,
        cause: Cause,
    ) -> Fate {
        let way = &mut self.links[link];
        let fate = way.send(now, segment, cause);
        let at = match fate {
            Fate::Arrives(at) => at,
            Fate::Twice(first, second) => first.min(second),
            Fate::Lost | Fate::Unroutable => return fate,
        };
        let (host, lane) = (usize::from(way.to.0), self.lanes[link]);
        let inbox = &mut self.inboxes[host];
        // Behind something on the same lane it need not be known yet.
        let leads = way.next_arrival() == Some(at);
        if leads && inbox.announce(at, lane) && at < self.agenda.at(host) {
            self.agenda.set(host, at);
        }
        fate
    }
    /// Takes what arrives first at that host.
    #[inline(always)]
    pub(crate) fn receive(&mut self, host: HostId) -> Option<(Segment, Cause)> {
        let inbox = &mut self.inboxes[usize::from(host.0)];
        let lane = inbox.first.1;
        let link = *inbox.links.get(lane as usize)?;
        let received = self.links[link].receive()?;
        let next = self.links[link].next_arrival().unwrap_or(NEVER);
        if inbox.links.len() == 1 {
            inbox.first.0 = next;
        } else {
            inbox.took(lane, next, &self.links);
        }
        Some(received)
    }
}

impl Inbox {
    /// Something arrives on that lane before all else on it. Is it before all else here, too?
    #[inline]
    fn announce(&mut self, at: Instant, lane: u32) -> bool {
        if self.links.len() > 1 {
            self.heap.push(Reverse((at, lane)));
        }
        let leads = (at, lane) < self.first;
        if leads {
            self.first = (at, lane);
        }
        leads
    }
    /// The first arrival was taken off that lane; `next` comes there now.
    fn took(&mut self, lane: u32, next: Instant, links: &[Link]) {
        if next != NEVER {
            self.heap.push(Reverse((next, lane)));
        }
        self.first = (NEVER, 0);
        while let Some(&Reverse((at, lane))) = self.heap.peek() {
            if links[self.links[lane as usize]].next_arrival() == Some(at) {
                self.first = (at, lane);
                return;
            }
            // Something else went before it, or it has been taken.
            self.heap.pop();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::link::Quality;
    use crate::rng::{Ratio, Stream};
    use finwait_model::time::Span;
    use proptest::prelude::*;

    fn network(qualities: &[Quality]) -> Network {
        let links = qualities.iter().enumerate().map(|(n, &quality)| {
            Link::new(HostId(n as u16 + 1), HostId(0), quality, Stream::new(1, &n.to_string()))
        });
        Network::new(qualities.len() + 1, links.collect())
    }

    fn quality() -> impl Strategy<Value = Quality> {
        (1u64..40, 0u64..60, 0u64..3, 0u64..3).prop_map(|(delay, jitter, loss, duplicate)| {
            Quality {
                delay: Span::nanos(delay),
                jitter: Span::nanos(jitter),
                loss: Ratio { numerator: loss, denominator: 8 },
                duplicate: Ratio { numerator: duplicate, denominator: 8 },
                ..Quality::default()
            }
        })
    }

    proptest! {
        /// What arrives first is what a search over all lanes finds, the lower lane among equals.
        #[test]
        fn the_first_arrival_is_the_first_of_all_lanes(
            qualities in prop::collection::vec(quality(), 1..5),
            acts in prop::collection::vec((0usize..5, 0u64..20, any::<bool>()), 1..120),
        ) {
            let mut network = network(&qualities);
            let mut now = 0;
            for (link, later, receives) in acts {
                now += later;
                if receives {
                    let lanes = network.links.iter().enumerate();
                    let first = lanes.filter_map(|(n, l)| Some((l.next_arrival()?, n))).min();
                    let at = first.map_or(NEVER, |f| f.0);
                    prop_assert_eq!(network.next_arrival(HostId(0)), at);
                    prop_assert!(network.agenda.at(0) <= at);
                    let lane = first.map(|f| f.1 as u16);
                    let got = network.receive(HostId(0)).map(|(segment, _)| segment.win);
                    prop_assert_eq!(got, lane);
                    network.plan(HostId(0), NEVER);
                } else {
                    let link = link % qualities.len();
                    let segment = Segment { win: link as u16, ..Segment::default() };
                    network.send(link, Instant { ns: now }, &segment, Cause::Data);
                }
            }
        }
    }
}
