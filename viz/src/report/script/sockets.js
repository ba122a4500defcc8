// The sockets of a host at one of the instants that the page holds.

const sockets = (() => {
  const MOST = 400;
  const looks = D.looks;
  const times = looks.at.map(look => look.at_us / 1e6);
  const state = { at: looks.at.length - 1, host: 0 };
  const HEAD = ["State", "Recv-Q", "Send-Q", "Local Address:Port", "Peer Address:Port", "Process"];
  const port = number => number === 0 ? "*" : String(number);
  const cells = ([st, , rq, sq, local, lport, peer, pport, timer]) =>
    [looks.states[st], String(rq), String(sq), `${looks.addrs[local]}:${port(lport)}`, `${looks.addrs[peer]}:${port(pport)}`, timer];

  function render() {
    const look = looks.at[state.at];
    const table = look.tables[state.host];
    const wanted = +$("so-state").value - 1;
    const words = $("so-find").value.toLowerCase().split(/\s+/).filter(Boolean);
    const found = table.rows.filter(row => wanted < 0 || row[0] === wanted).map(row => [cells(row), row[1]])
      .filter(([row]) => words.every(word => row.join(" ").toLowerCase().includes(word)));
    const body = found.slice(0, MOST).map(([row, object]) => el("tr", { title: looks.objects[object] },
      row.map((cell, n) => el(n ? "td" : "th", n ? {} : { scope: "row" }, cell))));
    $("so-table").tBodies[0].replaceChildren(...body);
    $("so-time").textContent = `t = ${cut(times[state.at], 3)} s`;
    $("so-at").setAttribute("aria-valuetext", `${cut(times[state.at], 1)} seconds`);
    const left = [];
    if (table.sockets_left_out) left.push(`${grouped(table.sockets_left_out)} sockets`);
    if (table.buckets_left_out) left.push(`${grouped(table.buckets_left_out)} timewait buckets`);
    const shown = found.length > MOST ? `the first ${MOST} of ${grouped(found.length)}` : grouped(found.length);
    $("so-count").textContent = `${hosts[state.host].name} has ${grouped(table.count)} rows; this page holds ${grouped(table.rows.length)} of them`
      + (left.length ? `, evenly chosen (left out: ${left.join(" and ")})` : "") + `. Shown: ${shown}.`;
  }

  function start() {
    if (!looks.at.length) return;
    $("sockets").hidden = false;
    state.host = timeline.view.host;
    options($("so-host"), hosts.map(host => host.name), state.host);
    options($("so-state"), ["any", ...looks.states]);
    $("so-table").tHead.replaceChildren(el("tr", {}, HEAD.map(name => el("th", { scope: "col" }, name))));
    put($("so-at"), { max: times.length - 1 }, []);
    $("so-at").value = state.at;
    $("so-host").addEventListener("change", event => { state.host = +event.target.value; render(); });
    $("so-at").addEventListener("input", event => bus.tell("time", times[+event.target.value]));
    $("so-state").addEventListener("change", render);
    $("so-find").addEventListener("input", render);
    bus.on("time", t => {
      const before = Math.max(0, lastUpTo(times, t + 1e-9));
      const behind = Math.min(times.length - 1, before + 1);
      state.at = Math.abs(times[behind] - t) < Math.abs(t - times[before]) ? behind : before;
      $("so-at").value = state.at;
      render();
    });
    render();
  }
  return { start };
})();
