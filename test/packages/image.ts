// The image of the Dockerfile, without Docker: exactly the files that its last stage copies, Node and bash with their libraries where the
// base image has them, and the rest of the root empty; read-only, as the user of the image, in namespaces of its own. A part of
// `npm run test:packages`; it needs root, and npm's cache or the registry.
import assert from 'node:assert/strict';
import { execFile, execFileSync } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { findPeer, peerOptions } from '#test/support/peers/peers.ts';

const run = promisify(execFile);
const home = fileURLToPath(new URL('../..', import.meta.url));
const stages = readFileSync(join(home, 'Dockerfile'), 'utf8')
  .replaceAll('\\\n', ' ')
  .split(/^FROM .*$/m);
const [, build = '', libraries = '', last = ''] = stages;
const lines = (stage: string, word: string): readonly string[] =>
  stage
    .split('\n')
    .flatMap((line) => (line.trimStart().startsWith(`${word} `) ? [line.trim().slice(word.length + 1)] : []));
const environment = Object.fromEntries(
  lines(last, 'ENV').flatMap((line) => line.split(' ').map((one) => one.split('='))),
);
const words = (line: string | undefined): readonly string[] => JSON.parse((line ?? '').replace(/^[^[]*CMD /, ''));
const health = words(/^HEALTHCHECK .*$/m.exec(last)?.[0]);
const command = words(lines(last, 'CMD').at(-1)?.replace(/^/, 'CMD '));
const isRoot = process.getuid?.() === 0;
const needs = isRoot ? peerOptions('unshare', 'chroot', 'bash', 'ldd', 'npm') : { skip: 'namespaces need root' };

describe('the image, by its list of files,', needs, () => {
  const work = mkdtempSync(join(tmpdir(), 'pillarbox-image-'));
  const root = join(work, 'root');
  after(() => rmSync(work, { recursive: true, force: true }));

  before(async () => {
    await run('sh', ['-c', (lines(build, 'RUN')[0] ?? '').replace(/^npm ci [^&]*&& /, '')], { cwd: home });
    copy(home, join(work, 'libraries'), lines(libraries, 'COPY'));
    await run('sh', ['-c', `${lines(libraries, 'RUN')[0]}`.replace('npm ci', 'npm ci --prefer-offline')], {
      cwd: join(work, 'libraries'),
    });
    const from = { libraries: join(work, 'libraries'), build: home };
    for (const folder of ['app', 'data', 'tmp', 'proc', 'dev']) mkdirSync(join(root, folder), { recursive: true });
    for (const line of lines(last, 'COPY')) {
      const [, stage, rest = line] = /^--from=(\w+) (.*)$/.exec(line) ?? [];
      const place = stage === 'libraries' || stage === 'build' ? from[stage] : home;
      copy(place, join(root, 'app'), [rest.replace(/^\/(?:app|src)\//, '')]);
    }
    const [, target = '', link = ''] = /\bln -s (\S+) (\S+)/.exec(last) ?? [];
    program(root, process.execPath, '/usr/local/bin/node');
    symlinkSync(target, join(root, link));
    program(root, realpathSync(findPeer('bash') ?? ''), '/bin/bash');
    execFileSync('chown', ['1000:1000', join(root, 'data')]);
  });

  test('runs as its user over a read-only root, is healthy, takes mail of other hosts in clear, and ends in order', async () => {
    writeFileSync(join(work, 'inside.sh'), script(root));
    chmodSync(join(work, 'inside.sh'), 0o755);
    const unshare = ['--mount', '--pid', '--net', '--fork', '--kill-child', 'bash', join(work, 'inside.sh')];
    const { stdout, stderr } = await run('unshare', unshare, { timeout: 60_000 }).catch((thrown) => thrown);
    const said = `${stdout}\n${stderr}`;
    assert.match(stdout, /^the root is read-only$/m, said);
    assert.match(stdout, /^healthy$/m, said);
    assert.match(stdout, /^[0-9A-Z]{26} .* bob@receiver\.example +by an app$/m, said);
    assert.match(stdout, /^user 1000$/m, said);
    assert.match(stdout, /^ended with 0, unhealthy: 1$/m, said);
  });

  test('has nothing of the repository that does not run', () => {
    for (const name of ['typescript', 'esbuild', '@aws-sdk', 'aws-cdk-lib', 'node-24', `node-linux-${process.arch}`]) {
      assert.equal(existsSync(join(root, 'app/node_modules', name)), false, name);
    }
    assert.equal(existsSync(join(root, 'app/local')), false);
  });
});

test('compose.yaml publishes the ports of the image to this machine alone, and takes every right away', () => {
  const compose = readFileSync(join(home, 'compose.yaml'), 'utf8');
  const [exposed = ''] = lines(last, 'EXPOSE');
  for (const port of exposed.split(' '))
    assert.match(compose, new RegExp(`^ +- "127\\.0\\.0\\.1:${port}:${port}"$`, 'm'));
  assert.equal(compose.match(/:\d+"$/gm)?.length, exposed.split(' ').length + 1, 'and the user');
  for (const right of ['user: "1000:1000"', 'read_only: true', '- ALL', '- no-new-privileges:true', '- mail:/data'])
    assert.ok(compose.includes(right), right);
});

/** Lines of COPY: sources and, last, the target below `target`. */
function copy(from: string, target: string, copies: readonly string[]): void {
  for (const line of copies) {
    const parts = line.split(' ');
    const to = parts.pop() ?? '';
    for (const part of parts) {
      const isFolder = !basename(part).includes('.') && basename(part) !== 'LICENSE';
      const place = isFolder ? join(target, to) : join(target, to, basename(part));
      mkdirSync(dirname(place), { recursive: true });
      cpSync(join(from, part), place, { recursive: true });
    }
  }
}

/** A program and the libraries that the loader finds for it. */
function program(root: string, file: string, place: string): void {
  const libraries = execFileSync('ldd', [file], { encoding: 'utf8' }).match(/\/\S+(?= \()/g) ?? [];
  for (const [from, to] of [[file, place], ...libraries.map((one) => [one, one])] as const) {
    mkdirSync(dirname(join(root, to)), { recursive: true });
    copyFileSync(from, join(root, to));
  }
}

/** What is done in the namespaces: the mounts that a container has, the image's own commands, and a mail from another address. */
function script(root: string): string {
  const quoted = (parts: readonly string[]): string =>
    parts.map((one) => `'${one.replaceAll("'", `'\\''`)}'`).join(' ');
  const variables = quoted(
    Object.entries({ PATH: '/usr/local/bin:/bin', ...environment }).map((pair) => pair.join('=')),
  );
  const workdir = lines(last, 'WORKDIR').at(-1);
  const [user] = lines(last, 'USER');
  return `set -u
ip link set lo up; ip address add 172.18.0.7/32 dev lo
mount --bind ${root} ${root}; mount -o remount,bind,ro ${root}
mount --bind ${root}/data ${root}/data; mount -o remount,bind,rw ${root}/data
mount -t tmpfs tmpfs ${root}/tmp; mount -t proc proc ${root}/proc; mount --bind /dev ${root}/dev
touch ${root}/app/x 2>/dev/null || echo 'the root is read-only'
inside=(env -i ${variables} ${findPeer('chroot')} --userspec=${user} ${root} /bin/bash -c 'cd ${workdir} && exec "$@"' -)
"\${inside[@]}" ${quoted(command)} & server=$!
for try in $(seq 200); do "\${inside[@]}" ${quoted(health)} 2>/dev/null && { echo healthy; break; }; sleep 0.1; done
"\${inside[@]}" node /usr/local/bin/pillarbox send --server 172.18.0.7:1025 --from app@sender.example --to bob@receiver.example --subject 'by an app' --text hello
for try in $(seq 50); do
  listed=$("\${inside[@]}" /bin/bash -c 'PILLARBOX_TOKEN=$(</data/secrets/ops-token) node /usr/local/bin/pillarbox list --url http://127.0.0.1:8025')
  [[ $listed == *'by an app'* ]] && break; sleep 0.1
done
echo "$listed"
echo "user $(stat -c %u ${root}/proc/$server)"
kill -TERM $server; wait $server; code=$?
"\${inside[@]}" ${quoted(health)} 2>/dev/null; echo "ended with $code, unhealthy: $?"
`;
}
