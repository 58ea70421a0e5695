// Where the page is: the address behind `#` as a signal, and how to go elsewhere.
import { computed, signal } from '@preact/signals';
import { type Place, readPlace, writePlace } from '#ops/console/app/text/place.ts';

export const place = signal<Place>(readPlace(location.hash));
/** The address that it was read from. */
let followed = location.hash;

/** What is searched for in the list of mail. */
export const search = computed(() => place.value.query['q'] ?? '');

export function followAddress(): void {
  window.addEventListener('hashchange', follow);
}

function follow(): void {
  if (location.hash === followed) return;
  followed = location.hash;
  place.value = readPlace(followed);
}

const nowhere: Place = { view: 'mail', id: null, copy: null, state: null, query: {} };

/** The address of another place; what is not named is nothing. */
export function addressOf(to: Partial<Place>): string {
  return writePlace({ ...nowhere, ...to });
}

/** At once: the browser tells of it later, and the next key may come before. Back leads to where it was before. */
export function goTo(to: Partial<Place>): void {
  location.hash = addressOf(to);
  follow();
}

/** Changes a part of the query in the address; Back does not undo it. */
export function adjust(query: Readonly<Record<string, string>>): void {
  const to = { ...place.value, query: { ...place.value.query, ...query } };
  history.replaceState(null, '', writePlace(to));
  follow();
}

/** The address of a message, within the search that is shown. */
export function messageAddress(id: string, copy: string | null = null): string {
  return addressOf({ view: 'mail', id, copy, query: { q: search.value, tab: place.value.query['tab'] ?? '' } });
}

/** The address of the list for a search. */
export function searchAddress(q: string): string {
  return addressOf({ view: 'mail', query: { q } });
}
