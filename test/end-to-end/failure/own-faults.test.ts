// Faults of ours, and restarts, as an operator has them: the whole service as a process, its files, its hosts, kill -9.

import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { peerOptions } from '#test/support/peers/peers.ts';
import { rawSmtp, sendRaw } from '#test/support/peers/raw-smtp.ts';
import { startScriptedDns } from '#test/support/peers/scripted-dns.ts';
import { idIn } from '#test/support/peers/send-many.ts';
import { openSesameHash } from '#test/support/samples/password-hashes.ts';
import { temporaryFolder } from '#test/support/worlds/embedded-world.ts';
import { allMessages, eventually, startLocalService } from '#test/support/worlds/local-service.ts';
import { login, type SendingService, startSending } from '#test/support/worlds/sending-service.ts';

const pem = generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();

// Each mostly waits.
describe('faults of ours', { concurrency: true }, () => {
  test(
    'a DKIM key that is gone holds up its own domain alone, is told everywhere, and mail goes out when it is back',
    peerOptions('dnsmasq'),
    async (t) => {
      const service = await startSending({
        zone: { a: { 'far.test': '127.0.7.1' } },
        config: {
          domains: {
            'sender.example': { mailboxes: ['app'], dkim: [{ selector: 's1', privateKey: 'file:key.pem' }] },
            'unsigned.example': { mailboxes: ['app'] },
          },
          users: [
            {
              name: login.user,
              password: openSesameHash,
              mayFrom: ['*@sender.example', '*@unsigned.example'],
            },
          ],
        },
      });
      t.after(service.close);
      const mx = await service.host('127.0.7.1');
      const ids: string[] = [];
      for (let n = 0; n < 8; n++) ids.push(await service.submit({ to: [`b${n}@far.test`] }));
      const unsigned = await service.submit({ from: 'app@unsigned.example', to: ['c@far.test'] });
      await service.whenDelivery(unsigned, 'delivered');
      const reason = /the DKIM key "file:key.pem" cannot be read: ENOENT/;
      await eventually('all wait', async () => {
        const { deliveries } = await service.json('/api/deliveries?state=waiting');
        return deliveries.length === 8 && deliveries.every((one: any) => reason.test(one.reason));
      });
      const trace = await service.json(`/api/messages/${ids[0]}/trace`);
      assert.match(trace.where.join('\n'), /next attempt at .*: the DKIM key "file:key.pem" cannot be read/);
      assert.doesNotMatch(JSON.stringify(trace), /interrupted/);
      const health = await service.json('/health');
      assert.match(health.problems.join('\n'), /8 jobs of queue deliver wait until this is mended: the DKIM key/);
      await eventually(
        'each was tried six times and more',
        async () => service.output().split('"faults":6').length > 8,
      );
      assert.equal(await dead(service), 0);
      writeFileSync(join(service.folder, 'key.pem'), pem);
      for (const id of ids) await service.whenDelivery(id, 'delivered');
      assert.equal(mx.mails.length, 9);
      assert.ok(mx.mails.filter(({ content }) => /^DKIM-Signature: .*d=sender\.example/s.test(content)).length === 8);
      assert.deepEqual((await service.json('/health')).problems, []);
    },
  );

  test(
    'six times kill -9 while one slow host holds a message: it is delivered all the same',
    peerOptions('dnsmasq'),
    async (t) => {
      let service = await startSending({
        zone: { a: { 'slow.test': '127.0.7.2' } },
        config: { delivery: { attemptSeconds: 60 } },
      });
      t.after(() => service.close());
      const mx = await service.host('127.0.7.2', { banner: null });
      const id = await service.submit({ to: ['b@slow.test'] });
      for (let kill = 1; kill <= 6; kill++) {
        await eventually('it is in hand', () => mx.connections() === kill);
        await service.kill();
        service = await service.restart();
      }
      mx.script = {};
      await service.kill();
      service = await service.restart();
      await service.whenDelivery(id, 'delivered');
      assert.equal(await dead(service), 0);
      assert.equal(mx.mails.length, 1);
    },
  );

  for (const world of ['embedded', 'emulator'] as const) {
    test(`while our own DNS answers nobody a forged author does not get in: the mail waits, and is judged once it answers (${world})`, async (t) => {
      let isMute = true;
      const dns = await startScriptedDns(() => (isMute ? null : 0), {
        'victim.test': 'v=spf1 -all',
        '_dmarc.victim.test': 'v=DMARC1; p=reject',
      });
      const folder = temporaryFolder();
      t.after(() => {
        dns.close();
        rmSync(folder, { recursive: true, force: true });
      });
      const service = await startLocalService(t, {
        folder,
        args: ['--world', world],
        config: {
          mode: 'serve',
          hostname: 'mx.receiver.test',
          domains: { 'receiver.test': { mailboxes: ['bob'] } },
          delivery: { retrySeconds: [1] },
          dns: { servers: [dns.server], timeoutSeconds: 1, temperrorRetrySeconds: [1] },
        },
      });
      const smtp = await rawSmtp(service.ports.mx);
      await smtp.command('EHLO mx.forger.test');
      const content = Buffer.from('From: boss@victim.test\r\n\r\npay at once\r\n');
      const id = idIn(await sendRaw(smtp, { from: 'boss@victim.test', to: ['bob@receiver.test'], content }));
      smtp.close();
      await eventually('it waits longer than its judgements', () => service.output().split('"own-fault"').length > 3);
      assert.match(
        service.output(),
        /"fault":"dns","reason":"no DNS server answers \(dns\.servers: 127\.0\.0\.1:\d+\)"/,
      );
      assert.doesNotMatch(service.output(), /judged-again-later|job-dead/);
      assert.deepEqual(await allMessages(service), []);
      const { problems } = await service.json('/health');
      assert.match(problems.join('\n'), /1 job of queue received wait.* until this is mended: no DNS server answers/);
      const trace = await service.json(`/api/messages/${id}/trace`);
      assert.match(trace.where.join('\n'), /no DNS server answers/);
      isMute = false;
      const message = await eventually('it is judged', async () => (await allMessages(service))[0]);
      const { authentication, disposition } = await service.json(`/api/messages/${message.id}`);
      assert.deepEqual([authentication.dmarc.result, disposition.action], ['fail', 'quarantine']);
    });
  }
});

async function dead(service: SendingService): Promise<number> {
  const queues: any[] = await service.json('/api/queues');
  return queues.reduce((sum, queue) => sum + queue.dead, 0);
}
