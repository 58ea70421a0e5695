// What the views are built with: elements made of text, never of markup, and requests to the API.
import { visible } from './page-text.js';

/** A child that is text becomes a text node in which control and direction characters have no effect. */
export function el(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (typeof value === 'function') element.addEventListener(key, value);
    else if (value !== null) element.setAttribute(key, key === 'title' ? visible(value) : value);
  }
  const present = children.flat(Number.POSITIVE_INFINITY).filter((child) => child !== null && child !== undefined);
  element.append(...present.map((child) => (typeof child === 'string' ? visible(child) : child)));
  return element;
}

/** A sender's text within a line: its writing direction ends with it (HTML §4.5.24). */
export const words = (text) => el('bdi', {}, text);

/** `Ann <ann@a.example>`: name and address are isolated, so that neither reads as part of the other. */
export const person = (name, address) =>
  name ? [words(name), ' <', el('bdi', { dir: 'ltr' }, address), '>'] : [el('bdi', { dir: 'ltr' }, address)];

export function svg(name, attributes = {}, ...children) {
  const element = document.createElementNS('http://www.w3.org/2000/svg', name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, String(value));
  element.append(...children);
  return element;
}

export async function api(path, options = {}) {
  const response = await fetch(path, options);
  const body = await response.json();
  if (!response.ok && body.error) throw new Error(body.error.message);
  return body;
}

/** A time of today without its date. */
export function time(at) {
  const moment = new Date(at);
  const isToday = moment.toDateString() === new Date().toDateString();
  const shown = isToday
    ? moment.toLocaleTimeString()
    : moment.toLocaleString([], { dateStyle: 'medium', timeStyle: 'short' });
  return el('time', { datetime: at, title: at }, shown);
}
export function size(bytes) {
  if (bytes < 1024) return `${bytes} B`;
  return bytes < 1048576 ? `${(bytes / 1024).toFixed(1)} KiB` : `${(bytes / 1048576).toFixed(1)} MiB`;
}
export const verdictClass = (word) => (word === 'pass' ? 'good' : /fail|error/.test(word) ? 'bad' : 'quiet');
export const tag = (text, kind) => el('span', { class: `tag ${kind}` }, text);
/** A quiet line. */
export const note = (...text) => el('p', { class: 'quiet' }, ...text);
/** The quiet end of a cell. */
export const aside = (...text) => el('span', { class: 'quiet' }, ' ', ...text);
export const td = (content, kind = '') => el('td', kind ? { class: kind } : {}, content);
/** Each cell has its head as `data-label`, which a narrow window shows beside it. */
export function table(heads, rows, attributes = {}) {
  for (const row of rows) {
    for (const [n, cell] of [...row.children].entries()) cell.setAttribute('data-label', heads[n]);
  }
  const headCells = heads.map((head) => el('th', {}, head));
  return el('table', attributes, el('thead', {}, el('tr', {}, headCells)), el('tbody', {}, rows));
}
export const pairs = (entries) =>
  el(
    'dl',
    {},
    entries.filter(([, value]) => value).flatMap(([name, value]) => [el('dt', {}, name), el('dd', {}, value)]),
  );
