// Every message of the corpus through the stage: what must hold for all of them, and fixture pairs for what each says.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { after, test } from 'node:test';
import { isProblemCode } from '#functions/parse/problems.ts';
import { createParser } from '#functions/parse/worker/parser.ts';
import { corpus } from '#test/support/samples/corpus.ts';
import { parsed } from './parse-job.ts';

const parser = createParser();
after(() => parser.close());

const received = 'Received: from mail.sender.example by mx.example.test; Sat, 21 Nov 2026 08:00:00 +0000\r\n';
const fixtures = new URL('../../fixtures/parse/', import.meta.url);

test('the corpus has at least 100 messages, each by a name of its own', () => {
  const names = corpus().map(({ name }) => name);
  assert.ok(names.length >= 100, `${names.length}`);
  assert.equal(new Set(names).size, names.length);
});

for (const { name, bytes } of corpus()) {
  test(`${name}: is stored whole, by the schema, the same twice`, async () => {
    const stored = Buffer.concat([Buffer.from(received), bytes]);
    const { message, store, json } = await parsed(parser, stored);
    assert.equal(json, (await parsed(parser, stored)).json);
    assert.equal(message.headers[0]?.name, 'Received');
    assert.ok(json.length < 1_048_576);
    for (const { code } of message.problems) assert.ok(isProblemCode(code) && !code.startsWith('parse-'), code);
    const objects = [
      ...message.attachments,
      ...[message.text, message.html].filter((body) => typeof body === 'object' && body !== null),
    ];
    for (const object of objects) {
      const content = store.bytes(object.key);
      assert.equal(object.bytes, content.length);
      assert.equal(object.sha256, createHash('sha256').update(content).digest('hex'));
    }
    assert.equal(store.keys('attachments/').length, objects.length);
  });
}

for (const file of readdirSync(fixtures).filter((candidate) => candidate.endsWith('.eml'))) {
  test(`fixture ${file} reads as its JSON says`, async () => {
    const { message } = await parsed(parser, readFileSync(new URL(file, fixtures)));
    const { headers, messageId, date, subject, from, to, cc, replyTo, inReplyTo, references } = message;
    const { text, html, attachments, problems } = message;
    const read = {
      subject,
      date,
      messageId,
      from,
      to,
      cc,
      replyTo,
      inReplyTo,
      references,
      text,
      html,
      attachments,
      headers,
      problems,
    };
    const expected = new URL(file.replace(/\.eml$/, '.json'), fixtures);
    // A change that is meant: run once with UPDATE_FIXTURES set, then read the difference.
    if (process.env['UPDATE_FIXTURES'] !== undefined) writeFileSync(expected, `${JSON.stringify(read, null, 2)}\n`);
    assert.deepEqual(read, JSON.parse(readFileSync(expected, 'utf8')));
  });
}
