// The one source of chance in a simulation: the same seed gives the same choices, in the order in which they are asked for.

/** Choices of one seed. */
export type Random = {
  /** 0 to below 1. */
  readonly next: () => number;
  /** A whole number from `first` to `last`, both included. */
  readonly between: (first: number, last: number) => number;
  readonly chance: (probability: number) => boolean;
  readonly pick: <Item>(items: readonly Item[]) => Item;
  readonly bytes: (length: number) => Buffer;
  /** Another source with a seed of its own, so that more choices in one part do not change those of another. */
  readonly fork: (name: string) => Random;
};

/** Makes it from a number or a text. */
export function createRandom(seed: number | string): Random {
  let state = hashOf(String(seed));
  const next = (): number => {
    // mulberry32: 32 bits of state are enough for some thousands of choices.
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
  const between = (first: number, last: number): number => first + Math.floor(next() * (last - first + 1));
  return {
    next,
    between,
    chance: (probability) => probability > 0 && next() < probability,
    pick: (items) => items[between(0, items.length - 1)]!,
    bytes: (length) => {
      const bytes = Buffer.alloc(length);
      for (let at = 0; at < length; at++) bytes[at] = between(0, 255);
      return bytes;
    },
    fork: (name) => createRandom(`${seed} ${name}`),
  };
}

/** FNV-1a. */
export function hashOf(text: string, from = 0x811c9dc5): number {
  let hash = from;
  for (let at = 0; at < text.length; at++) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193);
  return hash | 0;
}
