// Words for mail that the bench makes up: 20,000 by Zipf's law, few of them common, most of them rare.

const vocabulary = 20_000;
const common = ['the', 'invoice', 'of', 'meeting', 'to', 'customer', 'and', 'order', 'please', 'account', 'is', 'with'];
const syllables = [
  'ba',
  'ko',
  'ri',
  'ten',
  'mu',
  'sal',
  'vor',
  'ing',
  'ed',
  'ly',
  'ne',
  'du',
  'pra',
  'xi',
  'ze',
  'bra',
];

/** The word of a number that was drawn, from 0 to below 1. */
export function wordAt(drawn: number): string {
  const rank = Math.floor(vocabulary ** drawn) - 1;
  const known = common[rank];
  if (known !== undefined) return known;
  const [one = '', two = '', three = ''] = [rank, Math.floor(rank / 16), Math.floor(rank / 256)].map(
    (part) => syllables[part % syllables.length] ?? '',
  );
  return `${one}${two}${three}${rank % 10}`;
}

/** Numbers from 0 to below 1, always the same for a seed (mulberry32). */
export function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
