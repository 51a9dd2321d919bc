// SPDX-License-Identifier: Apache-2.0
// Moves the controls of the page of `ese4ml estimate --html` as a user does, and leaves what it then shows in `found`.
addEventListener("load", () => {
  const value = id => JSON.parse(document.getElementById(id).dataset.value || "null");
  const all = prefix => Object.fromEntries(
    [...document.querySelectorAll(`[id^="${prefix}"]`)].map(e => [e.id.slice(prefix.length), e]));
  const shown = () => ({
    command: document.getElementById("command").textContent,
    address: location.hash,
    cycles: value("cycles"),
    latency: value("latency"),
    frames: value("frames"),
    utilisation: value("utilisation"),
    kept: value("kept"),
    energy: value("energy"),
    upper: value("upper"),
    causes: Object.values(all("cause-")).map(e => JSON.parse(e.dataset.value)),
    used: Object.entries(all("resource-")).map(([, e]) => JSON.parse(e.dataset.value || "null")),
    fits: Object.fromEntries(Object.entries(all("board-")).map(([name, e]) => [name, e.dataset.fits])),
    reasons: Object.fromEntries(Object.entries(all("board-")).map(([name, e]) => [name, e.rows[1].textContent])),
    verdict: document.getElementById("verdict").textContent,
    summary: document.getElementById("summary").textContent,
    units: [...document.getElementsByName("units")].map(e => [e.checked, e.disabled]),
    texts: ["pes", "density"].map(id => document.getElementById(id).getAttribute("aria-valuetext")),
  });
  const input = (control, changed) => {
    Object.assign(control, changed);
    control.dispatchEvent(new Event("input", { bubbles: true }));
  };
  const move = (name, to) => {
    if (name === "press") document.querySelector(to).click();
    else if (name === "engine" || name === "units")
      input([...document.getElementsByName(name)].find(e => e.value === String(to)), { checked: true });
    else input(document.getElementById(name), { value: to });
  };
  const began = performance.now();
  const found = [shown(), ...MOVES.map(moves => {
    Object.entries(moves).forEach(([name, to]) => move(name, to));
    return shown();
  })];
  const pre = document.createElement("pre");
  pre.id = "found";
  pre.textContent = JSON.stringify({ found, ms: performance.now() - began });
  document.body.append(pre);
});
