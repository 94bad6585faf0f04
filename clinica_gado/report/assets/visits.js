// The table of visits, and the cards of those on the page: one filter, order and page for both.

const state = { find: "", filter: "", sort: null, turn: 1, page: 0, size: DATA.cards_per_page };
const LEVELS = { failed: ["✕", "failed"], doubtful: ["△", "look at"], fine: ["✓", "no remarks"] };
let chosen = [];

const doubtsOf = (visit) => visit.doubts.map((doubt) => doubt.text).join("; ");
const decisionOf = (visit) => (reviews.get(keyOf(visit)) || {}).decision || "";

/** Columns: a title, the value that sorts, and how a cell shows it. */
const COLUMNS = [
  { title: "Visit", value: nameOf, cell: visitButton, head: true },
  { title: "State", value: (visit) => Object.keys(LEVELS).indexOf(visit.level), cell: levelMark },
  { title: "Doubts and reasons", value: doubtsOf, cell: (visit) => make("span", { class: "reason" }, doubtsOf(visit)) },
  ...DATA.columns.map((column, place) => ({
    title: column.title, help: column.help, number: column.digits !== undefined,
    value: (visit) => visit.columns[place],
    cell: (visit) => shown(visit.columns[place], column.digits),
  })).filter((column) => DATA.visits.some((visit) => column.value(visit) !== null)),
  { title: "Review", value: decisionOf, cell: reviewMark },
];

function levelMark(visit) {
  const [symbol, words] = LEVELS[visit.level];
  return make("span", { class: `level ${visit.level}` }, make("span", { "aria-hidden": "true" }, `${symbol} `), words);
}

function reviewMark(visit) {
  const words = { accept: "✓ accept", reject: "⊘ reject" }[decisionOf(visit)];
  return words ? make("span", { class: `decision ${decisionOf(visit)}` }, words) : "";
}

function visitButton(visit) {
  return make("button", { type: "button", class: "link", onclick: () => showVisit(keyOf(visit)) }, nameOf(visit));
}

function passes(visit) {
  const { filter, find } = state;
  const kinds = visit.doubts.map((doubt) => doubt.kind);
  const decision = decisionOf(visit);
  if (filter === "doubtful" ? !kinds.length
    : filter === "fine" ? kinds.length
    : filter === "unreviewed" ? decision
    : filter === "accept" || filter === "reject" ? decision !== filter
    : filter && !kinds.includes(filter)) return false;
  if (!find) return true;
  const words = `${nameOf(visit)} ${keyOf(visit)} ${doubtsOf(visit)} ${(reviews.get(keyOf(visit)) || {}).comment || ""}`;
  return words.toLowerCase().includes(find);
}

/** Missing values come last, whichever way round. */
function compare(column) {
  const collator = new Intl.Collator("en", { numeric: true });
  const missing = (value) => value === null || value === undefined || value === "";
  return (a, b) => {
    const [x, y] = [column.value(a), column.value(b)];
    if (missing(x) || missing(y)) return missing(x) - missing(y);
    return state.turn * (typeof x === "number" && typeof y === "number" ? x - y : collator.compare(x, y));
  };
}

function choose() {
  chosen = DATA.visits.filter(passes);
  if (state.sort !== null) chosen.sort(compare(COLUMNS[state.sort]));
  state.page = Math.max(0, Math.min(state.page, Math.ceil(chosen.length / state.size) - 1));
}

function drawHead() {
  const heads = COLUMNS.map((column, place) => {
    const sorted = state.sort === place;
    const order = sorted ? (state.turn > 0 ? "ascending" : "descending") : "none";
    const mark = sorted ? (state.turn > 0 ? "▲" : "▼") : "↕";
    const button = make("button", { type: "button", title: column.help, onclick: () => sortBy(place) },
      column.title, make("span", { class: "order", "aria-hidden": "true" }, mark));
    return make("th", { scope: "col", "aria-sort": order, class: column.number ? "number" : null }, button);
  });
  byId("table").tHead.replaceChildren(make("tr", {}, ...heads));
}

function sortBy(place) {
  state.turn = state.sort === place ? -state.turn : 1;
  Object.assign(state, { sort: place, page: 0 });
  drawHead();
  byId("table").tHead.rows[0].cells[place].firstChild.focus();
  draw();
}

function rowOf(visit) {
  const cells = COLUMNS.map((column) =>
    make(column.head ? "th" : "td", { scope: column.head ? "row" : null, class: column.number ? "number" : null },
      column.cell(visit)));
  return make("tr", { "data-key": keyOf(visit), class: visit.level }, ...cells);
}

function draw() {
  choose();
  const from = state.page * state.size;
  const page = chosen.slice(from, from + state.size);
  byId("table").tBodies[0].replaceChildren(...page.map(rowOf));
  byId("count").textContent = chosen.length
    ? `${from + 1}–${from + page.length} of ${chosen.length} visits` : "No visit passes the filter.";
  byId("cards").replaceChildren(...page.map(cardOf));
  releasePictures(new Set(page.map(keyOf)));
  for (const button of document.querySelectorAll("[data-turn]")) setEnd(button, Number(button.dataset.turn));
  setEnd(byId("previous"), -1);
  setEnd(byId("next"), 1);
}

function setEnd(button, step) {
  const page = state.page + step;
  button.disabled = page < 0 || page * state.size >= chosen.length;
}

function turnPage(step) {
  state.page += step;
  draw();
}

function refreshRow(visit) {
  const row = document.querySelector(`#table tr[data-key="${CSS.escape(keyOf(visit))}"]`);
  if (row) row.replaceWith(rowOf(visit));
}

/** Go to the card of a visit, dropping the filter if it hides the visit. */
function showVisit(key) {
  const at = () => chosen.findIndex((visit) => keyOf(visit) === key);
  if (at() < 0) {
    Object.assign(state, { find: "", filter: "" });
    byId("find").value = byId("filter").value = "";
    choose();
  }
  if (at() < 0) return;
  const page = Math.floor(at() / state.size);
  if (page !== state.page || !byId(`card-${key}`)) {
    state.page = page;
    draw();
  }
  const card = byId(`card-${key}`);
  card.scrollIntoView();
  card.focus({ preventScroll: true });
}

function measuresTable(title, rows, columns) {
  if (!rows.length) return null;
  const head = make("tr", {}, ...columns.map((name) => make("th", { scope: "col" }, (name === "image" ? title : name).replaceAll("_cm3", "").replaceAll("_", " "))));
  const body = rows.map((row) => make("tr", {}, ...columns.map((name) =>
    make(name === "image" ? "th" : "td", { scope: name === "image" ? "row" : null }, shown(row[name], name.endsWith("_cm3") ? 1 : undefined)))));
  return make("table", { class: "small" }, make("thead", {}, head), make("tbody", {}, ...body));
}

/** The volumes of a visit; what was made in two ways has two rows, and the images given have one. */
function volumesOf(visit) {
  const ways = new Set(visit.volumes.map((row) => row.desc));
  if (ways.size < 2) return visit.volumes;
  const rows = visit.volumes.map((row) => (row.image === "synthetic" ? { ...row, image: row.desc } : row));
  const nameAndEngine = (row) => `${row.image} ${row.engine}`;
  return rows.filter((row, place) => rows.findIndex((other) => nameAndEngine(other) === nameAndEngine(row)) === place);
}

/** Every measure of a visit, one a line: too many columns for a card. */
function allMeasures(visit) {
  const lines = [];
  for (const row of [...visit.similarity, ...visit.contrast]) {
    for (const [name, value] of Object.entries(row)) {
      const image = DATA.images[row.image] || row.image || "";
      if (typeof value === "number") lines.push({ image, ...(row.desc && { made: row.desc }), measure: name, value });
    }
  }
  if (!lines.length) return null;
  return make("details", {}, make("summary", {}, `${lines.length} more measures`), measuresTable("image", lines, Object.keys(lines[0])));
}

function cardOf(visit) {
  const key = keyOf(visit);
  const viewer = make("div", { class: "viewer" });
  const doubts = visit.doubts.map((doubt) => make("li", { class: doubt.kind },
    make("span", { class: "symbol", title: KINDS.get(doubt.kind).title }, KINDS.get(doubt.kind).symbol), ` ${doubt.text}`));
  const facts = make("div", { class: "facts-of-visit" },
    doubts.length ? make("ul", { class: "reasons" }, ...doubts) : make("p", { class: "quiet" }, "No remarks."),
    measuresTable("Volume, cm³", volumesOf(visit), ["image", "gm_cm3", "wm_cm3", "csf_cm3", "tiv_cm3"]),
    allMeasures(visit),
    reviewForm(visit, () => refreshRow(visit)));
  fillViewer(viewer, visit);
  return make("article", { class: `card ${visit.level}`, id: `card-${key}`, tabindex: -1, "aria-label": nameOf(visit) },
    make("header", {}, make("h4", {}, nameOf(visit)), levelMark(visit), make("span", { class: "file" }, visit.filename)),
    viewer, facts);
}
