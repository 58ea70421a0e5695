// What can be done to mail, from the list, the message and the keyboard alike.
import { batch } from '@preact/signals';
import { type Accepted, api, type InboxMessage, messagePath } from '#ops/console/app/shell/api.ts';
import { lookAgain, mailboxes } from '#ops/console/app/shell/live.ts';
import { complain, confirm, tell, tellBefore } from '#ops/console/app/shell/notices.tsx';
import { goTo, place, search } from '#ops/console/app/shell/router.ts';
import { change, hide, list, neighbour, rowOf } from './list-state.ts';

/** The message that was left by `backToList`: from there the keys go on. */
let left: string | null = null;

/** Opens the message behind or before the open one, or the one that was left. */
export function step(by: 1 | -1): void {
  const id = neighbour(place.value.id ?? left, by);
  if (id !== null) open(id);
}

/** Opens the message that was left, at first the top one. */
export function openAgain(): void {
  const isThere = list.value.messages.some(({ id }) => id === left);
  const id = isThere ? left : neighbour(null, 1);
  if (id !== null) open(id);
}

export function open(id: string): void {
  goTo({ view: 'mail', id, query: { q: search.value, tab: place.value.query['tab'] ?? '' } });
}

/** Closes the message; the focus is on its row. */
export function backToList(): void {
  const { id } = place.value;
  left = id ?? left;
  goTo({ view: 'mail', query: { q: search.value } });
  if (id !== null) rowOf(id)?.focus();
}

/** The message is gone at once, and deleted when the notice goes; until then it can be had back. */
export function remove(id: string): void {
  const following = neighbour(id, 1) ?? neighbour(id, -1);
  const putBack = hide([id]);
  if (place.value.id === id) {
    if (following === null || following === id) backToList();
    else open(following);
  }
  tellBefore('Message deleted', {
    apply: () =>
      void api(messagePath(id, null), 'DELETE')
        .then(lookAgain)
        .catch((thrown: unknown) => {
          putBack();
          complain(thrown);
        }),
    undo: () => {
      putBack();
      open(id);
    },
  });
}

/** `isTold`: with a notice that takes it back. */
export function mark(id: string, read: boolean, isTold = true): void {
  const isKnown = list.value.messages.find((one) => one.id === id)?.read;
  if (isKnown === read) return;
  batch(() => {
    change([id], { read });
    const { value: counts } = mailboxes;
    if (isKnown === undefined) return; // the counts are asked for
    mailboxes.value = { ...counts, unread: Math.max(0, counts.unread + (read ? -1 : 1)) };
  });
  void api(messagePath(id, null, read ? '/read' : '/unread'), 'POST')
    .then(lookAgain)
    .catch(complain);
  if (isTold) tell(read ? 'Marked as read' : 'Marked as unread', () => mark(id, !read, false));
}

/** The other of read and unread. */
export function toggleRead(id: string): void {
  const found = list.value.messages.find((one) => one.id === id);
  mark(id, found === undefined ? false : !found.read);
}

/** Replaces the tags of a message. */
export function setTags(id: string, tags: readonly string[], before: readonly string[]): void {
  change([id], { tags: [...tags] });
  void api(`${messagePath(id, null, '/tags')}?${new URLSearchParams({ tags: tags.join(',') })}`, 'POST')
    .then(lookAgain)
    .catch((thrown: unknown) => {
      change([id], { tags: [...before] });
      complain(thrown);
    });
}

/** Judges and parses the message once more; `to`: into another mailbox. */
export async function replay(id: string, to: string): Promise<void> {
  const query = to === '' ? '' : `?${new URLSearchParams({ to })}`;
  await api(`${messagePath(id, null, '/replay')}${query}`, 'POST').then(() => {
    tell(to === '' ? 'It is judged and parsed once more' : `On its way to ${to}`);
    lookAgain();
  }, complain);
}

/** Takes a message out of quarantine, after a question: into the inbox of each mailbox that has it there. */
export function accept({ id, disposition }: Pick<InboxMessage, 'id' | 'disposition'>): void {
  confirm({
    title: 'Move it to the inbox?',
    text: `It was withheld: ${disposition.reason} Whatever is told of new mail, programs among them, is told of it then.`,
    action: 'Move to inbox',
    yes: () => {
      void api<Accepted>(messagePath(id, null, '/accept'), 'POST').then(({ outcome, mailboxes: named }) => {
        const where = `the inbox of ${named.join(', ')}`;
        tell(outcome === 'in-inbox' ? `It is in ${where} already` : `On its way to ${where}`);
        lookAgain();
      }, complain);
    },
  });
}

/** A first mail for a capture server that has none. */
export function sendTrial(): void {
  const mail = {
    from: 'Pillarbox <hello@pillarbox.example>',
    to: ['you@app.example'],
    subject: 'It works',
    text: 'This mail came in by the front door, like any other.\n\nPoint your app at the SMTP address that the page names, and its mail is here.\n',
    html: '<h1>It works</h1><p>This mail came in by the front door, like any other.</p><p>Point your app at the SMTP address that the page names, and its mail is here.</p>',
  };
  void api('/api/send', 'POST', mail)
    .then(() => tell('Sent'))
    .catch(complain);
}
