// Webhooks by Standard Webhooks, version 1. The vector is that of its reference libraries' tests.
import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { test } from 'node:test';
import { isWebhookError, verifyWebhook, type WebhookCheck } from '#consume/verify-webhook.ts';

const secret = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw';
const vector = {
  id: 'msg_p5jXN8AQM9LWM0D4loKWxJek',
  timestamp: '1614265330',
  body: '{"test": 2432232314}',
  signature: 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=',
};
const sentAt = 1_614_265_330_000;
const other = 'whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD';

const accepted: readonly { title: string; request?: Partial<typeof vector>; check?: Partial<WebhookCheck> }[] = [
  { title: 'the vector of the reference libraries' },
  { title: 'a secret without its prefix', check: { secret: secret.slice('whsec_'.length) } },
  { title: 'the second of two secrets, while one changes to the other', check: { secret: [other, secret] } },
  {
    title: 'one fitting signature among several, and of other versions',
    request: {
      signature: `v1,Ceo5qEr07ixe2NLpvHk3FH9bwy/WavXrAFQ/9tdO6mc= v2,${vector.signature.slice(3)} ${vector.signature}`,
    },
  },
  { title: 'an age of exactly the tolerance', check: { now: () => sentAt + 300_000 } },
  { title: 'a sender whose clock is ahead by the tolerance', check: { now: () => sentAt - 300_000 } },
  { title: 'a longer tolerance', check: { now: () => sentAt + 900_000, toleranceSeconds: 900 } },
];
for (const { title, request, check } of accepted) {
  test(`a webhook is taken: ${title}`, () => {
    const verified = verifyWebhook(requestOf(request), { secret, now: () => sentAt, ...check });
    assert.deepEqual(verified, { id: vector.id, sentAt: new Date(sentAt), payload: { test: 2432232314 } });
  });
}

const unset: any = undefined;
const refused: readonly (Omit<(typeof accepted)[number], 'title'> & { code: string; title: string })[] = [
  { code: 'not-signed', title: 'another body', request: { body: '{"test": 2432232315}' } },
  { code: 'not-signed', title: 'the same JSON, written in another way', request: { body: '{"test":2432232314}' } },
  { code: 'not-signed', title: 'another id', request: { id: 'msg_other' } },
  { code: 'not-signed', title: 'another time', request: { timestamp: '1614265331' } },
  { code: 'not-signed', title: 'another secret', check: { secret: other } },
  {
    code: 'not-signed',
    title: 'a signature of another version',
    request: { signature: `v1a,${vector.signature.slice(3)}` },
  },
  { code: 'not-signed', title: 'a signature without its version', request: { signature: vector.signature.slice(3) } },
  { code: 'not-signed', title: 'a signature that is cut off', request: { signature: vector.signature.slice(0, -4) } },
  { code: 'too-old', title: 'a second more than the tolerance', check: { now: () => sentAt + 301_000 } },
  { code: 'too-new', title: 'a second more than the tolerance ahead', check: { now: () => sentAt - 301_000 } },
  { code: 'header-missing', title: 'no signature', request: { signature: '' } },
  { code: 'header-missing', title: 'no id', request: { id: '' } },
  { code: 'header-invalid', title: 'a time that is no number', request: { timestamp: 'hunter2' } },
  { code: 'header-invalid', title: 'a time with a fraction', request: { timestamp: '1614265330.5' } },
  { code: 'secret-invalid', title: 'a secret that is no base64', check: { secret: 'whsec_not base64' } },
  { code: 'secret-invalid', title: 'an empty secret', check: { secret: 'whsec_' } },
  { code: 'secret-invalid', title: 'an empty list of secrets', check: { secret: [] } },
  { code: 'secret-invalid', title: 'a variable that is not set, in JavaScript', check: { secret: unset } },
];
for (const { code, title, request, check } of refused) {
  test(`a webhook is refused as ${code}: ${title}`, () => {
    assert.throws(() => verifyWebhook(requestOf(request), { secret, now: () => sentAt, ...check }), {
      name: 'WebhookError',
      code,
    });
  });
}

test('a webhook whose body is no JSON is refused although it is signed, and bytes are as good as text', () => {
  const key = Buffer.from(secret.slice('whsec_'.length), 'base64');
  const sign = (body: Uint8Array) =>
    `v1,${createHmac('sha256', key).update(`${vector.id}.${vector.timestamp}.`).update(body).digest('base64')}`;
  const send = (body: Uint8Array) =>
    verifyWebhook({ ...requestOf({ signature: sign(body) }), body }, { secret, now: () => sentAt });
  assert.deepEqual(send(Buffer.from('{"text":"Grüße"}')).payload, { text: 'Grüße' });
  assert.throws(() => send(Buffer.from('hello')), { name: 'WebhookError', code: 'not-json' });
});

test('headers are found in a Headers object, in any case, and in lists', () => {
  const check = { secret, now: () => sentAt };
  const { headers, body } = requestOf();
  assert.equal(verifyWebhook({ headers: new Headers(headers), body }, check).id, vector.id);
  const upper = Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toUpperCase(), [value]]));
  assert.equal(verifyWebhook({ headers: upper, body }, check).id, vector.id);
});

test('a refusal is told from other errors', () => {
  assert.throws(() => verifyWebhook(requestOf({ id: '' }), { secret }), isWebhookError);
  assert.equal(isWebhookError(new TypeError('x')), false);
});

test('a body that was parsed already cannot be proven, and the message says what is needed', () => {
  const parsed: any = JSON.parse(vector.body);
  assert.throws(() => verifyWebhook({ ...requestOf(), body: parsed }, { secret }), /as it came, as text or bytes/);
});

function requestOf(changes: Partial<typeof vector> = {}) {
  const { id, timestamp, body, signature } = { ...vector, ...changes };
  return { headers: { 'webhook-id': id, 'webhook-timestamp': timestamp, 'webhook-signature': signature }, body };
}
