// Ties the controls to what they change.

function redrawViewers() {
  for (const visit of chosen) {
    const card = byId(`card-${keyOf(visit)}`);
    if (card) fillViewer(card.querySelector(".viewer"), visit);
  }
  setBlinking();
}

function fillChoices() {
  for (const which of ["first", "second"]) {
    for (const [name, words] of Object.entries(DATA.images)) {
      byId(which).append(make("option", { value: name, selected: view[which] === name }, words));
    }
    byId(which).addEventListener("change", (event) => { view[which] = event.target.value; redrawViewers(); });
  }
}

function filterBy(kind) {
  Object.assign(state, { filter: kind, find: "", page: 0 });
  byId("find").value = "";
  byId("filter").value = kind;
  draw();
  byId("visits").scrollIntoView();
  byId("filter").focus({ preventScroll: true });
}

function listen() {
  byId("find").addEventListener("input", (event) => { Object.assign(state, { find: event.target.value.trim().toLowerCase(), page: 0 }); draw(); });
  byId("filter").addEventListener("change", (event) => { Object.assign(state, { filter: event.target.value, page: 0 }); draw(); });
  byId("size").addEventListener("change", (event) => { Object.assign(state, { size: Number(event.target.value), page: 0 }); draw(); });
  byId("save").addEventListener("click", saveReviews);
  byId("reviewer").addEventListener("change", keepReviews);
  byId("load").addEventListener("change", async (event) => {
    for (const file of event.target.files) await readReviewsFile(file);
    event.target.value = "";
    draw();
  });
  byId("previous").addEventListener("click", () => turnPage(-1));
  byId("next").addEventListener("click", () => turnPage(1));
  for (const button of document.querySelectorAll("[data-turn]")) {
    button.addEventListener("click", () => { turnPage(Number(button.dataset.turn)); byId("images-title").scrollIntoView(); });
  }
  for (const radio of document.querySelectorAll("[name=mode]")) {
    radio.addEventListener("change", () => { view.mode = radio.value; redrawViewers(); });
  }
  for (const box of document.querySelectorAll("[data-tissue]")) {
    box.addEventListener("change", () => { view.tissues[box.checked ? "add" : "delete"](box.dataset.tissue); redrawViewers(); });
  }
  calm.addEventListener("change", redrawViewers);
}

function start() {
  for (const button of document.querySelectorAll("button[data-filter]")) {
    button.addEventListener("click", () => filterBy(button.dataset.filter));
  }
  for (const link of document.querySelectorAll("a[data-visit]")) {
    link.addEventListener("click", (event) => { event.preventDefault(); showVisit(link.dataset.visit); });
  }
  if (!byId("table")) return;
  loadReviews();
  fillChoices();
  listen();
  drawHead();
  draw();
  tell();
}

start();
performance.mark("shown");
