// The address behind `#` says all that is shown, so that a reload, Back and a shared link lead to the same:
// /mail, /mail/ID, /mail/ID/MAILBOX, /trace/ID, /deliveries, /deliveries/STATE, /queues, /overview, /chaos, /leave; the search and
// the tab behind `?`.

export const views = ['mail', 'trace', 'deliveries', 'queues', 'overview', 'chaos', 'leave'] as const;
export type View = (typeof views)[number];

/** `id`: of the open message; `copy`: the mailbox whose copy it is. `state`: of deliveries. `query`: search, tab and span. */
export type Place = {
  readonly view: View;
  readonly id: string | null;
  readonly copy: string | null;
  readonly state: string | null;
  readonly query: Readonly<Record<string, string>>;
};

/** The list of mail for an address that says nothing, or nothing known. */
export function readPlace(hash: string): Place {
  const [path = '', ...query] = hash.replace(/^#/, '').split('?');
  const [, name = '', first, second] = path.split('/').map(decoded);
  const known = views.find((view) => view === name) ?? (name === 'activity' ? 'overview' : null);
  const isOfMessage = known === 'mail' || known === 'trace';
  return {
    view: known ?? 'mail',
    id: (isOfMessage && first) || null,
    copy: (known === 'mail' && second) || null,
    state: (known === 'deliveries' && first) || null,
    query: Object.fromEntries(new URLSearchParams(query.join('?'))),
  };
}

export function writePlace({ view, id, copy, state, query }: Place): string {
  const parts = [view, id, copy, state].filter((part) => part !== null).map((part) => encodeURIComponent(part));
  const given = Object.entries(query).filter(([, value]) => value !== '');
  const search = given.length === 0 ? '' : `?${new URLSearchParams(given)}`;
  return `#/${parts.join('/')}${search}`;
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}
