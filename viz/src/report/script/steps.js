// One connection step by step: its ladder, both state machines, tables and counters.

const steps = (() => {
  const state = { conn: 0, step: 0 };
  const NODES = {
    "—": [150, 22], "SYN-SENT": [58, 72], "SYN-RECV": [242, 72], ESTAB: [150, 122],
    "FIN-WAIT-1": [58, 172], "CLOSE-WAIT": [242, 172], "FIN-WAIT-2": [58, 232], CLOSING: [150, 202], "LAST-ACK": [242, 232],
    "TIME-WAIT": [104, 292], gone: [242, 292],
  };
  const EDGES = [["—", "SYN-SENT"], ["—", "SYN-RECV"], ["SYN-SENT", "ESTAB"], ["SYN-RECV", "ESTAB"], ["ESTAB", "FIN-WAIT-1"], ["ESTAB", "CLOSE-WAIT"],
    ["FIN-WAIT-1", "FIN-WAIT-2"], ["FIN-WAIT-1", "CLOSING"], ["FIN-WAIT-2", "TIME-WAIT"], ["CLOSING", "TIME-WAIT"], ["CLOSE-WAIT", "LAST-ACK"],
    ["LAST-ACK", "gone"], ["TIME-WAIT", "gone"]];

  const stood = (conn, side, until) => conn.steps.slice(0, until + 1).some(step => step.ends[side]);
  const where = (conn, side, n) => conn.steps[n].ends[side]?.[0] ?? (stood(conn, side, n) ? "gone" : "—");

  function machine(conn, side) {
    const now = where(conn, side, state.step);
    const bucket = conn.steps[state.step].ends[side]?.[1];
    const visited = new Set(["—"]);
    const refused = new Set();
    for (let n = 0; n <= state.step; n++) {
      visited.add(where(conn, side, n));
      // States that were passed within one step.
      const step = conn.steps[n];
      if (step.end === side) {
        for (const [text] of step.told) {
          const passed = /^(\S+) becomes (\S+)$/.exec(text);
          if (passed && NODES[passed[2]]) visited.add(passed[2]);
        }
        if (step.refused) refused.add(step.refused);
      }
    }
    const said = `${conn.ends[side]}: ${now}${bucket ? ", a bucket" : ""}${refused.size ? `; ${[...refused]} refused` : ""}`;
    const picture = draw("svg", { viewBox: "0 0 300 318", role: "img", "aria-label": said });
    for (const [from, to] of EDGES) {
      const [[x1, y1], [x2, y2]] = [NODES[from], NODES[to]];
      picture.append(draw("line", { x1, y1, x2, y2, class: "thin" }));
    }
    for (const [name, [x, y]] of Object.entries(NODES)) {
      const here = name === now;
      const kind = here ? "box is" : refused.has(name) ? "box missed" : visited.has(name) ? "box was" : "box";
      const text = name === "—" ? "no socket" : name;
      const note = here && bucket ? "bucket" : refused.has(name) ? "refused" : "";
      picture.append(draw("rect", { x: x - 46, y: y - 13, width: 92, height: note ? 32 : 26, rx: 5, class: kind }),
        draw("text", { x, y: y + 4, "text-anchor": "middle", style: here ? "font-weight:700" : false }, (here ? "▸ " : "") + text));
      if (note) picture.append(draw("text", { x, y: y + 16, "text-anchor": "middle", class: "faint", style: "font-size:10px" }, note));
    }
    return el("div", {}, el("h3", {}, conn.ends[side]), picture);
  }

  const ROW = 30;
  const [LEFT, RIGHT, WIDE] = [238, 522, 700];
  const top = 44;
  const line = n => top + n * ROW;

  // What to write beside a step: system calls, timers, refusals.
  function beside(step) {
    const said = [];
    for (const [text] of step.told) {
      const call = /calls (\w+)\((.*?)\) = (.*)$/.exec(text);
      // A call that only finds nothing to do yet is told below, and not here.
      if (call) { if (!/EAGAIN/.test(call[3])) said.push(+call[3] > 0 && call[1] !== "accept" ? `${call[1]}() = ${call[3]}` : `${call[1]}()`); }
      else if (text.startsWith("a timer fires: ")) said.push(`timer: ${text.slice(15)}`);
      else if (text.includes("its time is up")) said.push("bucket expires");
    }
    if (step.refused) said.push(`${step.refused} refused`);
    return said.length > 2 ? `${said[0]}, +${said.length - 1} more` : said.join(", ");
  }

  function ladder(conn) {
    const high = line(conn.steps.length) + 6;
    const picture = draw("svg", { viewBox: `0 0 ${WIDE} ${high}`, role: "img", "aria-label": `Sequence ladder of ${conn.ends[0]} and ${conn.ends[1]}` });
    picture.append(draw("defs", {}, ["head", "rhead"].map(id => draw("marker", { id, viewBox: "0 0 10 10", refX: 9, refY: 5, markerWidth: 8, markerHeight: 8, orient: "auto-start-reverse" },
      draw("path", { d: "M0 1L10 5L0 9z", style: `fill:var(${id === "head" ? "--ink" : "--rst"})` })))));
    picture.append(draw("rect", { class: "band", x: 0, y: line(state.step) - 15, width: WIDE, height: ROW }));
    for (const [side, x] of [[0, LEFT], [1, RIGHT]]) {
      picture.append(draw("text", { x, y: 20, "text-anchor": "middle", style: "font-weight:700" }, conn.ends[side]),
        draw("line", { x1: x, x2: x, y1: 28, y2: high, class: "thin" }));
    }
    let last = ["", ""];
    conn.steps.forEach((step, n) => {
      const x = step.end ? RIGHT : LEFT;
      const group = draw("g", { class: n > state.step ? "later" : "", "data-step": n, style: "cursor:pointer", onclick: () => go(n) });
      group.append(draw("rect", { x: 0, y: line(n) - 15, width: WIDE, height: ROW, fill: "transparent" }),
        draw("text", { x: 4, y: line(n) + 4, class: "faint" }, n ? `+${span(step.t)}` : "0"),
        draw("circle", { cx: x, cy: line(n), r: 3, style: "fill:var(--ink)" }));
      const aside = [];
      const now = where(conn, step.end, n) + (step.ends[step.end]?.[1] ? " bucket" : "");
      if (now !== last[step.end]) { aside.push(now); last[step.end] = now; }
      const words = beside(step);
      const anchor = step.end ? "start" : "end";
      const dx = step.end ? 10 : -10;
      if (aside.length) group.append(draw("text", { x: x + dx, y: line(n) + (words ? -3 : 4), "text-anchor": anchor, style: "font-weight:700;font-size:11px" }, aside[0]));
      if (words) group.append(draw("text", { x: x + dx, y: line(n) + (aside.length ? 9 : 4), "text-anchor": anchor, class: step.refused ? "rst" : "faint", style: "font-size:10.5px" }, words));
      step.segs.filter(seg => seg.out).forEach((seg, which) => {
        const to = conn.steps.findIndex((other, place) => place > n && other.t === seg.to && other.segs.some(got => !got.out && got.text === seg.text));
        const [x1, x2] = step.end ? [RIGHT - 4, LEFT + 4] : [LEFT + 4, RIGHT - 4];
        const y1 = line(n) + which * 5;
        const arrives = to >= 0;
        const y2 = arrives ? line(to) : y1 + ROW / 2;
        const stop = arrives ? x2 : (x1 + x2) / 2;
        group.append(draw("line", { x1, y1, x2: stop, y2, class: seg.rst ? "line rst" : "line", "marker-end": `url(#${seg.rst ? "rhead" : "head"})` }));
        if (!arrives) group.append(draw("text", { x: stop, y: y2 + 4, "text-anchor": "middle", class: "rst" }, "✕"));
        const text = `${seg.rst ? seg.text.replace(/^R\.? /, "RST ") : seg.text}${arrives || seg.to !== undefined ? "" : " lost"}`;
        // The text lies on its arrow, near the sender where it is a long way.
        const tilt = Math.atan2(y2 - y1, Math.abs(stop - x1)) * 180 / Math.PI * (step.end ? -1 : 1);
        const along = Math.min(0.5, 1.1 * ROW / Math.max(1, y2 - y1));
        const [tx, ty] = [x1 + (stop - x1) * along, y1 + (y2 - y1) * along];
        group.append(draw("text", { x: tx, y: ty - 4, transform: `rotate(${tilt.toFixed(2)} ${tx.toFixed(1)} ${ty.toFixed(1)})`, "text-anchor": "middle",
          class: seg.rst ? "halo rst" : "halo" }, text));
      });
      picture.append(group);
    });
    return picture;
  }

  function told(conn) {
    const step = conn.steps[state.step];
    const host = conn.hosts[step.end];
    const items = step.told.map(([text, functions]) => el("li", {}, text, functions ? el("span", { class: "hint" }, ` (${functions})`) : ""));
    const was = state.step ? conn.steps[state.step - 1] : null;
    const tables = [0, 1].map(side => {
      const name = conn.hosts[side] === null ? conn.ends[side] : hosts[conn.hosts[side]].name;
      const rows = ["inuse", "orphan", "tw", "alloc"].map((what, n) => {
        const [now, before] = [step.stat[side][n], was ? was.stat[side][n] : null];
        const by = before === null ? 0 : now - before;
        return el("tr", { class: by ? "up" : false }, el("th", { scope: "row" }, what), el("td", { class: "n" }, grouped(now)), el("td", { class: "n" }, by ? (by > 0 ? `+${grouped(by)}` : `−${grouped(-by)}`) : ""));
      });
      return el("table", {}, el("caption", {}, `${name}: /proc/net/sockstat, TCP`), el("tbody", {}, rows));
    });
    const counts = new Map();
    conn.steps.slice(0, state.step + 1).forEach((other, n) => {
      for (const [name, by] of other.counters || []) {
        const key = `${other.end} ${name}`;
        const entry = counts.get(key) || { end: other.end, name, sum: 0, now: 0 };
        entry.sum += by;
        if (n === state.step) entry.now = by;
        counts.set(key, entry);
      }
    });
    const list = side => {
      const rows = [...counts.values()].filter(c => c.end === side).map(c => el("tr", { class: c.now ? "up" : false },
        el("th", { scope: "row" }, c.name), el("td", { class: "n" }, grouped(c.sum)), el("td", { class: "n" }, c.now ? `+${grouped(c.now)}` : "")));
      return el("table", {}, el("caption", {}, "Counters, since its first SYN"), el("tbody", {}, rows));
    };
    const shared = step.shared ? el("p", { class: "hint" }, "In this step the host also dealt with other connections; the counters are those of the whole step.") : "";
    return [el("h3", {}, `t=${seconds(conn.at_ns + step.t)} s on ${host === null ? conn.ends[step.end] : hosts[host].name}`),
      el("ul", {}, items), shared,
      el("div", { class: "twotables" }, tables, list(0), list(1))];
  }

  function render() {
    const conn = D.conns[state.conn];
    const scroll = $("st-ladder").scrollTop;
    $("st-machines").replaceChildren(machine(conn, 0), machine(conn, 1));
    $("st-ladder").replaceChildren(ladder(conn));
    $("st-told").replaceChildren(...told(conn).filter(Boolean));
    const more = conn.left_out ? `, ${grouped(conn.left_out)} more left out` : "";
    $("st-place").textContent = `Step ${state.step + 1} of ${conn.steps.length}${more}`;
    $("st-first").disabled = $("st-prev").disabled = state.step === 0;
    $("st-next").disabled = $("st-last").disabled = state.step === conn.steps.length - 1;
    // The step stays in sight within the ladder; the page does not move.
    const box = $("st-ladder");
    const scale = box.clientWidth / WIDE;
    const y = line(state.step) * scale;
    box.scrollTop = Math.min(Math.max(scroll, y - box.clientHeight + 90), Math.max(0, y - 90));
  }
  function go(n) {
    state.step = Math.max(0, Math.min(D.conns[state.conn].steps.length - 1, n));
    render();
  }
  function show(place) {
    state.conn = place;
    state.step = 0;
    $("st-conn").value = place;
    render();
  }
  const title = conn => {
    const when = `t=${seconds(conn.at_ns, 3)} s, ${conn.ends[0]} → ${conn.ends[1]}`;
    return conn.reset ? `RST ${grouped(conn.reset)}: ${when}` : `no RST: ${when}`;
  };
  function key(event) {
    if (event.altKey || event.ctrlKey || event.metaKey) return;
    const last = D.conns[state.conn].steps.length - 1;
    const to = { ArrowLeft: state.step - 1, ArrowRight: state.step + 1, Home: 0, End: last }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    go(to);
  }
  function start() {
    if (!D.conns.length) return;
    $("steps").hidden = false;
    options($("st-conn"), D.conns.map(title));
    $("st-conn").addEventListener("change", event => show(+event.target.value));
    $("st-first").addEventListener("click", () => go(0));
    $("st-prev").addEventListener("click", () => go(state.step - 1));
    $("st-next").addEventListener("click", () => go(state.step + 1));
    $("st-last").addEventListener("click", () => go(Infinity));
    $("st").addEventListener("keydown", key);
    bus.on("conn", show);
    // A connection that ended in a RST has most to teach.
    show(Math.max(0, D.conns.findIndex(conn => conn.reset)));
  }
  return { start };
})();
