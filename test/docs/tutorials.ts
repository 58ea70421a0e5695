// `npm run test:docs`: each tutorial, worked through by a reader who types what its blocks say and sees what they show, with the package
// as `npm pack` makes it. In a network of its own: ports are those of the page, the DNS is what the reader publishes, and nothing else can
// be reached. Names that the reader has others for are replaced. It needs npm's cache or the registry, and takes a minute or two.
import assert from 'node:assert/strict';
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { after, test } from 'node:test';
import { enterOwnNetwork, startNames } from '#test/support/aws/artefacts/own-network.ts';
import { folderWith, installInto, pack } from '#test/support/packages/fresh-app.ts';
import { startMx } from '#test/support/peers/scripted-mx.ts';
import { eventually } from '#test/support/worlds/local-service.ts';
import { home } from './read-docs.ts';
import { isAsShown, stepsOf, type TutorialStep } from './read-tutorial.ts';
import { openAccount, type TutorialAccount } from './tutorial-account.ts';
import { tutorialPages } from './tutorial-pages.ts';
import { openTerminals, type Terminals } from './tutorial-terminals.ts';

const [ours, theirs] = ['192.0.2.25', '192.0.2.10'];

/** What the reader has in place of the names of the page: servers may be reached under these. */
const names: readonly (readonly [RegExp, string])[] = [
  [/\bexample\.org\b/g, 'shop.internal'],
  [/\bexample\.com\b/g, 'friends.internal'],
  [/\b203\.0\.113\.25\b/g, ours],
];
const friendsRecords = ['friends.internal. MX 10 mail.friends.internal.', `mail.friends.internal. A ${theirs}`];

/** Looking changes nothing, so that one may look again until it is there. */
const looks = /^npx pillarbox (?:list|show|trace|deliveries|suppressions|queues)\b/;

/** What the pages install beside the package. */
const beside = ['nodemailer@10.6.0', 'aws-cdk-lib@2.276.0', 'constructs@10.8.1', 'aws-cdk@2.1148.1', 'esbuild@0.28.2'];

const work = process.env['PILLARBOX_TUTORIALS'] ?? (await makePackage());
const { options } = await enterOwnNetwork(import.meta.url, [`${ours}/32`, `${theirs}/32`]);

let nameServer: ChildProcess | null = null;
const published = new Set<string>();

after(() => nameServer?.kill());

for (const { name, isNamed = false, writesToFriends = false, hasAccount = false } of tutorialPages) {
  const path = `docs/tutorials/${name}.md`;
  test(`${path} shows what its reader sees`, options, async (t) => {
    published.clear();
    await publish(writesToFriends ? friendsRecords : []);
    if (writesToFriends) t.after(await startFriends());
    const account = hasAccount ? await openAccount(join(work, 'bin-aws')) : null;
    if (account !== null) t.after(account.close);
    const environment = {
      PATH: [
        ...(account === null ? [] : [join(work, 'bin-aws')]),
        join(work, 'bin'),
        dirname(process.execPath),
        ...machinesPath(),
      ].join(delimiter),
      HOME: process.env['HOME'] ?? work,
      LANG: 'C.UTF-8',
      npm_config_offline: 'true',
      npm_config_update_notifier: 'false',
    };
    const terminals = openTerminals({ folder: work, state: mkdtempSync(join(work, 'state-')), environment });
    t.after(terminals.close);
    const text = readFileSync(join(home, path), 'utf8');
    const own = isNamed ? asReader(text) : text.replaceAll('eu-central-1', account?.region ?? 'eu-central-1');
    for (const step of stepsOf(own)) {
      await take(step, terminals, account).catch((cause: unknown) => {
        throw new Error(`${path}:${step.line}`, { cause });
      });
    }
  });
}

/** The mail host of those that the reader writes to: it knows everybody but one. */
async function startFriends(): Promise<() => Promise<void>> {
  const answer = (line: string) => (/^RCPT TO:<nobody@/i.test(line) ? '550 5.1.1 No such user here' : undefined);
  const { close } = await startMx({ host: theirs, answer }, 25);
  return close;
}

/** Packs and installs once while the registry can be reached; npm has in its cache then what the tutorials install. Answers the folder. */
async function makePackage(): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'pillarbox-tutorials-'));
  // Tens of thousands of files: nobody waits for that.
  process.on('exit', () => spawn('rm', ['-rf', folder], { detached: true, stdio: 'ignore' }).unref());
  mkdirSync(join(folder, 'pillarbox'));
  mkdirSync(join(folder, 'bin'));
  // Whoever runs this is root of this network already.
  writeFileSync(join(folder, 'bin/sudo'), '#!/bin/sh\nexec "$@"\n');
  chmodSync(join(folder, 'bin/sudo'), 0o755);
  await installInto(folderWith({}, folder), [await pack(join(folder, 'pillarbox')), ...beside]);
  process.env['PILLARBOX_TUTORIALS'] = folder;
  return folder;
}

function machinesPath(): readonly string[] {
  return (process.env['PATH'] ?? '').split(delimiter).filter((place) => !place.startsWith(home));
}

function asReader(page: string): string {
  return names.reduce((text, [name, own]) => text.replace(name, own), page);
}

async function take(step: TutorialStep, terminals: Terminals, account: TutorialAccount | null): Promise<void> {
  if (step.kind === 'file') return writeFileSync(join(terminals.place(), step.path), step.text);
  if (step.kind === 'terminal') return terminals.shows(step.sees);
  const sees = step.sees ?? assert.fail('nothing says what is to be seen');
  if (step.needs !== null) {
    execFileSync('bash', ['-n', '-c', step.text]);
    return account?.doThere(step.text, { sees, place: terminals.place() });
  }
  if (step.staysOpen) return terminals.stay(step.text, sees);
  let printed = await terminals.run(step.text);
  const isShown = async (): Promise<boolean> => {
    if (isAsShown(sees, printed)) return true;
    printed = await terminals.run(step.text);
    return false;
  };
  if (looks.test(step.text)) await eventually('it is there', isShown).catch(() => {});
  assert.ok(isAsShown(sees, printed), `typed:\n${step.text}\n\nis to be seen:\n${sees}\n\nis seen:\n${printed}`);
  if (step.publishes) await publish(printed.split('\n').filter((line) => !line.endsWith(` ${theirs}`)));
}

/** Puts the records among the lines, as in a zone file, beside those that are there. */
async function publish(lines: readonly string[]): Promise<void> {
  for (const line of lines) {
    const [, name = '', type = '', value = ''] = /^\s*(\S+)\. (A|MX|TXT) (.+)$/.exec(line) ?? [];
    if (name !== '') published.add(record(name, type, value));
  }
  if (nameServer !== null) {
    nameServer.kill();
    await once(nameServer, 'exit');
  }
  nameServer = await startNames([...published]);
}

/** As an option of dnsmasq. */
function record(name: string, type: string, value: string): string {
  if (type === 'A') return `--host-record=${name},${value}`;
  const [preference = '', host = ''] = value.split(' ');
  if (type === 'MX') return `--mx-host=${name},${host.replace(/\.$/, '')},${preference}`;
  return `--txt-record=${name},${[...value.matchAll(/"([^"]*)"/g)].map(([, string]) => string).join(',')}`;
}
