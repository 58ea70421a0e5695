// Octets that readers of headers disagree about, for property tests.
import fc from 'fast-check';

const ends = ['\r\n', '\r\n', '\n', '\r', '\r\r\n', '\r\n\r\n'];
const names = [
  'From: ',
  'From : ',
  'from:',
  'From\v: ',
  'From',
  'Fr\0om: ',
  ' From: ',
  '>From: ',
  'Sender: ',
  'Subject: ',
];
const lines = [
  'Received: from y by z; now',
  'To: c@d.example',
  'garbage',
  ': x',
  'From ann Thu Nov 26 07:12:00 2026',
  ' ',
  '\tfolded',
];
const authors = [
  'a@b.example',
  '"x@evil.example" <ceo@ victim.example>',
  'ceo@victim.example <x@evil.example>',
  '<a@b.example',
  '',
];
const single = ['\r', '\n', ' ', '\t', ':', '\0', '\v', '\f', '\xa0', '\xff', 'x', '\xe2\x80\x8b'];

const line = fc.oneof(
  fc.constantFrom(...lines),
  fc.tuple(fc.constantFrom(...names), fc.constantFrom(...authors)).map((parts) => parts.join('')),
  fc.array(fc.constantFrom(...single), { maxLength: 4 }).map((parts) => parts.join('')),
);

/** Headers of up to eight lines, some of them fields; what stands behind them is a body to nobody, or to some. */
export const hostileOctets: fc.Arbitrary<Buffer> = fc
  .array(fc.tuple(line, fc.constantFrom(...ends)), { maxLength: 8 })
  .map((parts) => Buffer.from(parts.flat().join(''), 'latin1'));
