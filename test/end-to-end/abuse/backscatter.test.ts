// Reports go to proven senders only: whoever writes another's address behind MAIL FROM makes us write nothing to that one,
// by no report and by no bounce of a forward. A proven sender hears exactly what is due, once.
import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { after, before, describe, it } from 'node:test';
import { dkimSign } from 'mailauth/lib/dkim/sign.js';
import { peerOptions } from '#test/support/peers/peers.ts';
import { rawSmtp, sendRaw } from '#test/support/peers/raw-smtp.ts';
import type { ScriptedMx } from '#test/support/peers/scripted-mx.ts';
import { drained, eventually } from '#test/support/worlds/local-service.ts';
import { type SendingService, startSending } from '#test/support/worlds/sending-service.ts';

const here = 'v=spf1 ip4:127.0.0.1 -all';
/** What each victim's domain says of a client that is none of its own. */
const victims: Readonly<Record<string, string | null>> = {
  'fail.test': 'v=spf1 -all',
  'softfail.test': 'v=spf1 ~all',
  'neutral.test': 'v=spf1 ?all',
  'none.test': null,
  'permerror.test': 'v=spf1 nonsense:x -all',
  'temperror.test': 'v=spf1 include:broken.test -all',
};
const [victimIp, outsideIp, refusingIp, crowdIp, provenIp] = [1, 2, 3, 4, 5].map((n) => `127.0.5.${n}`) as [
  string,
  string,
  string,
  string,
  string,
];
const crowd = Array.from({ length: 12 }, (_, n) => `c${n}.test`);
const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
const key = publicKey.export({ type: 'spki', format: 'der' }).toString('base64');
const hostOf = (ip: string, names: readonly string[]) => Object.fromEntries(names.map((name) => [name, ip]));
const zone = {
  a: {
    ...hostOf(victimIp, [...Object.keys(victims), 'helo.test']),
    ...hostOf(crowdIp, crowd),
    ...hostOf(provenIp, ['proven.test', 'signed.test']),
    'outside.test': outsideIp,
    'refusing.test': refusingIp,
  },
  txt: {
    ...Object.fromEntries(Object.entries(victims).flatMap(([name, text]) => (text === null ? [] : [[name, text]]))),
    'helo.attacker.test': here,
    'proven.test': here,
    's1._domainkey.attacker.test': `v=DKIM1; k=rsa; p=${key}`,
    's1._domainkey.softfail.test': `v=DKIM1; k=rsa; p=${key}`,
    '_dmarc.attacker.test': 'v=DMARC1; p=reject',
    's1._domainkey.signed.test': `v=DKIM1; k=rsa; p=${key}`,
  },
  broken: ['broken.test'],
};
const aliases = {
  info: ['app', 'boss@outside.test'],
  far: ['nobody@refusing.test'],
  crowd: crowd.map((domain) => `member@${domain}`),
};
const refusing = { answer: (line: string) => (line.startsWith('RCPT') ? '550 5.7.1 we take no mail' : undefined) };
let service: SendingService;
let [victim, outside, proven, crowded]: ScriptedMx[] = [];

async function startAll(): Promise<void> {
  service = await startSending({
    zone,
    config: {
      domains: { 'sender.example': { mailboxes: ['app', 'boss'], aliases } },
      dns: { temperrorRetrySeconds: [] },
    },
  });
  [victim, outside, proven, crowded] = await Promise.all(
    [victimIp, outsideIp, provenIp, crowdIp].map((ip) => service.host(ip)),
  );
  await service.host(refusingIp, refusing);
}

/** A stranger's message to recipients here, success and failure asked for; its id. */
async function fromStranger(from: string, to: string, content?: string): Promise<string> {
  const smtp = await rawSmtp(service.ports.mx);
  await smtp.command('EHLO helo.attacker.test');
  const text = Buffer.from(content ?? plain(from));
  const said = await sendRaw(smtp, {
    from,
    to: [`${to}@sender.example`],
    content: text,
    parameters: { mail: 'RET=FULL', rcpt: 'NOTIFY=SUCCESS,FAILURE,DELAY' },
  });
  smtp.close();
  return /^250 .*\b([0-9A-HJKMNP-TV-Z]{26})\b/.exec(said)?.[1] ?? assert.fail(said);
}

const plain = (from: string): string => `From: <${from}>\r\nTo: <x@sender.example>\r\nSubject: hello\r\n\r\nHello.\r\n`;

async function signed(from: string, signingDomain: string): Promise<string> {
  const pem = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
  const signer = { signingDomain, selector: 's1', privateKey: pem };
  const { signatures } = await dkimSign(plain(from), { ...signer, signatureData: [signer] });
  assert.notEqual(signatures, '');
  return signatures + plain(from);
}

/** Sends to a mailbox, to an alias that is forwarded, and to one whose forward is refused; the ids. */
async function toAll(from: string, content?: string): Promise<readonly string[]> {
  return Promise.all(['app', 'info', 'far'].map((to) => fromStranger(from, to, content)));
}

const returnPathOf = (mail: string): string => /^MAIL FROM:<([^>]*)>/.exec(mail)?.[1] ?? assert.fail(mail);
const actionsOf = (host: ScriptedMx): string[] =>
  host.mails.map(({ content }) => /^Action: (\w+)/m.exec(content)?.[1] ?? 'no report').sort();

describe('reports', peerOptions('dnsmasq'), () => {
  before(startAll);
  after(() => service?.close());

  it('a forged sender is written to by nobody, whatever SPF says of them; why is on record', async () => {
    const forged = await Promise.all(Object.keys(victims).map((domain) => toAll(`victim@${domain}`)));
    const byAttacker = await signed('attacker@attacker.test', 'attacker.test');
    const passing = await Promise.all(
      ['fail.test', 'none.test'].map((domain) => toAll(`victim@${domain}`, byAttacker)),
    );
    // What the victim's domain once signed, sent again by somebody else with any address of it behind MAIL FROM.
    const replayed = await toAll('victim@softfail.test', await signed('news@softfail.test', 'softfail.test'));
    const ofOurs = await toAll('boss@sender.example');
    const all = [...forged, ...passing, replayed, ofOurs];
    for (const [, , far] of all) {
      const record = await service.whenDelivery(far!, 'bounced');
      assert.deepEqual(
        record.notices.map(({ outcome }: any) => outcome),
        ['dropped'],
      );
      assert.match(record.notices[0].reason, /^the sender is not proven: .*; no report was sent$/);
    }
    await drained(service);
    const dmarc = (await service.json(`/api/messages/${passing[0]![0]}`)).authentication.dmarc;
    assert.deepEqual([dmarc.result, dmarc.domain], ['pass', 'attacker.test']);
    assert.equal(outside!.mails.length, all.length, 'all were forwarded');
    const returnPaths = outside!.mails.map(({ mail }) => returnPathOf(mail));
    const smtp = await rawSmtp(service.ports.mx);
    await smtp.command('EHLO mx.outside.test');
    for (const to of returnPaths) {
      await smtp.command('MAIL FROM:<>');
      assert.match(
        await smtp.command(`RCPT TO:<${to}>`),
        /^550 5\.1\.1 .*nobody is to be told/,
        'a bounce finds no way back',
      );
      await smtp.command('RSET');
    }
    smtp.close();
    assert.deepEqual(actionsOf(victim!), []);
    assert.equal((await service.inbox('boss')).length, 0);
  });

  it('a proven sender hears of each message once: delivered, expanded, failed; and a bounce of a forward comes back', async () => {
    const before = outside!.mails.length;
    await toAll('ann@proven.test');
    await eventually('three reports', () => proven!.mails.length >= 3);
    await drained(service);
    assert.deepEqual(actionsOf(proven!), ['delivered', 'expanded', 'failed']);
    const returnPath = returnPathOf(outside!.mails[before]!.mail);
    const smtp = await rawSmtp(service.ports.mx);
    await smtp.command('EHLO mx.outside.test');
    const content = Buffer.from('From: mailer-daemon@outside.test\r\nSubject: failed\r\n\r\nSorry.\r\n');
    assert.match(await sendRaw(smtp, { from: '', to: [returnPath], content }), /^250/);
    smtp.close();
    await eventually('the bounce is back', () => proven!.mails.length === 4);
  });

  it('a signature of the domain of the reverse-path proves it where SPF does not', async () => {
    const before = proven!.mails.length;
    await toAll('ann@signed.test', await signed('ann@signed.test', 'signed.test'));
    await eventually('three reports', () => proven!.mails.length >= before + 3);
  });

  it('an alias of many addresses is one report of success, not one for each', async () => {
    const before = proven!.mails.length;
    await fromStranger('ann@proven.test', 'crowd');
    await eventually('all have it', () => crowded!.mails.length === crowd.length);
    await drained(service);
    const reports = proven!.mails.slice(before).map(({ content }) => content);
    assert.equal(reports.length, 1);
    assert.match(reports[0]!, /^Final-Recipient: rfc822; ?crowd@sender\.example\r\nAction: expanded\r$/m);
  });
});
