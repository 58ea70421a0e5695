// Passwords are hashed a few at a time: each hash takes 128 MiB and a processor for a third of a second. Who waits is
// served in turn by address, so that one address that guesses holds up nobody but itself; addresses that have shown that
// they know the user's password come first, and have places of their own.

/** Who asks: the address (its group), and whether it has logged in as that user before, or is this machine. */
export type Asker = { readonly group: string; readonly isKnown: boolean };

/** Runs work when its turn comes; `busy` where too many wait, or too many of that address. */
export type HashQueue = {
  readonly run: <T>(asker: Asker, work: () => Promise<T>) => Promise<T | 'busy'>;
};

const maxWaiting = 64; // of strangers, and as many of those who are known
const maxStrangersOfGroup = 16;

type Line = { size: number; readonly maxOfGroup: number; readonly byGroup: Map<string, (() => void)[]> };

/** Nobody waits. `atOnce`: how many are hashed side by side. */
export function createHashQueue(atOnce: number): HashQueue {
  const [known, strangers]: [Line, Line] = [
    { size: 0, maxOfGroup: maxWaiting, byGroup: new Map() },
    { size: 0, maxOfGroup: maxStrangersOfGroup, byGroup: new Map() },
  ];
  let free = atOnce;

  /** The place goes to the next, or is free. */
  function passOn(): void {
    const next = takeNext(known) ?? takeNext(strangers);
    if (next === null) free += 1;
    else next();
  }

  return {
    async run(asker, work) {
      if (free > 0) free -= 1;
      else {
        const turn = join(asker.isKnown ? known : strangers, asker.group);
        if (turn === null) return 'busy';
        await turn;
      }
      try {
        return await work();
      } finally {
        passOn();
      }
    },
  };
}

/** Resolves when the place is theirs; null where there is no room to wait. */
function join(line: Line, group: string): Promise<void> | null {
  const ofGroup = line.byGroup.get(group) ?? [];
  if (line.size >= maxWaiting || ofGroup.length >= line.maxOfGroup) return null;
  line.size += 1;
  line.byGroup.set(group, ofGroup);
  return new Promise((resolve) => ofGroup.push(resolve));
}

/** The first of the group whose turn it is; that group comes last then. */
function takeNext(line: Line): (() => void) | null {
  for (const [group, [first, ...others]] of line.byGroup) {
    line.byGroup.delete(group);
    if (others.length > 0) line.byGroup.set(group, others);
    if (first === undefined) continue;
    line.size -= 1;
    return first;
  }
  return null;
}
