// Keeps the reader's place while a view changes: what is equal stays the same element, so that focus and selection stay; new
// rows above do not move what is read.

/** Makes the children of `parent` equal to `fresh`. Elements with `data-id` are told apart by it, all others by their place. */
export function merge(parent, fresh) {
  const known = new Map([...parent.children].filter(keyOf).map((child) => [keyOf(child), child]));
  const kept = new Set(fresh.map(keyOf).filter(Boolean));
  for (const [key, child] of known) if (!kept.has(key)) child.remove();
  let place = parent.firstChild;
  for (const node of fresh) {
    const old = keyOf(node) ? known.get(keyOf(node)) : keyOf(place) ? null : place;
    const merged = old ? mergeOne(old, node) : node;
    if (merged === place) place = place.nextSibling;
    else if (old && old === place) {
      place = place.nextSibling;
      old.replaceWith(merged);
    } else parent.insertBefore(merged, place);
  }
  while (place) {
    const next = place.nextSibling;
    place.remove();
    place = next;
  }
}

function mergeOne(old, fresh) {
  if (old.isEqualNode(fresh)) return old;
  if (!isSameShell(old, fresh)) return fresh;
  merge(old, [...fresh.childNodes]);
  return old;
}

/** Elements of one name with equal attributes; no buttons, since their listeners may differ. */
function isSameShell(old, fresh) {
  if (old.nodeType !== Node.ELEMENT_NODE || old.localName !== fresh.localName || old.localName === 'button')
    return false;
  return old.cloneNode(false).isEqualNode(fresh.cloneNode(false));
}

const keyOf = (node) => node?.dataset?.id ?? null;

const rows = () => [...document.querySelectorAll('main [data-id]')];

/** The first visible row, and how far down it is; null if the rows begin below the window's upper edge. */
export function place() {
  const all = rows();
  if (!all[0] || all[0].getBoundingClientRect().top >= 0) return null;
  const seen = all.find((row) => row.getBoundingClientRect().bottom > 0);
  return seen ? { id: keyOf(seen), top: seen.getBoundingClientRect().top } : null;
}

/** Scrolls so that the row is where it was. */
export function goTo(kept) {
  const row = kept && rows().find((one) => keyOf(one) === kept.id);
  if (row) scrollBy({ top: row.getBoundingClientRect().top - kept.top, behavior: 'instant' });
}

/** Changes the view without moving what is read. */
export function keepPlace(change) {
  const kept = place();
  change();
  goTo(kept);
}
