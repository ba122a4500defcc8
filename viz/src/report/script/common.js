// What all parts of the page share: the numbers, small helpers, and who is told of what.

const D = JSON.parse(document.getElementById("data").textContent);
const $ = id => document.getElementById(id);

// Columns hold differences.
const sums = column => { let sum = 0; return column.map(by => sum += by); };

const grouped = number => String(Math.round(number)).replace(/\B(?=(\d{3})+$)/g, ",");
// Cut off and not rounded, as everything that finwait prints.
const cut = (value, decimals) => {
  const unit = 10 ** decimals;
  return (Math.floor(value * unit + 1e-6) / unit).toFixed(decimals);
};
const seconds = (ns, decimals = 6) => cut(ns / 1e9, decimals);
const span = ns => {
  if (ns < 1e3) return `${ns} ns`;
  if (ns < 1e6) return `${cut(ns / 1e3, 1)} µs`;
  if (ns < 1e10) return `${cut(ns / 1e6, 1)} ms`;
  return `${cut(ns / 1e9, 1)} s`;
};

const put = (node, attributes, children) => {
  for (const [name, value] of Object.entries(attributes || {})) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (value !== false && value !== undefined) node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.flat().filter(child => child !== null && child !== undefined && child !== ""));
  return node;
};
const el = (tag, attributes, ...children) => put(document.createElement(tag), attributes, children);
const draw = (tag, attributes, ...children) =>
  put(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes, children);
const options = (select, names, chosen = 0) => {
  select.replaceChildren(...names.map((name, n) => el("option", { value: n, selected: n === chosen }, name)));
};
const colour = name => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

// Parts of the page tell one another: `time` (in seconds), `reset` (its place in the columns),
// `conn` (its place in D.conns).
const bus = {
  heard: {},
  on(name, hear) { (this.heard[name] ||= []).push(hear); },
  tell(name, value) { for (const hear of this.heard[name] || []) hear(value); },
};

// The last place of a sorted list whose value is not beyond; -1 if all are.
const lastUpTo = (list, value) => {
  let [low, high] = [0, list.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (list[middle] <= value) low = middle + 1; else high = middle;
  }
  return low - 1;
};

const unpack = series => ({
  samples: series.samples_per_point,
  t: sums(series.at_us).map(us => us / 1e6),
  tw: sums(series.tw),
  tw2: sums(series.tw_fin_wait2),
  orphan: sums(series.orphan),
  rst: sums(series.rst),
  overflow: sums(series.overflow),
  sockets: series.sockets.map(([name, column]) => [name, sums(column)]),
});
const hosts = D.hosts.map(host => ({ ...host, ...unpack(host.series) }));
const others = D.others.map(other => ({
  ...other,
  hosts: other.hosts.map(([name, limit, series]) => ({ name, limit, ...unpack(series) })),
}));
const R = (() => {
  const r = D.resets;
  return {
    count: r.count,
    number: sums(r.number),
    at: sums(r.at_ns),
    kind: r.kind,
    wait: r.wait_us,
    text: r.kind.map((kind, n) =>
      `${hosts[D.kinds[kind].host].name}:${r.port[n]} → ${r.names[r.to[n]]}:${r.to_port[n]}`),
  };
})();
// The connection that shows a RST in full, by the RST's number.
const inFull = new Map(D.conns.flatMap((conn, n) => conn.reset ? [[conn.reset, n]] : []));
const end = D.until_us / 1e6;
