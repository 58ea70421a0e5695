// Each request of Mailpit's API document, and what its users send besides, against our server: the statuses, types and fields of the
// answers are those of the document (test/fixtures/mailpit).
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { z } from 'zod';
import { type MailServer, startMail } from '#testing/exports.ts';

const file = new URL('../../fixtures/mailpit/api-v1.json', import.meta.url);
const document: any = JSON.parse(readFileSync(file, 'utf8'));

/** With what it refers to in its place, every property needed, and no formats of Go. */
function closed(node: any): any {
  if (Array.isArray(node)) return node.map(closed);
  if (typeof node !== 'object' || node === null) return node;
  if (typeof node.$ref === 'string') {
    const path: readonly string[] = node.$ref.slice(2).split('/');
    return closed(path.reduce((from, name) => from[name], document));
  }
  const kept = Object.entries(node).filter(([key]) => !/^(?:x-.*|example|default|description|format)$/.test(key));
  const made = Object.fromEntries(kept.map(([key, value]) => [key, closed(value)]));
  const { properties } = made;
  return properties === undefined || node.type !== 'object' ? made : { ...made, required: Object.keys(properties) };
}

type Sent = { readonly body?: unknown; readonly at?: string };
type Asked = readonly [route: string, status: number, sent?: Sent];

let mail: MailServer;
before(async () => {
  mail = await startMail();
});
after(() => mail.stop());

/** A request as the document has it; `at`: its path and query as they are sent. The answer must be one of the document. */
async function ask([route, status, { body, at } = {}]: Asked): Promise<any> {
  const [method = '', path = ''] = route.split(' ');
  const operation = document.paths[path][method.toLowerCase()];
  const response = await fetch(`${mail.http}${at ?? path}`, {
    method,
    ...(body === undefined ? {} : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
  });
  const text = await response.text();
  assert.equal(response.status, status, text);
  const { schema } = closed(operation.responses[status]);
  assert.ok(schema, `${status} is no status of ${route}`);
  const type = response.headers.get('content-type') ?? '';
  const isJson = type.startsWith('application/json');
  const answer = isJson ? JSON.parse(text) : text;
  const { error } = z.fromJSONSchema(schema).safeParse(answer);
  assert.deepEqual(error?.issues ?? [], [], text);
  const isRight = operation.produces.some((one: string) => type.startsWith(one.replace('*', '')));
  // "ok" is no JSON, whatever the document says of this one.
  if (status === 200 && route !== 'DELETE /api/v1/search')
    assert.ok(isRight, `${type} is none of ${operation.produces}`);
  return answer;
}

const png = 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==';
const letter = {
  From: { Email: 'john@example.com', Name: 'John Doe' },
  To: [{ Email: 'jane@example.com', Name: 'Jane Doe' }],
  Cc: [{ Email: 'manager@example.com' }],
  Bcc: ['jack@example.com'],
  ReplyTo: [{ Email: 'secretary@example.com' }],
  Subject: 'By the HTTP API',
  Text: 'It is here.',
  HTML: '<p style="display:grid">It is <a href="https://x.example/a?b=1">here</a> <img src="cid:logo"></p>',
  Headers: { 'X-IP': '1.2.3.4', 'List-Unsubscribe': '<https://x.example/u>' },
  Tags: ['Tag 1', 'Tag 2'],
  Attachments: [
    { Content: png, Filename: 'logo.png', ContentID: 'logo' },
    { Content: 'aGVsbG8=', Filename: 'note.txt' },
  ],
};

const one = '/api/v1/message/{ID}';
const latest = (rest = ''): Sent => ({ at: `/api/v1/message/latest${rest}` });

describe('with no mail', () => {
  const rows: readonly Asked[] = [
    ...['info', 'webui', 'messages', 'tags', 'chaos'].map((name): Asked => [`GET /api/v1/${name}`, 200]),
    ['GET /api/v1/search', 200, { at: '/api/v1/search?query=any' }],
    ['GET /api/v1/search', 400],
    ['GET /api/v1/search', 400, { at: '/api/v1/search?query=' }],
    ...['', '/headers', '/raw', '/html-check', '/link-check'].map(
      (rest): Asked => [`GET ${one}${rest}`, 404, latest(rest)],
    ),
    [`GET ${one}/sa-check`, 400, latest('/sa-check')],
    [`GET ${one}/part/{PartID}`, 404, latest('/part/1')],
    [`POST ${one}/release`, 404, { ...latest('/release'), body: { To: ['a@b.test'] } }],
    ['GET /view/{ID}.html', 404, { at: '/view/latest.html' }],
    ['GET /view/{ID}.txt', 404, { at: '/view/latest.txt' }],
    ['DELETE /api/v1/search', 200, { at: '/api/v1/search?query=any' }],
    ['DELETE /api/v1/search', 400],
    ['PUT /api/v1/tags', 200, { body: { IDs: [], Tags: [] } }],
    ['PUT /api/v1/tags/{Tag}', 200, { at: '/api/v1/tags/none', body: { Name: 'x' } }],
    ['DELETE /api/v1/tags/{Tag}', 200, { at: '/api/v1/tags/none' }],
    ['POST /api/v1/send', 400, { body: {} }],
    ['POST /api/v1/send', 400, { body: { From: { Email: 'nobody' }, To: [{ Email: 'jane@example.com' }] } }],
  ];
  for (const row of rows) test(`${row[0]} ${row[2]?.at ?? ''}: ${row[1]}`, () => ask(row));
});

describe('with a message', () => {
  let id = '';
  before(async () => {
    await ask(['DELETE /api/v1/messages', 200]);
    id = (await ask(['POST /api/v1/send', 200, { body: letter }])).ID;
  });
  const rows: readonly Asked[] = [
    ['GET /api/v1/messages', 200, { at: '/api/v1/messages?start=x&limit=0&before=1&_=17' }],
    ['GET /api/v1/search', 200, { at: '/api/v1/search?query=here&tz=Europe/Berlin&start=0&limit=50' }],
    ...['/headers', '/raw', '/html-check', '/link-check'].map(
      (rest): Asked => [`GET ${one}${rest}`, 200, latest(rest)],
    ),
    [`GET ${one}/part/{PartID}`, 404, latest('/part/3')],
    [`POST ${one}/release`, 400, { ...latest('/release'), body: { To: ['a@b.test'] } }],
    [`POST ${one}/release`, 400, { ...latest('/release'), body: ['a@b.test'] }],
    ['PUT /api/v1/chaos', 200, { body: { Sender: { ErrorCode: 451, Probability: 5 } } }],
    ['PUT /api/v1/chaos', 400, { body: { Sender: { ErrorCode: 200, Probability: 5 } } }],
    ['PUT /api/v1/chaos', 200, { body: {} }],
    ['PUT /api/v1/messages', 400, { body: 'nonsense' }],
  ];
  for (const row of rows) test(`${row[0]} ${row[2]?.at ?? ''}: ${row[1]}`, () => ask(row));

  test('a row of the list counts what is attached, not what the text shows', async () => {
    const { messages } = await ask(['GET /api/v1/messages', 200]);
    assert.deepEqual([messages[0].Attachments, messages[0].Username, messages[0].Read], [1, '', false]);
  });

  test('its HTML has its own links, for a browser that clicks there; embedded they open in new tabs', async () => {
    const html = (embed: string) => ask(['GET /view/{ID}.html', 200, { at: `/view/latest.html${embed}` }]);
    assert.match(await html(''), /<a href="https:\/\/x\.example\/a\?b=1">here<\/a> <img src="data:image\/png;base64,/);
    assert.match(
      await html('?embed=1'),
      /<a href="https:\/\/x\.example\/a\?b=1" target="_blank" rel="noopener noreferrer">/,
    );
  });

  test('a small picture is the picture, and blank for what is none', async () => {
    const answers = await Promise.all(
      ['1', '2'].map((part) => fetch(`${mail.http}/api/v1/message/${id}/part/${part}/thumb`)),
    );
    assert.deepEqual(
      answers.map(({ status, headers }) => [status, headers.get('content-type')]),
      [
        [200, 'image/png'],
        [200, 'image/jpeg'],
      ],
    );
    const [picture = '', blank = ''] = await Promise.all(
      answers.map(async (answer) => Buffer.from(await answer.arrayBuffer()).toString('base64')),
    );
    assert.equal(picture, png);
    assert.match(blank, /^\/9j\//);
  });

  test('what its users open besides: the page of the newest message, and whether the server is there', async () => {
    const page = await fetch(`${mail.http}/view/latest`, { redirect: 'manual' });
    assert.deepEqual([page.status, page.headers.get('location')], [302, `/#/mail/${id}`]);
    for (const path of ['/livez', '/readyz']) {
      const answer = await fetch(`${mail.http}${path}`);
      assert.deepEqual([answer.status, await answer.text()], [200, 'ok']);
    }
  });

  test('what the server counts is what it did', async () => {
    const { Messages, Unread, RuntimeStats, Database } = await ask(['GET /api/v1/info', 200]);
    assert.deepEqual([Messages, Unread, RuntimeStats.SMTPAccepted], [1, 1, 1]);
    assert.ok(RuntimeStats.SMTPAcceptedSize > 1_000 && Database !== '');
  });

  test('ids that are none change nothing, and are no reason to refuse', async () => {
    const IDs = ['nope'];
    await ask(['PUT /api/v1/messages', 200, { body: { IDs, Read: true } }]);
    await ask(['PUT /api/v1/tags', 200, { body: { IDs, Tags: ['x'] } }]);
    assert.equal(await ask(['DELETE /api/v1/messages', 200, { body: { IDs } }]), 'ok');
    const { total, unread, tags } = await ask(['GET /api/v1/messages', 200]);
    assert.deepEqual([total, unread, tags], [1, 1, ['Tag 1', 'Tag 2']]);
  });

  test('what no tag has there is left out of one; a message without Tags loses them', async () => {
    await ask(['PUT /api/v1/tags', 200, { body: { IDs: [id], Tags: ['a, b!', '  Grüße  $ ', '%'] } }]);
    assert.deepEqual(await ask(['GET /api/v1/tags', 200]), ['Grüße', 'a b']);
    await ask(['PUT /api/v1/tags/{Tag}', 400, { at: '/api/v1/tags/a%20b', body: { Name: '!' } }]);
    await ask(['PUT /api/v1/tags/{Tag}', 200, { at: '/api/v1/tags/a%20b', body: { Name: 'New name' } }]);
    assert.deepEqual((await ask(['GET /api/v1/tags', 200])).sort(), ['Grüße', 'New name']);
    await ask(['PUT /api/v1/tags', 200, { body: { IDs: [id] } }]);
    assert.deepEqual(await ask(['GET /api/v1/tags', 200]), []);
  });

  test('it is read once it was shown, and a message of HTML alone has a text', async () => {
    assert.equal((await ask([`GET ${one}`, 200, latest()])).ListUnsubscribe.Links[0], 'https://x.example/u');
    assert.equal((await ask(['GET /api/v1/messages', 200])).unread, 0);
    await ask(['POST /api/v1/send', 200, { body: { ...letter, Text: '', HTML: '<h1>Hi</h1><p>Jane</p>' } }]);
    assert.equal((await ask([`GET ${one}`, 200, latest()])).Text, 'Hi\nJane');
    assert.equal(await ask(['GET /view/{ID}.txt', 200, { at: '/view/latest.txt' }]), 'Hi\nJane');
  });

  test('all of it is deleted with "ok"; who names nothing that it accepts gets no body, for MailHog', async () => {
    assert.equal(await ask(['DELETE /api/v1/messages', 200, { body: { IDs: [] } }]), 'ok');
    assert.equal((await ask(['GET /api/v1/messages', 200])).total, 0);
  });
});
