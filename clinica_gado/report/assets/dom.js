"use strict";
// What the other scripts share. Text from the data only ever becomes text, never markup.

const DATA = JSON.parse(document.getElementById("data").textContent);

/** Make an element: properties (`class`, `data-…`, `aria-…` and others as attributes), children. */
function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) element.setAttribute(name, value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

const byId = (id) => document.getElementById(id);
const keyOf = (visit) => `${visit.participant_id}_${visit.session_id}`;
const nameOf = (visit) => `${visit.participant_id} ${visit.session_id}`;
const KINDS = new Map(DATA.doubts.map((kind) => [kind.id, kind]));

/** A number as a cell shows it; what is missing is an empty cell. */
function shown(value, digits) {
  if (value === null || value === undefined) return "";
  if (typeof value !== "number") return String(value);
  if (digits !== undefined) return value.toFixed(digits);
  if (Number.isInteger(value)) return String(value);
  return Math.abs(value) < 10 ? value.toPrecision(3) : value.toFixed(1);
}
