// Passwords are hashed a few at a time: each hash takes 128 MiB and a processor for a third of a second. Addresses are served in
// rotation, so that one address that guesses holds up nobody but itself; addresses that have shown that they know the user's
// password come first, and have places of their own. If all places are taken, the address that has most of them loses one: it
// takes as many addresses as there are places to shut out another.

/** Who asks: the address (its group), and whether it has logged in as that user before, or is this machine. */
export type Asker = { readonly group: string; readonly isKnown: boolean };

/** Runs work as soon as there is room; `busy` if too many wait, or too many of that address. */
export type HashQueue = {
  readonly run: <T>(asker: Asker, work: () => Promise<T>) => Promise<T | 'busy'>;
};

const maxWaiting = 256; // of unknown addresses, and as many of known ones
const maxUnknownOfGroup = 50; // the connections that one address may have: an office may log in at once after a restart

/** Called when its turn comes (true), or when it loses its place (false). */
type Waiter = (isTurn: boolean) => void;
type Queue = { size: number; readonly maxOfGroup: number; readonly byGroup: Map<string, Waiter[]> };

/** `atOnce`: how many are hashed side by side. */
export function createHashQueue(atOnce: number): HashQueue {
  const [known, unknown]: [Queue, Queue] = [
    { size: 0, maxOfGroup: maxWaiting, byGroup: new Map() },
    { size: 0, maxOfGroup: maxUnknownOfGroup, byGroup: new Map() },
  ];
  let free = atOnce;

  function passOn(): void {
    const next = takeNext(known) ?? takeNext(unknown);
    if (next === null) free += 1;
    else next(true);
  }

  return {
    async run(asker, work) {
      if (free > 0) free -= 1;
      else {
        const isTurn = await join(asker.isKnown ? known : unknown, asker.group);
        if (!isTurn) return 'busy';
      }
      try {
        return await work();
      } finally {
        passOn();
      }
    },
  };
}

/** Resolves when the place is theirs: true; or when there is no room to wait (any more): false. */
async function join(queue: Queue, group: string): Promise<boolean> {
  const waiting = queue.byGroup.get(group) ?? [];
  if (waiting.length >= queue.maxOfGroup) return false;
  if (queue.size >= maxWaiting && !makeRoom(queue, waiting.length)) return false;
  queue.size += 1;
  return new Promise((resolve) => queue.byGroup.set(group, [...waiting, resolve]));
}

/** The last of the largest group loses its place to one of a group of which `waiting` wait; false if that is as large. */
function makeRoom(queue: Queue, waiting: number): boolean {
  const [first, ...others] = queue.byGroup.values();
  const largest = others.reduce((most, group) => (group.length > most.length ? group : most), first ?? []);
  if (largest.length <= waiting + 1) return false;
  queue.size -= 1;
  largest.pop()?.(false);
  return true;
}

/** The first of the group whose turn it is; that group comes last then. */
function takeNext(queue: Queue): Waiter | null {
  for (const [group, [first, ...others]] of queue.byGroup) {
    queue.byGroup.delete(group);
    if (others.length > 0) queue.byGroup.set(group, others);
    if (first === undefined) continue;
    queue.size -= 1;
    return first;
  }
  return null;
}
