// The commands that ask the ops API agree with its table of routes: each asks for one that is there, and every option in its
// help is a parameter of it.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { commands } from '#cli/commands.ts';
import { serviceRoutes } from '#ops/api/routes.ts';
import { isPart } from '#ops/api/use-case.ts';
import { opsAnswer } from '#test/support/fakes/ops-answer.ts';
import { runInProcess } from '#test/support/worlds/run-pillarbox.ts';

const ofTheWay = new Set(['url', 'token', 'data', 'stack', 'region', 'endpoint']);
/** What `mcp` asks depends on its agent: session.test.ts. */
const asking = commands.filter(({ name, options }) => 'url' in options && name !== 'mcp');

test('twenty commands ask the ops API', () => assert.equal(asking.length, 20));

for (const { name, takes, options } of asking) {
  test(`pillarbox ${name} asks for a route of the table, with each of its options`, async () => {
    const named = Object.keys(options).filter((option) => !ofTheWay.has(option));
    const valued = named.filter((option) => options[option]?.value !== null);
    const values = valued.flatMap((option) => [`--${option}`, 'x']);
    const switches = named.includes('yes') ? ['--yes'] : [];
    const asked: string[] = [];
    const fetch = async (url: string | URL | Request, { method = 'GET' }: RequestInit = {}) => {
      asked.push(`${method} ${String(url).replace('http://127.0.0.1:1', '')}`);
      return opsAnswer({ error: { code: 'internal', message: 'seen' } }, 400);
    };
    const parts = Array.from({ length: takes[0] }, (_, n) => `part${n}`);
    const argv = [...name.split(' '), ...parts, ...values, ...switches, '--url', 'http://127.0.0.1:1', '--json'];
    assert.match((await runInProcess(argv, { fetch })).err, /"seen"/);
    const [path = '', query] = (asked[0] ?? '').split('?');
    const route = serviceRoutes.find(({ at }) => {
      const count = at.split(' ')[1]?.match(/\b[A-Z]+\b/g)?.length ?? 0;
      return (
        (count === 0 || count === (name === 'release' ? 1 : parts.length)) && // behind the id it has addresses
        new RegExp(`^${at.replace(/(?<=\/)[A-Z]+\b/g, 'part\\d')}$`).test(path)
      );
    });
    assert.ok(route, `no route for ${asked[0]}`);
    const allowed = Object.keys(route.does.takes?.shape ?? {}).filter((parameter) => !isPart(parameter));
    const given = [...new URLSearchParams(query).keys()];
    assert.deepEqual(
      given.filter((parameter) => !allowed.includes(parameter)),
      [],
    );
    assert.deepEqual(
      valued.filter((option) => !given.includes(option)),
      [],
    );
  });
}

test('delete asks again until nothing is left, says how far it is, and adds up', async () => {
  const answers = [
    { deleted: 4_000, left: 2_500 },
    { deleted: 2_000, left: null },
    { deleted: 500, left: 0 },
  ];
  const asked: string[] = [];
  const run = (...more: readonly string[]) => {
    const left = [...answers];
    const fetch = async (url: string | URL | Request, { method = 'GET' }: RequestInit = {}) => {
      asked.push(`${method} ${String(url)}`);
      return opsAnswer(left.shift());
    };
    return runInProcess(['delete', '--all', '--url', 'http://127.0.0.1:1', ...more], { fetch });
  };
  const { code, out, err } = await run();
  assert.deepEqual(
    asked,
    Array.from({ length: 3 }, () => 'DELETE http://127.0.0.1:1/api/messages?all=true'),
  );
  assert.deepEqual([code, out], [0, 'deleted: 6500 messages\n']);
  assert.equal(err, 'deleted: 4000 messages so far, 2500 left\ndeleted: 6000 messages so far\n');
  assert.deepEqual(JSON.parse((await run('--json')).out), { deleted: 6_500, left: 0 });
});

test('mark goes on behind what was marked until the end, says how far it is, and adds up', async () => {
  const answers = [
    { marked: 4_000, left: 2_500, next: 'a&b' },
    { marked: 2_000, left: null, next: 'c' },
    { marked: 500, left: 0, next: null },
  ];
  const asked: string[] = [];
  const fetch = async (url: string | URL | Request, { method = 'GET' }: RequestInit = {}) => {
    asked.push(`${method} ${String(url)}`);
    return opsAnswer(answers.shift());
  };
  const { code, out, err } = await runInProcess(['mark', '--all', '--url', 'http://127.0.0.1:1'], { fetch });
  const url = 'POST http://127.0.0.1:1/api/messages/read?all=true';
  assert.deepEqual(asked, [url, `${url}&after=a%26b`, `${url}&after=c`]);
  assert.deepEqual([code, out], [0, 'marked: 6500 messages\n']);
  assert.equal(err, 'marked: 4000 messages so far, 2500 left\nmarked: 6000 messages so far\n');
});
