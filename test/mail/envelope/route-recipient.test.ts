import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { parseAddress, parseDomain } from '#mail/address/address.ts';
import { postmasterAddress } from '#mail/address/path.ts';
import { srsForward, srsReverse } from '#mail/address/srs.ts';
import type { Route } from '#mail/envelope/recipient.ts';
import { type Directory, refusalReply, routeRecipient } from '#mail/envelope/route-recipient.ts';
import { isProblem } from '#mail/problem.ts';

const directory: Directory = {
  mode: 'serve',
  hostname: 'mx.example.org',
  domains: {
    'example.org': {
      mailboxes: ['support', 'sales', 'a+b', 'über', 'both'],
      aliases: {
        info: ['support', 'boss@example.net', 'SALES'],
        both: ['both', 'boss@example.net'],
        self: ['self'],
        chain: ['chain2'],
        chain2: ['info@Example.ORG', 'other@example.test'],
        loop1: ['loop2'],
        loop2: ['loop1'],
        loop3: ['loop1', 'sales'],
        typo: ['nobody'],
        odd: ['constructor', '__proto__@example.org'],
        twice: ['support', 'support+a', 'info', 'boss@EXAMPLE.NET'],
        tags: ['support', 'support+a'],
        tagged: ['support+news'],
        everyone: ['info', 'chain', 'loop1', 'boss@EXAMPLE.net'],
      },
      catchAll: null,
    },
    'example.test': { mailboxes: ['all'], aliases: { postmaster: ['boss@example.net'] }, catchAll: 'all' },
  },
};

function route(text: string, options: { mayRelay?: boolean; directory?: Directory } = {}) {
  const address = parseAddress(text);
  assert.ok(!isProblem(address), text);
  return routeRecipient(options.directory ?? directory, address, { mayRelay: options.mayRelay ?? false });
}

/** Routes as short texts: `support+tag@example.org`, `→ boss@example.net`, `relay`. */
function shown(routes: readonly Route[]): string[] {
  return routes.map((each) => {
    if (each.kind === 'relay') return 'relay';
    if (each.kind === 'forward') return `→ ${each.to.join(' ')}`;
    const { localPart, tag, domain } = each.mailbox;
    return `${localPart}${tag === null ? '' : `+${tag}`}@${domain}`;
  });
}

describe('accepted', () => {
  const rows = [
    { to: 'support@example.org', routes: ['support@example.org'] },
    { to: 'SupPort@Example.ORG', routes: ['support@example.org'] },
    { to: 'support+News@example.org', routes: ['support+News@example.org'] },
    { to: '"support"@example.org', routes: ['support@example.org'] },
    { to: 'a+b@example.org', routes: ['a+b@example.org'] },
    { to: 'U\u0308BER@example.org', routes: ['über@example.org'] },
    { to: 'info@example.org', routes: ['support@example.org', 'sales@example.org', '→ boss@example.net'] },
    { to: 'info+x@example.org', routes: ['support+x@example.org', 'sales+x@example.org', '→ boss@example.net'] },
    { to: 'both@example.org', routes: ['both@example.org', '→ boss@example.net'] },
    { to: 'self@example.org', routes: ['self@example.org'] },
    {
      to: 'chain@example.org',
      routes: ['all@example.test', 'support@example.org', 'sales@example.org', '→ boss@example.net'],
    },
    { to: 'loop3@example.org', routes: ['sales@example.org'] },
    { to: 'typo@example.org', routes: ['nobody@example.org'] },
    { to: 'typo+x@example.org', routes: ['nobody+x@example.org'] },
    { to: 'odd@example.org', routes: ['constructor@example.org', '__proto__@example.org'] },
    { to: 'twice@example.org', routes: ['support@example.org', 'sales@example.org', '→ boss@example.net'] },
    { to: 'tags@example.org', routes: ['support@example.org'] },
    { to: 'tagged@example.org', routes: ['support+news@example.org'] },
    { to: 'tagged+x@example.org', routes: ['support+news@example.org'] },
    { to: 'anybody+x@example.test', routes: ['all+x@example.test'] },
    { to: 'constructor@example.test', routes: ['all@example.test'] },
    { to: 'postmaster@example.org', routes: ['postmaster@example.org'] },
    { to: 'PostMaster@example.test', routes: ['→ boss@example.net'] },
    { to: 'postmaster@mx.example.org', routes: ['→ boss@example.net'] },
  ];
  for (const { to, routes } of rows) {
    test(`${to} goes to ${routes.join(', ')}`, () => {
      const routing = route(to);
      assert.ok(routing.outcome === 'accepted');
      assert.deepEqual(shown(routing.routes).toSorted(), routes.toSorted());
    });
  }

  test('<postmaster> alone is always somebody, also where no domain is configured', () => {
    const hostname = parseDomain('mx.example.org');
    assert.ok(!isProblem(hostname));
    const routing = routeRecipient({ ...directory, domains: {} }, postmasterAddress(hostname), { mayRelay: false });
    assert.ok(routing.outcome === 'accepted');
    assert.deepEqual(shown(routing.routes), ['postmaster@mx.example.org']);
  });

  test('an address outside is relayed for those who may, and for nobody else', () => {
    assert.deepEqual(route('x@example.net', { mayRelay: true }), { outcome: 'accepted', routes: [{ kind: 'relay' }] });
    assert.deepEqual(route('x@[192.0.2.1]', { mayRelay: true }), { outcome: 'accepted', routes: [{ kind: 'relay' }] });
  });

  test('who may relay still cannot write to a mailbox of ours that is not there', () => {
    assert.equal(route('nobody@example.org', { mayRelay: true }).outcome, 'refused');
  });
});

describe('refused', () => {
  const rows = [
    { to: 'nobody@example.org', reason: 'unknown-mailbox', code: '550 5.1.1' },
    { to: 'constructor@example.org', reason: 'unknown-mailbox', code: '550 5.1.1' },
    { to: '__proto__@example.org', reason: 'unknown-mailbox', code: '550 5.1.1' },
    { to: 'x%example.net@example.org', reason: 'unknown-mailbox', code: '550 5.1.1' },
    { to: 'example.net!x@example.org', reason: 'unknown-mailbox', code: '550 5.1.1' },
    { to: '"x@example.net"@example.org', reason: 'unknown-mailbox', code: '550 5.1.1' },
    { to: 'loop1@example.org', reason: 'unknown-mailbox', code: '550 5.1.1' },
    { to: 'support@mx.example.org', reason: 'unknown-mailbox', code: '550 5.1.1' },
    { to: 'x@example.net', reason: 'relay-denied', code: '550 5.7.1' },
    { to: 'support@sub.example.org', reason: 'relay-denied', code: '550 5.7.1' },
    { to: 'x@constructor', reason: 'relay-denied', code: '550 5.7.1' },
    { to: 'postmaster@[192.0.2.1]', reason: 'relay-denied', code: '550 5.7.1' },
  ];
  for (const { to, reason, code } of rows) {
    test(`${to}: ${reason}`, () => {
      const routing = route(to);
      assert.ok(routing.outcome === 'refused');
      assert.equal(routing.reason, reason);
      const reply = refusalReply(routing);
      assert.equal(`${reply.code} ${reply.enhanced}`, code);
    });
  }
});

test('in capture mode every recipient of any domain has a mailbox, and nothing is relayed', () => {
  const capture: Directory = { mode: 'capture', hostname: 'localhost', domains: {} };
  const rows = [
    { to: 'Any.One+Tag@example.net', routes: ['any.one+Tag@example.net'] },
    { to: 'x@[192.0.2.1]', routes: ['x@[192.0.2.1]'] },
    { to: 'x%y@example.net', routes: ['x%y@example.net'] },
  ];
  for (const { to, routes } of rows) {
    const routing = route(to, { directory: capture, mayRelay: true });
    assert.ok(routing.outcome === 'accepted');
    assert.deepEqual(shown(routing.routes), routes);
  }
});

test('an alias web of ten thousand names ends, each target once', () => {
  const names = Array.from({ length: 10_000 }, (_, n) => `n${n}`);
  const aliases = Object.fromEntries(
    names.map((name, n) => [name, [`n${(n + 1) % 10_000}`, `n${(n * 7) % 10_000}`, 'end']]),
  );
  const web: Directory = { ...directory, domains: { 'example.org': { mailboxes: ['end'], aliases, catchAll: null } } };
  const routing = route('n0@example.org', { directory: web });
  assert.ok(routing.outcome === 'accepted');
  assert.deepEqual(
    shown(routing.routes).filter((each) => each.startsWith('end')),
    ['end@example.org'],
  );
});

describe('a return address made for a forward', () => {
  const now = Date.parse('2026-11-21T00:00:00Z');
  const srs = (address: Parameters<typeof srsReverse>[0]) => srsReverse(address, 'secret', now);
  const routeSrs = (text: string) => {
    const address = parseAddress(text);
    assert.ok(!isProblem(address));
    return routeRecipient(directory, address, { mayRelay: false, srs });
  };
  test('leads back to the sender, at a domain of ours and at the host itself', () => {
    for (const domain of ['example.org', 'mx.example.org', 'example.test']) {
      const routing = routeSrs(srsForward('joe@sender.example', domain, 'secret', now));
      assert.deepEqual(routing, { outcome: 'accepted', routes: [{ kind: 'forward', to: ['joe@sender.example'] }] });
    }
  });
  test('is refused where it is forged, also where a catch-all would take it', () => {
    const routing = routeSrs('SRS0=AAAAAAAA=AA=sender.example=joe@example.test');
    assert.ok(routing.outcome === 'refused' && routing.reason === 'bad-srs');
  });
  test('means nothing at a domain of others', () => {
    const routing = routeSrs(srsForward('joe@sender.example', 'example.net', 'secret', now));
    assert.ok(routing.outcome === 'refused' && routing.reason === 'relay-denied');
  });
});
