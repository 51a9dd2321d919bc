// SPDX-License-Identifier: Apache-2.0
"use strict";
(() => {
  const G = JSON.parse(document.getElementById("grid").textContent);
  const AXES = ["engine", "units", "code", "density", "pes"];
  const RESOURCES = Object.keys(G.resources);
  const WORDS = { hls: "HLS", rtl: "RTL" };
  const $ = id => document.getElementById(id);
  const radios = name => [...document.getElementsByName(name)];
  const escaped = text => text.replace(/[&<>"]/g, c => `&#${c.charCodeAt(0)};`);
  const fixed = (value, digits) =>
    value.toLocaleString("en-US", { minimumFractionDigits: digits, maximumFractionDigits: digits });
  // as ese4ml estimate prints amounts
  const amount = value => fixed(value, Number.isInteger(value) || value >= 1000 ? 0 : 1);
  const short = value => fixed(value, value >= 1000 ? 0 : value >= 100 ? 1 : 2);
  const percent = value => `${fixed(100 * value, 100 * value >= 99.95 ? 0 : 1)}%`;
  const densityWords = value => (Array.isArray(value) ? value : [value]).map(d => `${+(100 * d).toPrecision(6)}%`).join(", ");

  // ---- the view: numbers on the axes, a board, and a clock or null for the board's ----

  const first = {};
  for (const axis of AXES) first[axis] = G.axes[axis].findIndex(v => String(v) === String(G.view[axis]));
  first.board = G.view.board;
  first.clock = G.view.clock;
  let view = { ...first };

  function fromAddress() {
    const given = new URLSearchParams(location.hash.slice(1)), found = { ...first };
    for (const axis of AXES) {
      const number = G.axes[axis].findIndex(v => String(v) === given.get(axis));
      if (number >= 0) found[axis] = number;
    }
    if (Object.hasOwn(G.boards, given.get("board"))) found.board = given.get("board");
    const clock = Number(given.get("clock"));
    if (Number.isInteger(clock) && clock > 0) found.clock = clock;
    return found;
  }

  function toAddress() {
    const said = AXES.map(axis => [axis, String(G.axes[axis][view[axis]])]);
    said.push(["board", view.board]);
    if (view.clock) said.push(["clock", String(view.clock)]);
    history.replaceState(null, "", `#${new URLSearchParams(said)}`);
  }

  // ---- estimates ----

  const at = v => AXES.reduce((points, axis) => points[v[axis]], G.points);
  // the units that the engine can have: one, if two are not possible
  const possible = v => (at(v) === null ? { ...v, units: 0 } : v);

  function estimate(v) {
    const point = at(v);
    if (typeof point === "number") return { refused: G.texts[point] };
    const [gap, time, energy, basis, assumed] = point, figures = G.times[time];
    const found = { gap, energy, causes: figures.slice(G.figures.length), use: [] };
    G.figures.forEach((name, number) => { found[name] = figures[number]; });
    [found.timeBasis, found.energyBasis, ...found.bases] = G.bases[basis].map(number => G.texts[number]);
    found.assumed = G.bases[assumed].map(number => G.texts[number]);
    for (let place = 5; place < point.length; place += RESOURCES.length + 1) {
      const resources = {};
      RESOURCES.forEach((name, number) => {
        const [names, used, ...parts] = G.uses[point[place + number]];
        resources[name] = { used, parts: G.parts[names].map((part, of) => [part, parts[of]]) };
      });
      found.use.push({ resources, upper: point[place + RESOURCES.length] });
    }
    return found;
  }

  const clockOf = name => view.clock || G.boards[name].clock_mhz;

  function lacking(found, name) {
    const board = G.boards[name], { resources } = found.use[board.family];
    const lacks = RESOURCES.filter(r => Math.ceil(resources[r].used) > board[r])
      .map(r => `${amount(resources[r].used)} of ${amount(board[r])} ${G.resources[r]}`);
    if (clockOf(name) > board.max_clock_mhz) lacks.push(`a clock of ${clockOf(name)} MHz, where ${board.max_clock_mhz} are possible`);
    return lacks;
  }

  function largest(parts, count) {
    const sorted = [...parts].sort((a, b) => b[1] - a[1]).filter(part => part[1]);
    const rest = sorted.slice(count).reduce((sum, part) => sum + part[1], 0);
    const named = sorted.slice(0, count).map(([name, value]) => `${name} ${amount(value)}`);
    return (rest ? [...named, `others ${amount(rest)}`] : named).join(", ");
  }

  function command(v, found) {
    const densities = G.axes.density[v.density];
    return [
      G.command,
      ...(Array.isArray(densities) ? densities : [densities]).map(density => `--density ${density}`),
      `--weight-code ${G.axes.code[v.code]} --pes ${G.axes.pes[v.pes]}`,
      ...(found.refused ? [] : [`--gap-bits ${found.gap}`]),
      `--cells-per-cycle ${G.axes.units[v.units]} --engine ${G.axes.engine[v.engine]} --board ${v.board}`,
      ...(v.clock ? [`--clock-mhz ${v.clock}`] : []),
    ].join(" ");
  }

  // ---- showing ----

  function put(id, text, value, note) {
    $(id).textContent = text;
    $(id).dataset.value = value === undefined ? "" : JSON.stringify(value);
    if (note !== undefined) $(`${id}-note`).textContent = note;
  }

  function marked(element, label) {
    element.className = `mark ${label}`;
    element.textContent = label;
  }

  function bar(row, share) {
    const filled = row.querySelector(".bar i");
    filled.style.width = `${Math.min(100, 100 * share)}%`;
    filled.classList.toggle("over", share > 1);
  }

  function showControls(v) {
    for (const axis of ["pes", "density"]) {
      const value = G.axes[axis][v[axis]], words = axis === "pes" ? String(value) : densityWords(value);
      $(axis).value = v[axis];
      $(axis).setAttribute("aria-valuetext", words);
      $(`${axis}-value`).textContent = words;
    }
    $("code").selectedIndex = v.code;
    $("board").value = v.board;
    if (document.activeElement !== $("clock")) $("clock").value = view.clock || "";
    $("clock").placeholder = `${G.boards[v.board].clock_mhz} (board)`;
    $("clock").max = G.boards[v.board].max_clock_mhz;
    radios("engine").forEach((input, number) => { input.checked = number === v.engine; });
    radios("units").forEach((input, number) => {
      input.checked = number === v.units;
      input.disabled = at({ ...v, units: number }) === null;
    });
    const barred = at({ ...v, units: 1 }) === null, odd = G.axes.pes[v.pes] % 2;
    $("units-why").hidden = !barred;
    $("units-why").textContent = odd ? "Two take an even number of PEs." : "Two need a window in RTL: --window 64.";
  }

  function showVerdict(v, found) {
    const element = $("verdict");
    if (found.refused) {
      element.className = "verdict bad";
      element.innerHTML = `<strong>No such design.</strong><p>${escaped(found.refused[0].toUpperCase() + found.refused.slice(1))}.</p>`;
      element.dataset.fits = "";
      return "no design";
    }
    const lacks = lacking(found, v.board);
    element.className = lacks.length ? "verdict bad" : "verdict";
    element.dataset.fits = String(!lacks.length);
    if (lacks.length) {
      element.innerHTML = `<strong>Does not fit ${v.board}.</strong><p>It needs ${escaped(lacks.join(", "))}.</p>`;
      return `does not fit ${v.board}`;
    }
    const board = G.boards[v.board], { resources, upper } = found.use[board.family];
    const share = r => resources[r].used / board[r];
    const scarcest = RESOURCES.reduce((a, b) => (share(b) > share(a) ? b : a));
    const unsettled = upper > board.luts
      ? ` Its LUTs are not settled: ${amount(resources.luts.used)} as modelled fit, but the upper count of ${amount(upper)} does not.`
      : "";
    element.innerHTML =
      `<strong>Fits ${v.board}.</strong><p>Scarcest is ${G.resources[scarcest]}: ` +
      `${amount(resources[scarcest].used)} of ${amount(board[scarcest])}.${unsettled}</p>`;
    return `fits ${v.board}`;
  }

  function showFigures(v, found) {
    const clock = clockOf(v.board), none = found.refused !== undefined;
    $("figures").classList.toggle("empty", none);
    if (none) {
      for (const id of ["cycles", "latency", "frames", "utilisation", "kept", "energy"]) put(id, "–", undefined, "no design");
      return "";
    }
    const cycles = found.cycles_per_step, latency = cycles / clock;
    put("cycles", amount(cycles), cycles, "in the steady state, one stream");
    put("latency", `${short(latency)} us`, latency, `at ${clock} MHz`);
    put("frames", fixed((clock * 1e6) / cycles, 0), (clock * 1e6) / cycles, "one step each");
    put("utilisation", percent(found.utilisation), found.utilisation, `${percent(found.matvec_utilisation)} within the matrices`);
    put("kept", amount(found.kept_weights), found.kept_weights,
      `of ${amount(G.dense_weights)}; ${found.gap}-bit gaps, ${amount(found.padding_entries)} padding entries`);
    marked($("kept-mark"), /exact$/.test(found.timeBasis) ? "counted" : "modelled");
    put("energy", `${short(found.energy / 1e6)} uJ`, found.energy, "45 nm table, to compare designs with each other");
    return `${short(latency)} us a step, `;
  }

  function showCauses(found) {
    Object.keys(G.causes).forEach((name, number) => {
      const body = $(`cause-${number}`), row = body.rows[0], value = found.refused ? 0 : found.causes[number];
      const share = found.refused ? 0 : value / found.cycles_per_step;
      body.dataset.value = JSON.stringify(value);
      row.cells[1].textContent = amount(value);
      row.cells[2].textContent = percent(share);
      bar(body, share);
    });
  }

  function showResources(v, found) {
    const board = G.boards[v.board];
    $("resources-board").textContent = v.board;
    RESOURCES.forEach((name, number) => {
      const body = $(`resource-${name}`), [row] = body.rows;
      const use = found.refused ? null : found.use[board.family].resources[name];
      body.classList.toggle("lacking", use !== null && Math.ceil(use.used) > board[name]);
      body.dataset.value = use ? JSON.stringify(use.used) : "";
      row.cells[1].textContent = use ? amount(use.used) : "–";
      row.cells[2].textContent = amount(board[name]);
      body.querySelector(".parts").textContent = use ? largest(use.parts, 4) : "";
      marked(row.querySelector(".mark"), use ? found.bases[number].split(/[: ]/)[0] : "");
      bar(body, use ? use.used / board[name] : 0);
    });
    $("upper").textContent = found.refused ? "" : `If no LUT is paired with another: ${amount(found.use[board.family].upper)} LUT.`;
    $("upper").dataset.value = found.refused ? "" : found.use[board.family].upper;
  }

  function showBoards(v, found) {
    for (const [name, board] of Object.entries(G.boards)) {
      const body = $(`board-${name}`), [row, reason] = body.rows, clock = clockOf(name);
      body.querySelector(".pick").setAttribute("aria-pressed", String(name === v.board));
      row.cells[1].textContent = clock;
      row.cells[2].textContent = found.refused ? "–" : `${short(found.cycles_per_step / clock)} us`;
      RESOURCES.forEach((resource, number) => {
        const cell = row.cells[3 + number];
        const used = found.refused ? 0 : found.use[board.family].resources[resource].used;
        cell.classList.toggle("over", Math.ceil(used) > board[resource]);
        cell.firstChild.textContent = found.refused ? "–" : `${fixed((100 * used) / board[resource], 0)}%`;
        bar(cell, used / board[resource]);
      });
      const lacks = found.refused ? [] : lacking(found, name);
      body.dataset.fits = found.refused ? "" : String(!lacks.length);
      reason.cells[0].innerHTML = found.refused
        ? "no design"
        : lacks.length
          ? `<b class="no">✗ does not fit:</b> needs ${escaped(lacks.join(", "))}`
          : '<b class="yes">✓ fits</b>';
    }
  }

  function showBasis(found) {
    const rows = found.refused ? [] : [["cycles", found.timeBasis], ["energy", found.energyBasis],
      ...RESOURCES.map((name, number) => [G.resources[name], found.bases[number]])];
    $("bases").innerHTML = rows.map(([name, text]) => `<dt>${name}</dt><dd>${escaped(text)}</dd>`).join("");
    $("assumed").innerHTML = (found.assumed || []).map(text => `<li>${escaped(text)}</li>`).join("");
  }

  // ---- the chart: latency over PEs, and below it for each board which numbers of PEs fit ----

  let columns = [];

  function ticks(low, high) {
    const found = [];
    for (let power = 10 ** Math.floor(Math.log10(low)); power <= high; power *= 10)
      found.push(...[1, 2, 5].map(digit => digit * power));
    return found.filter(value => value >= low && value <= high);
  }

  function showChart(v) {
    const svg = $("chart"), width = svg.clientWidth || 600, names = Object.keys(G.boards);
    const left = 84, right = 14, top = 14, plot = width < 420 ? 200 : 240, lane = 22;
    const bottom = top + plot, height = bottom + 30 + names.length * lane, clock = clockOf(v.board), pes = G.axes.pes;
    const all = G.axes.density.map((_, density) => pes.map((_, p) => estimate(possible({ ...v, density, pes: p }))));
    const latencies = all.flat().filter(e => !e.refused).map(e => e.cycles_per_step / clock);
    const low = Math.min(...latencies) / 1.15, high = Math.max(...latencies) * 1.15;
    const x = value => left + 8 + ((width - left - right - 16) * Math.log2(value / pes[0])) / Math.log2(pes.at(-1) / pes[0] || 2);
    const y = value => top + (plot * Math.log10(high / value)) / Math.log10(high / low);
    columns = pes.map(x);
    // a block of the boards' rows ends half-way to the next number of PEs, but no number stands for a wide gap
    const half = number => Math.min(6, (columns[number] - columns[number - 1]) / 2 || 6);
    const drawn = [`<rect class="at" x="${columns[v.pes] - 8}" y="${top}" width="16" height="${height - top}"/>`];
    for (const value of ticks(low, high)) {
      const words = value >= 1e6 ? `${amount(value / 1e6)} s` : value >= 1000 ? `${amount(value / 1000)} ms` : `${amount(value)} us`;
      drawn.push(`<line class="grid" x1="${left}" x2="${width - right}" y1="${y(value)}" y2="${y(value)}"/>`,
        `<text class="end" x="${left - 8}" y="${y(value) + 4}">${words}</text>`);
    }
    for (let value = 1; value <= pes.at(-1); value *= 2)
      drawn.push(`<text class="middle${value === pes[v.pes] ? " now" : ""}" x="${x(value)}" y="${bottom + 18}">${value}</text>`);
    drawn.push(`<text class="end" x="${left - 8}" y="${bottom + 18}">PEs</text>`);
    const path = row => row.map((e, p) => (e.refused ? "" : `${row[p - 1] && !row[p - 1].refused ? "L" : "M"}${columns[p]},${y(e.cycles_per_step / clock)}`)).join("");
    all.forEach((row, density) => { if (density !== v.density) drawn.push(`<path class="other" d="${path(row)}"/>`); });
    const chosen = all[v.density];
    drawn.push(`<path class="chosen" d="${path(chosen)}"/>`);
    chosen.forEach((e, p) => {
      if (e.refused) return;
      const fits = !lacking(e, v.board).length, place = `cx="${columns[p]}" cy="${y(e.cycles_per_step / clock)}"`;
      drawn.push(`<circle class="${fits ? "fits" : "lacks"}" ${place} r="3.5"/>`);
      if (p === v.pes) drawn.push(`<circle class="ring" ${place} r="7"/>`);
    });
    const most = {};
    names.forEach((name, number) => {
      const middle = bottom + 30 + (number + 0.5) * lane;
      drawn.push(`<text class="end${name === v.board ? " now" : ""}" x="${left - 8}" y="${middle + 4}">${name}</text>`);
      chosen.forEach((e, p) => {
        const before = half(p), from = columns[p] - before + 0.5, wide = before + half(p + 1) - 1;
        const kind = e.refused ? "none" : lacking(e, name).length ? "lacks" : "fits";
        if (kind === "fits") most[name] = pes[p];
        const tall = { none: 0, lacks: 3, fits: 12 }[kind];
        drawn.push(kind === "none"
          ? `<line class="board-none" x1="${from}" x2="${from + wide}" y1="${middle}" y2="${middle}"/>`
          : `<rect class="board-${kind}" x="${from}" y="${middle - tall / 2}" width="${wide}" height="${tall}"/>`);
      });
    });
    svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
    svg.style.height = `${height}px`;
    svg.innerHTML = drawn.join("");
    const limit = most[v.board] ? `the most that fit ${v.board} are ${most[v.board]}` : `none fits ${v.board}`;
    $("chart-note").textContent =
      `${WORDS[G.axes.engine[v.engine]]}, ${G.axes.code[v.code]} weights, density ${densityWords(G.axes.density[v.density])}, ` +
      `at ${clock} MHz. Of those tried, ${limit}. Click to choose.`;
  }

  function show() {
    const v = possible(view), found = estimate(v);
    showControls(v);
    const verdict = showVerdict(v, found);
    $("summary").textContent = showFigures(v, found) + verdict;
    showCauses(found);
    showResources(v, found);
    showBoards(v, found);
    put("command", command(v, found));
    showBasis(found);
    showChart(v);
  }

  function choose(changes) {
    view = { ...view, ...changes };
    show();
    toAddress();
  }

  // ---- events ----

  for (const axis of ["pes", "density"]) $(axis).addEventListener("input", event => choose({ [axis]: +event.target.value }));
  $("code").addEventListener("input", event => choose({ code: event.target.selectedIndex }));
  $("board").addEventListener("input", event => choose({ board: event.target.value }));
  $("clock").addEventListener("input", event => {
    const value = Number(event.target.value);
    choose({ clock: Number.isInteger(value) && value > 0 ? value : null });
  });
  for (const axis of ["engine", "units"])
    radios(axis).forEach((input, number) => input.addEventListener("input", () => choose({ [axis]: number })));
  document.querySelectorAll(".pick").forEach(button => button.addEventListener("click", () => choose({ board: button.value })));
  $("reset").addEventListener("click", () => choose(first));
  $("controls").addEventListener("submit", event => event.preventDefault());
  const pick = event => {
    const place = event.clientX - $("chart").getBoundingClientRect().left;
    const near = columns.reduce((best, column, p) => (Math.abs(column - place) < Math.abs(columns[best] - place) ? p : best), 0);
    if (near !== view.pes) choose({ pes: near });
  };
  $("chart").addEventListener("pointerdown", pick);
  $("chart").addEventListener("pointermove", event => { if (event.buttons) pick(event); });
  $("copy").addEventListener("click", async () => {
    const range = document.createRange();
    range.selectNodeContents($("command"));
    getSelection().removeAllRanges();
    getSelection().addRange(range);
    try {
      await navigator.clipboard.writeText($("command").textContent);
      $("copy").textContent = "Copied";
      setTimeout(() => { $("copy").textContent = "Copy"; }, 1500);
    } catch { $("copy").textContent = "Selected"; }
  });
  addEventListener("hashchange", () => { view = fromAddress(); show(); });
  addEventListener("resize", () => showChart(possible(view)));

  view = fromAddress();
  show();
})();
