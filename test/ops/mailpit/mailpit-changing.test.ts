// Mailpit answers when all is done, whatever our own API answers meanwhile.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { json } from '#ops/api/answer.ts';
import { createOpsApp } from '#ops/api/ops-app.ts';
import { mailpitRoutes } from '#ops/mailpit/mailpit-routes.ts';

test('all mail is marked by as many requests as that takes, each behind the one before', async () => {
  const answers = [
    { marked: 4_000, left: 2_000, next: 'a&b' },
    { marked: 2_000, left: 0, next: null },
  ];
  const asked: string[] = [];
  const ask = async ({ method, url }: { readonly method: string; readonly url: string }) => {
    asked.push(`${method} ${url}`);
    return json(answers.shift());
  };
  const readJson = async () => ({ json: { Read: true, Search: 'invoice' } });
  const answer = await createOpsApp({ ask }, mailpitRoutes)({ method: 'PUT', url: '/api/v1/messages', readJson });
  assert.deepEqual([answer.status, answer.body], [200, 'ok']);
  assert.deepEqual(asked, ['POST /api/messages/read?q=invoice', 'POST /api/messages/read?q=invoice&after=a%26b']);
});
