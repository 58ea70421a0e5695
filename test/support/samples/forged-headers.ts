// Headers that a forger writes: `victim.example` asks for p=reject and vouches for nobody, `evil.example` vouches for all of them.
// Each is what one program or another reads as mail of the victim.

/**
 * What has to become of a header. `withheld`: it may show the victim. `evil`: its author is x@evil.example, and passes. `unread`: it
 * shows no author, and the JSON says why. `either`: programs show this or that; only what holds for all mail has to hold.
 */
export type Fate = 'withheld' | 'evil' | 'unread' | 'either';

export type ForgedHeader = {
  readonly name: string;
  readonly fate: Fate;
  /** The header without its final empty line; a character an octet. */
  readonly header: string;
};

export const victim = 'ceo@victim.example';
export const evil = 'x@evil.example';

const octets = (text: string): string => Buffer.from(text).toString('latin1');
const times = (count: number, make: (n: number) => string): string =>
  Array.from({ length: count }, (_, n) => make(n)).join('');
const folded = (bytes: number): string => ` ${'y'.repeat(70)}\r\n`.repeat(Math.ceil(bytes / 73));
const fillers = (count: number): string => times(count, (n) => `X-Filler-${n}: ${n}\r\n`);

const subject = 'Subject: news\r\n';
const fromEvil = `From: ${evil}\r\n`;
const fromVictim = `From: ${victim}\r\n`;

/** One From field, of which programs may read the one or the other. */
const values: readonly (readonly [fate: Fate, value: string])[] = [
  ['withheld', `"${evil}" <ceo@ victim.example>`],
  ['withheld', `${victim} <${evil}>`],
  ['withheld', `<${evil}> ${victim}`],
  ['withheld', `${victim} ${evil}`],
  ['withheld', `${evil} ${victim}`],
  ['withheld', `<${victim}><${evil}>`],
  ['withheld', `${evil}; ${victim}`],
  ['withheld', `${evil}, ${victim}`],
  ['withheld', `<${victim}>, <${evil}>`],
  ['withheld', `Board: ${victim}, ${evil};`],
  ['withheld', `${victim}: ${evil};`],
  ['withheld', `${evil}: ${victim};`],
  ['withheld', `Board: ${evil};, ${victim}`],
  ['withheld', `Board: A: ${victim};, ${evil};`],
  ['withheld', `<@evil.example:${victim}>`],
  ['withheld', `<@evil.example,@x.evil.example:${victim}>`],
  ['withheld', `(${evil}) ${victim}`],
  ['withheld', `ceo@victim(${evil}).example`],
  ['withheld', `ceo@(<${evil}>)victim.example`],
  ['withheld', `ceo (a (${evil}) b) @victim.example`],
  ['withheld', `"${evil}\\\\" <${victim}>`],
  ['withheld', `"${evil} <${victim}>`],
  ['withheld', `"a" "${evil}" <${victim}>`],
  ['withheld', `"<${evil}>" ${victim}`],
  ['withheld', `"${evil}"@victim.example`],
  ['withheld', `<"${evil}" @ victim . example>`],
  ['withheld', `<<${victim}>>`],
  ['withheld', `${victim}.`],
  ['withheld', `CEO@VICTIM.EXAMPLE (${evil})`],
  ['withheld', `${victim},,${evil}`],
  ['withheld', `<${victim}`],
  ['withheld', `<${evil}> <${victim}`],
  ['withheld', `x@evil.example@victim.example`],
  ['withheld', `${victim}@evil.example`],
  ['withheld', `=?utf-8?q?ceo=40victim.example?=, ${evil}`],
  ['withheld', `=?utf-8?q?ceo@victim.example,?= <${evil}>`],
  ['withheld', `=?utf-8?q?<${victim}>?= <${evil}>`],
  ['withheld', `=?utf-8?q?"${victim}"_<a?= <${evil}>`],
  ['withheld', `ceo@victim.ex(a)ample <${evil}>`],
  ['withheld', `ceo@vic(a(b)c)tim.example: ${evil};`],
  ['withheld', `<(a)@a.example:${evil}> ${victim}`],
  ['withheld', `<@a.example"${victim}":${evil}>`],
  ['withheld', `ceo\\@victim.example <${evil}>`],
  ['withheld', `${evil}, ceo@=?utf-8?q?victim.example?=`],
  ['withheld', `${evil}, ceo@[victim.example]`],
  ['withheld', `ceo\\@victim.example, ${evil}, ${victim}`],
  ['withheld', `${evil} (, ${victim}`],
  ['withheld', `${evil} (\r\n), ${victim}`],
  ['withheld', `${evil}\r\n, ${victim}`],
  ['withheld', `${evil}\r\n \r\n , ${victim}`],
  ['withheld', `${evil},\r\n\t${victim}`],
  ['withheld', `${evil}\0, ${victim}`],
  ['withheld', `${evil}\x0b,${victim}`],
  ['withheld', `ceo@victim\x00.example, ${evil}`],
  ['withheld', octets(`ceo@victim\u2003.example, ${evil}`)],
  ['withheld', octets(`"${evil}" <ceo@\u00a0victim.example>`)],
  ['withheld', octets(`"${evil}" <ceo@victim.example\u3000>`)],
  ['withheld', octets(`"${evil}" <ceo@vic\u00adtim.example>`)],
  ['withheld', octets(`"${evil}" <ceo@vic\u200btim.example>`)],
  ['withheld', octets(`"${evil}" <ceo@victim\u2060.example>`)],
  ['withheld', octets(`"${evil}" <ceo\uff20victim.example>`)],
  ['withheld', octets(`"${evil}" <ceo@\uff56\uff49\uff43\uff54\uff49\uff4d.example>`)],
  ['withheld', octets(`"${evil}" <ceo@victim\uff0eexample>`)],
  ['withheld', octets(`"${evil}" <ceo@victim\u3002example>`)],
  ['withheld', octets(`"${evil}" <ceo@\u202evictim.example>`)],
  ['withheld', octets(`ceo@vic\u00adtim.example, ${evil}`)],
  ['withheld', `"${evil}" <ceo@victim.example\xa0>`],
  ['withheld', `"${evil}" <ceo@victim.example\xff>`],
  ['withheld', octets('ceo@v\u00edctim.example')],
  ['withheld', 'ceo@xn--vctim-zsa.example'],
  [
    'withheld',
    `"x" <${evil}>, ${times(11, (n) => `a${n}@evil.example, `)}${victim}, ${times(11, (n) => `b${n}@evil.example, `)}z@evil.example`,
  ],
  ['withheld', `${times(1_200, (n) => `a${n}@evil.example, `)}${victim}`],
  ['withheld', `${evil} (${folded(33_000)} ), ${victim}`],
  ['withheld', `${victim} (${folded(33_000)} )`],
  ['withheld', `${evil}, ${times(1_500, (n) => `\r\n a${n}@evil.example,`)} ${victim}`],
  ['withheld', `${evil} (${folded(140_000)} ), ${victim}`],
  [
    'withheld',
    `${times(12, (n) => `a@a${n}.evil.example, `)}${victim}, ${times(12, (n) => `b@b${n}.evil.example, `)}${evil}`,
  ],
  [
    'withheld',
    `${times(7, (n) => `a@a${n}.evil.example, `)}${victim}, ${times(7, (n) => `b@b${n}.evil.example, `)}${evil}`,
  ],
  ['withheld', `${evil} (${folded(600_000)} ), ${victim}`],
  ['withheld', `${evil}\r\n<${victim}>`],
  ['withheld', 'x@victim.\r\nexample'],
  ['withheld', 'x@victim.exam\r\nple'],
  ['withheld', `"a" <x@victim.ex>b c<ample>`],
  ['withheld', `a<<x@victim.ex>ample`],
  ['withheld', `;,x@(${evil})>victim.example`],
  ['withheld', `=?utf-8?q?ceo=40victim.example=2C?= ${evil}`],
  ['withheld', `=?utf-8?q?ceo=40victim.example=2C?= <${evil}>`],
  ['withheld', `=?utf-8?b?Y2VvQHZpY3RpbS5leGFtcGxlLA==?= <${evil}>`],
  ['withheld', `=?utf-8?q?ceo=40vic?=\r\n =?utf-8?q?tim.example=3B?= <${evil}>`],
  ['withheld', `"=?utf-8?q?=22ceo=40victim.example=2C=22?=" <${evil}>`],
  ['withheld', `${evil} (=?utf-8?q?=29=2Cceo=40victim.example?=)`],
  ['withheld', `${evil}, x@=?none?q?ceo=40victim.example?=`],
  ['withheld', `"${victim}" "a\r\n b" <${evil}>`],
  ['withheld', octets(`ceo@victim.example\u0085.  example`)],
  ['withheld', octets(`'ceo@victim.example\u4e2d%`)],
  ['withheld', `ceo@victim.example\va.evil.example`],
  ['withheld', `${evil} (c(${victim})eo@victim.example)`],
  ['evil', `"${victim}" <${evil}>`],
  ['evil', `Chief <${evil}>`],
  ['evil', `<@victim.example:${evil}>`],
  ['evil', `${evil} (Chief)`],
  ['evil', `=?utf-8?q?ceo=40victim=2Eexample?= <${evil}>`],
  ['evil', `"\\"${victim}\\"" <${evil}>`],
  ['either', `"${victim}"@evil.example`],
  ['either', `${victim}%x@evil.example`],
  ['either', `"${victim}" ${evil}`],
  ['unread', ''],
  ['unread', 'undisclosed:;'],
];

/** Whole headers: which line is a From field, and where the header ends. */
const headers: readonly ForgedHeader[] = [
  {
    name: '40 KiB of DKIM-Signature before it',
    fate: 'withheld',
    header: `DKIM-Signature: ${folded(40_960)}From: "${evil}" <ceo@ victim.example>\r\n`,
  },
  { name: 'two From fields, the victim first', fate: 'withheld', header: `${fromVictim}${fromEvil}` },
  { name: 'two From fields, the victim last', fate: 'withheld', header: `${fromEvil}${fromVictim}` },
  { name: 'the 21st From field', fate: 'withheld', header: `${fromEvil.repeat(20)}${fromVictim}` },
  {
    name: 'the 21st From field of 41',
    fate: 'withheld',
    header: `${fromEvil.repeat(20)}${fromVictim}${fromEvil.repeat(20)}`,
  },
  { name: 'From with a blank before its colon', fate: 'withheld', header: `${fromEvil}From : ${victim}\r\n` },
  { name: 'From with a fold before its colon', fate: 'withheld', header: `${fromEvil}From\r\n : ${victim}\r\n` },
  { name: 'From<VT>:', fate: 'withheld', header: `${fromEvil}From\x0b: ${victim}\r\n` },
  { name: 'From<FF>:', fate: 'withheld', header: `${fromEvil}From\x0c: ${victim}\r\n` },
  { name: 'From<octet FF>:', fate: 'withheld', header: `${fromEvil}From\xff: ${victim}\r\n` },
  { name: 'From<NBSP>:', fate: 'withheld', header: `${fromEvil}${octets('From\u00a0:')} ${victim}\r\n` },
  { name: 'From<NUL>:', fate: 'withheld', header: `${fromEvil}From\0: ${victim}\r\n` },
  { name: 'Fr<NUL>om:', fate: 'withheld', header: `${fromEvil}Fr\0om: ${victim}\r\n` },
  { name: 'From<VT>: first', fate: 'withheld', header: `${subject}From\x0b: ${victim}\r\n${fromEvil}` },
  { name: 'From<octet FF>: first', fate: 'withheld', header: `From\xff: ${victim}\r\n${subject}${fromEvil}` },
  {
    name: 'From<NBSP>: first',
    fate: 'withheld',
    header: `${subject}${octets('From\u00a0:')} ${victim}\r\n${fromEvil}`,
  },
  { name: 'From<NBSP>: alone', fate: 'withheld', header: `${subject}${octets('From\u00a0:')} ${victim}\r\n` },
  { name: '<BOM>From:', fate: 'withheld', header: `${octets('\ufeff')}${fromVictim}${fromEvil}` },
  { name: 'From without a colon', fate: 'withheld', header: `${fromEvil}From ${victim}\r\n${subject}` },
  { name: 'From without a colon, first', fate: 'either', header: `From ${victim}\r\n${fromEvil}` },
  { name: 'rubbish before From', fate: 'withheld', header: `${subject}garbage\r\n${fromVictim}` },
  { name: 'rubbish between the two', fate: 'withheld', header: `${fromEvil}garbage\r\n${fromVictim}` },
  { name: 'a first line that is rubbish', fate: 'withheld', header: `garbage\r\n${fromVictim}` },
  { name: 'a line of a colon alone before From', fate: 'withheld', header: `: x\r\n${fromVictim}` },
  { name: 'a line of a colon alone between the two', fate: 'withheld', header: `${fromEvil}: x\r\n${fromVictim}` },
  { name: 'a bare CR before From', fate: 'withheld', header: `${fromEvil}Subject: x\r${fromVictim}` },
  { name: 'a bare CR behind From', fate: 'withheld', header: `From: ${evil}\rX-Y: , ${victim}\r\n` },
  { name: 'a bare CR within From', fate: 'withheld', header: `From: ${evil}\r, ${victim}\r\n` },
  { name: 'From<VT>: that ends in a bare CR', fate: 'withheld', header: `${fromEvil}From\x0b: a\r,${victim}\r\n` },
  { name: 'two bare CRs before From', fate: 'withheld', header: `${fromEvil}Subject: x\r\r${fromVictim}` },
  { name: 'CR CR LF before From', fate: 'withheld', header: `From: ${evil}\r\r\n${fromVictim}` },
  { name: 'CR CR LF alone in a line', fate: 'withheld', header: `${fromEvil}\r\r\n${fromVictim}` },
  { name: 'a bare LF before From', fate: 'withheld', header: `From: ${evil}\n${fromVictim}` },
  { name: 'a first line that begins with a blank', fate: 'either', header: ` ${fromVictim}${fromEvil}` },
  { name: 'a first line that is blank', fate: 'withheld', header: ` \r\n${fromVictim}${fromEvil}` },
  { name: 'a blank line that is folded', fate: 'withheld', header: `${fromEvil} \r\n${fromVictim}` },
  { name: 'behind 10,500 fields', fate: 'withheld', header: `${fromEvil}${fillers(10_500)}${fromVictim}` },
  { name: 'alone behind 10,500 fields', fate: 'withheld', header: `${fillers(10_500)}${fromVictim}` },
  {
    name: 'behind 1,100 fields that say what the body is',
    fate: 'withheld',
    header: `${fromEvil}${'Content-Type: a/b\r\n'.repeat(1_100)}${fromVictim}`,
  },
  { name: 'behind 1,100 From fields', fate: 'withheld', header: `${fromEvil.repeat(1_100)}${fromVictim}` },
  { name: 'behind 300 KiB', fate: 'withheld', header: `${fromEvil}X: ${folded(307_200)}${fromVictim}` },
  { name: 'alone behind 300 KiB', fate: 'withheld', header: `X: ${folded(307_200)}${fromVictim}` },
  { name: 'behind 1.2 MiB', fate: 'withheld', header: `${fromEvil}X: ${folded(1_258_291)}${fromVictim}` },
  { name: 'alone behind 1.2 MiB', fate: 'withheld', header: `X: ${folded(1_258_291)}${fromVictim}` },
  { name: 'in a line of 40 KiB', fate: 'withheld', header: `From: "${'y'.repeat(40_960)} ${evil}" <${victim}>\r\n` },
  {
    name: 'behind 1,200 signatures',
    fate: 'withheld',
    header: `${'DKIM-Signature: x\r\n'.repeat(1_200)}${fromVictim}`,
  },
  { name: 'Sender is evil', fate: 'withheld', header: `Sender: ${evil}\r\n${fromVictim}` },
  { name: 'behind an empty line', fate: 'evil', header: `${fromEvil}\r\n${fromVictim}` },
  { name: 'Sender is the victim', fate: 'evil', header: `${fromEvil}Sender: ${victim}\r\n` },
  { name: 'Reply-To is the victim', fate: 'evil', header: `${fromEvil}Reply-To: ${victim}\r\n` },
  { name: '>From:', fate: 'either', header: `${fromEvil}>From: ${victim}\r\n` },
  { name: 'no From at all', fate: 'unread', header: `Sender: ${victim}\r\n` },
  { name: 'no header at all', fate: 'unread', header: '\r\n' },
];

export const forgedHeaders: readonly ForgedHeader[] = [
  ...values.map(([fate, value], n) => {
    const shown = JSON.stringify(value.length > 80 ? `${value.slice(0, 60)}… (${value.length}, ${n})` : value);
    return { name: `From: ${shown}`, fate, header: `From: ${value}\r\n${subject}` };
  }),
  ...headers,
];
