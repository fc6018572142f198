// The page: one stream of events in, text out. Everything that comes from outside (names, words, errors) is set as text, never as markup.
"use strict";

const FLUSH_MS = 500; // Changes closer together than this are drawn together.
const TURNS_SHOWN = 20;
const LIVE_SHOWN = 3; // Turns in the card "Now": those under way, and the last one over.
const RETRY_MS = 10000; // After the server refused a stream; the browser itself reconnects after a broken one.
const TEXT_MAX = 4000; // Longest text that is drawn.
const NOTE_MAX = 16000; // Likewise of a note; what a model puts on the page is half as long at most.

const state = { status: null, trouble: null, live: new Map(), past: [], approvals: [], csrf: null };
const byId = (id) => document.getElementById(id);

// Drawing

function el(tag, className, text) {
  const node = document.createElement(tag);
  if (className) node.className = className;
  if (text !== undefined) say(node, text);
  return node;
}

/** Sets a node's text where it differs, so that nothing unchanged is laid out or read aloud again. */
function say(node, text) {
  const shown = String(text ?? "").slice(0, TEXT_MAX);
  if (node.textContent !== shown) node.textContent = shown;
}

function mark(node, name, value) {
  if (value === undefined || value === null || value === false) delete node.dataset[name];
  else if (node.dataset[name] !== String(value)) node.dataset[name] = String(value);
}

/** Makes the children of `list` those of `items`, in order; `make` builds a node once per key, `fill` brings it up to date. */
function keyed(list, items, keyOf, make, fill) {
  const known = new Map([...list.children].map((node) => [node.itemKey, node]));
  items.forEach((item, index) => {
    const key = keyOf(item, index);
    let node = known.get(key);
    if (node) known.delete(key);
    else {
      node = make(item);
      node.itemKey = key;
    }
    fill(node, item);
    if (list.children[index] !== node) list.insertBefore(node, list.children[index] ?? null);
  });
  for (const node of known.values()) node.remove();
}

let drawn = -FLUSH_MS;
let waiting = null;

/** Draws at once where nothing was drawn lately, else once for all that changes until then. */
function changed() {
  if (waiting !== null) return;
  const wait = drawn + FLUSH_MS - performance.now();
  if (wait <= 0) draw();
  else waiting = setTimeout(draw, wait);
}

function draw() {
  waiting = null;
  drawn = performance.now();
  drawLive();
  drawPast();
  if (state.status) {
    mark(document.body, "known", "");
    drawNotices();
    drawSatellites();
    drawNodes();
    drawParts();
    drawChanges();
  }
}

// Words

const percent = (share) => `${Math.round(share * 100)} %`;
const span = (ms) => (Math.abs(ms) < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(2)} s`);
/** Micro-dollars, rounded up to the cent. */
const dollars = (micro) => `$${(Math.ceil(micro / 10000) / 100).toFixed(2)}`;
const two = (n) => String(n).padStart(2, "0");

function clock(ms) {
  const at = new Date(ms);
  const time = `${two(at.getHours())}:${two(at.getMinutes())}`;
  if (at.toDateString() === new Date().toDateString()) return time;
  return `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())} ${time}`;
}

const routes = {
  intent: "Answered by the local grammar",
  local_model: "Answered by a model in the house",
  cloud_model: "Answered by a model elsewhere",
  question: "Asked back",
  not_understood: "Not understood",
  sorry: "Could not be answered",
};
const checks = {
  confirmed: "confirmed by the ear",
  contradicted: "contradicted by the ear",
  cannot_tell: "not confirmed by the ear",
};
const moments = [
  ["first_frame", "first sound heard"],
  ["speech_end", "last word"],
  ["transcript", "transcript"],
  ["first_sentence", "first sentence"],
  ["first_audio", "first sound played"],
  ["played", "played"],
];

function woken(wake) {
  if (!wake) return "";
  const check = checks[wake.check];
  return `\u201c${wake.phrase}\u201d ${wake.score.toFixed(2)}${check ? `, ${check}` : ""}`;
}

// The turn under way

function liveTurn(id, at) {
  let turn = state.live.get(id);
  if (!turn) {
    turn = { id, at, place: "typed", wake: null, words: "", partial: true, route: null, tools: [], said: [], page: null, marks: {}, error: null, over: false };
    state.live.set(id, turn);
  }
  return turn;
}

const take = {
  wake(e) {
    for (const [id, turn] of state.live) if (turn.over) state.live.delete(id);
    const turn = liveTurn(e.turn, e.at);
    turn.place = e.satellite ?? "typed";
    turn.wake = e.wake;
  },
  partial(e) {
    const turn = liveTurn(e.turn, e.at);
    if (turn.partial) turn.words = e.text;
  },
  transcript(e) {
    const turn = liveTurn(e.turn, e.at);
    turn.words = e.text;
    turn.partial = false;
    announce(`Heard: ${e.text}`);
  },
  route(e) {
    liveTurn(e.turn, e.at).route = e.route;
  },
  tool(e) {
    liveTurn(e.turn, e.at).tools.push(e.tool);
  },
  reply(e) {
    liveTurn(e.turn, e.at).page = e.page;
  },
  sentence(e) {
    const turn = liveTurn(e.turn, e.at);
    // An answer that begins again replaces the one before.
    if (e.index === 0) turn.said = [];
    turn.said[e.index] = e.text;
  },
  marks(e) {
    liveTurn(e.turn, e.at).marks = e.marks_ms;
  },
  approval() {
    refresh();
  },
  turn_done(e) {
    const turn = liveTurn(e.turn_id, e.at);
    turn.over = true;
    turn.error = e.error;
    turn.marks = e.marks_ms;
    turn.tools = e.tools;
    turn.route = e.route ?? turn.route;
    turn.partial = false;
    turn.words = e.transcript ?? turn.words;
    if (e.reply && !turn.said.length) turn.said = [e.reply];
    const past = { ...e, started_ms: turn.at, room: turn.place, source: e.satellite ? "voice" : "typed", finished: true, forgotten: false };
    state.past = [past, ...state.past.filter((p) => p.turn_id !== e.turn_id)].slice(0, TURNS_SHOWN);
    announce(e.reply ? `Answered: ${e.reply}` : "The turn ended without an answer");
  },
};

function announce(text) {
  say(byId("announce"), text);
}

function phase(turn) {
  if (turn.error) return ["failed", "Failed"];
  if (turn.over) return ["done", "Done"];
  if (turn.said.length) return ["speaking", "Speaking"];
  if (!turn.partial) return ["thinking", "Thinking"];
  return ["listening", "Listening"];
}

function drawLive() {
  const turns = [...state.live.values()].slice(-LIVE_SHOWN);
  keyed(byId("live"), turns, (t) => t.id, makeLive, fillLive);
}

function makeLive() {
  const node = el("article", "turn");
  const head = el("div", "turn-head");
  head.append(el("bdi", "place"), el("span", "woken"), el("span", "phase"));
  node.append(head, el("p", "asked"), el("div", "steps"), el("p", "said"), el("div", "more"), el("p", "wrong"), el("dl", "marks"));
  return node;
}

function fillLive(node, turn) {
  const [head, asked, steps, said, more, wrong, marks] = node.children;
  say(head.children[0], turn.place);
  say(head.children[1], woken(turn.wake));
  const [name, label] = phase(turn);
  say(head.children[2], label);
  mark(head.children[2], "state", name);
  say(asked, turn.words || (turn.over ? "Nothing was heard." : ""));
  mark(asked, "partial", turn.partial ? "" : null);
  fillSteps(steps, turn);
  keyed(said, turn.said.filter((s) => s !== undefined), (_, index) => index, () => el("span"), (span, text) => say(span, text));
  fillNote(more, turn.page ?? "");
  say(wrong, turn.error ?? "");
  wrong.hidden = !turn.error;
  fillMarks(marks, turn.marks);
}

/** Whether a line stands in columns, which would lose their sense if it were wrapped. */
const inColumns = (line) => /[|\t]|[^\s.!?:] {2,}\S/.test(line);

/** A text to be read: prose is wrapped; tables and what stands between fences keep their lines, and are scrolled by themselves. */
function fillNote(node, text) {
  if (node.noted === text) return;
  node.noted = text;
  node.hidden = !text;
  const blocks = [];
  let fenced = false;
  for (const line of text.slice(0, NOTE_MAX).split("\n")) {
    const fence = line.trimStart().startsWith("```");
    const columns = fence || fenced || inColumns(line);
    fenced = fence !== fenced;
    if (blocks.at(-1)?.columns !== columns) blocks.push({ columns, lines: [] });
    blocks.at(-1).lines.push(line);
  }
  node.replaceChildren(...blocks.map(({ columns, lines }) => {
    const block = el("pre", columns ? "columns" : "");
    block.textContent = lines.join("\n").replace(/^\n+|\n+$/g, ""); // Blocks stand apart already.
    if (columns) block.tabIndex = 0; // So that it is scrolled without a mouse, too.
    return block;
  }));
  if (text.length > NOTE_MAX) node.append(el("p", "", "It goes on: jarvisctl turns has all of it."));
}

function fillSteps(steps, turn) {
  const items = (turn.tools ?? []).map((tool) => ({ tool }));
  if (turn.route) items.unshift({ route: turn.route });
  keyed(steps, items, (item, index) => `${index}${item.route ? "r" : "t"}`, (item) => {
    const node = el("div");
    if (item.tool) node.append(el("span", "tier"), el("span", "tool"), el("span"));
    return node;
  }, (node, item) => {
    if (item.route) return say(node, `${routes[item.route.kind] ?? item.route.kind}: ${item.route.reason}`);
    const [tier, tool, outcome] = node.children;
    say(tier, item.tool.tier);
    mark(tier, "tier", item.tool.tier);
    say(tool, called(item.tool));
    say(outcome, ` ${item.tool.outcome}, ${span(item.tool.ms)}`);
  });
}

function called(tool) {
  const args = tool.args && Object.keys(tool.args).length ? JSON.stringify(tool.args) : "";
  return `${tool.name} ${args}`.trim();
}

function fillMarks(list, marks) {
  const items = moments.filter(([name]) => Number.isFinite(marks?.[name])).map(([name, label]) => [label, span(marks[name])]);
  if (Number.isFinite(marks?.speech_end) && Number.isFinite(marks?.first_audio)) {
    items.push(["from last word to first sound", span(marks.first_audio - marks.speech_end)]);
  }
  keyed(list, items, ([label]) => label, ([label]) => {
    const pair = el("div");
    pair.append(el("dt", "", label), el("dd"));
    return pair;
  }, (pair, [, value]) => say(pair.children[1], value));
}

// Earlier turns

function drawPast() {
  keyed(byId("turn-list"), state.past, (t) => t.turn_id, makePast, fillPast);
}

function makePast() {
  const node = el("li");
  const details = el("details");
  const summary = el("summary");
  summary.append(el("time"), el("span", "words"), el("span", "where"), el("span", "reply"));
  const inside = el("div", "inside");
  inside.append(el("div", "more"), el("div", "steps"), el("p", "wrong"), el("dl", "marks"));
  details.append(summary, inside);
  node.append(details);
  return node;
}

function fillPast(node, turn) {
  const [summary, inside] = node.firstChild.children;
  const [time, words, where, reply] = summary.children;
  say(time, clock(turn.started_ms));
  time.dateTime = new Date(turn.started_ms).toISOString();
  say(words, turn.transcript ?? (turn.forgotten ? "Forgotten" : turn.source === "said" ? "Words to say" : "Nothing was heard"));
  mark(words, "none", turn.transcript ? null : "");
  say(where, `${turn.page ? "in writing \u00b7 " : ""}${turn.error ? "failed" : (turn.satellite ?? turn.source)}`);
  mark(where, "state", turn.error ? "bad" : null);
  say(reply, turn.reply ?? "");
  const [more, steps, wrong, marks] = inside.children;
  fillNote(more, turn.page ?? "");
  fillSteps(steps, turn);
  say(wrong, turn.error ?? "");
  wrong.hidden = !turn.error;
  fillMarks(marks, turn.marks_ms);
}

// The house

function drawNotices() {
  const { ear, degraded, kept_aside: kept } = state.status;
  const items = [];
  if (ear.state === "ready" && !ear.tried_on_people) {
    items.push({ key: "demo", title: "Demo ear.", text: `The model ${ear.model} was not tried on people\u2019s voices: it may hear requests that nobody made.${degraded.some((p) => p.part === "untried ear") ? "" : " It opens reads only."}` });
  }
  for (const part of degraded) {
    const instead = part.fallback ? `; meanwhile ${part.fallback}` : "";
    items.push({ key: `part ${part.part}`, bad: !part.fallback, title: `${part.part}:`, text: `${part.reason}${instead} (since ${clock(part.since)})` });
  }
  if (kept.length && !degraded.some((p) => p.part === "store")) {
    items.push({ key: "kept", title: "store:", text: `a damaged database was kept aside: ${kept.join(", ")}; jarvisctl doctor says what to do` });
  }
  if (state.trouble) items.push({ key: "trouble", bad: true, title: "store:", text: state.trouble });
  keyed(byId("notices"), items, (i) => i.key, () => {
    const node = el("p", "notice");
    node.append(el("b"), el("bdi"));
    return node;
  }, (node, item) => {
    mark(node, "level", item.bad ? "bad" : null);
    say(node.children[0], item.title);
    say(node.children[1], item.text);
  });
}

function makeRow() {
  const node = el("li");
  const name = el("span", "dot");
  name.append(el("bdi"));
  node.append(name, el("span", "state"), el("span", "detail"));
  return node;
}

function fillRow(node, { name, level, news, detail }) {
  const [dot, stateText, more] = node.children;
  say(dot.firstChild, name);
  mark(dot, "state", level);
  say(stateText, news);
  mark(stateText, "state", level === "bad" ? "bad" : null);
  say(more, detail.filter(Boolean).join(" \u00b7 "));
}

function drawSatellites() {
  const rows = state.status.satellites.map((s) => ({
    key: s.id,
    name: s.room,
    level: s.connected ? (s.muted ? "warn" : "good") : "bad",
    news: s.connected ? (s.muted ? "muted" : "connected") : "away",
    detail: s.connected
      ? [`volume ${s.volume_percent} %`, s.rtt_ms === null ? "" : `round trip under ${Math.round(s.rtt_ms)} ms`, s.echo_cancelled ? "echo cancelled" : "no echo canceller", s.software]
      : [`key ${s.key_fingerprint}`],
  }));
  keyed(byId("satellite-list"), rows, (r) => r.key, makeRow, fillRow);
}

function drawNodes() {
  const rows = state.status.nodes.map((n) => ({
    key: n.node,
    name: n.node,
    level: n.answers === true ? "good" : n.answers === false ? "bad" : "warn",
    news: n.answers === true ? "answers" : n.answers === false ? "unknown" : "not asked yet",
    detail: [
      n.answers === false ? (n.trouble ?? "it does not answer") : "",
      Number.isFinite(n.guests) ? `${n.running} of ${n.guests} guests run` : "",
      Number.isFinite(n.cpu) ? `cpu ${percent(n.cpu)}` : "",
      Number.isFinite(n.memory) ? `memory ${percent(n.memory)}` : "",
    ],
  }));
  keyed(byId("node-list"), rows, (r) => r.key, makeRow, fillRow);
}

function drawParts() {
  const { ear, speech, version } = state.status;
  const ears = { ready: ear.model, starting: "starting", broken: "broken" };
  const rows = [["Ear", ears[ear.state] ?? ear.state, ear.state === "broken"]];
  const engines = speech?.engines ?? [];
  const voice = engines.map((e) => (e.trouble ? `${e.name} (passed over)` : e.name)).join(", then ");
  rows.push(["Voice", voice || "broken", !engines.some((e) => !e.trouble)]);
  const { minds: models, spent, caps } = state.status.minds;
  if (models.length) {
    rows.push(["Models", models.map((m) => `${m.name} (${m.place}${m.asked ? "" : ", left alone"}${m.price_known ? "" : ", no price"})`).join(", then "), !models.some((m) => m.asked)]);
    const used = spent && (spent.day >= caps.day || spent.month >= caps.month);
    const money = spent ? `${dollars(spent.day)} of ${dollars(caps.day)} today, ${dollars(spent.month)} of ${dollars(caps.month)} this month` : "unknown";
    rows.push(["Costs", used ? `${money}: local models alone` : money, used || !spent]);
  }
  rows.push(["Version", version, false]);
  const list = byId("part-list");
  const cells = rows.flatMap(([name, value, bad]) => [{ key: `${name} t`, tag: "dt", text: name }, { key: `${name} d`, tag: "dd", text: value, bad }]);
  keyed(list, cells, (c) => c.key, (c) => el(c.tag), (node, cell) => {
    say(node, cell.text);
    mark(node, "state", cell.bad ? "bad" : null);
  });
}

// Changes: what waits for an answer, and the kill switch

const stages = { pending: "waits for an answer", approved: "approved", started: "under way", done: "done", failed: "failed", unknown: "unknown", denied: "denied", cancelled: "cancelled", expired: "too old" };

function drawChanges() {
  const { power } = state.status;
  const on = power.power === "on";
  const news = on ? "may run" : power.by ? `stopped by ${power.by} at ${clock(power.at_ms)}` : `stopped: ${power.why}`;
  say(byId("power").firstChild, `Changes ${news}`);
  mark(byId("power"), "state", on ? "good" : "bad");
  say(byId("power-button"), on ? "Stop all changes" : "Let changes run again");
  byId("power-button").className = on ? "grave" : "";
  byId("enter").hidden = state.csrf !== null;
  const open = state.approvals.filter((a) => ["pending", "approved", "started"].includes(a.stage));
  const recent = state.approvals.filter((a) => !open.includes(a)).slice(0, 3);
  keyed(byId("question-list"), [...open, ...recent], (a) => a.id, makeQuestion, fillQuestion);
}

function makeQuestion(approval) {
  const node = el("li");
  const head = el("p");
  head.append(el("span", "tier"), el("span", "stage"));
  const form = el("form", "reply-form");
  // Words that stand on this page are confirmed elsewhere.
  const elsewhere = approval.needs_words && approval.told === "page";
  if (approval.needs_words && !elsewhere) {
    const words = el("input");
    words.ariaLabel = "The two words that were spoken";
    words.placeholder = "the two words";
    words.autocomplete = "off";
    words.required = true; // Forgotten words are no wrong ones.
    form.append(words);
  }
  const yes = el("button", approval.tier === "RED" ? "grave" : "", "Yes, do it");
  const no = el("button", "plain", "No");
  no.type = "button";
  form.append(...(elsewhere ? [no] : [yes, no]));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    if (elsewhere) return;
    const words = form.querySelector("input")?.value ?? null;
    send("/api/approve", { id: node.itemKey, seal: node.dataset.seal, words }, "Approved.");
  });
  no.addEventListener("click", () => send("/api/deny", { id: node.itemKey }, "Nothing will be done."));
  const confirm = el("p", "confirm");
  confirm.append(el("span"), el("code"));
  node.append(head, el("p", "question"), form, confirm);
  return node;
}

function fillQuestion(node, approval) {
  const [head, question, form, confirm] = node.children;
  mark(node, "seal", approval.seal);
  say(head.children[0], approval.tier);
  mark(head.children[0], "tier", approval.tier);
  const outcome = approval.outcome ? `: ${approval.outcome}` : "";
  const until = approval.stage === "pending" ? ` until ${clock(approval.expires_ms)}` : "";
  say(head.children[1], `${stages[approval.stage] ?? approval.stage}${until}${outcome}, ${approval.program ? `program ${approval.program}` : (approval.room ?? "typed")}, ${clock(approval.asked_ms)}`);
  say(question, approval.question);
  form.hidden = approval.stage !== "pending" || state.csrf === null;
  confirm.hidden = approval.stage !== "pending" || approval.told !== "page" || !approval.needs_words;
  const [told, command] = confirm.children;
  say(told, approval.words ? `Its words: ${approval.words}. Confirm them with ` : "Sign in to see its two words.");
  say(command, approval.words ? `jarvisctl approve ${approval.id} ${approval.words}` : "");
}

async function refresh() {
  try {
    const answer = await fetch("/api/approvals");
    if (answer.ok) state.approvals = await answer.json();
  } catch {
    // The stream tells that the connection is lost.
    return;
  }
  changed();
}

async function send(path, body, done) {
  try {
    const answer = await fetch(path, {
      method: "POST",
      headers: { "content-type": "application/json", "x-jarvis-csrf": state.csrf ?? "" },
      body: JSON.stringify(body),
    });
    if (answer.status === 401) state.csrf = null;
    const text = answer.ok ? done : await answer.text();
    say(byId("answered"), text);
    if (answer.ok) return await answer.json();
  } catch {
    say(byId("answered"), "That did not reach Jarvis; jarvisctl stop works without this page.");
  } finally {
    await refresh();
  }
  return null;
}

byId("enter").addEventListener("submit", async (event) => {
  event.preventDefault();
  const entered = await send("/api/session", { token: byId("token").value }, "Signed in.");
  byId("token").value = "";
  if (entered) state.csrf = entered.csrf;
  changed();
});

byId("power-button").addEventListener("click", () => {
  if (state.status?.power.power === "on") send("/api/stop", {}, "Nothing is changed any more.");
  else send("/api/resume", {}, "Changes may run again.");
});

// The stream

function connection(name, text) {
  const node = byId("connection");
  mark(node, "state", name);
  say(node, text);
}

function receive(event) {
  const handler = Object.hasOwn(take, event.kind) ? take[event.kind] : null;
  if (!handler) return;
  handler(event);
  changed();
}

function connect() {
  const stream = new EventSource("/events");
  stream.addEventListener("snapshot", (message) => {
    const { status, turns, running, trouble } = JSON.parse(message.data);
    state.status = status;
    state.trouble = trouble;
    // What is under way is stored already; it moves to the list when it is over.
    const live = new Set(running.map((e) => e.turn));
    state.past = turns.filter((t) => !live.has(t.turn_id));
    for (const [id, turn] of state.live) if (!turn.over || live.has(id)) state.live.delete(id);
    for (const event of running) if (Object.hasOwn(take, event.kind)) take[event.kind](event);
    connection("live", "Live");
    refresh();
  });
  stream.addEventListener("event", (message) => receive(JSON.parse(message.data)));
  stream.addEventListener("status", (message) => {
    state.status = JSON.parse(message.data);
    changed();
  });
  stream.addEventListener("error", () => {
    connection("lost", "Connection lost. Trying again…");
    if (stream.readyState === EventSource.CLOSED) setTimeout(connect, RETRY_MS);
  });
}

fetch("/api/session").then((answer) => answer.json()).then(({ csrf }) => {
  state.csrf = csrf;
  changed();
}, () => {});
connect();
