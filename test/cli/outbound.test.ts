// Mail on its way out, as the command line tells it: delivered, waiting and bounced, each attempt with the peer's words.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { peerOptions } from '#test/support/peers/peers.ts';
import { eventually } from '#test/support/worlds/local-service.ts';
import { runInProcess, runPillarbox } from '#test/support/worlds/run-pillarbox.ts';
import { startSending } from '#test/support/worlds/sending-service.ts';

const refusing = (reply: string) => (command: string) => (/^RCPT/i.test(command) ? reply : undefined);

test(
  'deliveries, trace, retry and suppressions tell what became of outbound mail',
  peerOptions('dnsmasq'),
  async (t) => {
    const domains = { 'good.test': '127.0.0.11', 'busy.test': '127.0.0.12', 'none.test': '127.0.0.13' };
    const service = await startSending({
      zone: {
        mx: Object.fromEntries(Object.keys(domains).map((domain) => [domain, [`10 mx.${domain}`]])),
        a: Object.fromEntries(Object.entries(domains).map(([domain, ip]) => [`mx.${domain}`, ip])),
      },
      config: { delivery: { retrySeconds: [3_600] } },
    });
    t.after(() => service.close());
    await service.host(domains['good.test']);
    await service.host(domains['busy.test'], { answer: refusing('450 4.2.1 mailbox is busy') });
    await service.host(domains['none.test'], { answer: refusing('550 5.1.1 nobody of that name') });
    const [good, busy, none] = await Promise.all(
      Object.keys(domains).map((domain) => service.submit({ to: [`bob@${domain}`] })),
    );
    await service.whenDelivery(good!, 'delivered');
    await service.whenDelivery(busy!, 'waiting');
    await service.whenDelivery(none!, 'bounced');
    const [bounce] = await service.whenInbox('app', 1);
    const cli = async (...args: string[]) => {
      const ran = await runInProcess([...args, '--url', service.http]);
      assert.equal(ran.code, 0, ran.err);
      return ran.out;
    };
    const listed = (await runPillarbox(['deliveries', '--url', service.http])).out;
    assert.match(listed, new RegExp(`^${good} +good\\.test +delivered +1 +-`, 'm'));
    assert.match(listed, new RegExp(`^${busy} +busy\\.test +waiting +1 +20[\\d-]+ [\\d:]+ +.*mailbox is busy`, 'm'));
    assert.match(listed, new RegExp(`^${none} +none\\.test +bounced +1 +- +.*nobody of that name`, 'm'));
    assert.doesNotMatch(await cli('deliveries', '--state', 'waiting'), /good\.test|none\.test/);
    const host = (domain: string) => `at mx\\.${domain.replace('.', '\\.')} \\[127\\.0\\.0\\.\\d+\\]:${service.port}`;
    assert.match(
      await cli('trace', good!),
      new RegExp(
        `attempt 1 for good\\.test ${host('good.test')} (over TLSv1\\.\\d.*|in clear), \\d+\\.\\d s: bob@good\\.test accepted \\(250 `,
      ),
    );
    const waiting = await cli('trace', busy!);
    assert.match(waiting, /bob@busy\.test deferred \(450 4\.2\.1 .*mailbox is busy\)/);
    assert.match(waiting, /^now: delivery to busy\.test: waiting; next attempt at 20\S+ \(number 2\)/m);
    const failed = await cli('trace', none!);
    assert.match(failed, new RegExp(`report to the sender \\(failed\\) about bob@none\\.test: message ${bounce.id}`));
    assert.match(failed, /^now: delivery to none\.test: bounced; bob@none\.test: /m);
    assert.match(await cli('suppressions'), /^bob@none\.test /m);
    await cli('suppressions', 'remove', 'bob@none.test');
    assert.match(await cli('suppressions'), /No address is suppressed/);
    await cli('retry', busy!, 'busy.test');
    const tried = async () => (await service.delivery(busy!)).attempts.length === 2;
    await eventually('it was tried again', tried);
  },
);
