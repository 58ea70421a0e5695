// SES replaces Date and Message-ID of what it sends: a signature of ours over them would be broken wherever the mail arrives.
import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { test } from 'node:test';
import { dkimVerify } from 'mailauth/lib/dkim/verify.js';
import { deliveryWorld } from '#test/functions/deliver/delivery-world.ts';
import { zoneResolver } from '#test/support/fakes/zone-resolver.ts';
import { startMx } from '#test/support/peers/scripted-mx.ts';

const { privateKey, publicKey } = generateKeyPairSync('ed25519');
const secrets = { 'secret:dkim-s1': privateKey.export({ type: 'pkcs8', format: 'pem' }).toString() };
const key = publicKey.export({ type: 'spki', format: 'der' }).subarray(-32).toString('base64');
const records = { 's1._domainkey.sender.example': { TXT: [[`v=DKIM1; k=ed25519; p=${key}`]] } };

for (const [relay, isKept] of [
  ['email-smtp.us-east-1.amazonaws.com', true],
  ['smtp.relay.example', false],
] as const) {
  test(`by ${relay} a signature of ours ${isKept ? 'holds after' : 'covers'} Date and Message-ID`, async (t) => {
    const host = await startMx();
    const smarthost = { host: relay, port: host.port, tls: 'none' as const };
    const dkim = [{ selector: 's1', privateKey: 'secret:dkim-s1' }];
    const domains = { 'sender.example': { mailboxes: ['a'], dkim } };
    const config = { domains, delivery: { mode: 'smarthost' as const, smarthost } };
    const world = deliveryWorld({ secrets, config, zone: { [relay]: { A: ['127.0.0.1'] } } });
    t.after(() => Promise.all([host.close(), world.close()]));
    assert.equal((await world.run(world.job({ signingDomain: 'sender.example' }))).outcome, 'delivered');
    const sent = host.mails[0]!.content.replace(/^Date: .*$/m, 'Date: Sun, 22 Nov 2026 09:00:00 +0000').replace(
      /^Message-ID: .*$/m,
      'Message-ID: <0100018c@email.amazonses.com>',
    );
    const resolver: any = zoneResolver(records);
    const { results } = await dkimVerify(Buffer.from(sent, 'latin1'), { resolver });
    assert.equal(results[0]!.status.result, isKept ? 'pass' : 'fail');
  });
}
