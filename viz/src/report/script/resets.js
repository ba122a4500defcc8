// The list of RSTs, and one of them with everything that led to it.

const resets = (() => {
  const PAGE = 100;
  const state = { shown: [], first: 0, chosen: -1, open: -1 };
  const list = $("rs-list");
  const label = n => `${inFull.has(R.number[n]) ? "◆" : "\u2007"} ${grouped(R.number[n])} t=${seconds(R.at[n])} s ${R.text[n]}`;
  const more = n => `${D.kinds[R.kind[n]].cause}${R.wait[n] >= 0 ? `, ${span(R.wait[n] * 1000)} after its earlier cause` : ""}`;

  function filter() {
    const kind = +$("rs-kind").value - 1;
    const words = $("rs-find").value.toLowerCase().split(/\s+/).filter(Boolean);
    state.shown = [];
    for (let n = 0; n < R.at.length; n++) {
      if (kind >= 0 && R.kind[n] !== kind) continue;
      if (words.length) {
        const text = `${label(n)} ${more(n)}`.toLowerCase().replaceAll(",", "");
        if (!words.every(word => text.includes(word.replaceAll(",", "")))) continue;
      }
      state.shown.push(n);
    }
    state.first = 0;
    state.chosen = state.shown.length ? 0 : -1;
    render();
  }

  function render() {
    const part = state.shown.slice(state.first, state.first + PAGE);
    list.replaceChildren(...part.map((n, i) => el("li", {
      id: `rs-${n}`, role: "option", title: more(n), "aria-selected": state.first + i === state.chosen ? "true" : "false",
      onclick: () => { choose(state.first + i); bus.tell("reset", n); },
    }, label(n))));
    const all = R.count > R.at.length ? `${grouped(R.at.length)} of ${grouped(R.count)} RSTs are listed, evenly over the run; ` : "";
    const [from, to] = [state.first + 1, state.first + part.length];
    $("rs-count").textContent = state.shown.length
      ? `${all}${grouped(from)} to ${grouped(to)} of ${grouped(state.shown.length)}. ◆: in full in this page (${inFull.size}); the others show the nearest of their kind.`
      : "None is like that.";
    $("rs-prev").disabled = state.first === 0;
    $("rs-next").disabled = state.first + PAGE >= state.shown.length;
    mark();
  }
  function mark() {
    const n = state.shown[state.chosen];
    for (const item of list.children) item.setAttribute("aria-selected", item.id === `rs-${n}` ? "true" : "false");
    const item = n === undefined ? null : $(`rs-${n}`);
    if (!item) return list.removeAttribute("aria-activedescendant");
    list.setAttribute("aria-activedescendant", item.id);
    const [top, bottom] = [item.offsetTop - list.offsetTop, item.offsetTop - list.offsetTop + item.offsetHeight];
    if (top < list.scrollTop) list.scrollTop = top;
    if (bottom > list.scrollTop + list.clientHeight) list.scrollTop = bottom - list.clientHeight;
  }
  function choose(place) {
    if (!state.shown.length) return;
    state.chosen = Math.max(0, Math.min(state.shown.length - 1, place));
    const first = Math.floor(state.chosen / PAGE) * PAGE;
    if (first !== state.first) { state.first = first; render(); } else mark();
  }
  function key(event) {
    const pressed = {
      ArrowDown: () => choose(state.chosen + 1), ArrowUp: () => choose(state.chosen - 1),
      PageDown: () => choose(state.chosen + 20), PageUp: () => choose(state.chosen - 20),
      Home: () => choose(0), End: () => choose(state.shown.length - 1),
      Enter: () => { if (state.chosen >= 0) bus.tell("reset", state.shown[state.chosen]); },
    }[event.key];
    if (!pressed) return;
    event.preventDefault();
    pressed();
  }

  // The connection that shows a RST, or the nearest RST of its kind.
  function shownBy(n) {
    const own = inFull.get(R.number[n]);
    if (own !== undefined) return own;
    let best = -1;
    D.conns.forEach((conn, place) => {
      if (!conn.reset || conn.kind !== R.kind[n]) return;
      if (best < 0 || Math.abs(conn.reset - R.number[n]) < Math.abs(D.conns[best].reset - R.number[n])) best = place;
    });
    return best;
  }

  function open(n) {
    state.open = n;
    const kind = D.kinds[R.kind[n]];
    const place = shownBy(n);
    const conn = place < 0 ? null : D.conns[place];
    const own = conn && conn.reset === R.number[n];
    const number = R.number[n];
    const facts = [
      el("h3", {}, `RST ${grouped(number)} of ${grouped(R.count)}`),
      el("p", {}, el("span", { class: "mono" }, `t=${seconds(R.at[n])} s  ${R.text[n]}`)),
      el("p", {}, el("code", {}, kind.cause), ", sk_rst_reason ", el("code", {}, kind.reason), ": ", kind.path.join(" → "), "."),
      el("p", {}, `Because ${kind.why}${R.wait[n] >= 0 ? `, ${span(R.wait[n] * 1000)} before` : ""}.`),
    ];
    if (!own) {
      facts.push(el("p", { class: "hint" }, conn
        ? `This page does not hold RST ${grouped(number)} in full. Below: RST ${grouped(conn.reset)}, the nearest of its kind that it holds. `
        : "This page holds no RST of its kind in full. ", el("code", {}, `finwait explain ${D.recording} --rst ${number}`), " shows it."));
    }
    const parts = [...facts];
    if (conn) {
      parts.push(el("div", { class: "bar" }, el("button", { type: "button", id: "rs-step", onclick: () => { bus.tell("conn", place); $("h-steps").scrollIntoView(); $("st").focus({ preventScroll: true }); } }, "Step through this connection")));
      if (conn.ladder) parts.push(el("h3", {}, "The connection"), el("pre", { id: "rs-ladder", tabindex: 0 }, conn.ladder));
      parts.push(el("h3", {}, "The chain of causes"), chain(conn));
    }
    $("rs-one").replaceChildren(...parts);
  }

  function chain(conn) {
    const item = (link, n) => el("li", { class: link.causes.length ? false : "first" },
      el("p", { class: "what" }, `${n + 1}. `, link.text),
      el("p", {}, el("span", { class: "mono" }, `t=${link.at} s  ${hosts[link.host].name}`), link.in.length ? el("span", {}, "  in ", link.in.join(" → ")) : ""),
      link.decided.map(text => el("p", {}, el("span", { class: "tag" }, "decided by"), " ", el("code", {}, text))),
      link.averted.map(text => el("p", {}, el("span", { class: "tag" }, "averted by"), " ", text)),
      el("p", { class: "tag" }, link.causes.length ? `because of ${link.causes.map(c => c + 1).join(" and ")}` : "a first cause"));
    return el("ol", { class: "chain", id: "rs-chain" }, conn.chain.map(item));
  }

  function start() {
    if (!R.at.length) return;
    $("resets").hidden = false;
    options($("rs-kind"), ["any", ...D.kinds.map(kind => `${hosts[kind.host].name}: ${kind.cause}, ${kind.because} (${grouped(kind.count)})`)]);
    $("rs-kind").addEventListener("change", filter);
    $("rs-find").addEventListener("input", filter);
    $("rs-prev").addEventListener("click", () => choose(state.first - PAGE));
    $("rs-next").addEventListener("click", () => choose(state.first + PAGE));
    list.addEventListener("keydown", key);
    bus.on("reset", n => {
      let place = state.shown.indexOf(n);
      if (place < 0) { $("rs-kind").value = 0; $("rs-find").value = ""; filter(); place = state.shown.indexOf(n); }
      choose(place);
      open(n);
    });
    filter();
    open(state.shown[0]);
  }
  return { start };
})();
