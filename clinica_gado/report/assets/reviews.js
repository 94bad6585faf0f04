// The reviewer's word on each visit: kept by the browser, saved as and loaded from TSV.

const REVIEW_COLUMNS = ["participant_id", "session_id", "decision", "comment", "reviewer", "date"];
const STORE = `clinica-gado:${DATA.id}`;
const reviews = new Map();
let unsaved = 0;

/** Take the reviews merged into the report, then those this browser keeps, which are later. */
function loadReviews() {
  for (const visit of DATA.visits) if (visit.review) reviews.set(keyOf(visit), visit.review);
  try {
    const kept = JSON.parse(localStorage.getItem(STORE) || "{}");
    for (const [key, review] of Object.entries(kept.reviews || {})) {
      const earlier = reviews.get(key);
      if (!earlier || review.date >= earlier.date) reviews.set(key, review);
    }
    unsaved = kept.unsaved || 0;
    byId("reviewer").value = kept.reviewer || "";
  } catch {
    tell("This browser keeps nothing for files: save the TSV before closing.");
  }
}

function keepReviews() {
  const content = { reviews: Object.fromEntries(reviews), unsaved, reviewer: byId("reviewer").value };
  try {
    localStorage.setItem(STORE, JSON.stringify(content));
    tell();
  } catch {
    tell("This browser keeps nothing for files: save the TSV before closing.");
  }
}

function setReview(visit, change) {
  const earlier = reviews.get(keyOf(visit)) || { decision: "", comment: "" };
  const date = new Date().toISOString().slice(0, 19) + "Z";
  reviews.set(keyOf(visit), { ...earlier, ...change, reviewer: byId("reviewer").value.trim(), date });
  unsaved += 1;
  keepReviews();
}

function tell(words) {
  const n = [...reviews.values()].filter((review) => review.decision).length;
  const state = unsaved ? "with changes not saved as TSV yet" : "";
  byId("saved").textContent = words || `${n} of ${DATA.visits.length} visits decided ${state}`;
}

const cell = (text) => String(text || "").replace(/[\t\r\n]+/g, " ").trim() || "n/a";

/** The TSV that `read_reviews` reads: a line for each visit with a decision or a comment. */
function reviewsAsTsv() {
  const lines = [REVIEW_COLUMNS.join("\t")];
  for (const visit of DATA.visits) {
    const review = reviews.get(keyOf(visit));
    if (!review || !(review.decision || review.comment)) continue;
    const row = { ...visit, ...review };
    lines.push(REVIEW_COLUMNS.map((name) => cell(row[name])).join("\t"));
  }
  return lines.join("\n") + "\n";
}

function saveReviews() {
  const url = URL.createObjectURL(new Blob([reviewsAsTsv()], { type: "text/tab-separated-values" }));
  const link = make("a", { href: url, download: "reviews.tsv" });
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(url), 10000);
  unsaved = 0;
  keepReviews();
}

/** Merge a saved TSV; of two reviews of one visit the later one stays. */
async function readReviewsFile(file) {
  const [head, ...lines] = (await file.text()).split(/\r?\n/).filter(Boolean).map((line) => line.split("\t"));
  if (!head || !["participant_id", "session_id", "decision"].every((name) => head.includes(name))) {
    tell(`${file.name} is no table of reviews: it needs participant_id, session_id and decision.`);
    return;
  }
  const known = new Set(DATA.visits.map(keyOf));
  let taken = 0;
  for (const line of lines) {
    const row = Object.fromEntries(head.map((name, place) => [name, line[place] === "n/a" ? "" : line[place] || ""]));
    const earlier = reviews.get(keyOf(row));
    if (!known.has(keyOf(row)) || !["accept", "reject", ""].includes(row.decision)) continue;
    if (earlier && (row.date || "") < earlier.date) continue;
    const { decision, comment = "", reviewer = "", date = "" } = row;
    reviews.set(keyOf(row), { decision, comment, reviewer, date });
    taken += 1;
  }
  keepReviews();
  tell(`${taken} of ${lines.length} reviews taken from ${file.name}.`);
}

/** The form of a card. */
function reviewForm(visit, changed) {
  const review = reviews.get(keyOf(visit)) || {};
  const name = `decision-${keyOf(visit)}`;
  const choice = (value, words) =>
    make("label", { class: value || "open" },
      make("input", { type: "radio", name, value, checked: (review.decision || "") === value,
        onchange: () => { setReview(visit, { decision: value }); changed(); } }), words);
  const comment = make("input", { type: "text", "aria-label": `Comment on ${nameOf(visit)}`, placeholder: "comment",
    onchange: (event) => { setReview(visit, { comment: event.target.value }); changed(); } });
  comment.value = review.comment || "";
  return make("fieldset", { class: "review" }, make("legend", {}, "Review"),
    choice("accept", " ✓ accept"), choice("reject", " ⊘ reject"), choice("", " undecided"), comment);
}
