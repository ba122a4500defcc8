// The charts of the tables over time: zoom, pan, values under the pointer, marks of RSTs.

const timeline = (() => {
  const place = $("tl");
  const view = { host: 0, other: others.length ? 0 : -1, min: 0, max: end, now: null, reset: -1 };
  let charts = [];
  let busy = false;

  // So many in the second before each point.
  const perSecond = (t, total) => t.map((now, n) => {
    const from = lastUpTo(t, now - 1 + 1e-9);
    const [was, when] = from < 0 ? [0, 0] : [total[from], t[from]];
    return now > when ? (total[n] - was) / Math.max(1, now - when) : 0;
  });
  // Values of another run at the points of this one.
  const at = (t, other, values) => t.map(now => {
    const n = lastUpTo(other.t, now + 1e-9);
    return n < 0 ? 0 : n === other.t.length - 1 && now > other.t[n] + 1 ? null : values[n];
  });

  const value = (u, v) => v === null || v === undefined ? "–" : Number.isInteger(v) ? grouped(v) : cut(v, 1);
  const line = (label, stroke, more = {}) => ({ label, stroke: colour(stroke), width: 1.6, value, points: { show: false }, ...more });
  const dashes = [[], [7, 3], [2, 3]];
  // Neighbours in time differ in more than colour.
  const ofState = { ESTAB: [], "FIN-WAIT-1": [7, 3], "FIN-WAIT-2": [2, 3], "CLOSE-WAIT": [9, 3, 2, 3], "LAST-ACK": [2, 3], CLOSING: [12, 4], "SYN-SENT": [4, 2], "SYN-RECV": [7, 3] };
  const styles = { "": "solid", "7,3": "dashed", "2,3": "dotted" };

  function panels() {
    const host = hosts[view.host];
    const other = view.other < 0 ? null : others[view.other];
    const beside = other && other.hosts.find(h => h.name === host.name);
    const named = other ? other.name : "";
    const out = [];

    const tw = { title: `Timewait buckets of ${host.name}`, height: 230, data: [host.t, host.tw, host.tw2], series: [
      line("buckets", "--tw", { fill: colour("--tw") + "33" }), line("of these in FIN-WAIT-2", "--tw2", { dash: dashes[1] })],
      limits: [["net.ipv4.tcp_max_tw_buckets", host.tcp_max_tw_buckets]] };
    if (beside) {
      tw.data.push(at(host.t, beside, beside.tw));
      tw.series.push(line(`buckets, ${named}`, "--other", { dash: dashes[2], width: 2 }));
      if (beside.limit !== host.tcp_max_tw_buckets) tw.limits.push([`net.ipv4.tcp_max_tw_buckets, ${named}`, beside.limit]);
    }
    out.push(tw);

    const sockets = { title: `Sockets of ${host.name} by state`, height: 210, data: [host.t], series: [],
      limits: [["net.ipv4.tcp_max_orphans", host.tcp_max_orphans]] };
    for (const [name, values] of host.sockets) {
      if (name === "LISTEN") continue;
      sockets.data.push(values);
      sockets.series.push(line(name, `--s-${name}`, { dash: ofState[name], width: 1.2 }));
    }
    if (host.orphan.some(n => n > 0)) {
      sockets.data.push(host.orphan);
      sockets.series.push(line("orphans, any state", "--orphan", { dash: [1, 3], width: 2 }));
    }
    if (sockets.series.length) out.push(sockets);

    const rates = { title: `RSTs that ${host.name} sent per second, each a mark below`, height: 170, marks: true,
      data: [host.t, perSecond(host.t, host.rst)], limits: [], series: [line("RST/s", "--rst", { width: 2 })] };
    if (beside) {
      rates.data.push(at(host.t, beside, perSecond(beside.t, beside.rst)));
      rates.series.push(line(`RST/s, ${named}`, "--other", { dash: dashes[2] }));
    }
    out.push(rates);

    if (host.overflow.at(-1) > 0) {
      out.push({ title: `Buckets that ${host.name} refused per second (TcpExtTCPTimeWaitOverflow)`, height: 150, limits: [],
        data: [host.t, perSecond(host.t, host.overflow)], series: [line("refused/s", "--accent", { dash: dashes[1] })] });
    }
    return out;
  }

  // A limit is drawn where it does not press the curves flat; else it is told.
  const near = (panel, limit) => limit > 0 && limit <= 3 * Math.max(1, ...panel.data.slice(1).map(v => v.reduce((a, b) => Math.max(a, b || 0), 0)));

  function drawOver(u, panel) {
    const { ctx, bbox } = u;
    const dpr = devicePixelRatio;
    ctx.save();
    ctx.font = `${11 * dpr}px system-ui, sans-serif`;
    panel.limits.filter(([, limit]) => near(panel, limit)).forEach(([name, limit]) => {
      const y = u.valToPos(limit, "y", true);
      ctx.strokeStyle = ctx.fillStyle = colour("--limit");
      ctx.lineWidth = 1.5 * dpr;
      ctx.setLineDash([6 * dpr, 3 * dpr]);
      ctx.beginPath(); ctx.moveTo(bbox.left, y); ctx.lineTo(bbox.left + bbox.width, y); ctx.stroke();
      ctx.setLineDash([]);
      ctx.textAlign = "left"; ctx.textBaseline = "bottom";
      ctx.fillText(`${name} = ${grouped(limit)}`, bbox.left + 6 * dpr, y - 3 * dpr);
    });
    if (panel.marks) drawMarks(u, ctx, bbox, dpr);
    if (view.now !== null && view.now >= view.min && view.now <= view.max) {
      const x = u.valToPos(view.now, "x", true);
      ctx.strokeStyle = colour("--ink");
      ctx.lineWidth = dpr;
      ctx.beginPath(); ctx.moveTo(x, bbox.top); ctx.lineTo(x, bbox.top + bbox.height); ctx.stroke();
    }
    ctx.restore();
  }

  const inView = () => {
    const from = lastUpTo(R.at, view.min * 1e9 - 1) + 1;
    return [from, lastUpTo(R.at, view.max * 1e9) + 1];
  };
  const ofHost = n => D.kinds[R.kind[n]].host === view.host;

  function drawMarks(u, ctx, bbox, dpr) {
    const [from, to] = inView();
    const bottom = bbox.top + bbox.height;
    ctx.fillStyle = colour("--rst");
    // One for each column of pixels is enough.
    for (let n = from, last = -1; n < to; n++) {
      if (!ofHost(n)) continue;
      const x = Math.round(u.valToPos(R.at[n] / 1e9, "x", true));
      if (x === last) continue;
      last = x;
      ctx.fillRect(x, bottom - 9 * dpr, dpr, 9 * dpr);
    }
    if (view.reset >= from && view.reset < to && ofHost(view.reset)) {
      const x = u.valToPos(R.at[view.reset] / 1e9, "x", true);
      ctx.fillStyle = colour("--rst");
      ctx.beginPath(); ctx.moveTo(x, bottom - 9 * dpr); ctx.lineTo(x - 6 * dpr, bottom - 20 * dpr); ctx.lineTo(x + 6 * dpr, bottom - 20 * dpr); ctx.fill();
      ctx.textAlign = x > bbox.left + bbox.width * 0.8 ? "right" : "left"; ctx.textBaseline = "bottom";
      ctx.fillText(`RST ${grouped(R.number[view.reset])}`, x + (ctx.textAlign === "left" ? 8 : -8) * dpr, bottom - 12 * dpr);
    }
  }

  function chart(panel, width) {
    const box = el("div", { class: "chart" }, el("h3", {}, panel.title));
    place.append(box);
    const grid = { stroke: colour("--grid"), width: 1 };
    const axis = { stroke: colour("--faint"), grid, ticks: grid, font: "11px system-ui, sans-serif" };
    const tops = panel.limits.map(([, limit]) => limit).filter(limit => near(panel, limit));
    const u = new uPlot({
      width, height: panel.height,
      padding: [10, 16, 0, 0],
      scales: {
        x: { time: false, min: view.min, max: view.max },
        y: { range: (_, low, high) => [0, 1.08 * Math.max(4, high || 0, ...tops)] },
      },
      axes: [
        { ...axis, values: (_, ticks) => ticks.map(t => `${+t.toFixed(6)} s`), space: 80 },
        { ...axis, values: (_, ticks) => ticks.map(n => Number.isInteger(n) ? grouped(n) : ""), size: 64 },
      ],
      series: [{ label: "t", value: (_, t) => t === null || t === undefined ? "–" : `${cut(t, 3)} s` }, ...panel.series],
      legend: { markers: { dash: (_, n) => styles[(panel.series[n - 1].dash || []).join()] || "dashed", width: 2 } },
      cursor: { sync: { key: "finwait", setSeries: false }, drag: { x: true, y: false, setScale: true }, points: { size: 6 }, bind: { dblclick: () => () => { range(0, end); return null; } } },
      hooks: {
        draw: [u => drawOver(u, panel)],
        setScale: [(u, key) => { if (key === "x" && !busy) range(u.scales.x.min, u.scales.x.max); }],
        setSelect: [],
      },
    }, panel.data, box);
    u.over.addEventListener("wheel", event => wheel(u, event), { passive: false });
    let from = null;
    u.over.addEventListener("mousedown", event => { from = [event.clientX, event.clientY]; });
    u.over.addEventListener("mouseup", event => {
      if (from && Math.hypot(event.clientX - from[0], event.clientY - from[1]) < 4) click(u, panel, event);
      from = null;
    });
    // What the legend does by a click it does by Enter, too.
    for (const head of box.querySelectorAll(".u-legend .u-series:not(:first-child) th")) {
      put(head, { tabindex: 0, role: "button", title: "Show or hide",
        onkeydown: event => { if (event.key === "Enter" || event.key === " ") { event.preventDefault(); event.stopPropagation(); head.click(); } } }, []);
    }
    return u;
  }

  function build() {
    charts.forEach(u => u.destroy());
    place.replaceChildren();
    busy = true;
    const width = place.clientWidth;
    const all = panels();
    charts = all.map(panel => chart(panel, width));
    busy = false;
    const far = all.flatMap(panel => panel.limits.filter(([, limit]) => !near(panel, limit)))
      .map(([name, limit]) => `${name} = ${grouped(limit)}`);
    const notes = [];
    if (far.length) notes.push(`Limits far above the curves: ${far.join(", ")}.`);
    const samples = hosts[view.host].samples;
    if (samples > 1) notes.push(`Each point stands for ${samples} samples: what stands is shown at its highest.`);
    if (R.count > R.at.length) notes.push(`${grouped(R.at.length)} of ${grouped(R.count)} RSTs have a mark, evenly over the run; the curve counts all.`);
    $("tl-note").textContent = notes.join(" ");
    shown();
    say();
  }

  // Shows a part of the run in all charts.
  function range(min, max) {
    const width = Math.min(end, Math.max(2e-4, max - min));
    view.min = Math.max(0, Math.min(min, end - width));
    view.max = view.min + width;
    busy = true;
    charts.forEach(u => u.setScale("x", { min: view.min, max: view.max }));
    busy = false;
    shown();
  }
  const zoom = (factor, around) => {
    const middle = around ?? (view.now !== null && view.now >= view.min && view.now <= view.max ? view.now : (view.min + view.max) / 2);
    range(middle - (middle - view.min) * factor, middle + (view.max - middle) * factor);
  };
  const pan = share => { const by = (view.max - view.min) * share; range(view.min + by, view.max + by); };

  function wheel(u, event) {
    event.preventDefault();
    const by = event.deltaY || event.deltaX;
    if (event.shiftKey) return pan(Math.sign(by) * 0.15);
    const x = event.clientX - u.over.getBoundingClientRect().left;
    zoom(by > 0 ? 1.35 : 1 / 1.35, u.posToVal(x, "x"));
  }

  function click(u, panel, event) {
    const x = event.clientX - u.over.getBoundingClientRect().left;
    const t = u.posToVal(x, "x");
    if (panel.marks) {
      const n = nearest(t);
      if (n >= 0 && Math.abs(u.valToPos(R.at[n] / 1e9, "x") - x) <= 6) return bus.tell("reset", n);
    }
    bus.tell("time", Math.max(0, Math.min(end, t)));
  }

  // The host's RST nearest to a time.
  function nearest(t) {
    const around = lastUpTo(R.at, t * 1e9);
    let [before, behind] = [around, around + 1];
    while (before >= 0 && !ofHost(before)) before--;
    while (behind < R.at.length && !ofHost(behind)) behind++;
    if (behind >= R.at.length) return before;
    if (before < 0) return behind;
    return t * 1e9 - R.at[before] <= R.at[behind] - t * 1e9 ? before : behind;
  }

  const shown = () => {
    const digits = Math.max(1, Math.min(6, Math.ceil(2 - Math.log10(view.max - view.min))));
    $("tl-range").textContent = `Shown: ${view.min.toFixed(digits)} s to ${view.max.toFixed(digits)} s.`;
  };

  function say() {
    const host = hosts[view.host];
    const t = view.now ?? end;
    const n = Math.max(0, lastUpTo(host.t, t + 1e-9));
    const text = [`t = ${cut(host.t[n] ?? 0, 1)} s on ${host.name}: ${grouped(host.tw[n] ?? 0)} timewait buckets of at most ${grouped(host.tcp_max_tw_buckets)}`,
      `${grouped(host.tw2[n] ?? 0)} of them in FIN-WAIT-2`,
      ...host.sockets.filter(([name]) => name !== "LISTEN").map(([name, values]) => `${name} ${grouped(values[n])}`),
      `orphans ${grouped(host.orphan[n] ?? 0)}`, `RSTs so far ${grouped(host.rst[n] ?? 0)}`, `refused so far ${grouped(host.overflow[n] ?? 0)}`];
    $("tl-now").textContent = text.join(", ") + ".";
  }

  function move(by) {
    const { t } = hosts[view.host];
    const step = Math.max(1, Math.round((lastUpTo(t, view.max) - lastUpTo(t, view.min)) / 100));
    const n = lastUpTo(t, (view.now ?? view.min) + 1e-9) + by * step;
    bus.tell("time", t[Math.max(0, Math.min(t.length - 1, n))] ?? 0);
  }
  function another(by) {
    let n = view.reset;
    if (n < 0) n = by > 0 ? lastUpTo(R.at, (view.now ?? view.min) * 1e9) : lastUpTo(R.at, (view.now ?? view.max) * 1e9) + 1;
    do n += by; while (n >= 0 && n < R.at.length && !ofHost(n));
    if (n >= 0 && n < R.at.length) { view.reset = n; bus.tell("time", R.at[n] / 1e9); }
  }

  function key(event) {
    if (event.altKey || event.ctrlKey || event.metaKey) return;
    const pressed = {
      ArrowLeft: () => event.shiftKey ? pan(-0.2) : move(-1),
      ArrowRight: () => event.shiftKey ? pan(0.2) : move(1),
      "+": () => zoom(0.5), "=": () => zoom(0.5), "-": () => zoom(2), "−": () => zoom(2), 0: () => range(0, end),
      n: () => another(1), p: () => another(-1),
      Enter: () => { const n = view.reset >= 0 ? view.reset : nearest(view.now ?? 0); if (n >= 0) bus.tell("reset", n); },
    }[event.key];
    if (!pressed) return;
    event.preventDefault();
    pressed();
  }

  function start() {
    // The host with most to tell comes first.
    const weight = host => [host.rst.at(-1) || 0, Math.max(0, ...host.tw)];
    view.host = hosts.reduce((best, host, n) => {
      const [a, b] = [weight(host), weight(hosts[best])];
      return a[0] > b[0] || (a[0] === b[0] && a[1] > b[1]) ? n : best;
    }, 0);
    options($("tl-host"), hosts.map(host => `${host.name} (Linux ${host.kernel})`), view.host);
    options($("tl-other"), [...others.map(other => other.settings.length ? `${other.name}: ${other.settings.join(", ")}` : other.name), "nothing"]);
    $("tl-other-label").hidden = !others.length;
    $("tl-host").addEventListener("change", event => { view.host = +event.target.value; build(); });
    $("tl-other").addEventListener("change", event => { view.other = +event.target.value < others.length ? +event.target.value : -1; build(); });
    $("tl-in").addEventListener("click", () => zoom(0.5));
    $("tl-out").addEventListener("click", () => zoom(2));
    $("tl-left").addEventListener("click", () => pan(-0.5));
    $("tl-right").addEventListener("click", () => pan(0.5));
    $("tl-all").addEventListener("click", () => range(0, end));
    place.addEventListener("keydown", key);
    bus.on("time", t => {
      view.now = t;
      if (t < view.min || t > view.max) range(t - (view.max - view.min) / 2, t + (view.max - view.min) / 2);
      charts.forEach(u => u.redraw(false));
      say();
    });
    bus.on("reset", n => {
      view.reset = n;
      if (D.kinds[R.kind[n]].host !== view.host) { view.host = D.kinds[R.kind[n]].host; $("tl-host").value = view.host; build(); }
      bus.tell("time", R.at[n] / 1e9);
    });
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", build);
    let width = 0;
    new ResizeObserver(() => {
      if (place.clientWidth === width || !place.clientWidth) return;
      width = place.clientWidth;
      charts.forEach((u, n) => u.setSize({ width, height: u.height }));
    }).observe(place);
    build();
  }
  return { start, view, nearest };
})();
