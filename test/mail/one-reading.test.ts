// For any octets, every stage sees the same fields, the same end of the header, the same authors: each is driven through its own
// function, with the octets cut anywhere.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { createHeaderWatch } from '#container/intake/header-watch.ts';
import { readSubmittedHeader } from '#container/intake/submitted-header.ts';
import { openMessage } from '#functions/authenticate/judge/open-message.ts';
import { createMessageWatch } from '#functions/deliver/message/message-facts.ts';
import { readMessage } from '#functions/parse/mime/read-message.ts';
import type { ParsedHead, ParsedProblem } from '#functions/parse/worker/worker-messages.ts';
import { formatAddress } from '#mail/address/address.ts';
import { authorsOf } from '#mail/address/authors.ts';
import { createBodyHash, signedField } from '#mail/dkim/sign-message.ts';
import { composeDsn } from '#mail/dsn/dsn.ts';
import { fieldsNamed, fieldValue } from '#mail/header/header-fields.ts';
import { type Header, readHeader } from '#mail/header/read-header.ts';
import { normaliseLineEndings } from '#mail/smtp/line-endings.ts';
import { hostileOctets } from '#test/support/samples/hostile-octets.ts';

const received = Buffer.from('Received: from c.test by mx.example.test; Thu, 26 Nov 2026 07:12:00 +0000\r\n');
const given = fc.tuple(hostileOctets, fc.array(fc.integer({ min: 1, max: 40 }), { maxLength: 20 }));
const runs = { numRuns: 300 };

function* cut(bytes: Uint8Array, sizes: readonly number[]): Generator<Uint8Array> {
  let at = 0;
  for (const size of [...sizes, bytes.length]) {
    if (at < bytes.length) yield Uint8Array.from(bytes.subarray(at, at + size));
    at += size;
  }
}

/** What the judge reads of a stored message: its header, and its body in one piece. */
async function judged(bytes: Uint8Array, sizes: readonly number[]): Promise<{ header: Header; body: Buffer }> {
  async function* body() {
    yield* cut(bytes, sizes);
  }
  const facts = { key: 'raw', bytes: bytes.length, etag: '', contentType: '', metadata: {}, modifiedAt: '' };
  const message = await openMessage({ get: async () => ({ ...facts, body: body() }) }, 'raw');
  const pieces: Uint8Array[] = [];
  for await (const piece of message.body) pieces.push(piece);
  return { header: message.header, body: Buffer.concat(pieces) };
}

/** What the inbox message has of the same message. */
async function parsed(bytes: Uint8Array, sizes: readonly number[]) {
  const heads: { head: ParsedHead; problems: readonly ParsedProblem[] }[] = [];
  async function* input() {
    yield* cut(bytes, sizes);
  }
  const nowhere = { write: async () => {}, end: () => {} };
  await readMessage(input(), { head: (message) => void heads.push(message), open: () => nowhere });
  assert.ok(heads[0] !== undefined);
  return heads[0];
}

const shown = ({ fields }: Pick<Header, 'fields'>): readonly (readonly [string, string])[] =>
  fields.map((field) => [field.name, Buffer.from(fieldValue(field)).toString()]);

test('the listener ends the header and counts hops where the judge does', async () => {
  await fc.assert(
    fc.asyncProperty(given, async ([bytes, sizes]) => {
      const watch = createHeaderWatch('mx.example.test');
      let [at, bodyAt] = [0, bytes.length];
      for (const chunk of cut(bytes, sizes)) {
        const found = watch.push(chunk);
        if (found >= 0) bodyAt = Math.min(bodyAt, at + found);
        at += chunk.length;
      }
      watch.end();
      const { header, body } = await judged(bytes, sizes);
      assert.deepEqual(body, bytes.subarray(bodyAt));
      assert.equal(watch.hops(), fieldsNamed(header.fields, 'received').length);
    }),
    runs,
  );
});

test('behind our Received field, the judge reads what the listener read before it', async () => {
  await fc.assert(
    fc.asyncProperty(given, async ([bytes, sizes]) => {
      const { header, body } = await judged(Buffer.concat([received, bytes]), sizes);
      const alone = readHeader(bytes);
      assert.deepEqual(shown(header).slice(1), shown(alone));
      assert.deepEqual(body, bytes.subarray(alone.bodyOffset));
    }),
    runs,
  );
});

test('what is accepted of submitted mail has the fields that it had, but for the private ones', () => {
  fc.assert(
    fc.property(hostileOctets, (bytes) => {
      const submitted = readSubmittedHeader(bytes);
      if (submitted.outcome !== 'fields') return;
      assert.deepEqual(shown(readHeader(submitted.bytes)), shown(readHeader(bytes)));
      assert.deepEqual(readHeader(bytes).problems, []);
    }),
    { numRuns: 2_000 },
  );
});

test('the inbox message has the fields and authors that were judged, and names every doubt', async () => {
  await fc.assert(
    fc.asyncProperty(given, async ([bytes, sizes]) => {
      const stored = Buffer.concat([received, bytes]);
      const { header } = await judged(stored, sizes);
      const { head, problems } = await parsed(stored, sizes);
      assert.deepEqual(
        head.headers.map(({ name, raw }) => [name, raw]),
        shown(header),
      );
      const { addresses, doubts, fieldCount } = authorsOf(header);
      const codes = new Set(problems.map(({ code }) => code));
      assert.equal(codes.has('author-doubtful'), doubts.length > 0);
      if (doubts.length > 0 || fieldCount > 1) return;
      assert.deepEqual(
        head.from.map(({ address }) => address).filter((text) => text.includes('@')),
        addresses.map(formatAddress),
      );
    }),
    runs,
  );
});

test('what goes out is signed over the fields and the body that were judged', async () => {
  await fc.assert(
    fc.asyncProperty(given, async ([octets, sizes]) => {
      const bytes = octets.map((byte) => (byte === 0 ? 0x3f : byte)); // a NUL leaves as a question mark
      const mended = normaliseLineEndings(Buffer.concat([received, bytes]));
      const watch = createMessageWatch({ hostname: 'mx.example.test', isSigned: true, isBinary: false });
      for (const chunk of cut(mended, sizes)) watch.push(chunk);
      const facts = watch.end();
      const { header, body } = await judged(Buffer.concat([received, bytes]), sizes);
      const covered = header.fields.filter(({ name }) => signedField.test(name));
      assert.deepEqual(
        facts.fields.map(({ raw }) => Buffer.from(raw).toString('latin1')),
        covered.map(({ raw }) => Buffer.from(normaliseLineEndings(raw)).toString('latin1')),
      );
      const hash = createBodyHash();
      hash.push(normaliseLineEndings(body));
      assert.equal(facts.bodyHash, hash.digest());
    }),
    runs,
  );
});

test('a bounce returns the fields that were judged', async () => {
  await fc.assert(
    fc.asyncProperty(given, async ([octets, sizes]) => {
      const original = octets.map((byte) => (byte === 0 ? 0x3f : byte));
      const { header } = await judged(original, sizes);
      const now = '2026-11-21T03:11:00.000Z';
      const dsn = composeDsn({
        id: '01JD',
        boundary: 'b',
        hostname: 'mx.example.test',
        to: 'a@b.example',
        now,
        arrivalAt: now,
        envid: null,
        ret: 'hdrs',
        smtpUtf8: false,
        recipients: [],
        original,
        originalBytes: original.length,
      });
      const returned = Buffer.concat(header.fields.map(({ raw }) => normaliseLineEndings(raw))).toString('latin1');
      assert.ok(Buffer.from(dsn).toString('latin1').includes(`\r\n\r\n${returned}\r\n--`), returned);
    }),
    runs,
  );
});
