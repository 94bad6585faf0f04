// The images of a visit: layers cut out of its one picture, compared by slider or blink.

const PLANES = ["sagittal", "coronal", "axial"];
const view = { first: DATA.compared[0], second: DATA.compared[1], mode: "slider", tissues: new Set() };
const calm = window.matchMedia("(prefers-reduced-motion: reduce)");
const BLINK_MS = 800;
const urls = new Map();
let blinkTimer = null;

/** The address of a visit's picture, or null while the file is still being read. */
function pictureUrl(key) {
  if (urls.has(key)) return urls.get(key);
  const source = document.querySelector(`script[data-picture="${CSS.escape(key)}"]`);
  if (!source || (document.readyState === "loading" && !source.nextElementSibling)) return null;
  const bytes = Uint8Array.from(atob(source.textContent.trim()), (letter) => letter.charCodeAt(0));
  const url = URL.createObjectURL(new Blob([bytes], { type: "image/webp" }));
  urls.set(key, url);
  return url;
}

/** Forget the pictures of visits no longer shown: thousands would fill the memory. */
function releasePictures(keep) {
  for (const [key, url] of urls) {
    if (keep.has(key)) continue;
    URL.revokeObjectURL(url);
    urls.delete(key);
  }
}

/** One plane of one row of the picture, as a layer that fills its box. */
function layer(layout, row, plane, kind) {
  const widths = PLANES.map((name) => layout.planes[name][0]);
  const total = widths.reduce((sum, width) => sum + width, 0);
  const left = widths.slice(0, PLANES.indexOf(plane)).reduce((sum, width) => sum + width, 0);
  const element = make("div", { class: `layer ${kind}` });
  const place = { "--total": total, "--tall": layout.rows.length * layout.row_height,
    "--left": left, "--above": layout.rows.indexOf(row) * layout.row_height };
  for (const [name, value] of Object.entries(place)) element.style.setProperty(name, value);
  return element;
}

/** The rows of outlines to lay over an image: its own, else those of the synthetic image. */
function outlinesOf(layout, image) {
  const own = ["change", "uncertainty"].includes(image) ? "synthetic" : image;
  const from = layout.rows.includes(`${own}:graymatter`) ? own : "synthetic";
  return [...view.tissues].map((tissue) => `${from}:${tissue}`).filter((row) => layout.rows.includes(row));
}

const AXES = { sagittal: "x", coronal: "y", axial: "z" };

/** Where a plane is cut: in mm of the template where the picture says so. */
function placeOf(layout, plane) {
  const mm = (layout.position_mm || {})[plane];
  return mm === undefined ? `${plane} slice ${layout.slices[plane]}`
    : `${plane} ${AXES[plane]} = ${String(mm).replace("-", "−")} mm`;
}

function placesOf(layout) {
  const through = layout.through ? `Planes through ${layout.through}, the same in all images: ` : "Planes: ";
  return make("p", { class: "quiet places" }, through + PLANES.map((plane) => placeOf(layout, plane)).join(", "));
}

function planeBox(layout, plane, images) {
  const words = images.map((image) => DATA.images[image]).join(" against ");
  const label = `${placeOf(layout, plane)}: ${words}`;
  const box = make("div", { class: "plane", role: "img", "aria-label": label });
  const [width, height] = layout.planes[plane];
  box.style.setProperty("--width", width);
  box.style.setProperty("--height", height);
  images.forEach((image, place) => {
    const stack = make("div", { class: place ? "stack second" : "stack first" }, layer(layout, image, plane, image));
    for (const row of outlinesOf(layout, image)) stack.append(layer(layout, row, plane, "outline"));
    box.append(stack);
  });
  if (plane !== "sagittal") box.append(make("span", { class: "side", "aria-hidden": "true" }, "L"));
  return box;
}

function planesRow(layout, images, caption) {
  const boxes = PLANES.map((plane) => planeBox(layout, plane, images));
  return make("figure", { class: "planes" }, make("div", { class: "boxes" }, ...boxes), make("figcaption", {}, ...[caption].flat()));
}

function sliderOf(visit, figure, names) {
  const range = make("input", { type: "range", min: 0, max: 100, value: 50, class: "split",
    "aria-label": `${nameOf(visit)}: how much of the second image is shown` });
  const follow = () => figure.style.setProperty("--split", `${range.value}%`);
  range.addEventListener("input", follow);
  figure.addEventListener("pointermove", (event) => {
    const box = event.target.closest(".plane");
    if (!box || (event.pointerType === "touch" && !event.buttons)) return;
    const { left, width } = box.getBoundingClientRect();
    range.value = Math.round((100 * (event.clientX - left)) / width);
    follow();
  });
  follow();
  return make("div", { class: "slider" }, make("span", {}, names[0]), range, make("span", {}, names[1]));
}

function comparison(visit, layout, images) {
  const names = images.map((image) => DATA.images[image]);
  if (images.length < 2) return [planesRow(layout, images, names[0])];
  const caption = view.mode === "slider" ? `left ${names[0]}, right ${names[1]}`
    : [make("span", { class: "first" }, names[0]), make("span", { class: "second" }, names[1])];
  const figure = planesRow(layout, images, caption);
  figure.classList.add(view.mode);
  if (view.mode === "slider") return [figure, sliderOf(visit, figure, names)];
  const swap = make("button", { type: "button", onclick: () => figure.classList.toggle("swapped") }, "Swap");
  return [figure, make("div", { class: "slider" }, swap, make("span", {}, calm.matches ? "motion is reduced: swap by hand" : ""))];
}

/** Fill the viewer of a card by the settings that hold for all cards. */
function fillViewer(holder, visit) {
  const key = keyOf(visit);
  const layout = DATA.pictures[key];
  if (!layout) {
    holder.replaceChildren(make("p", { class: "note" }, "No picture of this visit was found."));
    return;
  }
  const url = pictureUrl(key);
  if (!url) {
    holder.replaceChildren(make("p", { class: "note" }, "The picture is still being read…"));
    document.addEventListener("DOMContentLoaded", () => fillViewer(holder, visit), { once: true });
    return;
  }
  holder.style.setProperty("--picture", `url("${url}")`);
  const here = Object.keys(DATA.images).filter((image) => layout.rows.includes(image));
  const wanted = [view.first, view.second];
  const missing = wanted.filter((image) => !here.includes(image));
  const words = missing.map((image) => make("p", { class: "note" }, `This visit has no image “${DATA.images[image]}”.`));
  if (view.mode === "all") {
    holder.replaceChildren(make("div", { class: "all" }, ...here.map((image) => planesRow(layout, [image], DATA.images[image]))), placesOf(layout));
  } else {
    const images = [...new Set(wanted.filter((image) => here.includes(image)))];
    holder.replaceChildren(...(images.length ? comparison(visit, layout, images) : []), placesOf(layout), ...words);
  }
}

function setBlinking() {
  clearInterval(blinkTimer);
  if (view.mode !== "blink" || calm.matches) return;
  blinkTimer = setInterval(() => {
    for (const figure of document.querySelectorAll(".planes.blink")) figure.classList.toggle("swapped");
  }, BLINK_MS);
}
