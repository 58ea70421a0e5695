// DKIM straight from RFC 6376, 8301 and 8463, with a signer of this file that can be told to sign wrongly; each verdict's
// word and what its reason says.
import assert from 'node:assert/strict';
import { createHash, createSign, generateKeyPairSync, type KeyPairKeyObjectResult, sign } from 'node:crypto';
import { test } from 'node:test';
import { judge } from '#test/functions/authenticate/run-stage.ts';

const rsa = generateKeyPairSync('rsa', { modulusLength: 2_048 });
const short = generateKeyPairSync('rsa', { modulusLength: 512 });
const ed = generateKeyPairSync('ed25519');
const publicKey = (pair: KeyPairKeyObjectResult): string =>
  pair.publicKey.export({ type: 'spki', format: 'der' }).toString('base64');
const edKey = ed.publicKey.export({ type: 'spki', format: 'der' }).subarray(-32).toString('base64');
const published = `v=DKIM1; k=rsa; p=${publicKey(rsa)}`;

const fields = ['From: Ann <ann@sender.example>', 'To: bob@ours.example', 'Subject: hello   there'];
const body = 'Hello,  Bob. \r\n\r\nbye\t \r\n\r\n\r\n';

type Signing = {
  readonly c?: string;
  readonly a?: string;
  readonly h?: readonly string[];
  readonly l?: number;
  /** More tags, each with its semicolon. */
  readonly tags?: string;
  readonly bh?: string;
  readonly d?: string;
  readonly pair?: KeyPairKeyObjectResult;
  readonly sentFields?: readonly string[];
  readonly sentBody?: string;
};

function relaxedField(field: string): string {
  const colon = field.indexOf(':');
  const value = field.slice(colon + 1).replaceAll('\r\n', '');
  return `${field.slice(0, colon).toLowerCase()}:${value.replace(/[ \t]+/g, ' ').trim()}`;
}

function canonicalBody(isRelaxed: boolean): string {
  if (!isRelaxed) return `${body.replace(/(\r\n)*$/, '')}\r\n`;
  return `${body
    .replace(/[ \t]+\r\n/g, '\r\n')
    .replace(/[ \t]+/g, ' ')
    .replace(/(\r\n)+$/, '')}\r\n`;
}

function signed({ c = 'relaxed/relaxed', a = 'rsa-sha256', h = ['From', 'To', 'Subject'], ...more }: Signing): string {
  const [ofFields, ofBody] = c.split('/');
  const hash = a.endsWith('sha1') ? 'sha1' : 'sha256';
  const covered = canonicalBody(ofBody === 'relaxed').slice(0, more.l);
  const bh = more.bh ?? createHash(hash).update(covered).digest('base64');
  const l = more.l === undefined ? '' : ` l=${more.l};`;
  const field = `DKIM-Signature: v=1; a=${a}; c=${c}; d=${more.d ?? 'sender.example'}; s=s1;${l} ${more.tags ?? ''}\r\n h=${h.join(':')}; bh=${bh}; b=`;
  const canonical = ofFields === 'relaxed' ? relaxedField : (text: string) => text;
  const left = [...fields];
  const chosen = h.flatMap((name) => {
    const at = left.findLastIndex((one) => one.toLowerCase().startsWith(`${name.toLowerCase()}:`));
    return at < 0 ? [] : left.splice(at, 1);
  });
  const data = [...chosen.map(canonical), canonical(field)].join('\r\n');
  const { privateKey } = more.pair ?? (a.startsWith('ed') ? ed : rsa);
  const value = a.startsWith('ed')
    ? sign(null, createHash('sha256').update(data).digest(), privateKey)
    : createSign(hash).update(data).sign(privateKey);
  const header = [field + value.toString('base64'), ...(more.sentFields ?? fields)];
  return `${header.join('\r\n')}\r\n\r\n${more.sentBody ?? body}`;
}

type Row = readonly [title: string, signing: Signing, result: string, reason: RegExp, key?: readonly string[]];

const valid = /^The signature of sender\.example is valid\.$/;
const rows: readonly Row[] = [
  ...['simple/simple', 'simple/relaxed', 'relaxed/simple', 'relaxed/relaxed', 'simple', 'relaxed'].map(
    (c): Row => [`c=${c} (§3.4)`, { c }, 'pass', valid],
  ),
  ['Ed25519 (RFC 8463)', { a: 'ed25519-sha256' }, 'pass', valid, [`v=DKIM1; k=ed25519; p=${edKey}`]],
  [
    'white space changed under simple',
    { c: 'simple/simple', sentFields: [fields[0] ?? '', 'To: bob@ours.example', 'Subject: hello there'] },
    'fail',
    /header fields it covers/,
  ],
  [
    'white space changed under relaxed',
    { sentFields: [fields[0] ?? '', 'To:  bob@ours.example', 'Subject: hello there'] },
    'pass',
    valid,
  ],
  ['another body', { sentBody: 'Evil\r\n' }, 'fail', /body was changed/],
  ['a wrong bh=', { bh: createHash('sha256').update('x').digest('base64') }, 'fail', /body was changed/],
  ['l= over the whole body', { l: canonicalBody(true).length }, 'pass', valid],
  ['l= over a part of the body (§8.2)', { l: 5 }, 'policy', /covers only the first 5 bytes/],
  ['x= in the past', { tags: 't=1700000000; x=1700000001;' }, 'fail', /expired/],
  ['x= in the future', { tags: 'x=4000000000;' }, 'pass', valid],
  ['x= before t=', { tags: 't=1800000000; x=1795000000;' }, 'neutral', /expiration/],
  ['i= at a subdomain', { tags: 'i=@mail.sender.example;' }, 'pass', valid],
  [
    'i= at a subdomain where the key says t=s',
    { tags: 'i=@mail.sender.example;' },
    'permerror',
    /subdomains/,
    [`${published}; t=s`],
  ],
  ['i= of somebody else', { tags: 'i=@evilsender.example;' }, 'permerror', /foreign identity/],
  ['h= without From (§5.4)', { h: ['To', 'Subject'] }, 'permerror', /does not cover the From field/],
  [
    'From oversigned, and a second one added (§8.15)',
    { h: ['From', 'From'], sentFields: ['From: eve@evil.example', ...fields] },
    'fail',
    /header fields it covers/,
  ],
  ['a key that is a test (§3.6.1 t=y)', {}, 'pass', /only a test \(t=y\)/, [`${published}; t=y`]],
  ['a key that is revoked (§3.6.1 p=)', {}, 'permerror', /has revoked this key/, ['v=DKIM1; k=rsa; p=']],
  ['a key that cannot be read', {}, 'permerror', /cannot be read/, ['v=DKIM1; k=rsa; p=!!!']],
  ['no key', {}, 'permerror', /publishes no such key/, []],
  ['a key of another algorithm', {}, 'permerror', /another algorithm/, [`v=DKIM1; k=ed25519; p=${edKey}`]],
  ['a key of an unknown kind', {}, 'permerror', /unknown type/, [`v=DKIM1; k=foo; p=${publicKey(rsa)}`]],
  ['a key of an unknown version', {}, 'permerror', /unknown version/, [`v=DKIM2; p=${publicKey(rsa)}`]],
  ['a key for another service (s=)', {}, 'permerror', /other than mail/, [`${published}; s=tlsrpt`]],
  ['a key for another hash (h=)', {}, 'permerror', /hash algorithm/, [`${published}; h=sha1`]],
  [
    'a key of 512 bits (RFC 8301 §3.2)',
    { pair: short },
    'policy',
    /shorter than 1,024 bits/,
    [`v=DKIM1; p=${publicKey(short)}`],
  ],
  ['SHA-1 (RFC 8301 §3.1)', { a: 'rsa-sha1' }, 'policy', /SHA-1/],
  ['an unknown algorithm', { a: 'rsa-sha512' }, 'neutral', /unknown algorithm/],
  ['a tag twice (§3.2)', { tags: 'd=evil.example;' }, 'neutral', /syntax error/],
  ['an unknown tag', { tags: 'zz=1;' }, 'pass', valid],
];

for (const [title, signing, result, reason, key = [published]] of rows) {
  test(`DKIM: ${title} is ${result}`, async () => {
    const { dkim, results } = await judge({
      message: signed(signing),
      zone: { 's1._domainkey.sender.example': { TXT: key } },
    });
    assert.equal(dkim.length, 1);
    assert.equal(dkim[0]?.result, result, dkim[0]?.reason);
    assert.match(dkim[0]?.reason ?? '', reason);
    assert.match(results, new RegExp(`dkim=${result} `));
  });
}
