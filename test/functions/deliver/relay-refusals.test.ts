// A relay that does not send for us: SES in its own words, over real sockets. The mail waits, an alarm rises, and nobody gets a bounce
// until the message has expired.
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { relayRefusal } from '#functions/deliver/outcome/relay-refusal.ts';
import { type Script, startMx } from '#test/support/peers/scripted-mx.ts';
import { deliveryWorld } from './delivery-world.ts';

const rejected = '554 Message rejected:';
const inRegion = 'Email address is not verified. The following identities failed the check in region US-EAST-1:';
const paused = `${rejected} Sending paused for this account. For more information, please check the inbox of the email address associated with your AWS account.`;
const accessDenied =
  "554 Access denied: User `arn:aws:iam::000000000000:user/ses-smtp-user.20261121' is not authorized to perform `ses:SendRawEmail' on resource `arn:aws:ses:us-east-1:000000000000:identity/sender.example'";

/** SES's SMTP interface: no enhanced codes, and it refuses after the final dot. */
const sesScript: Script = {
  offers: ['8BITMIME', 'AUTH PLAIN LOGIN'],
  answer: (command) => (command.startsWith('AUTH') ? '235 Authentication successful.' : undefined),
};

async function overSes(t: TestContext, script: Script) {
  const ses = await startMx({ ...sesScript, ...script });
  const smarthost = {
    host: '127.0.0.1',
    port: ses.port,
    tls: 'none' as const,
    user: 'AKIAEXAMPLE',
    password: 'secret:p',
  };
  const delivery = { mode: 'smarthost' as const, smarthost };
  const world = deliveryWorld({ config: { delivery }, secrets: { 'secret:p': 'open sesame' } });
  t.after(() => Promise.all([ses.close(), world.close()]));
  return { ses, world };
}

const refusals = [
  {
    title: 'an author whose domain is not verified',
    text: `${rejected} ${inRegion} Ann Lee <ann@stranger.example>, ann@stranger.example`,
    concerns: 'message',
    reason: /sends only for domains that are verified in our account, and the author's is not/,
  },
  {
    title: 'an account in the sandbox',
    text: `${rejected} ${inRegion} b@far.example`,
    concerns: 'message',
    reason: /has our account in its sandbox, and sends to verified addresses alone/,
  },
  {
    title: 'so many that it does not name them all',
    text: `${rejected} Email address is not verified.`,
    concerns: 'message',
    reason: /verified in our account.*or the account is in its sandbox/,
  },
  { title: 'sending that is paused', text: paused, concerns: 'account', reason: /has paused this account's sending/ },
  {
    title: 'sending that is suspended',
    text: paused.replace('paused', 'suspended'),
    concerns: 'account',
    reason: /has paused this account's sending/,
  },
  {
    title: 'a log-in whose policy lacks ses:SendRawEmail',
    text: accessDenied,
    concerns: 'message',
    reason: /policy for our log-in does not let it send this/,
  },
] as const;
for (const { title, text, concerns, reason } of refusals) {
  test(`SES refuses ${title}: the mail waits, the reason is a sentence, the fault is ours, and it goes out once that is mended`, async (t) => {
    let isMended = false;
    const { ses, world } = await overSes(t, { accept: () => (isMended ? '250 Ok 0100018c' : text) });
    const job = world.job();
    const outcome = await world.run(job);
    assert.equal(outcome.outcome, 'deferred');
    assert.ok('isOurFault' in outcome && outcome.isOurFault);
    const state = world.state(job);
    assert.equal(state.state, 'waiting');
    assert.match(state.recipients[0]!.reason ?? '', reason);
    assert.ok(state.recipients[0]!.reason?.endsWith(text.slice(4, 500)), 'what SES said stands behind it');
    assert.ok(Date.parse(state.next!.at) - world.clock() < 900_000);
    assert.deepEqual(
      world.facts.filter(({ event }) => event === 'own-fault').map(({ level, fields }) => [level, fields.fault]),
      [['error', 'relay']],
    );
    assert.equal(world.counts.get('own-faults'), 1);
    assert.deepEqual([world.bounces.length, ses.mails.length, ses.connections()], [0, 1, 1]);
    isMended = true;
    assert.equal((await world.runNext()).outcome, 'delivered');
    const [said] = [
      relayRefusal({ forwardPath: 'b@far.example', reply: { code: 554, enhanced: null, text: text.slice(4) } }),
    ];
    assert.equal(said?.concerns, concerns);
  });
}

test('one author that SES does not know keeps nobody else waiting', async (t) => {
  const { ses, world } = await overSes(t, {
    accept: ({ content }) => (content.includes('stranger') ? refusals[0].text : '250 Ok'),
  });
  const message = 'From: <ann@stranger.example>\r\nTo: <b@far.example>\r\n\r\nHello.\r\n';
  for (let n = 0; n < 5; n += 1) await world.run(world.job({ message }));
  assert.equal((await world.run(world.job())).outcome, 'delivered');
  assert.equal(ses.mails.length, 6);
});

test('while all sending is paused SES is asked now and then, with one message, so that the alarm stays up', async (t) => {
  const { ses, world } = await overSes(t, { accept: () => paused });
  const jobs = Array.from({ length: 20 }, () => world.job());
  for (const job of jobs) await world.run(job);
  assert.equal(ses.mails.length, 1);
  const asked: number[] = [world.clock()];
  while (world.clock() - asked[0]! < 6 * 3_600_000) {
    await world.runNext();
    if (ses.mails.length > asked.length) asked.push(world.clock());
  }
  const gaps = asked.slice(1).map((at, n) => at - asked[n]!);
  assert.ok(gaps.length > 20 && gaps.every((gap) => gap < 900_000), gaps.join());
  assert.equal(world.bounces.filter(({ text }) => /Action: failed/.test(text)).length, 0);
});

test('a refused log-in is our fault too', async (t) => {
  const { ses, world } = await overSes(t, {
    answer: (command) => (command.startsWith('AUTH') ? '535 Authentication Credentials Invalid' : undefined),
  });
  const outcome = await world.run(world.job());
  assert.ok('isOurFault' in outcome && outcome.isOurFault, JSON.stringify(outcome));
  assert.match(
    String(world.facts.find(({ event }) => event === 'own-fault')?.fields.reason),
    /535 Authentication Credentials Invalid/,
  );
  assert.deepEqual([world.bounces.length, ses.mails.length], [0, 0]);
});

for (const [at, said, reason] of [
  ['MAIL', '530 Authentication required', /wants a log-in/],
  ['MAIL', '530 5.7.0 Authentication Required. For more information, go to the manual', /wants a log-in/],
  ['RCPT', '554 5.7.1 <b@far.example>: Relay access denied', /does not relay for us/],
  ['RCPT', '550 5.7.1 Relaying denied. Proper authentication required.', /does not relay for us/],
  ['RCPT', '550 5.7.54 SMTP; Unable to relay recipient in non-accepted domain', /does not relay for us/],
] as const) {
  test(`a relay that answers ${at} by "${said}" has not been told who we are: the mail waits, and all of it goes out once that is mended`, async (t) => {
    let isMended = false;
    const { world } = await overSes(t, {
      answer: (command) =>
        command.startsWith('AUTH') ? '235 Ok' : !isMended && command.startsWith(at) ? said : undefined,
    });
    const outcome = await world.run(world.job());
    assert.ok('isOurFault' in outcome && outcome.isOurFault, JSON.stringify(outcome));
    assert.match(String(world.facts.find(({ event }) => event === 'own-fault')?.fields.reason), reason);
    assert.equal(world.bounces.length, 0);
    isMended = true;
    assert.equal((await world.runNext()).outcome, 'delivered');
  });
}

test('a refusal of the recipient is the recipient’s, also where a relay says it', () => {
  for (const text of ['5.7.1 Access denied', 'User unknown in relay recipient table', 'Message rejected as spam']) {
    assert.equal(relayRefusal({ forwardPath: 'b@far.example', reply: { code: 550, enhanced: null, text } }), null);
  }
});

test('when the message expires its sender is told why it could not go out', async (t) => {
  const { world } = await overSes(t, { accept: () => refusals[0].text });
  const day = 86_400_000;
  const job = world.job({ expiresAt: new Date(world.clock() + day).toISOString() });
  let outcome = await world.run(job);
  while (outcome.outcome === 'deferred') outcome = await world.runNext();
  assert.equal(outcome.outcome, 'bounced');
  assert.equal(world.clock() - Date.parse(job.receivedAt), day);
  assert.equal(world.bounces.length, 2, 'a warning after hours, a bounce at the end');
  assert.match(world.bounces[1]!.text, /Status: 5\.4\.7/);
  assert.match(
    world.bounces[1]!.text.replace(/\s+/g, ' '),
    /could not be delivered for 24 hours; the last reason was: .*domains that are verified/,
  );
});

for (const { title, mode, text } of [
  {
    title: 'an address on its suppression list',
    mode: 'smarthost',
    text: '554 Message rejected: Address blacklisted.',
  },
  {
    title: 'a message that is not well-formed',
    mode: 'smarthost',
    text: "554 Transaction failed: Missing final '@domain'",
  },
  { title: 'what some host of the recipient says in the same words', mode: 'mx', text: refusals[0].text },
] as const) {
  test(`${title} bounces as before`, async (t) => {
    const ses = await startMx({ offers: [], accept: () => text });
    const smarthost = { host: '127.0.0.1', port: ses.port, tls: 'none' as const };
    const delivery = mode === 'mx' ? {} : { mode, smarthost };
    const world = deliveryWorld({ port: ses.port, config: { delivery } });
    t.after(() => Promise.all([ses.close(), world.close()]));
    assert.equal((await world.run(world.job())).outcome, 'bounced');
    assert.equal(world.bounces.length, 1);
  });
}
