// What is said of the API is what it does: the OpenAPI description against the routes and their answers.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { z } from 'zod';
import { openApi } from '#ops/api/openapi.ts';
import { createOpsApp } from '#ops/api/ops-app.ts';
import { refusalTable } from '#ops/api/refusals.ts';
import { serviceRoutes } from '#ops/api/routes.ts';
import { newDeliveryState } from '#pipeline/contract/records/delivery.ts';
import { readBody } from '#pipeline/contract/stored-body.ts';
import { sampleDeliverJob } from '#test/support/samples/sample-jobs.ts';
import { sampleId, sampleMessage, sampleWorld } from '#test/support/samples/sample-message.ts';
import { serviceDeps } from '#test/support/worlds/ops-deps.ts';

const described: any = openApi(serviceRoutes);
const parts: Readonly<Record<string, string>> = {
  ID: sampleId(),
  N: '1',
  NAME: 'parse',
  DOMAIN: 'far.example',
  ADDRESS: 'gone@far.example',
};
const queries: Readonly<Record<string, string>> = {
  'POST /api/suppressions/ADDRESS': '?reason=asked&days=7',
  'DELETE /api/messages': '?all=true',
  'POST /api/messages/read': '?all=true',
  'POST /api/messages/unread': '?mailbox=@a.example',
  'POST /api/messages/ID/tags': '?tags=a,b',
};

const bodies: Readonly<Record<string, unknown>> = {
  'POST /api/send': { from: 'ann@a.example', to: ['carl@far.example'], attachments: [{ content: 'AAAA' }] },
  'POST /api/messages/ID/release': { to: ['ann@far.example'] },
  'PUT /api/chaos': { words: 'on' },
};

/** The API of a world that has one of each. */
function describedApp() {
  const world = sampleWorld();
  const part = {
    filename: 'a',
    contentType: 'image/png',
    bytes: 1,
    sha256: '0'.repeat(64),
    contentId: null,
    inline: false,
  };
  world.store.seed('attachments/1', 'x');
  world.addMessage(sampleMessage({ html: '<p>Hello', attachments: [{ ...part, key: 'attachments/1' }] }));
  const job = { ...sampleDeliverJob(), id: sampleId(), domain: 'far.example' };
  world.store.seed(
    `deliveries/2025/11/21/${job.id}/far.example.json`,
    JSON.stringify(newDeliveryState(job, Date.now())),
  );
  world.store.seed('suppressions/far.example/gone.json', JSON.stringify({ reason: '550 no such user' }));
  return createOpsApp(serviceDeps(world), serviceRoutes);
}

describe('the description of the ops API', () => {
  for (const { at, does } of serviceRoutes) {
    test(`${at} answers as described`, async () => {
      const [method = '', path = ''] = at.split(' ');
      const { responses, requestBody } = described.paths[path.replace(/\b[A-Z]+\b/g, '{$&}')][method.toLowerCase()];
      const url = path.replace(/\b[A-Z]+\b/g, (name) => encodeURIComponent(parts[name] ?? '')) + (queries[at] ?? '');
      const sent = bodies[at];
      if (sent !== undefined) assert.ok(z.fromJSONSchema(requestBody.content['application/json'].schema).parse(sent));
      const readJson = sent === undefined ? {} : { readJson: async () => ({ json: sent }) };
      const { status, headers, body } = await describedApp()({ method, url, ...readJson });
      assert.equal(status, does.status);
      const [[type, content]]: any = Object.entries(responses[status].content);
      if (content.schema === undefined) return assert.ok(type === '*/*' || type === headers['content-type']);
      assert.match(String(headers['content-type']), /^application\/json/);
      const text = typeof body === 'string' ? body : (await readBody(body)).toString();
      assert.deepEqual(z.fromJSONSchema(content.schema).safeParse(JSON.parse(text)).error?.issues ?? [], []);
    });
  }

  test('each reason for a refusal stands, by its status, at the requests that may be refused for it', () => {
    const operations = Object.values<any>(described.paths).flatMap((methods) => Object.values<any>(methods));
    const said = new Set(
      operations.flatMap(({ responses }) =>
        Object.entries<any>(responses).flatMap(([status, { description }]) =>
          description.startsWith('refused: ')
            ? description
                .slice(9)
                .split(', ')
                .map((word: string) => `${word} ${status}`)
            : [],
        ),
      ),
    );
    // Of paths and methods that are not there, and of Mailpit's.
    const elsewhere = ['wrong-method 405', 'not-here 501', 'no-upgrade 501', 'timeout 408'];
    const all = Object.entries(refusalTable).flatMap(([word, { statuses }]) => statuses.map((one) => `${word} ${one}`));
    assert.deepEqual([...said, ...elsewhere].sort(), all.sort());
    const waiting = described.paths['/api/messages/wait'].get.responses[408].content['application/json'].schema;
    assert.deepEqual(waiting.required, ['error', 'arrived']);
  });

  test('a parameter that is missing is named in words of ours', async () => {
    const { body } = await describedApp()({ method: 'POST', url: `/api/messages/${sampleId()}/tags` });
    assert.equal(JSON.parse(String(body)).error.message, 'tags: expected a value');
  });

  test('parameters that must be given are required, others are not', async () => {
    const { parameters } = described.paths['/api/suppressions/{ADDRESS}'].post;
    assert.deepEqual(
      parameters.map(({ name, in: where, required }: any) => [name, where, required]),
      [
        ['ADDRESS', 'path', true],
        ['reason', 'query', true],
        ['sender', 'query', false],
        ['days', 'query', false],
      ],
    );
    assert.equal((await describedApp()({ method: 'POST', url: '/api/suppressions/a%40far.example' })).status, 400);
  });
});
