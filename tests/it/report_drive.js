// Uses the page as a person would, with real events of mouse, wheel and keyboard, and writes down
// what it shows. Appended to a copy of the page by tests/it/report.rs.
addEventListener("load", async () => {
  const $ = id => document.getElementById(id);
  const seen = {};
  const pause = () => new Promise(done => setTimeout(done, 30));
  const mouse = (node, type, x, y, more = {}) => {
    const box = node.getBoundingClientRect();
    const at = { clientX: box.left + x, clientY: box.top + y };
    const Kind = type === "wheel" ? WheelEvent : MouseEvent;
    node.dispatchEvent(new Kind(type, { bubbles: true, cancelable: true, view: window, button: 0, detail: 1, movementX: type === "mousemove" ? 9 : 0, ...at, ...more }));
  };
  const key = (node, name, more = {}) => {
    node.focus();
    document.activeElement.dispatchEvent(new KeyboardEvent("keydown", { key: name, bubbles: true, cancelable: true, ...more }));
  };
  const range = () => $("tl-range").textContent.match(/[\d.]+/g).map(Number);
  const choose = (select, value) => { select.value = value; select.dispatchEvent(new Event("change", { bubbles: true })); };
  const type = (input, text) => { input.value = text; input.dispatchEvent(new Event("input", { bubbles: true })); };
  const rows = () => [...$("so-table").tBodies[0].rows].map(row => [...row.cells].map(cell => cell.textContent));
  try {
    await pause();
    const overs = () => [...document.querySelectorAll("#tl .u-over")];
    seen.charts = overs().length;
    seen.all = range();

    // The wheel zooms, also out again.
    const first = overs()[0];
    const wide = first.clientWidth;
    mouse(first, "mousemove", wide / 2, 40);
    mouse(first, "wheel", wide / 2, 40, { deltaY: -100 });
    await pause();
    seen.wheel = range();
    // Dragging zooms to what was dragged over.
    key($("tl"), "0");
    await pause();
    seen.reset = range();
    mouse(first, "mousemove", wide * 0.25, 50);
    mouse(first, "mousedown", wide * 0.25, 50);
    mouse(first, "mousemove", wide * 0.4, 50);
    await pause();
    mouse(first, "mousemove", wide * 0.5, 50);
    await pause();
    mouse(first, "mouseup", wide * 0.5, 50);
    document.dispatchEvent(new MouseEvent("mouseup", { bubbles: true, button: 0 }));
    await pause();
    seen.drag = range();
    key($("tl"), "ArrowRight", { shiftKey: true });
    await pause();
    seen.pan = range();
    key($("tl"), "0");
    key($("tl"), "+");
    await pause();
    seen.plus = range();
    $("tl-all").click();
    await pause();

    // Values under the pointer.
    mouse(first, "mousemove", wide * 0.8, 60);
    await pause();
    seen.hover = document.querySelector("#tl .u-legend").innerText.replace(/\s+/g, " ");
    // A click chooses a time.
    mouse(first, "mousedown", wide * 0.75, 60);
    mouse(first, "mouseup", wide * 0.75, 60);
    document.dispatchEvent(new MouseEvent("mouseup", { bubbles: true, button: 0 }));
    await pause();
    seen.now = $("tl-now").textContent;
    seen.look = $("so-time").textContent;

    // A click on the mark of a RST opens it: zoom in around the tenth, and click where it must be.
    const tenth = [...$("rs-list").children][9].textContent;
    const at = +/t=([\d.]+)/.exec(tenth)[1];
    seen.tenth = tenth.trim();
    const marks = () => overs()[[...document.querySelectorAll("#tl .chart h3")].findIndex(h => h.textContent.includes("each a mark"))];
    let [low, high] = range();
    for (let n = 0; n < 40 && high - low > 0.4; n++) {
      mouse(marks(), "wheel", wide * (at - low) / (high - low), 50, { deltaY: -100 });
      await pause();
      [low, high] = range();
    }
    const x = wide * (at - low) / (high - low);
    mouse(marks(), "mousemove", x, 100);
    mouse(marks(), "mousedown", x, 100);
    mouse(marks(), "mouseup", x, 100);
    document.dispatchEvent(new MouseEvent("mouseup", { bubbles: true, button: 0 }));
    await pause();
    seen.clicked = $("rs-one").querySelector("h3").textContent;
    seen.clickedFacts = $("rs-one").innerText;
    seen.ladder = $("rs-ladder").textContent;
    seen.chain = [...$("rs-chain").children].map(link => link.innerText);

    // The list by keyboard.
    key($("rs-list"), "Home");
    key($("rs-list"), "ArrowDown");
    key($("rs-list"), "Enter");
    await pause();
    seen.second = $("rs-one").querySelector("h3").textContent;
    type($("rs-find"), "no such thing");
    seen.none = $("rs-count").textContent;
    type($("rs-find"), "");

    // Step by step, from the button beside the chain.
    $("rs-step").click();
    await pause();
    seen.place = [$("st-place").textContent];
    $("st-next").click();
    seen.place.push($("st-place").textContent);
    key($("st"), "ArrowRight");
    seen.place.push($("st-place").textContent);
    key($("st"), "End");
    seen.place.push($("st-place").textContent);
    seen.machines = [...document.querySelectorAll("#st-machines svg")].map(svg => svg.getAttribute("aria-label"));
    seen.told = $("st-told").innerText;
    const states = [];
    key($("st"), "Home");
    for (;;) {
      states.push([...document.querySelectorAll("#st-machines svg")].map(svg => svg.getAttribute("aria-label").split(": ")[1]));
      if ($("st-next").disabled) break;
      $("st-next").click();
    }
    seen.states = states;

    // The sockets: state, words, instant.
    seen.sockets = rows().length;
    const at0 = $("so-time").textContent;
    type($("so-find"), ":6379");
    seen.found = rows();
    type($("so-find"), "");
    choose($("so-state"), [...$("so-state").options].findIndex(o => o.textContent === "TIME-WAIT"));
    seen.waiting = rows().map(row => row[0]);
    choose($("so-state"), 0);
    $("so-at").value = 2;
    $("so-at").dispatchEvent(new Event("input", { bubbles: true }));
    seen.moved = [at0, $("so-time").textContent, $("tl-now").textContent];
    seen.count = $("so-count").textContent;
    // Whoever cannot use a mouse comes to everything by Tab.
    const focusable = "a[href],button,select,input,[tabindex='0'],summary";
    seen.unnamed = [...document.querySelectorAll(focusable)].filter(node => node.offsetParent
      && !(node.textContent.trim() || node.getAttribute("aria-label") || node.labels?.length || node.closest("label"))).map(node => node.outerHTML);
  } catch (error) {
    seen.broken = `${error.stack}`;
  }
  seen.errors = window.__errors;
  const result = document.createElement("pre");
  result.id = "seen";
  result.textContent = JSON.stringify(seen);
  document.body.append(result);
});
